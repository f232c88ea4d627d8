"""Kernels that mean harm, or are wrong: each ends with a named error, the same chip goes on, and memory comes back."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from chip_programs import FIRING, whole
from ppu_bench import Bench, kernel

from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.errors import (
    KernelAccessError,
    KernelCompileError,
    KernelError,
    KernelExit,
    KernelFault,
    KernelMemoryError,
    KernelSourceError,
    KernelTimeout,
    MissingExtraError,
)
from neckar.ppu import _compile, _sandbox, _toolchain
from neckar.program import NeuronView, Observable, PlasticityTask, PlasticityView, Program, Snippet

pytest.importorskip("ziglang")
pytest.importorskip("wasmtime")

MS = 500_000
TOP, BOTTOM = PlasticityView(0, (3, 4), tuple(range(256))), PlasticityView(1, (3, 4), tuple(range(256)))
NEURONS = tuple(NeuronView(hemisphere, tuple(range(256))) for hemisphere in (0, 1))

INCLUDES = """
#include <cstring>
#include <vector>
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "libnux/vx/dls.h"
#include "libnux/vx/spikes.h"
#include "libnux/vx/vector_if.h"
#include "libnux/system.h"
using namespace grenade::vx::ppu;
using namespace libnux::vx;
extern volatile PPUOnDLS ppu;
"""
SIGNATURE = "void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, 2>& synapses, std::array<NeuronViewHandle, 2>& neurons)"


def rule(body: str, before: str = "") -> str:
    return f"{INCLUDES}\n{before}\n{SIGNATURE}\n{{\n{body}\n}}\n"


HOMEOSTASIS = (
    INCLUDES
    + """
