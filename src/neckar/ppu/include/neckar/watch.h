// NECKAR_WATCH(x) shows the value of x to whoever traces the kernel: a number, a row, a register, or an array of these.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include "neckar/port.h"
#include "neckar/pun.h"

#define NECKAR_WATCH(...) ::neckar::watch(#__VA_ARGS__, __LINE__, __VA_ARGS__)

namespace neckar {

enum Layout : uint32_t
{
	number = 0,
	numbers = 1,
	row = 2,
	rows = 3,
	lanes = 4
};

template <typename T>
constexpr uint32_t element_kind()
{
	if constexpr (std::is_enum_v<T>) {
		return element_kind<std::underlying_type_t<T>>();
	} else if constexpr (std::is_same_v<T, bool>) {
		return 0;
	} else if constexpr (std::is_floating_point_v<T>) {
		static_assert(sizeof(T) <= 8, "NECKAR_WATCH takes float and double");
		return sizeof(T) == 4 ? 9 : 10;
	} else {
		return (sizeof(T) == 1 ? 1 : sizeof(T) == 2 ? 3 : sizeof(T) == 4 ? 5 : 7) + std::is_unsigned_v<T>;
	}
}

// how many numbers of which type a value holds, one after the other
template <typename T, typename = void>
struct About
{
	constexpr static bool known = false;
};

template <typename E, Layout L, size_t N>
struct Known
{
	typedef E Element;
	constexpr static bool known = true;
	constexpr static Layout layout = L;
	constexpr static size_t count = N;
};

template <typename T>
struct About<T, std::enable_if_t<std::is_arithmetic_v<T> || std::is_enum_v<T>>> : Known<T, number, 1>
{};

// rows and registers
template <typename T>
struct About<T, std::enable_if_t<std::is_arithmetic_v<typename T::Element> && sizeof(T) % 128 == 0>>
    : Known<typename T::Element, sizeof(T) == 256 * sizeof(typename T::Element) ? row : lanes, sizeof(T) / sizeof(typename T::Element)>
{};

template <typename E>
using Raw_lanes = Known<E, lanes, 128 / sizeof(E)>;
template <>
struct About<uint8_t __attribute__((vector_size(128)))> : Raw_lanes<uint8_t>
{};
template <>
struct About<int8_t __attribute__((vector_size(128)))> : Raw_lanes<int8_t>
{};
template <>
struct About<uint16_t __attribute__((vector_size(128)))> : Raw_lanes<uint16_t>
{};
template <>
struct About<int16_t __attribute__((vector_size(128)))> : Raw_lanes<int16_t>
{};

template <typename T, size_t N>
struct Several : Known<typename About<T>::Element, About<T>::layout == row || About<T>::layout == rows ? rows : numbers, N * About<T>::count>
{};

template <typename T, size_t N>
struct About<T[N], std::enable_if_t<About<std::remove_cv_t<T>>::known>> : Several<std::remove_cv_t<T>, N>
{};

template <typename T, size_t N>
struct About<std::array<T, N>, std::enable_if_t<About<std::remove_cv_t<T>>::known>> : Several<std::remove_cv_t<T>, N>
{};

template <typename T>
inline void show(char const* name, uint32_t line, void const volatile* place, size_t times, uint32_t layout)
{
	neckar_watch(name, line, layout << 8 | element_kind<std::remove_cv_t<typename T::Element>>(), const_cast<void const*>(place), times * T::count);
}

// what a vector or the like holds, one after the other
template <typename T, typename = void>
struct Inside
{
	constexpr static bool known = false;
};

template <typename T>
struct Inside<T, std::void_t<decltype(*std::declval<T const&>().data()), decltype(std::declval<T const&>().size())>>
    : About<std::remove_cv_t<std::remove_reference_t<decltype(*std::declval<T const&>().data())>>>
{};

template <typename T>
inline void watch(char const* name, uint32_t line, T const& value)
{
	typedef About<std::remove_cv_t<T>> Here;
	typedef Inside<T> Held;
	static_assert(Here::known || Held::known, "NECKAR_WATCH takes numbers, rows, registers, and arrays or vectors of these");
	if constexpr (Here::known) {
		show<Here>(name, line, __builtin_addressof(value), 1, Here::layout);
	} else if constexpr (Held::known) {
		show<Held>(name, line, value.data(), value.size(), Held::layout == row || Held::layout == rows ? rows : numbers);
	}
}

template <typename T>
inline void watch(char const* name, uint32_t line, Big_endian<T> const& value)
{
	watch(name, line, static_cast<typename Big_endian<T>::Number>(value));
}

} // namespace neckar
