"""Membranes in bursts of the fast converter: how fast they come back from a constant current, and how fast they rise after a reset.

Both need few samples of each neuron's trace, at a rate that follows the expected time constant. A trial begins or ends with the membrane at rest, from which
the fit counts. Conditions as of calix ``hagen/neuron_leak_bias.py``: a current that has flowed for 100 us; a reset from v_leak 880 to v_reset 520. The current
is less for slow membranes, so that none with the expected time constant moves by more than about 0.5 V.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from neckar.calibration.clocks import refractory_clocks
from neckar.calibration.measure.bench import CIRCUITS, Bench
from neckar.calibration.measure.bursts import FASTEST_US, Piece, by_time_constant, read_bursts
from neckar.calibration.measure.decay import fit_decays
from neckar.calibration.measure.outcome import Values
from neckar.calibration.settings import dithered

SOURCES = ("membrane",)

_SAMPLES, _WINDOW, _REST_SAMPLES = 100, 4.0, 80
_ON_US, _ON_TAUS = 100.0, 5.0
_CURRENT_AT_10_US, _CURRENT_POWER = 1000, 0.85

_LEAK, _RESET = 880, 520
_HELD_US, _LEAD_US = 6.0, 4.0
_SETTLE = 10.0


def after_current(bench: Bench, tau_s: Values) -> Values:
    """Return the time constant of each membrane, s, from its way back after a constant current; infinite for one that does not come back.

    Parameters
    ----------
    bench : Bench
        Its neurons rest at their leak potential and do not fire.
    tau_s : ndarray, shape (circuit,)
        About what is expected.
    """
    found = np.empty(len(tau_s))
    for tau_us, circuits in by_time_constant(tau_s):
        window_us, interval_us = _pace(tau_us)
        flows, stops = ({"constant_current_enable": on} for on in (True, False))
        pieces = (
            Piece(_REST_SAMPLES * interval_us, recorded=True),
            Piece(max(_ON_US, _ON_TAUS * tau_us), codes=flows),
            Piece(window_us, recorded=True, codes=stops),
        )
        current = round(_CURRENT_AT_10_US * min(10.0 / tau_us, 1.0) ** _CURRENT_POWER)
        with bench.changed(constant_current_i_offset=current, constant_current_enable=False):
            at_us, ((values,),) = read_bursts(bench, circuits, SOURCES, pieces, interval_us)
        resting = at_us < pieces[0].us
        above = values[:, ~resting] - values[:, resting].mean(axis=1, keepdims=True)
        found[circuits] = 1e-6 * fit_decays(at_us[~resting], above)
    return found


def after_reset(bench: Bench, tau_s: Values) -> Values:
    """Return the time constant of each membrane, s, from its rise after a reset; infinite for one that does not rise.

    Parameters
    ----------
    bench : Bench
        Under :func:`high_and_low`.
    tau_s : ndarray, shape (circuit,)
        About what is expected.
    """
    found = np.empty(len(tau_s))
    for tau_us, circuits in by_time_constant(tau_s):
        window_us, interval_us = _pace(tau_us)
        rise = Piece(_HELD_US - _LEAD_US + window_us, recorded=True)
        pieces = (rise, Piece(_SETTLE * window_us), Piece(_REST_SAMPLES * interval_us, recorded=True))
        at_us, ((values,),) = read_bursts(bench, circuits, SOURCES, pieces, interval_us, neuron_reset=True)
        resting, rises = at_us > rise.us, (at_us >= _HELD_US - _LEAD_US) & (at_us < rise.us)
        below = values[:, resting].mean(axis=1, keepdims=True) - values[:, rises]
        found[circuits] = 1e-6 * fit_decays(at_us[rises], below)
    return found


@contextmanager
def high_and_low(bench: Bench, rng: np.random.Generator) -> Iterator[None]:
    """Let neurons rest far above their reset inside the block, and hold them there for 6 us, of which a trial sees the last two."""
    leak, reset = (dithered(code, rng) for code in (_LEAK, _RESET))
    held = np.full(len(CIRCUITS), _HELD_US * 1e-6)
    with bench.changed(leak_v_leak=leak, reset_v_reset=reset, **refractory_clocks(held, np.zeros(len(CIRCUITS))).fields()):
        yield


def _pace(tau_us: float) -> tuple[float, float]:
    """Return length of the window in which a decay is fitted, and interval of its samples, us."""
    interval_us = max(_WINDOW * tau_us / _SAMPLES, FASTEST_US)
    return _SAMPLES * interval_us, interval_us
