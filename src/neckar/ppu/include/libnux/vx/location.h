#pragma once
#include "libnux/vx/dls.h"
#include "libnux/vx/vector.h"

namespace libnux::vx {

inline bool get_location(PPUOnDLS& ppu)
{
	ppu = static_cast<PPUOnDLS>(neckar_port.ppu);
	return true;
}

} // namespace libnux::vx
