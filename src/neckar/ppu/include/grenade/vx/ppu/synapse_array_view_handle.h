#pragma once
#include <cstdint>
#include <vector>
#include "hate/visibility.h"
#include "libnux/vx/vector.h"

namespace grenade::vx::ppu {

// A rectangle of synapses. Rows are given by their index into `rows`; another processor's handle stops the kernel.
struct SynapseArrayViewHandle
{
	typedef libnux::vx::vector_row_t Row;

	std::vector<uint8_t> columns;
	std::vector<uint8_t> rows;
	libnux::vx::PPUOnDLS hemisphere;
	Row column_mask;

	struct CorrelationRow
	{
		Row causal;
		Row acausal;
	};

	Row get_weights(size_t index_row) const
	{
		return libnux::vx::get_row_via_vector(row_at(index_row), libnux::vx::dls_weight_base);
	}

	void set_weights(Row const& value, size_t index_row) const
	{
		libnux::vx::set_row_via_vector_masked(value, column_mask, row_at(index_row), libnux::vx::dls_weight_base);
	}

	Row get_causal_correlation(size_t index_row) const
	{
		size_t const row = row_at(index_row);
		connect_sensors();
		return libnux::vx::get_row_via_vector(row, libnux::vx::dls_causal_base);
	}

	Row get_acausal_correlation(size_t index_row) const
	{
		size_t const row = row_at(index_row);
		connect_sensors();
		return libnux::vx::get_row_via_vector(row, libnux::vx::dls_acausal_base);
	}

	CorrelationRow get_correlation(size_t index_row, bool reset) const
	{
		size_t const row = row_at(index_row);
		connect_sensors();
		CorrelationRow read;
		read.causal = libnux::vx::get_row_via_vector(row, libnux::vx::dls_causal_base);
		read.acausal = libnux::vx::get_row_via_vector(row, libnux::vx::dls_acausal_base);
		if (reset) {
			reset_correlation(index_row);
		}
		return read;
	}

	void reset_correlation(size_t index_row) const
	{
		neckar_reset_sensors(row_at(index_row), neckar::halves(column_mask));
	}

private:
	size_t row_at(size_t index_row) const
	{
		if (static_cast<uint32_t>(hemisphere) != neckar_port.ppu) {
			neckar_fail(neckar::wrong_ppu, static_cast<uint32_t>(hemisphere), neckar_port.ppu);
		}
		if (index_row >= rows.size()) {
			neckar_fail(neckar::wrong_row, index_row, rows.size());
		}
		return rows[index_row];
	}

	static void connect_sensors()
	{
		Row const off(0);
		libnux::vx::set_row_via_vector(off, libnux::vx::dls_num_rows, libnux::vx::dls_weight_base);
	}
};

} // namespace grenade::vx::ppu
