"""Structural plasticity: a kernel rewrites the labels of weak synapses until few synapses see what matters.

After Billaudelle et al., *Structural plasticity on an accelerated analog neuromorphic hardware system*, Neural Networks 133 (2021). Synapses of a row compare
the 6-bit label of an event with a label of their own, and the plasticity processor can write that label: a synapse is rewired by one store. Every
synapse takes part in Hebbian growth (causal correlation) and in decay; one that falls below a threshold is given a random other source and a
start weight. The fan-in of a neuron never changes.

Idea, constant fan-in and a supervised task of three classes are the paper's, as far as its abstract and our memory go (there: two features of the Iris
data). The task here, three clouds of points in a plane, and all numbers below are our own specification. brainscales2-demos has no notebook of this;
sensors and calibration are those of the notebook ts_07. Run time: about 60 s, with --full about 200 s.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import pynn_brainscales.brainscales2 as pynn
from neckar import Lab

GRID = 8  # sources at the points of a square grid over the plane, each with a bell-shaped field
WIDTH = 0.09  # of the fields
SOURCES, CLASSES, PER_CLASS, FAN_IN = GRID * GRID, 3, 4, 6
NEURONS = CLASSES * PER_CLASS
CENTRES = np.array([(0.22, 0.24), (0.52, 0.66), (0.78, 0.70)])
SPREAD = np.array([(0.06, 0.05), (0.08, 0.07), (0.08, 0.07)])
TRAINED, TESTED = 360, 120  # points
PERIOD_MS, SHOWN_MS, FIRST_MS = 0.5, 0.4, 0.5
PEAK_HZ, TEACHER_HZ = 40e3, 40e3
TEACHER_WEIGHT = 63 * 6
START, PRUNED, DECAY, GROWTH = 20, 10, 0.5, 0.25  # weights; LSB per point; LSB per LSB of correlation
FINE = 32  # parts of a weight's LSB that the processor keeps for itself

KERNEL = """
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "libnux/vx/dls.h"
#include "libnux/vx/random.h"
using namespace grenade::vx::ppu;
using namespace libnux::vx;
extern volatile PPUOnDLS ppu;

constexpr int fine = {fine};
uint8_t baseline[{rows}][{neurons}];
int16_t weight[{rows}][{neurons}];
uint32_t dice = {seed};
bool begun = false;

