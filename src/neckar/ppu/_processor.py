"""One plasticity processor: an instance of the program in its sandbox, and the exchange of rows with the chip.

The kernel works on planes in its own memory. What it does to the chip stands in a journal with the cycles of access spent so far; the host turns the
journal into actions (:mod:`neckar.ppu._exchange`). A view of something that changes by itself (counters, sensors, membranes) is a call of the host.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neckar.errors import KernelAccessError, KernelError, KernelMemoryError, ProgramError
from neckar.facts.ppu_brainscales2 import CYCLES_PER_INSTRUCTION, MAILBOX_BYTES, MEMORY_BYTES
from neckar.ppu._compile import build
from neckar.ppu._exchange import Actions, Exchange
from neckar.ppu._kernel import kernels_of
from neckar.ppu._port import ChipPort
from neckar.ppu._recorder import Recorder
from neckar.ppu._sandbox import BOOT_FUEL, COLUMNS, ENTRY_FUEL, JOURNAL, PLANE_FUEL, ROWS, Sandbox
from neckar.ppu._shared import Share, SharedMemory
from neckar.ppu._source import rule_tag
from neckar.ppu._trace import MAX_WATCHED, Notes
from neckar.ppu._watch import shown_bytes, watched
from neckar.program import PlasticityTask

CAUSAL, ACAUSAL, COUNTERS, COUNTERS_AND_RESET = range(4)
SENSED = ("causal", "acausal")
READS = ("correlation_causal", "correlation_acausal")
NEURON_SWITCH = 0x20

_UNTOLD = contextlib.nullcontext()  # around an invocation that nobody traces


@dataclass(frozen=True)
class MemoryUse:
    """What a program takes of a processor's memory, bytes; the stack is not known."""

    static: int
    heap: int
    limit: int = int(MEMORY_BYTES.value - MAILBOX_BYTES.value)

    @property
    def total(self) -> int:
        """Data and heap."""
        return self.static + self.heap


