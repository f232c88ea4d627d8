// Casts between pointers of the user's text. The processor is big-endian, the sandbox is not: a number seen as bytes, or bytes seen as a number, keeps
// the processor's order.
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace neckar {

template <typename T>
constexpr bool is_byte = sizeof(T) == 1 && std::is_arithmetic_v<T>;

// a number in big-endian bytes
template <typename T>
struct Big_endian
{
	typedef std::remove_cv_t<T> Number;
	uint8_t* bytes;

	operator Number() const
	{
		uint8_t turned[sizeof(Number)];
		for (size_t i = 0; i < sizeof(Number); ++i) {
			turned[i] = bytes[sizeof(Number) - 1 - i];
		}
		Number number;
		__builtin_memcpy(&number, turned, sizeof(Number));
		return number;
	}

	Big_endian const& operator=(Number number) const
	{
		uint8_t plain[sizeof(Number)];
		__builtin_memcpy(plain, &number, sizeof(Number));
		for (size_t i = 0; i < sizeof(Number); ++i) {
			bytes[i] = plain[sizeof(Number) - 1 - i];
		}
		return *this;
	}

	Big_endian const& operator=(Big_endian const& other) const
	{
		return *this = static_cast<Number>(other);
	}
};

// bytes seen as numbers; keep it in a variable declared auto
template <typename T>
struct Numbers_in_bytes
{
	uint8_t* bytes;

	Big_endian<T> operator*() const
	{
		return Big_endian<T>{bytes};
	}

	Big_endian<T> operator[](ptrdiff_t i) const
	{
		return Big_endian<T>{bytes + i * static_cast<ptrdiff_t>(sizeof(T))};
	}

	Numbers_in_bytes operator+(ptrdiff_t i) const
	{
		return Numbers_in_bytes{bytes + i * static_cast<ptrdiff_t>(sizeof(T))};
	}
};

// numbers seen as bytes; keep it in a variable declared auto
template <typename B, size_t Size>
struct Bytes_of_numbers
{
	B* first;
	ptrdiff_t at;

	B& operator*() const
	{
		return (*this)[0];
	}

	B& operator[](ptrdiff_t i) const
	{
		ptrdiff_t const place = at + i, mine = place & static_cast<ptrdiff_t>(Size - 1);
		return first[place - mine + static_cast<ptrdiff_t>(Size) - 1 - mine];
	}

	Bytes_of_numbers operator+(ptrdiff_t i) const
	{
		return Bytes_of_numbers{first, at + i};
	}
};

template <typename To, typename From>
constexpr bool is_pointer_pair = std::is_pointer_v<To> && std::is_pointer_v<From>;

} // namespace neckar

// stands where the user's text says reinterpret_cast
template <typename To, typename From>
inline decltype(auto) neckar_bytecast_(From&& from)
{
	typedef std::decay_t<From> Source;
	typedef std::remove_pointer_t<To> Target;
	typedef std::remove_cv_t<Target> Number;
	typedef std::remove_cv_t<std::remove_pointer_t<Source>> Pointee;
	if constexpr (std::is_reference_v<To>) {
		return reinterpret_cast<To>(from);
	} else if constexpr (!neckar::is_pointer_pair<To, Source>) {
		return reinterpret_cast<To>(static_cast<Source>(from));
	} else if constexpr (neckar::is_byte<Pointee> && std::is_arithmetic_v<Number> && !neckar::is_byte<Number>) {
		return neckar::Numbers_in_bytes<Target>{const_cast<uint8_t*>(reinterpret_cast<uint8_t const volatile*>(static_cast<Source>(from)))};
	} else if constexpr (std::is_arithmetic_v<Pointee> && !neckar::is_byte<Pointee> && neckar::is_byte<Number>) {
		return neckar::Bytes_of_numbers<Target, sizeof(Pointee)>{reinterpret_cast<Target*>(static_cast<Source>(from)), 0};
	} else {
		return reinterpret_cast<To>(static_cast<Source>(from));
	}
}
