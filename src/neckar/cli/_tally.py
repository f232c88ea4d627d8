"""What ran on virtual chips: the count behind the last line of ``neckar run`` and behind its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neckar.program import MachineState, Program, Recording


class Tally:
    """Number of runs, chips, effects, calibrations, losses, cost, and the last run of this process with all that is needed to repeat it.

    An observer of :func:`neckar.lab.observe`.

    Parameters
    ----------
    elsewhere : callable
        Returns summaries of the runs that other processes have finished since the last call (:func:`neckar.lab.observe_children`).
    """

    def __init__(self, elsewhere: Callable[[], list[dict[str, Any]]] = list) -> None:
        self.last: tuple[Program, Recording, MachineState | None] | None = None
        self.on_run: Callable[[], None] | None = None
        self._elsewhere = elsewhere
        self._runs = 0
        self._chips: Counter[str] = Counter()
        self._effects: Counter[str] = Counter()
        self._calibrations: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._lost: Counter[tuple[str, str]] = Counter()
        self._cost = dict.fromkeys(("hardware_s", "configuration_s", "transfer_s", "energy_low_j", "energy_high_j"), 0.0)

    def __call__(self, program: Program, recording: Recording, state: MachineState | None) -> None:
        from neckar.lab import summary

        self.last = program, recording, state
        self._add(summary(recording))
        if self.on_run is not None:
            self.on_run()

    @property
    def runs(self) -> int:
        """Number of runs so far, in this process and in those that it started."""
        for run in self._elsewhere():
            self._add(run)
        return self._runs

    def _add(self, run: Mapping[str, Any]) -> None:
        self._runs += 1
        self._chips[chip_name(run["chip"])] += 1
        self._effects[effects_text(run["effects"])] += 1
        if run["calibration"] is not None:
            self._calibrations[run["calibration"]] += 1
        self._sent.update(run["sent"])
        self._lost.update({(reason, place): number for reason, place, number in run["lost"]})
        for name, value in zip(self._cost, run["cost"], strict=True):
            self._cost[name] += value

    def line(self) -> str:
        """Return what ran, in one honest line."""
        runs = self.runs
        if not runs:
            return "neckar: nothing ran on a virtual chip"
        chips = ", ".join(list(self._chips)[:3]) + (f" and {len(self._chips) - 3} more" if len(self._chips) > 3 else "")
        count = f"{runs} run{'s' if runs > 1 else ''}"
        start = f"neckar: {count} on virtual chip{'s' if len(self._chips) > 1 else ''} {chips}; effects: {' / '.join(self._effects)}"
        made_by = dict.fromkeys(name.partition(", sha256")[0] for name in self._calibrations)
        calibrated = f"calibration: {' / '.join(made_by)}; " if made_by else ""
        return f"{start}; {calibrated}{self._losses()}"

    def summary(self) -> dict[str, Any]:
        """Return the count as plain data: runs, virtual chips, effects, calibrations, losses and cost on silicon, summed over the runs."""
        return {
            "runs": self.runs,
            "virtual_chips": dict(self._chips),
            "effects": list(self._effects),
            "calibrations": dict(self._calibrations),
            "losses": {
                "sent": dict(self._sent),
                "lost": [{"reason": reason, "place": place, "number": number} for (reason, place), number in sorted(self._lost.items()) if number],
            },
            "cost": dict(self._cost),
        }

    def _losses(self) -> str:
        lost = {key: number for key, number in self._lost.items() if number and not key[1].startswith(_KERNELS)}
        sent = sum(number for place, number in self._sent.items() if not place.startswith(_KERNELS))
        if not lost:
            return f"none of {sent:,} events and samples lost{self._invocations()}"
        places = ", ".join(f"{reason} at {place}: {number:,}" for (reason, place), number in sorted(lost.items()))
        return f"{sum(lost.values()):,} of {sent:,} events and samples lost ({places}){self._invocations()}"

    def _invocations(self) -> str:
        """Return what became of the invocations of plasticity kernels; those that ended late were carried out all the same."""
        asked = sum(number for place, number in self._sent.items() if place.startswith(_KERNELS[0]))
        if not asked:
            return ""
        what: dict[str, int] = {}
        for (reason, place), number in sorted(self._lost.items()):
            if number and place.startswith(_KERNELS):
                what[reason] = what.get(reason, 0) + number
        spoken = ", ".join(f"{number:,} {reason}" for reason, number in what.items())
        return f"; {asked:,} invocations of plasticity rules, {spoken or 'all carried out in time'}"


_KERNELS = ("plasticity.", "deadline.")
"""How places begin at which invocations are counted, not events."""


def chip_name(chip_id: str) -> str:
    """Return what to call a chip after the words "virtual chip": ``reference``, or ``7`` for ``chip-7``. The option --chip takes both."""
    return chip_id.removeprefix("chip-")


def effects_text(effects: Mapping[str, Any]) -> str:
    """Return the effects that were on, by name."""
    return ", ".join(name for name, value in effects.items() if value) or "none (ideal)"
