// Registers, half rows and rows with the arithmetic of the vector unit.
//
// Mod: modulo 2^w, logical shifts. FracSat: two's complement, sums saturate, a product is floor(a b / 2^(w-1)) saturated, a shift to the right is
// arithmetic, a shift to the left keeps the sign bit. A shift by w or more gives 0; a negative shift goes the other way.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <s2pp.h>

namespace neckar {

enum class Arithmetic
{
	modulo,
	saturating
};

template <typename E>
using Lanes = __attribute__((vector_size(128))) E;

template <typename E>
using Other_sign = std::conditional_t<std::is_signed_v<E>, std::make_unsigned_t<E>, std::make_signed_t<E>>;

template <typename E, size_t N>
struct Wide_of;
template <size_t N>
struct Wide_of<int8_t, N>
{
	typedef int16_t type __attribute__((vector_size(2 * N)));
};
template <size_t N>
struct Wide_of<int16_t, N>
{
	typedef int32_t type __attribute__((vector_size(4 * N)));
};

template <typename E>
struct Register
{
	typedef E Element;
	typedef Lanes<E> Data;
	constexpr static size_t size = 128 / sizeof(E);
	constexpr static int width = 8 * sizeof(E);
	constexpr static Arithmetic arithmetic = std::is_signed_v<E> ? Arithmetic::saturating : Arithmetic::modulo;

	Data data{};

	Register() = default;
	Register(E value) : data(Data{} + value) {}
	Register(Data const& values) : data(values) {}
	explicit Register(Register<Other_sign<E>> const& other) : data((Data) other.data) {}

	E& operator[](size_t i)
	{
		return reinterpret_cast<E*>(&data)[i];
	}

	E const& operator[](size_t i) const
	{
		return reinterpret_cast<E const*>(&data)[i];
	}

	bool operator==(Register const& other) const
	{
		return __builtin_memcmp(&data, &other.data, sizeof(data)) == 0;
	}

	bool operator!=(Register const& other) const
	{
		return !(*this == other);
	}

	Register operator-() const
	{
		return Register() - *this;
	}

	Register& operator+=(Register const& other)
	{
		if constexpr (arithmetic == Arithmetic::saturating) {
			data = __builtin_elementwise_add_sat(data, other.data);
		} else {
			data = data + other.data;
		}
		return *this;
	}

	Register& operator-=(Register const& other)
	{
		if constexpr (arithmetic == Arithmetic::saturating) {
			data = __builtin_elementwise_sub_sat(data, other.data);
		} else {
			data = data - other.data;
		}
		return *this;
	}

	Register& operator*=(Register const& other)
	{
		if constexpr (arithmetic == Arithmetic::saturating) {
			typedef typename Wide_of<E, size>::type Wide;
			Wide const product = (__builtin_convertvector(data, Wide) * __builtin_convertvector(other.data, Wide)) >> (width - 1);
			Wide const top = Wide{} + ((1 << (width - 1)) - 1);
			data = __builtin_convertvector(__builtin_elementwise_min(product, top), Data);
		} else {
			data = data * other.data;
		}
		return *this;
	}

	Register& operator<<=(int bits)
	{
		if (bits < 0) {
			return shift_right(bits == INT32_MIN ? width : -bits);
		}
		return shift_left(bits);
	}

	Register& operator>>=(int bits)
	{
		if (bits < 0) {
			return shift_left(bits == INT32_MIN ? width : -bits);
		}
		return shift_right(bits);
	}

	Register operator+(Register const& other) const
	{
		return Register(*this) += other;
	}

	Register operator-(Register const& other) const
	{
		return Register(*this) -= other;
	}

	Register operator*(Register const& other) const
	{
		return Register(*this) *= other;
	}

	Register operator<<(int bits) const
	{
		return Register(*this) <<= bits;
	}

	Register operator>>(int bits) const
	{
		return Register(*this) >>= bits;
	}

	// offset binary: the middle of the unsigned range is 0
	Register<Other_sign<E>> convert_contiguous() const
	{
		typedef std::make_unsigned_t<E> U;
		Lanes<U> const flipped = (Lanes<U>) data ^ static_cast<U>(U(1) << (width - 1));
		return Register<Other_sign<E>>((Lanes<Other_sign<E>>) flipped);
	}

private:
	Register& shift_left(int bits)
	{
		typedef std::make_unsigned_t<E> U;
		if (bits >= width) {
			data = Data{};
		} else if (bits > 0) {
			auto const plain = (Lanes<U>) data;
			auto shifted = plain << static_cast<U>(bits);
			if constexpr (arithmetic == Arithmetic::saturating) {
				U const sign = U(1) << (width - 1);
				shifted = (shifted & static_cast<U>(~sign)) | (plain & sign);
			}
			data = (Data) shifted;
		}
		return *this;
	}

