#pragma once
#include "halco/hicann-dls/vx/v3/neuron.h"

namespace haldls::vx::v3 {

class SpikeCounterRead
{
public:
	struct Count
	{
		constexpr static uint32_t min = 0;
		constexpr static uint32_t max = 255;
		uint32_t number;

		explicit constexpr Count(uint32_t value = 0) : number(value) {}

		constexpr operator uint32_t() const
		{
			return number;
		}

		constexpr uint32_t value() const
		{
			return number;
		}
	};

	explicit SpikeCounterRead(Count count = Count(), bool overflow = false) : m_count(count), m_overflow(overflow) {}

	Count get_count() const
	{
		return m_count;
	}

	bool get_overflow() const
	{
		return m_overflow;
	}

private:
	Count m_count;
	bool m_overflow;
};

class SpikeCounterReset
{};

} // namespace haldls::vx::v3
