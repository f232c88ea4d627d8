"""Conductances between compartments by measurement: how fast a membrane and its neighbour approach each other once they are connected.

Leaks are slow, 60 us, and neighbours rest at 80 and 110. Each circuit is then connected with its neighbour through its own conductance, and the fast converter
sees it approach the middle with ``1 / (2 / tau_icc + 1 / tau_leak)``. Where the bias is divided or multiplied, and the search, as of calix
``multicomp/neuron_icc_bias.py``, whose class text gives this relation; its code compares the approach itself with the target, which halves the result.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import CIRCUITS, Bench
from neckar.calibration.measure.binary import noisy_binary_search
from neckar.calibration.measure.bursts import FASTEST_US, Piece, by_time_constant, read_bursts
from neckar.calibration.measure.decay import fit_decays
from neckar.calibration.measure.inputs import enabled
from neckar.calibration.measure.membrane import search_membrane_time
from neckar.calibration.measure.outcome import Codes, Span, Values
from neckar.calibration.measure.potentials import search_leak
from neckar.calibration.measure.stage import Stage
from neckar.calibration.settings import DITHER, LEAK_FIELDS, dithered
from neckar.facts import CAPMEM_MAX

EVEN = np.asarray(CIRCUITS) % 2 == 0
"""Circuits whose neighbour lies to the right; the others' lies to the left."""

LEVELS = np.where(EVEN, 80, 110)
"""Leaks while conductances are measured, CADC LSB."""

LEAK_S = 60e-6

_LOW, _HIGH = 200, CAPMEM_MAX - 63
"""Biases at which division and multiplication are chosen."""

_APPROACHES = 7.0
"""Length of a record, in wanted time constants; the last quarter shows the end."""

_SAMPLES = 140
_BEFORE_US = 0.2
_SHARE = 0.9
"""The conductance is linear, so nearly the whole approach is fitted."""


def stages(tau_s: Values) -> tuple[Stage, ...]:
    """Return the stage of conductances, s, shape (circuit,), after those of the converter and of the neurons."""
    return (Stage("conductances between compartments", lambda bench, rng: {"multicompartment_i_bias_nmda": search_conductance(bench, tau_s, rng)}),)


def search_conductance(bench: Bench, tau_s: Values, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Search the bias of each circuit's conductance and leave it set, divided or multiplied by 4 where the target needs it.

    Parameters
    ----------
    bench : Bench
        Its neurons are set up. Leaks, inputs and thresholds are as before in the end.
    tau_s : ndarray, shape (circuit,)
        Capacitance over conductance, with the mean capacitance of two neighbours, s.
    rng : Generator

    Returns
    -------
    ndarray of bool, shape (circuit,)
        Which circuits reached their target.
    """
    name = "multicompartment_enable_conductance"

    def measure(codes: Codes) -> Values:
        bench.set(multicompartment_i_bias_nmda=codes)
        return _approaches(bench, tau_s)

    with bench.changed(**{field: bench.codes[field] for field in LEAK_FIELDS}, **enabled(), threshold_enable=False):
        bench.set(leak_i_bias=dithered(CAPMEM_MAX - DITHER, rng), leak_enable_division=False, leak_enable_multiplication=False)
        search_leak(bench, LEVELS, rng)
        search_membrane_time(bench, np.full(len(CIRCUITS), LEAK_S), rng, method="windows")
        search_leak(bench, LEVELS, rng)
        bench.set(**{f"{name}_division": False, f"{name}_multiplication": False})
        divided = measure(dithered(_LOW, rng)) < tau_s
        multiplied = (measure(dithered(_HIGH, rng)) > tau_s) & ~divided
        bench.set(**{f"{name}_division": divided, f"{name}_multiplication": multiplied})
        found = noisy_binary_search(measure, tau_s, len(CIRCUITS), Span(0, CAPMEM_MAX), rng, inverted=True)
    bench.set(multicompartment_i_bias_nmda=found.codes)
    return found.reached


def _approaches(bench: Bench, tau_s: Values) -> Values:
    """Return the time constants of the conductances of all circuits, s, seen for about as long as is expected; infinite for one that hardly conducts."""
    found = np.empty(len(tau_s))
    total_s = 1 / (2 / tau_s + 1 / LEAK_S)
    for side in (EVEN, ~EVEN):
        members = np.flatnonzero(side)
        for total_us, some in by_time_constant(total_s[members]):
            found[members[some]] = approach(bench, members[some], side, total_us) * 1e-6
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(found < LEAK_S, 2 * LEAK_S * found / (LEAK_S - found), np.inf))


def approach(bench: Bench, circuits: NDArray[np.int64], side: NDArray[np.bool_], total_us: float) -> Values:
    """Return the time constants with which some circuits approach their neighbours, us, shape (circuit,); infinite for one that hardly moves.

    Parameters
    ----------
    bench : Bench
        Neighbours rest apart.
    circuits : ndarray of int
        All of one side.
    side : ndarray of bool, shape (circuit,)
        :data:`EVEN` or its opposite.
    total_us : float
        About what is expected.
    """
    window_us = max(_APPROACHES * total_us, _SAMPLES * FASTEST_US)
    connected = {
        "multicompartment_connect_soma_right": EVEN,
        "multicompartment_connect_soma": ~side,
        "multicompartment_enable_conductance": side,
    }
    seen = read_bursts(bench, circuits, ("membrane",), (Piece(_BEFORE_US), Piece(window_us, True, connected)), window_us / _SAMPLES)
    trace = seen.values[0, 0]
    end = trace[:, -trace.shape[1] // 4 :].mean(axis=1, keepdims=True)
    return fit_decays(seen.at_us, np.where(EVEN[circuits][:, np.newaxis], end - trace, trace - end), _SHARE)
