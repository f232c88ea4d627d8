"""``neckar bench``: speed of the engines on this machine. The workload lives next to the engine that it measures."""

from __future__ import annotations

import json
import platform
from typing import Annotated, Any

import typer

from neckar.cli import _options
from neckar.errors import UnsupportedFeatureError

app = typer.Typer(help="Measure the speed of an engine on this machine.", no_args_is_help=True)


@app.callback()
def _bench() -> None:
    """Measure the speed of an engine on this machine."""


@app.command()
def chip(
    chip: _options.Chip = None,
    effects: _options.Effects = None,
    instruments: _options.Instruments = None,
    seed: _options.Seed = None,
    executor: _options.Executor = None,
    step_us: _options.StepUs = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure the speed of the virtual BrainScaleS-2 chip."""
    from neckar.lab import Lab, command_line

    with command_line(chip=chip, effects=effects, instruments=instruments, seed=seed, executor=executor, step_us=step_us):
        lab = Lab()
    result = {**measure(lab), "chip": lab.specimen.id, "effects": lab.effects.as_dict(), "cpu": platform.processor() or platform.machine()}
    typer.echo(json.dumps(result, indent=2, sort_keys=True) if as_json else _lines(result))


def measure(lab: Any) -> dict[str, Any]:
    """Run the workload ``neckar.chip.workload.benchmark(specimen, effects, instruments=, step_us=, seed=)``; it returns figures by name, units in the names.

    Raises
    ------
    UnsupportedFeatureError
        If this installation has no workload.
    """
    try:
        from neckar.chip.workload import benchmark
    except ModuleNotFoundError as error:
        if error.name != "neckar.chip.workload":
            raise
        raise UnsupportedFeatureError("this installation of Neckar has no benchmark of the chip (neckar.chip.workload). Install a newer one.") from None
    return dict(benchmark(lab.specimen, lab.effects, instruments=lab.instruments, step_us=lab.step_us, seed=lab.seed))


def _lines(result: dict[str, Any]) -> str:
    width = max(map(len, result))
    return "\n".join(f"{name:<{width}}  {value:.4g}" if isinstance(value, float) else f"{name:<{width}}  {value}" for name, value in result.items())
