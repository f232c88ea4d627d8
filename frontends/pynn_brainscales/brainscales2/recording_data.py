"""What was recorded: sites, and the data of one population in one snippet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

READOUT_SOURCES: dict[str, Any] = {"v": "membrane", "exc_synin": "exc_synin", "inh_synin": "inh_synin", "adaptation": "adaptation"}
"""Analog variables of a neuron, and the name of each voltage in a Program's record."""


class RecordingSite(NamedTuple):
    """A compartment of a neuron."""

    cell_id: int
    comp_id: int


class ADCData(NamedTuple):
    """Samples of a converter.

    Parameters
    ----------
    times : ndarray of float32, shape (sample,)
        Milliseconds from the beginning of the experiment.
    values : ndarray of float32, shape (sample,)
        Converter codes.
    """

    times: NDArray[np.float32]
    values: NDArray[np.float32]


@dataclass(eq=False)
class SnippetData:
    """The data of one population in one snippet.

    Parameters
    ----------
    begin, end : float
        Milliseconds from the beginning of the experiment.
    spikes : dict of RecordingSite to ndarray of float64
        Spike times in milliseconds, for every site whose spikes were recorded.
    madc, cadc : dict of variable to dict of RecordingSite to ADCData
    """

    begin: float
    end: float
    spikes: dict[RecordingSite, NDArray[np.float64]] = field(default_factory=dict)
    madc: dict[str, dict[RecordingSite, ADCData]] = field(default_factory=dict)
    cadc: dict[str, dict[RecordingSite, ADCData]] = field(default_factory=dict)

    def restricted(self, cell_ids: Any) -> SnippetData:
        """Return the data of some cells only."""
        ids = {int(cell_id) for cell_id in cell_ids}
        return SnippetData(
            self.begin,
            self.end,
            {site: times for site, times in self.spikes.items() if site.cell_id in ids},
            *(
                {variable: {site: data for site, data in sites.items() if site.cell_id in ids} for variable, sites in device.items()}
                for device in (self.madc, self.cadc)
            ),
        )
