#pragma once
#include <cstdint>
#include <limits.h>

namespace libnux::vx {

// Marsaglia's generator with shifts 13, 17, 5
inline uint32_t xorshift32(uint32_t* state)
{
	uint32_t x = *state;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}

// steps of dt until a number does not exceed the cutoff = rate * dt * 2^32
inline uint32_t draw_poisson(uint32_t* state, uint32_t cutoff, uint32_t dt)
{
	uint32_t waited = 0;
	while (xorshift32(state) > cutoff) {
		waited += dt;
	}
	return waited;
}

// linear congruential generator of Numerical Recipes
inline uint32_t random_lcg(uint32_t* state)
{
	return *state = 1664525u * *state + 1013904223u;
}

} // namespace libnux::vx
