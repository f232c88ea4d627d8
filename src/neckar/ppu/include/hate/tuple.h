#pragma once
#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

namespace hate {
namespace detail {

template <size_t I, typename F, typename... T>
inline void call_at(F&& f, T&&... tuples)
{
	f(std::get<I>(tuples)...);
}

template <typename F, size_t... I, typename... T>
inline void for_each(std::index_sequence<I...>, F&& f, T&&... tuples)
{
	(call_at<I>(f, tuples...), ...);
}

} // namespace detail

// f of the first elements, then of the second ones, and so on
template <typename F, typename First, typename... Others>
inline void for_each(F&& f, First&& first, Others&&... others)
{
	constexpr size_t size = std::tuple_size_v<std::remove_cv_t<std::remove_reference_t<First>>>;
	static_assert(
	    ((std::tuple_size_v<std::remove_cv_t<std::remove_reference_t<Others>>> == size) && ...),
	    "hate::for_each needs tuples or arrays of the same size");
	detail::for_each(std::make_index_sequence<size>(), f, first, others...);
}

} // namespace hate
