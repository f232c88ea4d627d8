"""Speed of the whole chip: a recurrent network, a relay that idles, many chips in one call.

Medians of five in one process, after one run that loads or compiles the kernels; wall time. Prints one line per question, with the limit that the project sets:

* one second of a recurrent network of 512 neurons, all default effects, 6e7 synaptic events: wall time per hardware time, at most 2;
* ten seconds of one neuron that is fired past its membrane at 200 Hz: at most 0.2 s;
* one network of 128 neurons on 100 chips in one call, two processes: at most ten times as long as on one chip, each from the network to the recording.

    .venv/bin/python benchmarks/whole_chip.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from neckar import Lab
from neckar.chip.config import ChipConfig
from neckar.network import Network, NeuronPopulation, Projection, Section, SourcePopulation, build_program, map_network
from neckar.program import TICKS_PER_US, Program, Record, Recording

REPEATS = 5
NEURON = {
    "membrane_capacitance_capacitance": 63,
    "leak_v_leak": 648,
    "leak_i_bias": 200,
    "leak_enable_division": True,
    "threshold_enable": True,
    "threshold_v_threshold": 300,
    "reset_v_reset": 550,
    "reset_i_bias": 1022,
    "refractory_period_refractory_time": 250,
    "excitatory_input_enable": True,
    "excitatory_input_enable_small_capacitance": False,
    "excitatory_input_i_bias_tau": 64,
    "excitatory_input_i_bias_gm": 200,
    "excitatory_input_i_shift_reference": 310,
}


def recurrent(size: int, in_degree: int, seed: int = 1) -> Network:
    """Return neurons that fire on their own and excite each other, each with `in_degree` random sources."""
    rng = np.random.default_rng(seed)
    neurons = NeuronPopulation("neurons", size, {name: np.full(size, code) for name, code in NEURON.items()})
    pre = np.concatenate([rng.choice(size, in_degree, replace=False) for _ in range(size)])
    post = np.repeat(np.arange(size), in_degree)
    return Network((neurons,), (Projection("recurrent", 0, 0, "excitatory", pre, post, np.ones(size * in_degree, np.int64)),))


def program(network: Network, duration_us: float) -> Program:
    """Map a network and return its program, which records all spikes."""
    mapped = map_network(network, base=ChipConfig.default())
    return build_program([Section(mapped, round(duration_us * TICKS_PER_US), Record())], held=None)


def relay(duration_s: float, rate_hz: float) -> Program:
    """Return a program in which one neuron is fired past its membrane at regular times."""
    ticks = np.arange(int(duration_s * rate_hz), dtype=np.int64) * round(500e6 / rate_hz)
    source = SourcePopulation.from_lists("source", [ticks])
    neuron = NeuronPopulation("relay", 1, {"event_routing_enable_bypass_excitatory": np.ones(1, bool), "refractory_period_refractory_time": np.full(1, 100)})
    one = np.zeros(1, np.int64)
    mapped = map_network(Network((source, neuron), (Projection("input", 0, 1, "excitatory", one, one, one + 63),)), base=ChipConfig.default())
    return build_program([Section(mapped, round(duration_s * 500e6), Record())], held=None)


def median_time(call: Callable[[], object]) -> float:
    """Return the median wall time of five calls after a first one."""
    call()
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def synaptic_events(recording: Recording) -> float:
    """Return the number of synaptic events, from the energy that they would have cost."""
    energy = {item.name: item.value for item in recording.cost.items}
    return next(value for name, value in energy.items() if "synaptic" in name) / 10e-12


def main() -> None:
    """Measure and print."""
    lab = Lab(executor="inline")
    duration_s = 1.0
    busy = program(recurrent(512, 32), 1e6 * duration_s)
    recording = lab.run(busy)
    wall = median_time(lambda: lab.run(busy))
    rate = len(recording.spikes) / duration_s / 512
    print(
        f"recurrent network, 512 neurons at {rate / 1e3:.1f} kHz, {synaptic_events(recording) / duration_s:.2g} synaptic events per hardware second: "
        f"{wall / duration_s:.2f} x hardware time (at most 2)"
    )
    idle = relay(10.0, 200.0)
    print(f"ten seconds of a relay at 200 Hz: {median_time(lambda: lab.run(idle)):.3f} s (at most 0.2)")
    network = recurrent(128, 16)
    one = median_time(lambda: lab.run(program(network, 1000)))
    with Lab(executor="processes:2") as pair:
        many = median_time(lambda: pair.map([program(network, 1000)] * 100, chips=range(100)))
    print(f"128 neurons, 1 ms: {1e3 * one:.0f} ms on one chip, {1e3 * many:.0f} ms on 100 chips: {many / one:.1f} times (at most 10)")


if __name__ == "__main__":
    main()
