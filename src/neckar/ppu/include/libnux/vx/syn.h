#pragma once
#include <cstdint>
#include "libnux/vx/dls.h"
#include "libnux/vx/vector.h"
#include <s2pp.h>

namespace libnux::vx {

inline void get_weights(__vector uint8_t* even, __vector uint8_t* odd, uint8_t row)
{
	vector_row_t const weights = get_row_via_vector(row, dls_weight_base);
	*even = weights.even.data;
	*odd = weights.odd.data;
}

inline void set_weights(__vector uint8_t* even, __vector uint8_t* odd, uint8_t row)
{
	set_row_via_vector(vector_row_t(*even, *odd), row, dls_weight_base);
}

} // namespace libnux::vx
