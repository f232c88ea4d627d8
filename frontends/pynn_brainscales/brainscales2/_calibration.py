"""The calibration behind calibrating cells: one target for the whole chip, and its result in the base configuration.

All calibrated populations of an experiment share a chip, so they share a calibration: each neuron's targets are those of its circuit, circuits without a
calibrated neuron keep the targets of ``injected_calib_target``, and three targets are the same for the whole chip. A network that needs several execution
instances has a calibration for each of them, because a circuit holds another neuron in each; so does grenade (``abstract/calibration/jit.cpp``).
What calibrates is :func:`calix.calibrate`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3 import logger
from dlens_vx_v3._container import config_of
from dlens_vx_v3.halco._base import CoordinateOverflowError
from neckar.chip.config import ChipConfig
from neckar.errors import ConfigurationError, ParameterRangeError
from pynn_brainscales.brainscales2._errors import RunStateError
from pynn_brainscales.brainscales2.standardmodels._calibrated import CHIP_GLOBAL, CalibHXNeuronCuba

if TYPE_CHECKING:
    from neckar.lab import Lab, Session
    from pynn_brainscales.brainscales2._layout import Layout

_PER_CIRCUIT = {"v_rest": ("leak", 255), "v_reset": ("reset", 255), "v_thresh": ("threshold", 255), "cm": ("membrane_capacitance", 63)}
"""Parameters of cells that are whole numbers: name in the target, and largest value."""

_TIMES = {"tau_m": "tau_mem", "tau_refrac": "refractory_time"}
_US_PER_S = 1e6
_OVERWRITTEN = "Calibrating cells are used with initial_config, which is overwritten by their calibration."
_log = logger.get("pyNN.brainscales2")


def checked_start(target: Any, options: Any) -> None:
    """Check the types of ``setup(injected_calib_target=..., injected_calib_options=...)``."""
    if target is None and options is None:
        return
    from calix.spiking import SpikingCalibOptions, SpikingCalibTarget

    for keyword, given, kind in (("injected_calib_target", target, SpikingCalibTarget), ("injected_calib_options", options, SpikingCalibOptions)):
        if given is not None and not isinstance(given, kind):
            raise ConfigurationError(f"setup({keyword}={given!r}) was asked for; allowed is a calix.spiking.{kind.__name__}. Create one, or leave it out.")


class Calibrator:
    """Calibrates the chip of an experiment whenever targets of its neurons have changed.

    Parameters
    ----------
    lab : neckar.lab.Lab
        Whose chip it is.
    session : neckar.lab.Session, optional
        An open session of the user's; then it is its lab's chip.
    """

    def __init__(self, lab: Lab, session: Session | None = None) -> None:
        self._lab, self._session = lab, session
        self._done: tuple[Any, Any] | None = None  # target and options, and the chip that holds their result
        self._instances: dict[int, tuple[Any, Any, Any, Any]] = {}  # for each: target and options, what the chip held, the chip of their result, its copy

    def update(self, populations: Sequence[Any], chip: Any, start: Any, options: Any, cache: Sequence[Path] | None, overwrites: bool) -> None:
        """Calibrate, if there are calibrated populations and their targets have changed.

        Parameters
        ----------
        populations : sequence of Population
        chip : lola.Chip
            Live; takes the result. Changes that a user has made to circuits since the last calibration stay, until targets change.
        start, options : SpikingCalibTarget and SpikingCalibOptions, or None
            Targets of what the neurons do not determine.
        cache : sequence of Path or None
            As `cache_paths` of :func:`calix.calibrate`.
        overwrites : bool
            Whether a configuration of the user's is overwritten, which is logged.

        Raises
        ------
        RunStateError
            If a target that belongs to the whole chip differs between neurons.
        ParameterRangeError
            If a parameter of a cell is out of range, above it also an OverflowError; names cell and range.
        """
        calibrated = calibrating(populations)
        if not calibrated:
            return
        target = _target([_Cells(population, np.arange(population.size), population.circuits[:, 0]) for population in calibrated], start)
        if self._done is not None and self._done[0] == (target, options) and self._done[1] is chip:
            known = [population for population in calibrated if not population.celltype.is_calibrated]
            _hand_out(known, chip)
            return
        if overwrites:
            _log.WARN(_OVERWRITTEN)
        result = self._calibrated(target, options, cache)
        base = config_of(chip)
        base.apply(config_of(result.to_chip(chip=chip)).delta_from(base))
        self._done = (target, copy.deepcopy(options)), chip
        _hand_out(calibrated, chip)

    def update_instances(
        self, populations: Sequence[Any], layout: Layout, chip: Any, start: Any, options: Any, cache: Sequence[Path] | None, overwrites: bool
    ) -> dict[int, ChipConfig]:
        """Calibrate the execution instances whose targets have changed; return what each instance with calibrated neurons starts from.

        Parameters
        ----------
        populations : sequence of Population
        layout : Layout
            Where the neurons are.
        chip : lola.Chip
            What is not calibrated is as here.
        start, options, cache, overwrites
            As of :meth:`update`.

        Raises
        ------
        RunStateError, ParameterRangeError
            As :meth:`update`; targets that belong to a whole chip may differ between instances.
        """
        numbers = {id(population): number for number, population in enumerate(populations)}
        calibrated = calibrating(populations)
        cells: dict[int, list[_Cells]] = {}
        for population in calibrated:
            instance_of, circuits = layout.instance_of[numbers[id(population)]], layout.members[numbers[id(population)]][:, 0]
            for instance in np.unique(instance_of).tolist():
                chosen = np.flatnonzero(instance_of == instance)
                cells.setdefault(instance, []).append(_Cells(population, chosen, circuits[chosen]))
        from dlens_vx_v3 import lola

        targets = {instance: _target(part, start) for instance, part in cells.items()}
        held = config_of(chip)
        again = [i for i, target in targets.items() if i not in self._instances or self._instances[i][:2] != ((target, options), held)]
        if again and overwrites:
            _log.WARN(_OVERWRITTEN)
        for instance in again:
            result = self._calibrated(targets[instance], options, cache)
            live = result.to_chip(chip=chip)
            self._instances[instance] = (targets[instance], copy.deepcopy(options)), held.copy(), live, lola.Chip(live)
        chips, found = ({instance: self._instances[instance][part] for instance in cells} for part in (2, 3))
        if again:
            _hand_out_instances(calibrated, cells, chips, found)
        return {instance: config_of(live).copy() for instance, live in chips.items()}

    def _calibrated(self, target: Any, options: Any, cache: Sequence[Path] | None) -> Any:
        import calix

        return calix.calibrate(target, options, cache, connection=self._lab if self._session is None else self._session.lab)


class _Cells(NamedTuple):
    """Neurons of a population and their circuits."""

    population: Any
    chosen: NDArray[np.int64]
    circuits: NDArray[np.int64]

    def values(self, name: str) -> NDArray[np.float64]:
        """Return a parameter of these neurons, shape (cell,)."""
        return np.asarray(self.population.celltype.parameter_space._parameters[name])[self.chosen]


def calibrating(populations: Sequence[Any]) -> list[Any]:
    """Return the populations of calibrating cells."""
    return [population for population in populations if isinstance(population.celltype, CalibHXNeuronCuba)]


def _target(cells: Sequence[_Cells], start: Any) -> Any:
    """Return the target of a whole chip that holds some neurons."""
    from calix.spiking import SpikingCalibTarget
    from calix.spiking.neuron import NeuronCalibTarget

    target = SpikingCalibTarget() if start is None else copy.deepcopy(start)
    neurons = target.neuron_target
    shared = {name: _one(cells, name) for name in CHIP_GLOBAL}
    neurons.cuba_synin = NeuronCalibTarget.CalibratedCubaSynapticInput(i_synin_gm=[shared["i_synin_gm_E"], shared["i_synin_gm_I"]])
    neurons.synapse_dac_bias = shared["synapse_dac_bias"]
    for part in cells:
        circuits, of = part.circuits, part.values
        for name, (there, highest) in _PER_CIRCUIT.items():
            getattr(neurons, there)[circuits] = _whole(part.population, name, highest)[part.chosen]
        for name, there in _TIMES.items():
            getattr(neurons, there)[circuits] = of(name) / _US_PER_S
        neurons.tau_syn[circuits] = np.stack([of("tau_syn_E"), of("tau_syn_I")], axis=1) / _US_PER_S
        if part.population.celltype.conductance_based:
            neurons.coba_synin.e_coba_reversal[circuits] = np.trunc(np.stack([of("e_rev_E"), of("e_rev_I")], axis=1))
        else:
            neurons.coba_synin.e_coba_reversal[circuits] = np.full((len(circuits), 2), np.nan)
    return target


def _whole(population: Any, name: str, highest: int) -> np.ndarray[Any, Any]:
    """Return a parameter of all cells of a population as whole numbers, shape (cell,)."""
    values = np.trunc(population.celltype.parameter_space._parameters[name])
    for cell in np.flatnonzero(~((values >= 0) & (values <= highest)))[:1]:
        wrong = CoordinateOverflowError if values[cell] > highest else ParameterRangeError
        raise wrong(f"{name} of cell {cell} of population {population.label!r} is {values[cell]:g}; allowed: 0 to {highest}. Choose a value in this range.")
    return values


def _one(cells: Sequence[_Cells], name: str) -> int:
    """Return a target that all calibrated neurons of the chip share."""
    found = {int(value): part.population.label for part in cells for value in part.values(name).tolist()}
    if len(found) > 1:
        (first, here), (second, there) = list(found.items())[:2]
        raise RunStateError(
            f"{name} is {first} (population {here!r}) and {second} ({there!r}); it is required to be equal for all neurons of the chip. "
            "Correct it with set() after reset()."
        )
    return next(iter(found))


def _hand_out(populations: Sequence[Any], chip: Any) -> None:
    """Give populations the circuits of the calibrated chip, live, and as they were found."""
    if not populations:
        return
    from dlens_vx_v3 import halco, lola

    archive = lola.Chip(chip)
    for population in populations:
        places = [halco.AtomicNeuronOnDLS(halco.Enum(circuit)) for circuit in population.circuits[:, 0].tolist()]
        found, live = ([one.neuron_block.atomic_neurons[place] for place in places] for one in (archive, chip))
        population.celltype.take(found, live)


def _hand_out_instances(populations: Sequence[Any], cells: Mapping[int, Sequence[_Cells]], chips: Mapping[int, Any], archives: Mapping[int, Any]) -> None:
    """Give populations the circuits of the calibrated execution instances, live, and as they were found."""
    from dlens_vx_v3 import halco

    for population in populations:
        found, live = [None] * population.size, [None] * population.size
        for instance, part in ((instance, part) for instance, parts in cells.items() for part in parts if part.population is population):
            for cell, circuit in zip(part.chosen.tolist(), part.circuits.tolist(), strict=True):
                place = halco.AtomicNeuronOnDLS(halco.Enum(circuit))
                found[cell], live[cell] = (one[instance].neuron_block.atomic_neurons[place] for one in (archives, chips))
        population.celltype.take(found, live)
