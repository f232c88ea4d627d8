"""The current of the synapses by measurement: all quadrants are made as strong as the weakest at a wanted bias.

Lines that hardly come back drop by the charge of one event; the middle circuit of each quadrant counts. So many synapses pull at once that the weakest
quadrant drops by 30 to 40 LSB of the parallel converter, as in calix ``common/synapse.py``; but they lie in rows all over the array and have small weights, so
that neither drivers nor rows of one hemisphere make it look stronger.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.measure.bench import TABLE, Bench
from neckar.calibration.measure.binary import binary_search
from neckar.calibration.measure.lines import line_drops, pulled
from neckar.calibration.measure.outcome import Codes, Span, Values
from neckar.calibration.measure.stimuli import KINDS
from neckar.errors import ConfigurationError
from neckar.facts import AXES, CAPMEM_MAX

_DROP = (30.0, 40.0)
_FIRST_PULL = 128
_ATTEMPTS = 8
_ROWS, _QUADRANTS = AXES["row"], AXES["quadrant"]
_WEIGHT_MAX = TABLE["synapse_weight"].high


def search_synapse_dac(bench: Bench, bias: int) -> NDArray[np.bool_]:
    """Search the current of the synapses of each quadrant and leave it set.

    Parameters
    ----------
    bench : Bench
        With a calibrated converter.
    bias : int
        The weakest quadrant keeps about this code, LSB.

    Returns
    -------
    ndarray of bool, shape (quadrant,)
        Which quadrants reached the strength of the weakest.

    Raises
    ------
    ConfigurationError
        If no number of synapses brings the drops into the converter's reach.
    """

    def measure(codes: Codes) -> Values:
        bench.set(syn_i_bias_dac=codes)
        return _drops(bench)

    slow = {f"{kind}_input_i_bias_tau": 0 for kind in KINDS}
    with bench.changed(**slow):
        pull, target = _pull(bench, bias)
        with pulled(bench, "excitatory", *pull):
            found = binary_search(measure, target, _QUADRANTS, Span(0, CAPMEM_MAX))
    bench.set(syn_i_bias_dac=found.codes)
    return found.reached


def _pull(bench: Bench, bias: int) -> tuple[tuple[NDArray[np.int64], int], float]:
    """Return rows and weight at which the weakest quadrant drops as it should, and by how much it does."""
    bench.set(syn_i_bias_dac=bias)
    wanted = _FIRST_PULL
    drop = 0.0
    for _ in range(_ATTEMPTS):
        weight = int(np.clip(-(-wanted // _ROWS), 1, _WEIGHT_MAX))
        rows = np.unique(np.linspace(0, _ROWS - 1, min(max(round(wanted / weight), 1), _ROWS)).round().astype(np.int64))
        with pulled(bench, "excitatory", rows, weight):
            drop = float(_drops(bench).min())
        if _DROP[0] <= drop <= _DROP[1]:
            return (rows, weight), drop
        wanted = round(wanted * np.clip(np.mean(_DROP) / max(drop, 1.0), 1 / 4, 4))
    raise ConfigurationError(
        f"events pull the synaptic lines by {drop:.0f} LSB of the CADC at the bias {bias}, whatever the number of synapses; allowed is {_DROP[0]:g} to "
        f"{_DROP[1]:g}. Choose a more moderate bias of the synapses."
    )


def _drops(bench: Bench) -> Values:
    """Return the drop of the middle circuit of each quadrant, LSB."""
    return np.asarray(np.median(line_drops(bench, "exc_synin").reshape(_QUADRANTS, -1), axis=1))
