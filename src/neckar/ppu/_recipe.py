"""A rule in Python as plain data: the steps that its ``update`` has written down, and their text in a Program.

The text is JSON, one step per line: name of the operation, what it makes, kind of elements, arguments, what a loop binds, and its body. What a step makes
is named by a letter and a number that counts through the text: ``v`` rows, ``s`` single elements, ``y`` synapse views, ``n`` neuron views, ``r`` rows of a
view. Views of the task itself are ``synapses[k]`` and ``neurons[k]``. One rule has one text, so equal texts are equal rules.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from neckar.errors import RuleError
from neckar.ppu._exchange import COLUMNS
from neckar.ppu._rows import CONDITIONS, KINDS, WIDTH

VERSION = 1
MAX_DEPTH, MAX_STEPS, MAX_STATES, MAX_POWER = 2, 20_000, 64, 255
MAX_SHIFT = 255

# Arguments: R a row of any kind, r one of the step's kind, s an element, i an integer, w a row of a view, c a neuron view, n a name, x a row or an integer
VALUES = {
    "const": "i", "add": "rr", "sub": "rr", "mul": "rr", "neg": "r", "left": "ri", "right": "ri", "pow": "ri", "where": "Rnrr",
    "convert": "R", "contiguous": "R", "saturate_weight": "r", "random": "", "round_stochastic": "ri", "broadcast": "s", "get_state": "nx",
    "get_weights": "w", "get_labels": "w", "get_causal_correlation": "w", "get_acausal_correlation": "w",
    "get_rate_counters": "c", "get_rate_counters_and_reset": "c", "get_analog_readouts": "c",
}  # fmt: skip
EFFECTS = {
    "set_weights": "wR", "set_labels": "wR", "reset_correlation": "w", "set_state": "nxr", "seed": "R", "record_row": "nwr", "record_cells": "ncr",
    "record_array": "nis",
}  # fmt: skip
ELEMENT, EACH, ROWS = "element", "each", "rows"
UNSIGNED_BYTES = frozenset(
    {
        *("get_weights", "get_labels", "get_causal_correlation", "get_acausal_correlation"),
        *("get_rate_counters", "get_rate_counters_and_reset", "get_analog_readouts"),
    }
)
_WORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class co_await co_return co_yield compl concept const
const_cast consteval constexpr constinit continue decltype default delete do double dynamic_cast else enum explicit export extern false float for friend goto
if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast requires return short
signed sizeof static static_assert static_cast struct switch template this thread_local throw true try typedef typeid typename union unsigned using virtual
void volatile wchar_t while xor xor_eq
"""
KEYWORDS = frozenset(_WORDS.split())
"""Of C++20."""

_OF_RECORDINGS = frozenset({"time", "Recording", "int8_t", "uint8_t", "int16_t", "uint16_t", "uint64_t"})

