#pragma once
#include <cstddef>
#include "libnux/vx/vector_row.h"

namespace grenade::vx::ppu {

// moves values from the columns of one handle to those of another; the last value is repeated where there are more columns to fill
template <typename T, typename From, typename To>
inline libnux::vx::VectorRow<T> translate_columns(libnux::vx::VectorRow<T> const& input, From const& from, To const& to)
{
	libnux::vx::VectorRow<T> output;
	size_t const number = from.columns.size();
	for (size_t i = 0; i < to.columns.size() && number > 0; ++i) {
		output[to.columns[i]] = input[from.columns[i < number ? i : number - 1]];
	}
	return output;
}

} // namespace grenade::vx::ppu