void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, 2>& synapses, std::array<NeuronViewHandle, 2>& neurons, Recording& recording)
{
    auto const index = static_cast<uint32_t>(ppu);
    auto const counts = static_cast<VectorRowFracSat8>(neurons[index].get_rate_counters(true));
    auto const short_of = VectorRowFracSat8(5) - counts;
    for (size_t i = 0; i < synapses[index].rows.size(); ++i) {
        auto weights = static_cast<VectorRowFracSat8>(synapses[index].get_weights(i));
        weights += vector_if(short_of, VectorIfCondition::greater, VectorRowFracSat8(1), VectorRowFracSat8(-1));
        synapses[index].set_weights(static_cast<VectorRowMod8>(weights), i);
    }
    recording.runs[index] = ++recording.runs[index];
}
"""
)

SHARED = '__attribute__((section("{}"))) volatile uint32_t {};'

Case = tuple[str, str | Callable[[], str], type[KernelError], str]

CASES: list[Case] = [
    ("endless loop", rule("volatile int x = 0; while (true) { x = x + 1; }"), KernelTimeout, "has not come to an end after"),
    ("endless loop", rule("", "struct Stuck { Stuck() { volatile int x = 0; for (;;) { x = x + 1; } } } stuck;"),
     KernelTimeout, "a static constructor: it has not come"),
    ("endless loop", rule("while (true) { neurons[0].get_rate_counters(true); }"), KernelTimeout, "has not come to an end"),
    ("endless loop", rule("VectorRowMod8 row; while (true) { synapses[static_cast<uint32_t>(ppu)].set_weights(row, 0); }"), KernelTimeout, "has not come to"),
    ("endless loop", rule("while (!flag) {}", SHARED.format("ext.data", "flag")), KernelTimeout, "has not come to an end"),
    ("endless loop", rule("while (!big[5]) { neurons[0].get_rate_counter(0, false); }", SHARED.format("ext_dram.data", "big[1 << 18]")),
     KernelTimeout, "has not come to an end"),
    ("allocation", rule("while (true) { auto* const block = new char[4096]; *static_cast<char volatile*>(block) = 1; }"),
     KernelMemoryError, "asks for 4096 bytes"),
    ("allocation", rule("std::vector<int> all; while (true) { all.push_back(1); }"), KernelMemoryError, "are left of 4194304"),
    ("allocation", rule("*static_cast<char volatile*>(malloc(3u << 30)) = 1;"), KernelMemoryError, "asks for 3221225472 bytes"),
    ("allocation", rule("volatile size_t n = size_t(1) << 31; std::vector<char> all(n);"), KernelFault, "was aborted by the standard library|asks for"),
    ("bounds", rule("*reinterpret_cast<int volatile*>(0x7ffffff0) = 1;"), KernelAccessError, "has reached outside of its memory"),
    ("bounds", rule("table[place] = 1;", "char table[10]; volatile uint32_t place = 0x0fffffff;"), KernelAccessError, "has reached outside of its memory"),
    ("bounds", rule("volatile size_t n = 64 << 20; std::memset(table, 1, n);", "char table[10];"), KernelAccessError, "has reached outside of its memory"),
    ("bounds", rule("reinterpret_cast<void (*)(int, int, float)>(number)(1, 2, 3);", "volatile uintptr_t number = 12345;"), KernelFault, "was stopped"),
    ("stack", rule("deep(1);", "int deep(volatile int n) { return n ? deep(n + 1) + n : 0; }"), KernelAccessError, "stack"),
    ("stack", rule("volatile char block[1 << 20]; block[0] = 1; block[size] = 2;", "volatile int size = 3;"), KernelAccessError, "stack has overflown"),
    ("stack", rule("one(4);", "int one(int n);\nint two(int n) { volatile char a[99]; a[n % 99] = n; return one(n + 1) + a[3]; }\n"
     "int one(int n) { return two(n) + 1; }"),
     KernelAccessError, "stack"),
    ("files", '#include "/etc/passwd"\n' + rule(""), KernelSourceError, "there is no header '/etc/passwd'"),
    ("files", rule("", "char const stolen[] = {\n#embed </etc/passwd>\n};"), KernelSourceError, "#embed does not exist"),
    ("files", rule("", "/* \" */ char const* a = \"/*\"; \n# /* here */ em\\\nbed </etc/passwd>\n// */"),
     KernelSourceError, "#embed does not exist|does not exist"),
    ("files", rule("fopen(\"/etc/passwd\", \"r\");"), KernelCompileError, "do not exist on the processors: fopen"),
    ("files", rule("", 'asm(".incbin \\"/etc/passwd\\"");'), KernelCompileError, "inline assembly is disabled"),
    ("files", rule("", "#define A(x, y) x##y\nA(as, m)(\".incbin \\\"/etc/passwd\\\"\");"), KernelCompileError, "inline assembly is disabled"),
    ("files", rule("open_it(3, 0);", 'extern "C" __attribute__((import_module("wasi_snapshot_preview1"), import_name("path_open"))) int open_it(int, int);'),
     KernelAccessError, "functions that do not exist on the processors: wasi_snapshot_preview1.path_open"),
    ("network", "#include <sys/socket.h>\n" + rule(""), KernelSourceError, "there is no header 'sys/socket.h'"),
    ("network", rule("socket(2, 1, 0);", 'extern "C" int socket(int, int, int);'), KernelCompileError, "do(es)? not exist on the processors: socket"),
    ("network", rule("connect_it(3);", 'extern "C" __attribute__((import_module("wasi_snapshot_preview1"), import_name("sock_accept"))) int connect_it(int);'),
     KernelAccessError, "wasi_snapshot_preview1.sock_accept"),
    ("rows", rule("synapses[static_cast<uint32_t>(ppu)].get_weights(2);"), KernelAccessError, "asks for row 2 of 2"),
    ("rows", rule("synapses[0].get_weights(0);"), KernelAccessError, "runs on the processor 'bottom' and uses a handle of 'top'"),
    ("rows", rule("set_row_via_vector(VectorRowMod8(1), 300, dls_weight_base);"), KernelAccessError, "asks for row 300 of 256"),
    ("rows", rule("synapses[static_cast<uint32_t>(ppu)].set_weights(VectorRowMod8(1), static_cast<size_t>(-1));"),
     KernelAccessError, "asks for row 4294967295 of 2"),
    ("rows", rule("neurons[0].get_rate_counter(256, false);"), KernelAccessError, "asks for number 256 of 256 columns"),
    ("rows", rule("spike_t spike{1, 2}; send_spike(&spike);"), KernelAccessError, "writes to the bus at 0x1c000042, which has no model"),
    ("rows", rule("exit(3);"), KernelExit, r"has called exit\(3\)"),
    ("huge", lambda: rule("", "// " + "x" * (1 << 20)), KernelSourceError, "characters; allowed are 1048576"),
    ("huge", rule("table[0] = 1;", "char volatile table[20000];"), KernelMemoryError, "a processor has 12288"),
    ("huge", rule("table[0] = 1;", "char volatile table[1 << 30];"), KernelError, "do not fit|gave up|not come to an end"),
    ("huge", rule("table[7] = 1;", "struct Table { int n[1 << 26] = {1}; constexpr Table() {} }; Table volatile tables; int volatile* table = nullptr;"),
     KernelCompileError, r"the compiler gave up before it had read all \(code -?\d+; it may use 4 GiB\)|not come to an end in 4 s"),
    ("huge", rule("", "template <int N> struct T { typedef typename T<N + 1>::type type; }; T<0>::type x;"), KernelCompileError, "recursive template"),
    ("huge", rule("", "template <int N, int M> struct T { static constexpr long value = T<N - 1, 2 * M>::value + T<N - 1, 2 * M + 1>::value; };\n"
                  "template <int M> struct T<0, M> { static constexpr long value = M; };\nlong x = T<28, 1>::value;"),
     KernelCompileError, "not come to an end in 4 s|gave up|constant expression"),
    ("huge", rule("big[0] = 1;", SHARED.format("ext.data", "big[32769]")), KernelMemoryError, "131076 bytes of variables in the section ext.data"),
    ("bounds", rule("*where = 1;", SHARED.format("ext.data", "* where = reinterpret_cast<uint32_t volatile*>(0x7ffffff0)")),
     KernelAccessError, "has reached outside of its memory"),
    ("headers", rule("", 'extern "C" { unsigned char __start_neckar_ext = 1; }'), KernelCompileError, "define what Neckar defines: __start_neckar_ext"),
    ("headers", rule("neckar_watch(nullptr, 0, 0, nullptr, 0); neckar_port.touched[3][255] = 9; neckar_port.watching = 1; while (true) { NECKAR_WATCH(ppu); }"),
     KernelTimeout, "has not come to an end"),
    ("compile", rule("VectorRowMod8 row = 1 +;"), KernelCompileError, r"kernel:\d+:\d+: error: expected expression"),
    ("compile", rule("Vector row;"), KernelCompileError, r"kernel:\d+:1: error: unknown type name 'Vector'"),
    ("compile", rule("{"), KernelCompileError, "expected '}'"),
    ("compile", f"{INCLUDES}\nvoid PLASTICITY_RULE_KERNEL(int) {{}}\n", KernelCompileError, r"is called with \(std::array<.*it does not take"),
    ("compile", rule("", '#error "on purpose"'), KernelCompileError, "on purpose"),
    ("headers", "#define VectorRow int\n" + rule(""), KernelCompileError, r"libnux/vx/vector_row.h:\d+:\d+: error: declaration of anonymous struct"),
    ("headers", rule("neckar_port.journal_length = 5; neckar_port.journal[2].action = 77;"), KernelAccessError, "has written into the memory through which"),
    ("headers", rule("neckar_port.journal_length = 0xffffffff; for (auto& entry : neckar_port.journal) { entry.action = 0; entry.index = 0xffffffff; }"),
     KernelAccessError, "has written into the memory through which"),
    ("headers", rule("std::memset(&synapses, 0xff, sizeof(synapses)); synapses[static_cast<uint32_t>(ppu)].get_weights(1000);"),
     KernelAccessError, "uses a handle of '4294967295'"),
    ("headers", rule("", 'extern "C" void neckar_boot() {}'), KernelCompileError, "duplicate|define twice"),
    ("headers", rule("", 'extern "C" void neckar_invoke_0() {}'), KernelCompileError, "redefinition of 'neckar_invoke_0'"),
    ("headers", "#define neckar_port neckar_other\n" + rule("synapses[static_cast<uint32_t>(ppu)].get_weights(0);"),
     KernelCompileError, "do not exist.*neckar_other"),
]
CATEGORIES = ["allocation", "bounds", "compile", "endless loop", "files", "headers", "huge", "network", "rows", "stack"]


def program(text: str, config: dict[str, object] | None = None, mode: str = "timed", **others: object) -> Program:
    task = PlasticityTask(**{"name": "rule", "kernel": text, "views": (TOP, BOTTOM), "neurons": NEURONS, "period": MS, "count": 3, "mode": mode, **others})  # type: ignore[arg-type]
    return Program(machine="brainscales2", config=config or {}, snippets=(Snippet(4 * MS),), plasticity=(task,))


EVEN = np.arange(512) % 2 == 0  # these fire by themselves, the others never
START = np.zeros((2, 256, 256), np.uint8)
START[:, 3:5] = 20
FIELDS = whole(**{**FIRING, "threshold_enable": EVEN, "synapse_weight": START})
HEALTHY = program(HOMEOSTASIS, FIELDS, observables={"runs": Observable("uint16", 2)})


@pytest.fixture(scope="module")
def chip() -> Chip:
    one = Chip(Specimen("hostile", 1), Effects())
    _goes_on(one)
    return one


@pytest.fixture(scope="module")
def at_first(chip: Chip) -> int:
    """Memory before all hostile kernels, after one that was refused: what the compiler's messages need is loaded."""
    with pytest.raises(KernelExit):
        chip.run(program(rule("exit(1);")))
    return _resident_bytes()


