"""A kernel on a bare sandbox: its global variables are written, it is called, they are read back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neckar.ppu import Invocation, PlasticityProcessor, Recorder, SharedMemory, Tally, recorders_of
from neckar.ppu._compile import build
from neckar.ppu._kernel import Kernel
from neckar.ppu._processor import Processor
from neckar.ppu._sandbox import Sandbox
from neckar.program import PlasticityTask

SEEDS = np.arange(1, 257, dtype=np.uint16)


class Bench:
    """One kernel without a chip; `symbols` are the variables that the test touches."""

    def __init__(self, text: str, symbols: tuple[str, ...] = ()) -> None:
        def refuse(*_: int) -> int:
            raise AssertionError("the kernel looked at the chip")

        self.box = Sandbox(build((Kernel("bench", text, 0, symbols=tuple(sorted(symbols))),)), refuse, lambda: 0, refuse)
        self.symbols = tuple(sorted(symbols))
        self.box.call("neckar_boot")
        self.box.port["handles"] = self.box.call("neckar_handles_0")

    def variable(self, name: str, dtype: str) -> np.ndarray:
        place, size, _ = (self.box.call(f"neckar_symbol_0_{self.symbols.index(name)}", i) for i in range(3))
        return self.box.part(place, size).view(dtype)

    def call(self) -> None:
        self.box.refuel(10**9)
        self.box.call("neckar_invoke_0")


def kernel(body: str, before: str = "") -> str:
    """Return the text of a kernel without views."""
    return f"""
    #include "grenade/vx/ppu/synapse_array_view_handle.h"
    #include "grenade/vx/ppu/neuron_view_handle.h"
    using namespace grenade::vx::ppu;
    using namespace libnux::vx;
    {before}
    void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, 0>&, std::array<NeuronViewHandle, 0>&)
    {{
        {body}
    }}
    """


class FakeChip:
    """A chip that is a few arrays; implements neckar.ppu.ChipPort."""

    tick = 0

    def __init__(self) -> None:
        names = {"synapse_weight": 0, "synapse_label": 0, "correlation_causal": 190, "correlation_acausal": 180}
        self.planes = {name: np.full((2, 256, 256), value, np.uint8) for name, value in names.items()}
        self.counts, self.overflow = np.zeros(512, np.uint8), np.zeros(512, np.uint8)
        self.log: list[tuple[object, ...]] = []
        self.writes: list[tuple[int, int, list[int], list[int]]] = []
        self.asked: list[int] = []

    def later(self, tick: int) -> None:
        """Others always act in between."""

    def read(self, field: str, key: tuple[int | slice, ...]) -> np.ndarray:
        return self.planes[field][key].copy()

    def write_rows(self, field: str, hemisphere: int, rows: np.ndarray, values: np.ndarray) -> None:
        self.planes[field][hemisphere, rows] = values
        self.writes.append((self.tick, hemisphere, rows.tolist(), values[:, 0].tolist()))

    def reset_sensors(self, hemisphere: int, row: int, columns: np.ndarray) -> None:
        self.log.append(("sensors", hemisphere, row, np.flatnonzero(columns).tolist()))
        self.planes["correlation_causal"][hemisphere, row, columns] = 190
        self.planes["correlation_acausal"][hemisphere, row, columns] = 180

    def reset_membranes(self, hemisphere: int, columns: np.ndarray) -> None:
        self.log.append(("membranes", hemisphere, np.flatnonzero(columns).tolist()))

    def read_counters(self) -> tuple[np.ndarray, np.ndarray]:
        return self.counts.copy(), self.overflow.copy()

    def reset_counters(self, circuits: np.ndarray) -> None:
        self.counts[circuits] = self.overflow[circuits] = 0

    def read_neurons(self, hemisphere: int) -> np.ndarray:
        return np.full(256, 77, np.uint8)


def processor(tasks: PlasticityTask | tuple[PlasticityTask, ...], chip: FakeChip, *, instant: bool = True) -> tuple[list[Processor], dict[int, Recorder]]:
    """Return both processors, booted, and the memory of their observables."""
    tasks = (tasks,) if isinstance(tasks, PlasticityTask) else tasks
    recorders, shared = recorders_of(tasks), SharedMemory()
    both = [Processor(tasks, hemisphere, instant=instant, recorders=recorders, random=SEEDS, shared=shared) for hemisphere in (0, 1)]
    for one in both:
        one.boot(chip)
    return both, recorders


@dataclass
class Played:
    """What two processors did."""

    observables: dict[int, dict[str, np.ndarray]]
    tally: list[Tally]
    actors: list[PlasticityProcessor]
    invocations: list[Invocation]


def play(tasks: PlasticityTask | tuple[PlasticityTask, ...], chip: FakeChip, duration: int) -> Played:
    """Let both processors work on a chip for so many ticks."""
    tasks = (tasks,) if isinstance(tasks, PlasticityTask) else tasks
    recorders, shared = recorders_of(tasks), SharedMemory()
    invocations: list[Invocation] = []
    actors = [PlasticityProcessor(tasks, h, duration, recorders, SEEDS, invocations.append, shared=shared) for h in (0, 1)]
    try:
        while due := [(tick, n) for n, actor in enumerate(actors) if (tick := actor.due()) is not None]:
            tick, n = min(due)
            chip.tick = max(tick, chip.tick)
            actors[n].act(chip)
        for actor in actors:
            actor.finish()
    finally:
        for actor in actors:
            actor.close()
    return Played({number: recorder.arrays() for number, recorder in recorders.items()}, [actor.tally[0] for actor in actors], actors, invocations)