template <size_t M>
void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, 1>& synapses, std::array<NeuronViewHandle, M>&, Recording& recording)
{{
    auto const& view = synapses[0];
    if (view.hemisphere != ppu) {{
        return;
    }}
    for (size_t i = 0; i < view.rows.size(); ++i) {{
        auto labels = get_row_via_vector(view.rows[i], dls_decoder_base);
        auto weights = view.get_weights(i);
        if (!begun) {{
            view.reset_correlation(i);
        }}
        auto const reading = view.get_causal_correlation(i);
        view.reset_correlation(i);
        for (size_t k = 0; k < view.columns.size(); ++k) {{
            size_t const c = view.columns[k];
            if (!begun) {{
                baseline[i][k] = reading[c];
                weight[i][k] = weights[c] * fine;
            }} else {{
                int const correlation = baseline[i][k] > reading[c] ? baseline[i][k] - reading[c] : 0;
                int next = weight[i][k] + {growth} * correlation - {decay};
                if (next < {pruned} * fine) {{
                    next = {start} * fine;
                    labels[c] = {rewires} ? xorshift32(&dice) % {sources} : labels[c];
                }}
                weight[i][k] = next > 63 * fine ? 63 * fine : next;
                weights[c] = weight[i][k] / fine;
            }}
            std::get<0>(recording.label)[i][k] = labels[c];
            std::get<0>(recording.weight)[i][k] = weights[c];
        }}
        view.set_weights(weights, i);
        set_row_via_vector(labels, view.rows[i], dls_decoder_base);
    }}
    begun = true;
}}
"""


class Rewiring(pynn.PlasticityRule):
    """Growth and decay after each point; what has become weak starts again, with a new source if `rewires`."""

    def __init__(self, seed, updates, *, rewires):
        kind = pynn.PlasticityRule.ObservablePerSynapse
        packed = kind.LayoutPerRow.packed_active_columns
        timer = pynn.Timer(start=FIRST_MS - (PERIOD_MS - SHOWN_MS) / 2, period=PERIOD_MS, num_periods=1 + updates)
        super().__init__(timer, {name: kind(kind.Type.uint8, packed) for name in ("label", "weight")})
        self.seed, self.rewires = seed, rewires

    def generate_kernel(self):
        """Return the kernel with its numbers."""
        sizes = {"rows": FAN_IN, "neurons": NEURONS, "sources": SOURCES}
        numbers = {"start": START, "pruned": PRUNED, "growth": round(FINE * GROWTH), "decay": round(FINE * DECAY), "fine": FINE}
        return KERNEL.format(seed=self.seed + 1, rewires=str(self.rewires).lower(), **sizes, **numbers)


def points(number, rng):
    """Return points of the plane, shape (point, 2), and their classes."""
    label = rng.permutation(np.arange(number) % CLASSES)
    return np.clip(CENTRES[label] + SPREAD[label] * rng.normal(size=(number, 2)), 0, 1), label


def best(number=20_000):
    """Return the share of points that the densities of the classes themselves tell apart."""
    where, label = points(number, np.random.default_rng(0))
    likely = -(((where[:, np.newaxis] - CENTRES) / SPREAD) ** 2).sum(axis=-1) / 2 - np.log(SPREAD.prod(axis=1))
    return float((likely.argmax(axis=1) == label).mean())


def activity(where):
    """Return how strongly each source responds to each point, shape (point, source), at most 1."""
    axis = (np.arange(GRID) + 0.5) / GRID
    fields = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return np.exp(-((where[:, np.newaxis] - fields) ** 2).sum(axis=-1) / (2 * WIDTH**2))


def spike_times(rates_hz, rng):
    """Return Poisson trains (ms) of channels whose rates, shape (point, channel), last from point to point."""
    trains = []
    for channel in rates_hz.T:
        number = rng.poisson(channel * SHOWN_MS * 1e-3)
        begin = FIRST_MS + PERIOD_MS * np.repeat(np.arange(len(channel)), number)
        trains.append(np.sort(begin + rng.uniform(0, SHOWN_MS, number.sum())))
    return trains


def wiring(rng):
    """Return random connections (source, neuron): FAN_IN different sources per neuron, each source at least once."""
    used, pairs = np.zeros(SOURCES, int), []
    for neuron in range(NEURONS):
        chosen = np.lexsort((rng.random(SOURCES), used))[:FAN_IN]
        used[chosen] += 1
        pairs += [(int(source), neuron) for source in sorted(chosen)]
    return sorted(pairs)


def learn(seed, *, rewires=True, trained=TRAINED, tested=TESTED):
    """Train and test one chip in one run.

    Parameters
    ----------
    seed : int
        Of the chip, the points, the spikes and the first wiring.
    rewires : bool
        Whether weak synapses get new sources; otherwise they start again with the source they had.
    trained, tested : int
        Points shown with and without teacher.

    Returns
    -------
    dict
        ``accuracy``; ``source`` and ``weight``, shape (update, synapse): what each synapse listens to, and how strongly, after each update; ``neuron``, shape
        (synapse,); ``points`` and ``classes`` of training and test; ``counts``, shape (tested point, neuron).
    """
    rng = np.random.default_rng(seed)
    where, label = points(trained + tested, rng)
    pairs = wiring(rng)
    taught = np.eye(CLASSES)[label] * (np.arange(trained + tested) < trained)[:, np.newaxis]
    inputs, teacher = spike_times(PEAK_HZ * activity(where), rng), spike_times(TEACHER_HZ * taught, rng)
    with Lab(chip=seed):
        folder = pynn.helper.nightly_calib_path().parent
        pynn.setup(initial_config=pynn.helper.chip_from_file(folder / "correlation_cocolist.pbin"))
        rule = Rewiring(seed, trained, rewires=rewires)
        neurons = pynn.Population(NEURONS, pynn.cells.HXNeuron())
        neurons.record("spikes")
        sources = pynn.Population(SOURCES, pynn.cells.SpikeSourceArray(spike_times=inputs))
        teachers = pynn.Population(CLASSES, pynn.cells.SpikeSourceArray(spike_times=teacher))
        plastic = pynn.synapses.PlasticSynapse(weight=START, plasticity_rule=rule)
        projection = pynn.Projection(sources, neurons, pynn.FromListConnector(pairs), synapse_type=plastic)
        for receptor, sign in (("excitatory", 1), ("inhibitory", -1)):  # a class that is shown fires its neurons and silences the others
            drives = [(one, k) for one in range(CLASSES) for k in range(NEURONS) if (k // PER_CLASS == one) == (sign > 0)]
            fixed = pynn.synapses.StaticSynapse(weight=sign * TEACHER_WEIGHT)
            pynn.Projection(teachers, neurons, pynn.FromListConnector(drives), synapse_type=fixed, receptor_type=receptor)
        pynn.run(FIRST_MS + PERIOD_MS * (trained + tested))
        trains = [np.asarray(train) for train in neurons.get_data("spikes").segments[-1].spiketrains]
        found = {name: np.array([sample.data for sample in projection.get_data(name)[0]])[:, :, 0] for name in ("label", "weight")}
        pynn.end()
    edges = FIRST_MS + PERIOD_MS * np.arange(trained, trained + tested + 1)
    counts = np.stack([np.histogram(train, edges)[0] for train in trains], axis=1)
    votes = counts.reshape(tested, CLASSES, PER_CLASS).sum(axis=-1) + 1e-3 * rng.random((tested, CLASSES))  # ties by lot
    source, neuron = np.array(pairs).T
    names = np.full(SOURCES, -1)  # the mapper chooses the labels of the sources; the first wiring tells them
    names[found["label"][0]] = source
    return {
        "accuracy": float((votes.argmax(axis=1) == label[trained:]).mean()),
        "source": names[found["label"]],
        "weight": found["weight"],
        "neuron": neuron,
        "points": where,
        "classes": label,
        "counts": counts,
    }


def information(result):
    """Return how much more active each source is when a class is shown than otherwise, shape (class, source)."""
    active, label = activity(result["points"]), result["classes"]
    return np.stack([active[label == one].mean(axis=0) - active[label != one].mean(axis=0) for one in range(CLASSES)])


def focus(result):
    """Return the mean information that synapses bring to their neurons, shape (update,)."""
    return information(result)[result["neuron"] // PER_CLASS, result["source"]].mean(axis=1)


def chance(result, shuffles=999, seed=0):
    """Return the focus of the last wiring with its sources shuffled over all synapses, shape (shuffle,)."""
    rng, last, weights = np.random.default_rng(seed), result["source"][-1], information(result)
    return np.array([weights[result["neuron"] // PER_CLASS, rng.permutation(last)].mean() for _ in range(shuffles)])


def draw(results):
    """Draw the wiring of the first chip before and after for each class, how all chips focus, and what it is worth."""
    figure, axes = plt.subplots(2, 4, figsize=(13, 6.2), layout="constrained")
    one = next(iter(results.values()))[0]
    for k in range(CLASSES):
        mine, shown = one["neuron"] // PER_CLASS == k, one["points"][one["classes"] == k]
        for axis, update, title in ((axes[0, k], 0, "before"), (axes[1, k], -1, "after")):
            held = np.bincount(one["source"][update, mine], one["weight"][update, mine], minlength=SOURCES).reshape(GRID, GRID)
            axis.imshow(held, origin="lower", extent=(0, 1, 0, 1), cmap="Greys", vmin=0)
            axis.plot(*shown.T, ".", ms=2, color=f"C{k}")
            axis.set(title=f"class {k}: weights {title}", xticks=[], yticks=[])
    for chip, pair in results.items():
        for result, colour, label in zip(pair, ("C0", "0.6"), ("rewired", "random wiring"), strict=True):
            axes[0, 3].plot(focus(result), colour, lw=0.8, label=label if pair[0] is one else None)
        axes[1, 3].plot([result["accuracy"] for result in pair[::-1]], "o-", lw=0.8, label=f"chip {chip}")
    axes[0, 3].set(xlabel="points shown", ylabel="information per synapse")
    axes[1, 3].set(xticks=(0, 1), xticklabels=("random wiring", "rewired"), xlim=(-0.3, 1.3), ylim=(0, 1), ylabel="share of test points right")
    axes[1, 3].axhline(1 / CLASSES, color="k", lw=0.6, ls=":")
    axes[0, 3].legend(frameon=False)
    axes[1, 3].legend(frameon=False, fontsize="x-small", loc="lower center", ncols=2)
    return figure


def main(chips=(1, 2, 3), *, trained=TRAINED, tested=TESTED):
    """Print accuracy, fan-in and focus of each chip, draw, and return what `learn` found by chip, rewired and not."""
    results = {}
    print("chip  share right: rewired  random wiring   fan-in   times rewired   focus: before  after  shuffled")
    for chip in chips:
        one, other = results[chip] = tuple(learn(chip, rewires=rewires, trained=trained, tested=tested) for rewires in (True, False))
        fan_in = np.array([np.bincount(one["neuron"][weights > 0]) for weights in one["weight"]])
        moved = np.count_nonzero(np.diff(one["source"], axis=0))
        before, *_, after = focus(one)
        print(
            f"{chip:4}  {one['accuracy']:20.2f}  {other['accuracy']:13.2f}   {fan_in.min()} to {fan_in.max()}   {moved:13}   {before:13.3f}  {after:5.3f}  "
            f"up to {chance(one).max():.3f}"
        )
    gain = [one["accuracy"] - other["accuracy"] for one, other in results.values()]
    print(f"rewired over random wiring: {np.mean(gain):+.2f}, from {min(gain):+.2f} to {max(gain):+.2f}; the best possible rule has {best():.2f} right")
    draw(results).savefig("structural_plasticity.png", dpi=150)
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="ten chips instead of three")
    main(range(1, 11) if parser.parse_args().full else (1, 2, 3))
