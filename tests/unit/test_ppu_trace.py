"""Tracing: what a rule did is told as it was, and telling it changes nothing."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from chip_programs import FIRING, program
from ppu_bench import SEEDS, FakeChip

import neckar
import neckar.ppu
from neckar.errors import ConfigurationError, KernelAccessError, KernelCompileError, KernelTimeout
from neckar.ppu import Invocation, PlasticityProcessor, recorders_of
from neckar.ppu._trace import MAX_WATCHED
from neckar.program import Contents, Events, MachineState, NeuronView, Observable, PlasticityTask, PlasticityView, Program

pytest.importorskip("ziglang")
pytest.importorskip("wasmtime")

US = 500  # ticks
VIEWS = tuple(PlasticityView(h, (7, 2), (1, 4, 9)) for h in (0, 1))
NEURONS = tuple(NeuronView(h, (4, 1)) for h in (0, 1))
INCLUDES = """
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "libnux/vx/dls.h"
#include "libnux/vx/mailbox.h"
#include "libnux/vx/reset_neurons.h"
#include "grenade/vx/ppu/time.h"
using namespace grenade::vx::ppu;
using namespace libnux::vx;
extern volatile PPUOnDLS ppu;
volatile uint32_t what;
#ifndef NECKAR_WATCH
#define NECKAR_WATCH(x)
#endif
"""
RECORDED = {"found": Observable("uint8", 2)}


CASES: dict[str, str] = {}
"""Bodies of one kernel that are chosen by its variable `what`, because compiling takes seconds."""


def text(body: str) -> str:
    third = "std::array<SynapseArrayViewHandle, 2>& synapses, std::array<NeuronViewHandle, 2>& neurons, Recording& recording"
    return f"{INCLUDES}\nvoid PLASTICITY_RULE_KERNEL({third})\n{{\n{body}\n}}\n"


def kernel_text() -> str:
    cases = "\n".join(f"case {n}: {{ {body} break; }}" for n, body in enumerate(CASES.values()))
    return text(f"switch (what) {{ {cases} }}")


def task(case: str, **others: object) -> PlasticityTask:
    given = {"name": "rule", "views": VIEWS, "neurons": NEURONS, "period": 100 * US, "count": 3, "mode": "instant", "observables": RECORDED, **others}
    given = {"kernel": kernel_text(), "symbols": {"what": [list(CASES).index(case)]}, **given} if case else given
    return PlasticityTask(**given)  # type: ignore[arg-type]


def work(actor: PlasticityProcessor, chip: FakeChip) -> None:
    while (tick := actor.due()) is not None:
        chip.tick = max(tick, chip.tick)
        actor.act(chip)


def traced(task: PlasticityTask, chip: FakeChip, duration: int = 1000 * US) -> list[Invocation]:
    """Let the top processor work on a chip."""
    found: list[Invocation] = []
    actor = PlasticityProcessor((task,), 0, duration, recorders_of((task,)), SEEDS, found.append)
    try:
        work(actor, chip)
        actor.finish()
    finally:
        actor.close()
    return found


CASES["add ten"] = "auto const mine = synapses[0]; mine.set_weights(mine.get_weights(1) + 10, 0);"


@pytest.mark.parametrize("mode", ["instant", "timed"])
def test_rows_that_were_read_and_written_come_with_their_values(mode: str) -> None:
    chip = FakeChip()
    chip.planes["synapse_weight"][0] = np.arange(256)[:, None] % 64
    first, second, _ = traced(task("add ten", mode=mode), chip)
    assert {what: sorted(rows) for what, rows in first.read.items()} == {"weights": [2]}
    assert (first.read["weights"][2] == 2).all()
    old, new = first.written["weights"][7]
    expected = np.full(256, 7)
    expected[[1, 4, 9]] = 12  # columns of the view
    assert (old == 7).all()
    assert (new == expected).all()
    assert (second.written["weights"][7][0] == expected).all()
    assert first.reset == {}


CASES["sense"] = """
auto const [causal, acausal] = synapses[0].get_correlation(0, true);
neurons[0].get_rate_counters(true);
neurons[1].get_rate_counter(0, false);
reset_neurons(vec_splat_u8(0), vec_splat_u8(1));
mailbox_write_string("hello");
"""


@pytest.mark.parametrize("mode", ["instant", "timed"])
def test_sensors_counters_and_resets_are_told(mode: str) -> None:
    chip = FakeChip()
    chip.counts[[1, 4, 256 + 4]] = 11, 44, 99
    chip.overflow[256 + 4] = 1
    one = traced(task("sense", mode=mode, count=1), chip)[0]
    assert sorted(one.read) == ["acausal", "causal", "counters"]
    assert (one.read["causal"][7] == 190).all()
    assert (one.read["acausal"][7] == 180).all()
    assert one.read["counters"] == {1: 11, 4: 44, 260: 255}
    assert np.flatnonzero(one.reset["sensors"][7]).tolist() == [1, 4, 9]
    assert sorted(one.reset["counters"]) == [1, 4]
    assert sorted(one.reset["membranes"]) == list(range(1, 256, 2))
    assert one.mail == "hello"


CASES["watch"] = """
int8_t const small = -5;
uint64_t const big = 1ull << 40;
float const pi = 3.25f;
bool const yes = true;
VectorRowFracSat8 row;
for (uint32_t i = 0; i < 256; ++i) { row[i] = i / 2; }
VectorRowMod16 wide;
for (uint32_t i = 0; i < 256; ++i) { wide[i] = 300 * (i % 7); }
std::array<int16_t, 3> const list{1, -2, 3};
double const plain[2] = {0.5, -0.25};
std::vector<uint8_t> const several{9, 8, 7};
std::array<VectorRowMod8, 2> const rows{VectorRowMod8(3), VectorRowMod8(4)};
uint8_t bytes[4] = {0x3f, 0xc0, 0, 0};
auto const pun = reinterpret_cast<float*>(bytes);
NECKAR_WATCH(small); NECKAR_WATCH(big); NECKAR_WATCH(pi); NECKAR_WATCH(yes); NECKAR_WATCH(ppu); NECKAR_WATCH(row); NECKAR_WATCH(wide);
NECKAR_WATCH(list); NECKAR_WATCH(plain); NECKAR_WATCH(several); NECKAR_WATCH(rows); NECKAR_WATCH(row.even); NECKAR_WATCH(row.odd.data);
NECKAR_WATCH(small + 1); NECKAR_WATCH(std::array<int, 2>{4, 5}); NECKAR_WATCH(*pun);
"""


def test_watched_values_keep_name_type_and_order() -> None:
    one = traced(task("watch", count=1), FakeChip())[0]
    found = {watched.name: watched for watched in one.watched}
    assert [watched.name for watched in one.watched][:3] == ["small", "big", "pi"]
    types = {name: watched.type for name, watched in found.items()}
    assert types == {
        "small": "int8_t", "big": "uint64_t", "pi": "float", "yes": "bool", "ppu": "uint32_t", "row": "VectorRowFracSat8", "wide": "VectorRowMod16",
        "list": "int16_t[3]", "plain": "double[2]", "several": "uint8_t[3]", "rows": "VectorRowMod8[2]", "row.even": "VectorFracSat8",
        "row.odd.data": "VectorFracSat8", "small + 1": "int32_t", "std::array<int, 2>{4, 5}": "int32_t[2]", "*pun": "float",
    }  # fmt: skip
    plain = {name: watched.value for name, watched in found.items() if not isinstance(watched.value, np.ndarray)}
    assert plain == {"small": -5, "big": 1 << 40, "pi": 3.25, "yes": True, "ppu": 0, "small + 1": -4, "*pun": 1.5}
    assert (found["row"].value == np.arange(256) // 2).all()
    assert (found["wide"].value == 300 * (np.arange(256) % 7)).all()
    assert (found["row.even"].value == np.arange(128)).all()
    assert (found["rows"].value == np.array([[3], [4]])).all()
    assert found["rows"].value.shape == (2, 256)
    assert found["several"].value.tolist() == [9, 8, 7]
    assert found["plain"].value.tolist() == [0.5, -0.25]
    lines = task("watch").kernel.splitlines()
    assert "NECKAR_WATCH(small);" in lines[found["small"].line - 1]


CASES["loop"] = "for (int i = 0; i < 5000; ++i) { NECKAR_WATCH(i); }"


def test_values_are_watched_in_loops_and_the_number_that_is_kept_is_bounded() -> None:
    one = traced(task("loop", count=1), FakeChip())[0]
    assert [watched.value for watched in one.watched] == list(range(MAX_WATCHED))
    assert one.watched_left_out == 5000 - MAX_WATCHED


CASES["quiet"] = "volatile int x; for (int i = 0; i < 1000; ++i) { x = i; }"
CASES["talking"] = "volatile int x; for (int i = 0; i < 1000; ++i) { x = i; NECKAR_WATCH(i); }"


def test_showing_a_value_takes_next_to_no_time_of_the_processor() -> None:
    quiet, talking = (traced(task(case, mode="timed", count=1), FakeChip())[0].cycles for case in ("quiet", "talking"))
    assert quiet > 100
    assert abs(talking - quiet) < 0.5 * 1000  # half a cycle each


@pytest.mark.slow  # a compilation each
@pytest.mark.parametrize(
    "shown", ["NECKAR_WATCH(synapses[0]);", "NECKAR_WATCH(&what);", "struct Own { int x; } own; NECKAR_WATCH(own);", "std::vector<bool> b(3); NECKAR_WATCH(b);"]
)
def test_what_cannot_be_watched_is_said_by_the_compiler_and_nothing_else(shown: str) -> None:
    with pytest.raises(KernelCompileError) as caught:
        traced(task("", kernel=text(shown)), FakeChip())
    (said,) = re.findall(r"error: .*", str(caught.value))
    assert "NECKAR_WATCH takes numbers, rows, registers, and arrays or vectors of these" in said


CASES["sleep"] = "neckar_sleep(30000);"
CASES["nothing"] = ""


def test_times_are_those_of_timer_and_processor() -> None:
    found = traced(task("sleep", mode="timed", start=10 * US, count=5), FakeChip())  # 120 us of a period of 100
    assert [(one.asked // US, one.deadline // US) for one in found] == [(10, 110), (110, 210), (210, 310), (310, 410), (410, 510)]
    assert [one.begun // US for one in found] == [10, 130, 250, 370, 490]
    assert all(30000 <= one.cycles < 30020 for one in found)
    assert all(one.late for one in found)
    assert [one.number for one in found] == [0, 1, 2, 3, 4]
    assert not traced(task("nothing", mode="timed"), FakeChip())[0].late


CASES["stopped"] = "NECKAR_WATCH(41); synapses[0].get_weights(2);"


@pytest.mark.parametrize("mode", ["instant", "timed"])
def test_a_stopped_invocation_is_told_with_what_it_had_shown(mode: str) -> None:
    chip, found = FakeChip(), []
    stopped = task("stopped", mode=mode)
    actor = PlasticityProcessor((stopped,), 0, 1000 * US, recorders_of((stopped,)), SEEDS, found.append)
    with pytest.raises(KernelAccessError, match="asks for row 2 of 2"):
        work(actor, chip)
    actor.close()
    assert [watched.value for watched in found[0].watched] == [41]
    assert isinstance(found[0].error, KernelAccessError)


# ---- Kernels that mean harm

SHOW = "neckar_watch({name}, 1, {kind}, reinterpret_cast<void const*>({place}), {number});"
CASES["outside"] = SHOW.format(name='"x"', kind="1 << 8 | 5", place="0x7ffffff0", number=1000)
CASES["wraps around"] = SHOW.format(name='"x"', kind="1 << 8 | 8", place="0x100", number="0x20000000")
CASES["too long"] = SHOW.format(name='"x"', kind="1 << 8 | 1", place="0x100", number="(1 << 20) + 1")
CASES["no such type"] = SHOW.format(name='"x"', kind="250", place="0x100", number=1)
CASES["no such layout"] = SHOW.format(name='"x"', kind="99 << 8 | 1", place="0x100", number=1)
CASES["half a row"] = SHOW.format(name='"x"', kind="2 << 8 | 1", place="0x100", number=100)
CASES["name outside"] = SHOW.format(name="reinterpret_cast<char const*>(0xfffffff0)", kind="5", place="0x100", number=1)
CASES["strange name"] = SHOW.format(name='"a\\033[2Jb"', kind="5", place="0x100", number=1)
CASES["shows for ever"] = "while (true) { NECKAR_WATCH(1); }"
CASES["listens itself"] = "while (true) { neckar_port.watching = 1; NECKAR_WATCH(1); }"
CASES["shows much"] = "static uint8_t table[8192]; for (int i = 0; i < 4000; ++i) { NECKAR_WATCH(table); }"


@pytest.mark.parametrize("case", ["outside", "wraps around", "too long", "no such type", "no such layout", "half a row"])
def test_what_is_no_value_of_the_kernel_is_not_shown(case: str) -> None:
    with pytest.raises(KernelAccessError, match=r"it shows \d+ numbers at 0x\w+; allowed are values in its memory, up to 1048576 bytes"):
        traced(task(case), FakeChip())


def test_names_are_plain_text_from_the_kernels_memory() -> None:
    assert [traced(task(case, count=1), FakeChip())[0].watched[0].name for case in ("name outside", "strange name")] == ["", "a?[2Jb"]


@pytest.mark.parametrize("case", ["shows for ever", "listens itself"])
@pytest.mark.parametrize("with_tracer", [True, False])
def test_showing_for_ever_comes_to_an_end(case: str, with_tracer: bool) -> None:
    found: list[Invocation] = []
    shows = task(case)
    actor = PlasticityProcessor((shows,), 0, 1000 * US, recorders_of((shows,)), SEEDS, found.append if with_tracer else None)
    with pytest.raises(KernelTimeout):
        work(actor, FakeChip())
    actor.close()
    assert [len(one.watched) for one in found] == [MAX_WATCHED] * with_tracer


def test_bytes_of_shown_values_are_bounded() -> None:
    one = traced(task("shows much", count=1), FakeChip())[0]
    assert sum(watched.value.nbytes for watched in one.watched) == 1 << 20
    assert len(one.watched) + one.watched_left_out == 4000


@pytest.mark.parametrize("case", ["loop", "shows much"])
def test_values_that_are_left_out_are_counted_and_not_copied(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what the host does for an invocation is bounded by what it keeps."""
    copied: list[object] = []
    copy = neckar.ppu._processor.watched
    monkeypatch.setattr(neckar.ppu._processor, "watched", lambda *given: copied.append(given) or copy(*given))
    one = traced(task(case, count=1), FakeChip())[0]
    assert one.watched_left_out > 0
    assert len(copied) == len(one.watched)


