"""Read the figure of the notebook ts_03 and fit the circuits behind it: charges, time constants and conductances of a chain of four compartments.

    python benchmarks/chain_figure.py multicompartment_chain_solution.svg

The file lies in _static/tutorial of brainscales2-demos. It is vector graphics that contain the recorded samples: four inputs, four recordings. Fitted is
the linear chain, alike compartments with a leak, three conductances, four synaptic time constants and charges. Potentials do not show capacitances, only
their ratio to leak and conductance: that of the membrane's time constant to that of a single circuit is the compartment's capacitance in single circuits.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Floats = NDArray[np.float64]
N, WEIGHT = 4, 310
SINGLE_US = 10.0  # time constant of the calibrated single circuit
ZERO, AT_50_US, AT_50_LSB = (71.217051, 301.732096), 121.617738, 275.491549  # of the lowest left axes, which has ticks, in the file's points
PITCH = 1.2 * np.array([77.634783, 57.850435])  # of axes with the default distance
GRID = np.arange(-9.5, 59.5, 0.2)


class Chain(NamedTuple):
    """What the figure shows: charge over capacitance (LSB), conductance over capacitance (1/us), time constants of synapses, membranes, and latency (us)."""

    charge: Floats
    conductance: Floats
    tau_syn: Floats
    tau_mem: float
    latency: float

    @classmethod
    def of(cls, x: Floats) -> Chain:
        return cls(np.exp(x[:4]), np.exp(x[4:7]), np.exp(x[7:11]), float(np.exp(x[11])), float(x[12]))


def traces(svg: str) -> Floats:
    """Return the curves on the grid, LSB, shape (stimulated, recorded, time)."""
    found = []
    for k, axes in enumerate(re.split(r'<g id="axes_\d+">', svg)[1 : N * N + 1]):
        path = re.search(r'<g id="line2d_\d+">\s*<path [^>]*?d="([^"]*)"', axes)
        assert path, f"axes {k + 1} hold no curve"
        points = np.array(re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", path.group(1)), np.float64)
        row, column = divmod(k, N)
        at = (points - ZERO - PITCH * (column, row - N + 1)) / np.subtract((AT_50_US, AT_50_LSB), ZERO) * 50
        at = at[np.argsort(at[:, 0])]
        found.append(np.interp(GRID, *at.T))
    return np.reshape(found, (N, N, -1))


def answers(chain: Chain, time: Floats) -> Floats:
    """Return the answers of the chain above rest, LSB, shape (stimulated, recorded, time)."""
    link = np.zeros((N, N))
    for k, g in enumerate(chain.conductance):
        link[k : k + 2, k : k + 2] += g * np.array([[1, -1], [-1, 1]])
    rates, modes = np.linalg.eigh(link + np.eye(N) / chain.tau_mem)
    t = np.maximum(time - chain.latency, 0)[:, None]
    found = []
    for k in range(N):
        decay = (1 + 1e-5) / chain.tau_syn[k]  # never exactly a rate of the chain
        shape = (np.exp(-decay * t) - np.exp(-rates * t)) / (rates - decay)
        found.append(((chain.charge[k] / chain.tau_syn[k] * modes[k] * shape) @ modes.T).T)
    return np.array(found)


def fit(seen: Floats, shape_only: bool = False, tau_mem: float | None = None) -> tuple[Chain, float]:
    """Return the chain of least squares and the root mean square of the rest, LSB; the baseline of each curve is free, with `shape_only` its height, too."""

    def rest(x: Floats) -> Floats:
        y = answers(Chain.of(np.insert(x, 11, np.log(tau_mem)) if tau_mem else x), GRID)
        y, z = (values - values.mean(axis=-1, keepdims=True) for values in (y, seen))
        return (z - y * ((y * z).sum(-1, keepdims=True) / (y * y).sum(-1, keepdims=True) if shape_only else 1)).ravel()

    start = np.array([*np.log([600] * 4 + [0.6] * 3 + [11.5] * 4 + [10.8]), 0.4])
    found: Any = least_squares(rest, np.delete(start, 11) if tau_mem else start)
    return Chain.of(np.insert(found.x, 11, np.log(tau_mem)) if tau_mem else found.x), float(np.sqrt(np.mean(found.fun**2)))


def main() -> None:
    """Fit and print."""
    seen = traces(Path(sys.argv[1]).read_text(encoding="utf-8"))
    best, rest = fit(seen)
    shape, _ = fit(seen, shape_only=True)
    print(f"rest {rest:.2f} LSB; latency {best.latency:.2f} us")
    for name, value in best._asdict().items():
        print(f"{name:12s} {np.round(value, 3)}   from shapes alone: {'-' if name == 'charge' else np.round(getattr(shape, name), 3)}")
    fine = np.arange(0, 300, 0.02)
    curves = answers(best, fine)
    print(f"heights, LSB\n{np.round(curves.max(-1), 1)}\npeaks, us\n{np.round(fine[curves.argmax(-1)], 1)}")
    baseline = (seen - answers(best, GRID)).mean(axis=-1, keepdims=True)
    after = GRID > 0
    area = np.trapezoid((seen - baseline)[..., after], GRID[after]).sum(axis=-1)
    tail = np.trapezoid(curves[..., fine > GRID[-1]], fine[fine > GRID[-1]]).sum(axis=-1)
    print(f"areas of the answers to each input, LSB us: {area.round()}, after the window {tail.round()}")
    print(f"charges as PSP of a single circuit, LSB per weight unit: {np.round((area + tail) / SINGLE_US / WEIGHT / np.e, 3)}")
    print(f"capacitance of a compartment: {best.tau_mem / SINGLE_US:.3f} single circuits")
    for tau_mem in (9.0, 10.0, 11.0, 12.0, 13.0, 14.0):
        chain, rest = fit(seen, tau_mem=tau_mem)
        print(f"membranes of {tau_mem:4.1f} us: rest {rest:.3f} LSB, synapses {np.round(chain.tau_syn, 1)} us")


if __name__ == "__main__":
    main()
