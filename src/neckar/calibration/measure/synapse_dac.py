"""The current of the synapses by measurement: all quadrants are made as strong as the weakest at a wanted bias.

Lines that hardly come back drop by the charge of one event; the middle circuit of each quadrant counts. So many synapses pull at once that the weakest
quadrant drops by 0.14 to 0.18 V, as in calix ``common/synapse.py``; but they lie in rows all over the array and have small weights, so that neither drivers nor
rows of one hemisphere make it look stronger. Of upstream's two ways the one with the fast converter is taken: it is the same for all quadrants, while gains of
the calibrated parallel converter differ by 2 % between them.
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

_DROP = (90.0, 120.0)
"""In LSB of the fast converter."""

_FIRST_PULL = 128
_ATTEMPTS = 8
_ROWS, _QUADRANTS = AXES["row"], AXES["quadrant"]
_WEIGHT_MAX = TABLE["synapse_weight"].high


def search_synapse_dac(bench: Bench, bias: int) -> NDArray[np.bool_]:
    """Search the current of the synapses of each quadrant and leave it set.

    Parameters
    ----------
    bench : Bench
    bias : int
        The weakest quadrant keeps about this code, LSB.

    Returns
    -------
    ndarray of bool, shape (quadrant,)
        Which quadrants reached the strength of the weakest; that one is the measure.

    Raises
    ------
    ConfigurationError
        If no number of synapses brings the drops into the range in which they are compared.
    """

    def measure(codes: Codes) -> Values:
        bench.set(syn_i_bias_dac=codes)
        return _drops(bench)

    slow = {f"{kind}_input_i_bias_tau": 0 for kind in KINDS}
    with bench.changed(**slow):
        pull, drops = _pull(bench, bias)
        with pulled(bench, "excitatory", *pull):
            found = binary_search(measure, drops.min(), _QUADRANTS, Span(0, CAPMEM_MAX))
    bench.set(syn_i_bias_dac=found.codes)
    return found.reached | (drops == drops.min())


def _pull(bench: Bench, bias: int) -> tuple[tuple[NDArray[np.int64], int], Values]:
    """Return rows and weight at which the weakest quadrant drops as it should, and by how much all do."""
    bench.set(syn_i_bias_dac=bias)
    wanted, drops = _FIRST_PULL, np.zeros(_QUADRANTS)
    for _ in range(_ATTEMPTS):
        weight = int(np.clip(-(-wanted // _ROWS), 1, _WEIGHT_MAX))
        rows = np.unique(np.linspace(0, _ROWS - 1, min(max(round(wanted / weight), 1), _ROWS)).round().astype(np.int64))
        with pulled(bench, "excitatory", rows, weight):
            drops = _drops(bench)
        if _DROP[0] <= drops.min() <= _DROP[1]:
            return (rows, weight), drops
        wanted = round(wanted * np.clip(np.mean(_DROP) / max(drops.min(), 1.0), 1 / 4, 4))
    raise ConfigurationError(
        f"events pull the synaptic lines by {drops.min():.0f} LSB of the MADC at the bias {bias}, whatever the number of synapses; allowed is {_DROP[0]:g} to "
        f"{_DROP[1]:g}. Choose a more moderate bias of the synapses."
    )


def _drops(bench: Bench) -> Values:
    """Return the drop of the middle circuit of each quadrant, LSB."""
    return np.asarray(np.median(line_drops(bench, "exc_synin").reshape(_QUADRANTS, -1), axis=1))
