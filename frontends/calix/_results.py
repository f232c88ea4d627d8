"""Results of a calibration with upstream's names: what was found for each circuit, and how it is brought to a chip.

A result is changed through its attributes, as upstream's is; what :meth:`CalibResult.apply` and :meth:`CalibResult.to_chip` bring to a chip is what the
attributes hold then. They write registers only: the twin's analog cells hold their values at once, so the waits of upstream's results are left out, and so are
board voltages and pads, which have no effect here (correlation voltages are written, because scripts look for them).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calix import _targets as targets
from dlens_vx_v3 import hal, halco, lola
from dlens_vx_v3._container import Container, chip_of, config_of
from neckar.calibration import Calibration
from neckar.chip.config import ChipConfig
from neckar.errors import ConfigurationError
from neckar.facts import registers

_TABLE = registers("brainscales2")
_CIRCUIT_FIELDS = tuple(name for name, row in _TABLE.items() if row.axes == ("circuit",) and not row.counter)
_BLOCKS: tuple[Any, ...] = tuple(halco.iter_all(halco.CapMemBlockOnDLS))
_DRIVERS: tuple[Any, ...] = tuple(halco.iter_all(halco.SynapseDriverOnDLS))
_NEURON_CELLS = (
    *("neuron_v_bias_casc_n", "neuron_i_bias_readout_amp", "neuron_i_bias_leak_source_follower", "neuron_i_bias_spike_comparator"),
    *("neuron_i_bias_synin_drop", "syn_i_bias_dac"),
)


@dataclass
class CalibResult:
    """Base of all results: a dataclass, so that results of one's own begin with these two attributes.

    Attributes
    ----------
    target : CalibTarget
    options : CalibOptions
    """

    target: Any
    options: Any

    def apply(self, builder: Any) -> None:
        """Append the writes that bring the result to a chip.

        Parameters
        ----------
        builder : sta.PlaybackProgramBuilder or sta.PlaybackProgramBuilderDumper

        Raises
        ------
        ConfigurationError
            If it is something else.
        """
        if not hasattr(builder, "write"):
            kind = type(builder).__name__
            raise ConfigurationError(f"apply() got a {kind}; allowed is a sta.PlaybackProgramBuilder or its dumper. For a chip, use to_chip(chip=...).")
        for coordinate, container in self._pairs():
            builder.write(coordinate, container)

    def to_chip(self, initial_config: Any = None, chip: Any = None) -> Any:
        """Return a chip with the result.

        Parameters
        ----------
        initial_config : sta.PlaybackProgramBuilderDumper, optional
            What was configured before.
        chip : lola.Chip, optional
            What the result is written onto; it is not changed. A chip after a reset by default.

        Returns
        -------
        lola.Chip
        """
        if initial_config is not None:
            from dlens_vx_v3 import sta

            chip = sta.convert_to_chip(initial_config, chip)
        whole = lola.Chip() if chip is None else copy.copy(chip)
        self._write(config_of(whole))
        return whole

    def to_asic(self, chip: Any = None) -> Any:
        """Return :meth:`to_chip`."""
        return self.to_chip(chip=chip)

    def _pairs(self) -> Iterator[tuple[Any, Container]]:
        """Yield coordinates and containers in the order of writing."""
        raise NotImplementedError

    def _write(self, config: ChipConfig) -> None:
        """Write the registers to a configuration."""
        for coordinate, container in self._pairs():
            container.write_to(config, coordinate)


def _cells(**values: Any) -> Iterator[tuple[Any, hal.CapMemCell]]:
    """Yield shared cells of the quadrants, each value a number or one per quadrant."""
    for name, codes in values.items():
        for block, code in zip(_BLOCKS, np.broadcast_to(np.asarray(codes, np.int64), len(_BLOCKS)), strict=True):
            cell = hal.CapMemCell()
            cell.value = hal.CapMemCell.Value(int(code))
            yield halco.CapMemCellOnDLS(getattr(halco.CapMemCellOnCapMemBlock, name), block), cell


@dataclass
class CADCCalibResult(CalibResult):
    """The parallel converter.

    Attributes
    ----------
    v_ramp_offset, i_ramp_slope : ndarray, shape (quadrant,)
    channel_offset : ndarray, shape (channel,)
        In the order of ``CADCChannelConfigOnDLS``: top causal, top acausal, bottom causal, bottom acausal.
    success : ndarray of bool, shape (channel,)
    """

    target: Any
    options: Any
    v_ramp_offset: NDArray[Any] = field(default_factory=lambda: np.empty(4, int))
    i_ramp_slope: NDArray[Any] = field(default_factory=lambda: np.empty(4, int))
    channel_offset: NDArray[Any] = field(default_factory=lambda: np.zeros(1024, int))
    success: NDArray[np.bool_] | None = None

    @classmethod
    def _of(cls, found: Calibration, target: Any, options: Any) -> CADCCalibResult:
        quadrants = found.reached("quadrant").reshape(2, 1, 2).repeat(128, axis=2)
        channels = found.reached("hemisphere,cadc_channel,column") & quadrants
        f = found.fields
        ramps = (f["cadc_v_ramp_offset"].astype(int), f["cadc_i_ramp_slope"].astype(int))
        return cls(target, options, *ramps, f["cadc_channel_offset"].reshape(-1).astype(int), channels.reshape(-1))

    def _pairs(self) -> Iterator[tuple[Any, Container]]:
        for coordinate in halco.iter_all(halco.CADCConfigOnDLS):
            config = hal.CADCConfig()
            config.enable = True
            yield coordinate, config
        yield from _cells(cadc_v_bias_ramp_buf=400, cadc_i_bias_comp=1022, cadc_i_bias_vreset_buf=1022)
        yield from _cells(cadc_v_ramp_offset=self.v_ramp_offset, cadc_i_ramp_slope=self.i_ramp_slope)
        for coordinate, offset in zip(halco.iter_all(halco.CADCChannelConfigOnDLS), self.channel_offset, strict=True):
            channel = hal.CADCChannelConfig()
            channel.offset = hal.CADCChannelConfig.Offset(int(offset))
            yield coordinate, channel


class Neurons(MutableMapping[Any, Any]):
    """The calibrated neuron circuits by ``AtomicNeuronOnDLS``; each is live, so ``neurons[coord].leak.v_leak = 700`` changes the result.

    Parameters
    ----------
    fields : mapping of str to ndarray
        Register fields of the circuits.
    """

    def __init__(self, fields: Mapping[str, NDArray[Any]]) -> None:
        self._chip = chip_of(ChipConfig({name: fields[name] for name in _CIRCUIT_FIELDS if name in fields}))

    def __getitem__(self, coordinate: Any) -> lola.AtomicNeuron:
        return self._chip.neuron_block.atomic_neurons[coordinate]

    def __setitem__(self, coordinate: Any, neuron: lola.AtomicNeuron) -> None:
        self._chip.neuron_block.atomic_neurons[coordinate] = neuron

    def __delitem__(self, coordinate: Any) -> None:
        raise ConfigurationError(f"the result was asked to forget {coordinate}; it holds all circuits of the chip. Overwrite it with lola.AtomicNeuron().")

    def __iter__(self) -> Iterator[Any]:
        return iter(halco.iter_all(halco.AtomicNeuronOnDLS))

    def __len__(self) -> int:
        return int(halco.AtomicNeuronOnDLS.size)

    def fields(self) -> dict[str, NDArray[Any]]:
        """Return the register fields of all circuits."""
        config = config_of(self._chip)
        return {name: config[name] for name in _CIRCUIT_FIELDS}


@dataclass
class NeuronCalibResult(CalibResult):
    """The neurons.

    Attributes
    ----------
    neurons : mapping of AtomicNeuronOnDLS to lola.AtomicNeuron
    cocos : dict of coordinates to containers
        What the neurons share.
    success : dict of AtomicNeuronOnDLS to bool
    """

    target: Any
    options: Any
    neurons: MutableMapping[Any, Any]
    cocos: dict[Any, Any]
    success: dict[Any, bool]

    @classmethod
    def _of(cls, found: Calibration, target: Any, options: Any) -> NeuronCalibResult:
        config = ChipConfig(found.fields)
        kinds = {
            halco.ColumnCorrelationRowOnDLS: lola.ColumnCorrelationRow,
            halco.ColumnCurrentRowOnDLS: lola.ColumnCurrentRow,
            halco.CommonNeuronBackendConfigOnDLS: hal.CommonNeuronBackendConfig,
        }
        shared: dict[Any, Any] = {at: kind.read_from(config, at) for coordinate, kind in kinds.items() for at in halco.iter_all(coordinate)}
        shared |= dict(_cells(**{name: config[name] for name in _NEURON_CELLS}))
        success = dict(zip(halco.iter_all(halco.AtomicNeuronOnDLS), found.reached().tolist(), strict=True))
        return cls(target, options, Neurons(found.fields), shared, success)

    @property
    def success_mask(self) -> NDArray[np.bool_]:
        """Success of all neurons, shape (circuit,)."""
        return np.array(list(self.success.values()), bool)

    def _pairs(self) -> Iterator[tuple[Any, Container]]:
        yield from self.neurons.items()
        yield from self.cocos.items()

    def _write(self, config: ChipConfig) -> None:
        if isinstance(self.neurons, Neurons):
            config.apply(self.neurons.fields())
        else:
            for coordinate, neuron in self.neurons.items():
                neuron.write_to(config, coordinate)
        for coordinate, container in self.cocos.items():
            container.write_to(config, coordinate)


@dataclass
class STPCalibResult(CalibResult):
    """Short-term plasticity: an offset for each driver. Applied, drivers have it and are switched off otherwise.

    Attributes
    ----------
    offsets : ndarray, shape (driver of both hemispheres,)
    """

    target: Any
    options: Any
    offsets: NDArray[Any]

    @classmethod
    def _of(cls, found: Calibration, target: Any, options: Any) -> STPCalibResult:
        return cls(target, options, found.fields["driver_offset"].reshape(-1).astype(int))

    def _pairs(self) -> Iterator[tuple[Any, Container]]:
        ramp = self.options.i_ramp.to_numpy()
        voltages = {f"stp_{name}": getattr(self.target, name).to_numpy() for name in ("v_charge_0", "v_charge_1", "v_recover_0", "v_recover_1")}
        yield from _cells(stp_i_ramp=ramp, stp_i_calib=ramp, stp_i_bias_comparator=1022, **voltages)
        neutral = ChipConfig()
        for coordinate, offset in zip(_DRIVERS, self.offsets, strict=True):
            driver = hal.SynapseDriverConfig.read_from(neutral, coordinate)
            driver.offset = hal.SynapseDriverConfig.Offset(int(offset))
            yield coordinate, driver


@dataclass
class SynapseDriverCalibResult(CalibResult):
    """The drivers for matrix multiplication.

    Attributes
    ----------
    capmem_cells : dict of CapMemCellOnDLS to hal.CapMemCell
    synapse_driver_configs : dict of SynapseDriverOnDLS to hal.SynapseDriverConfig
    success : dict of SynapseDriverOnDLS to bool
    """

    target: Any
    options: Any
    capmem_cells: dict[Any, Any]
    synapse_driver_configs: dict[Any, Any]
    success: dict[Any, bool]

    @classmethod
    def _of(cls, found: Calibration, options: Any) -> SynapseDriverCalibResult:
        config = ChipConfig(found.fields)
        cells = dict(_cells(stp_i_ramp=config["stp_i_ramp"], stp_i_calib=config["stp_i_calib"]))
        drivers = {at: hal.SynapseDriverConfig.read_from(config, at) for at in _DRIVERS}
        success = found.reached("hemisphere,driver").reshape(-1).tolist()
        return cls(None, options, cells, drivers, dict(zip(_DRIVERS, success, strict=True)))

    def _pairs(self) -> Iterator[tuple[Any, Container]]:
        yield from _cells(stp_i_bias_comparator=1022)
        yield from self.capmem_cells.items()
        yield from self.synapse_driver_configs.items()


@dataclass
class CorrelationCalibResult(CalibResult):
    """The correlation sensors.

    Attributes
    ----------
    i_bias_ramp, i_bias_store : ndarray, shape (quadrant,)
    amp_calib, time_calib : ndarray, shape (circuit, row)
        Bits of each synapse: of the column of a neuron circuit, by row of its hemisphere.
    """

    target: Any
    options: Any
    i_bias_ramp: NDArray[Any]
    i_bias_store: NDArray[Any]
    amp_calib: NDArray[Any]
    time_calib: NDArray[Any]

    @classmethod
    def _of(cls, found: Calibration, target: Any, options: Any) -> CorrelationCalibResult:
        f = found.fields
        bits = (f[name].transpose(0, 2, 1).reshape(512, 256).astype(int) for name in ("synapse_amp_calib", "synapse_time_calib"))
        return cls(target, options, f["syn_i_bias_ramp"].astype(int), f["syn_i_bias_store"].astype(int), *bits)

    def _pairs(self) -> Iterator[tuple[Any, Container]]:
        board = lola.DACChannelBlock()
        channels: Any = halco.DACChannelOnBoard
        board.set_voltage(channels.v_res_meas, float(self.options.v_res_meas))
        board.set_voltage(channels.mux_dac_25, float(self.options.v_reset))
        yield halco.DACChannelBlockOnBoard(), board
        yield from self._chip_pairs()

    def _chip_pairs(self) -> Iterator[tuple[Any, Container]]:
        yield from _cells(syn_i_bias_ramp=self.i_bias_ramp, syn_i_bias_store=self.i_bias_store, syn_i_bias_corout=600)
        for number, coordinate in enumerate(halco.iter_all(halco.SynapseCorrelationCalibMatrixOnDLS)):
            matrix = lola.SynapseCorrelationCalibMatrix()
            half = slice(256 * number, 256 * number + 256)
            matrix.amp_calibs.from_numpy(np.broadcast_to(self.amp_calib, (512, 256))[half].T)
            matrix.time_calibs.from_numpy(np.broadcast_to(self.time_calib, (512, 256))[half].T)
            yield coordinate, matrix

    def _write(self, config: ChipConfig) -> None:
        for coordinate, container in self._chip_pairs():
            container.write_to(config, coordinate)


@dataclass
class _Whole(CalibResult):
    """Base of the results of a whole chip: parts in the order in which they are applied.

    Attributes
    ----------
    provenance : dict of str to str
        Where the result comes from: method (oracle or measurement), chip, effects, versions. Not part of upstream's result.
    """

    target: Any
    options: Any

    def _parts(self) -> tuple[CalibResult | None, ...]:
        raise NotImplementedError

    def _pairs(self) -> Iterator[tuple[Any, Container]]:
        for part in self._parts():
            if part is not None:
                yield from part._pairs()

    def _write(self, config: ChipConfig) -> None:
        for part in self._parts():
            if part is not None:
                part._write(config)


@dataclass
class SpikingCalibResult(_Whole):
    """A chip for spiking networks.

    Attributes
    ----------
    cadc_result : CADCCalibResult
    neuron_result : NeuronCalibResult
    stp_result : STPCalibResult
    correlation_result : CorrelationCalibResult or None
    provenance : dict of str to str
    """

    cadc_result: CADCCalibResult
    neuron_result: NeuronCalibResult
    stp_result: STPCalibResult
    correlation_result: CorrelationCalibResult | None = None
    provenance: dict[str, str] = field(default_factory=dict)

    def _parts(self) -> tuple[CalibResult | None, ...]:
        return self.correlation_result, self.cadc_result, self.neuron_result, self.stp_result


@dataclass
class HagenCalibResult(_Whole):
    """A chip for matrix multiplication by integration on membranes.

    Attributes
    ----------
    cadc_result : CADCCalibResult
    neuron_result : NeuronCalibResult
    synapse_driver_result : SynapseDriverCalibResult
    provenance : dict of str to str
    """

    cadc_result: CADCCalibResult
    neuron_result: NeuronCalibResult
    synapse_driver_result: SynapseDriverCalibResult
    provenance: dict[str, str] = field(default_factory=dict)

    def _parts(self) -> tuple[CalibResult | None, ...]:
        return self.cadc_result, self.neuron_result, self.synapse_driver_result

    def to_hagen_synin_result(
        self, connection: Any, *, cadc_target: Any = None, cadc_options: Any = None, synapse_dac_bias: int | None = None
    ) -> HagenSyninCalibResult:
        """Return the calibration for integration on synaptic lines with the same drivers; what is missing is measured on the chip of a connection.

        Parameters
        ----------
        connection : StatefulConnection or hxcomm.ConnectionHandle
            Its chip is left with the new result.
        cadc_target, cadc_options, synapse_dac_bias : optional
            By default those of ``HagenSyninCalibTarget`` and ``HagenSyninCalibOptions``.
        """
        from calix._lines import change_to_lines

        return change_to_lines(self, connection, cadc_target, cadc_options, synapse_dac_bias)


@dataclass
class HagenSyninCalibResult(_Whole):
    """A chip for matrix multiplication by integration on synaptic lines.

    Attributes
    ----------
    cadc_result : CADCCalibResult
    synapse_driver_result : SynapseDriverCalibResult
    syn_i_bias_dac : ndarray, shape (quadrant,)
    neuron_result : NeuronCalibResult
        The static configuration of the neurons; upstream's result makes it when it is applied.
    provenance : dict of str to str
    """

    cadc_result: CADCCalibResult
    synapse_driver_result: SynapseDriverCalibResult
    syn_i_bias_dac: NDArray[Any]
    neuron_result: NeuronCalibResult
    provenance: dict[str, str] = field(default_factory=dict)

    def _parts(self) -> tuple[CalibResult | None, ...]:
        return self.neuron_result, self.cadc_result, self.synapse_driver_result

    def _pairs(self) -> Iterator[tuple[Any, Container]]:
        yield from super()._pairs()
        yield from _cells(syn_i_bias_dac=self.syn_i_bias_dac)

    def _write(self, config: ChipConfig) -> None:
        super()._write(config)
        for coordinate, cell in _cells(syn_i_bias_dac=self.syn_i_bias_dac):
            cell.write_to(config, coordinate)


def result_of(found: Calibration) -> SpikingCalibResult | HagenCalibResult | HagenSyninCalibResult:
    """Return what a calibration found, in upstream's classes."""
    target, options = targets.from_neckar(found.target)
    cadc = CADCCalibResult._of(found, target.cadc_target, options.cadc_options)
    origin = dict(found.provenance)
    if isinstance(target, targets.SpikingCalibTarget):
        correlation = None
        if target.correlation_target is not None:
            correlation = CorrelationCalibResult._of(found, target.correlation_target, options.correlation_options)
        neurons = NeuronCalibResult._of(found, target.neuron_target, options.neuron_options)
        stp = STPCalibResult._of(found, target.stp_target, options.stp_options)
        return SpikingCalibResult(target, options, cadc, neurons, stp, correlation, origin)
    drivers = SynapseDriverCalibResult._of(found, options.synapse_driver_options)
    if isinstance(target, targets.HagenSyninCalibTarget):
        static = NeuronCalibResult._of(found, None, None)
        return HagenSyninCalibResult(target, options, cadc, drivers, found.fields["syn_i_bias_dac"].astype(int), static, origin)
    neurons = NeuronCalibResult._of(found, target.neuron_target, options.neuron_options)
    return HagenCalibResult(target, options, cadc, neurons, drivers, origin)
