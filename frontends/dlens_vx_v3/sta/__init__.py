"""Playback programs (upstream's `pystadls_vx_v3`): commands that are built first and executed at once, on the chip of a connection.

A builder collects writes, reads and waits; :func:`run` translates them to one :class:`neckar.program.Program`, hands it to the connection's session and
gives the answers to the tickets. How time passes stands in :mod:`dlens_vx_v3.sta._timeline`.
"""

from dlens_vx_v3.sta._binary import from_portablebinary, to_portablebinary
from dlens_vx_v3.sta._builders import (
    AbsoluteTimePlaybackProgramBuilder,
    DumperDone,
    PlaybackProgramBuilder,
    PlaybackProgramBuilderDumper,
    convert_to_builder,
    convert_to_chip,
    convert_to_dumper,
)
from dlens_vx_v3.sta._commands import ContainerTicket
from dlens_vx_v3.sta._init import (
    ASICAdapterBoardInit,
    ChipInit,
    CubeASICAdapterBoardInit,
    JboaASICAdapterBoardInit,
    PlaybackGenerator,
    SystemInit,
    generate,
)
from dlens_vx_v3.sta._program import PlaybackProgram
from dlens_vx_v3.sta._run import ReinitStackEntry, run

__all__ = [
    "ASICAdapterBoardInit",
    "AbsoluteTimePlaybackProgramBuilder",
    "ChipInit",
    "ContainerTicket",
    "CubeASICAdapterBoardInit",
    "DumperDone",
    "JboaASICAdapterBoardInit",
    "PlaybackGenerator",
    "PlaybackProgram",
    "PlaybackProgramBuilder",
    "PlaybackProgramBuilderDumper",
    "ReinitStackEntry",
    "SystemInit",
    "convert_to_builder",
    "convert_to_chip",
    "convert_to_dumper",
    "from_portablebinary",
    "generate",
    "run",
    "to_portablebinary",
]
