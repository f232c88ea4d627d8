#pragma once
#include <cstdint>
#include <vector>
#include "hate/visibility.h"
#include "libnux/vx/correlation.h"
#include "libnux/vx/dls.h"
#include "libnux/vx/vector.h"

namespace grenade::vx::ppu {

// Neurons of one hemisphere. Their counters can be read by both processors.
struct NeuronViewHandle
{
	typedef libnux::vx::vector_row_t Row;

	std::vector<uint8_t> columns;
	libnux::vx::PPUOnDLS hemisphere;

	// 255 after an overflow
	uint8_t get_rate_counter(size_t column_index, bool reset) const
	{
		if (column_index >= columns.size()) {
			neckar_fail(neckar::wrong_column, column_index, columns.size());
		}
		uint8_t const column = columns[column_index];
		neckar_port.count_mask[half()][column] = 1;
		neckar_count(1, reset);
		return counted(column);
	}

	Row get_rate_counters(bool reset) const
	{
		for (uint8_t const column : columns) {
			neckar_port.count_mask[half()][column] = 1;
		}
		neckar_count(columns.size(), reset);
		Row counts;
		for (uint8_t const column : columns) {
			counts[column] = counted(column);
		}
		return counts;
	}

	Row get_analog_readouts() const
	{
		if (static_cast<uint32_t>(hemisphere) != neckar_port.ppu) {
			neckar_fail(neckar::wrong_ppu, static_cast<uint32_t>(hemisphere), neckar_port.ppu);
		}
		Row const neurons(0x20);
		libnux::vx::set_row_via_vector(neurons, libnux::vx::dls_num_rows, libnux::vx::dls_weight_base);
		return libnux::vx::get_row_via_vector(0, libnux::vx::dls_causal_base);
	}

private:
	uint32_t half() const
	{
		return static_cast<uint32_t>(hemisphere) & 1;
	}

	uint8_t counted(uint8_t column) const
	{
		return neckar_port.overflow[half()][column] ? 255 : neckar_port.count[half()][column];
	}
};

} // namespace grenade::vx::ppu
