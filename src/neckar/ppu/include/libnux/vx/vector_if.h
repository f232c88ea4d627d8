#pragma once
#include "libnux/vx/vector_row.h"

namespace libnux::vx {

enum class VectorIfCondition
{
	greater,
	lesser,
	equal,
	greater_equal,
	lesser_equal,
	unequal
};

} // namespace libnux::vx

namespace neckar {

template <typename Mask>
inline auto compare(Mask const& mask, libnux::vx::VectorIfCondition condition)
{
	using libnux::vx::VectorIfCondition;
	Mask const zero{};
	switch (condition) {
		case VectorIfCondition::greater:
			return mask > zero;
		case VectorIfCondition::lesser:
			return mask < zero;
		case VectorIfCondition::equal:
			return mask == zero;
		case VectorIfCondition::greater_equal:
			return mask >= zero;
		case VectorIfCondition::lesser_equal:
			return mask <= zero;
		default:
			return mask != zero;
	}
}

} // namespace neckar

namespace libnux::vx {

// per element: (mask condition 0) ? value_true : value_false
template <typename VectorMask, typename VectorValue>
inline VectorValue
vector_if(VectorMask const& mask, VectorIfCondition const condition, VectorValue const& value_true, VectorValue const& value_false)
{
	static_assert(
	    sizeof(typename VectorMask::Element) == sizeof(typename VectorValue::Element) && VectorMask::size == VectorValue::size,
	    "mask and values of vector_if must have elements of the same size and number");
	if constexpr (detail::IsVector<VectorValue>::value) {
		auto const chosen = neckar::compare(mask.data, condition);
		typedef typename VectorValue::Data Data;
		return VectorValue((Data) ((chosen & (decltype(chosen)) value_true.data) | (~chosen & (decltype(chosen)) value_false.data)));
	} else if constexpr (detail::IsPair<VectorValue>::value) {
		return VectorValue(
		    vector_if(mask.left, condition, value_true.left, value_false.left),
		    vector_if(mask.right, condition, value_true.right, value_false.right));
	} else {
		return VectorValue(
		    vector_if(mask.even, condition, value_true.even, value_false.even),
		    vector_if(mask.odd, condition, value_true.odd, value_false.odd));
	}
}

} // namespace libnux::vx