# ---- On a chip

CASES["busy"] = """
auto const index = static_cast<uint32_t>(ppu);
auto const& mine = synapses[index];
auto const counts = neurons[index].get_rate_counters(true);
for (uint32_t i = 0; i < mine.rows.size(); ++i) {
    NECKAR_WATCH(i);
    auto const seen = mine.get_causal_correlation(i);
    NECKAR_WATCH(seen);
    auto weights = mine.get_weights(i) + counts + seen;
    NECKAR_WATCH(weights[9]);
    mine.set_weights(weights, i);
    mine.reset_correlation(i);
}
recording.time = now();
recording.found[index] = counts[4];
"""
CASES["endless"] = "if (ppu == PPUOnDLS::bottom) { volatile int x = 0; while (true) { x = x + 1; } }"


def busy(mode: str = "timed", n_entries: int = 2) -> Program:
    rule = task("busy", mode=mode, period=50 * US, count=8)
    return program(FIRING, 500, plasticity=(rule,), entries=Events.empty(n_entries), run_seed=(1, 2))


@pytest.fixture(autouse=True, scope="module")
def _lab() -> Iterator[None]:
    with neckar.Lab():
        yield


@pytest.mark.parametrize("mode", ["instant", "timed"])
def test_tracing_changes_no_bit_of_a_recording(mode: str) -> None:
    found: list[Invocation] = []
    silent = neckar.current_lab().run(busy(mode))
    with neckar.ppu.tracing(found.append):
        told = neckar.current_lab().run(busy(mode))
    assert [[one.entry, one.processor] for one in found].count([1, "bottom"]) == 8
    assert len(found) == 32
    assert any(any(one.read["counters"].values()) for one in found)
    assert all([watched.name for watched in one.watched] == ["i", "seen", "weights[9]"] * 2 for one in found)
    assert told == silent
    arrays = told.observables["rule"]
    for one in found:
        side = ("top", "bottom").index(one.processor)
        assert arrays["found"][one.entry, one.number, side] == one.read["counters"][256 * side + 4]


