"""What a chip is made of: the physical parameters, steps and seeds that follow from specimen and effects."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neckar.chip import correlation, drivers
from neckar.chip.cadc import FIELDS, CadcTransfer, debug_readings
from neckar.chip.capmem import CapMem, cells_of
from neckar.chip.compartments import NO_MEMBRANES, any_compartments, membranes
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.rest import reset_neurons, resting_state
from neckar.chip.specimen import Specimen, keyed_uniforms_of
from neckar.chip.transfer import Config, compartment_siemens, kick_volts_of, physical, physical_of, refuse_unsupported
from neckar.dynamics import (
    CircuitParameters,
    DriverParameters,
    Features,
    Membranes,
    Prepared,
    SensorParameters,
    kick_shares_of,
    lane_rows,
    largest_step,
    largest_steps,
    late_shares_of,
    reference_tau,
    reference_taus,
    survivors,
)
from neckar.facts import AXES
from neckar.facts import brainscales2 as facts
from neckar.program import MachineState

if TYPE_CHECKING:
    from neckar.chip.entry import Plan

CIRCUITS, HEMISPHERES, COLUMNS = AXES["circuit"], AXES["hemisphere"], AXES["column"]


class Substrate:
    """A specimen under some effects.

    Parameters
    ----------
    specimen : Specimen
    effects : Effects
    step_ticks : int
        Largest integration step.
    """

    def __init__(self, specimen: Specimen, effects: Effects, step_ticks: int) -> None:
        self.specimen, self.effects, self._step_ticks = specimen, effects, step_ticks
        self._known: tuple[ChipConfig, CapMem, CircuitParameters] | None = None
        self._cadc: tuple[ChipConfig, CapMem, CadcTransfer] | None = None
        self._sensors: tuple[ChipConfig, CapMem, tuple[SensorParameters, ...]] | None = None
        self._drivers: tuple[ChipConfig, CapMem, tuple[DriverParameters, ...]] | None = None

    def begin(self, start: Start) -> None:
        """Remember what the chip starts with."""
        self._known, self._drivers = (start.config, start.cells, start.parameters), (start.config, start.cells, start.drivers)

    def capmem(self, state: MachineState | None) -> CapMem:
        """Return the analog parameter cells as a state left them; a chip after a reset has them written by ``CapMem.written``."""
        return CapMem(self.effects, self.specimen.seed, state.capmem if state is not None and self.effects.noise else None)

    def physical(self, config: ChipConfig, cells: CapMem) -> CircuitParameters:
        """Return the physical parameters of all circuits under a configuration and what its cells really hold; the last ones are remembered."""
        known = self._known  # one read: entries of a program ask from several threads
        if known is None or (known[0] is not config and known[0] != config) or known[1] != cells:
            known = (config.copy(), cells, physical(self.specimen, self.effects, cells.values(config)))
            self._known = known
        return known[2]

    def kick_volts(self, config: ChipConfig, cells: CapMem, hemisphere: int, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return by how much one event moves the synaptic lines under a configuration and what its cells really hold, V, shape (row, column)."""
        return kick_volts_of([self.specimen], self.effects, cells.values(config), hemisphere, rows, columns)[0]

    def membranes(self, config: ChipConfig, cells: CapMem) -> Membranes:
        """Return which circuits share membranes or are connected under a configuration and what its cells really hold."""
        if not any_compartments(config):
            return NO_MEMBRANES
        return membranes(config, compartment_siemens(self.specimen, self.effects, cells.values(config)))

    def cadc(self, config: ChipConfig, cells: CapMem) -> CadcTransfer:
        """Return the parallel converter under a configuration and what its cells really hold; the last one is remembered."""
        known = self._cadc
        if known is None or known[1] != cells or _differ(known[0], config, FIELDS):
            known = (config.copy(), cells, CadcTransfer.of(self.specimen, self.effects, cells.values(config)))
            self._cadc = known
        return known[2]

    def drivers(self, config: ChipConfig, cells: CapMem) -> tuple[DriverParameters, ...]:
        """Return the drivers of each hemisphere under a configuration and what its cells really hold; the last ones are remembered."""
        known = self._drivers
        if known is None or known[1] != cells or _differ(known[0], config, drivers.FIELDS):
            known = (config.copy(), cells, drivers.driver_parameters(self.specimen, self.effects, cells.values(config)))
            self._drivers = known
        return known[2]

    def sensors(self, config: ChipConfig, cells: CapMem) -> tuple[SensorParameters, ...]:
        """Return the correlation sensors of each hemisphere under a configuration and what its cells really hold; the last ones are remembered."""
        known = self._sensors
        if known is None or known[1] != cells or _differ(known[0], config, correlation.FIELDS):
            known = (config.copy(), cells, correlation.sensor_parameters(self.specimen, self.effects, cells.values(config)))
            self._sensors = known
        return known[2]

    def sensor_outputs(self, config: ChipConfig, cells: CapMem) -> Callable[[int, NDArray[np.int64]], correlation.SensorOutputs]:
        """Return what gives the outputs of some rows of sensors of a hemisphere under a configuration and what its cells really hold."""
        return partial(correlation.sensor_outputs, self.specimen, self.effects, cells.values(config))

    def sensor_readings(
        self,
        config: ChipConfig,
        cells: CapMem,
        hemisphere: int,
        rows: NDArray[np.int64],
        charge: NDArray[np.float32],
        *key: str | int,
    ) -> NDArray[np.uint8]:
        """Return what the parallel converter reads of some rows of sensors that hold a charge (LSB), shape (2, row, column); `key` names this moment."""
        transfer = self.cadc(config, cells)
        stream = (self.specimen.seed, *key) if self.effects.noise else None
        return correlation.readings(self.specimen, self.effects, cells.values(config), transfer, hemisphere, rows, charge, stream)

    def debug_readings(self, config: ChipConfig, cells: CapMem, *key: str | int) -> NDArray[np.uint8]:
        """Return what all channels of the parallel converter read of the debug line; `key` names this moment."""
        stream = (self.specimen.seed, *key) if self.effects.noise else None
        return debug_readings(self.cadc(config, cells), cells.values(config), stream)

    def step(self, parameters: CircuitParameters, followers: NDArray[np.int64]) -> tuple[int, tuple[float, float, float]]:
        """Return the step in ticks for these circuits, of which others fire the `followers`; and reference time constants (s) of lines and membranes."""
        return largest_step(parameters, self._step_ticks, followers), reference_tau(parameters)

    def steps(self, parameters: CircuitParameters, chips: int) -> list[tuple[int, tuple[float, float, float]]]:
        """Return :meth:`step` of each of several chips, whose circuits follow each other; without followers."""
        return list(zip(largest_steps(parameters, self._step_ticks, chips), reference_taus(parameters, chips), strict=True))

    def seed(self, *key: str | int) -> int:
        """Return a 64-bit seed that depends on the chip and a key."""
        return int.from_bytes(hashlib.blake2b(repr((self.specimen.seed, *key)).encode(), digest_size=8).digest(), "little")

    def keep(self, tick: NDArray[np.int64], number: NDArray[np.int64], *key: str | int) -> NDArray[np.bool_]:
        """Return which events a link does not lose. The fate of an event depends on its tick, its label or circuit and the key alone, not on other events."""
        return survivors(tick, number, *self.link(*key))

    def link(self, *key: str | int) -> tuple[int, float]:
        """Return the seed of a link's losses, and the probability that it loses an event."""
        return self.seed("link", *key), facts.LINK_LOSS.value if self.effects.event_loss else 0.0


