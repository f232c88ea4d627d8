"""What small PyNN experiments cost, from ``setup`` to ``end``, and where the time goes.

Three experiments, each the median of five, kernels loaded before:

* small: a calibrated chip as initial configuration, one neuron, five sources, 0.1 ms, MADC and spikes;
* snippets: 64 appended snippets of 10 ms with new weights of 64 relaying neurons, and their 4096 spike trains (upstream's ts_10);
* one neuron: setup, 0.1 ms of MADC, end, a hundred times; the figure is for a thousand.

Prints times in seconds, their ratio to what is aimed at, and the share of each part; or one JSON object with ``--json``.

    python benchmarks/pynn_experiments.py [--json]
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

import pynn_brainscales.brainscales2 as pynn

REPEATS = 5
AIMS = {"small": 0.03, "snippets": 3.0, "one neuron, 1000 times": 10.0}

Parts = dict[str, float]


class Clock:
    """Splits the time of an experiment into named parts."""

    def __init__(self) -> None:
        self.parts: Parts = {}
        self._last = time.perf_counter()

    def __call__(self, part: str) -> None:
        now = time.perf_counter()
        self.parts[part] = self.parts.get(part, 0.0) + now - self._last
        self._last = now


def small(chip: object) -> Parts:
    """Run one neuron with a few inputs on a given chip."""
    clock = Clock()
    pynn.setup(initial_config=chip)
    clock("setup")
    neuron = pynn.Population(1, pynn.cells.HXNeuron())
    neuron.record(["spikes", "v"])
    source = pynn.Population(5, pynn.cells.SpikeSourceArray(spike_times=[0.02, 0.05]))
    pynn.Projection(source, neuron, pynn.AllToAllConnector(), pynn.synapses.StaticSynapse(weight=63))
    clock("build")
    pynn.run(0.1)
    clock("run")
    neuron.get_data()
    clock("data")
    pynn.end()
    clock("end")
    return clock.parts


def snippets(picture: np.ndarray) -> Parts:
    """Write a picture into spikes, one row of weights per snippet."""
    clock = Clock()
    pynn.setup(enable_neuron_bypass=True)
    source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=np.linspace(0, 10 * len(picture), 100 * len(picture))))
    neurons = pynn.Population(64, pynn.cells.HXNeuron())
    neurons.record("spikes")
    projection = pynn.Projection(source, neurons, pynn.AllToAllConnector(), pynn.synapses.StaticSynapse(weight=32))
    clock("build")
    for row in picture:
        projection.set(weight=row)
        pynn.run(10, pynn.RunCommand.APPEND)
    clock("append")
    pynn.run(None)
    clock("run")
    assert len(neurons.get_data("spikes").segments[0].spiketrains) == 64 * len(picture)
    clock("data")
    pynn.end()
    clock("end")
    return clock.parts


def one_neuron() -> Parts:
    """Run one neuron a hundred times, each time from the beginning; return ten times what it took."""
    clock = Clock()
    for _ in range(100):
        pynn.setup()
        neuron = pynn.Population(1, pynn.cells.HXNeuron(leak_v_leak=700, leak_i_bias=300))
        neuron.record("v")
        clock("build")
        pynn.run(0.1)
        clock("run")
        neuron.get_data()
        clock("data")
        pynn.end()
        clock("end")
    return {part: 10 * seconds for part, seconds in clock.parts.items()}


def measure() -> dict[str, Parts]:
    """Return the parts of each experiment, seconds, from the repeat with the median total."""
    chip = pynn.helper.chip_from_nightly()
    picture = np.random.default_rng(1).integers(0, 64, (64, 64))
    experiments: tuple[Callable[[], Parts], ...] = (lambda: small(chip), lambda: snippets(picture), one_neuron)
    found = {}
    for name, experiment in zip(AIMS, experiments, strict=True):
        experiment()
        repeats = sorted((experiment() for _ in range(REPEATS)), key=lambda parts: sum(parts.values()))
        found[name] = repeats[statistics.median_low(range(REPEATS))]
    return found


def main() -> None:
    """Measure and print."""
    found = measure()
    if "--json" in sys.argv:
        print(json.dumps({name: {"total_s": sum(parts.values()), "aim_s": AIMS[name], "parts_s": parts} for name, parts in found.items()}, indent=2))
        return
    for name, parts in found.items():
        total = sum(parts.values())
        shares = ", ".join(f"{part} {seconds / total:.0%}" for part, seconds in parts.items())
        print(f"{name:<24} {total:7.3f} s   {total / AIMS[name]:.2f} of {AIMS[name]:g} s   ({shares})")


if __name__ == "__main__":
    main()
