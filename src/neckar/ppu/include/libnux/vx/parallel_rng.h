// The random generator: one shift register per column, one new bit per draw.
#pragma once
#include "libnux/vx/vector_row.h"
#include "neckar/port.h"

namespace libnux::vx {

template <typename Vector>
inline std::enable_if_t<detail::IsVector<Vector>::value> parallel_rng_seed(Vector const& value, size_t index = 0)
{
	neckar_seed(index & 1, reinterpret_cast<uint8_t const*>(&value.data));
}

template <typename T>
inline std::enable_if_t<detail::IsPair<T>::value> parallel_rng_seed(T const& value)
{
	parallel_rng_seed(value.left, 0);
	parallel_rng_seed(value.right, 1);
}

template <typename Half>
inline std::enable_if_t<sizeof(VectorRow<Half>) == 256> parallel_rng_seed(VectorRow<Half> const& value)
{
	parallel_rng_seed(value.even, 0);
	parallel_rng_seed(value.odd, 1);
}

template <typename Vector>
inline std::enable_if_t<detail::IsVector<Vector>::value, Vector> parallel_rng_rand(size_t index)
{
	Vector drawn;
	neckar_draw(index & 1, reinterpret_cast<uint8_t*>(&drawn.data));
	return drawn;
}

template <typename Vector>
inline Vector parallel_rng_rand()
{
	if constexpr (detail::IsVector<Vector>::value) {
		return parallel_rng_rand<Vector>(0);
	} else if constexpr (detail::IsPair<Vector>::value) {
		auto const left = parallel_rng_rand<typename Vector::Quarter>(0);
		return Vector(left, parallel_rng_rand<typename Vector::Quarter>(1));
	} else if constexpr (detail::IsPair<typename Vector::HalfRow>::value) {
		auto const even = parallel_rng_rand<typename Vector::HalfRow>();
		return Vector(even, parallel_rng_rand<typename Vector::HalfRow>());
	} else {
		auto const even = parallel_rng_rand<typename Vector::HalfRow>(0);
		return Vector(even, parallel_rng_rand<typename Vector::HalfRow>(1));
	}
}

} // namespace libnux::vx
