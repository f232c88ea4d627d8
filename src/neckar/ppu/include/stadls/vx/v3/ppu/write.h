#pragma once
#include "haldls/vx/v3/neuron.h"
#include "neckar/port.h"

namespace stadls::vx::v3::ppu {

inline void write(halco::hicann_dls::vx::v3::SpikeCounterResetOnDLS const& coord, haldls::vx::v3::SpikeCounterReset const&)
{
	neckar_reset_counter(coord);
}

} // namespace stadls::vx::v3::ppu