def test_a_trace_that_nobody_finished_does_not_keep_python_from_ending() -> None:
    code = "import test_ppu_trace, neckar; some = neckar.ppu.trace(test_ppu_trace.busy()); print(next(some).number)"
    folders = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
    ended = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": folders}, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout) == (0, "0\n"), ended.stderr


def test_a_trace_comes_one_by_one_while_the_program_runs() -> None:
    finished: list[int] = []
    with neckar.lab.observe(lambda *_: finished.append(1)):
        names = []
        for one in neckar.ppu.trace(busy()):
            assert finished == []
            names.append((one.entry, one.number, one.processor))
        assert finished == [1]
        some = neckar.ppu.trace(busy())
        next(some)
        some.close()
        assert finished == [1]
    assert sorted(names) == [(entry, number, side) for entry in (0, 1) for number in range(8) for side in ("bottom", "top")]


def test_a_trace_starts_from_a_state_and_counts_as_a_run() -> None:
    with neckar.Lab(seed=3) as lab:
        with lab.session() as session:
            session.run(busy(n_entries=1))
            state = session.state
        assert state is not None
        went_on = [one.written["weights"][7][0] for one in neckar.ppu.trace(busy(n_entries=1), state) if one.number == 0]
        assert went_on[0][9] == state.registers["synapse_weight"][0, 7, 9]
        assert lab.runs == 2


