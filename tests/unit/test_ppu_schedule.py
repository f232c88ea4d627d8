"""When kernels run: timers, deadlines, the queue, both processors, the time that a kernel takes."""

from __future__ import annotations

import numpy as np
import pytest
from ppu_bench import FakeChip, play

from neckar.errors import KernelAccessError, ProgramError
from neckar.facts.ppu_brainscales2 import BUS_CYCLES, QUEUE_LENGTH
from neckar.ppu._schedule import Scheduler, Timer
from neckar.program import NeuronView, Observable, PlasticityTask, PlasticityView

US = 500  # ticks


def walk(timers: list[Timer], end: int, lasts: list[int]) -> tuple[list[tuple[int, int, int]], Scheduler]:
    """Run tasks that take so long; return (task, start, deadline) of each."""
    scheduler, now, done = Scheduler(timers), 0.0, []
    while (due := scheduler.due(now)) is not None and due < end:
        now = due
        event = scheduler.pick(now)
        if event is not None:
            done.append((event.task, int(now), event.deadline))
            now += lasts[event.task]
    return done, scheduler


def test_a_task_runs_at_each_period_if_there_is_time() -> None:
    done, scheduler = walk([Timer(5, 100, 4)], 1000, [30])
    assert done == [(0, 5, 105), (0, 105, 205), (0, 205, 305), (0, 305, 405)]
    assert scheduler.timers[0].missed == 0


def test_periods_that_pass_while_a_task_runs_are_missed() -> None:
    done, scheduler = walk([Timer(0, 100, 10)], 10_000, [250])
    # by hand: at 250 the task of 100 is queued and 200 skipped; at 500 that of 300, 400 is skipped, and that of 500; at 750 that of 600, 700 is skipped;
    # at 1000 that of 800 and 900, the last, have passed
    assert done == [(0, 0, 100), (0, 250, 300), (0, 500, 500), (0, 750, 600), (0, 1000, 800)]
    assert scheduler.timers[0].missed == 5
    assert scheduler.timers[0].fired == 5


def test_the_earliest_deadline_comes_first_and_ties_keep_the_order_of_the_timers() -> None:
    done, _ = walk([Timer(0, 1000, 1), Timer(0, 100, 2), Timer(0, 100, 2)], 10_000, [10, 10, 10])
    assert [(task, start) for task, start, _ in done] == [(1, 0), (2, 10), (0, 20), (1, 100), (2, 110)]


def test_nothing_starts_after_the_timer_or_the_trial_has_ended() -> None:
    assert walk([Timer(0, 10, 2)], 1000, [500])[0] == [(0, 0, 10)]
    assert walk([Timer(0, 10, 100)], 25, [1])[0] == [(0, 0, 10), (0, 10, 20), (0, 20, 30)]


def test_tasks_that_find_no_place_in_the_queue_are_dropped_and_counted() -> None:
    n = int(QUEUE_LENGTH.value) + 5
    done, scheduler = walk([Timer(0, 1_000_000, 1) for _ in range(n)], 2_000_000, [1] * n)
    assert len(done) == QUEUE_LENGTH.value
    assert sum(scheduler.dropped) == 5
    assert scheduler.dropped[-5:] == [1] * 5


# ---- Kernels


ziglang = pytest.importorskip("ziglang")
pytest.importorskip("wasmtime")

VIEWS = tuple(PlasticityView(h, (10, 11), tuple(range(256))) for h in (0, 1))
NEURONS = tuple(NeuronView(h, tuple(range(256))) for h in (0, 1))
INCLUDES = """
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "libnux/vx/correlation.h"
#include "libnux/vx/reset_neurons.h"
#include "libnux/vx/time.h"
using namespace grenade::vx::ppu;
using namespace libnux::vx;
extern volatile PPUOnDLS ppu;
"""


