"""How long PyNN takes to describe a network: medians of five, in milliseconds.

Usage: ``python benchmarks/pynn_construction.py``. Bounds are those of the requirements; nothing runs on a chip.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

import pynn_brainscales.brainscales2 as pynn

REPETITIONS = 5
SOURCES, NEURONS = 64, 512


def population() -> pynn.Population:
    """Create neurons."""
    return pynn.Population(NEURONS, pynn.cells.HXNeuron())


def projection(weight: object = 32) -> pynn.Projection:
    """Connect sources to neurons, all to all."""
    pre, post = pynn.simulator.state.populations[:2]
    return pynn.Projection(pre, post, pynn.AllToAllConnector(), synapse_type=pynn.synapses.StaticSynapse(weight=weight))


def network() -> None:
    """Start a new experiment with sources and neurons."""
    pynn.setup()
    pynn.Population(SOURCES, pynn.cells.SpikeSourceArray(spike_times=[0.1]))
    population()


def connected() -> None:
    """Start a new experiment with the projection."""
    network()
    projection()


def median_ms(work: Callable[[], object], before: Callable[[], object]) -> float:
    """Return the median duration of some work in a fresh experiment."""
    durations = []
    for _ in range(REPETITIONS):
        before()
        start = time.perf_counter()
        work()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations) * 1e3


def main() -> None:
    """Measure and print."""
    weights = np.arange(SOURCES * NEURONS).reshape(SOURCES, NEURONS) % 64
    rows: list[tuple[str, Callable[[], object], Callable[[], object], str]] = [
        (f"population of {NEURONS} neurons", population, pynn.setup, ""),
        (f"projection {SOURCES} x {NEURONS}, one weight", projection, network, "<= 300"),
        (f"projection {SOURCES} x {NEURONS}, a weight each", lambda: projection(weights), network, "<= 300"),
        ("set all its weights", lambda: pynn.simulator.state.projections[0].set(weight=weights), connected, ""),
        ("get all its weights", lambda: pynn.simulator.state.projections[0].get("weight", format="array"), connected, ""),
        ("all its connections as objects", lambda: pynn.simulator.state.projections[0].connections, connected, ""),
        ("mapping", lambda: pynn.run(None, pynn.RunCommand.PREPARE), connected, ""),
        ("64 x 64 projections of one connection", small, fill_small, ""),
    ]
    for name, work, before, bound in rows:
        print(f"{name:<42}{median_ms(work, before):>9.1f} ms  {bound}")
    pynn.end()


def fill_small() -> None:
    """Start a new experiment with 64 populations of one neuron."""
    pynn.setup()
    for _ in range(SOURCES):
        pynn.Population(1, pynn.cells.HXNeuron())


def small() -> None:
    """Connect each neuron with each by a projection of its own."""
    populations = list(pynn.simulator.state.populations)
    for pre in populations:
        for post in populations:
            pynn.Projection(pre, post, pynn.AllToAllConnector())


if __name__ == "__main__":
    main()
