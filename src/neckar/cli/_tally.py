"""What ran on virtual chips: the count behind the last line of ``neckar run`` and behind its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neckar.program import MachineState, Program, Recording


class Tally:
    """Number of runs, chips, effects, losses, cost, and the last run with all that is needed to repeat it. An observer of :func:`neckar.lab.observe`."""

    def __init__(self) -> None:
        self.runs = 0
        self.last: tuple[Program, Recording, MachineState | None] | None = None
        self.on_run: Callable[[], None] | None = None
        self._chips: Counter[str] = Counter()
        self._effects: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._lost: Counter[tuple[str, str]] = Counter()
        self._cost = dict.fromkeys(("hardware_s", "configuration_s", "transfer_s", "energy_low_j", "energy_high_j"), 0.0)

    def __call__(self, program: Program, recording: Recording, state: MachineState | None) -> None:
        self.runs += 1
        self.last = program, recording, state
        self._chips[chip_name(recording.provenance.chip["id"])] += 1
        self._effects[effects_text(recording.provenance.effects)] += 1
        self._sent.update(recording.losses.sent)
        self._lost.update(recording.losses.lost)
        cost = recording.cost
        for name, value in zip(self._cost, (cost.hardware_s, cost.configuration_s, cost.transfer_s, cost.energy_j.low, cost.energy_j.high), strict=True):
            self._cost[name] += value
        if self.on_run is not None:
            self.on_run()

    def line(self) -> str:
        """Return what ran, in one honest line."""
        if not self.runs:
            return "neckar: nothing ran on a virtual chip"
        chips = ", ".join(list(self._chips)[:3]) + (f" and {len(self._chips) - 3} more" if len(self._chips) > 3 else "")
        count = f"{self.runs} run{'s' if self.runs > 1 else ''}"
        return f"neckar: {count} on virtual chip{'s' if len(self._chips) > 1 else ''} {chips}; effects: {' / '.join(self._effects)}; {self._losses()}"

    def summary(self) -> dict[str, Any]:
        """Return the count as plain data: runs, virtual chips, effects, losses and cost on silicon, summed over the runs."""
        return {
            "runs": self.runs,
            "virtual_chips": dict(self._chips),
            "effects": list(self._effects),
            "losses": {
                "sent": dict(self._sent),
                "lost": [{"reason": reason, "place": place, "number": number} for (reason, place), number in sorted(self._lost.items()) if number],
            },
            "cost": dict(self._cost),
        }

    def _losses(self) -> str:
        lost = {key: number for key, number in self._lost.items() if number}
        sent = sum(self._sent.values())
        if not lost:
            return f"none of {sent:,} events and samples lost"
        places = ", ".join(f"{reason} at {place}: {number:,}" for (reason, place), number in sorted(lost.items()))
        return f"{sum(lost.values()):,} of {sent:,} events and samples lost ({places})"


def chip_name(chip_id: str) -> str:
    """Return what to call a chip after the words "virtual chip": ``reference``, or ``7`` for ``chip-7``. The option --chip takes both."""
    return chip_id.removeprefix("chip-")


def effects_text(effects: Mapping[str, Any]) -> str:
    """Return the effects that were on, by name."""
    return ", ".join(name for name, value in effects.items() if value) or "none (ideal)"
