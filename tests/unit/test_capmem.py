"""The analog parameter cells: every write ends at another value, which then stays; equal cells of a row disturb each other if that effect is on."""

import math

import numpy as np
import pytest
from chip_programs import FIRING, TABLE, program, run, whole

from neckar import Lab
from neckar.chip.capmem import CELLS, CapMem
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.errors import UnsupportedFeatureError
from neckar.facts import brainscales2 as facts
from neckar.program import Events, MadcChannel, Probe, Program, Record, Snippet, TimedWrite, dumps, loads

STIFF = {"leak_v_leak": 700, "leak_i_bias": 1022, "membrane_capacitance_capacitance": 63}
SEEN = Record(spikes=(), probe=(Probe(("v",), tuple(range(512)), 25),))
TAU_US = 1.6  # largest membrane time constant of these circuits: bias 1022, 2.3 pF, + 3 standard deviations
NOISE = facts.MEMBRANE_NOISE.value / 2.3e-12 * 1e-3  # V per root of a microsecond


def noise_of_a_mean(us):
    """Return the standard deviation, V, of a stiff membrane's mean over `us`: white current noise of strength s gives s tau / sqrt(us)."""
    return NOISE * TAU_US / math.sqrt(us)


def again(**fields):
    """Return a program that writes these fields and looks at all membranes for 50 us."""
    return Program(machine="brainscales2", config=whole(**fields), snippets=(Snippet(25_000),), record=SEEN)


def level(recording):
    return recording.probe[0].value[0, 0].mean(axis=0).astype(np.float64)


def test_every_write_of_a_cell_is_a_draw_of_half_an_lsb():
    """Mean and spread over 100 writes of 512 cells within 4.5 standard errors: false alarm 1.4e-5; two writes and two fields are independent."""
    config = ChipConfig({"leak_v_leak": 500, "reset_v_reset": 500})
    cells = CapMem(Effects(), 3)
    draws = np.stack([cells.written(("leak_v_leak",), config, 0, run, "config").jitter["leak_v_leak"] for run in range(100)]) / facts.CAPMEM_JITTER.value
    assert abs(draws.mean()) < 4.5 / math.sqrt(draws.size)
    assert abs(draws.std() - 1) < 4.5 / math.sqrt(2 * draws.size)
    assert abs(np.corrcoef(draws[0], draws[1])[0, 1]) < 5 / math.sqrt(512)
    both = cells.written(config, config, 0, 0, "config").jitter
    assert abs(np.corrcoef(both["leak_v_leak"], both["reset_v_reset"])[0, 1]) < 5 / math.sqrt(512)
    other = CapMem(Effects(), 4).written(config, config, 0, 0, "config").jitter
    assert abs(np.corrcoef(both["leak_v_leak"], other["leak_v_leak"])[0, 1]) < 5 / math.sqrt(512)


def test_a_level_moves_with_every_write_and_with_nothing_else():
    """The rest of 512 circuits moves by slope times the difference of two draws, and stays where it is while the cell is not written."""
    with Lab(chip=5, instruments="open").session() as session:
        first = level(session.run(again(**STIFF)))
        one = session.state.capmem["leak_v_leak"]
        unwritten = level(session.run(again(threshold_v_threshold=300)))
        assert session.state.capmem["leak_v_leak"] is one or np.array_equal(session.state.capmem["leak_v_leak"], one)
        rewritten = level(session.run(again(leak_v_leak=700)))
        two = session.state.capmem["leak_v_leak"]
    slope = np.diff([level(run({**STIFF, "leak_v_leak": code}, effects="-noise", record=SEEN, instruments="open"))[0] for code in (600, 700)])[0] / 100
    chip_slope = slope + facts.MADC_STEP.value * (
        float(Specimen.from_seed(5).deviation("chip_leak_slope")) + facts.LEAK_LINE.slope.value - facts.LEAK_LINE_REFERENCE.slope.value
    )
    noise = math.sqrt(2) * noise_of_a_mean(50)
    np.testing.assert_allclose(unwritten - first, 0, atol=5.5 * noise)  # 512 circuits at 5.5 sigma: false alarm 2e-5
    np.testing.assert_allclose(rewritten - unwritten, chip_slope * (two - one), atol=5.5 * noise)
    assert (rewritten - unwritten).std() == pytest.approx(math.sqrt(2) * 0.5 * chip_slope, rel=0.2)  # 512 circuits: standard error 3 %


