#pragma once
#include <cstddef>
#include <cstdint>
#include "libnux/vx/mailbox.h"
#include "neckar/port.h"

namespace libnux::vx {

typedef uint64_t time_base_t;

constexpr uint32_t default_ppu_cycles_per_us = 250;

// cycles since the processor has started to run timed tasks
inline time_base_t now()
{
	return neckar_time();
}

inline void sleep_cycles(uint32_t cycles)
{
	neckar_sleep(cycles);
}

} // namespace libnux::vx
