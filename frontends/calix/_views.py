"""Upstream's classes of single stages, as views of Neckar's stages: ``ThresholdCalibCADC().run(connection, algorithm, target)``.

Target and result are upstream's. How the stage brings the chip into a state that shows the quantity, and which search it uses, is Neckar's: an `algorithm` that
is passed has no influence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from calix._stages import bench_on, translated
from calix._types import magnitude
from calix.common import base
from calix.common.exceptions import CalibNotSupported
from neckar.calibration.measure import Bench
from neckar.calibration.measure.bench import TABLE
from neckar.calibration.measure.stage import keyed_generator
from neckar.errors import UnsupportedFeatureError

Reached = Mapping[str, NDArray[np.bool_]] | NDArray[np.bool_]


class FixedSearchError(UnsupportedFeatureError, CalibNotSupported):
    """A stage searches by itself."""


class StageCalib(base.Calib):
    """Base of the views.

    Parameters
    ----------
    target : number, quantity or ndarray, optional
        One for all elements, or one for each; in the unit of the class, where numbers are bare.
    """

    field: ClassVar[str]
    """Register that is searched."""
    unit: ClassVar[str | None] = None
    """Unit of the target; None for digital values."""
    default: ClassVar[Any] = None

    def __init__(self, target: Any = None) -> None:
        row = TABLE[self.field]
        super().__init__(base.ParameterRange(row.low, row.high), int(np.prod(row.shape)))
        self.target = self.default if target is None else target

    def search(self, bench: Bench, target: Any, rng: np.random.Generator) -> Reached:
        """Run the stage and leave its result set; return what was reached."""
        raise NotImplementedError

    def run(self, connection: Any, algorithm: Any = None, target: Any = None) -> base.ParameterCalibResult:
        """Measure on the chip of a connection as it is, and leave the result there.

        Parameters
        ----------
        connection : StatefulConnection or hxcomm.ConnectionHandle
        algorithm
            Without influence: each stage has its own search.
        target : optional
            Instead of the class's.

        Raises
        ------
        CalibNotSuccessful
            If the chip does not show what the stage needs.
        """
        if target is not None:
            self.target = target
        wanted = self.target if self.unit is None or self.target is None else magnitude(self.target, self.unit)
        self.prelude(connection)
        bench = bench_on(connection)
        with translated():
            reached = self.search(bench, wanted, keyed_generator(0, type(self).__name__))
            bench.write()
        mask = reached[self.field] if isinstance(reached, Mapping) else reached
        self.result = base.ParameterCalibResult(bench.codes[self.field].reshape(-1).astype(int), np.asarray(mask).reshape(-1))
        self.postlude(connection)
        return self.result

    def configure_parameters(self, builder: Any, parameters: Any) -> NoReturn:
        """Refuse: the stage sets its registers by itself."""
        self._refuse("configure_parameters")

    def measure_results(self, connection: Any, builder: Any) -> NoReturn:
        """Refuse: the stage measures by itself."""
        self._refuse("measure_results")

    def _refuse(self, name: str) -> NoReturn:
        kind = type(self).__name__
        raise FixedSearchError(f"{kind}.{name} was called; in Neckar a stage searches by itself. Call {kind}().run(connection), or derive from base.Calib.")


def per_circuit(target: Any) -> NDArray[np.float64]:
    """Return targets of all circuits, shape (circuit,)."""
    return np.array(np.broadcast_to(np.asarray(target, np.float64), TABLE["leak_v_leak"].shape))
