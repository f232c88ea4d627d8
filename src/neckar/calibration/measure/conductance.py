"""Conductance-based inputs by measurement: the reference, at which an input is as strong as without, and how steeply its strength follows the membrane.

An input in this mode is weaker the nearer the membrane is to the reversal potential. Its answer to a train of events is measured at two resting levels: at
the reference, where it must be what it is in current-based mode, and near the reversal, where the straight line from the one to the other says what it must
be. As of calix ``hagen/neuron_synin_coba.py``; where the reversal is out of the converter's reach, or too near, the second level lies on the other side of
the reference. A train that moves the membrane counts where its middle lies.

Upstream searches the reference, and the resting level, anew at every bias that it tries, some thousand measurements. Here the reference is searched at the
middle bias, where it acts strongly, then the bias, then the reference again at that bias.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.calibration.measure.bench import CIRCUITS, Bench
from neckar.calibration.measure.binary import noisy_binary_search
from neckar.calibration.measure.inputs import ROWS, WEIGHT, Reached, answer, enabled, reliable_train
from neckar.calibration.measure.membrane import search_membrane_time
from neckar.calibration.measure.outcome import Codes, Measurement, Outcome, Span, Values
from neckar.calibration.measure.potentials import search_leak
from neckar.calibration.measure.stimuli import KINDS, stimulated
from neckar.calibration.settings import dithered
from neckar.calibration.targets import NeuronTarget
from neckar.errors import ParameterRangeError
from neckar.facts import CAPMEM_MAX

LEVELS = Span(60, 165)
"""Resting levels at which answers can be measured, CADC LSB."""

_BIASES = Span(0, CAPMEM_MAX // 4)
_TAU_MEM_S = 30e-6
_RELIABLE = 30.0
_SEPARATION = 2 * _RELIABLE
_NEAR_REVERSAL = 0.8
_SIGN = {"excitatory": 1, "inhibitory": -1}


def search_conductances(bench: Bench, target: NeuronTarget, rng: np.random.Generator) -> Reached:
    """Search bias and reference of the inputs that are to be conductance-based; others are switched to current-based mode.

    Parameters
    ----------
    bench : Bench
        As :func:`neckar.calibration.measure.inputs.prepared` leaves it, with calibrated strengths and references.
    target : NeuronTarget

    Raises
    ------
    ParameterRangeError
        As :func:`references_of`.
    """
    based, references = target.is_conductance_based, references_of(target)
    found: Reached = {}
    if based.any():
        search_membrane_time(bench, np.full(len(CIRCUITS), _TAU_MEM_S), rng, "windows")
    for k, kind in enumerate(KINDS):
        reference = references[:, k]
        off: dict[str, ArrayLike] = {f"{kind}_input_i_bias_coba": 0, f"{kind}_input_v_rev_coba": 0}
        bench.set(**{f"{kind}_input_enable_coba_mode": based[:, k], **off})
        if based[:, k].any():
            reversal = np.where(based[:, k], np.asarray(target.e_coba_reversal, np.float64)[:, k], reference + _SIGN[kind] * np.ptp(LEVELS))
            found |= _search(bench, kind, based[:, k], reference, reversal, rng)
    return found


def references_of(target: NeuronTarget) -> Values:
    """Return the potentials at which inputs are as strong as without, CADC LSB, shape (circuit, 2): by default the middle between leak and threshold.

    Current-based inputs have the middle of the levels that can be measured.

    Raises
    ------
    ParameterRangeError
        If one lies where answers cannot be measured.
    """
    given = np.asarray(target.e_coba_reference, np.float64)
    midpoint = (np.asarray(target.leak, np.float64) + np.asarray(target.threshold, np.float64)) / 2
    found = np.where(np.isfinite(given), given, midpoint[:, np.newaxis])
    found = np.where(target.is_conductance_based, found, np.mean(LEVELS))
    bad = np.argwhere((found < LEVELS.low) | (found > LEVELS.high))
    if len(bad):
        circuit, k = (int(i) for i in bad[0])
        raise ParameterRangeError(
            f"the conductance-based {KINDS[k]} input of circuit {circuit} has its reference at {found[circuit, k]:g} CADC LSB; strengths can be compared from "
            f"{LEVELS.low} to {LEVELS.high}. Give an e_coba_reference in this range."
        )
    return found


def _search(bench: Bench, kind: str, on: NDArray[np.bool_], reference: Values, reversal: Values, rng: np.random.Generator) -> Reached:
    """Search one kind of input on the neurons where it is `on`; potentials in CADC LSB, shape (circuit,)."""
    fields = {"bias": f"{kind}_input_i_bias_coba", "reference": f"{kind}_input_v_rev_coba"}
    second, side = _second_level(kind, reference, reversal)
    with bench.changed(**enabled(kind)), stimulated(bench, kind, ROWS, WEIGHT):
        with bench.changed(**{f"{kind}_input_enable_coba_mode": False}):
            at_second = _leak_codes(bench, second, rng)
            at_reference = _leak_codes(bench, reference - _SIGN[kind] * _RELIABLE / 2, rng)
            n_events, strength = reliable_train(bench, kind, _RELIABLE)

        def unlike_current_based(codes: Codes) -> Values:
            bench.set(**{fields["reference"]: codes})
            return answer(bench, kind, n_events).height - strength

        def off_the_line(codes: Codes) -> Values:
            bench.set(**{fields["bias"]: codes})
            seen = answer(bench, kind, n_events)
            middle = seen.before + _SIGN[kind] * seen.height / 2
            return side * (seen.height - strength * (1 - (middle - reference) / (reversal - reference)))

        def search(what: str, leak: Codes, measure: Measurement, span: Span, inverted: bool) -> Outcome:
            bench.set(leak_v_leak=leak)
            outcome = noisy_binary_search(measure, 0.0, len(CIRCUITS), span, rng, inverted)
            bench.set(**{fields[what]: np.where(on, outcome.codes, 0)})
            return outcome

        whole = Span(0, CAPMEM_MAX)
        bench.set(**{fields["bias"]: dithered(_BIASES.high // 2, rng)})
        search("reference", at_reference, unlike_current_based, whole, kind == "inhibitory")
        biases = search("bias", at_second, off_the_line, _BIASES, True)
        references = search("reference", at_reference, unlike_current_based, whole, kind == "inhibitory")
    return {fields["bias"]: biases.reached | ~on, fields["reference"]: references.reached | ~on}


def _second_level(kind: str, reference: Values, reversal: Values) -> tuple[Values, Values]:
    """Return the second resting level, CADC LSB, and 1 where it lies between reference and reversal, -1 where beyond the reference."""
    level = np.clip(reference + _NEAR_REVERSAL * (reversal - reference), *LEVELS)
    other = np.abs(level - reference) < _SEPARATION
    return np.where(other, reference - _SIGN[kind] * _SEPARATION, level), np.where(other, -1.0, 1.0)


def _leak_codes(bench: Bench, level: Values, rng: np.random.Generator) -> Codes:
    """Return the codes of the leak at which neurons without events rest at a level."""
    search_leak(bench, level, rng)
    return bench.codes["leak_v_leak"].astype(np.int64)