def seen(found: Iterable[Invocation]) -> list[list[int]]:
    """Return what invocations have read of causal sensors and counters, and when they began."""
    return [[one.begun, *one.read["counters"].values(), *np.concatenate([*one.read["causal"].values()]).tolist()] for one in found]


def test_the_trace_of_a_file_is_the_recorded_run(tmp_path: Path) -> None:
    """Bit for bit, with its provenance: chip, effects, seed, number of the run, steps; from its state. On the default chip, and as another run, it is not."""
    path, live, repeated = tmp_path / "run.h5", [], []
    unseeded = dataclasses.replace(busy(n_entries=1), run_seed=None)
    how = {"effects": "-drift", "instruments": "open", "seed": 5, "step_us": 0.05}
    with neckar.Lab(chip="3", **how) as lab, lab.session() as session:
        session.run(unseeded)
        before = session.state
        with neckar.ppu.tracing(live.append):
            neckar.save(path, program=unseeded, recording=session.run(unseeded), state=before)
    saved = neckar.load(path)
    with neckar.lab.observe(lambda program, recording, state: repeated.append(recording)):
        assert seen(neckar.ppu.trace(saved)) == seen(live)
    assert repeated == [saved.recording]
    assert saved.recording.provenance.run_seed == (5, 1)
    with neckar.Lab(chip="3", **how):
        assert seen(neckar.ppu.trace(saved.program, saved.state)) != seen(live)
    with neckar.Lab(**how):
        assert seen(neckar.ppu.trace(dataclasses.replace(unseeded, run_seed=(5, 1)), saved.state)) != seen(live)


def test_what_cannot_be_traced_as_it_was_recorded_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"a file's contents and a state; allowed is a state beside a program"):
        neckar.ppu.trace(Contents(program=busy()), MachineState(machine="brainscales2"))
    with pytest.raises(ConfigurationError, match=r"a file without a program cannot be run"):
        neckar.ppu.trace(Contents())


def test_an_error_of_the_run_comes_after_the_invocation_that_was_stopped() -> None:
    endless = task("endless", mode="timed", count=1)
    told = []
    with pytest.raises(KernelTimeout):
        told.extend(neckar.ppu.trace(program(FIRING, 500, plasticity=(endless,))))
    assert [type(one.error) for one in told if one.processor == "bottom"] == [KernelTimeout]


def test_a_program_without_plasticity_has_an_empty_trace() -> None:
    assert list(neckar.ppu.trace(program(FIRING, 10))) == []
