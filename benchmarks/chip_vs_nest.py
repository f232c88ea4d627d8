"""How much faster than NEST is the chip engine, on the same input, at equal accuracy, one thread each?

Runs the engine's benchmark workload (:mod:`neckar.dynamics.workload`: 512 circuits x 256 rows, 1.3e9 synaptic events per hardware second, linear circuits) in
the engine and, back to back in the same process, in NEST. Wall times are of the simulation alone; loading or compiling kernels and building networks are not
counted. A ratio is NEST's median over the engine's median, both as wall time per hardware time::

    python benchmarks/chip_vs_nest.py
    python benchmarks/chip_vs_nest.py --json

Needs the extra ``neckar[oracle]``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "reference"))

from nest_oracle import load_nest, run_nest

from neckar.dynamics.workload import Kind, build, firing_rates, measure

STEP_TICKS = {0.1: 50, 0.5: 250}
PEERS: tuple[tuple[Kind, str, float], ...] = (("lif", "iaf_psc_exp_ps", 1e-3), ("lif", "iaf_psc_exp", 2e-3), ("adex", "aeif_psc_exp", 5e-4))


def compare(kind: Kind, model: str, nest_hardware_s: float, hardware_s: float, repeats: int) -> dict[str, Any]:
    """Return speeds, ratios and the difference in total spike count for one neuron model of NEST."""
    grid_ticks = 1 if model.endswith("_ps") else STEP_TICKS[0.1]
    load = build(kind, "ideal", nest_hardware_s, grid_ticks=grid_ticks)
    runs = [run_nest(load, model, 0.1, rounding_ms=0.05 if model == "aeif_psc_exp" else 0.0) for _ in range(3)]
    walls = np.array([run.wall_s for run in runs]) / nest_hardware_s
    spikes = int(runs[0].counts.sum())
    result: dict[str, Any] = {
        "kind": kind,
        "nest_model": model,
        "nest_resolution_us": 0.1,
        "nest_wall_per_hardware": float(np.median(walls)),
        "nest_wall_per_hardware_min": float(walls.min()),
        "nest_wall_per_hardware_max": float(walls.max()),
        "engine": [],
    }
    for step_us, step_ticks in STEP_TICKS.items():
        engine = measure(kind, "ideal", step_us, hardware_s, repeats)
        own = round(float(firing_rates(load.run(step_ticks), nest_hardware_s).sum()) * nest_hardware_s)
        result["engine"].append({**engine, "speed_up": result["nest_wall_per_hardware"] / engine["wall_per_hardware"], "spikes_vs_nest": own / spikes - 1.0})
    return result


def report(results: list[dict[str, Any]]) -> str:
    """Return the results as a table."""
    lines = [f"{'circuit':8}{'NEST model':16}{'NEST wall/hw (range)':>26}{'step us':>9}{'engine wall/hw (range)':>27}{'speed-up':>10}{'spikes vs NEST':>16}"]
    for r in results:
        for e in r["engine"]:
            nest = f"{r['nest_wall_per_hardware']:.0f} ({r['nest_wall_per_hardware_min']:.0f}..{r['nest_wall_per_hardware_max']:.0f})"
            own = f"{e['wall_per_hardware']:.2f} ({e['wall_per_hardware_min']:.2f}..{e['wall_per_hardware_max']:.2f})"
            lines.append(f"{r['kind']:8}{r['nest_model']:16}{nest:>26}{e['step_us']:>9}{own:>27}{e['speed_up']:>9.0f}x{e['spikes_vs_nest']:>16.3%}")
    return "\n".join(lines)


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    parser.add_argument("--hardware-s", type=float, default=0.05, help="hardware time of each run of the engine, s (default 0.05)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of the engine (default 5)")
    arguments = parser.parse_args()
    results = [compare(kind, model, nest_s, arguments.hardware_s, arguments.repeats) for kind, model, nest_s in PEERS]
    if arguments.json:
        print(json.dumps({"nest": load_nest().__version__, "threads": 1, "results": results}, indent=2))
    else:
        print(report(results))


if __name__ == "__main__":
    main()
