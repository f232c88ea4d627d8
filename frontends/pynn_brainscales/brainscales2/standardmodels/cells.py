"""Cell types: the neuron circuit with all its registers, and spike sources."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyNN.standardmodels.cells
from numpy.typing import NDArray
from pyNN.parameters import ArrayParameter
from pyNN.standardmodels import build_translations

from neckar.errors import ConfigurationError, ParameterRangeError, UnsupportedFeatureError
from neckar.facts import Register, check_codes, registers
from neckar.network import NeuronPopulation, SourcePopulation
from pynn_brainscales.brainscales2 import simulator
from pynn_brainscales.brainscales2.standardmodels.cells_base import ExternalNeuron, NeuronCellType

__all__ = ["HXNeuron", "SpikeSourceArray"]

_REGISTERS = {name: register for name, register in registers("brainscales2").items() if register.hxneuron}


def _default(register: Register) -> bool | float:
    """Return a register's default as PyNN keeps it: switches as booleans, all else as floats."""
    return bool(register.default) if register.kind == "switch" else float(register.default)


class HXNeuron(NeuronCellType):
    """One neuron circuit; its parameters are the circuit's registers, in digital codes.

    The default is silent: everything off. Values are truncated to integers, and their range is checked when the network is mapped.

    Parameters
    ----------
    plasticity_rule : None
        Rules are not part of this version.
    **parameters : number, sequence or random distribution
        One value for all neurons of the population or one for each; the names are those of `get_parameter_names`.
    """

    recordable: ClassVar = ["spikes", "v", "exc_synin", "inh_synin", "adaptation"]
    receptor_types: ClassVar = ["excitatory", "inhibitory"]
    conductance_based = False
    injectable = True

    default_parameters: ClassVar = {**NeuronCellType.default_parameters, **{name: _default(register) for name, register in _REGISTERS.items()}}
    translations: ClassVar = build_translations(*((name, name) for name in default_parameters))
    units: ClassVar = {**NeuronCellType.units, **{name: "dimensionless" for name in (*recordable[1:], *_REGISTERS)}, "spikes": "ms"}

    @classmethod
    def get_default_values(cls) -> dict[str, bool | float]:
        """Return every parameter with its default."""
        return dict(cls.default_parameters)

    def to_network(self, label: str, size: int, begin: float, end: float, duration: int) -> NeuronPopulation:
        """Return the circuits' codes; parameters that are at their default for all neurons are left out.

        Raises
        ------
        ParameterRangeError, ConfigurationError
            If a value is no code of its register.
        UnsupportedFeatureError
            If a parameter of plasticity rules is not at its default.
        """
        values = self.parameter_space._parameters
        for name, default in NeuronCellType.default_parameters.items():
            if (values[name] != default).any():
                raise UnsupportedFeatureError(f"population {label!r}: {name} was set; plasticity rules are not part of this version. Leave it out.")
        codes = {}
        for name, register in _REGISTERS.items():
            array = values[name]
            if (array != register.default).any():
                codes[name] = _codes(label, register, array)
        return NeuronPopulation(label, size, codes)


def _codes(label: str, register: Register, values: NDArray[Any]) -> NDArray[Any]:
    """Return values as codes of a register."""
    whole = np.asarray(values, np.float64)
    if not np.isfinite(whole).all():
        raise ConfigurationError(f"population {label!r}: {register.name} is {whole[~np.isfinite(whole)][0]}; allowed: {register.allowed()}.")
    try:
        return check_codes(register, np.trunc(whole).astype(np.int64))
    except ParameterRangeError as error:
        raise ParameterRangeError(f"population {label!r}: {error}") from None


class SpikeSourceArray(ExternalNeuron, pyNN.standardmodels.cells.SpikeSourceArray):
    """Spike sources that fire at given times.

    Parameters
    ----------
    spike_times : sequence of float, or one sequence per source
        Milliseconds of hardware time, in any order, no NaN. A snippet plays those within it, ``begin <= time < end``: negative times are never played, nor are
        times beyond the end of the experiment.
    """

    default_parameters: ClassVar = {"spike_times": ArrayParameter([])}
    translations: ClassVar = build_translations(("spike_times", "spike_times"))
    recordable: ClassVar = ["spikes"]
    units: ClassVar = {"spike_times": "ms", "spikes": "ms"}

    def to_network(self, label: str, size: int, begin: float, end: float, duration: int) -> SourcePopulation:
        """Return the spikes between `begin` and `end` in ticks from `begin`, on the grid of the FPGA clock.

        Raises
        ------
        ConfigurationError
            If a time is NaN.
        """
        trains = []
        for neuron, times in enumerate(self.parameter_space["spike_times"]):
            if np.isnan(times.value).any():
                raise ConfigurationError(
                    f"population {label!r}: spike_times of neuron {neuron} holds nan at position {int(np.flatnonzero(np.isnan(times.value))[0])}; "
                    "allowed are times in ms. Remove it."
                )
            ms = times.value[(times.value >= begin) & (times.value < end)] - begin
            trains.append((ms * simulator.FPGA_CYCLES_PER_MS).astype(np.int64) * simulator.TICKS_PER_FPGA_CYCLE)
        return SourcePopulation.from_lists(label, trains)
