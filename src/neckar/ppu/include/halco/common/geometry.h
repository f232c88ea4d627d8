// Coordinates: a number with a range. Outside its range a coordinate stops the kernel.
#pragma once
#include <cstddef>
#include <cstdint>
#include "neckar/port.h"

namespace halco::common {

struct Enum
{
	uint32_t number;
	explicit constexpr Enum(uint32_t value = 0) : number(value) {}

	constexpr operator uint32_t() const
	{
		return number;
	}

	constexpr uint32_t value() const
	{
		return number;
	}
};

template <typename Self, uint32_t Size>
struct Coordinate
{
	constexpr static uint32_t size = Size;
	constexpr static uint32_t min = 0;
	constexpr static uint32_t max = Size - 1;
	uint32_t number;

	explicit constexpr Coordinate(uint32_t value = 0) : number(value)
	{
		if (value >= Size) {
			neckar_fail(neckar::wrong_column, value, Size);
		}
	}

	explicit constexpr Coordinate(Enum value) : Coordinate(value.number) {}

	constexpr operator uint32_t() const
	{
		return number;
	}

	constexpr uint32_t value() const
	{
		return number;
	}

	constexpr Enum toEnum() const
	{
		return Enum(number);
	}
};

template <typename T>
struct All
{
	struct Iterator
	{
		uint32_t number;

		T operator*() const
		{
			return T(Enum(number));
		}

		Iterator& operator++()
		{
			++number;
			return *this;
		}

		bool operator!=(Iterator const& other) const
		{
			return number != other.number;
		}
	};

	Iterator begin() const
	{
		return Iterator{0};
	}

	Iterator end() const
	{
		return Iterator{T::size};
	}
};

template <typename T>
inline All<T> iter_all()
{
	return {};
}

} // namespace halco::common
