"""What a calibrated chip does: potentials, time constants and strengths of all 512 circuits, seen by the open probe.

A calibration by measurement sees each neuron through one channel of the converter, whose own errors end up in the codes. Here the potentials themselves are
looked at, in states of the circuits that are not those of the searches wherever there is a choice; so the numbers say independently how good a calibration is.
Potentials are given as the mean of all channels of the calibrated converter reads them, without noise. Channels of the converter and drivers show only
where the search has looked at them, too; correlation sensors are those of other rows than the search takes for their shared currents.

:func:`compared` gives each quantity after the calibration and before: with the searched codes alike on all circuits, the median of what was found, as
upstream's test of a calibration does it (calix ``test_neuron_distribution.py``).

    calibration = calibrate(specimen, target)
    for name, (before, after) in compared(Lab(chip=specimen, instruments="open"), calibration).items():
        print(name, trimmed(after) / trimmed(before))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.calibration import Calibration
from neckar.calibration.measure.bench import CIRCUITS, Bench, snippet, ticks_of
from neckar.calibration.measure.converter import calibrate_cadc
from neckar.calibration.measure.correlation import BRANCHES, SYNAPSE_DELAYS_US, characteristics, drops
from neckar.calibration.measure.decay import fit_decays
from neckar.calibration.measure.drivers import amplitudes, pulling
from neckar.calibration.measure.hagen import LINES_CADC
from neckar.calibration.measure.stimuli import KINDS, stimulated, trains
from neckar.calibration.settings import LONG_REFRACTORY
from neckar.calibration.targets import ChipTarget, CorrelationTarget, HagenSyninTarget, HagenTarget, PotentialTarget, SpikingTarget
from neckar.chip.cadc import CadcTransfer
from neckar.errors import UnknownNameError, nearest
from neckar.facts import AXES
from neckar.lab import Lab
from neckar.program import TICKS_PER_US, Events, Probe, Record

Values = NDArray[np.float64]

_TRIALS = 16
_CHANNELS = AXES["hemisphere"] * AXES["cadc_channel"] * AXES["column"]
_ROWS = 16
_EVENT_US = 20.0
_FLAT_V = 1e-3
_SENSOR_ROWS = ((20, 22), (150, 152))


@dataclass(frozen=True)
class Quantity:
    """Something that every circuit has and a calibration brings to a target.

    Attributes
    ----------
    name : str
    label : str
        For tables and figures.
    unit : str
    fields : tuple of str
        The codes that a calibration searches for it.
    aim : callable
        Takes the target of a calibration; returns the value that it names, shape (circuit,) or one for all, in the unit. None if it names none.
    read : callable
        Takes a bench with the codes set and the target; returns the quantity of all circuits, shape (circuit,), potentials in V; of the converter,
        drivers and sensors, of all channels and drivers and of 2048 sensors.
    applies : callable, optional
        Takes the target of a calibration; returns whether it searches the quantity. By default, if the target names a value.
    is_potential : bool
    """

    name: str
    label: str
    unit: str
    fields: tuple[str, ...]
    aim: Callable[[ChipTarget], Any]
    read: Callable[[Bench, ChipTarget], Values]
    applies: Callable[[ChipTarget], bool] | None = None
    is_potential: bool = False


class Comparison(NamedTuple):
    """A quantity before and after a calibration.

    Attributes
    ----------
    before, after : ndarray, shape (circuit,)
        In the quantity's unit; before: with the searched codes alike on all circuits. Of other elements: shape (channel,),
        (driver,) or (sensor,).
    target : ndarray, of the same shape, or None
        What was asked for; None where a calibration makes circuits equal without naming the value.
    """

    before: Values
    after: Values
    target: Values | None


def compared(lab: Lab, calibration: Calibration, names: Iterable[str] | None = None) -> dict[str, Comparison]:
    """Return what the circuits do before and after a calibration, by name of the quantity.

    Parameters
    ----------
    lab : Lab
        With the chip and ``instruments="open"``.
    calibration : Calibration
    names : iterable of str, optional
        Some of :func:`applicable`; all by default.
    """
    found = {}
    for name in applicable(calibration.target) if names is None else names:
        quantity = _named(name)
        before, after = read(lab, calibration, name, common_codes(calibration, quantity)), read(lab, calibration, name)
        found[name] = Comparison(before, after, wished(calibration.target, quantity, len(after)))
    return found


def read(lab: Lab, calibration: Calibration, name: str, codes: Mapping[str, Any] | None = None) -> Values:
    """Return a quantity of all circuits of a calibrated chip, shape (circuit,), with `codes` in place of the calibration's."""
    with lab.session() as session:
        bench = Bench(session)
        bench.set(**{**calibration.fields, "event_routing_enable_digital": False, **(codes or {})})
        value = _named(name).read(bench, calibration.target)
    return lsb(lab, calibration, value) if _named(name).is_potential else value


