// Sizes and addresses of the chip as the processor sees it.
#pragma once
#include <cstddef>
#include <cstdint>
#include "libnux/vx/omnibus.h"

namespace libnux::vx {

enum class PPUOnDLS : uint32_t
{
	top = 0,
	bottom = 1
};

constexpr uint32_t dls_num_rows = 256;
constexpr uint32_t dls_num_columns = 256;
constexpr uint32_t dls_num_synapses = dls_num_rows * dls_num_columns;
constexpr uint32_t dls_vector_size = 128;
constexpr uint32_t dls_vector_slices = 8;
constexpr uint32_t dls_bytes_per_vector_slice = 16;
constexpr uint32_t dls_bytes_per_vector = 128;
constexpr uint32_t dls_halfwords_per_vector = 64;
constexpr uint32_t dls_words_per_vector = 32;
constexpr uint32_t dls_num_vectors_per_row = 2;
constexpr uint32_t dls_num_synapse_vectors = dls_num_synapses / dls_vector_size;

constexpr uint32_t dls_weight_base = 0x00000000;
constexpr uint32_t dls_decoder_base = 0x00040000;
constexpr uint32_t dls_causal_base = 0x00080000;
constexpr uint32_t dls_acausal_base = 0x000c0000;
constexpr uint32_t dls_vreset_causal_base = 0x00090000;
constexpr uint32_t dls_vreset_acausal_base = 0x000d0000;
constexpr uint32_t dls_config_even_base = 0x00010000;
constexpr uint32_t dls_config_odd_base = 0x00020000;
constexpr uint32_t dls_randgen_base = 0x000e0000;
constexpr uint32_t dls_neuron_reset_base = 0x00c90200;
constexpr uint32_t dls_extmem_base = 0x80000000;
constexpr uint32_t dls_extmem_dram_base = 0x81000000;
constexpr uint8_t dls_correlation_reset = 0x3;
constexpr uint32_t dls_weight_mask = 0x3f;
constexpr uint32_t dls_decoder_mask = 0x3f;
constexpr uint32_t dls_buffer_enable_mask = 0x200000;
constexpr uint32_t dls_spike_base = 0x1c000040;
constexpr uint32_t dls_rates_base = 0x1e000000;
constexpr uint32_t extmem_data_base = 0x40000000;
constexpr uint32_t extmem_dram_data_base = 0x50000000;

} // namespace libnux::vx
