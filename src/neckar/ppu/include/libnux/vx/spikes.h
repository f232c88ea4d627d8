#pragma once
#include <cstdint>
#include "libnux/vx/dls.h"
#include "libnux/vx/omnibus.h"

namespace libnux::vx {

typedef struct
{
	uint32_t row_mask;
	uint8_t addr;
} spike_t;

// events from the processor have no model: the call stops the kernel and says so
inline void send_spike(spike_t* spike)
{
	omnibus_write(dls_spike_base + spike->addr, spike->row_mask);
}

inline void send_uniform_spiketrain(spike_t* spike, uint32_t number, uint32_t)
{
	for (uint32_t i = 0; i < number; ++i) {
		send_spike(spike);
	}
}

} // namespace libnux::vx
