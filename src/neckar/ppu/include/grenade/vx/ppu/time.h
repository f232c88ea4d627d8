#pragma once
#include <cstdint>
#include "neckar/port.h"

namespace grenade::vx::ppu {

// processor cycles since the start of the experiment
inline uint64_t now()
{
	return neckar_time();
}

} // namespace grenade::vx::ppu
