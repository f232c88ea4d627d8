"""Whether a task can carry out its rule in Python: its views, observables and states, and what an invocation asks of the host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from neckar.errors import ProgramError
from neckar.ppu._evaluate import LOOKS
from neckar.ppu._recipe import EACH, ROWS, Recipe, Step, check_member, parse
from neckar.program import NeuronView, PlasticityTask, PlasticityView

MAX_TIME = 5.0
"""Seconds of the host that an invocation may take at worst; a sandbox ends a kernel after as many 1e9 instructions."""

_STEP, _FACTOR, _DRAW, _LOOK = 10e-6, 8e-6, 50e-6, 100e-6  # seconds of the host for a step on one row, a factor of a power, random numbers, a look at the chip


def check_fit(task: PlasticityTask) -> None:
    """Refuse a task whose rule in Python cannot work on its views.

    Raises
    ------
    RuleError, ProgramError
    """
    recipe, views, neurons, observables = parse(task.kernel), task.views, task.neurons, task.observables
    where = f"plasticity task {task.name!r}: its rule in Python "
    if task.symbols or task.read_symbols:
        names = ", ".join(sorted({*task.symbols, *task.read_symbols}))
        raise ProgramError(f"{where}has no global variables; asked for were {names}. Record its states as observables, and give a State its first value.")
    for name in observables:
        try:
            check_member(name)
        except ValueError as error:
            raise ProgramError(f"{where}has an observable whose name does not do: {error}. Give it another name.") from None
    sizes = {"synapses": len(views), "neurons": len(neurons)}
    for view in sorted({view for step in recipe.walk() for view in _views_of(step) if "[" in view}):
        kind, number = view[:-1].split("[")
        if int(number) >= sizes[kind]:
            raise ProgramError(f"{where}uses {view}; the task has {sizes[kind]} of them. Give it more views, or loop over them.")
    takes = max(_host_time(recipe, views, neurons, hemisphere) for hemisphere in (0, 1))
    if takes > MAX_TIME:
        raise ProgramError(
            f"{where}may take {takes:.3g} s of the host for one invocation; allowed are {MAX_TIME:g} s, or {MAX_TIME / _STEP:,.0f} steps on a row. Give it "
            "fewer rows, or do less in each: powers, random numbers and looks at sensors take longest."
        )
    for step in recipe.walk():
        if step.op.startswith("record_"):
            observable = observables.get(str(step.args[0]))
            shape = {"record_row": "synapse", "record_cells": "neuron"}.get(step.op)
            fits = observable is not None and observable.type == step.kind and (observable.shape == shape if shape else isinstance(observable.shape, int))
            if not fits or (isinstance(step.args[1], int) and observable is not None and step.args[1] >= int(observable.shape)):
                what = f"{step.args[0]!r} as {step.kind} per {shape or 'element'}"
                raise ProgramError(f"{where}records {what}; the task has {observable}. Give it the rule's observables.")
        if step.op == EACH:
            _check_each(where, step, views, neurons)
        if step.op == ROWS and len(step.binds) > 1:
            _check_together(where, [views[int(over[9:-1])] for over, _ in step.binds])
        _check_states(where, step, recipe, views)


def _views_of(step: Step) -> Iterator[str]:
    yield from (over for over, _ in step.binds)
    yield from (argument for argument in step.args if isinstance(argument, str))


def _check_each(where: str, step: Step, views: Sequence[PlasticityView], neurons: Sequence[NeuronView]) -> None:
    lists = {"synapses": [view.hemisphere for view in views], "neurons": [view.hemisphere for view in neurons]}
    went = [lists[over] for over, _ in step.binds]
    if any(one != went[0] for one in went[1:]):
        raise ProgramError(
            f"{where}loops over synapses and neurons together; the task has views of synapses on the hemispheres {lists['synapses']} and of neurons on "
            f"{lists['neurons']}, which must be the same. Attach the rule to projections and populations that lie on the same hemispheres in this order."
        )


def _check_together(where: str, views: Sequence[PlasticityView]) -> None:
    found = [(view.hemisphere, len(view.rows)) for view in views]
    if len(set(found)) > 1:
        raise ProgramError(f"{where}loops over rows of several views together; their hemispheres and numbers of rows, {found}, must be equal. Loop one by one.")


def _check_states(where: str, step: Step, recipe: Recipe, views: Sequence[PlasticityView]) -> None:
    """Check loops over rows whose number is that of a state's row."""
    if step.op != EACH and step.op != ROWS:
        return
    sizes = {state.name: state.rows for state in recipe.states}
    for loop in [step] if step.op == ROWS else [one for one in step.body if one.op == ROWS]:
        rows = {name for _, name in loop.binds}
        for name in sorted({str(one.args[0]) for one in loop.body if one.op in ("get_state", "set_state") and one.args[1] in rows}):
            over = loop.binds[0][0]
            if "[" not in over and step.op == ROWS:
                continue  # looked at with its loop over views
            mine = [views[int(over[9:-1])]] if "[" in over else list(views)
            sides = [view.hemisphere for view in mine]
            if any(len(view.rows) > sizes[name] for view in mine):
                most = max(len(view.rows) for view in mine)
                raise ProgramError(f"{where}keeps {sizes[name]} rows in the state {name}; a view has {most}. Make it State(..., rows={most}).")
            if len(set(sides)) < len(sides):
                raise ProgramError(
                    f"{where}keeps the state {name} by the rows of each view; several views on one hemisphere would share it. Take the views by number, "
                    "synapses[0], with a state for each."
                )


def _host_time(recipe: Recipe, views: Sequence[PlasticityView], neurons: Sequence[NeuronView], hemisphere: int) -> float:
    """Return how many seconds an invocation on one hemisphere takes at worst, row after row."""
    rows = [len(view.rows) if view.hemisphere == hemisphere else 0 for view in views]
    every = sum(rows)
    sides = {"synapses": [view.hemisphere for view in views], "neurons": [view.hemisphere for view in neurons]}
    numbers = {name: some.count(hemisphere) for name, some in sides.items()}

    def total(steps: Sequence[Step], times: int) -> float:
        seconds = _STEP * times
        for step in steps:
            over = step.binds[0][0] if step.binds else ""
            if step.op == EACH:
                seconds += total(step.body, numbers[over])
            elif step.op == ROWS:
                seconds += total(step.body, times * rows[int(over[9:-1])] if "[" in over else every)
            else:
                seconds += times * _step_time(step)
        return seconds

    return total(recipe.steps, 1)


def _step_time(step: Step) -> float:
    seconds = _STEP
    if step.op == "pow":
        seconds += _FACTOR * int(step.args[1])
    elif step.op in ("random", "round_stochastic"):
        seconds += _DRAW
    elif step.op in LOOKS:
        seconds += _LOOK
    return seconds
