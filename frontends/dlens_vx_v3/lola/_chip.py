"""The whole chip."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from dlens_vx_v3._container import Container, Index, Place
from dlens_vx_v3._part import Many, Sub
from dlens_vx_v3._values import Store
from dlens_vx_v3.hal._drivers import CommonPADIBusConfig
from dlens_vx_v3.hal._ppu import PPUMemory
from dlens_vx_v3.hal._routing import BackgroundSpikeSource
from dlens_vx_v3.halco import (
    BackgroundSpikeSourceOnDLS,
    CADCOnDLS,
    ChipOnDLS,
    PPUMemoryOnDLS,
    SynapseBlockOnDLS,
    SynapseDriverBlockOnDLS,
)
from dlens_vx_v3.halco._base import CoordinateTypeError, Ranged
from dlens_vx_v3.lola._blocks import CADCReadoutChain, CapMem, Crossbar, ExternalPPUMemory, ReadoutChain, SynapseDriverBlock
from dlens_vx_v3.lola._neuron import NeuronBlock
from dlens_vx_v3.lola._synapse import SynapseBlock
from neckar.chip.config import ChipConfig

_ELSEWHERE = ("correlation_reset", "madc_enable_continuous_sampling", "board_external_voltage")
FIELDS = tuple(field for field in ChipConfig() if field not in _ELSEWHERE)
"""Register fields that belong to the chip's configuration: all but a trigger, a command of the MADC and a voltage of the board, which have own containers."""


class Chip(Container, at=ChipOnDLS):
    """All registers of the chip: a view of one :class:`~neckar.chip.config.ChipConfig`, plus storage for what the twin gives no meaning.

    Its defaults are those of the register table. Copying takes a copy of the configuration's memory.
    """

    default_neuron_bypass: ClassVar[Chip]
    """Every synaptic event makes its neuron fire: thresholds off, both bypasses on, pulses as long as possible."""

    crossbar = Sub(Crossbar)
    background_spike_sources = Many(BackgroundSpikeSource, BackgroundSpikeSourceOnDLS)
    capmem = Sub(CapMem)
    synapse_driver_blocks = Many(SynapseDriverBlock, SynapseDriverBlockOnDLS)
    synapse_blocks = Many(SynapseBlock, SynapseBlockOnDLS)
    neuron_block = Sub(NeuronBlock)
    cadc_readout_chains = Many(CADCReadoutChain, CADCOnDLS)
    readout_chain = Sub(ReadoutChain)
    ppu_memory = Many(PPUMemory, PPUMemoryOnDLS)
    external_ppu_memory = Sub(ExternalPPUMemory)

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
        """Return every register field of the chip, whole."""
        return tuple(Place(field, field, ()) for field in FIELDS)

    def codes(self, coord: Ranged) -> tuple[tuple[str, Index, Any], ...]:
        """Return every register field of the chip, whole."""
        codes = self._config.as_mapping()
        return tuple((field, (), codes[field]) for field in FIELDS)

    @classmethod
    def from_codes(cls, coord: Ranged, values: Any) -> Self:
        """Return the chip that holds whole fields, in the order of :meth:`places`."""
        chip = cls()
        chip._config.apply({place.field: codes for place, codes in zip(cls.places(coord), values, strict=True)})
        return chip

    @classmethod
    def read_from(cls, config: ChipConfig, coord: Ranged) -> Self:
        """Return a chip with a copy of a configuration."""
        return cls._view(Store(config.copy()), (), coord.known())

    def __eq__(self, other: object) -> bool:
        return self._store == other._store if isinstance(other, Chip) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


def _bypass() -> Chip:
    chip = Chip()
    chip._config.apply(
        {
            "threshold_enable": False,
            "event_routing_enable_bypass_excitatory": True,
            "event_routing_enable_bypass_inhibitory": True,
            "padi_dacen_pulse_extension": CommonPADIBusConfig.DacenPulseExtension.max,
        }
    )
    return chip


Chip.default_neuron_bypass = _bypass()
