"""Homeostasis: every neuron finds the weight at which it fires at 6 kHz, and weights show mismatch.

After the notebook ts_11 of brainscales2-demos: one on-chip Poisson source of 120 kHz reaches 512 neurons by one plastic synapse each. Every 10 ms the
plasticity processors read and reset the spike counters and move each weight by one towards the target of 60 spikes. The kernel is our own text. The bands
beside the numbers are those of the project's specification, read off the notebook's figures of an unknown chip.

What the weights mean: a neuron needs the more weight, the weaker its input and the further its threshold. Both are then read with a probe, in a second
experiment without noise, whose weights are too small for spikes: how far the input lifts the membrane, as a share of the way from leak to threshold. Weights
and 1 / strength correlate with r = 0.97, so the histogram of the weights is the chip's mismatch; what is left is the dither of one LSB. The potential of a
single event on another row explains much less (r = 0.2 to 0.4): a good part of the mismatch is that of the synapse itself.

Run time: about 20 s for the reference chip and two others; ``--chips 1 2 3`` takes those.
"""

import argparse
import dataclasses

import matplotlib.pyplot as plt
import numpy as np

import neckar
import pynn_brainscales.brainscales2 as pynn
from neckar.lab import observe
from neckar.program import Probe, Record, ticks

PERIOD_MS, PERIODS, TARGET_HZ, NEURONS = 10.0, 100, 6000, 512
SMALL_WEIGHT = 8  # LSB
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
    hate::for_each([](auto const& view, auto const& cells, auto& weights_seen, auto& counts_seen) {{
        if (view.hemisphere != ppu) {{
            return;
        }}
        auto const counts = cells.get_rate_counters(true);
        VectorRowFracSat8 const missing = VectorRowFracSat8({round(TARGET_HZ * PERIOD_MS * 1e-3)}) - static_cast<VectorRowFracSat8>(counts);
        VectorRowFracSat8 const one(1), none(0);
        auto const change = vector_if(missing, VectorIfCondition::equal, none, vector_if(missing, VectorIfCondition::greater, one, -one));
        for (size_t c = 0; c < cells.columns.size(); ++c) {{
            counts_seen[c] = counts[cells.columns[c]];
        }}
        for (size_t i = 0; i < view.rows.size(); ++i) {{
            auto const weights = saturate_weight(static_cast<VectorRowFracSat8>(view.get_weights(i)) + change);
            view.set_weights(static_cast<VectorRowMod8>(weights), i);
            for (size_t c = 0; c < view.columns.size(); ++c) {{
                weights_seen[i][c] = weights[view.columns[c]];
            }}
        }}
    }}, synapses, neurons, recording.w, recording.counts);
}}
"""


class Homeostasis(pynn.PlasticityRule):
    """One step of each weight per period; observes weights and spike counts."""

    def __init__(self):
        synapse, neuron = pynn.PlasticityRule.ObservablePerSynapse, pynn.PlasticityRule.ObservablePerNeuron
        observables = {
            "w": synapse(synapse.Type.uint8, synapse.LayoutPerRow.packed_active_columns),
            "counts": neuron(neuron.Type.uint8, neuron.Layout.packed_active_columns),
        }
        super().__init__(pynn.Timer(start=0.0, period=PERIOD_MS, num_periods=PERIODS), observables)

    def generate_kernel(self):
        """Return the kernel."""
        return KERNEL


def poisson():
    """Return the source; its rate is rounded to 122 kHz by the generator."""
    return pynn.Population(1, pynn.cells.SpikeSourcePoissonOnChip(seed=1234, rate=120e3))


def regulate():
    """Run on the current lab's chip; return times (ms), rates of the period before (kHz) and weights after each step, shape (period, neuron)."""
    pynn.setup(initial_config=pynn.helper.chip_from_nightly())
    rule = Homeostasis()
    neurons = pynn.Population(NEURONS, pynn.cells.HXNeuron(plasticity_rule=rule))
    synapse = pynn.synapses.PlasticSynapse(weight=0, plasticity_rule=rule)
    projection = pynn.Projection(poisson(), neurons, pynn.AllToAllConnector(), synapse)
    pynn.run(PERIOD_MS * PERIODS)
    samples = projection.get_data("w")[0]
    counts = neurons.get_plasticity_data("counts")[0]
    pynn.end()
    times = np.array([sample.time.value() / 125_000 for sample in samples])
    weights = np.array([sample.data for sample in samples])[:, :, 0].astype(int)
    rates = np.array([[next(iter(neuron.values()))[0] for neuron in sample.data] for sample in counts]) / PERIOD_MS
    return times, rates, weights


