#pragma once
#include <cstdint>
#include "neckar/port.h"

namespace libnux::vx {

typedef uint32_t omnibus_address_t;
typedef uint32_t omnibus_word_t;

// single words of the chip's bus have no model: use the handles, or read and write of stadls
inline omnibus_word_t omnibus_read(omnibus_address_t const address)
{
	neckar_fail(neckar::unsupported, 0, address);
}

inline void omnibus_write(omnibus_address_t const address, omnibus_word_t const)
{
	neckar_fail(neckar::unsupported, 1, address);
}

} // namespace libnux::vx
