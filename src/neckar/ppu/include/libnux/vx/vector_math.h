#pragma once
#include <s2pp.h>

namespace libnux::vx {

inline __vector int8_t saturating_subtract(__vector int8_t a, __vector int8_t b)
{
	return __builtin_elementwise_sub_sat(a, b);
}

} // namespace libnux::vx
