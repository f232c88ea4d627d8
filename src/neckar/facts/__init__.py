"""What is known about the machines: register tables, constants and their sources.

Public: :func:`registers`, :func:`register_groups`, :class:`Register`, :func:`check_field`, :func:`check_codes`, :data:`AXES`,
:data:`CROSSBAR_NODE_EXISTS`, :data:`CAPMEM_MAX`, :data:`CAPMEM_REFRESH_DISABLED`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from neckar.errors import UnknownNameError, nearest
from neckar.facts import registers_brainscales2
from neckar.facts._register import AXES, CAPMEM_MAX, CAPMEM_REFRESH_DISABLED, Register, check_codes, check_field
from neckar.facts.registers_brainscales2 import CROSSBAR_COUNTER_STATES, CROSSBAR_DROP_COUNTER_STATES, CROSSBAR_NODE_EXISTS

__all__ = [
    "AXES",
    "CAPMEM_MAX",
    "CAPMEM_REFRESH_DISABLED",
    "CROSSBAR_COUNTER_STATES",
    "CROSSBAR_DROP_COUNTER_STATES",
    "CROSSBAR_NODE_EXISTS",
    "Register",
    "check_codes",
    "check_field",
    "register_groups",
    "registers",
]

Groups = Mapping[str, tuple[Register, ...]]

_GROUPS: Mapping[str, Groups] = {"brainscales2": registers_brainscales2.GROUPS, "brainscales1": {}}


def _by_name(groups: Groups) -> Mapping[str, Register]:
    rows = [register for group in groups.values() for register in group]
    table = {register.name: register for register in rows}
    if len(table) != len(rows):
        raise RuntimeError("a register table holds a name twice")
    return MappingProxyType(table)


_TABLES = {machine: _by_name(groups) for machine, groups in _GROUPS.items()}


def register_groups(machine: str) -> Groups:
    """Return the registers of a machine by the circuit they belong to, in the order of the documentation.

    Raises
    ------
    UnknownNameError
        If there is no such machine.
    """
    _require(machine)
    return _GROUPS[machine]


def registers(machine: str) -> Mapping[str, Register]:
    """Return the register table of a machine: field name to :class:`Register`, counters included.

    Parameters
    ----------
    machine : str
        ``"brainscales2"`` or ``"brainscales1"``. The table of the wafer machine is empty in this version.

    Raises
    ------
    UnknownNameError
        If there is no such machine.
    """
    _require(machine)
    return _TABLES[machine]


def _require(machine: str) -> None:
    if machine not in _TABLES:
        raise UnknownNameError(f"unknown machine {machine!r}{nearest(machine, _TABLES)} Known: {', '.join(_TABLES)}.")