	Register& shift_right(int bits)
	{
		if (bits >= width) {
			data = Data{};
		} else if (bits > 0) {
			data = data >> static_cast<E>(bits);
		}
		return *this;
	}
};

// half a row of elements of 16 bit
template <typename E>
struct Register_pair
{
	typedef E Element;
	typedef Register<E> Quarter;
	constexpr static size_t size = 2 * Quarter::size;

	Quarter left{};
	Quarter right{};

	Register_pair() = default;
	Register_pair(E value) : left(value), right(value) {}
	Register_pair(Quarter const& first, Quarter const& second) : left(first), right(second) {}
	explicit Register_pair(Register_pair<Other_sign<E>> const& other) : left(other.left), right(other.right) {}

	E& operator[](size_t i)
	{
		return i < Quarter::size ? left[i] : right[i - Quarter::size];
	}

	E const& operator[](size_t i) const
	{
		return i < Quarter::size ? left[i] : right[i - Quarter::size];
	}

	bool operator==(Register_pair const& other) const
	{
		return left == other.left && right == other.right;
	}

	bool operator!=(Register_pair const& other) const
	{
		return !(*this == other);
	}

	Register_pair operator-() const
	{
		return Register_pair(-left, -right);
	}

#define NECKAR_IN_PLACE(op)                                                                                                                                  \
	Register_pair& operator op(Register_pair const& other)                                                                                                   \
	{                                                                                                                                                        \
		left op other.left;                                                                                                                                  \
		right op other.right;                                                                                                                                \
		return *this;                                                                                                                                        \
	}
	NECKAR_IN_PLACE(+=)
	NECKAR_IN_PLACE(-=)
	NECKAR_IN_PLACE(*=)
#undef NECKAR_IN_PLACE

	Register_pair& operator<<=(int bits)
	{
		left <<= bits;
		right <<= bits;
		return *this;
	}

	Register_pair& operator>>=(int bits)
	{
		left >>= bits;
		right >>= bits;
		return *this;
	}

	Register_pair operator+(Register_pair const& other) const
	{
		return Register_pair(*this) += other;
	}

	Register_pair operator-(Register_pair const& other) const
	{
		return Register_pair(*this) -= other;
	}

	Register_pair operator*(Register_pair const& other) const
	{
		return Register_pair(*this) *= other;
	}

	Register_pair operator<<(int bits) const
	{
		return Register_pair(*this) <<= bits;
	}

	Register_pair operator>>(int bits) const
	{
		return Register_pair(*this) >>= bits;
	}

	Register_pair<Other_sign<E>> convert_contiguous() const
	{
		return Register_pair<Other_sign<E>>(left.convert_contiguous(), right.convert_contiguous());
	}
};

// how an element of one type becomes one of another: reinterpreted, or signed as fractions and unsigned as integers
template <typename To, typename From>
constexpr bool is_convertible = !std::is_same_v<To, From> && ((sizeof(To) == sizeof(From)) || (std::is_signed_v<To> == std::is_signed_v<From>));

typedef uint8_t Eighth_unsigned __attribute__((vector_size(64)));
typedef int8_t Eighth_signed __attribute__((vector_size(64)));

template <typename E>
using Half_register = std::conditional_t<std::is_signed_v<E>, Eighth_signed, Eighth_unsigned>;

template <typename To, typename From>
inline void convert_half(To& to, From const& from)
{
	typedef typename To::Element E;
	static_assert(To::size == From::size);
	if constexpr (sizeof(To) == sizeof(From)) {
		__builtin_memcpy(&to, &from, sizeof(to));
	} else if constexpr (sizeof(To) > sizeof(From)) {
		Half_register<E> parts[2];
		__builtin_memcpy(parts, &from, sizeof(parts));
		int const gain = std::is_signed_v<E> ? 8 : 0;
		to.left.data = __builtin_convertvector(parts[0], Lanes<E>) << static_cast<E>(gain);
		to.right.data = __builtin_convertvector(parts[1], Lanes<E>) << static_cast<E>(gain);
	} else {
		typedef typename From::Element Wide;
		int const drop = std::is_signed_v<E> ? 8 : 0;
		Half_register<E> const parts[2] = {
		    __builtin_convertvector(from.left.data >> static_cast<Wide>(drop), Half_register<E>),
		    __builtin_convertvector(from.right.data >> static_cast<Wide>(drop), Half_register<E>)};
		__builtin_memcpy(&to, parts, sizeof(parts));
	}
}

} // namespace neckar

