"""Speed of the plasticity processors: compiling a kernel, calling one, a homeostasis of 512 neurons, and eight hours of slow plasticity.

Medians. Prints one line per figure, with the limit that the project sets:

* first compile of a kernel on an empty cache: at most 3 s;
* the same from the cache, in a new process: at most 20 ms;
* an invocation that changes 256 x 256 weights: at most 2.5 times an empty one;
* the same rule in Python, on one chip and on twenty, against its kernel (no limit is set);
* a homeostasis of 512 neurons for 1000 ms of hardware time (upstream's notebook ts_11), from PyNN: at most 3 s, aim 1 s;
* each protocol of the study of synaptic tagging and capture, 28.8 s of hardware time with 128 synapses: at most 30 s.

    .venv/bin/python benchmarks/plasticity.py
"""

from __future__ import annotations

import os
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neckar.ppu import FracSat8, Rule, RuleBatch, where
from neckar.ppu._compile import ENVIRONMENT, build
from neckar.ppu._kernel import kernels_of
from neckar.ppu._processor import Processor
from neckar.ppu._rule_processor import RuleProcessor
from neckar.program import PlasticityTask, PlasticityView

INCLUDES = """
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "libnux/vx/vector_if.h"
using namespace grenade::vx::ppu;
using namespace libnux::vx;
"""
SIGNATURE = "void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, 1>& synapses, std::array<NeuronViewHandle, 0>&)"
EMPTY = f"{INCLUDES}{SIGNATURE} {{}}"
ALL_ROWS = f"""{INCLUDES}{SIGNATURE}
{{
    for (size_t i = 0; i < synapses[0].rows.size(); ++i) {{
        auto weights = static_cast<VectorRowFracSat8>(synapses[0].get_weights(i));
        weights += VectorRowFracSat8(1);
        weights = vector_if(weights - 63, VectorIfCondition::greater, VectorRowFracSat8(0), weights);
        synapses[0].set_weights(static_cast<VectorRowMod8>(weights), i);
    }}
}}
"""


class AllRows(Rule):
    """The same in Python."""

    def update(self, synapses, neurons, recording) -> None:  # type: ignore[no-untyped-def]
        """Count all weights up."""
        for row in synapses[0]:
            weights = row.get_weights() + FracSat8(1)
            row.set_weights(where(weights - 63 > 0, 0, weights), saturate=False)


class Chip:
    """Arrays in place of a chip."""

    tick = 0

    def __init__(self) -> None:
        self.planes = {name: np.zeros((2, 256, 256), np.uint8) for name in ("synapse_weight", "synapse_label")}

    def read(self, field: str, key: tuple[int | slice, ...]) -> NDArray[np.uint8]:
        """Return a plane."""
        return self.planes[field][key]

    def write_rows(self, field: str, hemisphere: int, rows: NDArray[np.int64], values: NDArray[np.uint8]) -> None:
        """Write rows."""
        plane = self.planes[field][hemisphere]
        plane[slice(None) if len(rows) == len(plane) else rows] = values


def task(kernel: str, language: Literal["cpp", "python"] = "cpp") -> PlasticityTask:
    """Return a task on all synapses of a hemisphere."""
    return PlasticityTask(name="rule", kernel=kernel, language=language, views=(PlasticityView(0, tuple(range(256)), tuple(range(256))),), mode="instant")


def seconds(action: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the median time of an action."""
    times = []
    for _ in range(repeats):
        began = clock()
        action()
        times.append(clock() - began)
    return statistics.median(times)


def invocation(what: PlasticityTask, repeats: int) -> float:
    """Return the time of one invocation with all that it exchanges with the chip, s."""
    kind = RuleProcessor if what.language == "python" else Processor
    chip, processor = Chip(), kind((what,), 0, instant=True, recorders={}, random=np.ones(256, np.uint16))
    processor.boot(chip)  # type: ignore[arg-type]

    def once() -> None:
        processor.serve(chip)  # type: ignore[arg-type]
        processor.invoke(0, 0.0, 0, 10**9)
        processor.carry_out(chip, processor.actions())  # type: ignore[arg-type]

    for _ in range(100):
        once()
    return seconds(once, repeats)


def batch(chips: int, repeats: int) -> float:
    """Return the processor's time of one invocation of the rule in Python on so many chips at once, without what a chip exchanges, s."""
    several = RuleBatch(task(AllRows().text(), "python"), chips)
    several.invoke()
    return seconds(several.invoke, repeats, time.process_time)


def from_cache() -> float:
    """Return the time to get a compiled kernel in a new process, s, without starting Python and importing."""
    code = f"import time; from benchmarks_plasticity import *; import wasmtime; {compile_line()}; print(time.perf_counter() - t)"
    here = os.path.dirname(os.path.abspath(__file__))
    prelude = f"import importlib.util, sys; s = importlib.util.spec_from_file_location('benchmarks_plasticity', {os.path.join(here, 'plasticity.py')!r}); "
    prelude += "m = importlib.util.module_from_spec(s); sys.modules['benchmarks_plasticity'] = m; s.loader.exec_module(m); "
    return float(subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True, check=True).stdout)


