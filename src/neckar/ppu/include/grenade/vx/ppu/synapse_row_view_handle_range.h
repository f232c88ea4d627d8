#pragma once
#include <array>
#include <cstddef>
#include <iterator>
#include "grenade/vx/ppu/synapse_row_view_handle.h"

namespace grenade::vx::ppu {

struct SynapseRowViewHandleRange
{
	struct Iterator
	{
		typedef std::input_iterator_tag iterator_category;
		typedef SynapseRowViewHandle value_type;
		typedef ptrdiff_t difference_type;
		typedef SynapseRowViewHandle reference;
		typedef void pointer;

		SynapseArrayViewHandle const* synapses;
		size_t row;

		SynapseRowViewHandle operator*() const
		{
			return SynapseRowViewHandle(*synapses, row);
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

	SynapseRowViewHandleRange(SynapseArrayViewHandle const& synapses) : m_synapses(&synapses) {}

	Iterator begin() const
	{
		return Iterator{m_synapses, 0};
	}

	Iterator end() const
	{
		return Iterator{m_synapses, m_synapses->rows.size()};
	}

private:
	SynapseArrayViewHandle const* m_synapses;
};

struct SynapseRowViewHandleSignedRange
{
	struct Iterator
	{
		typedef std::input_iterator_tag iterator_category;
		typedef SynapseRowViewHandleSigned value_type;
		typedef ptrdiff_t difference_type;
		typedef SynapseRowViewHandleSigned reference;
		typedef void pointer;

		SynapseArrayViewHandle const* exc;
		SynapseArrayViewHandle const* inh;
		size_t row;

		SynapseRowViewHandleSigned operator*() const
		{
			return SynapseRowViewHandleSigned(SynapseRowViewHandle(*exc, row), SynapseRowViewHandle(*inh, row));
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

	SynapseRowViewHandleSignedRange(SynapseArrayViewHandle const& exc, SynapseArrayViewHandle const& inh) : m_exc(&exc), m_inh(&inh)
	{
		if (exc.rows.size() != inh.rows.size()) {
			neckar_fail(neckar::wrong_row, inh.rows.size(), exc.rows.size());
		}
	}

	Iterator begin() const
	{
		return Iterator{m_exc, m_inh, 0};
	}

	Iterator end() const
	{
		return Iterator{m_exc, m_inh, m_exc->rows.size()};
	}

private:
	SynapseArrayViewHandle const* m_exc;
	SynapseArrayViewHandle const* m_inh;
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
