"""``neckar bench``: speed of the engines on this machine. The workload lives next to the engine that it measures."""

from __future__ import annotations

import json
import platform
from typing import Annotated, Any, Literal

import typer

app = typer.Typer(help="Measure the speed of an engine on this machine.", no_args_is_help=True)

CASES: tuple[tuple[Literal["lif", "adex"], Literal["ideal", "default"], float, bool], ...] = (
    ("lif", "ideal", 0.5, False),
    ("lif", "default", 0.5, False),
    ("lif", "default", 0.5, True),
    ("adex", "ideal", 0.5, False),
    ("adex", "default", 0.5, False),
    ("lif", "ideal", 0.1, False),
)


@app.callback()
def _bench() -> None:
    """Measure the speed of an engine on this machine."""


@app.command()
def chip(
    hardware_ms: Annotated[float, typer.Option(help="Length of the workload in milliseconds of hardware time.", min=0.1)] = 50.0,
    repeats: Annotated[int, typer.Option(help="Runs of each case; the median counts.", min=1)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object; its keys are documented in docs/reference/benchmark_keys.md.")] = False,
) -> None:
    """Measure the engine of the BrainScaleS-2 chip: 512 busy circuits, 1.3e9 synaptic events per second of hardware time, on one core."""
    cases = measure(hardware_ms * 1e-3, repeats)
    if as_json:
        typer.echo(json.dumps({"machine": platform.processor() or platform.machine(), "cases": cases}, indent=2, sort_keys=True))
        return
    typer.echo("model  effects  correlation  step [us]  wall / hardware time  rates 5..95 % [kHz]   spikes  synaptic events  circuits")
    for c in cases:
        ratio = f"{c['wall_per_hardware']:.2f} ({c['wall_per_hardware_min']:.2f}..{c['wall_per_hardware_max']:.2f})"
        rates = f"{c['rate_5_hz'] / 1e3:.0f}..{c['rate_95_hz'] / 1e3:.0f}"
        head = f"{c['kind']:<6} {c['effects']:<8} {'on' if c['correlation'] else 'off':<12} {c['step_us']:<10g} {ratio:<21} {rates:<20}"
        typer.echo(f"{head} {c['spikes']:>8} {c['synaptic_events']:>16} {c['active_circuits']:>9}")


def measure(hardware_s: float, repeats: int) -> list[dict[str, Any]]:
    """Return the measurements of all cases, each as :func:`neckar.dynamics.workload.measure` documents it."""
    from neckar.dynamics import workload

    return [dict(workload.measure(kind, effects, step_us, hardware_s, repeats, correlation=on)) for kind, effects, step_us, on in CASES]