class Processor(Exchange):
    """A processor with a program.

    Parameters
    ----------
    tasks : sequence of PlasticityTask
    hemisphere : int
        0 or 1: which of the two processors.
    instant : bool
        Whether kernels take no time.
    recorders : mapping of int to Recorder
        Memory of the observables, shared by both processors, by rule.
    random : ndarray of uint16, shape (256,)
        State of the random generators before the program starts, not zero.
    shared : SharedMemory, optional
        Variables that both processors see.

    Raises
    ------
    KernelError
        If the program does not compile or start.
    """

    def __init__(
        self,
        tasks: Sequence[PlasticityTask],
        hemisphere: int,
        *,
        instant: bool,
        recorders: Mapping[int, Recorder],
        random: NDArray[np.uint16],
        shared: SharedMemory | None = None,
    ) -> None:
        self.kernels = kernels_of(tasks)
        self.tasks, self.hemisphere, self.instant, self.recorders = tuple(tasks), hemisphere, instant, recorders
        self.observe: Callable[[int, int], None] = _nobody
        self.flush: Callable[[], None] = _nobody
        self._box = Sandbox(build(tuple(self.kernels.values())), self._observe, self.time, self._flush, self._watch)
        self._share = Share(shared or SharedMemory(), self._shared_areas(), self._box.charge, self._names)
        self._random = random
        self._written: tuple[Recorder, int] | None = None  # the record under way
        self.began = 0.0  # cycles
        self._booting = True  # what the port says about it is for the kernel, which can change it
        self._port = self._box.port
        self._journal, self._rows = self._port["journal"], self._port["journal_row"]
        self._weights, self._labels = self._port["weights"], self._port["labels"]
        self._valid = self._port["sensor_valid"]
        self._handles: list[int] = []
        self._since = (0, 0)  # cycles and charged instructions of the port when the invocation began
        self._accessed = 0  # cycles of the port when the journal was last emptied
        self._last = 0.0

    def boot(self, port: ChipPort) -> MemoryUse:
        """Write symbols, run static constructors, which may already look at the chip, and make the handles.

        Raises
        ------
        KernelError
            If a constructor is stopped, or the program does not fit into the memory of a processor.
        """
        box = self._box
        self._port["instant"] = 1  # constructors run before time begins
        self._port["ppu"] = self.hemisphere
        box.set_word("ppu", self.hemisphere)
        self._port["random"][...] = self._random
        self._share.fetch()
        self._write_symbols()
        with self._named("a static constructor"):
            self.serve(port)
            box.refuel(BOOT_FUEL)
            box.call("neckar_boot")
            self.carry_out(port, self.actions())
            self._keep()
        for number, recorder in self.recorders.items():
            recorder.learn_layout(functools.partial(self._layout, f"neckar_layout_{rule_tag(number)}"))
        outside = sum(recorder.size for recorder in self.recorders.values()) + self._share.size
        use = MemoryUse(box.static_bytes - outside, box.heap_bytes)
        if use.total > use.limit:
            raise KernelMemoryError(
                f"the kernels {self._names} take {use.total} bytes ({use.static} of variables and constants, {use.heap} of heap); "
                f"a processor has {use.limit} besides its mailbox. Use smaller types, or fewer constants."
            )
        self._handles = [self._make_handles(task) for task in self.tasks]
        self._booting = False
        self._port["instant"] = self.instant
        return use

    def _write_symbols(self) -> None:
        for number, name, words in ((task.same_id, name, words) for task in self.tasks for name, words in task.symbols.items()):
            place, size, element = self._symbol(number, name)
            if words.ndim == 2 and self._share.holds(self._box.part(place, size)):
                raise ProgramError(f"the symbol {name!r} lies in memory that both processors share, and one value for each was given. Give one for both.")
            mine = words[self.hemisphere] if words.ndim == 2 else words
            bytes_ = np.ascontiguousarray(mine, ">i4").view(np.uint8)
            if len(bytes_) > size + 3:
                raise KernelAccessError(f"the symbol {name!r} has {size} bytes; asked for were {len(bytes_)}. Give as many words as the variable has.")
            self._box.part(place, size)[: len(bytes_)] = _turned(bytes_[:size], element)

    def read_symbol(self, number: int, name: str) -> NDArray[np.int32]:
        """Return a global variable of a rule as the processor's words, shape (word,)."""
        self._share.fetch()
        place, size, element = self._symbol(number, name)
        padded = np.zeros(-(-size // 4) * 4, np.uint8)
        padded[:size] = _turned(self._box.part(place, size), element)
        return padded.view(">i4").astype(np.int32)

    def _symbol(self, number: int, name: str) -> tuple[int, int, int]:
        function = f"neckar_symbol_{rule_tag(number)}_{self.kernels[number].symbols.index(name)}"
        place, size, element = (self._box.call(function, i) & 0xFFFFFFFF for i in range(3))
        return place, size, max(1, min(element, 8))

    def _make_handles(self, task: PlasticityTask) -> int:
        box, tag = self._box, rule_tag(task.same_id)
        box.refuel(BOOT_FUEL)
        handles = box.call(f"neckar_handles_{tag}")
        for i, view in enumerate(task.views):
            rows, columns = self._put(view.rows), self._put(view.columns)
            box.call(f"neckar_synapses_{tag}", handles, i, view.hemisphere, rows, len(view.rows), columns, len(view.columns))
        for i, neurons in enumerate(task.neurons):
            box.call(f"neckar_neurons_{tag}", handles, i, neurons.hemisphere, self._put(neurons.columns), len(neurons.columns))
        return handles

    def _layout(self, function: str, i: int) -> int:
        return self._box.call(function, i) & 0xFFFFFFFF

    @property
    def _names(self) -> str:
        return ", ".join(repr(kernel.name) for kernel in self.kernels.values())

    def _shared_areas(self) -> list[NDArray[np.uint8]]:
        """Return where the instance holds what both processors share: in block RAM, in DRAM."""
        bounds = [self._layout("neckar_shared", i) for i in range(4)]
        return [self._box.part(start, stop - start) for start, stop in zip(bounds[::2], bounds[1::2], strict=True)]

    def _put(self, numbers: Sequence[int]) -> int:
        place = self._box.call("neckar_take", max(len(numbers), 1)) & 0xFFFFFFFF
        self._box.part(place, len(numbers))[:] = numbers
        return place

    def load_planes(self, port: ChipPort) -> None:
        """Take over weights and labels from the chip."""
        self._weights[...] = port.read("synapse_weight", (self.hemisphere,))
        self._labels[...] = port.read("synapse_label", (self.hemisphere,))

    def serve(self, port: ChipPort) -> None:
        """Answer the kernel's calls at this moment of the chip from now on."""
        self.load_planes(port)
        self._valid[...] = 0

        def observe(view: int, row: int) -> None:
            self._box.charge(PLANE_FUEL)
            self.carry_out(port, self.actions())
            self.look(port, view, row)

        self.observe, self.flush = observe, lambda: self.carry_out(port, self.actions())

    def invoke(self, task: int, cycles: float, period: int, fuel: int) -> None:
        """Run the kernel of a task.

        Parameters
        ----------
        task : int
            Its number in `tasks`.
        cycles : float
            The processor's time, cycles.
        period : int
            Which of the task's records is written.
        fuel : int
            Instructions that it may take.

        Raises
        ------
        KernelError
            If it is stopped; the text names the task and the period.
        """
        what = self.tasks[task]
        recorder = self.recorders.get(what.same_id)
        tag = rule_tag(what.same_id)
        self.began = self._last = cycles
        self._since = int(self._port["cycles"]), int(self._port["charged_fuel"])
        self._accessed = self._since[0]
        self._port["handles"] = self._handles[task]
        with self._named(f"invocation {period} at {cycles / 250:.3f} us", what.name), _UNTOLD if self.notes is None else self._noted(self.notes):
            self._box.refuel(fuel)
            self._written = None if recorder is None else (recorder, period)
            self._fetch()
            self._box.call(f"neckar_invoke_{tag}")
            self._keep()
            self._written = None

    @contextlib.contextmanager
    def _noted(self, notes: Notes) -> Iterator[None]:
        """Note what an invocation reads and shows."""
        self._box.listen(MAX_WATCHED)
        self._port["touched"][...] = 0
        notes.planes = {"weights": self._weights.copy(), "labels": self._labels.copy()}
        try:
            yield
        finally:
            self._note_rows(notes)
            self._box.listen(0)

    def _note_rows(self, notes: Notes) -> None:
        """Note which rows were read, which only the end of an invocation shows."""
        sensors = dict(zip(SENSED, self._port["sensors"], strict=True))
        for (what, plane), touched in zip({**notes.planes, **sensors}.items(), self._port["touched"], strict=True):
            rows = np.flatnonzero(touched)
            notes.add(notes.read, what, rows, plane[rows])
        notes.watched_left_out += max(int(self._port["watches"]) - len(notes.watched) - notes.watched_left_out, 0)

    def _watch(self, name: int, line: int, kind: int, place: int, number: int) -> None:
        if self.notes is not None:
            self.notes.watch(shown_bytes(self._box.memory, kind, place, number), lambda: watched(self._box.memory, name, line, kind, place, number))

    def _observe(self, view: int, row: int) -> None:
        self._keep()
        self.observe(view, row)
        self._fetch()

    def _flush(self) -> None:
        self._keep()
        self.flush()
        self._fetch()

    def hand_over(self) -> None:
        """Let the other processor see what the kernel has shared, up to where it waits or has ended."""
        self._share.hand_over()

    def _fetch(self) -> None:
        """Take over the record under way and what is shared: only between this and the next :meth:`_keep` does no other processor run."""
        self._share.fetch()
        if self._written is not None:
            recorder, period = self._written
            recorder.load(period, self._box.part(recorder.place, recorder.size))

    def _keep(self) -> None:
        """Hand over the record under way, and note what is to be shared; kernels without time share it now."""
        self._share.keep()
        if self._now_instant():
            self.hand_over()
        if self._written is not None:
            recorder, period = self._written
            recorder.store(period, self._box.part(recorder.place, recorder.size))

    def time(self) -> int:
        """Return the processor's time, cycles; it never goes back."""
        return int(self._now(self._box.spent()))

    def moment(self) -> float:
        """Return the processor's time, cycles, after everything that it did so far."""
        return self._now(self._box.spent())

    def _now(self, fuel: int) -> float:
        if self._now_instant():
            return self.began
        access = int(self._port["cycles"]) - self._since[0]
        inside = min(max(int(self._port["charged_fuel"]) - self._since[1], 0), fuel)
        now = self.began + max(access, 0) + CYCLES_PER_INSTRUCTION.value * (fuel - inside)
        self._last = max(self._last, now)
        return self._last

    def actions(self) -> Actions:
        """Return what the journal holds and empty it. Instructions since the last time are spread over the accesses."""
        number = min(int(self._port["journal_length"]), JOURNAL)
        self._port["journal_length"] = 0
        entries = self._journal[:number]
        self._box.charge(ENTRY_FUEL * number)
        if self._now_instant() or number == 0:
            self._accessed = int(self._port["cycles"])
            self._now(self._box.spent())
            return Actions(entries["action"], entries["index"], np.full(number, self.began), self._rows[:number])
        start, end = self._last, self._now(self._box.spent())
        access = entries["cycles"].astype(np.float64)
        low, high = float(self._accessed), float(self._port["cycles"])
        self._accessed = int(self._port["cycles"])
        share = np.clip((access - low) / (high - low), 0.0, 1.0) if high > low else np.ones(number)
        stamps = np.maximum.accumulate(start + (end - start) * share)
        return Actions(entries["action"].copy(), entries["index"].copy(), stamps, self._rows[:number].copy())

    def _now_instant(self) -> bool:
        return self._booting or self.instant

    def look(self, port: ChipPort, view: int, row: int) -> None:
        """Put what the kernel wants to see into its memory."""
        if view in (COUNTERS, COUNTERS_AND_RESET):
            count, overflow = port.read_counters()
            self._port["count"][...] = count.reshape(2, COLUMNS)
            self._port["overflow"][...] = overflow.reshape(2, COLUMNS)
            asked = np.flatnonzero(self._port["count_mask"])
            if view == COUNTERS_AND_RESET:
                port.reset_counters(asked)
            if self.notes is not None:
                self.notes.add(self.notes.read, "counters", asked, np.where(overflow > 0, 255, count)[asked])
                if view == COUNTERS_AND_RESET:
                    self.notes.add(self.notes.reset, "counters", asked, np.ones(len(asked), bool))
            return
        view, row = view & 1, row % ROWS
        sensors = self._port["sensors"][view]
        on_neurons = (self._port["neuron_switch"] & NEURON_SWITCH) > 0
        if view == CAUSAL and on_neurons.any():
            readings = port.read_neurons(self.hemisphere)
            sensors[row] = readings if on_neurons.all() else np.where(on_neurons, readings, port.read(READS[view], (self.hemisphere, row)))
        elif self._now_instant() and not self._valid[view].any():
            sensors[...] = port.read(READS[view], (self.hemisphere,))
            self._valid[view] = 1
        else:
            sensors[row] = port.read(READS[view], (self.hemisphere, row))
            self._valid[view, row] = 1

    def mail(self) -> str:
        """Return what the kernels have written into the mailbox, and empty it."""
        length = min(int(self._port["mailbox_length"]), len(self._port["mailbox"]))
        self._port["mailbox_length"] = 0
        return bytes(self._port["mailbox"][:length]).decode("latin-1")

    @contextlib.contextmanager
    def _named(self, what: str, rule: str | None = None) -> Iterator[None]:
        """Say in an exception which kernel was stopped, and when."""
        try:
            yield
        except KernelError as error:
            names = repr(rule) if rule is not None else self._names
            side = ("top", "bottom")[self.hemisphere]
            raise type(error)(f"kernel of {names} on the {side} processor, {what}: it {error}.") from None


def _nobody(*_: int) -> None:
    raise KernelAccessError("looks at the chip while nothing is connected")


def _turned(content: NDArray[np.uint8], element: int) -> NDArray[np.uint8]:
    """Return numbers of so many bytes with their bytes in the other order."""
    whole = len(content) // element * element
    return np.concatenate([content[:whole].reshape(-1, element)[:, ::-1].reshape(-1), content[whole:]])
