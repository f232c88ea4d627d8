"""``neckar chip characterise`` and ``neckar chip fit``: measure an unknown chip, and build its twin."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neckar.cli._options import check_picture, check_writable
from neckar.cli._plots import drawing
from neckar.cli._tables import print_table, table_of
from neckar.cli.chip import AsJson
from neckar.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.table import Table

    from neckar.calibration.passport import Passport


def characterise(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT.py", help="Where the script goes.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a stand-alone PyNN script that characterises a chip, on silicon in about ten minutes; neckar chip fit takes the file that it leaves."""
    check_writable("argument SCRIPT.py", script)
    if script.exists() and not force:
        raise ConfigurationError(f"{script} exists. Name another file, or replace it with --force.")
    source = Path(__file__).with_name("_characterise_script.py")
    script.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    typer.echo(f"Script: {script}. On silicon: python {script}; on a virtual chip: neckar run --chip 7 {script}")
    typer.echo("Then: neckar chip fit characterisation.npz")


def fit(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="What the script wrote, or the file of a calibration.")],
    out: Annotated[Path, typer.Option("--out", metavar="TWIN.npz", help="Where the twin goes; neckar run --chip TWIN.npz takes it.")] = Path("twin.npz"),
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE.png", help="Draw predictions beside measurements there.")] = None,
    draws: Annotated[int | None, typer.Option(help="Twins drawn for the intervals, by default 19, whose range is a 90 % interval.", min=2)] = None,
    as_json: AsJson = False,
) -> None:
    """Build the twin of a chip from measurements, and say how far it can be trusted: errors and coverage at settings that the fit has not seen."""
    draw = drawing("_passport_figure").draw if output is not None else None
    if out.suffix != ".npz":
        raise ConfigurationError(f"option --out is {out}; allowed is a name that ends in .npz, by which --chip knows the file of a chip.")
    check_writable("option --out", out)
    check_picture("option --output", output)
    passport = _fitted(file, draws)
    from neckar.chip.specimen_file import save_specimen

    save_specimen(out, passport.specimen)
    for sentence in passport.assumptions:
        typer.echo(f"neckar: {sentence}", err=True)
    if draw is not None and passport.predictions:
        draw(passport, output)
    if as_json:
        typer.echo(json.dumps(_described(passport), indent=2))
        return
    if passport.predictions:
        print_table(_fidelity_table(passport))
    print_table(_unknowns_table(passport))
    typer.echo(f"Twin: {out}. Run on it with: neckar run --chip {out} SCRIPT")
    if output is not None:
        typer.echo(f"Picture: {output}" if passport.predictions else "There is no picture: the file holds no checks.")


def _fitted(file: Path, draws: int | None) -> Passport:
    from rich.console import Console

    from neckar.calibration import passport

    is_characterisation = file.read_bytes()[:2] == b"PK"
    if draws is not None and not is_characterisation:
        raise ConfigurationError(
            f"option --draws is {draws}, but {file} holds no characterisation and so no checks whose intervals could be drawn; allowed with what the script of "
            "neckar chip characterise wrote. Leave the option out."
        )
    with Console(stderr=True).status("reading") as status:

        def told(sentence: str) -> None:
            status.update(sentence)

        if is_characterisation:
            return passport.fit(passport.load(file), passport.DRAWS if draws is None else draws, told)
        return passport.fit_calibration(passport.load_calibration(file), progress=told)


def _described(passport: Passport) -> dict[str, Any]:
    """Return a passport as plain data."""
    sigma, seen = passport.posterior.sigma(), passport.posterior.seen
    return {
        "chip": {"id": passport.specimen.id, "seed": passport.specimen.seed, "overrides": passport.specimen.overrides_digest},
        "assumptions": list(passport.assumptions),
        "fidelity": [asdict(row) for row in passport.fidelity],
        "unknowns": {name: {"seen": name in seen, "prior_sigma": before, "posterior_sigma": after} for name, (before, after) in sigma.items()},
    }


def _fidelity_table(passport: Passport) -> Table:
    columns = ("setting", "circuits", "error unfitted", "error fitted", f"in {passport.predictions[0].nominal:.0%} interval")
    sides = ("left", "right", "right", "right", "right")
    table = table_of(f"{passport.specimen.id}: predictions at settings that the fit has not seen", *zip(columns, sides, strict=True))
    table.caption = "Errors: median over the circuits of the relative error, of the population's mean chip and of the twin. Every twin has run on the machine."
    for row in passport.fidelity:
        table.add_row(row.name, str(row.count), f"{row.unfitted:.1%}", f"{row.fitted:.1%}", f"{row.coverage:.1%}")
    return table


def _unknowns_table(passport: Passport) -> Table:
    columns = ("deviation", "left"), ("population", "right"), ("left", "right")
    table = table_of("what was learnt: standard deviations, of factors those of the logarithm", *columns)
    sigma = passport.posterior.sigma()
    for name, (before, after) in sigma.items():
        if name in passport.posterior.seen:
            table.add_row(name, f"{before:.3g}", f"{after:.2g}")
    unseen = [name for name in sigma if name not in passport.posterior.seen]
    table.caption = f"Not seen, left at the population: {', '.join(unseen)}." if unseen else None
    return table
