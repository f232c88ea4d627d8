"""Fits the board's voltage to readings of the MADC, writes the line to ``madc_calibration_result.json``, and draws it on request."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import quantities as pq

from calix.common.base import StatefulConnection
from calix.common.madc_characterization import MADCCharacterization
from dlens_vx_v3 import hxcomm

__all__ = ["Line", "main", "plot_linear_fit", "plot_residuals"]


class Line(NamedTuple):
    """voltage = slope * reading + intercept, V; `rvalue` is the correlation."""

    slope: float
    intercept: float
    rvalue: float

    def __call__(self, readings: Any) -> Any:
        """Return the voltage at readings, V."""
        return self.slope * np.asarray(readings) + self.intercept


def main(connection: Any, start_voltage: float, stop_voltage: float, n_steps: int = 10) -> tuple[dict[str, Any], Line]:
    """Return what :class:`MADCCharacterization` measures at voltages from start to stop, V, and the line through it."""
    found = MADCCharacterization(np.linspace(start_voltage, stop_voltage, n_steps) * pq.V).run(connection)
    readings, volts = found["madc_values"], found["voltages"].rescale(pq.V).magnitude
    slope, intercept = np.polyfit(readings, volts, 1)
    return found, Line(float(slope), float(intercept), float(np.corrcoef(readings, volts)[0, 1]))


def plot_linear_fit(ax: Any, calib_result: dict[str, Any], fit_result: Line) -> None:
    """Draw measured points and the line."""
    readings = calib_result["madc_values"]
    volts = calib_result["voltages"].rescale(pq.V).magnitude
    ax.errorbar(readings, volts, xerr=calib_result["madc_values_std"], ls="", marker=".", label="measured")
    ends = np.array([readings.min(), readings.max()])
    ax.plot(ends, fit_result(ends), "r", lw=0.3, label="line")
    ax.set_xlabel("MADC reading / LSB")
    ax.set_ylabel("voltage of the board / V")
    ax.legend()


def plot_residuals(ax: Any, calib_result: dict[str, Any], fit_result: Line) -> None:
    """Draw what the line leaves."""
    rest = fit_result(calib_result["madc_values"]) - calib_result["voltages"].rescale(pq.V).magnitude
    ax.plot(calib_result["madc_values"], rest, "r.", label=f"standard deviation {rest.std():.5f} V")
    ax.set_xlabel("MADC reading / LSB")
    ax.set_ylabel("residual / V")
    ax.legend()


def _run(arguments: argparse.Namespace) -> None:
    with hxcomm.ManagedConnection() as connection:
        found, line = main(StatefulConnection(connection), arguments.start_value, arguments.stop_value, arguments.n_steps)
    text = "MADC of a virtual chip: voltage = slope * madc_value + intercept, in V."
    told = {"description": text, "date": str(datetime.now()), "slope": line.slope, "intercept": line.intercept}
    Path("madc_calibration_result.json").write_text(json.dumps(told, indent=4), encoding="utf-8")
    if arguments.plot:
        import matplotlib.pyplot as plt

        for draw, name in ((plot_linear_fit, "plot"), (plot_residuals, "residuals")):
            figure, axes = plt.subplots()
            draw(axes, found, line)
            figure.savefig(f"madc_calibration_{name}.pdf")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-start_value", type=float, default=0.1, help="first voltage, V")
    parser.add_argument("-stop_value", type=float, default=1.0, help="last voltage, V")
    parser.add_argument("-n_steps", type=int, default=10, help="number of voltages")
    parser.add_argument("--plot", action="store_true", help="save figures")
    _run(parser.parse_args())
