"""On-chip homeostasis of 512 neurons: a kernel changes each weight by one per period until every neuron fires at its target.

Upstream's notebook ts_11 in short: one on-chip Poisson source of 120 kHz, initial weights 0, target 6 kHz, 100 periods of 10 ms. Its figure shows rates that
leave 0 at about 100 ms and settle at the target, and final weights of 17 to 32. Events lost on the way to the host would hide the rates, so that effect is off.
"""

from __future__ import annotations

import numpy as np
import pytest

import pynn_brainscales.brainscales2 as pynn
from neckar import Lab

pytest.importorskip("ziglang")
pytest.importorskip("wasmtime")

PERIOD_MS, PERIODS, TARGET_KHZ = 10.0, 100, 6.0
KERNEL = f"""
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "grenade/vx/ppu/time.h"
#include "hate/tuple.h"
#include "libnux/vx/vector_if.h"
#include "libnux/vx/vector_row_math.h"
using namespace grenade::vx::ppu;
using namespace libnux::vx;
extern volatile PPUOnDLS ppu;

template <size_t N>
void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, N>& synapses, std::array<NeuronViewHandle, N>& neurons, Recording& recording)
{{
    recording.time = now();
    hate::for_each([](auto const& view, auto const& cells, auto& recorded) {{
        if (view.hemisphere != ppu) {{
            return;
        }}
        VectorRowFracSat8 const missing = VectorRowFracSat8({int(TARGET_KHZ * PERIOD_MS)}) - static_cast<VectorRowFracSat8>(cells.get_rate_counters(true));
        VectorRowFracSat8 const one(1), none(0);
        auto const change = vector_if(missing, VectorIfCondition::equal, none, vector_if(missing, VectorIfCondition::greater, one, -one));
        for (size_t i = 0; i < view.rows.size(); ++i) {{
            auto const weights = saturate_weight(static_cast<VectorRowFracSat8>(view.get_weights(i)) + change);
            view.set_weights(static_cast<VectorRowMod8>(weights), i);
            for (size_t c = 0; c < view.columns.size(); ++c) {{
                recorded[i][c] = weights[view.columns[c]];
            }}
        }}
    }}, synapses, neurons, recording.w);
}}
"""


class Homeostasis(pynn.PlasticityRule):
    """Upstream's rule in its own words."""

    def __init__(self) -> None:
        kind = pynn.PlasticityRule.ObservablePerSynapse
        observables = {"w": kind(kind.Type.uint8, kind.LayoutPerRow.packed_active_columns)}
        super().__init__(pynn.Timer(start=0.0, period=PERIOD_MS, num_periods=PERIODS), observables)

    def generate_kernel(self) -> str:
        return KERNEL


def experiment(chip: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rates, kHz, shape (neuron, bin of 50 ms), weights, shape (period, neuron), and when they were written, ms."""
    with Lab(chip=chip, effects="-event_loss"):
        pynn.setup(initial_config=pynn.helper.chip_from_nightly())
        source = pynn.Population(1, pynn.cells.SpikeSourcePoissonOnChip(seed=1234, rate=120e3))
        rule = Homeostasis()
        neurons = pynn.Population(512, pynn.cells.HXNeuron(plasticity_rule=rule))
        neurons.record("spikes")
        synapse = pynn.synapses.PlasticSynapse(weight=0, plasticity_rule=rule)
        projection = pynn.Projection(source, neurons, pynn.AllToAllConnector(), synapse_type=synapse)
        pynn.run(PERIOD_MS * PERIODS)
        trains = neurons.get_data("spikes").segments[-1].spiketrains
        samples = projection.get_data("w")[0]
        pynn.end()
    rates = np.array([np.histogram(np.asarray(train), bins=20, range=(0, PERIOD_MS * PERIODS))[0] / 50 for train in trains])
    return rates, np.array([sample.data for sample in samples])[:, :, 0], np.array([sample.time.value() / 125_000 for sample in samples])


@pytest.mark.slow
@pytest.mark.parametrize("chip", ["reference", "3"])
def test_weights_climb_until_every_neuron_fires_at_the_target(chip: str) -> None:
    rates, weights, times = experiment(chip)
    np.testing.assert_allclose(times, np.arange(PERIODS) * PERIOD_MS, atol=1e-3)
    assert rates[:, 10:].mean() == pytest.approx(TARGET_KHZ, abs=0.3)
    assert (np.abs(rates[:, 16:].mean(axis=1) - TARGET_KHZ) < 0.1 * TARGET_KHZ).mean() >= 0.95
    assert (rates[:, 7:].mean(axis=0) > 0.9 * TARGET_KHZ).all()  # the target is reached by 350 ms
    assert rates[:, :2].max() < 1
    silent = 10  # periods before the first neuron can fire at all
    assert (weights[:silent] == np.arange(1, silent + 1)[:, np.newaxis]).all()
    assert np.isin(np.diff(weights.astype(int), axis=0), (-1, 0, 1)).all()
    low, high = np.quantile(weights[-1], [0.05, 0.95])
    assert 14 <= low <= high <= 35
    assert weights[-20:].std(axis=0).mean() < 1.5
