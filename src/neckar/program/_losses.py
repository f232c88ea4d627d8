"""Losses: every event that was sent was delivered or is counted here, with reason and place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neckar.errors import ConservationError, ProgramError
from neckar.program._plain import FrozenDict, Plain, integer, mapping_of, string
from neckar.program._record import check_name

LOSS_REASONS = ("link_loss", "fifo_overflow", "no_route", "no_receiver", "after_end", "memory_full", "outside_run", "missed", "queue_full", "late")
"""Why an event was lost; ``no_receiver`` counts input events that no driver row answers. Of the CADC's rows, ``memory_full`` counts those for which the memory
had no place left, ``outside_run`` those whose stamp lies in the run but whose conversion does not. Of the invocations of a kernel, ``missed`` counts those
whose time passed while the
processor was busy, ``queue_full`` those for which its queue had no place, ``after_end`` those that still waited at the end; ``late`` those that ended after
their deadline, at the link ``deadline.*``."""


@dataclass(frozen=True, eq=False, repr=False)
class Losses(Plain):
    """Events sent, delivered and lost at each link, summed over the entries.

    Parameters
    ----------
    sent, delivered : mapping of str to int
        Link (``fpga_to_chip``, ``chip_to_fpga``, ``madc``, ``cadc``, ``crossbar.0`` ...) to number of events, or of samples.
    lost : mapping of (reason, place) to int
        Reason (one of `LOSS_REASONS`) and link to number of events.

    Raises
    ------
    ParameterRangeError
        If a number is negative.
    UnknownNameError
        If a reason does not exist.
    """

    sent: Mapping[str, int] = field(default_factory=FrozenDict)
    delivered: Mapping[str, int] = field(default_factory=FrozenDict)
    lost: Mapping[tuple[str, str], int] = field(default_factory=FrozenDict)

    def __post_init__(self) -> None:
        self._set(sent=_counts(self.sent, "Losses.sent"), delivered=_counts(self.delivered, "Losses.delivered"))
        lost = {}
        for key, number in self.lost.items():
            if not isinstance(key, tuple) or len(key) != 2:
                raise ProgramError(f"a key of Losses.lost is {key!r}; allowed is (reason, place). Write for instance ('link_loss', 'madc').")
            if key[0] not in LOSS_REASONS:
                check_name(key[0], LOSS_REASONS, f"reason of Losses.lost[{key}]", "reason")
            known = type(key[1]) is str and _is_count(number)
            lost[key if known else (key[0], string(key[1], f"place of Losses.lost[{key}]"))] = number if known else _count(number, f"Losses.lost[{key}]")
        self._set(lost=FrozenDict(lost))

    def check(self) -> None:
        """Check that at every link ``sent = delivered + sum of lost at that place``.

        Raises
        ------
        ConservationError
            Names the link, the three numbers and the difference.
        """
        total: dict[str, int] = {}
        for (_, place), number in self.lost.items():
            total[place] = total.get(place, 0) + number
        for link in sorted({*self.sent, *self.delivered, *total}):
            sent, delivered, lost = self.sent.get(link, 0), self.delivered.get(link, 0), total.get(link, 0)
            if sent != delivered + lost:
                here = {reason: number for (reason, place), number in self.lost.items() if place == link}
                raise ConservationError(
                    f"at link {link!r} {sent} events were sent, {delivered} delivered and {lost} lost {here}: {abs(sent - delivered - lost)} events "
                    f"{'vanished' if sent > delivered + lost else 'appeared'} uncounted. Allowed is sent = delivered + lost; report this as a defect of Neckar."
                )


def _counts(mapping: Mapping[str, int], where: str) -> FrozenDict[str, int]:
    if isinstance(mapping, Mapping) and all(type(key) is str and _is_count(number) for key, number in mapping.items()):
        return FrozenDict(mapping)
    return mapping_of(mapping, where, _count)  # the texts for errors take longer than the rest


def _is_count(number: object) -> bool:
    return type(number) is int and 0 <= number < 2**63


def _count(value: object, where: str) -> int:
    return integer(value, where, low=0, unit="events")