def compile_line() -> str:
    """Return what is timed in the new process."""
    return "t = time.perf_counter(); build(tuple(kernels_of((task(ALL_ROWS),)).values()))"


def homeostasis() -> tuple[float, float]:
    """Return wall and processor time of a run of the homeostasis, s."""
    import pynn_brainscales.brainscales2 as pynn

    study = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "papers" / "homeostasis.py"))
    pynn.setup(initial_config=pynn.helper.chip_from_nightly())
    rule = study["Homeostasis"]()
    neurons = pynn.Population(512, pynn.cells.HXNeuron(plasticity_rule=rule))
    neurons.record("spikes")
    pynn.Projection(study["poisson"](), neurons, pynn.AllToAllConnector(), pynn.synapses.PlasticSynapse(weight=0, plasticity_rule=rule))
    times = []
    for _ in range(4):
        began = time.perf_counter(), time.process_time()
        pynn.run(1000.0)
        times.append((time.perf_counter() - began[0], time.process_time() - began[1]))
        pynn.reset()
    pynn.end()
    return statistics.median(wall for wall, _ in times[1:]), statistics.median(cpu for _, cpu in times[1:])


def tagging() -> dict[str, tuple[float, float]]:
    """Return wall and processor time of each protocol of synaptic tagging and capture, s."""
    import neckar

    study = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "papers" / "calcium_tagging.py"))
    found = {}
    with neckar.Lab(chip="reference", step_us=20):
        steps, _ = study["measure_steps"]()
        for name, protocol in study["PROTOCOLS"].items():
            trains = study["spike_trains"](protocol, np.random.default_rng(1))
            began = time.process_time()
            found[name] = study["run"](protocol, trains, steps).seconds, time.process_time() - began
    return found


def main() -> None:
    """Measure and print."""
    kernels = tuple(kernels_of((task(ALL_ROWS),)).values())
    first = []
    for _ in range(3):
        build.cache_clear()
        with tempfile.TemporaryDirectory() as folder:
            os.environ[ENVIRONMENT] = folder
            first.append(seconds(lambda: build(kernels), 1))
            build.cache_clear()
            again = statistics.median(from_cache() for _ in range(5))
    del os.environ[ENVIRONMENT]
    empty, whole = invocation(task(EMPTY), 2000), invocation(task(ALL_ROWS), 2000)
    python, one, twenty = invocation(task(AllRows().text(), "python"), 500), batch(1, 500), batch(20, 50)
    print(f"first compile, empty cache        {statistics.median(first):7.2f} s    limit 3 s")
    print(f"from the cache, new process       {again * 1e3:7.1f} ms   limit 20 ms")
    print(f"empty invocation                  {empty * 1e6:7.1f} us")
    print(f"invocation over 256 x 256 weights {whole * 1e6:7.1f} us   {whole / empty:.2f} times the empty one, limit 2.5")
    print(f"the same rule in Python           {python * 1e6:7.1f} us   {python / whole:.2f} times the kernel")
    print(f"on twenty chips at once           {twenty * 1e6:7.1f} us   {twenty / one:.2f} times one chip")
    wall, cpu = homeostasis()
    print(f"homeostasis of 512 neurons        {wall:7.2f} s    {cpu:.2f} s of the processors, limit 3 s")
    for name, (wall, cpu) in tagging().items():
        print(f"tagging and capture, {name}         {wall:7.2f} s    {cpu:.2f} s of the processors, limit 30 s")


if __name__ == "__main__":
    main()
