#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace libnux::vx {

template <typename T>
inline T abs_diff(T a, T b)
{
	return a < b ? b - a : a - b;
}

// the value that occurs most often; of several the first
template <typename T, size_t Size>
inline T find_max_amount(std::array<T, Size> const& values)
{
	static_assert(Size > 0, "the array is empty");
	T found = values[0];
	size_t most = 0;
	for (auto const& candidate : values) {
		size_t number = 0;
		for (auto const& value : values) {
			number += value == candidate;
		}
		if (number > most) {
			most = number;
			found = candidate;
		}
	}
	return found;
}

template <typename T>
inline void do_not_optimize_away(T const& value)
{
	static void const volatile* volatile seen;
	seen = &value;
}

inline void clobber()
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

} // namespace libnux::vx
