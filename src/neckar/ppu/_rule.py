"""Rules in Python: rows that are only written down, so that a rule is executed once and becomes data.

``update`` gets views of synapses and neurons whose rows hold no numbers. Whatever it does with them becomes a step of a recipe
(:mod:`neckar.ppu._recipe`), from which numpy computes on the virtual chip and C++ is generated for the real one. So Python's own decisions (``if``, loops over
numbers, attributes of the rule) are made once, when the rule is written down; decisions about elements are made with :func:`where`, and loops over views and
rows stand for the processor's loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from neckar.errors import RuleError, RuleNameError, nearest
from neckar.ppu._cpp import kernel_text
from neckar.ppu._recipe import EACH, KINDS, ROWS, Recipe, StateRows, check_member, check_name, range_of
from neckar.ppu._symbols import CLASSES, Element, FracSat8, Mod8, Row, checked_row, kind_of_rows, saturate_weight
from neckar.ppu._writing import WRITER, Block, Symbol, Writer, current, known_int, plain_int, rounds, shown, spoken
from neckar.program import Observable


class SynapseRow(Symbol):
    """One row of a synapse view."""

    _what = "row of synapses"

    def _get(self, op: str) -> Mod8:
        writer = current()
        return Mod8._made(writer.add(op, "uint8", (self._here(),), "v"), writer.blocks[-1])

    def get_weights(self, kind: type[Row] = FracSat8) -> Any:
        """Return the weights, 0..63, of all 256 columns, as a row of 8 bit: FracSat8, or Mod8 if asked for."""
        cls = kind_of_rows(kind)
        return cls(self._get("get_weights"))

    def set_weights(self, row: Row, saturate: bool = True) -> None:
        """Set the weights of the view's columns. Elements are brought to 0..63 as signed numbers, or, not saturated, give their lowest six bits."""
        checked_row(row, "set_weights", 8)
        current().add("set_weights", args=(self._here(), Mod8(saturate_weight(row) if saturate else row)._here()))

    def get_labels(self) -> Mod8:
        """Return the labels that the synapses of all 256 columns listen to, 0..63."""
        return self._get("get_labels")

    def set_labels(self, row: Row) -> None:
        """Set the labels of the view's columns to the lowest six bits of the elements."""
        checked_row(row, "set_labels", 8)
        current().add("set_labels", args=(self._here(), Mod8(row)._here()))

    def get_causal_correlation(self) -> Mod8:
        """Return what the CADC reads of the causal sensors; it falls from its baseline as correlation accumulates."""
        return self._get("get_causal_correlation")

    def get_acausal_correlation(self) -> Mod8:
        """Return what the CADC reads of the acausal sensors."""
        return self._get("get_acausal_correlation")

    def get_correlation(self, reset: bool) -> tuple[Mod8, Mod8]:
        """Return causal and acausal readings, and then, if asked for, empty the sensors of the view's columns."""
        found = self.get_causal_correlation(), self.get_acausal_correlation()
        if reset:
            self.reset_correlation()
        return found

    def reset_correlation(self) -> None:
        """Empty the sensors of the view's columns."""
        current().add("reset_correlation", args=(self._here(),))


class SynapseView(Symbol):
    """Synapses of one hemisphere: a loop goes through its rows. The processor of the other hemisphere leaves it alone."""

    _what = "synapse view"
    _remedy = "Loop over its rows, which have what is done to synapses: for row in view: row.get_weights()."

    def __iter__(self) -> Iterator[SynapseRow]:
        for name, block in rounds(ROWS, self._here(), "r"):
            yield SynapseRow(name, block)


class NeuronView(Symbol):
    """Neurons of one hemisphere. Only the processor of that hemisphere reads them; on the other the rows are 0."""

    _what = "neuron view"

    def get_rate_counters(self, reset: bool = False) -> Mod8:
        """Return the spikes counted since the last reset, 255 after an overflow; 0 in columns that do not belong to the view."""
        writer = current()
        op = "get_rate_counters_and_reset" if reset else "get_rate_counters"
        return Mod8._made(writer.add(op, "uint8", (self._here(),), "v"), writer.blocks[-1])

    def get_analog_readouts(self) -> Mod8:
        """Return what the CADC reads of the membranes of all 256 columns."""
        writer = current()
        return Mod8._made(writer.add("get_analog_readouts", "uint8", (self._here(),), "v"), writer.blocks[-1])


class Views(Symbol):
    """All views of a rule: a loop goes through them, together with others in ``zip``; one is taken by its number."""

    _what = "list of views"
    _remedy = "Loop over the views, for view in synapses, or take one by its number, synapses[0]."

    def __init__(self, name: str, block: Block, letter: str, cls: type[Symbol]) -> None:
        super().__init__(name, block)
        self._letter, self._cls = letter, cls

    def __iter__(self) -> Iterator[Any]:
        for name, block in rounds(EACH, self._here(), self._letter):
            yield self._cls(name, block)

    def __getitem__(self, number: int) -> Any:
        return self._cls(f"{self._name}[{known_int(number, 'a view', 0, 9999)}]", self._block)

    def __len__(self) -> int:
        raise current().error(
            "the number of views was asked for; it is not known before the network is placed. Loop over the views, or take one by its number."
        )