def _goes_on(chip: Chip) -> None:
    """Homeostasis: weights of silent neurons rise three times; those of firing ones at the first invocation, before which nothing fired, and then fall."""
    recording, state = chip.run(HEALTHY)
    expected = START.copy()
    expected[:, 3:5] += np.where(EVEN, 1 - 1 - 1, 3).reshape(2, 1, 256).astype(np.uint8)
    assert (state.registers["synapse_weight"] == expected).all()
    assert recording.observables["rule"]["runs"].tolist() == [[[1, 1], [1, 1], [1, 1]]]


def _resident_bytes() -> int:
    gc.collect()
    return _bytes("VmRSS")


def _bytes(what: str) -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("the memory of this process cannot be read here")
    return int(next(line for line in status.read_text().splitlines() if line.startswith(f"{what}:")).split()[1]) << 10


def test_a_run_gives_its_instances_back_at_once(chip: Chip) -> None:
    """Without waiting for the garbage collector: each instance reserves more than 4 GiB of addresses."""
    before = _bytes("VmSize")
    for _ in range(5):
        _goes_on(chip)
    assert _bytes("VmSize") - before < 4 << 30


def test_there_are_three_kernels_of_each_kind() -> None:
    assert all(sum(category == name for category, *_ in CASES) >= 3 for name in CATEGORIES)
    assert {category for category, *_ in CASES} == set(CATEGORIES)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]} {n}" for n, case in enumerate(CASES)])
