"""What is compiled: the text of a rule and the shape of what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neckar.errors import ProgramError
from neckar.ppu._cpp import kernel_text
from neckar.ppu._recipe import parse
from neckar.program import NeuronView, Observable, PlasticityTask, PlasticityView


@dataclass(frozen=True)
class Kernel:
    """A rule as the compiler sees it.

    Attributes
    ----------
    name : str
        Stands in messages.
    text : str
        C++.
    number : int
        The rule's ``same_id``.
    synapses : tuple of (int, int)
        Rows and columns of each synapse view.
    neurons : tuple of int
        Columns of each neuron view.
    observables : tuple of (str, Observable)
        By name.
    symbols : tuple of str
        Global variables that the host reads or writes.
    """

    name: str
    text: str
    number: int
    synapses: tuple[tuple[int, int], ...] = ()
    neurons: tuple[int, ...] = ()
    observables: tuple[tuple[str, Observable], ...] = ()
    symbols: tuple[str, ...] = ()


def kernel_of(task: PlasticityTask) -> Kernel:
    """Return what a task asks the compiler for; a rule in Python asks for the kernel that it generates."""
    return Kernel(
        name=task.name,
        text=task.kernel if task.language == "cpp" else kernel_text(parse(task.kernel), task.observables),
        number=task.same_id,
        synapses=tuple((len(view.rows), len(view.columns)) for view in task.views),
        neurons=tuple(len(view.columns) for view in task.neurons),
        observables=tuple(sorted(task.observables.items())),
        symbols=tuple(sorted({*task.symbols, *task.read_symbols})),
    )


def kernels_of(tasks: Sequence[PlasticityTask]) -> dict[int, Kernel]:
    """Return the kernels of some tasks by number.

    Raises
    ------
    ProgramError
        If tasks with one ``same_id`` differ in text, shapes or observables.
    """
    found: dict[int, Kernel] = {}
    for task in tasks:
        kernel = kernel_of(task)
        first = found.setdefault(kernel.number, kernel)
        same = (first.text, first.synapses, first.neurons, first.observables) == (kernel.text, kernel.synapses, kernel.neurons, kernel.observables)
        if not same:
            raise ProgramError(
                f"plasticity tasks {first.name!r} and {kernel.name!r} have same_id {kernel.number} and differ in kernel, views or observables; allowed is one "
                "kernel per same_id. Give them different same_id, or the same kernel and views."
            )
        symbols = tuple(sorted({*first.symbols, *kernel.symbols}))
        found[kernel.number] = Kernel(first.name, first.text, first.number, first.synapses, first.neurons, first.observables, symbols)
    return found


__all__ = ["Kernel", "NeuronView", "PlasticityView", "kernel_of", "kernels_of"]
