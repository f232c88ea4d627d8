"""The measuring calibration as software: what it sends, what it may know, what it costs, what it says about failures. Its numbers: tests/hardware_facts."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from far_away import far_away

from neckar.calibration import (
    NIGHTLY,
    CadcTarget,
    Calibration,
    HagenNeuronTarget,
    HagenSyninTarget,
    HagenTarget,
    NeuronTarget,
    PotentialTarget,
    SpikingTarget,
    calibrate,
)
from neckar.calibration.measure import Bench, calibrate_cadc, measure, plan, search_leak, search_membrane_time, set_neurons
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.errors import ConfigurationError, ParameterRangeError
from neckar.lab import Lab, Session
from neckar.program import Program, Recording

CHIP = 7


class Watched:
    """A chip that remembers what went to it and came back."""

    def __init__(self, chip: Session) -> None:
        self.chip, self.programs, self.recordings = chip, [], []

    def run(self, program: Program) -> Recording:
        self.programs.append(program)
        self.recordings.append(self.chip.run(program))
        return self.recordings[-1]


def lab() -> Lab:
    return Lab(chip=CHIP, effects=Effects(), instruments="silicon", seed=0)


@cache
def measured() -> tuple[Calibration, Watched]:
    chip = Watched(lab().session())
    return measure(chip, PotentialTarget()), chip


def assert_equal(one: Calibration, other: Calibration) -> None:
    assert one.fields.keys() == other.fields.keys()
    for name in one.fields:
        np.testing.assert_array_equal(one.fields[name], other.fields[name], err_msg=name)
    assert {name: mask.tobytes() for name, mask in one.success.items()} == {name: mask.tobytes() for name, mask in other.success.items()}
    assert one.provenance == other.provenance


# ---- What crosses


def test_a_chip_behind_a_process_pool_that_gets_programs_alone_is_measured_to_the_same_bits():
    with far_away(CHIP) as chip:
        assert_equal(measure(chip, PotentialTarget()), measured()[0])


def test_programs_use_no_instrument_that_silicon_lacks():
    for program in measured()[1].programs:
        assert not program.record.probe
        assert {read.field for read in program.reads} <= {"cadc_debug"}


def test_a_program_writes_what_changed_and_no_more():
    """The first one all that is set, the others a field or a few; so the settling of analog cells is paid where it occurs."""
    first, *others = measured()[1].programs
    assert len(first.config) >= 6
    assert np.median([len(program.config) for program in others]) <= 1


# ---- The same again


def test_same_seed_same_bits():
    assert_equal(calibrate(Specimen.from_seed(CHIP), PotentialTarget(), "measurement"), measured()[0])


def test_the_chip_is_left_with_the_result():
    calibration, chip = measured()
    assert chip.chip.state is not None
    for name, codes in calibration.fields.items():
        np.testing.assert_array_equal(chip.chip.state.registers[name], codes, err_msg=name)


def test_the_result_says_where_it_comes_from_and_survives_a_file():
    calibration, chip = measured()
    origin = calibration.provenance
    assert (origin["method"], origin["chip_seed"], origin["programs"]) == ("measurement", str(CHIP), str(len(chip.programs)))
    costs = [recording.cost for recording in chip.recordings]
    assert float(origin["chip_time_s"]) == pytest.approx(sum(c.hardware_s + c.configuration_s + c.transfer_s for c in costs), abs=1e-6)
    assert_equal(Calibration.loads(calibration.dumps()), calibration)


def test_searches_measure_as_often_as_stated():
    """Two ramps of 12, median and offset 2; three potentials of 13; a last one writes the result."""
    assert len(measured()[1].programs) == 2 * 12 + 2 + 3 * 13 + 1


# ---- Targets out of reach, and more than there is


def test_circuits_that_cannot_rest_so_high_are_marked_and_hold_the_highest_code():
    """Code 1022 leaves a resting level at about 195 CADC LSB; no other circuit suffers."""
    high = np.arange(512) < 8
    bench, rng = Bench(lab().session()), np.random.default_rng(0)
    set_neurons(bench, PotentialTarget(), rng)
    np.testing.assert_array_equal(search_leak(bench, np.where(high, 250, 80), rng), ~high)
    np.testing.assert_array_equal(bench.codes["leak_v_leak"][high], 1022)


def test_references_that_cannot_be_measured_are_refused_before_anything_runs():
    """Levels from 60 to 165 LSB can be compared; by default the middle of leak and threshold is the reference."""
    reversal = np.where(np.arange(512)[:, np.newaxis] == 3, [300.0, np.nan], np.nan)
    with pytest.raises(ParameterRangeError, match=r"excitatory input of circuit 3 has its reference at 50 CADC LSB; .* from 60 to 165"):
        plan(SpikingTarget(neurons=NeuronTarget(e_coba_reversal=reversal, e_coba_reference=50)))
    plan(SpikingTarget(neurons=NeuronTarget(e_coba_reversal=reversal)))


def test_refinement_is_left_out_where_the_membrane_changes_the_inputs():
    """As upstream: large swings of the membrane would move conductance-based neurons. The target can say otherwise."""
    reversal = np.array([300.0, 30.0])
    refined = {stage.name for stage in plan(SpikingTarget())} - {stage.name for stage in plan(SpikingTarget(refine_potentials=False))}
    assert refined == {"converter again", "threshold again", "reset again", "leak again"}
    based = NeuronTarget(e_coba_reversal=reversal)
    assert not refined & {stage.name for stage in plan(SpikingTarget(neurons=based))}
    assert refined <= {stage.name for stage in plan(SpikingTarget(neurons=based, refine_potentials=True))}
    names = [stage.name for stage in plan(NIGHTLY["correlation"])]
    assert len(set(names)) == len(names)
    assert names.index("leak again") < names.index("correlation amplitude")


def test_a_bias_without_room_for_its_spread_is_refused():
    with pytest.raises(ParameterRangeError, match="leak_bias"):
        PotentialTarget(leak_bias=3)


def test_the_oracle_takes_the_same_target():
    """Both find the same chip: codes differ by what a search leaves, a few LSB."""
    oracle, found = calibrate(Specimen.from_seed(CHIP), PotentialTarget()), measured()[0]
    assert found.fields.keys() == oracle.fields.keys()
    for name, most in (("leak_v_leak", 6), ("reset_v_reset", 6), ("threshold_v_threshold", 6)):
        assert np.abs(np.subtract(found.fields[name], oracle.fields[name], dtype=np.int64)).mean() < most


# ---- The bench


def test_the_bench_restores_what_was_changed_for_a_while():
    with lab().session() as chip:
        bench = Bench(chip)
        bench.set(stp_v_charge_0=300)
        with bench.changed(stp_v_charge_0=500, stp_v_charge_1=7):
            high = bench.converter()[0]
        low = bench.converter()[0]
        assert chip.state is not None
        np.testing.assert_array_equal(chip.state.registers["stp_v_charge_1"], 330)
    assert high.shape == low.shape == (2, 2, 256)
    assert (high > low).all()
    assert bench.codes.keys() == {"stp_v_charge_0"}
    np.testing.assert_array_equal(bench.codes["stp_v_charge_0"], 300)


def test_the_converter_shows_the_cell_of_the_first_quadrant_on_all_channels():
    """A nominal converter reads 20 at code 70 and 220 at 550; other quadrants' cells do not matter."""
    with Lab(chip=CHIP, effects="ideal", instruments="silicon", seed=0).session() as chip:
        bench = Bench(chip)
        for code, read in ((70, 20), (550, 220)):
            bench.set(stp_v_charge_0=[code, 100, 200, 300])
            np.testing.assert_array_equal(bench.converter()[0], read)


