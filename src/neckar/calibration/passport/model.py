"""What a chip would show without noise: the model that a fit turns round.

A :class:`Model` takes the codes of one setting and returns what an instrument reads of all circuits, exact for what it describes except
for two simplifications, which are small in the settings of a characterisation: a constant current only shifts the potential towards which a reset pulls, and
membranes stay clear of the floor of inhibition and of the supply.
What is *shown* to a user comes from the machine itself (:mod:`neckar.calibration.passport.replay`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.calibration.passport.characterisation import Setting, Synapses, same_times
from neckar.chip.cadc import CadcTransfer, channels_of
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import MadcTransfer, kick_volts, physical
from neckar.dynamics import CircuitParameters
from neckar.equations import numpy_equations, ota_balance, ota_relaxed
from neckar.facts import AXES, registers
from neckar.facts import brainscales2 as facts

Values = NDArray[np.float64]
Codes = Mapping[str, NDArray[Any]]

EFFECTS = Effects(noise=False)
"""What acts in the model: all but noise."""

_CHANNELS = channels_of(np.arange(AXES["circuit"]))
_US = 1e-6
_OTA = numpy_equations().ota_current
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_ROOM = 5e-3  # V; a model that does not fire is treated as one that reaches its threshold late, so that a fit finds back


class Model:
    """One chip as a fit sees it.

    Parameters
    ----------
    specimen : Specimen

    Notes
    -----
    Holds the physics of the codes it was asked for last; used by one thread.
    """

    def __init__(self, specimen: Specimen) -> None:
        self.specimen = specimen
        self._last: tuple[Codes, CircuitParameters] | None = None

    def physics(self, codes: Codes) -> CircuitParameters:
        """Return the physics of all circuits."""
        if self._last is None or self._last[0] is not codes:
            self._last = codes, physical(self.specimen, EFFECTS, codes)
        return self._last[1]

    def on_cadc(self, potential: Values, codes: Codes) -> Values:
        """Return the exact readings of the parallel converter of potentials, shape (circuit,) or (circuit, sample), LSB, before the digital offsets."""
        return CadcTransfer.of(self.specimen, EFFECTS, codes).reading(potential.T, _CHANNELS).T

    def on_calibrated_cadc(self, potential: Values, codes: Codes) -> Values:
        """Return the exact readings with the digital offsets of the channels, shape (circuit,), LSB."""
        return self.on_cadc(potential, codes) + CadcTransfer.of(self.specimen, EFFECTS, codes).offset[_CHANNELS]

    def on_typical_cadc(self, volts: float, codes: Codes) -> Values:
        """Return the exact reading, of one voltage, of a channel without deviations of its own in the quadrant of each circuit, LSB, without digital offset."""
        transfer = CadcTransfer.of(self.specimen, EFFECTS, codes)
        offset, gain = (self.specimen.deviation(name).reshape(-1)[_CHANNELS] for name in ("cadc_offset", "cadc_gain"))
        start = transfer.start[_CHANNELS] + offset * facts.CADC_STEP.value
        return np.asarray((volts - start) * gain / transfer.step[_CHANNELS] + transfer.delay[_CHANNELS])

    def on_madc(self, potential: Values) -> Values:
        """Return the exact readings of the MADC, LSB."""
        return MadcTransfer.of(self.specimen, EFFECTS).reading(potential)

    def resting(self, codes: Codes) -> Values:
        """Return the potential at which each membrane rests, shape (circuit,), V."""
        return _rest(self.physics(codes))

    def trace(self, setting: Setting, codes: Codes, synapses: Synapses | None, time_us: Values) -> Values:
        """Return the membrane at given times, while currents are switched and events arrive.

        Parameters
        ----------
        setting : Setting
            Sections and events.
        codes : mapping of str to ndarray
            Registers; real numbers are allowed.
        synapses : Synapses or None
            Of the input that gets events.
        time_us : ndarray, shape (circuit, sample)
            NaN where there is no sample.

        Returns
        -------
        ndarray, shape (circuit, sample)
            V. Integrated by the classical Runge-Kutta method in steps of at most two thirds of the fastest
            membrane's time constant.
        """
        switched: dict[str, NDArray[Any]] = {}
        begin = 0.0
        edges = [begin := begin + us for us, _ in setting.sections]
        onsets = [us + facts.INPUT_LATENCY.value / _US for us in setting.events_us]
        kicks = 0.0 if setting.receptor is None or synapses is None else _kicks(self.specimen, setting, synapses)
        v: Values | None = None
        nodes: list[float] = []
        values: list[Values] = []
        slopes: list[Values] = []
        begin = 0.0
        for end, (_, switches) in zip(edges, setting.sections, strict=True):
            switched |= {name: np.full(AXES["circuit"], value) for name, value in switches.items()}
            p = self.physics({**codes, **switched} if switched else codes)
            v = _rest(p) if v is None else v
            cuts = [begin, *(us for us in onsets if begin < us < end), end]
            for first, last in pairwise(cuts):
                part = _integrated(p, v, first, last, _synaptic(p, setting.receptor, kicks, [us for us in onsets if us <= first]))
                v = part[1][-1]
                nodes += part[0]
                values += part[1]
                slopes += part[2]
            begin = end
        return _interpolated(np.array(nodes), np.array(values), np.array(slopes), np.nan_to_num(time_us))

    def wander(self, codes: Codes, time_us: Values) -> Values:
        """Return the covariance of what the membranes' noise adds to readings of the parallel converter.

        White current noise on a capacitor with a leak wanders with the membrane's time constant (an Ornstein-Uhlenbeck process).

        Parameters
        ----------
        codes : mapping of str to ndarray
            Registers; the leak is that of small deviations from rest, whatever is switched later.
        time_us : ndarray, shape (circuit, sample)
            NaN where there is no sample; what stands there has no meaning.

        Returns
        -------
        ndarray, shape (circuit, sample, same)
            LSB squared.
        """
        p, small = self.physics(codes), 1e-3
        rest = _rest(p)
        lsb_per_volt = (self.on_cadc(rest + small, codes) - self.on_cadc(rest, codes)) / small
        variance = (lsb_per_volt * facts.MEMBRANE_NOISE.value) ** 2 / (2 * p.capacitance * p.g_leak)
        rate = _US * p.g_leak / p.capacitance
        time = np.nan_to_num(time_us)
        return np.asarray(variance[:, None, None] * np.exp(-np.abs(time[:, :, None] - time[:, None, :]) * rate[:, None, None]))

    def interval(self, codes: Codes) -> Values:
        """Return the time between two spikes of each circuit, shape (circuit,), s."""
        p = self.physics(codes)
        peak, trough = _peak_and_trough(p)
        goal = np.maximum(_rest(p), peak + _ROOM)
        late = np.log(np.maximum(goal - peak, 1e-6))
        early = np.log(np.maximum(goal - trough, goal - peak + 1e-6))
        distance = np.exp(late[:, None] + (early - late)[:, None] * (_NODES + 1) / 2)
        pull = _OTA(goal[:, None] - distance, *(array[:, None] for array in (p.e_leak, p.g_leak)), p.v_sat)
        slope = np.maximum((pull + _drive(p)[:, None]) / p.capacitance[:, None], 1.0)  # V/s; the same guard
        charging = (distance / slope * _WEIGHTS).sum(axis=1) * (early - late) / 2
        return np.asarray(p.t_reset + charging)

    def peak_and_trough(self, codes: Codes) -> tuple[Values, Values]:
        """Return where a firing membrane turns round: at the threshold, and at the end of the reset; shape (circuit,), V."""
        return _peak_and_trough(self.physics(codes))


def _drive(p: CircuitParameters) -> Values:
    """Return the constant current into each membrane, A."""
    return np.asarray(p.i_syn_rest + p.i_source - p.i_sink)


def _rest(p: CircuitParameters) -> Values:
    return ota_balance(_drive(p), p.e_leak, p.g_leak, p.v_sat)


def _peak_and_trough(p: CircuitParameters) -> tuple[Values, Values]:
    reset = ota_balance(_drive(p), p.e_reset, p.g_reset, p.v_sat)
    return np.asarray(p.v_threshold), ota_relaxed(p.v_threshold, reset, p.v_sat, p.t_reset * p.g_reset / p.capacitance)


def _synaptic(p: CircuitParameters, receptor: str | None, kicks: ArrayLike, onsets_us: list[float]) -> Callable[[float], Values]:
    """Return the synaptic current, A, as a function of the time in us."""
    if receptor is None or not onsets_us:
        return lambda _: np.zeros(AXES["circuit"])
    gm, tau = (p.gm_exc, p.tau_exc) if receptor == "excitatory" else (-p.gm_inh, p.tau_inh)
    amplitude, rate = gm * np.asarray(kicks), _US / np.asarray(tau)
    start = sum(np.exp(onset * rate - onsets_us[-1] * rate) for onset in onsets_us)
    return lambda us: amplitude * start * np.exp((onsets_us[-1] - us) * rate)


def _integrated(
    p: CircuitParameters, v: Values, first_us: float, last_us: float, current: Callable[[float], Values]
) -> tuple[list[float], list[Values], list[Values]]:
    """Return times, potentials and slopes (V/us) at the nodes of a stretch without jumps, both ends included."""
    fastest = float((p.capacitance / np.maximum(p.g_leak, 1e-12)).min()) / _US
    n = max(1, math.ceil((last_us - first_us) / min(fastest / 1.5, 4.0)))
    h = (last_us - first_us) / n
    constant, scale = _drive(p), _US / np.asarray(p.capacitance)

    def slope(u: Values, drive: Values) -> Values:
        return np.asarray(scale * (_OTA(u, p.e_leak, p.g_leak, p.v_sat) + drive))

    drive = constant + current(first_us)
    nodes, values, slopes = [first_us], [v], [slope(v, drive)]
    for k in range(n):
        middle, end = constant + current(first_us + (k + 0.5) * h), constant + current(first_us + (k + 1) * h)
        a = slopes[-1]
        b = slope(v + h / 2 * a, middle)
        c = slope(v + h / 2 * b, middle)
        v = v + h / 6 * (a + 2 * b + 2 * c + slope(v + h * c, end))
        nodes.append(first_us + (k + 1) * h)
        values.append(v)
        slopes.append(slope(v, end))
    return nodes, values, slopes


def _interpolated(nodes: Values, values: Values, slopes: Values, time: Values) -> Values:
    """Return cubic interpolation between nodes with known slopes, shape of `time`, (circuit, sample)."""
    result = np.empty_like(time)
    for circuits in same_times(time):
        at = time[circuits][0]
        left = np.clip(np.searchsorted(nodes, at, side="right") - 1, 0, len(nodes) - 2)
        left = np.where(nodes[left + 1] > nodes[left], left, np.maximum(left - 1, 0))
        h = nodes[left + 1] - nodes[left]
        x = np.clip((at - nodes[left]) / h, 0.0, 1.0)
        rise = x * x * (3 - 2 * x)
        weights = ((1 - rise, values, left), (rise, values, left + 1), (h * x * (1 - x) ** 2, slopes, left), (-h * x * x * (1 - x), slopes, left + 1))
        result[circuits] = sum(weight[:, None] * array[:, circuits][place] for weight, array, place in weights).T
    return result


def _kicks(specimen: Specimen, setting: Setting, synapses: Synapses) -> Values:
    """Return the step of each circuit's synaptic line when all sources send an event, shape (circuit,), V."""
    table = registers("brainscales2")["synapse_weight"]
    ones = {"synapse_weight": np.ones(table.shape, table.dtype)}
    total = np.zeros(AXES["circuit"])
    for hemisphere in range(AXES["hemisphere"]):
        mine = synapses.hemisphere == hemisphere
        if mine.any():
            rows, position = np.unique(synapses.row[mine], return_inverse=True)
            kicks = kick_volts(specimen, EFFECTS, ones, hemisphere, rows)
            np.add.at(total, synapses.neuron[mine], kicks[position, synapses.column[mine]])
    return total * setting.weight
