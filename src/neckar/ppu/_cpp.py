"""From a rule in Python to the C++ kernel that does the same, with upstream's names only."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping

from neckar.ppu._headers import TOKEN
from neckar.ppu._recipe import EACH, ROWS, Recipe, Step
from neckar.ppu._rows import KINDS
from neckar.program import Observable

_HEADERS = {
    "where": "libnux/vx/vector_if.h",
    "saturate_weight": "libnux/vx/vector_row_math.h",
    "pow": "libnux/vx/vector_row_math.h",
    "random": "libnux/vx/parallel_rng.h",
    "seed": "libnux/vx/parallel_rng.h",
    "round_stochastic": "libnux/vx/vector_round_stochastic.h",
    "get_labels": "libnux/vx/vector.h",
    "set_labels": "libnux/vx/vector.h",
}
_VALUES = {
    "const": "{kind}({0})", "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "neg": "-{0}", "left": "{0} << {1}", "right": "{0} >> {1}",
    "pow": "pow({0}, {1})", "where": "vector_if({0}, VectorIfCondition::{1}, {2}, {3})", "convert": "static_cast<{kind}>({0})",
    "contiguous": "{0}.convert_contiguous()", "saturate_weight": "saturate_weight({0})", "random": "parallel_rng_rand<{kind}>()",
    "round_stochastic": "vector_round_stochastic({0}, {1})", "broadcast": "{kind}({0})", "element": "{0}[{1}]",
}  # fmt: skip


def kernel_text(recipe: Recipe, observables: Mapping[str, Observable]) -> str:
    """Return the kernel of a rule, C++.

    Parameters
    ----------
    recipe : Recipe
    observables : mapping of str to Observable
        Of the rule; with any, the kernel takes a ``Recording``.
    """
    return _kernel_text(recipe, tuple(sorted((name, observable.layout == "complete_rows") for name, observable in observables.items())))


@functools.lru_cache(maxsize=64)
def _kernel_text(recipe: Recipe, whole: tuple[tuple[str, bool], ...]) -> str:
    return "\n".join(_Text(recipe, dict(whole)).lines()) + "\n"


class _Text:
    """One kernel on its way into text."""

    def __init__(self, recipe: Recipe, whole: Mapping[str, bool]) -> None:
        self._recipe, self._whole = recipe, whole
        self._rows: dict[str, tuple[str, str]] = {}  # of each row: its view and the variable that counts

    def lines(self) -> Iterator[str]:
        """Return the lines."""
        headers = {"grenade/vx/ppu/neuron_view_handle.h", "grenade/vx/ppu/synapse_array_view_handle.h"}
        headers |= {_HEADERS[step.op] for step in self._recipe.walk() if step.op in _HEADERS} | {"libnux/vx/vector_row.h"}
        headers |= {"hate/tuple.h"} if any(step.op == EACH for step in self._recipe.steps) else set()
        headers |= {"grenade/vx/ppu/time.h"} if self._whole else set()
        yield "// written by Neckar from a rule in Python"
        yield "#include <array>"
        yield from (f'#include "{name}"' for name in sorted(headers))
        yield from ("using namespace grenade::vx::ppu;", "using namespace libnux::vx;", "", "extern volatile PPUOnDLS ppu;")
        yield from self._states()
        third = ", Recording& recording" if self._whole else ""
        yield from ("", "template <size_t N, size_t M>")
        yield f"void {TOKEN}(std::array<SynapseArrayViewHandle, N>& synapses, std::array<NeuronViewHandle, M>& neurons{third})"
        yield "{"
        if self._whole:
            yield "\trecording.time = grenade::vx::ppu::now();"
        yield from self._steps(self._recipe.steps, "\t")
        yield "}"

    def _states(self) -> Iterator[str]:
        if not self._recipe.states:
            return
        yield from ("", "namespace {", "")
        for state in self._recipe.states:
            kind = _row(state.kind)
            rows = f"std::array<{kind}, {state.rows}>"
            if state.initial:
                yield f"{rows} filled_{state.name}()"
                yield from ("{", f"\t{rows} rows;", f"\trows.fill({kind}({state.initial}));", "\treturn rows;", "}", "")
                yield f"{rows} state_{state.name} = filled_{state.name}();"
            else:
                yield f"{rows} state_{state.name};"
        yield from ("", "} // namespace")

    def _steps(self, steps: tuple[Step, ...], indent: str) -> Iterator[str]:
        for step in steps:
            write: Callable[[Step], Iterator[str]] = {EACH: self._each, ROWS: self._loop}.get(step.op, self._step)
            for line in write(step):
                yield indent + line

    def _each(self, step: Step) -> Iterator[str]:
        """A loop over views: a lambda for each of them, with their part of the recording."""
        recorded = {
            str(one.args[0]): f"recording.{one.args[0]}" for one in _inside(step) if one.op in ("record_row", "record_cells") and self._is_of(one, step)
        }
        parameters = [f"auto const& {name}" for _, name in step.binds] + [f"auto& recorded_{name}" for name in recorded]
        yield f"hate::for_each([&]({', '.join(parameters)}) {{"
        yield f"\tif ({step.binds[0][1]}.hemisphere != ppu) {{"
        yield from ("\t\treturn;", "\t}")
        yield from self._steps(step.body, "\t")
        yield f"}}, {', '.join([over for over, _ in step.binds] + list(recorded.values()))});"

    def _is_of(self, record: Step, each: Step) -> bool:
        """Return whether a step records what belongs to a view of this loop."""
        names = {name for _, name in each.binds}
        rows = {row for one in _inside(each) if one.op == ROWS for over, row in one.binds if over in names}
        return record.args[1] in names | rows

    def _loop(self, step: Step) -> Iterator[str]:
        """A loop over rows; views of the task itself belong to one processor."""
        counter = step.binds[0][1]
        for over, name in step.binds:
            self._rows[name] = over, counter
        view = step.binds[0][0]
        inner = ""
        if "[" in view:
            yield f"if ({view}.hemisphere == ppu) {{"
            inner = "\t"
        yield f"{inner}for (size_t {counter} = 0; {counter} < {view}.rows.size(); ++{counter}) {{"
        yield from self._steps(step.body, f"{inner}\t")
        yield f"{inner}}}"
        if inner:
            yield "}"

    def _step(self, step: Step) -> Iterator[str]:
        op, args = step.op, step.args
        if step.out:
            yield f"auto const {step.out} = {self._value(step)};"
        elif op in ("set_weights", "reset_correlation"):
            view, row = self._rows[str(args[0])]
            yield f"{view}.{op}({''.join(f'{value}, ' for value in args[1:])}{row});"
        elif op == "set_labels":
            view, row = self._rows[str(args[0])]
            yield f"set_row_via_vector_masked({args[1]}, {view}.column_mask, {view}.rows[{row}], dls_decoder_base);"
        elif op == "seed":
            yield f"parallel_rng_seed({args[0]});"
        elif op == "set_state":
            yield f"state_{args[0]}[{self._index(args[1])}] = {args[2]};"
        elif op == "record_array":
            yield f"recording.{args[0]}[{args[1]}] = {args[2]};"
        else:
            yield from self._record(step)

    def _value(self, step: Step) -> str:
        op, args = step.op, step.args
        if op in _VALUES:
            return _VALUES[op].format(*args, kind=_row(step.kind))
        if op == "get_state":
            return f"state_{args[0]}[{self._index(args[1])}]"
        if op == "get_analog_readouts" or op.startswith("get_rate"):
            call = f"{args[0]}.get_analog_readouts()" if op == "get_analog_readouts" else f"{args[0]}.get_rate_counters({str(op.endswith('reset')).lower()})"
            return f"{args[0]}.hemisphere == ppu ? {call} : {_row(step.kind)}()" if "[" in str(args[0]) else call
        view, row = self._rows[str(args[0])]
        return f"get_row_via_vector({view}.rows[{row}], dls_decoder_base)" if op == "get_labels" else f"{view}.{op}({row})"

    def _record(self, step: Step) -> Iterator[str]:
        """Store what belongs to a row or to neurons, as whole rows or column by column."""
        name, place, value = (str(argument) for argument in step.args)
        view, row = self._rows[place] if step.op == "record_row" else (place, "")
        of_task = "[" in view
        target = f"std::get<{view.partition('[')[2][:-1]}>(recording.{name})" if of_task else f"recorded_{name}"
        target += f"[{row}]" if row else ""
        guarded = of_task and not row
        if guarded:
            yield f"if ({view}.hemisphere == ppu) {{"
        indent = "\t" if guarded else ""
        if self._whole[name]:
            yield f"{indent}{target} = {value};"
        else:
            yield f"{indent}for (size_t c = 0; c < {view}.columns.size(); ++c) {{"
            yield f"{indent}\t{target}[c] = {value}[{view}.columns[c]];"
            yield f"{indent}}}"
        if guarded:
            yield "}"

    def _index(self, index: str | int) -> str:
        return self._rows[index][1] if isinstance(index, str) else str(index)


def _inside(step: Step) -> Iterator[Step]:
    for one in step.body:
        yield one
        yield from _inside(one)


def _row(kind: str) -> str:
    return f"VectorRow{KINDS[kind]}"
