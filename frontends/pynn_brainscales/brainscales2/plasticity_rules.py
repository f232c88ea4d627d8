"""Plasticity rules: what they are attached to, when they are executed, and what they observe.

The classes have upstream's names, arguments and checks. :mod:`neckar.ppu` executes the kernels.
"""

from __future__ import annotations

import math
import textwrap
from enum import Enum, auto
from typing import Any, Literal, cast

from neckar.errors import ConfigurationError, nearest
from neckar.ppu import Recipe, kernel_text, write_down
from neckar.program import Observable
from neckar.program._plasticity import ObservableType
from pynn_brainscales.brainscales2 import simulator
from pynn_brainscales.brainscales2._errors import ObservableTypeError, RunStateError, UnknownObservableError
from pynn_brainscales.brainscales2._plasticity import PPU_CYCLES_PER_MS, Recorded

__all__ = ["PlasticityRule", "PlasticityRuleHandle", "Timer"]

_TIMES = ("start", "period", "num_periods")


class Timer:
    """Periodic execution of a rule: at `start`, then every `period`, at most `num_periods` times.

    Parameters
    ----------
    start, period : float
        Milliseconds of hardware time.
    num_periods : int
    **extra
        Kept in :attr:`parameters`.

    Raises
    ------
    ConfigurationError
        If one of the three is missing, or the period is shorter than a cycle of the processors, 4 ns.
    """

    def __init__(self, **parameters: Any) -> None:
        missing = [name for name in _TIMES if name not in parameters]
        if missing:
            raise ConfigurationError(f"a Timer without {', '.join(missing)} was asked for; it needs {', '.join(_TIMES)}. Give them by keyword.")
        self.start, self.period, self.num_periods = (parameters.pop(name) for name in _TIMES)
        self.parameters: dict[str, Any] = parameters
        if not (math.isfinite(self.period) and round(self.period * PPU_CYCLES_PER_MS) >= 1):
            raise ConfigurationError(f"a Timer with a period of {self.period} ms was asked for; allowed are periods of 4e-6 ms or more. Give a longer one.")


class _Value(Enum):
    """Type of an observable's elements."""

    int8 = auto()
    uint8 = auto()
    int16 = auto()
    uint16 = auto()


class _Observable:
    """What all observables have: the type of their elements."""

    Type = _Value
    _LAYOUTS: type[Enum] | None = None

    def __init__(self, type: _Value = _Value.int8, layout: Any = None) -> None:
        self.type = type
        if self._LAYOUTS is not None:
            self._layout: Any = next(iter(self._LAYOUTS)) if layout is None else layout

    def to_program(self) -> Observable:
        """Return the same as the machine sees it."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        values = ", ".join(f"{name.lstrip('_')}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"


class ObservablePerSynapse(_Observable):
    """One value for each synapse of a rule's projections, in whole rows or for its columns only."""

    class LayoutPerRow(Enum):
        """How a row of synapses lies in memory."""

        complete_rows = auto()
        packed_active_columns = auto()

    _LAYOUTS = LayoutPerRow

    @property
    def layout_per_row(self) -> LayoutPerRow:
        """Layout of a row."""
        layout: ObservablePerSynapse.LayoutPerRow = self._layout
        return layout

    @layout_per_row.setter
    def layout_per_row(self, layout: LayoutPerRow) -> None:
        self._layout = layout

    def to_program(self) -> Observable:
        """Return the same as the machine sees it."""
        return Observable(cast(ObservableType, self.type.name), "synapse", self._layout.name)


class ObservablePerNeuron(_Observable):
    """One value for each neuron of a rule's populations, in a whole row or for its columns only."""

    class Layout(Enum):
        """How a row of neurons lies in memory."""

        complete_row = auto()
        packed_active_columns = auto()

    _LAYOUTS = Layout

    @property
    def layout(self) -> Layout:
        """Layout of a row."""
        layout: ObservablePerNeuron.Layout = self._layout
        return layout

    @layout.setter
    def layout(self, layout: Layout) -> None:
        self._layout = layout

    def to_program(self) -> Observable:
        """Return the same as the machine sees it."""
        packed = self._layout is ObservablePerNeuron.Layout.packed_active_columns
        return Observable(cast(ObservableType, self.type.name), "neuron", "packed_active_columns" if packed else "complete_rows")