class State:
    """Rows that a rule keeps between invocations; every processor has its own. An attribute of a rule's class or of the rule.

    Parameters
    ----------
    kind : Mod8, FracSat8, Mod16 or FracSat16
    rows : int
        How many, 1 to 256. A processor has 12 KiB for all its rules; a row takes 256 or 512 bytes.
    initial : int
        All elements at first.

    Raises
    ------
    RuleError
        If a value lies outside of its range.
    """

    def __init__(self, kind: type[Row], rows: int = 1, initial: int = 0) -> None:
        if not (isinstance(kind, type) and issubclass(kind, Row) and kind is not Row):
            raise RuleError(f"a State of {kind!r} was asked for; allowed are {', '.join(KINDS.values())}. Give one of these classes.")
        low, high = range_of(kind.kind)
        if plain_int(rows) is None or not 1 <= rows <= 256:
            raise RuleError(f"a State of {rows!r} rows was asked for; allowed are 1 to 256. Give as many rows as the view has.")
        if plain_int(initial) is None or not low <= initial <= high:
            raise RuleError(f"a State of {kind.__name__} with {initial!r} at first was asked for; allowed are {low} to {high}. Give a smaller number.")
        self.kind, self.rows, self.initial = kind, int(rows), int(initial)

    def _place(self, index: object) -> tuple[str, str | int]:
        writer = current()
        name = writer.states.get(id(self))
        if name is None:
            raise writer.error("a State that is no attribute of the rule is used. Make it one, in the class or in __init__: h = State(FracSat16).")
        if isinstance(index, SynapseRow):
            return name, index._here()
        return name, known_int(index, f"a row of the state {name}", 0, self.rows - 1)

    def __getitem__(self, index: int | SynapseRow) -> Any:
        """Return a row by its number, or, given a row of a view, by the number of that row in its view."""
        place = self._place(index)
        writer = current()
        return self.kind._made(writer.add("get_state", self.kind.kind, place, "v"), writer.blocks[-1])

    def __setitem__(self, index: int | SynapseRow, value: Row | int) -> None:
        place = self._place(index)
        row = value if isinstance(value, Row) else self.kind(value)
        if row.kind != self.kind.kind:
            mine = self.kind.__name__
            raise current().error(f"the state {place[0]} holds {mine}; asked for was {type(row).__name__}. Convert it: {mine}(row).")
        current().add("set_state", self.kind.kind, (*place, row._here()))

    def _as_a_whole(self, *_: object) -> Any:
        name = current().states.get(id(self), "h")
        raise current().error(
            f"a State as a whole was to calculate or to be compared; its rows do. Take one by its number, self.{name}[0], or the one that "
            f"belongs to a row of a view, self.{name}[row]."
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __pow__ = __lshift__ = __rshift__ = __neg__ = _as_a_whole
    __lt__ = __gt__ = __le__ = __ge__ = __and__ = __or__ = __array__ = _as_a_whole

    def __iter__(self) -> Iterator[Any]:
        raise current().error("a Python loop goes through a State. Loop over numbers, range(n), or over the rows of a view.")


class _Observed(Symbol):
    """An observable of a recording: ``recording.name[row] = values``."""

    _what = "observable"

    def __init__(self, name: str, block: Block, observable: Observable) -> None:
        super().__init__(name, block)
        self._observable = observable

    def __setitem__(self, index: object, value: object) -> None:
        writer, kind = current(), self._observable.type
        name, shape = self._name, self._observable.shape
        if shape == "synapse" and isinstance(index, SynapseRow):
            op, place = "record_row", index._here()
        elif shape == "neuron" and isinstance(index, NeuronView):
            op, place = "record_cells", index._here()
        elif isinstance(shape, int):
            self._set_array(known_int(index, f"an element of the observable {name}", 0, shape - 1), value)
            return
        else:
            allowed = {"synapse": "rows of a synapse view", "neuron": "neuron views"}[str(shape)]
            raise writer.error(
                f"the observable {name}, one value per {shape}, was set for {shown(index)}; allowed are {allowed}. Write recording.{name}[...] = row."
            )
        writer.add(op, kind, (name, place, self._checked(value)))

    def _checked(self, value: object) -> str:
        cls = CLASSES[self._observable.type]
        row = cls(value) if plain_int(value) is not None else value  # type: ignore[arg-type]
        if not isinstance(row, cls):
            raise current().error(
                f"the observable {self._name} holds {self._observable.type}; asked for was {shown(value)}"
                f"{f' of {KINDS[value.kind]}' if isinstance(value, Row) else ''}. Convert it: {cls.__name__}(row)."
            )
        return row._here()

    def _set_array(self, index: int, value: object) -> None:
        kind = self._observable.type
        element = CLASSES[kind](value)[0] if plain_int(value) is not None else value  # type: ignore[arg-type]
        if not isinstance(element, Element) or element._kind != kind:
            of = f" of {KINDS[element._kind]}" if isinstance(element, Element) else ""
            raise current().error(
                f"the observable {self._name} holds {kind}; asked for was {shown(value)}{of}. Give an integer, or an element of a {KINDS[kind]}: row[0]."
            )
        current().add("record_array", kind, (self._name, index, element._here()))


class _Recording(Symbol):
    """What an invocation records. The time is noted by itself when the invocation begins."""

    _what = "recording"

    def __getattr__(self, name: str) -> _Observed:  # type: ignore[override]
        if name.startswith("__"):
            raise AttributeError(name)
        writer = current()
        if name not in writer.observables:
            known = ", ".join(writer.observables) or "none"
            raise writer.error(f"the rule has no observable {name!r}{nearest(name, writer.observables)} It has {known}.", RuleNameError)
        return _Observed(name, self._block, writer.observables[name])

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("_name", "_block"):
            object.__setattr__(self, name, value)
            return
        remedy = "The time is noted by itself." if name == "time" else f"Write recording.{name}[row] = values."
        raise current().error(f"recording.{name} was set as a whole. {remedy}")


def states_of(rule: object) -> dict[str, State]:
    """Return the states of a rule by the name of their attribute."""
    found = {name: value for cls in reversed(type(rule).__mro__) for name, value in vars(cls).items() if isinstance(value, State)}
    found.update({name: value for name, value in vars(rule).items() if isinstance(value, State)})
    return dict(sorted(found.items()))


def write_down(rule: Any, observables: Mapping[str, Observable]) -> Recipe:
    """Execute the ``update`` of a rule once, with rows that hold no numbers, and return what it does.

    Parameters
    ----------
    rule : object
        Has ``update(synapses, neurons, recording)``; its attributes may be :class:`State`.
    observables : mapping of str to Observable

    Raises
    ------
    RuleError
        If it does what the processors cannot do; the text names the line.
    """
    states = states_of(rule)
    code = getattr(rule.update, "__code__", None)
    writer = Writer(type(rule).__name__, observables, states, code.co_filename if code else "")
    for name, check in [*((name, check_name) for name in states), *((name, check_member) for name in observables)]:
        try:
            check(name)
        except ValueError as error:
            raise RuleError(f"rule {writer.name}: {error} in C++. Give it another one, of letters, digits and underscores of ASCII.") from None
    outer = writer.blocks[0]
    token = WRITER.set(writer)
    try:
        rule.update(Views("synapses", outer, "y", SynapseView), Views("neurons", outer, "n", NeuronView), _Recording("recording", outer))
        if len(writer.blocks) > 1:
            left = spoken(writer.blocks[-1].op)
            raise RuleError(f"rule {writer.name}: a loop over {left} was left with break or return; loops go to their end. Choose with where().")
        changed = next((name for name, state in states.items() if getattr(rule, name) is not state), None)
        if changed is not None:
            raise RuleError(f"rule {writer.name}: the state {changed} was set as a whole; its rows are set one by one. Write self.{changed}[0] = row.")
    finally:
        WRITER.reset(token)
    return Recipe(tuple(outer.steps), tuple(StateRows(name, state.kind.kind, state.rows, state.initial) for name, state in states.items()))


class Rule:
    """A plasticity rule in Python, for tasks of a :class:`neckar.program.Program`; PyNN's ``PlasticityRule`` takes the same ``update``.

    Parameters
    ----------
    observables : mapping of str to Observable, optional
        What it records. The time of each invocation is recorded with them.
    """

    def __init__(self, observables: Mapping[str, Observable] | None = None) -> None:
        self.observables: dict[str, Observable] = dict(observables or {})

    def update(self, synapses: Views, neurons: Views, recording: Any) -> None:
        """Say what one invocation does; subclasses do.

        Parameters
        ----------
        synapses, neurons : Views
            ``for view in synapses``, ``for view, cells in zip(synapses, neurons)``, ``for row in view``, ``synapses[0]``.
        recording : Recording
            ``recording.name[row] = values``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update(). Define update(self, synapses, neurons, recording).")

    def text(self) -> str:
        """Return the rule as a PlasticityTask holds it: ``kernel=rule.text(), language="python", observables=rule.observables``.

        Raises
        ------
        RuleError
            If it does what the processors cannot do; the text names the line.
        """
        return write_down(self, self.observables).text()

    def generate_kernel(self) -> str:
        """Return the C++ kernel that does the same, bit for bit; raises as :meth:`text`."""
        return kernel_text(write_down(self, self.observables), self.observables)