@dataclass(frozen=True, eq=False)
class Start:
    """What a chip starts with after a reset: registers, cells, and what they mean."""

    config: ChipConfig
    cells: CapMem
    parameters: CircuitParameters
    drivers: tuple[DriverParameters, ...]
    ready: Ready | None


@dataclass(frozen=True, eq=False)
class Ready:
    """What the circuits of a chip start their first trial with, if the registers stay, and no membranes are shared or connected.

    Attributes
    ----------
    step, tau
        As of :meth:`Substrate.step`.
    features : Features
        Of the circuits.
    state : ndarray, shape (field, circuit), float32
    lanes : tuple of mapping of int to Prepared
        For the active circuits of each hemisphere, by the length of the step.
    kicks : tuple of ndarray, shape (row, active circuit), float32
        For each hemisphere what :meth:`Substrate.kick_volts` returns for the plan's `rows`.
    """

    step: int
    tau: tuple[float, float, float]
    features: Features
    state: NDArray[np.float32]
    lanes: tuple[Mapping[int, Prepared], ...]
    kicks: tuple[NDArray[np.float32], ...]


def starts(substrates: Sequence[Substrate], seeds: Sequence[tuple[int, int]], plan: Plan) -> list[Start]:
    """Return what several chips of equal effects start with when a planned program with a run seed configures each: the bits of each alone, computed together.

    Circuits and their parts that have no influence on a recording (``plan.pieces``, ``plan.idle``) are as they would be with less mismatch and jitter.
    """
    specimens, effects, config = [substrate.specimen for substrate in substrates], substrates[0].effects, plan.base
    refuse_unsupported(config)
    cells, held = cells_of([chip.seed for chip in specimens], effects, config, [(*seed, "config") for seed in seeds], plan.pieces)
    whole, driving = physical_of(specimens, effects, held, plan.pieces, plan.idle), drivers.driver_parameters_of(specimens, effects, held)
    parameters = [whole.take(slice(CIRCUITS * k, CIRCUITS * (k + 1))) for k in range(len(specimens))]
    ready = _ready(substrates, held, whole, seeds, plan) if plan.prepared else [None] * len(specimens)
    return [Start(config, *parts) for parts in zip(cells, parameters, driving, ready, strict=True)]