def task(body: str, before: str = "", **others: object) -> PlasticityTask:
    text = INCLUDES + before + (
        "void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, 2>& synapses, std::array<NeuronViewHandle, 2>& neurons, Recording& recording)\n"
        f"{{ auto const self = static_cast<uint32_t>(ppu); {body} }}"
    )
    observables = {"found": Observable("uint16", 8)}
    given = {"name": "rule", "kernel": text, "views": VIEWS, "neurons": NEURONS, "period": 1000 * US, "count": 1, "observables": observables, **others}
    return PlasticityTask(**given)  # type: ignore[arg-type]


STOPWATCH = task(
    """
    auto const measure = [&](size_t i, auto const& what) {
        what();
        auto const before = now();
        what();
        recording.found[i] = now() - before;
    };
    VectorRowMod8 row;
    SynapseArrayViewHandle const& mine = synapses[self];
    measure(0, [&] {});
    measure(1, [&] { row = get_row_via_vector(3, dls_weight_base); });
    measure(2, [&] { set_row_via_vector(row, 3, dls_weight_base); });
    measure(3, [&] { reset_neurons(); });
    measure(4, [&] { get_causal_correlation(&row.even.data, &row.odd.data, 3); });
    measure(5, [&] { reset_correlation(3); });
    measure(6, [&] { neurons[self].get_rate_counters(false); });
    measure(7, [&] { sleep_cycles(1000); });
    """
)


def test_accesses_take_the_cycles_that_were_measured_on_the_processor() -> None:
    """A34: libnux' test_speed_memory.cpp: 20 +- 2 cycles for a register of weights or of a neuron reset, 410 +- 41 for a row of the converter.

    A reset of sensors is taken to cost as much as that of neurons, a counter what :mod:`neckar.facts.ppu_brainscales2` estimates.
    """
    found = play(STOPWATCH, FakeChip(), 1000 * US).observables[0]["found"][0]
    empty, load, store, neurons, conversion, sensors, counters, slept = (int(n) for n in found)
    assert empty <= 2
    for cycles in (load, store, neurons, sensors):
        assert abs(cycles - 2 * 20) <= 2 * 2, found
    assert abs(conversion - 410) <= 41
    assert counters == pytest.approx(256 * BUS_CYCLES.value, rel=0.05)
    assert abs(slept - 1000) <= 4


def test_instant_kernels_take_no_time() -> None:
    instant = task(STOPWATCH.kernel.split("{ auto const self = static_cast<uint32_t>(ppu); ")[1][:-1], mode="instant")
    assert play(instant, FakeChip(), 1000 * US).observables[0]["found"][0].tolist()[:7] == [0] * 7


def test_what_a_kernel_writes_acts_at_its_own_time_in_order() -> None:
    body = """
    for (uint32_t i = 1; i <= 3; ++i) {
        sleep_cycles(25000);
        synapses[self].set_weights(VectorRowMod8(i), 0);
    }
    sleep_cycles(25000);
    synapses[self].set_weights(VectorRowMod8(40), 1);
    synapses[self].set_weights(VectorRowMod8(41), 1);
    """
    chip = FakeChip()
    play(task(body, start=10 * US), chip, 1000 * US)
    first = [(tick, rows, values) for tick, h, rows, values in chip.writes if h == 0]
    assert [rows for _, rows, _ in first] == [[10], [10], [10], [11]]
    assert [values for *_, values in first] == [[1], [2], [3], [41]]
    assert np.abs(np.array([tick for tick, *_ in first]) / US - [110, 210, 310, 410]).max() < 1.5
    assert {tick for tick, h, *_ in chip.writes if h == 1} == {tick for tick, *_ in first}