def applicable(target: ChipTarget) -> tuple[str, ...]:
    """Return the names of the quantities that a calibration with this target searches."""
    return tuple(q.name for q in QUANTITIES.values() if (q.aim(target) is not None if q.applies is None else q.applies(target)))


def wished(target: ChipTarget, quantity: Quantity, n: int = len(CIRCUITS)) -> Values | None:
    """Return the target of a quantity, shape (circuit,); None where no value is named."""
    value = quantity.aim(target)
    return None if value is None else np.broadcast_to(np.asarray(value, np.float64), n)


def common_codes(calibration: Calibration, quantity: Quantity) -> dict[str, Any]:
    """Return the searched codes of a quantity as most circuits have them: switches by majority, and the median bias of the circuits of this majority."""
    codes = {name: calibration.fields[name].reshape(-1) for name in quantity.fields}
    switches = {name: bool(np.median(values)) for name, values in codes.items() if values.dtype == bool}
    same = np.logical_and.reduce([np.ones(len(codes[quantity.fields[0]]), bool), *(codes[name] == value for name, value in switches.items())])
    return switches | {name: int(np.median(values[same] if switches else values)) for name, values in codes.items() if name not in switches}


def trimmed(values: Values) -> float:
    """Return the standard deviation without 5 % at either end, as upstream judges calibrations."""
    ordered = np.sort(values)
    cut = int(0.05 * len(ordered))
    return float(ordered[cut : len(ordered) - cut].std())


def lsb(lab: Lab, calibration: Calibration, volts: Values) -> Values:
    """Return what the mean of all channels of the calibrated converter reads, CADC LSB, without noise and rounding."""
    transfer, channels = CadcTransfer.of(lab.specimen, lab.effects, calibration.fields), np.arange(_CHANNELS)
    zero, one = (float(np.mean(transfer.reading(np.full(_CHANNELS, v), channels) + transfer.offset)) for v in (0.0, 1.0))
    return zero + volts * (one - zero)


# ---- How each is read