def test_runs_after_a_reset_scatter_and_a_repeated_script_is_identical():
    levels = [[level(Lab(seed=seed, instruments="open").run(again(**STIFF))) for _ in range(2)] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(levels[0][0], levels[1][0])
    lab = Lab(seed=0, instruments="open")
    first, second = lab.run(again(**STIFF)), lab.run(again(**STIFF))
    np.testing.assert_array_equal(level(first), levels[0][0])
    assert (level(second) - level(first)).std() > 0.5e-3
    assert (levels[2][0] - levels[0][0]).std() > 0.5e-3


@pytest.mark.parametrize("effects", ["ideal", "-noise"])
def test_without_noise_a_write_ends_at_its_code(effects):
    lab = Lab(effects=effects, instruments="open")
    with lab.session() as session:
        first, second = (session.run(again(**STIFF)) for _ in range(2))
        assert not session.state.capmem
    np.testing.assert_array_equal(first.probe[0].value, second.probe[0].value)


def test_a_timed_write_moves_its_cells_only_and_each_entry_starts_alike():
    """The upper hemisphere is rewritten with its own code in the middle of entry 0; every draw of 512 at 5.5 sigma: false alarm 2e-5 a line."""
    chip = Chip(Specimen.reference(), Effects(), instruments="open")
    write = TimedWrite(at=12_500, field="leak_v_leak", index=((0, 256),), value=700, entry=0)
    recording, state = chip.run(program(STIFF, 50, writes=(write,), record=SEEN, entries=Events.empty(2)))
    first, second = (recording.probe[0].value[:, 0, part].mean(axis=1).astype(np.float64) for part in (slice(0, 500), slice(600, 1000)))
    noise = math.hypot(noise_of_a_mean(25), noise_of_a_mean(20))
    slope = facts.MADC_STEP.value * facts.LEAK_LINE_REFERENCE.slope.value
    moved = second - first
    assert moved[0, :256].std() == pytest.approx(math.hypot(math.sqrt(2) * facts.CAPMEM_JITTER.value * slope, noise), rel=0.25)  # standard error 5 %
    np.testing.assert_allclose(moved[0, 256:], 0, atol=5.5 * noise)
    np.testing.assert_allclose(moved[1], 0, atol=5.5 * noise)
    np.testing.assert_allclose(first[0], first[1], atol=5.5 * math.sqrt(2) * noise_of_a_mean(25))
    after = TimedWrite(at="after", field="leak_v_leak", index=(3,), value=700)
    written = chip.run(program(STIFF, 50, writes=(after,), record=SEEN))[1].capmem["leak_v_leak"]
    untouched = chip.run(program(STIFF, 50, record=SEEN))[1].capmem["leak_v_leak"]
    np.testing.assert_array_equal(np.flatnonzero(written != untouched), [3])
    assert (state.capmem["leak_v_leak"] == untouched).all()  # the state is that after entry 1, in which nothing was written


def test_a_snippet_that_writes_a_field_writes_all_its_cells():
    chip = Chip(Specimen.reference(), Effects(), instruments="open")
    same = {"leak_v_leak": whole(leak_v_leak=700)["leak_v_leak"]}
    once = chip.run(program(STIFF, record=SEEN))[1].capmem
    twice = chip.run(program(STIFF, snippets=(Snippet(100), Snippet(100, config=same)), record=SEEN))[1].capmem
    assert (once["leak_v_leak"] != twice["leak_v_leak"]).all()
    np.testing.assert_array_equal(once["leak_i_bias"], twice["leak_i_bias"])


def test_a_state_carries_the_cells_through_a_file():
    chip = Chip(Specimen.from_seed(2), Effects(), instruments="open")
    _, state = chip.run(program({**FIRING, "syn_i_bias_dac": 600}, record=SEEN))
    stored = loads(dumps(state=state)).state
    assert stored == state
    assert stored.capmem["syn_i_bias_dac"].shape == (4,)
    follow_up = again(leak_v_leak=900)
    fresh = Chip(Specimen.from_seed(2), Effects(), instruments="open")
    assert fresh.run(follow_up, stored)[0] == chip.run(follow_up, state)[0]


def test_a_cell_at_zero_is_off_and_no_cell_holds_less():
    codes = np.zeros(512, np.uint16)
    codes[256:] = 1
    config = ChipConfig({"leak_i_bias": codes})
    values = CapMem(Effects(crosstalk=True), 1).written(("leak_i_bias",), config, 0, 0).values(config)["leak_i_bias"]
    np.testing.assert_array_equal(values[:256], 0)
    assert (values[256:] == 0).any()  # 1 LSB, less the crosstalk of 255 equal cells
    assert (values >= 0).all()


def test_a_cell_without_refresh_stays_refused():
    with pytest.raises(UnsupportedFeatureError, match="refresh"):
        run({**FIRING, "leak_v_leak": 1023}, effects="+crosstalk")


def test_crosstalk_lowers_cells_by_how_many_others_share_their_code():
    codes = np.arange(512, dtype=np.uint16)
    codes[:100] = 800
    config = ChipConfig({"leak_v_leak": codes, "reset_v_reset": 300})
    cells = CapMem(Effects(noise=False, crosstalk=True), 1)
    seen = cells.values(config)
    np.testing.assert_allclose(seen["leak_v_leak"] - codes, np.where(codes == 800, -8 * 99 / 512, 0))
    np.testing.assert_allclose(seen["reset_v_reset"], 300 - 8 * 511 / 512)
    np.testing.assert_array_equal(seen["syn_i_bias_dac"], config.syn_i_bias_dac)


def test_crosstalk_shows_in_a_run_and_dithering_removes_it():
    """Why calibrations write no two cells alike: equal codes of all circuits lie 8 LSB low, different ones where they should."""
    dithered = 690 + np.arange(512) % 21

    def shift(codes):
        fields = {**STIFF, "leak_v_leak": codes}
        with_it, without = (level(run(fields, effects=e, record=SEEN, instruments="open")) for e in ("-noise,+crosstalk", "-noise"))
        return (with_it - without) / (facts.MADC_STEP.value * facts.LEAK_LINE_REFERENCE.slope.value)

    np.testing.assert_allclose(shift(700), -8 * 511 / 512, rtol=0.02)
    assert (np.abs(shift(dithered)) < 0.5).all()


def test_cells_are_what_the_register_table_says():
    assert {name for name, row in TABLE.items() if row.kind.startswith("capmem") and not row.passive} == set(CELLS)
    assert {row.axes for row in CELLS.values()} <= {("circuit",), ("quadrant",), ()}


def test_a_calibrated_baseline_moves_by_a_third_of_a_cadc_lsb():
    """bss2-chip specification 5.3: baselines of rewritten chips lie about 1 CADC LSB apart, our reading of the range of some ten runs.

    Rest with both synaptic inputs at their default bias: 0.5 LSB of leak potential and of both shift references give 0.31 CADC LSB from run to run (closed
    form below), a range of about 1 LSB over ten runs. Standard error of the measured spread: 2 % (512 circuits, three runs).
    """
    fields = {
        "leak_v_leak": 590,
        "leak_i_bias": 155,  # 10 us on the reference chip
        "membrane_capacitance_capacitance": 63,
        **{
            f"{kind}_input_{name}": value for kind in ("excitatory", "inhibitory") for name, value in (("enable", True), ("i_bias_gm", 500), ("i_bias_tau", 32))
        },
        "excitatory_input_i_shift_reference": 310,
        "inhibitory_input_i_shift_reference": 310,
    }
    lab = Lab(instruments="open", effects="-mismatch")
    shown = Record(spikes=(), madc=tuple(MadcChannel(c) for c in range(512)))
    runs = [lab.run(Program(machine="brainscales2", config=whole(**fields), snippets=(Snippet(100_000),), record=shown)) for _ in range(3)]
    levels = np.array([[s.value.mean() for s in r.madc] for r in runs]) * facts.MADC_STEP.value / facts.CADC_STEP.value
    spread = levels.std(axis=0, ddof=1)
    leak = facts.MADC_STEP.value * facts.LEAK_LINE_REFERENCE.slope.value
    shift = facts.SYNAPTIC_SHIFT_SLOPE.value * facts.SYNAPTIC_GM_REFERENCE.value / (facts.CAPACITANCE_FULL.value / 10e-6)
    expected = facts.CAPMEM_JITTER.value * math.hypot(leak, shift, shift) / facts.CADC_STEP.value
    assert expected == pytest.approx(0.31, abs=0.02)
    assert math.sqrt((spread**2).mean()) == pytest.approx(expected, rel=0.1)