def test_what_a_kernel_reads_is_read_at_its_own_time_and_processors_take_turns() -> None:
    body = """
    for (uint32_t i = 0; i < 4; ++i) {
        sleep_cycles(self ? 25000 : 10000);
        recording.found[2 * i + self] = neurons[self].get_rate_counter(5, i == 1);
    }
    """

    class Counting(FakeChip):
        def read_counters(self) -> tuple[np.ndarray, np.ndarray]:
            self.asked.append(self.tick)
            return np.full(512, self.tick // (10 * US), np.uint8), np.zeros(512, np.uint8)

    chip = Counting()
    result = play(task(body), chip, 1000 * US)
    assert np.abs(np.array(chip.asked) / US - sorted([40, 81, 122, 164, 100, 201, 303, 404])).max() < 2
    top, bottom = (result.observables[0]["found"][0][side::2].tolist() for side in (0, 1))
    assert top == [4, 8, 12, 16]
    assert bottom == [10, 20, 30, 40]


def test_invocations_are_counted_by_fate() -> None:
    slow = task("sleep_cycles(250 * 250);", period=100 * US, count=10)
    tally = play(slow, FakeChip(), 900 * US).tally
    assert [t.executed for t in tally] == [4, 4]
    for t in tally:
        assert t.asked == 10
        assert t.asked == t.executed + t.missed + t.queue_full + t.after_end
        assert t.late == 4


def test_times_that_pass_after_a_timers_last_are_missed_and_times_after_the_trial_come_after_the_end() -> None:
    short = play(task("sleep_cycles(250 * 250);", period=100 * US, count=2), FakeChip(), 900 * US).tally[0]
    assert (short.asked, short.executed, short.missed, short.after_end) == (2, 1, 1, 0)  # the time at 100 us passed; the trial went on to 900 us
    later = play(task("", period=100 * US, count=5), FakeChip(), 250 * US).tally[0]
    assert (later.asked, later.executed, later.missed, later.after_end) == (5, 3, 0, 2)


def test_times_are_counted_without_going_through_all_of_them() -> None:
    timer = Timer(5, 10, 1 << 40)
    assert [timer.due_until(end) for end in (0, 5, 6, 15, 16)] == [0, 0, 1, 1, 2]
    timer.expire(1e12)
    assert (timer.missed, timer.next) == (10**11, 10**12 + 5)


def test_an_interrupted_trial_logs_no_losses(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KernelAccessError, match="asks for row 99 of 2"):
        play(task("synapses[self].get_weights(99);", period=100 * US, count=3), FakeChip(), 1000 * US)
    assert "could not execute" not in caplog.text


@pytest.mark.parametrize("look", ["neurons[self].get_rate_counter(0, false);", "for (int i = 0; i < 2000; ++i) { reset_correlation(0); }"])
def test_of_two_stores_to_one_number_of_a_record_the_later_one_stays_in_whole(look: str) -> None:
    body = f"""
    sleep_cycles(self ? 50000 : 0);
    neurons[self].get_rate_counter(0, false);
    recording.found[0] = self ? 0x0100 : 0x00ff;
    recording.found[1 + self] = recording.found[1 - self + 1] + 7;
    sleep_cycles(100000);
    {look}
    neurons[self].get_rate_counter(0, false);
    recording.found[3] = recording.found[0];
    """
    found = play(task(body), FakeChip(), 10_000 * US).observables[0]["found"][0].tolist()
    assert found[:4] == [0x0100, 7, 14, 0x0100]


def test_a_zero_that_is_written_over_a_number_stays() -> None:
    body = """
    recording.found[0] = self ? recording.found[0] : 5;
    sleep_cycles(self ? 50000 : 10000);
    neurons[self].get_rate_counter(0, false);
    if (self) { recording.found[0] = 0; }
    """
    assert play(task(body), FakeChip(), 1000 * US).observables[0]["found"][0, 0] == 0


def test_the_index_of_a_record_counts_what_was_executed() -> None:
    counting = task("recording.found[0] = ++calls; recording.time = now();", before="uint16_t calls = 0;", period=100 * US, count=6)
    arrays = play(counting, FakeChip(), 450 * US).observables[0]
    assert arrays["found"][:, 0].tolist() == [1, 2, 3, 4, 5, 0]
    assert (arrays["time"][:5] // 25000).tolist() == [0, 1, 2, 3, 4]


def test_both_modes_in_one_program_are_refused() -> None:
    with pytest.raises(ProgramError, match="ask for the modes 'timed' and 'instant'"):
        play((task(""), task("", name="other", same_id=1, mode="instant")), FakeChip(), US)
