#pragma once
#include "libnux/vx/vector_if.h"
#include "libnux/vx/vector_row.h"

namespace libnux::vx {

template <typename T>
inline VectorRow<T> pow(VectorRow<T> const& base, size_t exponent)
{
	if (exponent == 0) {
		return VectorRow<T>(1);
	}
	VectorRow<T> power = base;
	for (size_t i = 1; i < exponent; ++i) {
		power *= base;
	}
	return power;
}

// to 0..63; elements count as signed
template <typename T>
inline VectorRow<T> saturate_weight(VectorRow<T> const& row)
{
	static_assert(sizeof(typename VectorRow<T>::Element) == 1, "saturate_weight needs elements of 8 bit");
	if constexpr (std::is_signed_v<typename VectorRow<T>::Element>) {
		auto const positive = vector_if(row, VectorIfCondition::greater, row, VectorRow<T>(0));
		return vector_if(positive - VectorRow<T>(63), VectorIfCondition::greater, VectorRow<T>(63), positive);
	} else {
		return VectorRow<T>(saturate_weight(VectorRowFracSat8(row)));
	}
}

} // namespace libnux::vx
