"""The whole chip."""

from __future__ import annotations

from typing import Self

from dlens_vx_v3._container import Container, Place, Store, Sub
from dlens_vx_v3.halco import ChipOnDLS
from dlens_vx_v3.halco._base import CoordinateTypeError, Ranged
from dlens_vx_v3.lola._neuron import NeuronBlock
from neckar.chip.config import ChipConfig


class Chip(Container, at=ChipOnDLS):
    """All registers of the chip: a view of one :class:`~neckar.chip.config.ChipConfig`, plus storage for what the twin gives no meaning.

    Its defaults are those of the register table. Copying takes a copy of the configuration's memory.
    """

    neuron_block = Sub(NeuronBlock)

    def __init__(self, other: Self | None = None) -> None:
        if other is not None and not isinstance(other, Chip):
            raise CoordinateTypeError(f"Chip is made from nothing or from a Chip, got {type(other).__name__}.")
        self._place(Store(ChipConfig()) if other is None else other._store.copy(), (), ChipOnDLS().known())

    @property
    def _config(self) -> ChipConfig:
        """The live configuration."""
        config = self._store.config
        assert config is not None
        return config

    @classmethod
    def places(cls, coord: Ranged) -> tuple[Place, ...]:
        """Return every register field, whole."""
        return tuple(Place(field, field, ()) for field in ChipConfig())

    def __eq__(self, other: object) -> bool:
        return self._store == other._store if isinstance(other, Chip) else NotImplemented

    __hash__ = None  # type: ignore[assignment]
