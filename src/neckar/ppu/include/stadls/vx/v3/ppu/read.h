#pragma once
#include "haldls/vx/v3/neuron.h"
#include "neckar/port.h"

namespace stadls::vx::v3::ppu {

template <typename Container, typename CoordinateType>
inline Container read(CoordinateType const&)
{
	static_assert(sizeof(Container) == 0, "kernels can read SpikeCounterRead only");
}

template <>
inline haldls::vx::v3::SpikeCounterRead read<haldls::vx::v3::SpikeCounterRead>(halco::hicann_dls::vx::v3::SpikeCounterReadOnDLS const& coord)
{
	uint32_t const half = coord / 256, column = coord % 256;
	neckar_port.count_mask[half][column] = 1; // for whoever traces
	neckar_port.charged_fuel += 12;
	neckar_count(1, false);
	return haldls::vx::v3::SpikeCounterRead(
	    haldls::vx::v3::SpikeCounterRead::Count(neckar_port.count[half][column]), neckar_port.overflow[half][column]);
}

} // namespace stadls::vx::v3::ppu
