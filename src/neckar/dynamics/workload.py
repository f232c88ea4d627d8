"""The engine's benchmark: a busy chip, as arrays only.

Two hemispheres of 256 circuits with 256 synapse rows each receive 5.08 million row events per hardware second, every event meets 256 matching synapses of
random 6-bit weight (1.3e9 synaptic events per hardware second), and the circuits answer with 20 to 60 thousand spikes per second each. Parameters scatter
from circuit to circuit. Nothing here describes a particular chip; how the virtual chip's own path compares is measured one floor up.

With ``effects="ideal"`` the circuits are linear and their reset is immediate, so other simulators can run the same equations on the same events
(``benchmarks/chip_vs_nest.py``, ``tests/reference/test_nest.py``). The speed does not depend on how fast the reset is.

With ``correlation`` the 131,072 correlation sensors of both hemispheres are on, and pair the same events with the circuits' spikes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import (
    N_DYNAMIC,
    CircuitParameters,
    Lane,
    RowEvents,
    Segment,
    SensorParameters,
    Sensors,
    SensorState,
    Synapses,
    reference_tau,
)

Kind = Literal["lif", "adex"]
EffectSet = Literal["ideal", "default"]

TICK_S = 2e-9
SIDE = 256  # circuits and rows of a hemisphere
ROW_EVENTS_PER_S = 5.08e6
WEIGHT_UNIT = 1e-3  # V on the synaptic line per weight step
STRENGTH = {"lif": 3.55, "adex": 4.77}  # of the synaptic inputs, 1/V: sets the firing rates
WARM_UP_TICKS = 2500
SENSOR_TICKS = 2500  # time constant of the correlation sensors, 5 us

Values = NDArray[np.float64]


class Measurement(TypedDict):
    """Result of :func:`measure`; see there."""

    kind: Kind
    effects: EffectSet
    correlation: bool
    step_us: float
    hardware_s: float
    repeats: int
    active_circuits: int
    wall_per_hardware: float
    wall_per_hardware_min: float
    wall_per_hardware_max: float
    row_events: int
    synaptic_events: int
    synaptic_events_per_s: float
    synaptic_events_per_wall_s: float
    spikes: int
    rate_mean_hz: float
    rate_5_hz: float
    rate_95_hz: float
    compile_s: float


@dataclass(frozen=True, eq=False)
class Workload:
    """Circuits, synapses and input of the two hemispheres.

    Attributes
    ----------
    kind : {"lif", "adex"}
        Neuron model.
    parameters : tuple of CircuitParameters
        One per hemisphere, 256 circuits.
    synapses : tuple of Synapses
        Planes of shape (row, column).
    weights : tuple of ndarray, shape (row, column), int64
        The same as codes, 0 to 63.
    sensors : tuple of SensorParameters
        The correlation sensors of the synapses; their time constants scatter.
    events : tuple of RowEvents
        Input from tick 0 to `ticks`.
    ticks : int
        Length of the input, ticks of 2 ns.
    seed : int
        Of parameters, weights, events and noise.
    """

    kind: Kind
    parameters: tuple[CircuitParameters, ...]
    synapses: tuple[Synapses, ...]
    weights: tuple[NDArray[np.int64], ...]
    sensors: tuple[SensorParameters, ...]
    events: tuple[RowEvents, ...]
    ticks: int
    seed: int

    def run(self, step_ticks: int, until: int | None = None) -> tuple[tuple[NDArray[np.int64], NDArray[np.int16]], ...]:
        """Run the engine from rest on one thread and return spike ticks and columns of each hemisphere, in no particular order.

        Parameters
        ----------
        step_ticks : int
            Step in ticks of 2 ns.
        until : int, optional
            End, ticks; the whole input by default.
        """
        end = self.ticks if until is None else until
        return tuple(lane.advance(segment, events, 0, end)[:2] for lane, segment, events in self._prepare(step_ticks, end))

    def sense(self, spikes: tuple[tuple[NDArray[np.int64], NDArray[np.int16]], ...], until: int | None = None) -> tuple[NDArray[np.float32], ...]:
        """Let the correlation sensors pair the input with the spikes of :meth:`run`; return their charge, shape (2, row, column), of each hemisphere."""
        charges = []
        for parameters, events, synapses, (tick, column) in zip(self.sensors, self.events, self.synapses, spikes, strict=True):
            sensors = Sensors(parameters, synapses.labels, SensorState.empty())
            sensors.note(events, np.full(SIDE // 2, 63, np.uint8), tick, column)
            sensors.advance(self.ticks if until is None else until)
            charges.append(sensors.state().charge)
        return tuple(charges)

    def _prepare(self, step_ticks: int, end: int) -> Iterator[tuple[Lane, Segment, RowEvents]]:
        columns, nobody = np.arange(SIDE), np.empty(0, np.int64)
        for side, (parameters, synapses, events) in enumerate(zip(self.parameters, self.synapses, self.events, strict=True)):
            lane = Lane(columns, nobody, synapses, np.random.default_rng((self.seed, 4, side)).integers(0, 2**32, SIDE, np.uint32), self.seed)
            state = np.zeros((N_DYNAMIC, SIDE), np.float32)
            state[0], state[1] = parameters.e_leak, parameters.w_rest
            lane.load(state)
            yield lane, Segment(parameters, 0, end, step_ticks, reference_tau(parameters)), events


def build(kind: Kind, effects: EffectSet, hardware_s: float, seed: int = 1, scatter: float = 0.12, grid_ticks: int = 1) -> Workload:
    """Build the benchmark workload.

    Parameters
    ----------
    kind : {"lif", "adex"}
        Leaky integrate-and-fire circuits, or with exponential and adaptation terms.
    effects : {"ideal", "default"}
        Linear circuits without noise, or all imperfections that act inside the engine: saturating amplifiers, floor of inhibition, rails, membrane noise of
        2 mV. Parameters scatter in both.
    hardware_s : float
        Length of the input, seconds of hardware time.
    seed : int
        Same seed, same workload.
    scatter : float
        Relative standard deviation between circuits of capacitance, time constants, potentials relative to the resting potential, and refractory period. The
        strength of the synaptic inputs follows them up to 3 %, as after a calibration, so that all circuits fire.
    grid_ticks : int
        Input events lie on multiples of this number of ticks.
    """
    ticks = round(hardware_s / TICK_S)
    sides = range(2)
    weights = tuple(np.random.default_rng((seed, 2, side)).integers(0, 64, (SIDE, SIDE)) for side in sides)
    return Workload(
        kind=kind,
        parameters=tuple(_parameters(kind, effects, scatter, np.random.default_rng((seed, 1, side))) for side in sides),
        synapses=tuple(_synapses(codes) for codes in weights),
        weights=weights,
        sensors=tuple(_sensors(np.random.default_rng((seed, 5, side))) for side in sides),
        events=tuple(_events(ticks, grid_ticks, np.random.default_rng((seed, 3, side))) for side in sides),
        ticks=ticks,
        seed=seed,
    )


def measure(kind: Kind, effects: EffectSet, step_us: float, hardware_s: float, repeats: int = 5, *, correlation: bool = False) -> Measurement:
    """Measure the speed of the engine on one thread. Loading or compiling the kernel and building the workload are not counted.

    Parameters
    ----------
    kind, effects
        See :func:`build`.
    step_us : float
        Step of the engine, us; a multiple of 2 ns.
    hardware_s : float
        Simulated time of each repeat, seconds of hardware time; from 0.05 on the spread is a few per cent.
    repeats : int
        Number of timed runs, all of the same input.
    correlation : bool
        Whether the correlation sensors are on.

    Returns
    -------
    Measurement
        A dictionary with the arguments (`kind`, `effects`, `correlation`, `step_us`, `hardware_s`, `repeats`) and

        - `active_circuits`: circuits integrated in every step, 512;
        - `wall_per_hardware`, `wall_per_hardware_min`, `wall_per_hardware_max`: median, least and largest ratio of wall time to hardware time;
        - `row_events`, `synaptic_events`: input of one repeat; a row event is 256 synaptic events;
        - `synaptic_events_per_s`, `synaptic_events_per_wall_s`: the same per second of hardware time, and of wall time at the median;
        - `spikes`: output of one repeat;
        - `rate_mean_hz`, `rate_5_hz`, `rate_95_hz`: mean and quantiles over the circuits of their firing rates, per second of hardware time;
        - `compile_s`: time of the warm-up, which loads or compiles the kernel; in no other number.
    """
    load = build(kind, effects, hardware_s)
    step_ticks = round(step_us * 1e-6 / TICK_S)
    begin = time.perf_counter()
    warm_up = load.run(step_ticks, min(load.ticks, WARM_UP_TICKS))
    if correlation:
        load.sense(warm_up, WARM_UP_TICKS)
    compile_s = time.perf_counter() - begin
    ratios = np.empty(repeats)
    for repeat in range(repeats):
        begin = time.perf_counter()
        spikes = load.run(step_ticks)
        if correlation:
            load.sense(spikes)
        ratios[repeat] = (time.perf_counter() - begin) / hardware_s
    rates = firing_rates(spikes, hardware_s)
    row_events = sum(len(events.tick) for events in load.events)
    return Measurement(
        kind=kind,
        effects=effects,
        correlation=correlation,
        step_us=step_us,
        hardware_s=hardware_s,
        repeats=repeats,
        active_circuits=2 * SIDE,
        wall_per_hardware=float(np.median(ratios)),
        wall_per_hardware_min=float(ratios.min()),
        wall_per_hardware_max=float(ratios.max()),
        row_events=row_events,
        synaptic_events=row_events * SIDE,
        synaptic_events_per_s=row_events * SIDE / hardware_s,
        synaptic_events_per_wall_s=row_events * SIDE / (hardware_s * float(np.median(ratios))),
        spikes=sum(len(ticks) for ticks, _ in spikes),
        rate_mean_hz=float(rates.mean()),
        rate_5_hz=float(np.quantile(rates, 0.05)),
        rate_95_hz=float(np.quantile(rates, 0.95)),
        compile_s=compile_s,
    )


def firing_rates(spikes: tuple[tuple[NDArray[np.int64], NDArray[np.int16]], ...], hardware_s: float) -> Values:
    """Return the rate of each circuit, Hz of hardware time, shape (hemisphere * 256,), from the result of :meth:`Workload.run`."""
    return np.concatenate([np.bincount(columns, minlength=SIDE) for _, columns in spikes]) / hardware_s


def _receptors() -> NDArray[np.uint8]:
    """Return the receptor of each row: every fourth is inhibitory."""
    return np.where(np.arange(SIDE) % 4 == 3, 2, 1).astype(np.uint8)


def _synapses(codes: NDArray[np.int64]) -> Synapses:
    labels = np.repeat((np.arange(SIDE) % 64).astype(np.uint8)[:, None], SIDE, axis=1)
    return Synapses((codes * WEIGHT_UNIT).astype(np.float32), labels, _receptors())


def _sensors(rng: np.random.Generator) -> SensorParameters:
    rate = np.exp(0.4 * rng.normal(size=(SIDE, SIDE))) / SENSOR_TICKS
    return SensorParameters(np.ones((2, SIDE, SIDE), np.float32), rate.astype(np.float32))


def _events(ticks: int, grid_ticks: int, rng: np.random.Generator) -> RowEvents:
    """Draw a Poisson process over the rows, conditioned on its number of events."""
    count = round(ROW_EVENTS_PER_S / 2 * ticks * TICK_S)
    row = rng.integers(0, SIDE, count).astype(np.int32)
    tick = np.sort(rng.integers(1, ticks // grid_ticks, count)) * grid_ticks
    return RowEvents(tick, row, (row % 64).astype(np.uint8))


def _parameters(kind: Kind, effects: EffectSet, scatter: float, rng: np.random.Generator) -> CircuitParameters:
    """Draw the circuits of one hemisphere."""

    def spread(value: float, sigma: float = scatter) -> Values:
        return value * np.clip(rng.normal(1.0, sigma, SIDE), 1 - 2.5 * sigma, 1 + 2.5 * sigma)

    def same(value: float) -> Values:
        return np.full(SIDE, value)

    adex = kind == "adex"
    capacitance, tau_membrane = spread(2.3e-12), spread(15e-6)
    e_leak = 0.5 + spread(0.1) - 0.1
    swing, tau_exc, tau_inh = spread(0.16), spread(10e-6), spread(10e-6)
    strength = spread(STRENGTH[kind], 0.03) * 10e-6 * swing * capacitance / tau_membrane
    return CircuitParameters(
        capacitance=capacitance,
        g_leak=capacitance / tau_membrane,
        e_leak=e_leak,
        g_reset=same(1.0),  # immediate
        e_reset=e_leak - spread(0.05),
        v_threshold=e_leak + swing + (0.08 if adex else 0.0),
        t_reset=np.round(spread(2e-6), 7),  # a multiple of other simulators' steps
        t_holdoff=same(0.0),
        i_source=same(0.0),
        i_sink=same(0.0),
        gm_exc=strength / tau_exc,
        gm_inh=strength / tau_inh,
        i_syn_rest=same(0.0),
        **dict.fromkeys(("coba_exc", "coba_inh", "e_coba_exc", "e_coba_inh", "i_coba_exc", "i_coba_inh"), same(0.0)),
        pause=np.zeros(SIDE, np.bool_),
        i_exp=(capacitance / tau_membrane) * 0.02 if adex else same(0.0),
        v_exp=e_leak + swing,
        delta_exp=same(0.02),
        g_adapt=spread(1e-7) if adex else same(0.0),
        w_rest=same(0.6),
        a_adapt=spread(0.1),
        v_adapt=e_leak,
        b_adapt=spread(0.01),
        tau_exc=tau_exc,
        tau_inh=tau_inh,
        tau_adapt=spread(100e-6),
        noise=same(2e-3) * capacitance * np.sqrt(2.0 / tau_membrane) if effects == "default" else same(0.0),
        v_sat=0.9,
        v_floor=same(0.128),
        v_width=0.037,
        v_supply=1.2,
        saturating=effects == "default",
    )
