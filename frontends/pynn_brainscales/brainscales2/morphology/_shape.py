"""From compartments and stretches of the shared line to the shape that the mapper places: grid, switches, checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import neckar.network
from neckar.chip.coordinates import COLUMNS_PER_BACKEND
from neckar.facts import AXES
from neckar.network import Morphology
from pynn_brainscales.brainscales2._errors import ShapeError, ShapeTypeError
from pynn_brainscales.brainscales2.morphology.parts import Compartment, SharedLineConnection

Place = tuple[int, int]
"""Column and row."""


def make_morphology(compartments: Any, connections: Any) -> Morphology:
    """Return the shape of a neuron after checking that it can exist.

    The circuits of the compartments come first, in their order; circuits that only carry the line follow. Each compartment sends its spikes from its first
    circuit.

    Raises
    ------
    ShapeTypeError
        If the arguments are no sequences of compartments and connections, or leave the grid.
    ShapeError
        If a circuit belongs to two compartments or is connected to the line twice, the circuits of a compartment are no neighbours, two compartments are
        connected without a conductance, or some are not connected at all.
    """
    parts = _checked(compartments, Compartment, "compartments")
    stretches = _checked(connections if connections is not None else (), SharedLineConnection, "connections")
    members = [[_place(position) for position in part.positions] for part in parts]
    line = _line_of(stretches)
    _check_members(parts, members)
    places = [place for part in members for place in part]
    places += [place for place in dict.fromkeys(place for row in line for place in row) if place not in set(places)]
    _check_connected(parts, members, line)
    left, top = min(column for column, _ in places), min(row for _, row in places)
    numbers = {place: number for number, place in enumerate(places)}
    labels = [part.label for part in parts]
    return Morphology(
        tuple((column - left, row - top) for column, row in places),
        tuple(
            neckar.network.Compartment(
                part.label if labels.count(part.label) == 1 else f"{part.label}[{i}]", tuple(numbers[place] for place in mine), numbers[mine[0]]
            )
            for i, (part, mine) in enumerate(zip(parts, members, strict=True))
        ),
        _switches(parts, members, line, places),
    )


def _checked(parts: Any, kind: type, name: str) -> list[Any]:
    """Return parts as a list of one type."""
    if isinstance(parts, str | SharedLineConnection) or not isinstance(parts, Iterable):
        raise ShapeTypeError(f"{name} is {parts!r}; allowed is a sequence of {kind.__name__}.")
    listed = list(parts)
    for part in listed:
        if not isinstance(part, kind):
            raise ShapeTypeError(f"{name} holds {part!r}; allowed are objects of type {kind.__name__}.")
    if not listed and kind is Compartment:
        raise ShapeError("a neuron without compartments was asked for; allowed is at least one.")
    return listed


def _place(position: int) -> Place:
    """Return column and row of a position on the grid."""
    if not 0 <= position < AXES["hemisphere"] * COLUMNS_PER_BACKEND:
        raise ShapeTypeError(f"position {position} was asked for; allowed are 0 to {AXES['hemisphere'] * COLUMNS_PER_BACKEND - 1}, row * 128 + column.")
    return position % COLUMNS_PER_BACKEND, position // COLUMNS_PER_BACKEND


def _line_of(stretches: Sequence[SharedLineConnection]) -> list[list[Place]]:
    """Return the connected stretches of the shared line, each a list of neighbouring places."""
    closed: set[Place] = set()  # segments to the right of these
    for start, stop, row in stretches:
        if not (all(isinstance(number, int) for number in (start, stop, row)) and 0 <= start <= stop < COLUMNS_PER_BACKEND and 0 <= row < AXES["hemisphere"]):
            raise ShapeTypeError(
                f"the shared line was asked for from column {start} to {stop} of row {row}; allowed are columns 0 to {COLUMNS_PER_BACKEND - 1}, the start not "
                f"behind the stop, and rows 0 to {AXES['hemisphere'] - 1}."
            )
        closed |= {(column, row) for column in range(start, stop)}
    lines: list[list[Place]] = []
    for column, row in sorted(closed, key=lambda place: (place[1], place[0])):
        if lines and lines[-1][-1] == (column, row):
            lines[-1].append((column + 1, row))
        else:
            lines.append([(column, row), (column + 1, row)])
    return lines


def _check_members(parts: Sequence[Compartment], members: list[list[Place]]) -> None:
    """Check each compartment on its own, and that no circuit belongs to two."""
    seen: dict[Place, str] = {}
    for part, mine in zip(parts, members, strict=True):
        if not mine:
            raise ShapeError(f"compartment {part.label!r} has no circuits; allowed is at least one.")
        for place, position in zip(mine, part.positions, strict=True):
            if place in seen:
                raise ShapeError(f"the circuit at position {position} belongs to the compartments {seen[place]!r} and {part.label!r}; allowed is one.")
            seen[place] = part.label
        both = sorted(set(part.connect_shared_line) & {position for position, _ in part.connect_conductance})
        if both:
            raise ShapeError(
                f"compartment {part.label!r} connects the circuit at position {both[0]} to the shared line twice, directly and by a conductance. Choose one."
            )
        if _reached([mine[0]], lambda place, inside=set(mine): _neighbours(place) & inside) != set(mine):
            raise ShapeError(f"the circuits of compartment {part.label!r} at {list(part.positions)} are no neighbours of each other; allowed is one block.")


def _check_connected(parts: Sequence[Compartment], members: list[list[Place]], line: list[list[Place]]) -> None:
    """Check that conductances, and only these, separate compartments that are all connected to each other."""
    stretch_of = {place: k for k, stretch in enumerate(line) for place in stretch}
    touching: list[set[int]] = []  # compartments at each stretch of the line
    for k in range(len(line)):
        direct = [i for i, part in enumerate(parts) if any(stretch_of.get(_place(position)) == k for position in part.connect_shared_line)]
        if len(direct) > 1:
            raise ShapeError(
                f"the compartments {parts[direct[0]].label!r} and {parts[direct[1]].label!r} are both connected to the same stretch of the shared line "
                "directly; allowed is one, the others by a conductance. Make them one compartment, or use connect_conductance."
            )
        by_conductance = {i for i, part in enumerate(parts) if any(stretch_of.get(_place(position)) == k for position, _ in part.connect_conductance)}
        touching.append({*direct, *by_conductance})
    reached = _reached([0], lambda i: {j for group in touching if i in group for j in group})
    apart = [part.label for i, part in enumerate(parts) if i not in reached]
    if apart:
        raise ShapeError(f"compartment {apart[0]!r} is not connected to compartment {parts[0].label!r}; connect both to one stretch of the shared line.")
    if not all(touching):
        unused = line[[bool(group) for group in touching].index(False)]
        raise ShapeError(f"the shared line from column {unused[0][0]} to {unused[-1][0]} of row {unused[0][1]} connects no compartment. Leave it out.")


def _switches(parts: Sequence[Compartment], members: list[list[Place]], line: list[list[Place]], places: list[Place]) -> dict[str, tuple[int, ...]]:
    """Return the switches of each circuit."""
    right, vertical = set(), set()
    for mine in members:
        for column, row in mine:
            right |= {(column, row)} if (column + 1, row) in mine else set()
            vertical |= {(column, row)} if (column, 1 - row) in mine else set()
    on = {
        "multicompartment_connect_right": right,
        "multicompartment_connect_vertical": vertical,
        "multicompartment_connect_soma": {_place(position) for part in parts for position in part.connect_shared_line},
        "multicompartment_enable_conductance": {_place(position) for part in parts for position, _ in part.connect_conductance},
        "multicompartment_connect_soma_right": {place for stretch in line for place in stretch[:-1]},
    }
    return {name: tuple(int(place in places_on) for place in places) for name, places_on in on.items()}


def _neighbours(place: Place) -> set[Place]:
    column, row = place
    return {(column - 1, row), (column + 1, row), (column, 1 - row)}


def _reached(start: list[Any], neighbours: Any) -> set[Any]:
    """Return all that can be reached from a start over neighbours."""
    reached, waiting = set(start), list(start)
    while waiting:
        new = neighbours(waiting.pop()) - reached
        reached |= new
        waiting += new
    return reached
