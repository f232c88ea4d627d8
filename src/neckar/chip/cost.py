"""Cost: what an experiment takes on silicon.

The time is that of the software of the real system: each entry has margins and, if asked for, a neuron reset, a configuration waits until the analog parameter
cells have settled, events and samples pass the links. The energy is that of the chip alone during the hardware time, without FPGA, host and configuration,
because that is what publications report. Public figures differ by a factor of four, so it is a range: our power model beside each published power, times
the hardware time.

Names of the items are ``"<group>: <what>"``. Each of the totals is the sum of its group's items (:func:`totals`): ``hardware``, ``configuration``,
``transfer`` in seconds, and one group per estimate of the energy, ``energy by ...``, in joules, whose least and greatest sum are the range.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache

from neckar.facts import AXES, brainscales2, registers
from neckar.facts import cost_brainscales2 as facts
from neckar.facts._fact import Fact
from neckar.program import Cost, CostItem, EnergyRange, Program, Record, TimedRead, TimedWrite, seconds

_MODEL = "energy by our power model"
_CIRCUITS_PER_PPU = AXES["circuit"] // AXES["hemisphere"]


def estimate(
    fixed: FixedCost,
    *,
    n_spikes_in: int,
    n_spikes_out: int,
    n_madc_samples: int,
    n_cadc_rows: int,
    synaptic_events: int,
) -> Cost:
    """Return time and energy that a program takes on silicon.

    Parameters
    ----------
    fixed : FixedCost
        What is alike in all runs of the program.
    n_spikes_in, n_spikes_out : int
        Events sent to the chip, and spikes that leave it, summed over the entries.
    n_madc_samples : int
        Samples of the MADC, summed over channels and entries.
    n_cadc_rows : int
        Rows of the CADC that reach the host, summed over records, hemispheres and entries.
    synaptic_events : int
        Events that reached a synapse with a matching label, summed over synapses and entries.

    Returns
    -------
    Cost
        Its items hold each contribution with its source.

    Notes
    -----
    Not modelled: the host and its network, packing of several events or codes into one instruction, overlap of transfer and real-time section.
    """
    transfer = [
        _item("transfer: events to the chip", n_spikes_in, facts.FPGA_TO_CHIP_EVENT),
        _item("transfer: spikes from the chip", n_spikes_out, facts.CHIP_TO_FPGA_EVENT),
        _item("transfer: MADC samples", n_madc_samples, facts.CHIP_TO_FPGA_EVENT),
        _item("transfer: CADC samples", n_cadc_rows * brainscales2.CADC_ROW_WORDS.value, facts.REGISTER_ACCESS),
        fixed.reads,
    ]
    streaming_s = min(fixed.time_s, math.fsum(item.value for item in transfer))
    streaming = _item(f"{_MODEL}: streaming links", streaming_s, brainscales2.POWER_LINKS_STREAMING, "J")
    events = _item(f"{_MODEL}: synaptic events", synaptic_events, brainscales2.ENERGY_SYNAPTIC_EVENT, "J")
    static, ppus, idle, madc = fixed.model
    return totals([*fixed.time, *transfer, static, ppus, idle, streaming, madc, events, *fixed.published])


class FixedCost:
    """The items of the cost that are alike in all runs of a program.

    Parameters
    ----------
    program : Program
    n_resets : int
        Neuron resets: none, or one before each entry, or before the first of a sequential program.

    Attributes
    ----------
    time : tuple of CostItem
        The chip's running and its configuration.
    time_s : float
        Seconds for which the chip runs.
    reads : CostItem
    model, published : tuple of CostItem
        Of the energy by our power model, and by published powers.
    """

    def __init__(self, program: Program, n_resets: int) -> None:
        hardware = _hardware(program, n_resets)
        self.time = (*hardware, *_configuration(program))
        self.time_s = time_s = math.fsum(item.value for item in hardware)
        self.reads = _item("transfer: register reads", program.n_entries * sum(_codes(program, read) for read in program.reads), facts.REGISTER_ACCESS)
        self.model = (
            _item(f"{_MODEL}: static", time_s, brainscales2.POWER_STATIC, "J"),
            _item(f"{_MODEL}: plasticity processors", time_s * len(_active_ppus(program)), brainscales2.POWER_PPU, "J"),
            _item(f"{_MODEL}: idle links", time_s, brainscales2.POWER_LINKS_IDLE, "J"),
            _item(f"{_MODEL}: MADC", time_s if _uses_madc(program) else 0.0, brainscales2.POWER_MADC, "J"),
        )
        self.published = tuple(_item(f"energy by {power.source}: {name}", time_s, power, "J") for name, power in brainscales2.POWER_PUBLISHED.items())


def totals(items: Iterable[CostItem]) -> Cost:
    """Return the cost whose totals follow from `items`.

    Raises
    ------
    ValueError
        If no item estimates the energy.
    """
    items = tuple(items)
    sums = {group: math.fsum(item.value for item in members) for group, members in groups(items).items()}
    estimates = [value for group, value in sums.items() if group.startswith("energy by ")]
    return Cost(
        hardware_s=sums.get("hardware", 0.0),
        configuration_s=sums.get("configuration", 0.0),
        transfer_s=sums.get("transfer", 0.0),
        energy_j=EnergyRange(min(estimates), max(estimates)),
        items=items,
    )


def groups(items: Iterable[CostItem]) -> Mapping[str, tuple[CostItem, ...]]:
    """Return the items by group, in order."""
    found: defaultdict[str, list[CostItem]] = defaultdict(list)
    for item in items:
        found[item.name.partition(":")[0]].append(item)
    return {group: tuple(members) for group, members in found.items()}


@lru_cache(maxsize=256)
def _item(name: str, amount: float, fact: Fact, unit: str = "s") -> CostItem:
    """Return `amount` times a fact."""
    text = f"{fact.value:g} {fact.unit}: {fact.source}"
    return CostItem(name, amount * fact.value, unit, f"{text}; {fact.note}" if fact.note else text)


@lru_cache(maxsize=256)
def _asked(name: str, ticks: int) -> CostItem:
    """Return a time that the program asks for."""
    return CostItem(name, seconds(ticks), "s", "the program")


def n_repetitions(program: Program) -> int:
    """Return how often each entry runs: once, or once for each circuit of bursts of the MADC."""
    return max(sum(len(bursts.circuits) for bursts in program.bursts), 1)


def waiting_ticks(program: Program) -> int:
    """Return the ticks of all waits between bursts of the MADC in an entry."""
    return sum(len(bursts.circuits) * bursts.wait for bursts in program.bursts)


def _hardware(program: Program, n_resets: int) -> list[CostItem]:
    """Return the time in which the chip runs."""
    n = program.n_entries
    return [
        _asked("hardware: real-time sections", n * n_repetitions(program) * program.duration),
        _asked("hardware: waits between bursts", n * waiting_ticks(program)),
        _item("hardware: margins before", n, facts.MARGIN_BEFORE),
        _item("hardware: margins after", n, facts.MARGIN_AFTER),
        _item("hardware: neuron resets", n_resets, facts.RESET_LEAD),
    ]


def _configuration(program: Program) -> list[CostItem]:
    """Return the time for writing registers and waiting for the analog parameter cells. A program that sets all of them waits longest."""
    table = registers(program.machine)
    capmem = {name for name, register in table.items() if register.kind in ("capmem_voltage", "capmem_current")}
    settling = []
    if capmem and capmem <= program.config.keys():
        settling = [_item("configuration: CapMem settling", 1, facts.CAPMEM_SETTLING_WHOLE)]
    elif capmem & program.config.keys():
        settling = [_item("configuration: CapMem settling", 1, facts.CAPMEM_SETTLING_PART)]
    armed = [_item("configuration: MADC wake-up", 1, facts.MADC_ARM)] if _uses_madc(program) else []
    codes = sum(array.size for array in program.config.values())
    per_entry = sum(array.size for snippet in program.snippets for array in snippet.config.values())
    timed = sum(_codes(program, write) * (program.n_entries if write.entry is None else 1) for write in program.writes)
    repeated = n_repetitions(program) * (per_entry * program.n_entries + timed)
    return [*settling, *armed, _item("configuration: register writes", codes + repeated, facts.REGISTER_ACCESS)]


def records_of(program: Program) -> list[Record]:
    """Return the program's record and those of its snippets that have their own."""
    return [program.record, *(snippet.record for snippet in program.snippets if snippet.record is not None)]


def _uses_madc(program: Program) -> bool:
    return any(record.madc or record.bursts for record in records_of(program))


def _active_ppus(program: Program) -> set[int]:
    """Return the hemispheres whose plasticity processor works: it reads the CADC and runs plasticity."""
    circuits = [circuit for record in records_of(program) for cadc in record.cadc for circuit in cadc.circuits]
    return {circuit // _CIRCUITS_PER_PPU for circuit in circuits}.union(*(task.hemispheres for task in program.plasticity))


def _codes(program: Program, access: TimedWrite | TimedRead) -> int:
    """Return the number of codes that a write or read addresses."""
    shape = registers(program.machine)[access.field].shape
    parts = [part[1] - part[0] if isinstance(part, tuple) else 1 for part in access.index]
    return math.prod([*parts, *shape[len(parts) :]])
