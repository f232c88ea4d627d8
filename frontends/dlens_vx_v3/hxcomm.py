"""Connections (upstream's `pyhxcomm_vx`): the way from a script to a chip. Here it leads to the virtual chip of the current lab.

A connection holds one chip from the moment it is opened until it is closed: registers that a program leaves behind are found by the next one. Two
connections never share a chip.

Which connection is made follows upstream's environment variables, the first of this list that is set:

1. ``HXCOMM_ENABLE_ZERO_MOCK``: a mock without a chip. Programs are checked, and nothing comes back.
2. ``QUIGGELDY_ENABLED``: a site with its scheduler. Neckar has no such service yet; it is refused.
3. any other, or none: a virtual chip in this process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from neckar.errors import ConfigurationError, UnsupportedFeatureError

if TYPE_CHECKING:
    from neckar.lab import Lab, Session

__all__ = [
    "ConnectionHandle",
    "ManagedConnection",
    "ManagedMultiZeroMockConnection",
    "VirtualChipEntry",
    "ZeroMockEntry",
]

CHOOSES_CONNECTION = (
    "HXCOMM_ENABLE_ZERO_MOCK",
    "QUIGGELDY_ENABLED",
    "QUIGGELDY_IP",
    "QUIGGELDY_PORT",
    "QUIGGELDY_USER_NO_MUNGE",
    "SLURM_FPGA_IPS",
    "FLANGE_SIMULATION_RCF_PORT",
    "FLANGE_SIMULATION_RCF_HOST",
)
"""Environment variables from which upstream chooses a connection."""

ZERO_MOCK_IDENTIFIER = "zeromock"
_OFF = ("", "0", "false", "off", "no")


class ConnectionStateError(ConfigurationError, RuntimeError):
    """A connection is used before it was opened or after it was closed, or opened twice."""


class NotConstructibleError(ConfigurationError, TypeError):
    """A type that only a function makes."""


@dataclass(frozen=True)
class ZeroMockEntry:
    """What the hardware database knows about the mock: nothing. Takes the place of a chip's entry for :class:`~dlens_vx_v3.sta.ChipInit`."""


@dataclass(frozen=True)
class VirtualChipEntry:
    """What takes the place of a hardware database entry.

    Parameters
    ----------
    identifier : str
        Of the virtual chip.
    """

    identifier: str


@dataclass
class Board:
    """What a connection holds beside the registers of the chip.

    Attributes
    ----------
    stored : dict
        The last container written to each coordinate.
    madc_awake : bool
        Whether the membrane converter can be started.
    """

    stored: dict[Any, Any] = field(default_factory=dict)
    madc_awake: bool = False

    def copy(self) -> Board:
        """Return a copy; the containers are shared."""
        return Board(dict(self.stored), self.madc_awake)

    def reset_chip(self) -> None:
        """Forget what belongs to the chip: all but the containers of board and FPGA."""
        self.stored = {place: container for place, container in self.stored.items() if type(place).__name__.endswith(("OnBoard", "OnFPGA"))}
        self.madc_awake = False