def test_offsets_can_be_left_alone():
    with lab().session() as chip:
        bench = Bench(chip)
        assert calibrate_cadc(bench, CadcTarget(calibrate_offsets=False)).keys() == {"cadc_v_ramp_offset", "cadc_i_ramp_slope"}
    assert not bench.codes["cadc_channel_offset"].any()


def test_lost_rows_are_no_measurement():
    with lab().session() as chip, pytest.raises(ConfigurationError, match="100 of 150 rows"):
        Bench(chip).membranes(2.0 * np.arange(150))


def test_targets_that_differ_a_little_share_their_runs():
    """Ten microseconds and 8 % more or less: one run for the division, 13 for the search."""
    bench, rng = Bench(lab().session()), np.random.default_rng(0)
    set_neurons(bench, PotentialTarget(leak_bias=150), rng)
    bench.set(leak_v_leak=580)
    assert search_membrane_time(bench, np.linspace(9.2e-6, 10.8e-6, 512), rng).all()
    assert bench.programs == 14


def test_stages_of_a_plan_have_names_of_their_own_and_come_in_upstreams_order():
    """Random numbers and kept stages go by the name. Order: calix ``__init__.py`` and ``neuron.py`` of ``hagen`` and ``spiking``."""
    order = [
        (HagenTarget(), ("drivers", "converter", "inputs", "references of the inputs", "leak", "reset", "no leak")),
        (HagenTarget(neurons=HagenNeuronTarget(noise=1.2)), ("reset", "noise", "references of the inputs again", "leak again", "reset again", "no leak")),
        (HagenSyninTarget(), ("converter", "currents of the synapses", "drivers", "synaptic lines")),
        (SpikingTarget(neurons=NeuronTarget(tau_icc_s=5e-6)), ("leak after the membrane", "conductances between compartments", "short-term plasticity")),
        (NIGHTLY["correlation"], ("short-term plasticity", "leak again", "correlation amplitude", "correlation time constant", "correlation of synapses")),
    ]
    for target, expected in order:
        names = [stage.name for stage in plan(target)]
        assert len(set(names)) == len(names)
        assert [name for name in names if name in expected] == list(expected)