def test_a_hostile_kernel_ends_with_a_named_error_and_leaves_nothing_behind(
    case: Case, chip: Chip, at_first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is back within 20 MB of what it was before the kernel, and of what it was before all of them."""
    _, text, error, said = case
    if "4 s" in said:  # the others would fail on a busy machine
        monkeypatch.setattr(_toolchain, "COMPILE_S", 4.0)
    before = _resident_bytes()
    with pytest.raises(error, match=f"(?s){said}"):
        chip.run(program(text() if callable(text) else text))
    _goes_on(chip)
    _compile.build.cache_clear()
    _sandbox.load.cache_clear()
    assert _resident_bytes() - before < 20e6
    assert _resident_bytes() - at_first < 20e6


FAULTS = {
    0: ("volatile int x = 0; while (true) { x = x + 1; }", KernelTimeout),
    1: ("while (true) { auto* const block = new char[4096]; *static_cast<char volatile*>(block) = 1; }", KernelMemoryError),
    2: ("*reinterpret_cast<int volatile*>(0x7ffffff0) = 1;", KernelAccessError),
    3: ("deep(1);", KernelAccessError),
    4: ("wide();", KernelAccessError),
    5: ("exit(7);", KernelExit),
    6: ("what = 100 / (what - 6);", KernelFault),
    7: ("set_row_via_vector(VectorRowMod8(1), 300, dls_weight_base);", KernelAccessError),
    8: ("std::vector<int> empty; empty.reserve(static_cast<size_t>(-1));", KernelFault),
    9: ("omnibus_read(5);", KernelAccessError),
}


def test_faults_are_told_apart() -> None:
    cases = "".join(f"case {number}: {{ {body} break; }}\n" for number, (body, _) in FAULTS.items())
    functions = """
    volatile int32_t what;
    int deep(volatile int n) { return n ? deep(n + 1) + n : 0; }
    __attribute__((noinline)) void wide() { volatile char block[1 << 20]; block[what] = 1; }
    """
    text = INCLUDES + kernel(f"switch (what) {{ {cases} }}", before=functions)
    for number, (_, error) in FAULTS.items():
        bench = Bench(text, ("what",))
        bench.variable("what", "<i4")[0] = number
        with pytest.raises(error) as raised:
            bench.call()
        assert type(raised.value) is error, number


@pytest.mark.parametrize("mode", ["timed", "instant"])
def test_an_error_names_rule_processor_and_time_and_the_chip_goes_on(chip: Chip, mode: str) -> None:
    with pytest.raises(KernelAccessError, match=r"kernel of 'rule' on the top processor, invocation 1 at 1000\.\d+ us: it asks for row 9 of 2"):
        chip.run(program(rule("if (calls++ == 1) { synapses[static_cast<uint32_t>(ppu)].get_weights(9); }", "int calls = 0;"), mode=mode))
    _goes_on(chip)


def test_a_constructor_on_the_wrong_processor_is_stopped(chip: Chip) -> None:
    constructor = "VectorRowMod8 const early = [] { NeuronViewHandle all; all.hemisphere = PPUOnDLS::top; return all.get_analog_readouts(); }();"
    with pytest.raises(KernelError, match="a static constructor: it runs on the processor 'bottom' and uses a handle of 'top'"):
        chip.run(program(rule("", constructor)))
    _goes_on(chip)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ziglang", None)
    _toolchain.program.cache_clear()
    with pytest.raises(MissingExtraError, match=r"pip install 'neckar\[ppu\]'"):
        _toolchain.program()
    _toolchain.program.cache_clear()


def test_a_program_without_kernels_imports_neither_compiler_nor_sandbox() -> None:
    import subprocess
    import sys

    code = "import sys, neckar.chip.machine; print([m for m in ('ziglang', 'wasmtime', 'neckar.ppu') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