class ConnectionHandle:
    """An open connection. Made by ``with ManagedConnection() as connection``.

    Attributes
    ----------
    lab : Lab
        Whose chip it is, and where runs are counted.
    zero_mock : bool
        Whether there is no chip behind it.
    board : Board
        What it holds beside the registers of the chip.

    Raises
    ------
    NotConstructibleError
        If it is called directly.
    """

    lab: Lab
    zero_mock: bool
    board: Board
    _session: Session | None

    def __init__(self) -> None:
        raise NotConstructibleError("ConnectionHandle was called; a handle comes from a connection. Write: with hxcomm.ManagedConnection() as connection.")

    @classmethod
    def _open(cls, zero_mock: bool) -> ConnectionHandle:
        from neckar.lab import current_lab

        handle = object.__new__(cls)
        handle.lab = current_lab()
        handle.zero_mock = zero_mock
        handle.board = Board()
        handle._session = handle.lab.session()
        return handle

    @property
    def session(self) -> Session:
        """The lab's session that holds the chip.

        Raises
        ------
        ConnectionStateError
            If the connection is closed.
        """
        if self._session is None:
            raise ConnectionStateError(
                "a program or question came to a closed connection; allowed are open ones. Keep it inside the block `with hxcomm.ManagedConnection()`."
            )
        return self._session

    def get_unique_identifier(self) -> list[str]:
        """Return the identifier of each chip of the connection; a virtual chip's is what ``neckar chip`` calls it."""
        assert self.session
        return [ZERO_MOCK_IDENTIFIER if self.zero_mock else self.lab.specimen.id]

    def get_hwdb_entry(self) -> list[VirtualChipEntry | ZeroMockEntry]:
        """Return an entry for each chip of the connection."""
        return [ZeroMockEntry() if self.zero_mock else VirtualChipEntry(*self.get_unique_identifier())]

    def get_bitfile_info(self) -> list[str]:
        """Return what runs in place of each chip's FPGA."""
        import neckar

        return [f"virtual chip, neckar {neckar.__version__}" for _ in self.get_unique_identifier()]

    bitfile_info = property(get_bitfile_info)

    def size(self) -> int:
        """Return the number of chips: 1."""
        return 1

    __len__ = size

    def __repr__(self) -> str:
        state = "closed" if self._session is None else ", ".join(self.get_unique_identifier())
        return f"ConnectionHandle({state}{'' if self.zero_mock else ', virtual chip'})"

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None


class ManagedConnection:
    """Opens a connection for the length of a ``with`` block.

    Parameters
    ----------
    connection_count : int, optional
        Number of chips; 1 by default, which is all this version has.

    Raises
    ------
    ConfigurationError
        If it is below 1.
    UnsupportedFeatureError
        If it is more than 1, or the environment asks for a site.

    Examples
    --------
    >>> from dlens_vx_v3 import hxcomm
    >>> with hxcomm.ManagedConnection() as connection:
    ...     names = connection.get_unique_identifier()
    """

    def __init__(self, connection_count: int | None = None) -> None:
        if connection_count is not None and connection_count < 1:
            raise ConfigurationError(f"ManagedConnection got {connection_count} chips; allowed is 1. Leave the number out.")
        if connection_count is not None and connection_count > 1:
            raise UnsupportedFeatureError(
                f"ManagedConnection got {connection_count} chips; allowed is 1. Open a connection inside each of several neckar.Lab blocks."
            )
        self._handle: ConnectionHandle | None = None

    def __enter__(self) -> ConnectionHandle:
        if self._handle is not None:
            raise ConnectionStateError("a managed connection was entered twice; allowed is once at a time. Make a second ManagedConnection.")
        self._handle = ConnectionHandle._open(self._zero_mock())
        return self._handle

    def __exit__(
        self, kind: type[BaseException] | None = None, error: BaseException | None = None, trace: TracebackType | None = None
    ) -> None:
        if self._handle is not None:
            self._handle._close()
        self._handle = None

    def _zero_mock(self) -> bool:
        return choice() == "zeromock"


class ManagedMultiZeroMockConnection(ManagedConnection):
    """A connection to the mock without a chip, whatever the environment says; otherwise as :class:`ManagedConnection`."""

    def _zero_mock(self) -> bool:
        return True


def choice(environment: Mapping[str, str] | None = None) -> Literal["zeromock", "virtual"]:
    """Return which connection the environment asks for.

    Raises
    ------
    UnsupportedFeatureError
        If it asks for a site.
    """
    variables = os.environ if environment is None else environment
    if variables.get("HXCOMM_ENABLE_ZERO_MOCK", "").lower() not in _OFF:
        return "zeromock"
    if variables.get("QUIGGELDY_ENABLED", "").lower() not in _OFF:
        raise UnsupportedFeatureError(
            f"QUIGGELDY_ENABLED={variables['QUIGGELDY_ENABLED']} asks for the scheduler of a site; this version of Neckar runs virtual chips in the process "
            "itself and has no such service. Remove the variable QUIGGELDY_ENABLED."
        )
    return "virtual"
