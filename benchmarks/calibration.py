"""Speed of calibrations by measurement: wall time beside the time that the same experiments take on silicon.

Medians of five on new chips, in one process, after one run that loads or compiles the kernels. Prints one line per calibration, with the limit that the
project sets on two cores:

* the parallel converter: at most 2 s;
* a whole chip for spiking networks, 512 neurons: at most 20 s, aim 10 s;
* all five nightly kinds: at most 2 minutes.

Kinds that this version does not measure are named. One stage after the other of the spiking calibration follows, with ``--stages``.

    .venv/bin/python benchmarks/calibration.py
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from neckar import Lab
from neckar.calibration import NIGHTLY, CadcTarget, ChipTarget
from neckar.calibration.measure import Bench, calibrate_cadc, measure
from neckar.errors import UnsupportedFeatureError
from neckar.lab import Session

REPEATS = 5
LIMITS_S = {"converter": 2.0, "spiking": 20.0, "all": 120.0}


def session(seed: int) -> Session:
    """Return a chip after a reset, with the instruments of silicon."""
    return Lab(chip=seed, instruments="silicon", seed=0, executor="inline").session()


def converter(seed: int) -> tuple[float, float]:
    """Calibrate a converter; return wall and chip time, s."""
    with session(seed) as chip:
        begin = time.perf_counter()
        bench = Bench(chip)
        calibrate_cadc(bench, CadcTarget())
        return time.perf_counter() - begin, bench.chip_s


def whole(target: ChipTarget, seed: int) -> tuple[float, float, list[tuple[str, float, int]]]:
    """Calibrate a chip; return wall and chip time, s, and name, chip time and programs of each stage."""
    with session(seed) as chip:
        begin = time.perf_counter()
        origin = measure(chip, target).provenance
        return time.perf_counter() - begin, float(origin["chip_time_s"]), [tuple(stage) for stage in json.loads(origin["stages"])]


def line(name: str, wall_s: list[float], chip_s: float, limit: str = "") -> None:
    """Print the median and the range of wall times."""
    print(f"{name:12} {np.median(wall_s):7.2f} s wall ({min(wall_s):.2f} to {max(wall_s):.2f}), {chip_s:8.2f} s on silicon{limit}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kinds", nargs="*", choices=tuple(NIGHTLY), default=tuple(NIGHTLY), help="calibrations to time")
    parser.add_argument("--stages", action="store_true", help="also the time of each stage on silicon")
    arguments = parser.parse_args()
    converter(0)
    times = [converter(seed) for seed in range(1, REPEATS + 1)]
    line("converter", [wall for wall, _ in times], times[0][1], f"; limit {LIMITS_S['converter']:g} s")
    sums, chip_sum = np.zeros(REPEATS), 0.0
    for kind in arguments.kinds:
        try:
            whole(NIGHTLY[kind], 0)
        except UnsupportedFeatureError as error:
            print(f"{kind:12} {error}")
            continue
        runs = [whole(NIGHTLY[kind], seed) for seed in range(1, REPEATS + 1)]
        walls = [wall for wall, _, _ in runs]
        line(kind, walls, runs[0][1], f"; limit {LIMITS_S[kind]:g} s, aim {LIMITS_S[kind] / 2:g} s" if kind in LIMITS_S else "")
        for stage in runs[0][2] if arguments.stages else ():
            print(f"    {stage[0]:28} {stage[1]:8.2f} s on silicon, {stage[2]} programs")
        sums += walls
        chip_sum += runs[0][1]
    line("all of these", sums.tolist(), chip_sum, f"; limit {LIMITS_S['all']:g} s for all five kinds")


if __name__ == "__main__":
    main()
