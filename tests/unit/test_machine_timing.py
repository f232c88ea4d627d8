"""What acts on a running chip, and when: actors, timed writes and reads, the phases before and after."""

from __future__ import annotations

import numpy as np
import pytest
from chip_programs import FIRING, STIMULATED, TABLE, N, arriving, chip, membrane, program, run, trace

from neckar.chip.agenda import Port
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import physical
from neckar.program import (
    Events,
    MadcChannel,
    Record,
    TimedRead,
    TimedWrite,
    seconds,
)


class Plastic:
    """Reads a counter at a tick, takes some cycles, then writes a row of weights; and reads once more."""

    def __init__(self, tick: int, cycles: int, row: int, weight: int) -> None:
        self.row, self.weight = row, weight
        self._todo = [tick, tick + 2 * cycles, tick + 2 * cycles]
        self.seen: list[tuple[int, int]] = []

    def due(self) -> int | None:
        return self._todo[0] if self._todo else None

    def act(self, port: Port) -> None:
        self._todo.pop(0)
        self.seen.append((port.tick, port.read_counter(0)))
        if len(self.seen) == 2:
            port.write_weights(0, self.row, np.full(256, self.weight, np.uint8))


def test_an_actor_acts_exactly_at_its_tick():
    """An event one tick before the write meets the old weight, one at its tick the new one."""
    write = 10_003 + 2 * 101
    for arrival, weight in ((write - 1, 31), (write, 60), (write + 1, 60)):
        actor = Plastic(10_003, 101, row=0, weight=60)
        p = program(STIMULATED, entries=arriving(arrival), record=membrane())
        acted = chip("-noise,-event_loss").run(p, actors=[actor])[0]
        assert [tick for tick, _ in actor.seen] == [10_003, write, write]
        expected = np.array(STIMULATED["synapse_weight"] * np.ones(TABLE["synapse_weight"].shape), np.uint8)
        expected[0, 0] = weight
        plain = run({**STIMULATED, "synapse_weight": expected}, effects="-noise,-event_loss", entries=arriving(arrival), record=membrane())
        np.testing.assert_array_equal(trace(acted), trace(plain))
        assert np.ptp(trace(acted)) > 0.01


def test_what_an_actor_writes_stays():
    _, state = chip().run(program(STIMULATED), actors=[Plastic(10_003, 1, row=5, weight=60)])
    assert (state.registers["synapse_weight"][0, 5] == 60).all()
    assert (state.registers["synapse_weight"][0, 6] == 31).all()


def test_an_actor_counts_the_spikes_before_its_tick():
    spikes = run(FIRING, 50, "-event_loss", record=Record(spikes=(0,))).spikes.tick
    actor = Plastic(int(spikes[1]) + 4, int(spikes[2] - spikes[1]) // 2, row=0, weight=1)
    chip("-event_loss").run(program(FIRING, 50, record=Record(spikes=(0,))), actors=[actor])
    assert [count for _, count in actor.seen] == [2, 3, 3]


def test_an_actor_that_only_looks_changes_no_bit():
    p = program(FIRING, 50, record=Record(spikes=(0,), madc=(MadcChannel(0),)))
    watched, plain = chip().run(p, actors=[Plastic(10_003, 9, row=0, weight=0)])[0], chip().run(p)[0]
    assert watched.spikes == plain.spikes
    assert watched.madc == plain.madc


def test_a_cut_within_a_step_leaves_the_traces():
    """A read cuts the step that an event falls into; the instruments must not see the cut."""
    events, reads = arriving(10_100), tuple(TimedRead(name=str(at), at=at, field="leak_v_leak") for at in (10_003, 10_150, 10_205))
    plain, cut = (run(STIMULATED, effects="-event_loss", entries=events, reads=r, record=membrane()) for r in ((), reads))
    np.testing.assert_array_equal(trace(plain), trace(cut))


@pytest.mark.parametrize("tick", [10_000, 10_001, 10_123, 10_249])
def test_a_written_parameter_acts_at_its_tick(tick):
    """The membrane keeps its old path up to the tick, then charges from there with the new conductance; exact to float32 because the chip is linear."""
    fields = {**STIMULATED, "leak_v_leak": 400}
    write = TimedWrite(at=tick, field="leak_v_leak", index=(0,), value=800)
    v = trace(run(fields, effects="ideal", record=membrane(), writes=(write,)))
    p0, p1 = (physical(Specimen.reference(), Effects.ideal(), ChipConfig({**fields, "leak_v_leak": code}), [0]) for code in (400, 800))
    rate = p1.g_leak[0] / p1.capacitance[0]
    t = seconds(np.maximum(np.arange(len(v)) - tick, 0))
    expected = p1.e_leak[0] + (p0.e_leak[0] - p1.e_leak[0]) * np.exp(-rate * t)
    np.testing.assert_allclose(v, expected, atol=2e-6)


def test_writes_of_one_tick_act_in_their_order_and_reads_see_them():
    writes = tuple(TimedWrite(at=101, field=field, value=value) for field, value in (("leak_v_leak", 1), ("leak_v_leak", 2), ("synapse_weight", 3)))
    reads = (
        TimedRead(name="earlier", at=100, field="leak_v_leak"),
        TimedRead(name="same", at=101, field="leak_v_leak", index=((4, 6),)),
        TimedRead(name="weights", at=101, field="synapse_weight", index=(1, 255, 255)),
        TimedRead(name="counter", at=101, field="spike_counter"),
    )
    r = run(FIRING, writes=writes, reads=reads).reads
    assert (r["earlier"] == 1000).all()
    assert r["same"].tolist() == [[2, 2]]
    assert r["weights"].tolist() == [3]
    assert r["counter"].shape == (1, N)


def test_phases_before_and_after_frame_the_run():
    writes = (TimedWrite(at="before", field="leak_v_leak", value=300), TimedWrite(at="after", field="leak_v_leak", value=900))
    reads = tuple(TimedRead(name=at, at=at, field="leak_v_leak", index=(0,)) for at in ("before", "after"))
    recording, state = chip().run(program(FIRING, writes=writes, reads=reads))
    assert {name: value.tolist() for name, value in recording.reads.items()} == {"before": [300], "after": [900]}
    assert len(recording.spikes) == 0
    assert (state.registers["leak_v_leak"] == 900).all()


def test_reads_and_writes_at_the_last_tick_are_part_of_the_run():
    end = 25_000
    writes = (TimedWrite(at=end, field="leak_v_leak", value=7), TimedWrite(at=end, field="synapse_weight", value=8))
    reads = tuple(TimedRead(name=field, at=end, field=field) for field in ("leak_v_leak", "synapse_weight", "spike_counter"))
    recording, state = chip().run(program(FIRING, record=Record(spikes="all"), writes=writes, reads=reads))
    assert (state.registers["leak_v_leak"] == 7).all()
    assert (state.registers["synapse_weight"] == 8).all()
    assert (recording.reads["leak_v_leak"] == 7).all()
    assert recording.reads["spike_counter"][0, 0] > 0


def test_a_write_can_belong_to_one_entry():
    write = TimedWrite(at=5, field="leak_v_leak", value=300, entry=1)
    r = run(FIRING, entries=Events.empty(3), writes=(write,), record=Record(spikes=(0,)))
    assert [len(r.spikes.entry(e)[0]) > 0 for e in range(3)] == [True, False, True]
