"""Synapse drivers by measurement: equal pulses in short-term plasticity and in matrix multiplication.

What a driver sends is seen as a drop of the synaptic lines, which neither recover nor reach the membranes while they are measured. Drivers answer in groups,
one after the other; each driver of a group pulls on columns of its own, spread over the array. The rows of the converter after one group are those before the
next, so a trial shows all drivers of the chip, and the middle of three trials that none of its events was lost.

Order, targets and searches as of calix ``spiking/synapse_driver.py`` and ``hagen/synapse_driver.py``. A drop is the mean over a driver's columns instead of
their median, because a median of whole numbers does not resolve the small pulses at which ramps are chosen; and an event pulls with both rows of its driver.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.calibration.measure.bench import TABLE, Bench, snippet, ticks_of
from neckar.calibration.measure.binary import binary_search
from neckar.calibration.measure.outcome import Codes, Outcome, Span, Values
from neckar.calibration.measure.stage import Stage
from neckar.calibration.measure.stimuli import BUSES, KINDS
from neckar.calibration.targets import StpTarget
from neckar.facts import AXES, CAPMEM_MAX
from neckar.facts import brainscales2 as facts
from neckar.facts.labels import LABEL_CHANNEL_SHIFT, LABEL_SELECT_SHIFT
from neckar.program import Events

HEMISPHERES, DRIVERS, COLUMNS, QUADRANTS = AXES["hemisphere"], AXES["driver"], AXES["column"], AXES["quadrant"]
SHAPE = (HEMISPHERES, DRIVERS)
DRIVER_FIELDS = tuple(name for name, row in TABLE.items() if row.axes == ("hemisphere", "driver") and not row.counter)

RANGE = 0.9
"""Share of the largest amplitude that pulses use in matrix multiplication (calix: ``RANGE_LIMIT``)."""

LONGEST = int(facts.HAGEN_ACTIVATION_MAX.value)
"""Highest activation."""

_RAMP_ACTIVATION, _FIRST_ACTIVATION = 2, 29
_TOGETHER = 16
"""Drivers of a hemisphere that answer in one trial, each on so many columns less."""

_LEVEL_US = 2.0 * np.arange(1, 4)
_SETTLE_US, _EVENT_US = 1.0, 0.05
_TRIALS = 3
_SHARE = 0.75
_MOST_SENDS = 8
_SIDES = QUADRANTS // HEMISPHERES

_LINES: dict[str, Any] = {
    **{f"{kind}_input_{name}": code for kind in KINDS for name, code in (
        ("enable", False), ("enable_small_capacitance", False), ("enable_high_resistance", True), ("i_bias_tau", 0))},
    "threshold_enable": False,
    "synapse_row_mode": 1,
    "synapse_label": 0,
    "driver_enable_receiver": True,
    "driver_row_address_compare_mask": 31,
    "driver_enable_address_out": False,
}  # fmt: skip

_MODULATED: dict[str, Any] = {
    "stp_i_bias_comparator": TABLE["stp_i_bias_comparator"].default,
    "driver_enable_address_out": False,
    "driver_enable_stp": True,
    "driver_enable_hagen_dac": True,
    "driver_enable_hagen_modulation": True,
}


def stages(target: StpTarget) -> tuple[Stage, ...]:
    """Return the stages of short-term plasticity, after those of the converter and of the currents of the synapses."""
    return (Stage("short-term plasticity", lambda bench, rng: {"driver_offset": search_offsets(bench, target)}),)


def search_offsets(bench: Bench, target: StpTarget) -> NDArray[np.bool_]:
    """Search the offset of each driver that makes its pulses, at the voltage of the target, as strong as the median of its quadrant; leave it set.

    The cells of short-term plasticity hold what the target says, drivers stay switched off.

    Parameters
    ----------
    bench : Bench
        With a calibrated converter and synapses of equal strength in all quadrants.
    target : StpTarget

    Returns
    -------
    ndarray of bool, shape (hemisphere, driver)
        Which drivers reached the median.
    """
    bench.set(**{name: TABLE[name].default_array() for name in DRIVER_FIELDS})
    bench.set(stp_i_ramp=target.i_ramp, stp_i_calib=target.i_ramp, stp_i_bias_comparator=TABLE["stp_i_bias_comparator"].default)
    span = Span(0, TABLE["driver_offset"].high)
    plastic = {"stp_v_charge_0": target.v_stp, "stp_v_recover_0": target.v_stp, "driver_enable_stp": True}
    with bench.changed(**plastic), pulling(bench) as sends:

        def measure(codes: Codes) -> Values:
            bench.set(driver_offset=codes.reshape(SHAPE))
            return amplitudes(bench, sends=sends).reshape(-1)

        start = measure(np.full(HEMISPHERES * DRIVERS, span.high // 2)).reshape(SHAPE)
        goal = of_drivers(np.median(by_quadrant(start), axis=1)).reshape(-1)
        found = binary_search(measure, goal, len(goal), span, inverted=True)
    bench.set(driver_offset=found.codes.reshape(SHAPE))
    bench.set(stp_v_charge_0=target.v_charge_0, stp_v_recover_0=target.v_recover_0, stp_v_charge_1=target.v_charge_1, stp_v_recover_1=target.v_recover_1)
    return found.reached.reshape(SHAPE)


def search_multiplication(bench: Bench, test_activation: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Search ramps of the quadrants and offsets of the drivers' converters for pulses in proportion to the activation; leave drivers switched on like that.

    A pulse of activation a is to be 0.9 a / 31 of the driver's longest. The ramps are searched at activation 2, each time with offsets that make the drivers
    equal at activation 29; in the end the offsets make them equal at `test_activation`.

    Parameters
    ----------
    bench : Bench
        As of :func:`search_offsets`.
    test_activation : int
        1 to 31.

    Returns
    -------
    ramps : ndarray of bool, shape (quadrant,)
    offsets : ndarray of bool, shape (hemisphere, driver)
        Which reached their target; a driver also needs its quadrant's ramp.
    """
    bench.set(**{name: TABLE[name].default_array() for name in DRIVER_FIELDS})
    bench.set(**_MODULATED, driver_offset=TABLE["driver_offset"].high // 2)
    with bench.changed(stp_i_ramp=CAPMEM_MAX, stp_i_calib=CAPMEM_MAX, driver_hagen_dac_offset=0):
        pull = pull_for(bench)
        with lines(bench, pull.weight):
            longest = amplitudes(bench, sends=pull.sends)

    def equal(activation: int, trials: int) -> Outcome:
        """Search the offsets for the wanted amplitudes at an activation."""

        def measure(codes: Codes) -> Values:
            bench.set(driver_hagen_dac_offset=codes.reshape(SHAPE))
            return amplitudes(bench, activation, pull.sends * _sends(activation), trials).reshape(-1)

        goal = RANGE * activation / LONGEST * longest.reshape(-1)
        found = binary_search(measure, goal, goal.size, Span(0, TABLE["driver_hagen_dac_offset"].high), inverted=True)
        bench.set(driver_hagen_dac_offset=found.codes.reshape(SHAPE))
        return found

    def at_ramp(codes: Codes) -> Values:
        bench.set(stp_i_ramp=codes, stp_i_calib=codes)
        equal(_FIRST_ACTIVATION, 1)
        return np.asarray(by_quadrant(amplitudes(bench, _RAMP_ACTIVATION, pull.sends * _sends(_RAMP_ACTIVATION), 1)).mean(axis=1))

    with lines(bench, pull.weight):
        goal = RANGE * _RAMP_ACTIVATION / LONGEST * by_quadrant(longest).mean(axis=1)
        ramps = binary_search(at_ramp, goal, QUADRANTS, Span(1, CAPMEM_MAX))
        bench.set(stp_i_ramp=ramps.codes, stp_i_calib=ramps.codes)
        offsets = equal(test_activation, _TRIALS)
    return ramps.reached, offsets.reached.reshape(SHAPE) & (of_drivers(ramps.reached) > 0)


def _sends(activation: int) -> int:
    """Return how many times as many events of an activation show well and, if offsets are still wrong, leave the lines within the converter's range."""
    return min(3, LONGEST // activation)


class Pull(NamedTuple):
    """How drivers are made to pull well: weight of the synapses, and so many events of each."""

    weight: int
    sends: int


def pull_for(bench: Bench) -> Pull:
    """Return the weight and number of events at which all drivers together, at their present pulses, use three quarters of the converter's range."""
    highest = TABLE["synapse_weight"].high
    with lines(bench, highest):
        levels = _levels(bench, LONGEST, 1, _TRIALS)
    drop = float(np.mean(-np.diff(levels, axis=1))) * (DRIVERS // _TOGETHER)
    wanted = _SHARE * float(np.median(levels[:, 0])) / max(drop, 0.1)
    sends = int(np.clip(round(wanted), 1, _MOST_SENDS))
    return Pull(int(np.clip(highest * wanted / sends, 1, highest)), sends)


@contextmanager
def pulling(bench: Bench) -> Iterator[int]:
    """Let the lines integrate what drivers send at their present pulses, inside the block; yields how many events of each show well."""
    pull = pull_for(bench)
    with lines(bench, pull.weight):
        yield pull.sends


@contextmanager
def lines(bench: Bench, weight: int) -> Iterator[None]:
    """Let the excitatory lines integrate what drivers send over synapses of a weight, each on columns of its own, for the programs inside the block."""
    mine = np.arange(COLUMNS) % _TOGETHER == np.arange(DRIVERS)[:, None] % _TOGETHER
    plane = np.broadcast_to(np.where(mine, weight, 0).repeat(2, axis=0), TABLE["synapse_weight"].shape)
    with bench.changed(**_LINES, synapse_weight=plane):
        yield


def amplitudes(bench: Bench, activation: int = LONGEST, sends: int = 1, trials: int = _TRIALS) -> Values:
    """Return how far an event of each driver pulls its lines down, CADC LSB, shape (hemisphere, driver).

    Parameters
    ----------
    bench : Bench
        Inside :func:`lines`.
    activation : int
        1 to 31; without effect unless drivers take the length of pulses from the label.
    sends : int
        So many events of each driver, for small pulses.
    trials : int
        The median counts.

    Raises
    ------
    ConfigurationError
        As :meth:`Bench.rows`.
    """
    drop = -np.diff(_levels(bench, activation, sends, trials), axis=1)
    of_columns = drop.reshape(trials, -1, HEMISPHERES, COLUMNS // _TOGETHER, _TOGETHER).mean(axis=3)
    return np.asarray(np.median(of_columns, axis=0).transpose(1, 0, 2).reshape(SHAPE) / sends)


def _levels(bench: Bench, activation: int, sends: int, trials: int) -> Values:
    """Return the levels of the excitatory lines before the first group of drivers and after each, CADC LSB, shape (trial, 1 + group, circuit)."""
    groups = DRIVERS // _TOGETHER
    round_us = _LEVEL_US[-1] + _SETTLE_US + _EVENT_US * _TOGETHER * sends
    driver, start_us = np.arange(DRIVERS), np.arange(groups + 1) * round_us
    label = (driver % BUSES << LABEL_CHANNEL_SHIFT) | (driver // BUSES << LABEL_SELECT_SHIFT) | (LONGEST + 1 - activation)
    place = (driver % _TOGETHER)[:, None] * sends + np.arange(sends)
    sent = ticks_of(start_us[driver // _TOGETHER, None] + _LEVEL_US[-1] + _EVENT_US * place).reshape(-1)
    events = Events.from_columns(np.arange(trials).repeat(len(sent)), np.tile(sent, trials), np.tile(label.repeat(sends), trials).astype(np.uint16), trials)
    ticks = ticks_of(start_us[:, None] + _LEVEL_US).reshape(-1)
    rows = bench.rows(ticks, (snippet(int(ticks[-1] + ticks_of(_SETTLE_US))),), events, "exc_synin")
    return np.asarray(rows.reshape(trials, groups + 1, len(_LEVEL_US), -1).mean(axis=2))


def of_drivers(quadrants: ArrayLike) -> Values:
    """Return values of quadrants for each driver, even ones west, odd ones east; shape (hemisphere, driver)."""
    return np.tile(np.asarray(quadrants, np.float64).reshape(HEMISPHERES, _SIDES), (1, DRIVERS // _SIDES))


def by_quadrant(drivers: Values) -> Values:
    """Return values of drivers by the quadrant whose cells they take, shape (quadrant, driver)."""
    return drivers.reshape(HEMISPHERES, DRIVERS // _SIDES, _SIDES).transpose(0, 2, 1).reshape(QUADRANTS, -1)
