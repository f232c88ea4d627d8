"""PyNN's connectors, with selectors for compartments, and working for a single presynaptic cell with every numpy."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyNN.connectors
from pyNN.connectors import Connector

from pynn_brainscales.brainscales2._checks import explained, shown
from pynn_brainscales.brainscales2._errors import MissingFileError

__all__ = [
    "AllToAllConnector",
    "ArrayConnector",
    "CSAConnector",
    "CloneConnector",
    "Connector",
    "DisplacementDependentProbabilityConnector",
    "DistanceDependentProbabilityConnector",
    "FixedNumberPostConnector",
    "FixedNumberPreConnector",
    "FixedProbabilityConnector",
    "FixedTotalNumberConnector",
    "FromFileConnector",
    "FromListConnector",
    "IndexBasedProbabilityConnector",
    "MapConnector",
    "OneToOneConnector",
    "SmallWorldConnector",
]


class _Located(Connector):
    """Has keyword-only selectors of the source and target compartment, and says what was asked where PyNN's connectors or numpy refuse an argument."""

    def __init__(self, *args: Any, location_selector: str | None = None, source_location_selector: str | None = None, **kwargs: Any) -> None:
        with explained(lambda: self._asked(args, kwargs)):
            super().__init__(*args, **kwargs)
        self.location_selector = location_selector
        self.source_location_selector = source_location_selector

    def connect(self, projection: Any) -> None:
        """Connect the ends of a projection."""
        with explained(lambda: f"{type(self).__name__} for projection {projection.label!r} of {projection.pre.size} x {projection.post.size} cells"):
            super().connect(projection)

    @classmethod
    def _asked(cls, args: Any, kwargs: Any) -> str:
        return f"{cls.__name__}({', '.join([*map(reprlib.repr, args), *([shown(kwargs)] if kwargs else [])])})"


class _LocatedMap(_Located):
    """Also repairs PyNN's connection maps: where the presynaptic side has one cell, their columns are single booleans, which numpy 2.1 refuses to index."""

    def _standard_connect(self, projection: Any, connection_map_generator: Callable[..., Any], distance_map: Any = None) -> None:
        def columns(*mask: Any) -> Iterator[Any]:
            for column in connection_map_generator(*mask):
                yield np.full(projection.pre.size, column) if np.ndim(column) == 0 else column

        super()._standard_connect(projection, columns, distance_map)


class MapConnector(_LocatedMap, pyNN.connectors.MapConnector):
    """Base of connectors that use a connection map."""


class AllToAllConnector(_LocatedMap, pyNN.connectors.AllToAllConnector):
    __doc__ = pyNN.connectors.AllToAllConnector.__doc__


class FixedProbabilityConnector(_LocatedMap, pyNN.connectors.FixedProbabilityConnector):
    __doc__ = pyNN.connectors.FixedProbabilityConnector.__doc__


class DistanceDependentProbabilityConnector(_LocatedMap, pyNN.connectors.DistanceDependentProbabilityConnector):
    __doc__ = pyNN.connectors.DistanceDependentProbabilityConnector.__doc__


class DisplacementDependentProbabilityConnector(_LocatedMap, pyNN.connectors.DisplacementDependentProbabilityConnector):
    __doc__ = pyNN.connectors.DisplacementDependentProbabilityConnector.__doc__


class IndexBasedProbabilityConnector(_LocatedMap, pyNN.connectors.IndexBasedProbabilityConnector):
    __doc__ = pyNN.connectors.IndexBasedProbabilityConnector.__doc__


class FromListConnector(_Located, pyNN.connectors.FromListConnector):
    __doc__ = pyNN.connectors.FromListConnector.__doc__


class FromFileConnector(_Located, pyNN.connectors.FromFileConnector):
    __doc__ = pyNN.connectors.FromFileConnector.__doc__

    def __init__(self, file: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(file, str | os.PathLike):
            file = os.fspath(file)
            if not os.path.isfile(file):
                raise MissingFileError(
                    f"FromFileConnector was given the file {file!r}, which does not exist; allowed is a list of connections as text. Correct the path."
                )
        super().__init__(file, *args, **kwargs)


class FixedNumberPreConnector(_LocatedMap, pyNN.connectors.FixedNumberPreConnector):
    __doc__ = pyNN.connectors.FixedNumberPreConnector.__doc__


class FixedNumberPostConnector(_LocatedMap, pyNN.connectors.FixedNumberPostConnector):
    __doc__ = pyNN.connectors.FixedNumberPostConnector.__doc__


class FixedTotalNumberConnector(_LocatedMap, pyNN.connectors.FixedTotalNumberConnector):
    __doc__ = pyNN.connectors.FixedTotalNumberConnector.__doc__


class OneToOneConnector(_LocatedMap, pyNN.connectors.OneToOneConnector):
    __doc__ = pyNN.connectors.OneToOneConnector.__doc__


class SmallWorldConnector(_Located, pyNN.connectors.SmallWorldConnector):
    __doc__ = pyNN.connectors.SmallWorldConnector.__doc__


class CSAConnector(_LocatedMap, pyNN.connectors.CSAConnector):
    __doc__ = pyNN.connectors.CSAConnector.__doc__


class CloneConnector(_LocatedMap, pyNN.connectors.CloneConnector):
    __doc__ = pyNN.connectors.CloneConnector.__doc__


class ArrayConnector(_LocatedMap, pyNN.connectors.ArrayConnector):
    __doc__ = pyNN.connectors.ArrayConnector.__doc__