class ObservableArray(_Observable):
    """A fixed number of values."""

    def __init__(self, type: _Value = _Value.int8, size: int = 0) -> None:
        super().__init__(type)
        self.size = size

    def to_program(self) -> Observable:
        """Return the same as the machine sees it."""
        return Observable(cast(ObservableType, self.type.name), self.size)


class PlasticityRule:
    """A program for the plasticity processors, executed periodically during the experiment.

    Subclasses say what it does in :meth:`update`, in Python, or give its C++ source in :meth:`generate_kernel`.

    Parameters
    ----------
    timer : Timer
    observables : dict of str to observable, optional
        What the rule records.
    same_id : int
        Rules of equal source and identity share their state over snippets.

    Raises
    ------
    RunStateError
        If ``setup`` was not called.
    """

    ObservablePerSynapse = ObservablePerSynapse
    ObservablePerNeuron = ObservablePerNeuron
    ObservableArray = ObservableArray

    def __init__(self, timer: Timer, observables: dict[str, Any] | None = None, same_id: int = 0) -> None:
        self.timer = timer
        self._observables = observables or {}
        self.same_id = same_id
        self.recorded: list[Recorded] | None = None  # of each snippet of the last run in which it was executed
        self.changed_since_last_run = self.changed_topology = self.changed_input_data = True
        _experiment().plasticity_rules.append(self)

    @property
    def observables(self) -> dict[str, Any]:
        """What the rule records, by name."""
        return self._observables

    @observables.setter
    def observables(self, observables: dict[str, Any]) -> None:
        self._observables = observables

    @property
    def projections(self) -> list[Any]:
        """Projections of this experiment that hold the rule."""
        return [one for one in _experiment().projections if getattr(one.synapse_type, "plasticity_rule", None) is self]

    @property
    def populations(self) -> list[Any]:
        """Populations of this experiment that hold the rule."""
        return [one for one in _experiment().populations if getattr(one.celltype, "plasticity_rule", None) is self]

    def update(self, synapses: Any, neurons: Any, recording: Any) -> None:
        """Say what one execution does, with rows of :mod:`neckar.ppu`; the rule of this class does nothing.

        The rows hold no numbers: the method is called when the network is built, and what it does with them is written down (``docs/how-to/
        write_a_plasticity_rule_in_python.md``).

        Parameters
        ----------
        synapses, neurons : neckar.ppu views
            Of the rule's projections and populations.
        recording : recording
            ``recording.name[row] = values`` for each of the observables.
        """

    def is_in_python(self) -> bool:
        """Return whether the rule has its own :meth:`update`.

        Raises
        ------
        ConfigurationError
            If it has its own :meth:`generate_kernel`, too.
        """
        own = [name for name in ("update", "generate_kernel") if getattr(type(self), name) is not getattr(PlasticityRule, name)]
        if len(own) == 2:
            raise ConfigurationError(
                f"the rule {type(self).__name__} defines update() and generate_kernel(); allowed is one, since update() generates the kernel. Remove one."
            )
        return own == ["update"]

    def recipe(self) -> Recipe:
        """Return what :meth:`update` does, as plain data."""
        return write_down(self, {name: observable.to_program() for name, observable in self.observables.items()})

    def generate_kernel(self) -> str:
        """Return the C++ source of the rule: what :meth:`update` does, or, without it, nothing.

        The function has the name ``PLASTICITY_RULE_KERNEL`` and takes arrays of handles: of the synapses of the rule's projections, and of the neurons of
        its populations.
        """
        if self.is_in_python():
            return kernel_text(self.recipe(), {name: observable.to_program() for name, observable in self.observables.items()})
        return textwrap.dedent(
            """\
            #include <array>
            #include "grenade/vx/ppu/neuron_view_handle.h"
            #include "grenade/vx/ppu/synapse_array_view_handle.h"

            template <size_t N, size_t M>
            void PLASTICITY_RULE_KERNEL(
                std::array<grenade::vx::ppu::SynapseArrayViewHandle, N>&, std::array<grenade::vx::ppu::NeuronViewHandle, M>&)
            {}
            """
        )

    def get_observable_array(self, observable: str) -> list[Any]:
        """Return what was recorded of an :class:`ObservableArray`: for each snippet a list of samples with ``time`` and ``data``.

        Raises
        ------
        UnknownObservableError
            If the rule has no such observable.
        ObservableTypeError
            If it is none of an array.
        RunStateError
            Before a run.
        """
        asked = self.checked_observable(observable)
        if not isinstance(asked, ObservableArray):
            raise ObservableTypeError(
                f"observable {observable!r} is an {type(asked).__name__}; allowed is an ObservableArray. Use get_data of its projection or "
                "get_plasticity_data of its population."
            )
        return [recorded.array(observable) for recorded in self.executed(observable)]

    def checked_observable(self, observable: str) -> Any:
        """Return an observable, or raise :class:`UnknownObservableError`."""
        if observable not in self.observables:
            known = ", ".join(self.observables) or "none"
            raise UnknownObservableError(f"the rule has no observable {observable!r}{nearest(observable, self.observables)} It has {known}.")
        return self.observables[observable]

    def executed(self, observable: str) -> list[Recorded]:
        """Return what the last run recorded, or raise :class:`RunStateError`."""
        if self.recorded is None:
            raise RunStateError(f"observable {observable!r} was asked for before an execution of its rule; call run() first.")
        return self.recorded