_VIEW = re.compile(r"(synapses|neurons)\[(0|[1-9]\d{0,3})\]\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes
    ----------
    op : str
    out : str
        What it makes; empty for nothing.
    kind : str
        Kind of the elements; of a step that takes and makes no row empty.
    args : tuple of str or int
    binds : tuple of (str, str)
        Of a loop: what it goes through, and the name of each one.
    body : tuple of Step
        Of a loop.
    """

    op: str
    out: str = ""
    kind: str = ""
    args: tuple[str | int, ...] = ()
    binds: tuple[tuple[str, str], ...] = ()
    body: tuple[Step, ...] = ()

    def plain(self) -> list[Any]:
        """Return it as lists, without what is empty at the end."""
        whole: list[Any] = [self.op, self.out, self.kind, list(self.args), [list(bind) for bind in self.binds], [step.plain() for step in self.body]]
        while not whole[-1]:
            whole.pop()
        return whole


@dataclass(frozen=True)
class StateRows:
    """Rows that a rule keeps between invocations: name, kind of elements, number, and value at first."""

    name: str
    kind: str
    rows: int
    initial: int

    @property
    def bytes(self) -> int:
        """What they take of a processor's memory."""
        return self.rows * COLUMNS * WIDTH[self.kind] // 8


@dataclass(frozen=True)
class Recipe:
    """A rule.

    Attributes
    ----------
    steps : tuple of Step
    states : tuple of StateRows
    """

    steps: tuple[Step, ...]
    states: tuple[StateRows, ...] = ()

    def text(self) -> str:
        """Return the text that a Program holds; :func:`parse` inverts it."""
        head = {"neckar_rule": VERSION, "states": [[s.name, s.kind, s.rows, s.initial] for s in self.states]}
        lines = [json.dumps(head, separators=(",", ":")), *(json.dumps(step.plain(), separators=(",", ":")) for step in self.steps)]
        return "\n".join(lines) + "\n"

    def walk(self) -> Iterator[Step]:
        """Return all steps, those of loops after their loop."""
        yield from _walk(self.steps)


def _walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _walk(step.body)


@functools.lru_cache(maxsize=32)
def parse(text: str) -> Recipe:
    """Return the rule that a text holds.

    Raises
    ------
    RuleError
        If it is not what :meth:`Recipe.text` returns.
    """
    head, *lines = text.splitlines() or [""]
    try:
        about = json.loads(head)
        if not isinstance(about, dict) or about.get("neckar_rule") != VERSION:
            raise ValueError(f"it does not begin with the version, {VERSION}")
        states = tuple(StateRows(*one) for one in about["states"])
        recipe = Recipe(tuple(_step(json.loads(line), 0) for line in lines), states)
        _Check(recipe).steps(recipe.steps, {})
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RuleError(f"the text of a rule in Python is none of this version: {error}. Make it with Rule.text() or by running the PyNN script.") from None
    if recipe.text() != text:
        raise RuleError("the text of a rule in Python is not in its one form. Make it with Rule.text() or by running the PyNN script.")
    return recipe


def _step(plain: Any, depth: int) -> Step:
    if depth > MAX_DEPTH or not isinstance(plain, list) or not 1 <= len(plain) <= 6:
        raise ValueError(f"{str(plain)[:40]} is no step")
    whole: list[Any] = [*plain, *["", "", "", [], [], []][len(plain) :]]
    op, out, kind, args, binds, body = whole
    if not all(isinstance(word, str) for word in (op, out, kind)):
        raise ValueError(f"{str(plain)[:40]} is no step")
    return Step(op, out, kind, tuple(args), tuple((str(a), str(b)) for a, b in binds), tuple(_step(one, depth + 1) for one in body))


class _Check:
    """Checks that every step of a text makes sense: it may come from a file."""

    def __init__(self, recipe: Recipe) -> None:
        self._states = {state.name: state for state in recipe.states}
        if len(recipe.states) > MAX_STATES or len(self._states) != len(recipe.states):
            raise ValueError(f"it has {len(recipe.states)} states; allowed are {MAX_STATES} with different names")
        for state in recipe.states:
            check_name(state.name)
            check_kind(state.kind)
            if not (_is_int(state.rows) and 1 <= state.rows <= 256 and _is_int(state.initial)):
                raise ValueError(f"the state {state.name} has {state.rows} rows of {state.initial}")
            check_element(state.kind, state.initial)
        self._count = 0
        self._made = 0

    def _new(self, letter: str, name: str) -> None:
        if name != f"{letter}{self._made}":
            raise ValueError(f"{name!r} stands where {letter}{self._made} is due")
        self._made += 1

    def steps(self, steps: tuple[Step, ...], known: Mapping[str, str], loops: tuple[str, ...] = (EACH, ROWS)) -> None:
        """Check steps that know some names, with the kinds of rows and elements, and may be some loops."""
        inside = dict(known)
        for step in steps:
            self._count += 1
            if self._count > MAX_STEPS:
                raise ValueError(f"it has more than {MAX_STEPS} steps")
            if step.op in (EACH, ROWS):
                if step.op not in loops:
                    raise ValueError(f"a loop {step.op} stands in another; allowed are rows in each")
                self._loop(step, inside)
            else:
                self._plain(step, inside)

    def _plain(self, step: Step, known: dict[str, str]) -> None:
        pattern = {**VALUES, **EFFECTS, ELEMENT: "ri"}.get(step.op)
        if pattern is None or len(pattern) != len(step.args) or step.binds or step.body:
            raise ValueError(f"there is no step {step.op!r} with {len(step.args)} arguments")
        if step.kind or step.op in VALUES or step.op == ELEMENT:
            check_kind(step.kind)
        for code, argument in zip(pattern, step.args, strict=True):
            self._argument(step, code, argument, known)
        self._numbers(step, known)
        if step.op in VALUES or step.op == ELEMENT:
            self._new("s" if step.op == ELEMENT else "v", step.out)
            known[step.out] = step.kind
        elif step.out:
            raise ValueError(f"{step.op} makes nothing")

    def _argument(self, step: Step, code: str, argument: str | int, known: Mapping[str, str]) -> None:
        text = isinstance(argument, str)
        if code == "i" or (code == "x" and not text):
            good = _is_int(argument)
        elif code == "n":
            good = text and (_NAME.match(str(argument)) is not None)
        elif code == "c":
            good = text and str(argument).startswith("n") and (argument in known or _VIEW.match(str(argument)) is not None)
        else:
            good = argument in known and text and str(argument)[0] == {"R": "v", "r": "v", "s": "s", "w": "r", "x": "r"}[code]
        if good and code in "rs":
            good = known[str(argument)] == step.kind
        if not good:
            raise ValueError(f"{step.op} takes no {argument!r}")

    def _numbers(self, step: Step, known: Mapping[str, str]) -> None:
        """Check integers, names and kinds."""
        op, args, kind = step.op, step.args, step.kind
        if op == "const":
            check_element(kind, int(args[0]))
        limits = {"left": MAX_SHIFT, "right": MAX_SHIFT, "pow": MAX_POWER, "round_stochastic": MAX_SHIFT, ELEMENT: COLUMNS - 1}
        if op in limits and not (-MAX_SHIFT if op in ("left", "right") else 0) <= int(args[1]) <= limits[op]:
            raise ValueError(f"{op} takes no {args[1]}")
        if op == "record_array" and not 0 <= int(args[1]) < 1 << 20:
            raise ValueError(f"{op} takes no {args[1]}")
        if op == "where" and (args[1] not in CONDITIONS or WIDTH[known[str(args[0])]] != WIDTH[kind]):
            raise ValueError(f"where takes no {args[1]!r} of {known[str(args[0])]} for {kind}")
        if op.startswith("record_"):
            check_member(str(args[0]))
        source = known.get(str(args[0]), "") if args else ""
        if op == "convert" and not is_convertible(source, kind):
            raise ValueError(f"{source} is not converted to {kind}")
        if op == "contiguous" and (source == kind or WIDTH[source] != WIDTH[kind]):
            raise ValueError(f"contiguous makes no {kind} of {source}")
        if op in UNSIGNED_BYTES and kind != "uint8":
            raise ValueError(f"{op} gives no {kind}")
        if op == "saturate_weight" and WIDTH[kind] != 8:
            raise ValueError(f"saturate_weight takes no {kind}")
        if op in ("set_weights", "set_labels", "seed") and known[str(args[-1])] != "uint8":
            raise ValueError(f"{op} takes no {known[str(args[-1])]}")
        if op in ("get_state", "set_state"):
            state = self._states.get(str(args[0]))
            if state is None or state.kind != kind or (_is_int(args[1]) and not 0 <= int(args[1]) < state.rows):
                raise ValueError(f"there is no state {args[0]!r} of {kind} with row {args[1]!r}")

    def _loop(self, step: Step, known: dict[str, str]) -> None:
        if step.out or step.kind or step.args or not step.binds:
            raise ValueError(f"a loop {step.op} goes through nothing")
        inside = dict(known)
        for over, name in step.binds:
            if step.op == EACH and over in ("synapses", "neurons"):
                self._new({"synapses": "y", "neurons": "n"}[over], name)
            elif step.op == ROWS and ((over.startswith("y") and over in known) or (over.startswith("synapses") and _VIEW.match(over))):
                self._new("r", name)
            else:
                raise ValueError(f"a loop {step.op} does not go through {over!r}")
            inside[name] = ""
        if step.op == ROWS and len(step.binds) > 1 and any("[" not in over for over, _ in step.binds):
            raise ValueError("a loop over rows of several views does not go through views of a loop")
        self.steps(step.body, inside, (ROWS,) if step.op == EACH else ())


def _is_int(value: object) -> bool:
    return type(value) is int


def check_name(name: str) -> None:
    """Refuse what is no name in C++."""
    if not isinstance(name, str) or _NAME.match(name) is None:
        raise ValueError(f"{name!r} is no name")


def check_member(name: str) -> None:
    """Refuse what cannot be a member of a Recording in C++."""
    check_name(name)
    if name in KEYWORDS or name in _OF_RECORDINGS:
        raise ValueError(f"{name!r} belongs to {'C++' if name in KEYWORDS else 'every record'}")


def check_kind(kind: str) -> None:
    """Refuse what is no kind of elements."""
    if kind not in KINDS:
        raise ValueError(f"there are no elements {kind!r}")


def range_of(kind: str) -> tuple[int, int]:
    """Return least and greatest element."""
    width = WIDTH[kind]
    return (0, 2**width - 1) if kind.startswith("u") else (-(2 ** (width - 1)), 2 ** (width - 1) - 1)


def check_element(kind: str, value: int) -> None:
    """Refuse what is no element of a kind."""
    low, high = range_of(kind)
    if not low <= value <= high:
        raise ValueError(f"{value} lies outside of {kind}")


def is_convertible(source: str, kind: str) -> bool:
    """Return whether a conversion exists: to the other sign, or to the other width, one at a time."""
    return source in KINDS and source != kind and (WIDTH[source] == WIDTH[kind] or source.startswith("u") == kind.startswith("u"))
