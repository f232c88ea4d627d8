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


@dataclass(frozen=True)
class RecordingConfiguration:
    """What a recorder is asked for, in the order of the sites; replaced, never changed.

    Parameters
    ----------
    spikes : tuple of RecordingSite
    madc, cadc : tuple of (variable, RecordingSite)
    """

    spikes: tuple[RecordingSite, ...] = ()
    madc: tuple[tuple[str, RecordingSite], ...] = ()
    cadc: tuple[tuple[str, RecordingSite], ...] = ()


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

    def restricted(self, cell_ids: Any = None, compartments: Any = None) -> SnippetData:
        """Return the data of some cells and compartments only; None takes all."""
        ids = None if cell_ids is None else {int(cell_id) for cell_id in cell_ids}

        def chosen(sites: dict[RecordingSite, Any]) -> dict[RecordingSite, Any]:
            return {
                site: data for site, data in sites.items() if (ids is None or site.cell_id in ids) and (compartments is None or site.comp_id in compartments)
            }

        converted = ({variable: chosen(sites) for variable, sites in device.items()} for device in (self.madc, self.cadc))
        return SnippetData(self.begin, self.end, chosen(self.spikes), *converted)
