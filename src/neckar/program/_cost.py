"""Cost: what the same experiment takes on silicon."""

from __future__ import annotations

from dataclasses import dataclass

from neckar.errors import ParameterRangeError
from neckar.program._plain import Plain, string, tuple_of


@dataclass(frozen=True, eq=False, repr=False)
class EnergyRange(Plain):
    """Energy in joules between `low` and `high`; the published powers do not determine it better.

    Raises
    ------
    ParameterRangeError
        If ``0 <= low <= high`` does not hold.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        self._set(low=float(self.low), high=float(self.high))
        if not 0 <= self.low <= self.high:
            raise ParameterRangeError(f"EnergyRange is {self.low} J to {self.high} J; allowed is 0 <= low <= high. Exchange or correct the bounds.")


@dataclass(frozen=True, eq=False, repr=False)
class CostItem(Plain):
    """One contribution to the cost.

    Parameters
    ----------
    name : str
    value : float
    unit : str
    source : str
        Where the figure behind `value` comes from.
    """

    name: str
    value: float
    unit: str
    source: str

    def __post_init__(self) -> None:
        for name in ("name", "unit", "source"):
            string(getattr(self, name), f"CostItem.{name}")
        self._set(value=float(self.value))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Cost(Plain):
    """Time and energy that the experiment takes on silicon.

    Parameters
    ----------
    hardware_s, configuration_s, transfer_s : float
        Seconds of hardware time of all entries, of writing the configuration, and of moving events and samples.
    energy_j : EnergyRange
        Joules.
    items : sequence of CostItem
        The contributions from which the four totals follow.
    """

    hardware_s: float
    configuration_s: float
    transfer_s: float
    energy_j: EnergyRange
    items: tuple[CostItem, ...] = ()

    def __post_init__(self) -> None:
        tuple_of(EnergyRange, (self.energy_j,), "Cost.energy_j")
        self._set(
            hardware_s=float(self.hardware_s),
            configuration_s=float(self.configuration_s),
            transfer_s=float(self.transfer_s),
            items=tuple_of(CostItem, self.items, "Cost.items"),
        )
