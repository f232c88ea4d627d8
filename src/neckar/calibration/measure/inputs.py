"""Synaptic inputs by measurement: equal strengths, and no current without events; all 512 neurons at once through the converter.

Conditions as of calix ``spiking/neuron_calib_parts.py`` and ``hagen/neuron_synin.py``: leak at 120, synaptic lines of 1.5 us, so that an event is over soon,
and membranes of 60 us, which hold what came. A train of events moves the membrane, and the difference of readings after and before it is the strength; the
train is shortened until the median stays below 60 LSB. A reference is right when switching the input on moves no membrane.

Upstream searches the reference again at every bias that it tries, 182 measurements for one input. The reference at which no current flows hardly depends on
the bias, and a difference does not see a small current; so references are searched once before and once at the final biases.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import CIRCUITS, Bench
from neckar.calibration.measure.binary import noisy_binary_search
from neckar.calibration.measure.membrane import search_membrane_time
from neckar.calibration.measure.outcome import Codes, Span, Values
from neckar.calibration.measure.potentials import search_leak
from neckar.calibration.measure.stage import Reached
from neckar.calibration.measure.stimuli import KINDS, stimulated, trains
from neckar.calibration.measure.synaptic_time import search_synaptic_time
from neckar.calibration.settings import LEAK_FIELDS, dithered
from neckar.errors import ConfigurationError
from neckar.facts import CAPMEM_MAX

RELIABLE = 60.0
"""Largest difference of two readings that counts as linear, CADC LSB."""

ROWS, WEIGHT = 32, 3
"""Rows of synapses that a train of events reaches, and their weight."""

_LEAK = 120
_TAU_SYN_S = 1.5e-6
_TAU_MEM_S = 60e-6
_EVENTS, _FEWER = 15, 0.8
_TRIALS = 5
_BEFORE_US = 2.0 * np.arange(1, 6)
_START_US = 12.0
_AFTER_US = 4.0 + 2.0 * np.arange(4)
_REST_US = 10.0 + 12.0 * np.arange(20)


class Answer(NamedTuple):
    """What a train of events does to each membrane, CADC LSB, shape (circuit,).

    Attributes
    ----------
    height : ndarray
        By how much it moves, in the direction that is expected of the input.
    before : ndarray
        Where it starts.
    """

    height: Values
    before: Values


@contextmanager
def prepared(bench: Bench, rng: np.random.Generator) -> Iterator[None]:
    """Bring neurons into the state for measuring their inputs, which are off; their own leak and time constants are set again at the end.

    Parameters
    ----------
    bench : Bench
        Its synapses have calibrated currents.
    rng : Generator
    """
    own = (*LEAK_FIELDS, *(f"{kind}_input_i_bias_tau" for kind in KINDS))
    fast = {f"{kind}_input_enable_high_resistance": False for kind in KINDS}
    with bench.changed(**{name: bench.codes[name] for name in own}, **fast, **enabled(), threshold_enable=False):
        bench.set(leak_i_bias=dithered(200, rng), leak_enable_division=True)
        search_leak(bench, _LEAK, rng)
        search_synaptic_time(bench, np.full((len(CIRCUITS), 2), _TAU_SYN_S), rng)
        search_membrane_time(bench, np.full(len(CIRCUITS), _TAU_MEM_S), rng, "windows")
        search_leak(bench, _LEAK, rng)
        yield


def enabled(*kinds: str) -> dict[str, bool]:
    """Return the codes that switch these inputs on and the others off."""
    return {f"{kind}_input_enable": kind in kinds for kind in KINDS}


def search_strengths(bench: Bench, gm: NDArray[np.float64], matched: bool, rng: np.random.Generator, room: tuple[float, float] = (1.8, 100.0)) -> Reached:
    """Search the biases of both inputs for equal strength and leave them set, references too.

    Parameters
    ----------
    bench : Bench
        As :func:`prepared` leaves it.
    gm : ndarray, shape (1,) or (2,)
        Bias at which the median neuron defines the strength, LSB.
    matched : bool
        Inhibition takes the strength, and the train, of excitation; otherwise it has its own.
    rng : Generator
    room : (float, float)
        Biases are searched up to this factor times `gm` plus this summand.
    """
    rest = resting(bench)
    reached: Reached = {}
    wanted, n_events = 0.0, 0
    for k, kind in enumerate(KINDS):
        bias, field = int(gm[min(k, len(gm) - 1)]), f"{kind}_input_i_bias_gm"
        with bench.changed(**enabled(kind)), stimulated(bench, kind, ROWS, WEIGHT):
            bench.set(**{field: dithered(bias, rng)})
            search_reference(bench, kind, rest, rng)
            if k == 0 or not matched:
                n_events, heights = reliable_train(bench, kind, RELIABLE)
                wanted = float(np.median(heights))
            reached[field] = _search_strength(bench, kind, wanted, n_events, Span(0, min(round(room[0] * bias + room[1]), CAPMEM_MAX)), rng)
    return reached


def _search_strength(bench: Bench, kind: str, wanted: float, n_events: int, span: Span, rng: np.random.Generator) -> NDArray[np.bool_]:
    field = f"{kind}_input_i_bias_gm"

    def measure(codes: Codes) -> Values:
        bench.set(**{field: codes})
        return answer(bench, kind, n_events).height

    found = noisy_binary_search(measure, wanted, len(CIRCUITS), span, rng)
    bench.set(**{field: found.codes})
    return found.reached


def search_references(bench: Bench, rng: np.random.Generator) -> Reached:
    """Search the references of both inputs at their biases: first that of the inhibitory input alone, then that of the excitatory one with both switched on."""
    rest = resting(bench)
    reached: Reached = {}
    for kinds in (("inhibitory",), ("excitatory", "inhibitory")):
        with bench.changed(**enabled(*kinds)):
            reached[f"{kinds[0]}_input_i_shift_reference"] = search_reference(bench, kinds[0], rest, rng)
    return reached


def search_reference(bench: Bench, kind: str, rest: Values, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Search the reference of an input that is switched on for given resting readings and leave it set."""
    field = f"{kind}_input_i_shift_reference"

    def measure(codes: Codes) -> Values:
        bench.set(**{field: codes})
        return resting(bench)

    found = noisy_binary_search(measure, rest, len(CIRCUITS), Span(0, CAPMEM_MAX), rng, inverted=kind == "excitatory")
    bench.set(**{field: found.codes})
    return found.reached


