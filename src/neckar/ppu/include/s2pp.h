// Vector registers of the plasticity processor: 1024 bit.
#pragma once
#include <cstdint>

#ifndef __vector
#define __vector __attribute__((vector_size(128)))
#endif

namespace neckar {

template <typename Register, typename Element>
inline Register splat(Element value)
{
	return Register{} + value;
}

} // namespace neckar

inline __vector uint8_t vec_splat_u8(uint8_t value)
{
	return neckar::splat<__vector uint8_t>(value);
}

inline __vector int8_t vec_splat_s8(int8_t value)
{
	return neckar::splat<__vector int8_t>(value);
}

inline __vector uint16_t vec_splat_u16(uint16_t value)
{
	return neckar::splat<__vector uint16_t>(value);
}

inline __vector int16_t vec_splat_s16(int16_t value)
{
	return neckar::splat<__vector int16_t>(value);
}
