#pragma once
#include "libnux/vx/dls.h"
#include "libnux/vx/vector.h"
#include <s2pp.h>

namespace libnux::vx {

// neurons of the processor's own hemisphere in columns whose mask is positive
inline void reset_neurons(__vector uint8_t mask_even, __vector uint8_t mask_odd)
{
	neckar::Halves mask;
	__builtin_memcpy(mask.even, &mask_even, sizeof(mask.even));
	__builtin_memcpy(mask.odd, &mask_odd, sizeof(mask.odd));
	neckar_reset_membranes(&mask);
}

inline void reset_neurons()
{
	reset_neurons(vec_splat_u8(1), vec_splat_u8(1));
}

} // namespace libnux::vx
