#pragma once
#include <cstdint>
#include "libnux/vx/dls.h"
#include "libnux/vx/vector.h"
#include <s2pp.h>

namespace libnux::vx {

inline void get_causal_correlation(__vector uint8_t* even, __vector uint8_t* odd, uint8_t row)
{
	neckar::Halves read;
	neckar_observe(neckar::causal, row, &read);
	__builtin_memcpy(even, read.even, sizeof(read.even));
	__builtin_memcpy(odd, read.odd, sizeof(read.odd));
}

inline void get_acausal_correlation(__vector uint8_t* even, __vector uint8_t* odd, uint8_t row)
{
	neckar::Halves read;
	neckar_observe(neckar::acausal, row, &read);
	__builtin_memcpy(even, read.even, sizeof(read.even));
	__builtin_memcpy(odd, read.odd, sizeof(read.odd));
}

inline void get_correlation(
    __vector uint8_t* causal_even, __vector uint8_t* causal_odd, __vector uint8_t* acausal_even, __vector uint8_t* acausal_odd, uint8_t row)
{
	get_causal_correlation(causal_even, causal_odd, row);
	get_acausal_correlation(acausal_even, acausal_odd, row);
}

inline void reset_correlation(uint8_t row)
{
	vector_row_t const everywhere(1);
	neckar_reset_sensors(row, neckar::halves(everywhere));
}

inline void reset_all_correlations()
{
	for (uint32_t row = 0; row < dls_num_rows; ++row) {
		reset_correlation(row);
	}
}

} // namespace libnux::vx
