"""Synaptic time constants by measurement: the bias of each line's resistor, and whether its range of long time constants is used.

Both lines of a circuit are pulled by the same events and searched at once; the fast converter looks at one after the other. Conditions and the choice of the
range, at 90 % of the bias, as of calix ``hagen/neuron_synin.py``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import CIRCUITS, Bench
from neckar.calibration.measure.binary import noisy_binary_search
from neckar.calibration.measure.lines import line_times
from neckar.calibration.measure.outcome import Codes, Span, Values
from neckar.calibration.measure.stimuli import KINDS
from neckar.calibration.settings import dithered
from neckar.facts import CAPMEM_MAX

_PRELUDE_BIAS = round(0.9 * CAPMEM_MAX)


def search_synaptic_time(bench: Bench, tau_s: Values, rng: np.random.Generator) -> dict[str, NDArray[np.bool_]]:
    """Search the biases of both synaptic lines and leave them set, with high resistance where the fastest line with it is still faster than the target.

    Parameters
    ----------
    bench : Bench
        With currents of the synapses as they are to be, and the capacitances of the lines as the targets need them.
    tau_s : ndarray, shape (circuit, 2)
        Excitatory, inhibitory; s.

    Returns
    -------
    dict of str to ndarray of bool, shape (circuit,)
        For the field of each line: which circuits reached their target.
    """

    def measure(codes: Codes) -> Values:
        bench.set(**{f"{kind}_input_i_bias_tau": codes.reshape(2, -1)[k] for k, kind in enumerate(KINDS)})
        return line_times(bench, tau_s).T.reshape(-1)

    targets, n = tau_s.T.reshape(-1), 2 * len(CIRCUITS)
    bench.set(**{f"{kind}_input_enable_high_resistance": True for kind in KINDS})
    high = measure(dithered(_PRELUDE_BIAS, rng, n)) <= targets
    bench.set(**{f"{kind}_input_enable_high_resistance": high.reshape(2, -1)[k] for k, kind in enumerate(KINDS)})
    found = noisy_binary_search(measure, targets, n, Span(0, CAPMEM_MAX), rng, inverted=True)
    bench.set(**{f"{kind}_input_i_bias_tau": found.codes.reshape(2, -1)[k] for k, kind in enumerate(KINDS)})
    return {f"{kind}_input_i_bias_tau": found.reached.reshape(2, -1)[k] for k, kind in enumerate(KINDS)}
