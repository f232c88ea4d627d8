#pragma once
#include "libnux/vx/parallel_rng.h"
#include "libnux/vx/vector_row.h"

namespace libnux::vx {

// clears the lowest bits after adding a random number below 2^bits; P(up) = (value mod 2^bits) / 2^bits
template <typename Vector>
inline Vector vector_round_stochastic(Vector const& value, size_t bits)
{
	if (bits == 0) {
		return value;
	}
	if constexpr (detail::IsVector<Vector>::value) {
		if (bits >= static_cast<size_t>(Vector::width)) {
			return Vector();
		}
		typedef std::make_unsigned_t<typename Vector::Element> U;
		auto const drawn = parallel_rng_rand<Vector>();
		auto const below = (neckar::Lanes<U>) drawn.data >> static_cast<U>(Vector::width - bits);
		Vector sum((typename Vector::Data) below);
		sum += value;
		auto const kept = (neckar::Lanes<U>) sum.data & static_cast<U>(~((U(1) << bits) - 1));
		return Vector((typename Vector::Data) kept);
	} else if constexpr (detail::IsPair<Vector>::value) {
		auto const left = vector_round_stochastic(value.left, bits);
		return Vector(left, vector_round_stochastic(value.right, bits));
	} else {
		auto const even = vector_round_stochastic(value.even, bits);
		return Vector(even, vector_round_stochastic(value.odd, bits));
	}
}

} // namespace libnux::vx
