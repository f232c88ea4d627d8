#pragma once
#include <array>
#include <cstddef>
#include <iterator>
#include "grenade/vx/ppu/synapse_row_view_handle.h"

namespace neckar {

// the rows of one handle, or the rows of two handles in pairs
template <typename Row, size_t N>
struct Row_range
{
	typedef std::array<grenade::vx::ppu::SynapseArrayViewHandle const*, N> Handles;

	struct Iterator
	{
		typedef std::input_iterator_tag iterator_category;
		typedef Row value_type;
		typedef ptrdiff_t difference_type;
		typedef Row reference;
		typedef void pointer;

		Handles handles;
		size_t row;

		Row operator*() const
		{
			if constexpr (N == 1) {
				return Row(*handles[0], row);
			} else {
				typedef grenade::vx::ppu::SynapseRowViewHandle One;
				return Row(One(*handles[0], row), One(*handles[1], row));
			}
		}

		Iterator& operator++()
		{
			++row;
			return *this;
		}

		bool operator==(Iterator const& other) const
		{
			return row == other.row;
		}

		bool operator!=(Iterator const& other) const
		{
			return row != other.row;
		}
	};

	explicit Row_range(Handles const& handles) : m_handles(handles)
	{
		for (auto const* handle : handles) {
			if (handle->rows.size() != handles[0]->rows.size()) {
				neckar_fail(neckar::wrong_row, handle->rows.size(), handles[0]->rows.size());
			}
		}
	}

	Iterator begin() const
	{
		return Iterator{m_handles, 0};
	}

	Iterator end() const
	{
		return Iterator{m_handles, m_handles[0]->rows.size()};
	}

private:
	Handles m_handles;
};

} // namespace neckar

namespace grenade::vx::ppu {

struct SynapseRowViewHandleRange : neckar::Row_range<SynapseRowViewHandle, 1>
{
	SynapseRowViewHandleRange(SynapseArrayViewHandle const& synapses) : Row_range({&synapses}) {}
};

struct SynapseRowViewHandleSignedRange : neckar::Row_range<SynapseRowViewHandleSigned, 2>
{
	SynapseRowViewHandleSignedRange(SynapseArrayViewHandle const& exc, SynapseArrayViewHandle const& inh) : Row_range({&exc, &inh}) {}
};

inline SynapseRowViewHandleRange make_synapse_row_view_handle_range(std::array<SynapseArrayViewHandle, 1> const& synapses)
{
	return SynapseRowViewHandleRange(synapses[0]);
}

inline SynapseRowViewHandleSignedRange make_synapse_row_view_handle_range(std::array<SynapseArrayViewHandle, 2> const& synapses)
{
	return SynapseRowViewHandleSignedRange(synapses[0], synapses[1]);
}

} // namespace grenade::vx::ppu