def strengths():
    """Return the strength of each neuron, shape (neuron,), 1/LSB: how far a unit of weight lifts the membrane, as a share of the way from leak to threshold.

    The same source with a weight too small for spikes, without noise; the 95 % quantile counts, because neurons fire at the peaks of what they receive.
    """
    programs = []
    with neckar.Lab(effects="-noise") as lab, observe(lambda program, recording, state: programs.append(program)):
        pynn.setup(initial_config=pynn.helper.chip_from_nightly())
        neurons = pynn.Population(NEURONS, pynn.cells.HXNeuron())
        neurons[:1].record("spikes")
        synapse = pynn.synapses.StaticSynapse(weight=SMALL_WEIGHT)
        pynn.Projection(poisson(), neurons, pynn.AllToAllConnector(), synapse)
        pynn.run(10.0)
        pynn.end()
        membrane = Probe(signals=("v",), circuits=range(NEURONS), interval=ticks(2e-6))
        levels = Probe(signals=("e_leak", "v_threshold"), circuits=range(NEURONS), interval=ticks(1e-3))
        seen = lab.run(dataclasses.replace(programs[0], record=Record(probe=(membrane, levels)))).probe
    v, (leak, threshold) = seen[0].value[0, 0], seen[1].value[0].mean(axis=1)
    return (np.quantile(v[100:], 0.95, axis=0) - leak) / (threshold - leak) / SMALL_WEIGHT


def judge(rates, weights, strength):
    """Return rows of (quantity, value, lowest, highest) with the specification's bands, and the correlation of weight and 1 / strength."""
    settled = np.abs(rates[-20:].mean(axis=0) - 1e-3 * TARGET_HZ) < 1e-4 * TARGET_HZ
    reached = int(np.flatnonzero(rates.mean(axis=1) >= 0.9e-3 * TARGET_HZ)[0])
    silent = int(np.flatnonzero((rates > 0).any(axis=1))[0])
    final = weights[-20:].mean(axis=0)
    low, high = np.quantile(weights[-1], (0.05, 0.95))
    return [
        ("mean rate of the last 500 ms [kHz]", rates[50:].mean(), 5.7, 6.3),
        ("neurons within 10 % of 6 kHz in the last 200 ms [%]", 100 * settled.mean(), 95, 100),
        ("mean rate first at 90 % of 6 kHz [ms]", PERIOD_MS * reached, 200, 300),
        ("steps of weight per period until a neuron fires", np.diff(weights[:silent], axis=0).mean(), 1, 1),
        ("mean of the last weights [LSB]", weights[-1].mean(), 20, 28),
        ("their 5 % quantile [LSB]", low, 14, 35),
        ("their 95 % quantile [LSB]", high, 14, 35),
        ("standard deviation in time, last 200 ms [LSB]", weights[-20:].std(axis=0).mean(), 0, 1.5),
        ("r of weight and 1 / strength", np.corrcoef(final, 1 / strength)[0, 1], None, None),
    ]


def draw(times, rates, weights, strength, chip):
    """Draw rates, weights and what they have to do with the chip."""
    figure, ((top, second), (third, last)) = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    shares = (0.05, 0.25, 0.5, 0.75, 0.95)
    for panel, values, label in ((top, rates, "rate [kHz]"), (second, weights, "weight [LSB]")):
        lowest, low, middle, high, highest = np.quantile(values, shares, axis=1)
        panel.fill_between(times, lowest, highest, color="C0", alpha=0.2, lw=0, label="5 to 95 % of the neurons")
        panel.fill_between(times, low, high, color="C0", alpha=0.4, lw=0, label="25 to 75 %")
        panel.plot(times, middle, color="C0", label="median")
        panel.set(xlabel="hardware time [ms]", ylabel=label)
    top.axhline(1e-3 * TARGET_HZ, color="C3", lw=1)
    second.plot(times, weights[:, ::64], color="0.4", lw=0.6)
    top.legend(frameon=False)
    third.hist(weights[-1], np.arange(weights[-1].min(), weights[-1].max() + 2) - 0.5, color="C0", rwidth=0.9)
    third.set(xlabel="last weight [LSB]", ylabel="neurons")
    final = weights[-20:].mean(axis=0)
    last.plot(1 / strength, final, ".", color="C0", ms=4)
    last.set(xlabel="1 / strength [LSB]", ylabel="mean of the last weights [LSB]", title=f"r = {np.corrcoef(final, 1 / strength)[0, 1]:.3f}")
    figure.suptitle(f"homeostasis of {NEURONS} neurons on virtual chip {chip}")
    figure.savefig("homeostasis.png", dpi=150)
    plt.close(figure)


def main(chips=("reference", 1, 2)):
    """Print for each chip the numbers beside their bands, draw the first chip; return the rows by chip."""
    found = {}
    for chip in chips:
        with neckar.Lab(chip=chip):
            (times, rates, weights), strength = regulate(), strengths()
        found[chip] = judge(rates, weights, strength)
        print(f"virtual chip {chip}")
        for name, value, low, high in found[chip]:
            band = "" if low is None else f"   {low} to {high}   {'inside' if low <= value <= high else 'OUTSIDE'}"
            print(f"    {name:52} {value:7.2f}{band}")
        if chip == chips[0]:
            draw(times, rates, weights, strength, chip)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chips", nargs="+", default=("reference", 1, 2), help="names or seeds of virtual chips")
    main(tuple(parser.parse_args().chips))
