"""The cost on silicon: totals follow from items, and each item from the program."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neckar.chip.cost import FixedCost, estimate, groups
from neckar.facts import brainscales2, registers
from neckar.facts import cost_brainscales2 as facts
from neckar.program import CadcRecord, Cost, Events, MadcChannel, PlasticityTask, PlasticityView, Program, Record, Snippet, TimedRead, TimedWrite, ticks

TABLE = {name: register for name, register in registers("brainscales2").items() if not register.counter}
QUIET = {"n_spikes_in": 0, "n_spikes_out": 0, "n_madc_samples": 0, "n_cadc_rows": 0, "synaptic_events": 0}


def program(entries: int = 1, **fields: object) -> Program:
    return Program(machine="brainscales2", snippets=(Snippet(ticks(200e-6)),), entries=Events.empty(entries), **fields)  # type: ignore[arg-type]


def cost_of(program: Program, n_resets: int = 1, **counts: int) -> Cost:
    """Return the cost of a program that sends, records and hears nothing but `counts`."""
    return estimate(FixedCost(program, n_resets), **{**QUIET, **counts})


def value(cost: Cost, name: str) -> float:
    """Return the value of one item."""
    return next(item.value for item in cost.items if item.name == name)


counts = st.integers(0, 10**9)


@settings(max_examples=50, deadline=None)
@given(entries=st.integers(1, 50), sequential=st.booleans(), madc=st.booleans(), spikes_in=counts, spikes_out=counts, samples=counts, events=counts)
def test_totals_are_the_sums_of_items(entries: int, sequential: bool, madc: bool, spikes_in: int, spikes_out: int, samples: int, events: int) -> None:
    record = Record(madc=(MadcChannel(0),) if madc else ())
    counted = {"n_spikes_in": spikes_in, "n_spikes_out": spikes_out, "n_madc_samples": samples, "synaptic_events": events}
    cost = cost_of(program(entries, sequential=sequential, record=record), entries, **counted)
    sums = {group: math.fsum(item.value for item in items) for group, items in groups(cost.items).items()}
    energies = [total for group, total in sums.items() if group.startswith("energy by ")]
    assert (cost.hardware_s, cost.configuration_s, cost.transfer_s) == (sums["hardware"], sums["configuration"], sums["transfer"])
    assert (cost.energy_j.low, cost.energy_j.high) == (min(energies), max(energies))
    assert len(sums) == 3 + len(energies)
    assert len(energies) == 1 + len(brainscales2.POWER_PUBLISHED)
    assert all(item.source and item.value >= 0 for item in cost.items)
    assert all(item.unit == ("J" if item.name.startswith("energy") else "s") for item in cost.items)


def test_hardware_time_of_entries() -> None:
    assert cost_of(program(10), 10).hardware_s == pytest.approx(10 * (200e-6 + 1e-6 + 1e-6 + 4e-6), rel=1e-12)
    assert cost_of(program(10, sequential=True)).hardware_s == pytest.approx(10 * 202e-6 + 4e-6, rel=1e-12)  # one reset for all


def test_capmem_settling_depends_on_how_much_is_written() -> None:
    whole = {name: register.default_array() for name, register in TABLE.items()}
    one = {"leak_v_leak": np.zeros(512, np.uint16)}
    digital = {"membrane_capacitance_capacitance": TABLE["membrane_capacitance_capacitance"].default_array()}
    settling = "configuration: CapMem settling"
    assert value(cost_of(program(config=whole)), settling) == 0.1
    assert value(cost_of(program(config=one)), settling) == 0.02
    assert settling not in [item.name for item in cost_of(program(config=digital)).items]
    assert cost_of(program()).configuration_s == 0


def test_register_accesses_are_counted_per_code() -> None:
    writes = (
        TimedWrite(at=5, field="leak_v_leak", index=((0, 10),), value=np.uint16(3)),
        TimedWrite(at=5, field="leak_v_leak", index=(4,), value=np.uint16(3), entry=0),
        TimedWrite(at=5, field="leak_v_leak", value=np.uint16(3)),
    )
    cost = cost_of(program(3, writes=writes, reads=(TimedRead(name="a", at="after", field="leak_v_leak", index=((0, 7),)),)))
    assert cost.configuration_s == pytest.approx((3 * 10 + 1 + 3 * 512) * facts.REGISTER_ACCESS.value)
    assert cost.transfer_s == pytest.approx(3 * 7 * facts.REGISTER_ACCESS.value)


def test_transfer_of_events_and_samples() -> None:
    cost = cost_of(program(), n_spikes_in=1000, n_spikes_out=500, n_madc_samples=5880)
    assert cost.transfer_s == pytest.approx(1000 * 8e-9 + 6380 * 4e-9)


def test_energy_lies_between_published_powers_for_an_ordinary_experiment() -> None:
    counts = {"n_spikes_in": 100, "n_spikes_out": 20, "n_madc_samples": 5880, "synaptic_events": 6400}
    cost = cost_of(program(record=Record(madc=(MadcChannel(0),))), **counts)
    low, high = cost.energy_j.low / cost.hardware_s, cost.energy_j.high / cost.hardware_s
    assert low == pytest.approx(0.175)
    assert high == pytest.approx(0.70)


def test_a_busy_chip_widens_the_range() -> None:
    cost = cost_of(program(), synaptic_events=10**9)
    assert cost.energy_j.high > 10**9 * brainscales2.ENERGY_SYNAPTIC_EVENT.value


@pytest.mark.parametrize(
    ("fields", "processors"),
    [
        ({}, 0),
        ({"record": Record(cadc=(CadcRecord((3, 4), period=1000),))}, 1),
        ({"record": Record(cadc=(CadcRecord((3, 300), period=1000),))}, 2),
        ({"plasticity": (PlasticityTask(name="rule", kernel="", language="python", views=(PlasticityView(1, (0,), (0,)),), start=0, period=10, count=1),)}, 1),
    ],
)
def test_power_of_active_processors(fields: dict[str, object], processors: int) -> None:
    cost = cost_of(program(**fields))  # type: ignore[arg-type]
    energy = value(cost, "energy by our power model: plasticity processors")
    assert energy == pytest.approx(processors * brainscales2.POWER_PPU.value * cost.hardware_s)


def test_the_converter_is_woken_once_per_program_that_records_with_it():
    with_it = cost_of(program(record=Record(madc=(MadcChannel(0),))))
    without = cost_of(program())
    assert with_it.configuration_s - without.configuration_s == pytest.approx(1e-3)
