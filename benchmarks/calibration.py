"""Speed of calibrations by measurement: wall time beside the time that the same experiments take on silicon.

Medians of five on new chips, in one process, after one run that loads or compiles the kernels. Processor time beside wall time shows whether the machine did
something else meanwhile: with two cores to itself, wall time is the shorter one. Prints one line per calibration, with the limit that the project sets on two
cores:

* the parallel converter: at most 2 s;
* a whole chip for spiking networks, 512 neurons: at most 20 s, aim 10 s;
* all five nightly kinds: at most 2 minutes;
* ``calix.calibrate`` of a target that its cache knows: at most 0.2 s.

With ``--stages`` also what each stage takes on silicon.

    .venv/bin/python benchmarks/calibration.py
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import calix
from calix.spiking import SpikingCalibTarget
from neckar import Lab
from neckar.calibration import NIGHTLY, CadcTarget, ChipTarget
from neckar.calibration.measure import Bench, calibrate_cadc, measure
from neckar.lab import Session

REPEATS = 5
LIMITS_S = {"converter": 2.0, "spiking": 20.0, "all": 120.0, "calix, known": 0.2}


def session(seed: int) -> Session:
    """Return a chip after a reset, with the instruments of silicon."""
    return Lab(chip=seed, instruments="silicon", seed=0, executor="inline").session()


class Spent(NamedTuple):
    """Seconds that a calibration took, and name, chip time and programs of its stages."""

    wall_s: float
    processor_s: float
    chip_s: float
    stages: tuple[tuple[str, float, int], ...] = ()


def converter(seed: int) -> Spent:
    """Calibrate a converter."""
    with session(seed) as chip:
        wall, processor = time.perf_counter(), time.process_time()
        bench = Bench(chip)
        calibrate_cadc(bench, CadcTarget())
        return Spent(time.perf_counter() - wall, time.process_time() - processor, bench.chip_s)


def whole(target: ChipTarget, seed: int) -> Spent:
    """Calibrate a chip."""
    with session(seed) as chip:
        wall, processor = time.perf_counter(), time.process_time()
        origin = measure(chip, target).provenance
        spent = time.perf_counter() - wall, time.process_time() - processor
        return Spent(*spent, float(origin["chip_time_s"]), tuple(tuple(stage) for stage in json.loads(origin["stages"])))


def known() -> list[Spent]:
    """Let calix calibrate a target for spiking networks that its cache knows."""
    spent = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(REPEATS + 1):
            wall, processor = time.perf_counter(), time.process_time()
            calix.calibrate(SpikingCalibTarget(), cache_paths=[Path(folder)], method="oracle")
            spent.append(Spent(time.perf_counter() - wall, time.process_time() - processor, 0.0))
    return spent[1:]


def line(name: str, runs: Sequence[Spent], limit: str = "") -> None:
    """Print medians, and the range of wall times."""
    walls = [run.wall_s for run in runs]
    processor_s, chip_s = (np.median([getattr(run, field) for run in runs]) for field in ("processor_s", "chip_s"))
    times = f"{np.median(walls):7.2f} s wall ({min(walls):.2f} to {max(walls):.2f}), {processor_s:6.2f} s of processors, {chip_s:7.2f} s on silicon"
    print(f"{name:12} {times}{limit}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kinds", nargs="*", choices=tuple(NIGHTLY), default=tuple(NIGHTLY), help="calibrations to time")
    parser.add_argument("--stages", action="store_true", help="also the time of each stage on silicon")
    arguments = parser.parse_args()
    line("calix, known", known(), f"; limit {LIMITS_S['calix, known']:g} s")
    converter(0)
    line("converter", [converter(seed) for seed in range(1, REPEATS + 1)], f"; limit {LIMITS_S['converter']:g} s")
    sums = np.zeros((REPEATS, 3))
    for kind in arguments.kinds:
        whole(NIGHTLY[kind], 0)
        runs = [whole(NIGHTLY[kind], seed) for seed in range(1, REPEATS + 1)]
        line(kind, runs, f"; limit {LIMITS_S[kind]:g} s, aim {LIMITS_S[kind] / 2:g} s" if kind in LIMITS_S else "")
        for stage, chip_s, programs in runs[0].stages if arguments.stages else ():
            print(f"    {stage:28} {chip_s:8.2f} s on silicon, {programs} programs")
        sums += [run[:3] for run in runs]
    line("all of these", [Spent(*row) for row in sums], f"; limit {LIMITS_S['all']:g} s for all five kinds")


if __name__ == "__main__":
    main()
