"""``neckar calibrate``: the calibration files that notebooks load, made by measurement, with a report on how good they are."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neckar.cli import _options
from neckar.cli._plots import drawing
from neckar.cli._script import INTERRUPTED, virtual_chip
from neckar.cli._tables import print_table
from neckar.cli._tally import chip_name
from neckar.errors import CalibrationCacheError
from neckar.whole_file import write_whole

if TYPE_CHECKING:
    from neckar.calibration import Calibration
    from neckar.cli._calibration_report import Made
    from neckar.lab import Lab


class Kind(StrEnum):
    """Which calibration: those of :data:`neckar.calibration.NIGHTLY`, or all of them."""

    spiking = "spiking"
    spiking2 = "spiking2"
    hagen = "hagen"
    hagen_synin = "hagen_synin"
    correlation = "correlation"
    all = "all"


class How(StrEnum):
    """Method of a calibration."""

    measurement = "measurement"
    oracle = "oracle"


def calibrate(
    chip: _options.Chip = None,
    effects: _options.Effects = None,
    kind: Annotated[Kind, typer.Option(help="What the chip is to be calibrated for.")] = Kind.spiking,
    method: Annotated[How, typer.Option(help="measurement: by experiments, as on silicon; oracle: by inverting the model, the way back.")] = How.measurement,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.png", help="Draw all neurons, before and after; of all kinds: FILE-kind.png.")
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write the report for programs.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Also measure how the calibration ages with the drift of the chip, over a week.")] = False,
    nights: Annotated[int, typer.Option(metavar="N", min=0, help="Also simulate N nights, each with a calibration, beside one calibration for all.")] = 0,
) -> None:
    """Calibrate a virtual chip, put the result where notebooks load it, and say how good it is.

    An interrupted calibration goes on with the next call.
    """
    draw = drawing("_calibration_figure").draw if output is not None else None
    _options.check_picture("option --output", output)
    _options.check_writable("option --report", report)
    with virtual_chip(chip=chip, effects=effects):
        from neckar.lab import current_lab

        try:
            status = _run(current_lab(), kind, method, output, report, check, nights, draw)
        except KeyboardInterrupt:
            typer.echo("neckar: interrupted; the next call goes on after the last finished stage", err=True)
            status = INTERRUPTED
    raise typer.Exit(status)


def _run(lab: Lab, kind: Kind, method: How, output: Path | None, report: Path | None, check: bool, nights: int, draw: Any) -> int:
    from neckar.calibration import NIGHTLY
    from neckar.cli import _calibration_report as reports

    kinds = list(NIGHTLY) if kind is Kind.all else [kind.value]
    made = []
    for name in kinds:
        one = _made(lab, name, method)
        made.append(one)
        if check:
            one.ageing = _aged(lab, one.calibration)
        if nights:
            one.nights = _nights(lab, one.calibration, method, nights)
        for table in reports.tables(lab, one):
            print_table(table)
        for line in reports.lines(one):
            typer.echo(line)
        if draw is not None and output is not None:
            path = output if len(kinds) == 1 else output.with_stem(f"{output.stem}-{name}")
            draw(lab, one, path)
            typer.echo(f"Picture: {path}")
    if report is not None:
        write_whole(report, (json.dumps(reports.as_dict(lab, made), indent=1, ensure_ascii=False) + "\n").encode())
    for one in made:
        if one.refused is not None:
            typer.echo(f"neckar: {one.refused}", err=True)
            _rescue(lab, one)
    return 2 if any(one.refused is not None for one in made) else 0


def _rescue(lab: Lab, made: Made) -> None:
    """Write a calibration that the cache refused into the working directory."""
    path = Path(f"{lab.specimen.id}-{made.kind}.pbin").absolute()
    try:
        write_whole(path, made.calibration.dumps())
    except OSError as error:
        typer.echo(f"neckar: the calibration is lost, because {path} cannot be written either: {error}", err=True)
    else:
        typer.echo(f"neckar: the calibration is in {path} instead, which pynn.helper.chip_from_file and calix.load read", err=True)


def _made(lab: Lab, kind: str, method: How) -> Made:
    """Calibrate, put the files in their place, and look at the chip before and after."""
    from neckar.calibration import NIGHTLY, store
    from neckar.calibration import calibrate as make
    from neckar.calibration.behaviour import compared
    from neckar.cli._calibration_report import Made
    from neckar.lab import Lab

    typer.echo(f"neckar: calibrating virtual chip {chip_name(lab.specimen.id)} for {kind} by {method.value}", err=True)
    start, refused, folder = time.perf_counter(), None, None
    try:
        found = make(lab.specimen, NIGHTLY[kind], method.value, lab.effects, cache=store.measured_folder(), progress=_told(kind))
    except CalibrationCacheError as error:
        if error.calibration is None:
            raise
        found, refused = error.calibration, error  # type: ignore[assignment]
    wall_s = time.perf_counter() - start
    try:
        folder = store.put(lab, kind, found)
    except CalibrationCacheError as error:
        refused = error
    typer.echo(f"neckar: {kind}: looking at the chip before and after", err=True)
    seen = compared(Lab(chip=lab.specimen, effects=lab.effects, instruments="open", seed=0), found)
    return Made(kind, found, folder, wall_s, seen, refused)


def _told(kind: str) -> Callable[[str, int, int], None]:
    start = time.perf_counter()

    def told(stage: str, number: int, count: int) -> None:
        if stage:
            typer.echo(f"neckar: {kind}: stage {number + 1} of {count}, {stage} ({time.perf_counter() - start:.0f} s)", err=True)

    return told


def _aged(lab: Lab, calibration: Calibration) -> Any:
    from neckar.calibration.ageing import aged

    typer.echo("neckar: looking at the ageing chip", err=True)
    return aged(lab.specimen, calibration, lab.effects)


def _nights(lab: Lab, calibration: Calibration, method: How, n: int) -> Any:
    from neckar.calibration import store
    from neckar.calibration.ageing import DRIFTING, nights
    from neckar.calibration.behaviour import applicable

    if not set(DRIFTING) & set(applicable(calibration.target)):
        typer.echo("neckar: no nights are simulated, because nothing of this calibration drifts", err=True)
        return None

    def told(night: int, count: int) -> None:
        typer.echo(f"neckar: night {night + 1} of {count}", err=True)

    return nights(lab.specimen, calibration.target, n, method.value, lab.effects, cache=store.measured_folder(), told=told)
