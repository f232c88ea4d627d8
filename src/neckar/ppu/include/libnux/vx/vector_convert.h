// Offset binary to two's complement and back.
#pragma once
#include <s2pp.h>

namespace libnux::vx {

inline __vector int8_t uint8_to_int8(__vector uint8_t values)
{
	return (__vector int8_t) (values ^ vec_splat_u8(0x80));
}

inline __vector uint8_t int8_to_uint8(__vector int8_t values)
{
	return (__vector uint8_t) values ^ vec_splat_u8(0x80);
}

inline __vector int16_t uint16_to_int16(__vector uint16_t values)
{
	return (__vector int16_t) (values ^ vec_splat_u16(0x8000));
}

inline __vector uint16_t int16_to_uint16(__vector int16_t values)
{
	return (__vector uint16_t) values ^ vec_splat_u16(0x8000);
}

} // namespace libnux::vx