class PlasticityRuleHandle:
    """What can hold a plasticity rule: neuron types and synapse types. Several may hold the same one.

    Parameters
    ----------
    plasticity_rule : PlasticityRule, optional

    Raises
    ------
    ConfigurationError
        If it is no plasticity rule.
    """

    def __init__(self, plasticity_rule: PlasticityRule | None = None) -> None:
        self._plasticity_rule = _checked(plasticity_rule)

    @property
    def plasticity_rule(self) -> PlasticityRule | None:
        """The rule, None without one."""
        return self._plasticity_rule

    @plasticity_rule.setter
    def plasticity_rule(self, rule: PlasticityRule | None) -> None:
        self._plasticity_rule = _checked(rule)

    def observed_rule(self, observable: str) -> PlasticityRule:
        """Return the rule that has an observable.

        Raises
        ------
        UnknownObservableError
            If there is none.
        """
        if self.plasticity_rule is None:
            raise UnknownObservableError(f"observable {observable!r} was asked for of a {type(self).__name__} without a plasticity rule. Give it one.")
        self.plasticity_rule.checked_observable(observable)
        return self.plasticity_rule


def _checked(rule: Any) -> PlasticityRule | None:
    if rule is not None and not isinstance(rule, PlasticityRule):
        raise ConfigurationError(f"plasticity_rule is {rule!r}; allowed is a PlasticityRule, or None. Derive the rule from it.")
    return rule


def _experiment() -> simulator.State:
    """Return the experiment in progress."""
    if simulator.state is None:
        raise RunStateError("there is no experiment for plasticity rules; call setup() first.")
    return simulator.state


def number_in_experiment(one: Any, kind: Literal["population", "projection"]) -> int:
    """Return the position of a population or projection among those of the experiment in progress."""
    known = [] if simulator.state is None else getattr(simulator.state, f"{kind}s")
    for number, other in enumerate(known):
        if other is one:
            return number
    raise RunStateError(f"{kind} {one.label!r} is not part of this experiment, and its data are gone. Ask for them before the next setup() or end().")