def resting(bench: Bench) -> Values:
    """Return the mean reading of each membrane at rest, over a time in which slow membranes wander to and fro."""
    return np.asarray(bench.membranes(_REST_US).mean(axis=(0, 1)))


def answer(bench: Bench, kind: str, n_events: int) -> Answer:
    """Return how each membrane answers to a train of events, one every microsecond, which reach it as :func:`stimulated` says."""
    end_us = _START_US + n_events
    events = trains(_START_US + np.arange(n_events), _TRIALS)
    seen = bench.membranes(np.concatenate([_BEFORE_US, end_us + _AFTER_US]), events).mean(axis=0)
    before, after = seen[: len(_BEFORE_US)].mean(axis=0), seen[len(_BEFORE_US) :].mean(axis=0)
    return Answer((after - before) * (1 if kind == "excitatory" else -1), before)


def reliable_train(bench: Bench, kind: str, most: float) -> tuple[int, Values]:
    """Return the longest train, of 15 events at most, that moves the median membrane by less than `most` LSB, and by how much it moves each.

    Raises
    ------
    ConfigurationError
        If a single event moves it further.
    """
    n_events = _EVENTS
    while n_events:
        height = answer(bench, kind, n_events).height
        if np.median(height) < most:
            return n_events, height
        n_events = int(_FEWER * n_events)
    raise ConfigurationError(
        f"one event on the {kind} input moves the median membrane by {np.median(height):.0f} CADC LSB, more than the {most:g} that can be measured. "
        "Ask for a lower i_synin_gm, or a lower synapse_dac_bias."
    )
