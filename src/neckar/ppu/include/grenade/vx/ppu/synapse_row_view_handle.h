#pragma once
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "libnux/vx/vector_row_math.h"

namespace grenade::vx::ppu {

// one row of a handle
struct SynapseRowViewHandle
{
	typedef libnux::vx::VectorRowFracSat8 SignedRow;
	typedef libnux::vx::VectorRowMod8 UnsignedRow;
	typedef SynapseArrayViewHandle::CorrelationRow CorrelationRow;

	SynapseRowViewHandle(SynapseArrayViewHandle const& synapses, size_t row) : m_synapses(synapses), m_row(row) {}

	template <typename Row = SignedRow>
	Row get_weights() const
	{
		return static_cast<Row>(m_synapses.get_weights(m_row));
	}

	template <typename Row = SignedRow>
	void set_weights(Row const& value, bool saturate = true) const
	{
		m_synapses.set_weights(static_cast<UnsignedRow>(saturate ? libnux::vx::saturate_weight(value) : value), m_row);
	}

	UnsignedRow get_causal_correlation() const
	{
		return m_synapses.get_causal_correlation(m_row);
	}

	UnsignedRow get_acausal_correlation() const
	{
		return m_synapses.get_acausal_correlation(m_row);
	}

	CorrelationRow get_correlation(bool reset) const
	{
		return m_synapses.get_correlation(m_row, reset);
	}

	void reset_correlation() const
	{
		m_synapses.reset_correlation(m_row);
	}

private:
	SynapseArrayViewHandle const& m_synapses;
	size_t m_row;
};

// an excitatory and an inhibitory row that together hold signed weights
struct SynapseRowViewHandleSigned
{
	typedef libnux::vx::VectorRowFracSat8 SignedRow;
	typedef libnux::vx::VectorRowMod8 UnsignedRow;
	typedef SynapseRowViewHandle::CorrelationRow CorrelationRow;

	enum class CorrelationSource : uint32_t
	{
		exc,
		inh
	};

	SynapseRowViewHandleSigned(SynapseRowViewHandle const& exc, SynapseRowViewHandle const& inh) : m_exc(exc), m_inh(inh) {}

	SignedRow get_weights() const
	{
		return m_exc.get_weights() - m_inh.get_weights();
	}

	void set_weights(SignedRow const& value) const
	{
		m_exc.set_weights(value);
		m_inh.set_weights(-value);
	}

	UnsignedRow get_causal_correlation(CorrelationSource source = CorrelationSource::exc) const
	{
		return of(source).get_causal_correlation();
	}

	UnsignedRow get_acausal_correlation(CorrelationSource source = CorrelationSource::exc) const
	{
		return of(source).get_acausal_correlation();
	}

	CorrelationRow get_correlation(bool reset, CorrelationSource source = CorrelationSource::exc) const
	{
		return of(source).get_correlation(reset);
	}

	void reset_correlation(CorrelationSource source = CorrelationSource::exc) const
	{
		of(source).reset_correlation();
	}

private:
	SynapseRowViewHandle const& of(CorrelationSource source) const
	{
		return source == CorrelationSource::exc ? m_exc : m_inh;
	}

	SynapseRowViewHandle m_exc;
	SynapseRowViewHandle m_inh;
};

} // namespace grenade::vx::ppu
