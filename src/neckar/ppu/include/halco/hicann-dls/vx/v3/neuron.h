#pragma once
#include "halco/common/iter_all.h"

namespace halco::hicann_dls::vx::v3 {

struct NeuronColumnOnDLS : halco::common::Coordinate<NeuronColumnOnDLS, 256>
{
	using Coordinate::Coordinate;
};

struct NeuronRowOnDLS : halco::common::Coordinate<NeuronRowOnDLS, 2>
{
	using Coordinate::Coordinate;
};

struct SpikeCounterReadOnDLS : halco::common::Coordinate<SpikeCounterReadOnDLS, 512>
{
	using Coordinate::Coordinate;
};

struct SpikeCounterResetOnDLS : halco::common::Coordinate<SpikeCounterResetOnDLS, 512>
{
	using Coordinate::Coordinate;
};

struct AtomicNeuronOnDLS : halco::common::Coordinate<AtomicNeuronOnDLS, 512>
{
	using Coordinate::Coordinate;

	AtomicNeuronOnDLS(NeuronColumnOnDLS column, NeuronRowOnDLS row) : Coordinate(256 * row.value() + column.value()) {}

	NeuronColumnOnDLS toNeuronColumnOnDLS() const
	{
		return NeuronColumnOnDLS(number % 256);
	}

	NeuronRowOnDLS toNeuronRowOnDLS() const
	{
		return NeuronRowOnDLS(number / 256);
	}

	SpikeCounterReadOnDLS toSpikeCounterReadOnDLS() const
	{
		return SpikeCounterReadOnDLS(number);
	}

	SpikeCounterResetOnDLS toSpikeCounterResetOnDLS() const
	{
		return SpikeCounterResetOnDLS(number);
	}
};

} // namespace halco::hicann_dls::vx::v3
