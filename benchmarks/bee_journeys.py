"""Speed of the bee's journeys, each a run of its own from PyNN with 450 calls of the kernel: 4800 of them may take 30 minutes on two cores.

Lets 60 evolved bees of examples/papers/bee_path_integration.py fly in two processes and prints wall time and processor time of one, and what 4800 would
take.

    .venv/bin/python benchmarks/bee_journeys.py
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples" / "papers"))

import bee_path_integration as bee

JOURNEYS, PROCESSES = 60, 2


def main() -> None:
    """Measure and print."""
    bee.fly(bee.EVOLVED, 0)
    began = time.process_time()
    for seed in range(5):
        bee.fly(bee.EVOLVED, seed)
    cpu = (time.process_time() - began) / 5
    with bee.workers(PROCESSES) as pool:
        bee.fly_all([(bee.EVOLVED, seed) for seed in range(2 * PROCESSES)], pool)  # what each process compiles and loads once
        began = time.perf_counter()
        bee.fly_all([(bee.EVOLVED, seed) for seed in range(JOURNEYS)], pool)
        wall = (time.perf_counter() - began) / JOURNEYS
    whole = bee.GENERATIONS * bee.BEES
    print(f"one journey               {cpu:6.2f} s of a core")
    print(f"one in {PROCESSES} processes        {wall:6.2f} s of wall time")
    print(f"{whole} journeys          {whole * wall / 60:6.1f} min, limit 30 min; {whole * cpu / PROCESSES / 60:.1f} min if the cores had nothing else to do")


if __name__ == "__main__":
    main()
