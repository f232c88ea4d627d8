"""What kernels can use besides rows: random numbers, casts, handles, counters, time, observables, symbols, several rules."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from ppu_bench import Bench, FakeChip, kernel, processor

from neckar.errors import KernelCompileError, KernelMemoryError, KernelSourceError, KernelTimeout, ProgramError
from neckar.ppu import _compile, prepare
from neckar.ppu._kernel import Kernel
from neckar.ppu._source import headers
from neckar.program import NeuronView, Observable, PlasticityTask, PlasticityView

pytest.importorskip("ziglang")
pytest.importorskip("wasmtime")

EVERYTHING = kernel(
    """
    switch (what) {
        case 0: {
            parallel_rng_seed(VectorRowMod8(number));
            for (size_t i = 0; i < 64; ++i) {
                auto const drawn = parallel_rng_rand<VectorRowMod8>();
                for (size_t c = 0; c < 256; ++c) { bytes[i][c] = drawn[c]; }
            }
            break;
        }
        case 1: {
            VectorRowMod16 value;
            for (size_t c = 0; c < 256; ++c) { value[c] = words[c]; }
            for (size_t i = 0; i < 40; ++i) { parallel_rng_rand<VectorRowMod16>(); }
            value = vector_round_stochastic(value, number);
            for (size_t c = 0; c < 256; ++c) { words[c] = value[c]; }
            break;
        }
        case 2: {
            unsigned char turned[4];
            *reinterpret_cast<float*>(turned) = 1.5f;
            for (size_t i = 0; i < 4; ++i) { bytes[0][i] = turned[i]; }
            words[0] = *reinterpret_cast<uint16_t const*>(turned);
            uint32_t word = 0x01020304;
            auto const seen = reinterpret_cast<uint8_t*>(&word);
            for (size_t i = 0; i < 4; ++i) { bytes[1][i] = seen[i]; }
            break;
        }
        case 3: {
            std::array<int, 3> const a{1, 2, 3};
            std::tuple<char, long, short> const t{4, 5, 6};
            int sum = 0;
            hate::for_each([&](auto x, auto y) { sum = 10 * sum + x + static_cast<int>(y); }, a, t);
            words[0] = sum;
            words[1] = abs_diff(3, 10);
            words[2] = find_max_amount(std::array<int, 6>{1, 7, 2, 7, 1, 7});
            uint32_t state = 1;
            words[3] = xorshift32(&state) & 0xffff;
            words[4] = sizeof(long) + 10 * sizeof(size_t) + 100 * sizeof(long long) + 1000 * (static_cast<char>(-1) > 0);
            std::vector<int> numbers;
            for (int i = 0; i < 100; ++i) { numbers.push_back((37 * i) % 101); }
            std::sort(numbers.begin(), numbers.end());
            words[5] = numbers[50];
            SynapseArrayViewHandle from, to;
            from.columns = {3, 5};
            to.columns = {0, 1, 2};
            VectorRowMod8 row;
            row[3] = 30, row[5] = 50;
            auto const moved = translate_columns(row, from, to);
            words[6] = moved[0], words[7] = moved[1], words[8] = moved[2];
            words[9] = constructed;
            break;
        }
    }
    """,
    before="""
    #include <algorithm>
    #include <array>
    #include <tuple>
    #include <vector>
    #include "grenade/vx/ppu/translate_columns.h"
    #include "hate/tuple.h"
    #include "libnux/vx/helper.h"
    #include "libnux/vx/parallel_rng.h"
    #include "libnux/vx/random.h"
    #include "libnux/vx/vector_round_stochastic.h"
    int32_t what, number;
    uint8_t bytes[64][256];
    uint16_t words[256];
    struct Counter { int calls = 0; Counter() { calls = 17; } };
    Counter counter;
    int constructed = counter.calls;
    """,
)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(EVERYTHING, ("what", "number", "bytes", "words"))


def do(bench: Bench, what: int, number: int = 0) -> None:
    bench.variable("what", "<i4")[0], bench.variable("number", "<i4")[0] = what, number
    bench.call()


def test_a_draw_brings_one_new_bit_and_columns_draw_different_ones(bench: Bench) -> None:
    do(bench, 0, 77)
    drawn = bench.variable("bytes", "u1").reshape(64, 256)
    assert ((drawn[1:] >> 1) == (drawn[:-1] & 0x7F)).all()
    assert ((drawn[0] >> 1) == (77 & 0x7F)).all()  # the seed is the low byte
    new = drawn & 1
    assert len({tuple(column) for column in new.T}) == 256
    assert abs(new.mean() - 0.5) < 5 * 0.5 / np.sqrt(new.size)  # false alarm below 1e-6 if bits were drawn; the seed is fixed


def test_columns_repeat_after_all_states_of_16_bits_but_zero(bench: Bench) -> None:
    """The taps of each column follow from its first 64 bits by Berlekamp and Massey; the period is the order of x modulo the polynomial that they are."""
    do(bench, 0, 0)
    assert not bench.variable("bytes", "u1").any()  # a register of zeros stays
    do(bench, 0, 1)
    new = bench.variable("bytes", "u1").reshape(64, 256) & 1
    polynomials = set()
    for column in new.T.tolist():
        taps = berlekamp_massey(column)
        assert len(taps) == 17
        polynomials.add(polynomial := sum(tap << (16 - k) for k, tap in enumerate(taps)))
        assert power_of_x(65535, polynomial) == 1
        assert all(power_of_x(65535 // prime, polynomial) != 1 for prime in (3, 5, 17, 257))
    assert len(polynomials) == 256


def berlekamp_massey(bits: list[int]) -> list[int]:
    """Return the shortest recurrence c of bits: sum over k of c[k] s[n - k] is even."""
    c, b, length, m = [1], [1], 0, 1
    for n, bit in enumerate(bits):
        d = bit
        for i in range(1, length + 1):
            d ^= (c[i] if i < len(c) else 0) & bits[n - i]
        if d == 0:
            m += 1
            continue
        t = list(c)
        c = c + [0] * (len(b) + m - len(c))
        for i, value in enumerate(b):
            c[i + m] ^= value
        if 2 * length <= n:
            length, b, m = n + 1 - length, t, 1
        else:
            m += 1
    return (c + [0] * (length + 1))[: length + 1]


def power_of_x(n: int, polynomial: int) -> int:
    """Return x^n modulo a polynomial of degree 16 over two elements, as bits."""
    result, square = 1, 2
    while n:
        if n & 1:
            result = times(result, square, polynomial)
        square = times(square, square, polynomial)
        n >>= 1
    return result


def times(a: int, b: int, polynomial: int) -> int:
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a, b = a << 1, b >> 1
        a ^= polynomial if a >> 16 else 0
    return product


@pytest.mark.parametrize("bits", [1, 4, 9])
def test_stochastic_rounding_goes_up_as_often_as_the_rest_says(bench: Bench, bits: int) -> None:
    value, trials, up = 5 * 2**bits + 2**bits // 3, 200, 0
    do(bench, 0, 201)
    for _ in range(trials):
        bench.variable("words", "<u2")[:] = value
        do(bench, 1, bits)
        rounded = bench.variable("words", "<u2")
        assert set(rounded.tolist()) <= {5 * 2**bits, 6 * 2**bits}
        up += int((rounded == 6 * 2**bits).sum())
    expected, n = (2**bits // 3) / 2**bits, trials * 256
    assert abs(up / n - expected) < 6 * np.sqrt(max(expected * (1 - expected), 1e-3) / n)  # false alarm 2e-9 if draws 40 steps apart are independent


def test_rounding_no_bits_changes_nothing_and_all_bits_gives_zero(bench: Bench) -> None:
    for bits, expected in ((0, 12345), (16, 0), (99, 0)):
        bench.variable("words", "<u2")[:] = 12345
        do(bench, 1, bits)
        assert (bench.variable("words", "<u2") == expected).all()


def test_numbers_seen_as_bytes_are_big_endian(bench: Bench) -> None:
    do(bench, 2)
    shown = bench.variable("bytes", "u1").reshape(64, 256)
    assert shown[0, :4].tolist() == list(np.array(1.5, ">f4").tobytes())
    assert bench.variable("words", "<u2")[0] == int.from_bytes(np.array(1.5, ">f4").tobytes()[:2], "big")
    assert shown[1, :4].tolist() == [1, 2, 3, 4]


def test_helpers_of_the_libraries(bench: Bench) -> None:
    do(bench, 3)
    x = 1
    x ^= x << 13
    x ^= x >> 17
    x ^= x << 5
    expected = [100 * 5 + 10 * 7 + 9, 7, 7, x & 0xFFFF, 4 + 10 * 4 + 100 * 8 + 1000, sorted(37 * i % 101 for i in range(100))[50], 30, 50, 50, 17]
    assert bench.variable("words", "<u2")[:10].tolist() == expected


# ---- Kernels with views, on a chip that is a few arrays


VIEWS = (PlasticityView(0, (7, 2), (1, 4, 9)), PlasticityView(1, (0,), (255,)))
NEURONS = (NeuronView(0, (4, 1)), NeuronView(1, (200,)))


def task(body: str, before: str = "", **others: object) -> PlasticityTask:
    third = ", Recording& recording" if "observables" in others else ""
    text = f"""
    #include "grenade/vx/ppu/neuron_view_handle.h"
    #include "grenade/vx/ppu/synapse_array_view_handle.h"
    #include "grenade/vx/ppu/time.h"
    #include "libnux/vx/correlation.h"
    #include "libnux/vx/mailbox.h"
    #include "libnux/vx/reset_neurons.h"
    #include "stadls/vx/v3/ppu/read.h"
    #include "stadls/vx/v3/ppu/write.h"
    #include "hate/tuple.h"
    using namespace grenade::vx::ppu;
    using namespace libnux::vx;
    using namespace halco::hicann_dls::vx::v3;
    extern volatile PPUOnDLS ppu;
    {before}
    template <size_t N, size_t M>
    void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, N>& synapses, std::array<NeuronViewHandle, M>& neurons{third})
    {{
        {body}
    }}
    """
    return PlasticityTask(**{"name": "rule", "kernel": text, "views": VIEWS, "neurons": NEURONS, "period": 1000, "count": 4, **others})  # type: ignore[arg-type]


RECORDED = {
    "w": Observable("uint8", "synapse", "packed_active_columns"),
    "rows": Observable("int16", "synapse", "complete_rows"),
    "n": Observable("int8", "neuron", "packed_active_columns"),
    "line": Observable("uint16", 3),
}

HANDLES = task(
    """
    recording.time = 5 + static_cast<uint32_t>(ppu);
    hate::for_each([&ppu](auto const& view, auto& w, auto& rows) {
        if (view.hemisphere != ppu) { return; }
        for (size_t i = 0; i < view.rows.size(); ++i) {
            auto const weights = view.get_weights(i);
            view.set_weights(weights + 100 + view.rows[i], i);
            rows[i] = -VectorRowFracSat16(static_cast<int16_t>(1000 + i));
            for (size_t c = 0; c < view.columns.size(); ++c) {
                w[i][c] = weights[view.columns[c]];
                rows[i][view.columns[c]] = 7;
            }
        }
    }, synapses, recording.w, recording.rows);
    hate::for_each([](NeuronViewHandle const& view, auto& n) {
        if (static_cast<uint32_t>(view.hemisphere) != static_cast<uint32_t>(ppu)) { return; }
        auto const counts = view.get_rate_counters(true);
        for (size_t c = 0; c < view.columns.size(); ++c) { n[c] = counts[view.columns[c]] - view.columns[c]; }
    }, neurons, recording.n);
    recording.line[0] = synapses[0].rows.size() * 100 + synapses[0].columns.size();
    recording.line[1] = sizeof(recording);
    recording.line[2] = 60000;
    """,
    observables=RECORDED,
)


def test_a_kernel_sees_and_writes_its_views_and_both_processors_share_a_record() -> None:
    chip = FakeChip()
    rng = np.random.default_rng(1)
    chip.planes["synapse_weight"][:] = rng.integers(0, 64, (2, 256, 256))
    chip.counts[:] = np.arange(512) % 200
    before, counts = chip.planes["synapse_weight"].copy(), chip.counts.copy()
    processors, recorders = processor(HANDLES, chip)
    for p in processors:
        p.serve(chip)
        p.invoke(0, 0.0, 0, 10**9)
        p.carry_out(chip, p.actions())
    expected = before.copy()
    for view in VIEWS:
        for row in view.rows:
            for column in view.columns:
                expected[view.hemisphere, row, column] = (int(before[view.hemisphere, row, column]) + 100 + row) % 256 & 0x3F
    assert (chip.planes["synapse_weight"] == expected).all()
    arrays = recorders[0].arrays()
    assert arrays["time"][0] == 6  # the last writer
    for v, view in enumerate(VIEWS):
        assert (arrays[f"w.{v}"][0] == before[view.hemisphere][np.ix_(view.rows, view.columns)]).all()
        rows = np.repeat(-(1000 + np.arange(len(view.rows))), 256).reshape(-1, 256)
        rows[:, list(view.columns)] = 7
        assert (arrays[f"rows.{v}"][0] == rows).all()
    for v, view in enumerate(NEURONS):
        circuits = 256 * view.hemisphere + np.array(view.columns)
        assert arrays[f"n.{v}"][0].tolist() == (counts[circuits].astype(np.int64) - view.columns).astype(np.int8).tolist()
        assert not chip.counts[circuits].any()
    assert np.delete(chip.counts, [4, 1, 456]).tolist() == np.delete(counts, [4, 1, 456]).tolist()
    assert arrays["line"][0].tolist()[::2] == [203, 60000]
    assert not arrays["w.0"][1:].any()  # three more periods


SENSORS = task(
    """
    if (ppu != PPUOnDLS::top) { return; }
    auto const [causal, acausal] = synapses[0].get_correlation(1, true);
    VectorRowMod8 again;
    get_causal_correlation(&again.even.data, &again.odd.data, synapses[0].rows[1]);
    auto const neurons_now = neurons[0].get_analog_readouts();
    reset_neurons(vec_splat_u8(0), vec_splat_u8(1));
    uint32_t seen = 0;
    for (auto const coord : halco::common::iter_all<SpikeCounterResetOnDLS>()) { seen += coord.value(); }
    auto const coord = AtomicNeuronOnDLS(NeuronColumnOnDLS(3), NeuronRowOnDLS(1));
    auto const counter = stadls::vx::v3::ppu::read<haldls::vx::v3::SpikeCounterRead>(coord.toSpikeCounterReadOnDLS());
    stadls::vx::v3::ppu::write(coord.toSpikeCounterResetOnDLS(), haldls::vx::v3::SpikeCounterReset());
    uint16_t const found[] = {causal[9], acausal[9], again[9], neurons_now[2], static_cast<uint16_t>(seen), static_cast<uint16_t>(counter.get_count()),
                              static_cast<uint16_t>(counter.get_overflow()), neurons[1].get_rate_counter(0, false)};
    for (size_t i = 0; i < 8; ++i) { recording.found[i] = found[i]; }
    mailbox_write_string("row ");
    mailbox_write_int(12);
    mailbox_write_signed_int(-34);
    """,
    observables={"found": Observable("uint16", 8)},
)


def test_sensors_neurons_and_counters_are_read_and_reset() -> None:
    chip = FakeChip()
    chip.planes["correlation_causal"][0] = np.arange(256)[:, None]
    chip.planes["correlation_acausal"][0] = 100 + np.arange(256)[:, None]
    chip.counts[[256 + 3, 256 + 200]] = 250, 9
    chip.overflow[[256 + 3, 256 + 200]] = 1
    processors, recorders = processor(SENSORS, chip)
    p = processors[0]
    p.serve(chip)
    p.invoke(0, 0.0, 0, 10**9)
    p.carry_out(chip, p.actions())
    assert recorders[0].arrays()["found"][0].tolist() == [2, 102, 190, 77, 512 * 511 // 2 % 2**16, 250, 1, 255]
    assert chip.log == [("sensors", 0, 2, [1, 4, 9]), ("membranes", 0, list(range(1, 256, 2)))]
    assert chip.counts[256 + 3] == 0
    assert p.mail() == "row 12-34"


ROW_HANDLES = task(
    """
    if (ppu != PPUOnDLS::top) { return; }
    std::array<SynapseArrayViewHandle, 1> const one{synapses[0]};
    for (auto const row : make_synapse_row_view_handle_range(one)) {
        row.set_weights(row.get_weights() + 60);
        row.reset_correlation();
    }
    auto const two = std::array<SynapseArrayViewHandle, 2>{synapses[0], synapses[2]};
    auto const range = make_synapse_row_view_handle_range(two);
    uint8_t n = 0;
    for (auto const row : range) {
        auto const weights = row.get_weights();
        for (size_t c = 0; c < 3; ++c) { recording.signed_weights[3 * n + c] = weights[synapses[0].columns[c]]; }
        row.set_weights(-weights - 1);
        recording.sensors[n] = row.get_causal_correlation(SynapseRowViewHandleSigned::CorrelationSource::inh)[1];
        ++n;
    }
    VectorRowMod8 rows[4];
    get_correlation(&rows[0].even.data, &rows[0].odd.data, &rows[1].even.data, &rows[1].odd.data, 5);
    get_weights(&rows[2].even.data, &rows[2].odd.data, 7);
    rows[2].odd.data = (__vector uint8_t) saturating_subtract(uint8_to_int8(rows[0].odd.data), uint8_to_int8(rows[1].odd.data));
    set_weights(&rows[2].even.data, &rows[2].odd.data, 100);
    PPUOnDLS where;
    recording.sensors[2] = get_location(where) && where == PPUOnDLS::top;
    recording.sensors[3] = get_row_via_vector(100, dls_weight_base)[1];
    """,
    before="""
    #include "grenade/vx/ppu/synapse_row_view_handle_range.h"
    #include "libnux/vx/location.h"
    #include "libnux/vx/syn.h"
    #include "libnux/vx/vector_convert.h"
    #include "libnux/vx/vector_math.h"
    """,
    views=(*VIEWS, PlasticityView(0, (20, 21), (1, 4, 9))),
    observables={"signed_weights": Observable("int8", 6), "sensors": Observable("uint8", 4)},
)


def test_handles_of_rows_and_free_functions() -> None:
    chip = FakeChip()
    weights = chip.planes["synapse_weight"][0]
    weights[7, [1, 4, 9]], weights[2, [1, 4, 9]] = (0, 3, 9), (1, 2, 63)
    weights[20, [1, 4, 9]], weights[21, [1, 4, 9]] = (10, 20, 30), (63, 0, 5)
    chip.planes["correlation_causal"][0, 20:22] = np.array([[33], [44]])
    chip.planes["correlation_causal"][0, 5], chip.planes["correlation_acausal"][0, 5] = 250, 100
    first = [[60, 63, 63], [61, 62, 63]]  # after the unsigned pass, saturated
    signed = np.array(first) - [[10, 20, 30], [63, 0, 5]]
    processors, recorders = processor(ROW_HANDLES, chip)
    p = processors[0]
    p.serve(chip)
    p.invoke(0, 0.0, 0, 10**9)
    p.carry_out(chip, p.actions())
    arrays = recorders[0].arrays()
    assert arrays["signed_weights"][0].tolist() == signed.ravel().tolist()
    assert arrays["sensors"][0].tolist() == [33, 44, 1, 127 & 0x3F]
    after = -signed - 1
    assert np.array_equal(weights[[7, 2]][:, [1, 4, 9]], np.clip(after, 0, 63))
    assert np.array_equal(weights[[20, 21]][:, [1, 4, 9]], np.clip(-after, 0, 63))
    assert [entry[2] for entry in chip.log] == [7, 2]


@pytest.mark.slow
def test_every_header_can_be_included_alone() -> None:
    for header in sorted(headers()):
        if not header.startswith(("halco/common/iter", "libnux/vx/v3/")):
            bench = Bench(f'#include "{header}"\n' + kernel("ran = 1;", before="int ran = 0;"), ("ran",))
            bench.call()
            assert bench.variable("ran", "i4").any(), header


def test_symbols_are_words_of_a_big_endian_processor() -> None:
    before = "volatile uint32_t word; uint8_t bytes[4]; int16_t halves[3]; namespace inner { uint32_t deep = 9; } static int32_t hidden;"
    rule = task(
        "bytes[0] += 1; inner::deep += 1; hidden = word + halves[1];",
        before=before,
        symbols={"word": [0x1234567], "bytes": [0x01020304], "halves": [[0x00050006, 0], [0x0005FFFF, 0]]},
        read_symbols=("word", "bytes", "inner::deep", "hidden"),
    )
    chip = FakeChip()
    processors, _ = processor(rule, chip)
    for p in processors:
        p.serve(chip)
        p.invoke(0, 0.0, 0, 10**9)
    top, bottom = processors
    assert top.read_symbol(0, "word").tolist() == [0x1234567]
    assert top.read_symbol(0, "bytes").tolist() == [0x02020304]
    assert top.read_symbol(0, "inner::deep").tolist() == [10]
    assert [p.read_symbol(0, "hidden").tolist() for p in (top, bottom)] == [[0x1234567 + 6], [0x1234567 - 1]]


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("//\ud800", "half of a character"),
        ('__attribute__((export_name("memory"))) void f() {}', "export_name would hide functions"),
        ('[[gnu::section("ext_dram" ".data")]] uint32_t shared = 1;', 'the section "ext_dram.data" is not spelled in one piece'),
        ('[[gnu::section(R"(ext.data)")]] uint32_t shared;', "names a section in a raw string"),
    ],
)
def test_what_the_host_cannot_follow_is_refused_by_name(before: str, said: str) -> None:
    with pytest.raises(KernelSourceError, match=said):
        prepare((task("", before),))


@pytest.mark.parametrize("observed", [True, False])
def test_a_kernel_with_other_parameters_is_told_which_it_is_given(observed: bool) -> None:
    observables = {"n": Observable("uint8", 3)}
    takes = r"std::array<SynapseArrayViewHandle, 2>&, std::array<NeuronViewHandle, 2>&" + (", Recording&" if observed else "")
    text = task("").kernel if observed else task("", "struct Recording {};", observables=observables).kernel
    rule = PlasticityTask(name="rule", kernel=text, views=VIEWS, neurons=NEURONS, period=1000, count=4, observables=observables if observed else {})
    with pytest.raises(KernelCompileError) as caught:
        prepare((rule,))
    assert f"is called with ({takes}), which it does not take" in str(caught.value)
    assert "neckar-after" not in str(caught.value)
    assert "kernel:" in str(caught.value)


def test_a_kernel_that_takes_too_long_is_told_how_many_instructions_it_had() -> None:
    (top, _), _ = processor(task("while (true) { neurons[0].get_rate_counters(true); }"), chip := FakeChip())
    top.serve(chip)
    with pytest.raises(KernelTimeout, match="after 3000000 instructions"):
        top.invoke(0, 0.0, 0, 3_000_000)


def test_symbols_of_one_name_belong_to_their_rules() -> None:
    def rule(number: int, word: int) -> PlasticityTask:
        symbols = {"test": np.array([word], np.int32)}
        return task("test += 1;", "static volatile uint32_t test;", same_id=number, name=f"rule {number}", symbols=symbols, read_symbols=("test",))

    chip = FakeChip()
    (top, _), _ = processor((rule(0, 5), rule(1, 9)), chip)
    for n in (1, 1, 0):
        top.serve(chip)
        top.invoke(n, 0.0, 0, 10**9)
    assert [top.read_symbol(n, "test").tolist() for n in (0, 1)] == [[6], [11]]


def test_symbols_are_written_before_constructors_run() -> None:
    before = """
    volatile uint32_t given = 1;
    volatile uint32_t seen = 2 * given;
    volatile uint32_t computed = given + 1;
    """
    symbols = {"given": np.array([21], np.int32), "computed": np.array([3], np.int32)}
    (top, _), _ = processor(task("", before, symbols=symbols, read_symbols=("seen",)), FakeChip())
    assert top.read_symbol(0, "seen").tolist() == [42]
    assert top.read_symbol(0, "computed").tolist() == [22]  # what a constructor computes replaces what the host has written


def test_rules_share_a_processor_and_keep_their_own_names() -> None:
    text = HANDLES.kernel
    two = PlasticityTask(name="two", kernel=text, views=VIEWS, neurons=NEURONS, period=10, observables=RECORDED, same_id=2)
    chip = FakeChip()
    processors, recorders = processor((HANDLES, two), chip)
    for index in (0, 1):
        processors[0].serve(chip)
        processors[0].invoke(index, 0.0, 0, 10**9)
        processors[0].carry_out(chip, processors[0].actions())
    assert recorders[0].arrays()["w.0"][0].tolist() == [[0] * 3] * 2
    assert recorders[2].arrays()["w.0"][0].tolist() == [[(100 + 7) & 0x3F] * 3, [(100 + 2) & 0x3F] * 3]
    with pytest.raises(ProgramError, match="'rule' and 'other' have same_id 0"):
        processor((HANDLES, PlasticityTask(name="other", kernel=text + "\n", views=VIEWS, neurons=NEURONS, observables=RECORDED)), chip)


# ---- What is refused


def test_a_mistake_is_shown_with_the_line_of_the_kernel() -> None:
    text = "\n\n\n" + kernel("VectorRowMod8 row;\n        row.shuffle();").lstrip("\n")
    line = text[: text.index("row.shuffle")].count("\n") + 1
    with pytest.raises(KernelCompileError, match=rf"(?s)lines count in its text.*kernel:{line}:\d+: error: no member named 'shuffle'"):
        Bench(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("void nothing() {}", "does not name PLASTICITY_RULE_KERNEL"),
        ('#include "libnux/vx/vectorrow.h"\nPLASTICITY_RULE_KERNEL', "line 1: there is no header 'libnux/vx/vectorrow.h'.*did you mean libnux/vx/vector_row.h"),
        ("\n  #  include <fstream>\nPLASTICITY_RULE_KERNEL", "line 2: there is no header 'fstream'"),
        ("/* a\n*/ #inc\\\nlude MACRO\nPLASTICITY_RULE_KERNEL", "line 2: #include MACRO does not name a header plainly"),
        ("x" * 2**20 + "PLASTICITY_RULE_KERNEL", "has 1048598 characters; allowed are 1048576"),
    ],
)
def test_texts_that_are_refused_before_they_are_compiled(text: str, said: str) -> None:
    with pytest.raises(KernelSourceError, match=f"(?s){said}"):
        Bench(text)


def test_a_symbol_that_does_not_exist_is_named() -> None:
    with pytest.raises(KernelCompileError, match="has no global variable 'missing'"):
        Bench(kernel("", before="int present;"), ("present", "missing"))


def test_a_program_that_fills_the_memory_of_a_processor_is_refused_with_its_size() -> None:
    with pytest.raises(KernelMemoryError, match=r"take 13\d\d\d bytes \(13\d\d\d of variables and constants, 0 of heap\); a processor has 12288"):
        processor(task("table[0] = 1;", before="uint8_t volatile table[13000];"), FakeChip())


# ---- The cache


def build_in(folder: str, number: int) -> str:
    """Build a kernel with a cache in a folder; return a hash of the module."""
    os.environ[_compile.ENVIRONMENT] = folder
    _compile.build.cache_clear()
    return hashlib.sha256(_compile.build((Kernel("one", kernel(f"volatile int x = {number};"), 0),))).hexdigest()


@pytest.mark.slow
def test_processes_share_a_cache_and_damaged_files_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_compile.ENVIRONMENT, str(tmp_path))
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(build_in, [str(tmp_path)] * 6, [1, 2] * 3))
    assert len(set(found)) == 2
    assert found[0] == found[2]
    files = sorted(tmp_path.iterdir())
    assert sorted(file.suffix for file in files) == [".o"] * 3 + [".wasm"] * 2  # nothing is left of files under way
    for file in files:
        file.write_bytes(file.read_bytes()[:-7])
    assert build_in(str(tmp_path), 1) == found[0]
    _compile.build.cache_clear()


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv(_compile.ENVIRONMENT, str(blocked / "below"))
    _compile.build.cache_clear()
    assert len(_compile.build((Kernel("one", kernel(""), 0),))) > 100
    _compile.build.cache_clear()
