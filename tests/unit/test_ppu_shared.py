"""Variables in the sections ``ext.data`` and ``ext_dram.data``: both processors see them, late and never early."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from chip_programs import FIRING, program
from ppu_bench import FakeChip, kernel, play, processor

import neckar
from neckar.errors import KernelAccessError, KernelMemoryError, ProgramError
from neckar.ppu import prepare
from neckar.program import Observable, PlasticityTask

pytest.importorskip("ziglang")
pytest.importorskip("wasmtime")

US = 500  # ticks
BEFORE = """
#include "libnux/vx/dls.h"
#include "libnux/vx/time.h"
extern volatile PPUOnDLS ppu;
__attribute__((section("ext.data"))) volatile uint32_t counted = 5;
[[gnu::section("ext_dram.data")]] volatile uint16_t list[2000];
__attribute__((section("ext.data.keep"))) volatile uint8_t sides[2];
volatile uint32_t own;
volatile uint32_t what;
struct Early { Early() { list[1999] = list[1999] + 1; } } early;
"""
BODY = """
if (what == 0) { counted = counted + 1; own = own + 1; sides[static_cast<uint32_t>(ppu)] = 7; recording.seen[static_cast<uint32_t>(ppu)] = counted; }
bool const top = ppu == PPUOnDLS::top;
if (what == 1 && top) { counted = 100; neckar_sleep(5000); }
if (what == 1 && !top) { recording.seen[0] = counted; neckar_sleep(2500); neckar_reset_counter(0); recording.seen[1] = counted; }
if (what == 2 && top) { counted = 100; counters(); neckar_sleep(25000); }
if (what == 2 && !top) { neckar_sleep(2500); counters(); recording.seen[0] = counted; }
"""
LOOK = "\nvoid counters() { neckar_port.count_mask[0][0] = 1; neckar_count(1, false); }\n"


def task(what: int, **others: object) -> PlasticityTask:
    text = kernel(BODY, before=BEFORE + LOOK).replace("std::array<NeuronViewHandle, 0>&)", "std::array<NeuronViewHandle, 0>&, Recording& recording)")
    given = {"name": "rule", "kernel": text, "period": 100 * US, "count": 3, "mode": "instant", "observables": {"seen": Observable("uint16", 2)}, **others}
    given.setdefault("symbols", {})["what"] = [what]
    return PlasticityTask(**given, read_symbols=("counted", "own", "list", "sides"))  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["instant", "timed"])
def test_both_processors_count_in_one_variable_and_keep_others_to_themselves(mode: str) -> None:
    played = play(task(0, mode=mode), FakeChip(), 1000 * US)
    seen = played.observables[0]["seen"]
    top, bottom = (actor.symbols() for actor in played.actors)
    assert top["rule", "own"].tolist() == bottom["rule", "own"].tolist() == [3]
    assert top["rule", "sides"].tolist() == bottom["rule", "sides"].tolist() == [0x07070000]
    assert top["rule", "list"][-1] == bottom["rule", "list"][-1] == 2  # static constructors of both, in the lower half of the last word
    if mode == "instant":
        assert top["rule", "counted"].tolist() == bottom["rule", "counted"].tolist() == [11]
        assert seen.tolist() == [[6, 7], [8, 9], [10, 11]]
    else:  # both begin at once, and neither sees what the other has not handed over yet
        assert top["rule", "counted"].tolist() == bottom["rule", "counted"].tolist() == [8]
        assert seen.tolist() == [[6, 6], [7, 7], [8, 8]]


def test_a_change_is_seen_when_its_writer_has_ended_and_not_before() -> None:
    played = play(task(1, mode="timed", period=30 * US, count=2), FakeChip(), 1000 * US)
    assert played.observables[0]["seen"].tolist() == [[5, 5], [100, 100]]


def test_a_change_is_seen_when_its_writer_looks_at_the_chip() -> None:
    played = play(task(2, mode="timed", count=1), FakeChip(), 1000 * US)
    assert played.observables[0]["seen"][0, 0] == 100  # read at 10 us; the writer looked at the beginning and goes on to 100 us


def test_symbols_that_are_shared_are_written_once() -> None:
    both, _ = processor(task(0, symbols={"counted": [40]}), FakeChip())
    for one in both:
        one.serve(FakeChip())
        one.invoke(0, 0.0, 0, 10**9)
    assert [one.read_symbol(0, "counted").tolist() for one in both] == [[42], [42]]
    with pytest.raises(ProgramError, match="'counted' lies in memory that both processors share"):
        processor(task(0, symbols={"counted": [[1], [2]]}), FakeChip())


@pytest.fixture(autouse=True, scope="module")
def _lab() -> Iterator[None]:
    with neckar.Lab():
        yield


def test_trials_share_nothing() -> None:
    recording = neckar.current_lab().run(program(FIRING, 500, plasticity=(task(0),), entries=neckar.program.Events.empty(2)))
    assert recording.observables["rule"]["seen"].tolist() == [[[6, 7], [8, 9], [10, 11]]] * 2
    assert np.array_equal(recording.observables["rule"]["symbol:counted"], [[[11], [11]]] * 2)
    assert "counted" not in [name for name, _ in recording.losses.lost]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("section", "size", "said"),
    [
        ("ext.data", 131073, "have 131073 bytes of variables in the section ext.data; allowed are 131072"),
        ("ext_dram.data", (1 << 20) + 1, "1048577 bytes of variables in the section ext_dram.data; allowed are 1048576 in the sandbox, of 256 MiB"),
        ("ext_dram.data", 8 << 20, "do not fit into 4 MiB"),
    ],
)
def test_shared_memory_is_bounded(section: str, size: int, said: str) -> None:
    big = kernel("table[0] = 1;", before=f'__attribute__((section("{section}"))) volatile uint8_t table[{size}];')
    rule = PlasticityTask(name="rule", kernel=big, period=100 * US)
    with pytest.raises(KernelMemoryError, match=said):
        processor(rule, FakeChip())


@pytest.mark.slow
def test_shared_memory_of_the_full_size_is_no_memory_of_the_processor() -> None:
    full = kernel("table[131071] = table[131071] + 1;", before='__attribute__((section("ext.data"))) volatile uint8_t table[131072];')
    both, _ = processor(PlasticityTask(name="rule", kernel=full, period=100 * US), FakeChip())
    assert len(both) == 2


@pytest.mark.slow
def test_records_are_no_memory_of_the_processor_either() -> None:
    text = kernel("recording.seen[0] = 1;").replace("std::array<NeuronViewHandle, 0>&)", "std::array<NeuronViewHandle, 0>&, Recording& recording)")
    both, _ = processor(PlasticityTask(name="rule", kernel=text, period=1000, observables={"seen": Observable("uint16", 20000)}), FakeChip())
    assert len(both) == 2


@pytest.mark.slow
@pytest.mark.parametrize("bounds", ["0x7ffffff0, 0x7fffffff", "100, 50"])
def test_bounds_that_a_kernel_makes_up_stay_inside_its_memory(bounds: str) -> None:
    start, stop = bounds.split(", ")
    names = f'asm(".globl __start_neckar_ext\\n.set __start_neckar_ext, {start}\\n.globl __stop_neckar_ext\\n.set __stop_neckar_ext, {stop}");'
    alias = 'extern "C" { __attribute__((visibility("default"))) unsigned char __start_neckar_ext = 1; }'
    for before in (names, alias):
        with pytest.raises((neckar.errors.KernelCompileError, KernelAccessError, KernelMemoryError)):
            prepare((PlasticityTask(name="rule", kernel=kernel("", before=before), period=100 * US),))
