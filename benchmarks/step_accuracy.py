"""How far spike times depend on the integration step: the table of docs/explanation/engine.md.

Every eighth circuit of the reference chip fires on its own for 200 us (leak over threshold), without noise and event loss; the reference is a step of
0.02 us. Not a measurement of speed. Run: ``python benchmarks/step_accuracy.py``; about 15 s.
"""

from __future__ import annotations

import numpy as np

from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.facts import registers
from neckar.program import Program, Record, Snippet, seconds, ticks

CIRCUITS = tuple(range(0, 512, 8))
CODES = {
    "membrane_capacitance_capacitance": 63,
    "refractory_period_refractory_time": 255,
    "leak_v_leak": 1000,
    "leak_i_bias": 150,
    "threshold_enable": True,
    "threshold_v_threshold": 300,
    "reset_v_reset": 400,
    "reset_i_bias": 1022,
    "reset_enable_multiplication": True,
}
FINEST_US = 0.02


def trains(effects: str, step_us: float) -> list[np.ndarray]:
    """Return the spike ticks of each circuit."""
    table = registers("brainscales2")
    config = {name: np.full(table[name].shape, value, table[name].dtype) for name, value in CODES.items()}
    program = Program(machine="brainscales2", snippets=(Snippet(int(ticks(200e-6))),), config=config, record=Record(spikes=CIRCUITS))
    spikes = Chip(Specimen.reference(), Effects.parse(effects), step_us=step_us).run(program)[0].spikes
    return [spikes.tick[spikes.circuit == circuit] for circuit in CIRCUITS]


def errors_ns(found: list[np.ndarray], reference: list[np.ndarray]) -> tuple[float, float]:
    """Return the largest error of a first spike, and of any spike, in ns."""
    apart = [np.abs(a - b) for a, b in zip(found, reference, strict=True)]
    return tuple(float(seconds(max(part(error) for error in apart))) * 1e9 for part in (lambda error: error[0], np.max))  # type: ignore[return-value]


def main() -> None:
    """Print the table."""
    for name, effects in (("linear circuits", "-noise,-event_loss,-saturation"), ("saturating circuits", "-noise,-event_loss")):
        reference = trains(effects, FINEST_US)
        print(f"{name}: {sum(map(len, reference))} spikes")
        for step_us in (1.0, 0.5, 0.2, 0.1):
            first, all_ = errors_ns(trains(effects, step_us), reference)
            print(f"  {step_us} us: first spike {first:.0f} ns, after 200 us {all_:.0f} ns")


if __name__ == "__main__":
    main()