def _channels(bench: Bench, target: ChipTarget) -> Values:
    """Return what each channel reads in the middle of its range, the mean of several readings, shape (channel,)."""
    with bench.changed(stp_v_charge_0=sum(target.cadc.dynamic_range) // 2):
        return bench.converter(_TRIALS).mean(axis=0).reshape(-1)


def _resting(bench: Bench, target: ChipTarget) -> Values:
    with bench.changed(threshold_enable=False):
        return _trace(bench, "v", 150, 1.0).mean(axis=(0, 1))


def _resets(bench: Bench, target: ChipTarget) -> Values:
    with bench.changed(**LONG_REFRACTORY, refractory_period_input_clock=0, threshold_enable=False):
        return _trace(bench, "v", 40, 1.0, neuron_reset=True)[:, 10:].mean(axis=(0, 1))


def _peaks(bench: Bench, target: ChipTarget) -> Values:
    """Return the highest potential of each firing circuit, V, driven over its threshold by a constant current."""
    driven = {"constant_current_enable": True, "constant_current_i_offset": 1000, "leak_i_bias": 50, "leak_enable_division": True, "threshold_enable": True}
    with bench.changed(**driven):
        return np.asarray(_trace(bench, "v", 60, 0.02)[0, 500:].max(axis=0))


def _membrane_times(bench: Bench, target: ChipTarget) -> Values:
    """Return time constants, us, from the decay after a constant current that moves the membrane by about 0.1 V."""
    wished = float(np.median(_tau_mem(target)))
    step = wished / 20
    pieces = (
        snippet(round(6 * wished * TICKS_PER_US), constant_current_enable=np.ones(len(CIRCUITS), bool)),
        snippet(round(10 * wished * TICKS_PER_US), constant_current_enable=np.zeros(len(CIRCUITS), bool)),
    )
    with bench.changed(threshold_enable=False, constant_current_enable=False, constant_current_i_offset=int(np.clip(3000 / wished, 40, 1000))):
        v = _trace(bench, "v", pieces, step, _TRIALS).mean(axis=0)
    start = round(6 * wished / step)
    return _decay(v[start + 1 :] - v[-round(3 * wished / step) :].mean(axis=0), step)


def _line_times(kind: str) -> Callable[[Bench, ChipTarget], Values]:
    signal = {"excitatory": "s_exc", "inhibitory": "s_inh"}[kind]

    def line_times(bench: Bench, target: ChipTarget) -> Values:
        """Return time constants, us, from the decay after an event."""
        wished = float(np.median(_tau_syn(kind)(target)))
        step = max(wished / 20, 0.02)
        with bench.changed(threshold_enable=False), stimulated(bench, kind, _ROWS, 4):
            line = _trace(bench, signal, _EVENT_US + 8 * wished, step, entries=trains((_EVENT_US,), 1))[0]
        return _decay(line[int(np.abs(line).mean(axis=1).argmax()) + 1 :], step)

    return line_times


def _heights(kind: str) -> Callable[[Bench, ChipTarget], Values]:
    def heights(bench: Bench, target: ChipTarget) -> Values:
        """Return by how much an event moves the membrane at the height of its answer, mV: the mean difference between trials with and without."""
        weight = int(np.clip(round(10 / float(np.median(_tau_syn(kind)(target)))), 1, 20))
        trials = (trains((_EVENT_US,), _TRIALS), Events.empty(_TRIALS))
        with bench.changed(threshold_enable=False), stimulated(bench, kind, _ROWS, weight):
            after, without = (_trace(bench, "v", _EVENT_US + 60, 0.5, neuron_reset=True, entries=entries).mean(axis=0) for entries in trials)
        answer = 1e3 * np.abs(after - without)
        peak = int(np.median(answer, axis=1).argmax())
        return np.asarray(answer[max(peak - 3, 0) : peak + 4].mean(axis=0))

    return heights


def _modulated(bench: Bench, target: ChipTarget) -> Values:
    """Return how far an event of each driver in short-term plasticity pulls synaptic lines down, at the voltage of the target, shape (driver,)."""
    assert isinstance(target, SpikingTarget)
    with bench.changed(stp_v_charge_0=target.stp.v_stp, stp_v_recover_0=target.stp.v_stp, driver_enable_stp=True), pulling(bench) as sends:
        return amplitudes(bench, sends=sends, trials=_TRIALS).reshape(-1)


def _multiplying(bench: Bench, target: ChipTarget) -> Values:
    """Return how far an event of each driver pulls synaptic lines down, at the activation of the target, shape (driver,)."""
    assert isinstance(target, HagenTarget | HagenSyninTarget)
    calibrate_cadc(bench, LINES_CADC)
    with pulling(bench) as sends:
        return amplitudes(bench, target.offset_test_activation, 3 * sends, _TRIALS).reshape(-1)


def _sensors(name: str) -> Callable[[Bench, ChipTarget], Values]:
    """Return a reader of amplitudes (CADC LSB per pair) or time constants (us) of correlation sensors, shape (sensor,)."""

    def sensors(bench: Bench, target: ChipTarget) -> Values:
        """Return the mean over the branches that count; what cannot be told from none or from endless counts as none or as five times the target."""
        wish = _correlation(target)
        assert wish is not None
        pairs = max(1, round(40 / wish.amplitude))
        branches = BRANCHES if wish.branches == "both" else (wish.branches,)
        drop = drops(bench, _SENSOR_ROWS, SYNAPSE_DELAYS_US, branches, pairs).swapaxes(0, 1)
        seen = getattr(characteristics(drop, SYNAPSE_DELAYS_US, pairs), name).mean(axis=0).reshape(-1)
        return np.clip(seen, 0.0, 5 * float(_sensor_aim(name)(target)))

    return sensors


def _trace(bench: Bench, signal: str, pieces: Any, step_us: float, trials: int = 1, **parts: Any) -> Values:
    """Return what the probe saw, shape (trial, sample, circuit); `pieces` are snippets, or a duration in us."""
    parts.setdefault("entries", Events.empty(trials))
    snippets = pieces if isinstance(pieces, tuple) else (snippet(int(ticks_of(pieces))),)
    record = Record(spikes=(), probe=(Probe((signal,), CIRCUITS, max(1, round(step_us * TICKS_PER_US))),))  # type: ignore[arg-type]
    return np.asarray(bench.run(snippets, record=record, **parts).probe[0].value[:, 0], np.float64)


def _decay(v: Values, step: float) -> Values:
    """Return the time constants of decays (sample, circuit), in the unit of `step`; infinite where nothing falls."""
    return fit_decays(step * np.arange(len(v), dtype=np.float64), (v * np.sign(v[0])).T, share=1.0, smallest=_FLAT_V)


# ---- Which there are


def _potential(name: str) -> Callable[[ChipTarget], Any]:
    def aim(target: ChipTarget) -> Any:
        if isinstance(target, SpikingTarget):
            return getattr(target.neurons, name)
        if isinstance(target, HagenTarget):
            return target.neurons.leak if name == "reset" else None  # the leak is off in the end
        return getattr(target, name) if isinstance(target, PotentialTarget) else None

    return aim


def _tau_mem(target: ChipTarget) -> Any:
    tau_s = target.neurons.tau_mem_s if isinstance(target, SpikingTarget) else target.tau_mem_s if isinstance(target, PotentialTarget) else None
    return None if tau_s is None else 1e6 * np.asarray(tau_s)


def _tau_syn(kind: str) -> Callable[[ChipTarget], Any]:
    return lambda target: 1e6 * np.asarray(target.neurons.tau_syn_s)[:, KINDS.index(kind)] if isinstance(target, SpikingTarget | HagenTarget) else None


def _correlation(target: ChipTarget) -> CorrelationTarget | None:
    return target.correlation if isinstance(target, SpikingTarget) else None


def _sensor_aim(name: str) -> Callable[[ChipTarget], Any]:
    def aim(target: ChipTarget) -> Any:
        wish = _correlation(target)
        return None if wish is None else wish.amplitude if name == "amplitude" else 1e6 * wish.time_constant_s

    return aim


def _has_inputs(target: ChipTarget) -> bool:
    return isinstance(target, SpikingTarget | HagenTarget)


def _none(target: ChipTarget) -> None:
    """Circuits are made equal, at the value of the median."""


def _quantities() -> Mapping[str, Quantity]:
    leak_codes = ("leak_i_bias", "leak_enable_division")
    rows = [
        Quantity("converter", "middle of the converter's range", "CADC LSB", ("cadc_channel_offset",), _none, _channels, lambda t: t.cadc.calibrate_offsets),
        Quantity("leak", "leak potential", "CADC LSB", ("leak_v_leak",), _potential("leak"), _resting, is_potential=True),
        Quantity("reset", "reset potential", "CADC LSB", ("reset_v_reset",), _potential("reset"), _resets, is_potential=True),
        Quantity("threshold", "threshold", "CADC LSB", ("threshold_v_threshold",), _potential("threshold"), _peaks, is_potential=True),
        Quantity("tau_mem", "membrane time constant", "us", leak_codes, _tau_mem, _membrane_times),
    ]
    for kind in KINDS:
        field, short = f"{kind}_input_i_bias", kind[:3]
        rows.append(Quantity(f"tau_syn_{short}", f"{kind} time constant", "us", (f"{field}_tau",), _tau_syn(kind), _line_times(kind)))
        rows.append(Quantity(f"psp_{short}", f"{kind} strength", "mV", (f"{field}_gm",), _none, _heights(kind), _has_inputs))
    drivers = "strength of drivers"
    rows.append(Quantity("drivers_stp", drivers, "CADC LSB", ("driver_offset",), _none, _modulated, lambda t: isinstance(t, SpikingTarget)))
    multiplies = HagenTarget | HagenSyninTarget
    rows.append(Quantity("drivers", drivers, "CADC LSB", ("driver_hagen_dac_offset",), _none, _multiplying, lambda t: isinstance(t, multiplies)))
    for name, field, unit in (("amplitude", "store", "CADC LSB per pair"), ("tau_us", "ramp", "us")):
        label = f"correlation {'amplitude' if name == 'amplitude' else 'time constant'}"
        codes = (f"syn_i_bias_{field}", "synapse_amp_calib", "synapse_time_calib")
        rows.append(Quantity(f"correlation_{name.removesuffix('_us')}", label, unit, codes, _sensor_aim(name), _sensors(name)))
    return MappingProxyType({row.name: row for row in rows})


QUANTITIES: Mapping[str, Quantity] = _quantities()
"""All quantities, by name."""


def _named(name: str) -> Quantity:
    if name not in QUANTITIES:
        raise UnknownNameError(f"a calibrated chip has no quantity {name!r}{nearest(name, QUANTITIES)} Quantities: {', '.join(QUANTITIES)}.")
    return QUANTITIES[name]
