#pragma once
#include <cstddef>
#include <cstdint>
#include "libnux/vx/dls.h"
#include "libnux/vx/vector_row.h"
#include "neckar/port.h"
#include <s2pp.h>

namespace libnux::vx {

typedef __vector uint8_t vector_type;
typedef VectorRowMod8 vector_row_t;

} // namespace libnux::vx

namespace neckar {

inline Halves* halves(libnux::vx::vector_row_t& row)
{
	return reinterpret_cast<Halves*>(&row);
}

inline Halves const* halves(libnux::vx::vector_row_t const& row)
{
	return reinterpret_cast<Halves const*>(&row);
}

static_assert(sizeof(libnux::vx::vector_row_t) == sizeof(Halves));

} // namespace neckar

namespace libnux::vx {

inline vector_row_t get_row_via_vector(size_t const row, uint32_t const base)
{
	vector_row_t values;
	if (base == dls_weight_base && row < dls_num_rows) {
		neckar_load_row(neckar_port.weights[row], neckar::halves(values));
	} else if (base == dls_weight_base && row == dls_num_rows) {
		neckar_load_row(neckar_port.neuron_switch, neckar::halves(values));
	} else if (base == dls_decoder_base && row < dls_num_rows) {
		neckar_load_row(neckar_port.labels[row], neckar::halves(values));
	} else if ((base & ~dls_buffer_enable_mask) == dls_causal_base) {
		neckar_observe(neckar::causal, row, neckar::halves(values));
	} else if ((base & ~dls_buffer_enable_mask) == dls_acausal_base) {
		neckar_observe(neckar::acausal, row, neckar::halves(values));
	} else {
		neckar_fail(neckar::unsupported, 2, base);
	}
	return values;
}

// only columns whose mask is positive are written
inline void set_row_via_vector_masked(vector_row_t const& values, vector_row_t const& mask, size_t const row, uint32_t const base)
{
	if (base == dls_weight_base) {
		neckar_store_row(neckar::write_weights, row, neckar::halves(values), neckar::halves(mask));
	} else if (base == dls_decoder_base) {
		neckar_store_row(neckar::write_labels, row, neckar::halves(values), neckar::halves(mask));
	} else if (base == dls_causal_base) {
		neckar_reset_sensors(row, neckar::halves(mask));
	} else if (base == dls_neuron_reset_base) {
		neckar_reset_membranes(neckar::halves(mask));
	} else {
		neckar_fail(neckar::unsupported, 3, base);
	}
}

inline void set_row_via_vector(vector_row_t const& values, size_t const row, uint32_t const base)
{
	set_row_via_vector_masked(values, vector_row_t(1), row, base);
}

} // namespace libnux::vx
