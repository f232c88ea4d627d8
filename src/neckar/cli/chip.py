"""``neckar chip``: which virtual chips there are, what one of them is like, and how chips differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neckar.cli._options import check_picture
from neckar.cli._plots import drawing
from neckar.cli._tables import fits, print_table, table_of
from neckar.cli._tally import chip_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from neckar.chip.characteristics import Characteristic
    from neckar.chip.specimen import Specimen

POPULATION = 200
"""The population that chips are compared with: the seeds from 1 to this one."""

PERCENTILES = (5, 50, 95)

app = typer.Typer(help="Look at virtual chips.", no_args_is_help=True)

Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE.png", help="Draw a picture there.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Age = Annotated[float, typer.Option("--age-h", help="Age of the chip in hours: its potentials have drifted.", min=0.0)]


@dataclass(frozen=True, eq=False)
class Portrait:
    """What one chip is like.

    Attributes
    ----------
    specimen : Specimen
    circuits : mapping of str to ndarray, shape (circuit,)
        Characteristic numbers of the circuits, by name.
    """

    specimen: Specimen
    circuits: Mapping[str, NDArray[np.float64]]

    @property
    def title(self) -> str:
        """What to call the chip: its id without prefix, and its name if it has one."""
        from neckar.chip.named import NAMED

        called = chip_name(self.specimen.id)
        names = [named.name for named in NAMED if named.seed == self.specimen.seed and named.name != called]
        aged = f", {self.specimen.age_h:g} h old" if self.specimen.age_h else ""
        return f"{called}{f' ({names[0]})' if names else ''}{aged}"

    def quantiles(self, name: str) -> list[float]:
        """Return the 5, 50 and 95 % quantiles over the circuits."""
        return _quantiles(self.circuits[name])


@app.command(name="list")
def list_chips(as_json: AsJson = False) -> None:
    """List the virtual chips that have a name. Every seed is a chip, too."""
    from neckar.chip.named import NAMED

    if as_json:
        typer.echo(json.dumps([asdict(named) for named in NAMED], indent=2))
        return
    table = table_of("virtual chips with a name", ("name", "left"), ("seed", "right"), ("what it is good for", "left"))
    for named in NAMED:
        table.add_row(named.name, str(named.seed), named.reason)
    print_table(table)
    typer.echo("Every seed is a chip: chip-1, chip-2, ... None of them is a real chip. See one with: neckar chip show NAME")


@app.command()
def show(
    chip: Annotated[str, typer.Argument(metavar="CHIP", help="Name or seed: reference, chip-7, 7, a name of neckar chip list, or the .npz of a fitted chip.")],
    output: Output = None,
    as_json: AsJson = False,
    age_h: Age = 0.0,
) -> None:
    """Show what a virtual chip is like: how it deviates as a whole, and what equal codes mean on its 512 neuron circuits, beside the population."""
    draw = drawing("_chip_figure").portrait if output is not None else None
    check_picture("option --output", output)
    portrait, population = _portrait(chip, age_h), _population()
    if draw is not None:
        draw(portrait, population, output)
    if as_json:
        typer.echo(json.dumps({**_described(portrait), "characteristics": _compared([portrait], population)}, indent=2))
        return
    print_table(_deviations_table(portrait))
    print_table(_circuits_table([portrait], population))
    _told(output)


@app.command(no_args_is_help=True)
def compare(
    chips: Annotated[list[str], typer.Argument(metavar="CHIP CHIP...", help="Names or seeds.")],
    output: Output = None,
    as_json: AsJson = False,
    age_h: Age = 0.0,
) -> None:
    """Compare virtual chips side by side, and with the population."""
    draw = drawing("_chip_figure").comparison if output is not None else None
    check_picture("option --output", output)
    portraits, population = [_portrait(chip, age_h) for chip in chips], _population()
    if draw is not None:
        draw(portraits, population, output)
    if as_json:
        typer.echo(json.dumps({"chips": [_described(p) for p in portraits], "characteristics": _compared(portraits, population)}, indent=2))
        return
    beside = _circuits_table(portraits, population)
    print_table(beside if fits(beside) else _listed_table(portraits, population))
    _told(output)


def _portrait(name: str, age_h: float) -> Portrait:
    from neckar.chip.characteristics import characteristics
    from neckar.chip.specimen import Specimen

    specimen = Specimen.named(name, age_h)
    return Portrait(specimen, characteristics(specimen))


@cache
def _population() -> dict[str, NDArray[np.float64]]:
    """Return the medians of the population's chips, by name of the characteristic."""
    from rich.console import Console

    from neckar.chip.characteristics import medians
    from neckar.chip.specimen import Specimen

    with Console(stderr=True).status(f"drawing {POPULATION} chips to compare with"):
        return medians(Specimen.from_seed(seed) for seed in range(1, POPULATION + 1))


