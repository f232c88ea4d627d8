"""What bounds a kernel is kept by the host, out of the kernel's reach."""

from __future__ import annotations

import contextlib
import gc
import weakref

import pytest
from ppu_bench import Bench, FakeChip, kernel, processor

from neckar.errors import KernelCompileError, KernelError, KernelMemoryError, KernelTimeout
from neckar.ppu import ChipPort, _sandbox
from neckar.ppu._processor import Actions
from neckar.program import PlasticityTask

pytest.importorskip("ziglang")
pytest.importorskip("wasmtime")

FUEL = 1_000_000_000


def task(text: str, **others: object) -> PlasticityTask:
    return PlasticityTask(**{"name": "rule", "kernel": text, "period": 500_000, "count": 1, "mode": "instant", **others})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [
        "static neckar::Halves mask; while (true) neckar_reset_sensors(n++ & 255, &mask);",
        "static neckar::Halves mask; while (true) neckar_reset_membranes(&mask);",
        "while (true) neckar_reset_counter(n++ & 511);",
        "static neckar::Halves mask; while (true) neckar_store_row(0, n++ & 255, &mask, &mask);",
    ],
)
def test_each_thing_done_to_the_chip_counts_as_instructions(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop without end does no more to the chip than its instructions allow, in entries of the journal."""
    both, _ = processor(task(kernel(body, before="uint32_t n = 0;")), FakeChip())
    done: list[int] = []
    carry_out = both[0].carry_out

    def counted(port: ChipPort, actions: Actions) -> None:
        done.append(len(actions))
        carry_out(port, actions)

    monkeypatch.setattr(both[0], "carry_out", counted)
    both[0].serve(FakeChip())
    with pytest.raises(KernelTimeout):
        both[0].invoke(0, 0.0, 0, FUEL)
    assert 0 < sum(done) <= FUEL / _sandbox.ENTRY_FUEL + _sandbox.JOURNAL


@pytest.mark.parametrize("name", ["__data_end", "__heap_base", "__global_base", "__wasm_call_ctors", "__dso_handle"])
@pytest.mark.parametrize("spelling", ['extern "C" {{ unsigned char {0} = 1; }}', 'unsigned char other asm("{0}") = 1;'])
def test_a_kernel_cannot_define_what_its_size_is_taken_from(name: str, spelling: str) -> None:
    with pytest.raises(KernelCompileError, match=f"the kernels 'bench' (define what Neckar defines|define twice, or define what Neckar defines): {name}"):
        Bench(kernel("", before=spelling.format(name)))


@pytest.mark.parametrize("body", ["", "exit(1);", "*reinterpret_cast<int volatile*>(0x7ffffff0) = 1;"])
def test_a_sandbox_goes_with_its_last_user(body: str) -> None:
    """What wasmtime keeps of the host's functions must not keep the instance and all that it knows."""
    both, _ = processor(task(kernel(body, before='#include "libnux/system.h"\n')), FakeChip())
    known = [weakref.ref(one._box) for one in both]
    both[0].serve(FakeChip())
    with pytest.raises(KernelError) if body else contextlib.nullcontext():
        both[0].invoke(0, 0.0, 0, FUEL)
    assert all(box() is not None for box in known)
    del both
    gc.collect()
    assert all(box() is None for box in known)


def test_heap_that_a_kernel_disowns_is_counted_all_the_same() -> None:
    hidden = "struct Hidden { Hidden() { char volatile* p = new char[20000]; p[19999] = 1; neckar_port.heap_used = 0; } } hidden;"
    with pytest.raises(KernelMemoryError, match="a processor has 12288 besides its mailbox"):
        processor(task(kernel("", before=hidden)), FakeChip())


def test_the_mode_is_the_hosts_whatever_the_kernel_writes() -> None:
    early = "struct Early { Early() { neckar_port.instant = 0; } } early;"
    both, _ = processor(task(kernel("neckar_port.instant = 0; neckar_sleep(1000);", before=early)), FakeChip())
    both[0].serve(FakeChip())
    both[0].invoke(0, 500.0, 0, FUEL)
    assert both[0].moment() == 500.0
    timed, _ = processor(task(kernel("neckar_port.instant = 1; neckar_sleep(1000);"), mode="timed"), FakeChip(), instant=False)
    timed[0].serve(FakeChip())
    timed[0].invoke(0, 500.0, 0, FUEL)
    assert timed[0].moment() >= 1500.0


def test_the_memory_of_an_instance_stays_as_long_as_somebody_looks_at_it() -> None:
    seen = Bench(kernel("what = 7;", before="volatile int what = 5;"), ("what",)).variable("what", "<i4")
    for _ in range(3):
        Bench(kernel("what = 7;", before="volatile int what = 6;"), ("what",)).call()
    assert seen.tolist() == [5]
