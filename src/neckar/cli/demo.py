"""``neckar demo``: the first experiment, its figure, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neckar.cli import _options
from neckar.cli._plots import drawing
from neckar.cli._script import run_script, virtual_chip
from neckar.cli._tally import Tally, chip_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCRIPT = Path(__file__).with_name("_demo_script.py")

# What to expect (docs/explanation/ledger.md; the trough of this fast reset is the level towards which the reset of row A4 pulls).
EXPECTED_ON_REFERENCE = (  # row A6b: median over the chip's circuits, 5 % and 95 % quantile
    "  expected on the reference chip: period 10.0 us in the median over its neurons (8.1 to 12.4),\n"
    "  membrane between about 159 and 401 LSB. Chips differ: see docs/explanation/ledger.md"
)
WITHOUT_MISMATCH = "  without mismatch every chip and neuron is the nominal one; docs/explanation/ledger.md says what chips with mismatch show"
EXPECTED_ON_OTHERS = (  # rows A3, A4, A6b: bands
    "  expected on virtual chips: period 8.3 us in the median (5.2 to 12.5), membrane between a trough of 65 to 299\n"
    "  and a peak of 327 to 454 LSB; ranges are 5..95 % of virtual chips: see docs/explanation/ledger.md"
)


@dataclass(frozen=True, eq=False)
class Trace:
    """What the script measured: membrane readings and spikes over hardware time.

    Attributes
    ----------
    time_us, reading : ndarray, shape (sample,)
        Microseconds, LSB of the MADC.
    spike_us : ndarray, shape (spike,)
        Microseconds.
    """

    time_us: NDArray[np.float64]
    reading: NDArray[np.float64]
    spike_us: NDArray[np.float64]

    @classmethod
    def from_names(cls, names: dict[str, Any]) -> Trace:
        """Read the neo objects that the script left in its global names."""
        import numpy as np

        membrane, spikes = names["membrane"], names["spikes"]
        time_us = np.asarray(membrane.times.rescale("us").magnitude, np.float64)
        return cls(time_us, np.asarray(membrane.magnitude, np.float64)[:, 0], np.asarray(spikes.times.rescale("us").magnitude, np.float64))

    @property
    def interval_us(self) -> NDArray[np.float64]:
        """Inter-spike intervals, shape (spike - 1,)."""
        import numpy as np

        return np.diff(self.spike_us)


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.png", help="Where the figure goes.")] = Path("neckar-demo.png"),
    chip: _options.Chip = None,
    effects: _options.Effects = None,
    instruments: _options.Instruments = None,
    seed: _options.Seed = None,
    executor: _options.Executor = None,
    step_us: _options.StepUs = None,
) -> None:
    """Run the first experiment, a neuron that fires on its own, and draw it."""
    draw = drawing("_figure").draw
    _options.check_picture("option --output", output)
    with virtual_chip(chip=chip, effects=effects, instruments=instruments, seed=seed, executor=executor, step_us=step_us) as tally:
        names, status, _ = run_script(SCRIPT, [])
    if status or tally.last is None:
        raise typer.Exit(status or 1)
    trace, provenance = Trace.from_names(names), tally.last[1].provenance
    chip_id = provenance.chip["id"]
    draw(trace, f"virtual chip {chip_name(chip_id)}: a neuron with its leak potential above its threshold", output)
    typer.echo(summary(trace, chip_id, provenance.effects, tally, output))


def expected(chip_id: str, effects: Mapping[str, bool]) -> str:
    """Return what is known of such chips; that is about chips with their mismatch."""
    if not effects["mismatch"]:
        return WITHOUT_MISMATCH
    return EXPECTED_ON_REFERENCE if chip_id == "reference" else EXPECTED_ON_OTHERS


def summary(trace: Trace, chip_id: str, effects: Mapping[str, bool], tally: Tally, output: Path) -> str:
    """Return what was run, what came out, how that compares, and what to do next, for a newcomer."""
    return "\n".join(
        [
            "One neuron circuit whose leak potential lies above its threshold, 0.2 ms of hardware time, through PyNN.",
            f"No silicon was involved: this is virtual chip {chip_name(chip_id)}.",
            *measured(trace),
            expected(chip_id, effects),
            f"  {tally.line()}",
            f"Figure: {output}",
            f"Next: neckar demo --chip 7 (another chip), neckar demo --effects ideal (without imperfections), neckar run your_script.py; script: {SCRIPT}",
        ]
    )


def measured(trace: Trace) -> list[str]:
    """Return the lines with the measured numbers."""
    level = f"  membrane: mean {trace.reading.mean():.0f}, from {trace.reading.min():.0f} to {trace.reading.max():.0f} LSB of the membrane converter"
    spikes = f"  {len(trace.spike_us)} spikes"
    if len(trace.interval_us) == 0:
        return [f"{spikes}: too few for a period. On this chip the threshold may lie above the leak potential.", level]
    return [f"{spikes}, period {trace.interval_us.mean():.2f} us (standard deviation {trace.interval_us.std():.2f} us)", level]