def _characteristics() -> Sequence[Characteristic]:
    from neckar.chip.characteristics import CHARACTERISTICS

    return CHARACTERISTICS


def _quantiles(values: NDArray[np.float64]) -> list[float]:
    import numpy as np

    return [float(q) for q in np.percentile(values, PERCENTILES)]


def _deviations(specimen: Specimen) -> dict[str, dict[str, Any]]:
    """Return how the chip as a whole deviates, by parameter: values, unit, and their distance from none in standard deviations of the population."""
    import numpy as np

    from neckar.chip.specimen import mismatch_parameters

    found = {}
    for name, parameter in mismatch_parameters().items():
        if parameter.is_chip_level:
            values = np.atleast_1d(specimen.deviation(name))
            distance = (np.log(values) if parameter.is_factor else values) / parameter.sigma
            unit = "factor" if parameter.is_factor else parameter.unit
            found[name] = {"unit": unit, "values": values.tolist(), "standard_deviations": (distance + 0.0).tolist()}
    return found


def _described(portrait: Portrait) -> dict[str, Any]:
    """Return a chip as plain data."""
    s = portrait.specimen
    chip = {"id": s.id, "seed": s.seed, "statistics_version": s.statistics_version, "age_h": s.age_h, "is_real": False}
    return {"chip": chip, "title": portrait.title, "deviations": _deviations(s)}


def _compared(portraits: Sequence[Portrait], population: Mapping[str, NDArray[np.float64]]) -> dict[str, dict[str, Any]]:
    """Return the characteristics as plain data: 5, 50 and 95 % over the circuits of each chip, and over the chips of the population."""
    return {
        c.name: {
            "label": c.label,
            "unit": c.unit,
            "codes": c.codes,
            "chips": {p.specimen.id: p.quantiles(c.name) for p in portraits},
            "population": _quantiles(population[c.name]),
        }
        for c in _characteristics()
    }


def _deviations_table(portrait: Portrait) -> Table:
    table = table_of(
        f"virtual chip {portrait.title}: deviations of the whole chip", ("parameter", "left"), ("deviation", "right"), ("standard deviations", "right")
    )
    if portrait.specimen.is_reference:
        table.caption = "The reference chip deviates from the population by fixed lines of its own, not by chance."
    for name, found in _deviations(portrait.specimen).items():
        signed = "" if found["unit"] == "factor" else "+"
        values = ", ".join(f"{value:{signed}.3g}" for value in found["values"])
        table.add_row(name.removeprefix("chip_"), f"{values} {found['unit']}", ", ".join(f"{d:+.1f}" for d in found["standard_deviations"]))
    return table


def _circuits_table(portraits: Sequence[Portrait], population: Mapping[str, NDArray[np.float64]]) -> Table:
    """Return the table of characteristics: over the circuits of each chip, and of the medians of the population."""
    one = len(portraits) == 1
    title = f"{f'virtual chip {portraits[0].title}' if one else 'virtual chips'}: what equal codes mean, 5 / 50 / 95 % of 512 circuits"
    chips = [(p.title, "right") for p in portraits]
    table = table_of(title, ("characteristic", "left"), *chips, (f"medians of {POPULATION} chips", "right"), ("unit", "left"), *[("codes", "left")][:one])
    for c in _characteristics():
        columns = [*(p.quantiles(c.name) for p in portraits), _quantiles(population[c.name])]
        digits = _digits(columns[-1])
        table.add_row(c.label, *(" / ".join(f"{q:z.{digits}f}" for q in column) for column in columns), c.unit, *[c.codes][:one])
    return table


def _listed_table(portraits: Sequence[Portrait], population: Mapping[str, NDArray[np.float64]]) -> Table:
    """Return the table for more chips than have room side by side: a line for each."""
    names = [p.title for p in portraits] + [f"medians of {POPULATION} chips"]
    quantiles = [(f"{q} %", "right") for q in PERCENTILES]
    table = table_of("virtual chips: what equal codes mean, over 512 circuits", ("characteristic", "left"), ("chip", "right"), *quantiles)
    for c in _characteristics():
        rows = [*(p.quantiles(c.name) for p in portraits), _quantiles(population[c.name])]
        digits, label = _digits(rows[-1]), f"{c.label}, {c.unit}" if c.unit else c.label
        for number, (name, row) in enumerate(zip(names, rows, strict=True)):
            table.add_row("" if number else label, name, *(f"{q:z.{digits}f}" for q in row))
        table.add_section()
    return table


def _digits(quantiles: Sequence[float]) -> int:
    """Return how many decimals show the width of an interval with two digits."""
    width = quantiles[-1] - quantiles[0]
    return next((digits for digits in range(4) if width * 10**digits >= 10), 4)


def _told(output: Path | None) -> None:
    typer.echo(f"Picture: {output}" if output is not None else "A picture: add -o chip.png")
