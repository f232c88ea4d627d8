"""Connections as upstream's calibration takes them, and what a calibration leaves on the chip behind one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3 import sta
from dlens_vx_v3.hxcomm import ConnectionHandle
from neckar.errors import ConfigurationError
from neckar.lab import Lab, current_lab
from neckar.program import TICKS_PER_US, Program, Record, Snippet


class StatefulConnectionInit(sta.PlaybackGenerator):
    """What a :class:`StatefulConnection` does first: initialise the chip. Upstream also writes a default chip, which a virtual chip is after its reset.

    Parameters
    ----------
    sta_init : sta.PlaybackGenerator
    """

    def __init__(self, sta_init: Any) -> None:
        super().__init__()
        self.sta_init = sta_init

    def generate(self) -> Any:
        """Return a builder, and None."""
        return sta.generate(self.sta_init)[0], None


class StatefulConnection:
    """A connection to one chip, which is reset and initialised first.

    Parameters
    ----------
    connection : hxcomm.ConnectionHandle
    chip_on_connection : int
        0: a connection of this version has one chip.
    init : sta.PlaybackGenerator, optional
        Initialises the chip instead of ``sta.SystemInit``.

    Raises
    ------
    ConfigurationError
        If it is no connection, or has no such chip.
    """

    def __init__(self, connection: ConnectionHandle, chip_on_connection: int = 0, init: Any = None) -> None:
        if not isinstance(connection, ConnectionHandle):
            raise ConfigurationError(f"StatefulConnection got {connection!r}; allowed is what `with hxcomm.ManagedConnection() as connection` gives.")
        if chip_on_connection != 0:
            raise ConfigurationError(f"StatefulConnection got chip {chip_on_connection}; a connection has one chip, number 0. Leave the number out.")
        self.connection, self.chip_on_connection = connection, chip_on_connection
        self.init = StatefulConnectionInit(sta.SystemInit(connection.get_hwdb_entry()[0]) if init is None else init)
        sta.run(connection, sta.generate(self.init)[0].done())

    def get_unique_identifier(self) -> str:
        """Return the name of the chip."""
        return self.connection.get_unique_identifier()[self.chip_on_connection]


def handle_of(connection: Any) -> ConnectionHandle:
    """Return the open connection behind either kind of argument.

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    handle = connection.connection if isinstance(connection, StatefulConnection) else connection
    if not isinstance(handle, ConnectionHandle):
        raise ConfigurationError(
            f"a calibration got a connection {connection!r}; allowed is what hxcomm.ManagedConnection opens, or base.StatefulConnection of it."
        )
    return handle


def lab_of(connection: Any) -> Lab:
    """Return whose chip is calibrated: the connection's, or that of a lab itself; without either the current lab's."""
    if isinstance(connection, Lab):
        return connection
    return current_lab() if connection is None else handle_of(connection).lab


def leave_on_chip(connection: Any, fields: Mapping[str, NDArray[Any]]) -> None:
    """Write register fields to the chip of a connection; without an open one, there is nothing to do."""
    if connection is None or isinstance(connection, Lab) or handle_of(connection).zero_mock:
        return
    config = {name: np.asarray(codes) for name, codes in fields.items()}
    snippets = (Snippet(2 * TICKS_PER_US, {}),)
    handle_of(connection).session.run(Program(machine="brainscales2", config=config, snippets=snippets, record=Record(spikes=())))
