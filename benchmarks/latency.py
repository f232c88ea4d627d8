"""What a person waits for: import, help, the first spike, a repeated run, and memory.

Every figure is the median of five, each from a fresh process except the repeated run. Prints a table, or one JSON object with ``--json``.

    python benchmarks/latency.py [--json]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

REPEATS = 5

NEURON = """
import pynn_brainscales.brainscales2 as pynn
pynn.setup()
pop = pynn.Population(1, pynn.cells.HXNeuron(
    leak_v_leak=1000, leak_i_bias=150, threshold_v_threshold=300, reset_v_reset=400, membrane_capacitance_capacitance=63,
    refractory_period_refractory_time=255, threshold_enable=True, reset_i_bias=1022, reset_enable_multiplication=True))
pop.record(["v", "spikes"])
pynn.run(0.2)
assert len(pop.get_data().segments[-1].spiketrains[0]) > 10
"""

REPEATED = (
    NEURON
    + """
import time
pynn.reset()
for _ in range(12):
    begin = time.perf_counter()
    pynn.run(0.2)
    pop.get_data()
    pynn.reset()
    print(time.perf_counter() - begin)
"""
)

MEMORY = """
import numpy as np
from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.facts import registers
from neckar.program import Program, Record, Snippet

def mebibytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

def config(n):
    codes = {"leak_v_leak": 1000, "leak_i_bias": 150, "threshold_v_threshold": 300, "reset_v_reset": 400, "reset_i_bias": 1022,
             "membrane_capacitance_capacitance": 63, "refractory_period_refractory_time": 255, "threshold_enable": True}
    return {name: np.where(np.arange(512) < n, code, 0).astype(registers("brainscales2")[name].dtype) for name, code in codes.items()}

def run(n):
    Chip(Specimen.reference(), Effects()).run(Program(machine="brainscales2", config=config(n), snippets=(Snippet(500_000),), record=Record(spikes="all")))

before = mebibytes()
run(1)
kernels = mebibytes()
run(512)
print(kernels - before, mebibytes() - kernels)
"""


def process(code: str, **environment: str) -> tuple[float, str]:
    """Run a script in a fresh interpreter; return its wall time in seconds and what it printed."""
    begin = time.perf_counter()
    out = subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True).stdout
    return time.perf_counter() - begin, out


def numbers(code: str) -> list[float]:
    """Run a script and return the numbers it printed."""
    return [float(word) for word in process(code)[1].split()]


def median(code: str) -> float:
    """Return the median wall time of five runs of a script."""
    return statistics.median(process(code)[0] for _ in range(REPEATS))


def cold() -> float:
    """Return the median time to the first spike with an empty cache of kernels."""
    times = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            times.append(process(NEURON, XDG_CACHE_HOME=folder)[0])
    return statistics.median(times)


def measure() -> dict[str, float]:
    """Return the figures; names carry their unit."""
    bare = median("pass")
    process(NEURON)  # fills the cache of kernels
    memory = [numbers(MEMORY) for _ in range(REPEATS)]
    return {
        "interpreter_s": bare,
        "import_neckar_s": median("import neckar") - bare,
        "import_typer_s": median("import typer") - bare,
        "help_s": median("import sys; sys.argv = ['neckar', '--help']; from neckar.cli import main; main()"),
        "first_spike_warm_s": median(NEURON),
        "first_spike_cold_s": cold(),
        "repeated_run_ms": 1e3 * statistics.median(statistics.median(numbers(REPEATED)) for _ in range(REPEATS)),
        "memory_kernels_mib": statistics.median(m[0] for m in memory),
        "memory_512_circuits_mib": statistics.median(m[1] for m in memory),
    }


if __name__ == "__main__":
    figures = measure()
    if "--json" in sys.argv[1:]:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:<26} {value:.3f}")