namespace libnux::vx::detail {

template <typename T>
struct IsVector : std::false_type
{};
template <typename E>
struct IsVector<neckar::Register<E>> : std::true_type
{};
template <typename T>
struct IsPair : std::false_type
{};
template <typename E>
struct IsPair<neckar::Register_pair<E>> : std::true_type
{};

} // namespace libnux::vx::detail

namespace libnux::vx {

typedef neckar::Register<uint8_t> VectorMod8;
typedef neckar::Register<int8_t> VectorFracSat8;
typedef neckar::Register<uint16_t> VectorMod16;
typedef neckar::Register<int16_t> VectorFracSat16;

typedef VectorMod8 VectorHalfRowMod8;
typedef VectorFracSat8 VectorHalfRowFracSat8;
typedef neckar::Register_pair<uint16_t> VectorHalfRowMod16;
typedef neckar::Register_pair<int16_t> VectorHalfRowFracSat16;

template <typename VectorHalfRow>
struct VectorRow
{
	typedef VectorHalfRow HalfRow;
	typedef typename HalfRow::Element Element;
	constexpr static size_t size = 2 * HalfRow::size;

	HalfRow even{};
	HalfRow odd{};

	VectorRow() = default;
	VectorRow(Element value) : even(value), odd(value) {}
	VectorRow(HalfRow const& even_columns, HalfRow const& odd_columns) : even(even_columns), odd(odd_columns) {}

	template <typename OtherHalf, typename = std::enable_if_t<neckar::is_convertible<Element, typename OtherHalf::Element>>>
	explicit VectorRow(VectorRow<OtherHalf> const& other)
	{
		neckar::convert_half(even, other.even);
		neckar::convert_half(odd, other.odd);
	}

	Element& operator[](size_t column)
	{
		return column % 2 ? odd[column / 2] : even[column / 2];
	}

	Element const& operator[](size_t column) const
	{
		return column % 2 ? odd[column / 2] : even[column / 2];
	}

	bool operator==(VectorRow const& other) const
	{
		return even == other.even && odd == other.odd;
	}

	bool operator!=(VectorRow const& other) const
	{
		return !(*this == other);
	}

	VectorRow operator-() const
	{
		return VectorRow(-even, -odd);
	}

	VectorRow& operator+=(VectorRow const& other)
	{
		even += other.even;
		odd += other.odd;
		return *this;
	}

	VectorRow& operator-=(VectorRow const& other)
	{
		even -= other.even;
		odd -= other.odd;
		return *this;
	}

	VectorRow& operator*=(VectorRow const& other)
	{
		even *= other.even;
		odd *= other.odd;
		return *this;
	}

	VectorRow& operator<<=(int bits)
	{
		even <<= bits;
		odd <<= bits;
		return *this;
	}

	VectorRow& operator>>=(int bits)
	{
		even >>= bits;
		odd >>= bits;
		return *this;
	}

	VectorRow operator+(VectorRow const& other) const
	{
		return VectorRow(*this) += other;
	}

	VectorRow operator-(VectorRow const& other) const
	{
		return VectorRow(*this) -= other;
	}

	VectorRow operator*(VectorRow const& other) const
	{
		return VectorRow(*this) *= other;
	}

	VectorRow operator<<(int bits) const
	{
		return VectorRow(*this) <<= bits;
	}

	VectorRow operator>>(int bits) const
	{
		return VectorRow(*this) >>= bits;
	}

	auto convert_contiguous() const
	{
		auto const first = even.convert_contiguous();
		return VectorRow<std::remove_const_t<decltype(first)>>(first, odd.convert_contiguous());
	}
};

template <typename Half>
inline VectorRow<Half> operator+(typename VectorRow<Half>::Element value, VectorRow<Half> const& row)
{
	return VectorRow<Half>(value) += row;
}

template <typename Half>
inline VectorRow<Half> operator-(typename VectorRow<Half>::Element value, VectorRow<Half> const& row)
{
	return VectorRow<Half>(value) -= row;
}

template <typename Half>
inline VectorRow<Half> operator*(typename VectorRow<Half>::Element value, VectorRow<Half> const& row)
{
	return VectorRow<Half>(value) *= row;
}

typedef VectorRow<VectorHalfRowMod8> VectorRowMod8;
typedef VectorRow<VectorHalfRowFracSat8> VectorRowFracSat8;
typedef VectorRow<VectorHalfRowMod16> VectorRowMod16;
typedef VectorRow<VectorHalfRowFracSat16> VectorRowFracSat16;

} // namespace libnux::vx
