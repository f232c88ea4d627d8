// Included after the kernel: how the host hands it its views and calls it.
#pragma once
#include <array>
#include <cstdint>
#include <type_traits>
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"

#define NECKAR_ENTRY(name) extern "C" __attribute__((visibility("default"), export_name(#name)))

namespace neckar {

template <size_t N, size_t M>
struct Handles
{
	std::array<grenade::vx::ppu::SynapseArrayViewHandle, N> synapses;
	std::array<grenade::vx::ppu::NeuronViewHandle, M> neurons;
};

inline void fill(
    grenade::vx::ppu::SynapseArrayViewHandle& handle,
    uint32_t hemisphere,
    uint8_t const* rows,
    uint32_t n_rows,
    uint8_t const* columns,
    uint32_t n_columns)
{
	handle.hemisphere = static_cast<libnux::vx::PPUOnDLS>(hemisphere);
	handle.rows.assign(rows, rows + n_rows);
	handle.columns.assign(columns, columns + n_columns);
	handle.column_mask = 0;
	for (uint32_t i = 0; i < n_columns; ++i) {
		handle.column_mask[columns[i]] = 1;
	}
}

inline void fill(grenade::vx::ppu::NeuronViewHandle& handle, uint32_t hemisphere, uint8_t const* columns, uint32_t n_columns)
{
	handle.hemisphere = static_cast<libnux::vx::PPUOnDLS>(hemisphere);
	handle.columns.assign(columns, columns + n_columns);
}

template <typename Whole, typename Part>
inline uint32_t offset(Whole const& whole, Part const& part)
{
	return reinterpret_cast<uint8_t const*>(&part) - reinterpret_cast<uint8_t const*>(&whole);
}

// bytes of one number, or 1 for what is no number
template <typename T>
constexpr uint32_t number_size = std::is_arithmetic_v<std::remove_all_extents_t<std::remove_cv_t<T>>> ? sizeof(std::remove_all_extents_t<std::remove_cv_t<T>>) : 1;

} // namespace neckar