def _ready(substrates: Sequence[Substrate], held: Config, whole: CircuitParameters, seeds: Sequence[tuple[int, int]], plan: Plan) -> list[Ready]:
    """Return what the circuits of several chips start with; `held` is what the cells of all chips hold, and `whole` are the circuits of all."""
    n, specimens, effects = len(substrates), [substrate.specimen for substrate in substrates], substrates[0].effects
    phase = None
    if effects.noise:
        phase = keyed_uniforms_of(CIRCUITS, [("phase", chip.seed, *seed, 0) for chip, seed in zip(specimens, seeds, strict=True)]).reshape(-1)
    state = resting_state(whole, NO_MEMBRANES, phase)
    if plan.program.neuron_reset:
        reset_neurons(state, whole)
    steps = substrates[0].steps(whole, n)
    lanes = _lanes(whole, steps, plan)
    kicks = []
    for h in range(HEMISPHERES):
        found = kick_volts_of(specimens, effects, held, h, plan.rows[h].astype(np.int64), plan.columns(h))
        kicks.append(np.broadcast_to(found, (n, *found.shape[1:])))
    return [
        Ready(*steps[k], features, state[:, CIRCUITS * k : CIRCUITS * (k + 1)].copy(), lanes[k], tuple(half[k] for half in kicks))
        for k, features in enumerate(whole.features_of(n))
    ]


def _lanes(whole: CircuitParameters, steps: Sequence[tuple[int, tuple[float, float, float]]], plan: Plan) -> list[tuple[dict[int, Prepared], ...]]:
    """Return what the lanes of several chips need for whole steps, and for the shorter last one."""
    border = len(plan.columns(0))
    found: list[tuple[dict[int, Prepared], ...]] = [tuple({} for _ in range(HEMISPHERES)) for _ in steps]
    last = [plan.extent % step for step, _ in steps]
    for lengths in ([step for step, _ in steps], last):
        chips = [k for k, ticks in enumerate(lengths) if ticks]
        if not chips:
            continue
        circuits = (np.array(chips)[:, np.newaxis] * CIRCUITS + plan.active).reshape(-1)
        own, taus = [lengths[k] for k in chips], [steps[k][1] for k in chips]
        rows = lane_rows(whole.take(circuits), np.repeat(own, len(plan.active)).astype(np.float64))
        shares, late = kick_shares_of(taus, own), late_shares_of(taus, own)
        for k, ticks, mine, *parts in zip(chips, own, np.split(rows, len(chips), axis=1), shares, late, strict=True):
            for half, part in zip(found[k], (mine[:, :border], mine[:, border:]), strict=True):
                half[ticks] = Prepared(part, *parts)
    return found


def _differ(one: ChipConfig, other: ChipConfig, names: Iterable[str]) -> bool:
    return one is not other and any(not np.array_equal(one[name], other[name]) for name in names)
