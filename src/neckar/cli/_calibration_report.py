"""What ``neckar calibrate`` says about a calibration: tables for people, plain data for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from neckar import __version__
from neckar.calibration import Calibration, made_by
from neckar.calibration.ageing import Aged, Night
from neckar.calibration.behaviour import QUANTITIES, Comparison, trimmed
from neckar.cli._tables import table_of
from neckar.cli._tally import chip_name, effects_text
from neckar.facts import brainscales2 as facts
from neckar.facts import registers
from neckar.lab import Lab

REPORT_VERSION = 1
_TABLE = registers("brainscales2")


@dataclass
class Made:
    """A calibration, where it went and what the chip does with it.

    Attributes
    ----------
    kind : str
    calibration : Calibration
    folder : Path or None
        Where notebooks load it; None if it could not be written.
    wall_s : float
        Seconds on this machine; a calibration that was kept takes none.
    seen : mapping of str to Comparison
        By name of the quantity.
    refused : Exception or None
        What the disk said.
    ageing : mapping of str to Aged, or None
    nights : list of Night, or None
    """

    kind: str
    calibration: Calibration
    folder: Path | None
    wall_s: float
    seen: Mapping[str, Comparison]
    refused: Exception | None = None
    ageing: Mapping[str, Aged] | None = None
    nights: list[Night] | None = None

    @property
    def chip_s(self) -> float | None:
        """Time that the experiments take on silicon, s; None if there were none."""
        text = self.calibration.provenance.get("chip_time_s")
        return None if text is None else float(text)

    @property
    def missed(self) -> dict[str, list[int]]:
        """Elements that missed their target, by field; of a field with several axes their flat indices."""
        return {name: np.flatnonzero(~mask.reshape(-1)).tolist() for name, mask in self.calibration.success.items() if not mask.all()}


def tables(lab: Lab, made: Made) -> Iterator[Table]:
    """Return the tables of one calibration."""
    yield _spreads(lab, made)
    if made.ageing is not None:
        yield _ages(made.ageing)
    if made.nights is not None:
        yield _days(made.nights)


def _spreads(lab: Lab, made: Made) -> Table:
    title = f"virtual chip {chip_name(lab.specimen.id)}: {made.kind}, {made_by(made.calibration.provenance)}"
    table = _table(title, "quantity", "target", "before", "after", "ratio", "limit")
    table.caption = "median and spread (5 % cut off at either end); before: one code for all; limit: of upstream's test"
    for name, seen in made.seen.items():
        quantity = QUANTITIES[name]
        limit = facts.CALIBRATION_RATIO.get(name.removesuffix("_exc").removesuffix("_inh"))
        table.add_row(
            f"{quantity.label} ({quantity.unit})",
            "equal" if seen.target is None else _range(seen.target),
            *(f"{np.median(values):.4g} ± {trimmed(values):.2g}" for values in (seen.before, seen.after)),
            f"{ratio(seen):.2f}",
            "" if limit is None else f"{limit.value:.2f}",
        )
    return table


def _table(title: str, first: str, *others: str) -> Table:
    """Return a narrow table: a name, and numbers."""
    table = table_of(title, (first, "left"), *((name, "right") for name in others))
    table.padding = (0, 1, 0, 0)
    return table


def ratio(seen: Comparison) -> float:
    """Return the spread after over that before; not a number for circuits that were alike before."""
    before = trimmed(seen.before)
    return trimmed(seen.after) / before if before else float("nan")


def _ages(ageing: Mapping[str, Aged]) -> Table:
    hours = next(iter(ageing.values())).hours
    table = _table("an ageing calibration: root mean square distance from the target, by hours since", "hours", *(f"{h:g}" for h in hours))
    table.box = SIMPLE
    for name, aged in ageing.items():
        table.add_row(f"{name} ({QUANTITIES[name].unit})", *(f"{error:.2g}" for error in aged.error))
    return table


def _days(nights: list[Night]) -> Table:
    table = _table("calibrated every night, and once: root mean square distance from the target (CADC LSB)", "day")
    for name in nights[0].nightly:
        for how in ("nightly", "once"):
            table.add_column(f"{name}\n{how}", justify="right")
    for day, night in enumerate(nights, 1):
        table.add_row(str(day), *(f"{values[name]:.2f}" for name in night.nightly for values in (night.nightly, night.once)))
    return table


def lines(made: Made) -> Iterator[str]:
    """Return what is said below the tables."""
    reached = made.calibration.reached()
    yield f"{reached.sum()} of {len(reached)} neurons reached all of their targets"
    for name, missed in made.missed.items():
        where = ", ".join(map(str, missed[:8])) + (", ..." if len(missed) > 8 else "")
        yield f"  {name}: {len(missed)} of {made.calibration.success[name].size} missed it ({where})"
    silicon = "no experiments" if made.chip_s is None else f"{made.chip_s:.1f} s of chip time on silicon, {made.calibration.provenance['programs']} programs"
    yield f"{silicon}; {made.wall_s:.1f} s here"
    if made.folder is not None:
        yield f"Notebooks load it from {made.folder}"
        if made.calibration.provenance["method"] == "measurement":
            yield f"The oracle's again: neckar calibrate --chip {made.calibration.provenance['chip']} --kind {made.kind} --method oracle"


def as_dict(lab: Lab, made: list[Made]) -> dict[str, Any]:
    """Return the report as plain data; docs/how-to/calibrate_a_chip.md names the fields."""
    s = lab.specimen
    return {
        "report_version": REPORT_VERSION,
        "neckar": __version__,
        "chip": {"id": s.id, "seed": s.seed, "statistics_version": s.statistics_version, "age_h": s.age_h, "is_real": False},
        "effects": effects_text(lab.effects.as_dict()),
        "calibrations": [_described(one) for one in made],
    }


def _described(made: Made) -> dict[str, Any]:
    reached = made.calibration.reached()
    stages = json.loads(made.calibration.provenance.get("stages", "[]"))
    return {
        "kind": made.kind,
        "method": made.calibration.provenance["method"],
        "target": made.calibration.target.as_json(),
        "folder": None if made.folder is None else str(made.folder),
        "wall_s": made.wall_s,
        "chip_time_s": made.chip_s,
        "stages": [{"name": name, "chip_time_s": chip_s, "programs": programs} for name, chip_s, programs in stages],
        "neurons": {"number": len(reached), "reached": int(reached.sum()), "missed": np.flatnonzero(~reached).tolist()},
        "missed": made.missed,
        "quantities": {name: _quantity(name, seen) for name, seen in made.seen.items()},
        "ageing": made.ageing and {name: {key: getattr(aged, key).tolist() for key in ("hours", "error", "spread")} for name, aged in made.ageing.items()},
        "nights": made.nights and [night._asdict() for night in made.nights],
        "provenance": dict(made.calibration.provenance),
    }


def _quantity(name: str, seen: Comparison) -> dict[str, Any]:
    quantity = QUANTITIES[name]
    target = None if seen.target is None else sorted(set(seen.target.tolist()))
    return {
        "label": quantity.label,
        "unit": quantity.unit,
        "target": target,
        "before": _numbers(seen.before),
        "after": _numbers(seen.after),
        "ratio": _plain(ratio(seen)),
    }


def _numbers(values: np.ndarray) -> dict[str, Any]:
    """Return numbers as plain data; what is endless, such as the time constant of a membrane that never falls, is null."""
    return {"median": _plain(np.median(values)), "spread": _plain(trimmed(values)), "values": [_plain(value) for value in np.round(values, 4)]}


def _plain(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _range(values: np.ndarray) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
