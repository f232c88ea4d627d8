"""What a chip refuses by name before anything runs, because there is no model for it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from chip_programs import FIRING, N, chip, program, run, whole

from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.errors import ConfigurationError, ParameterRangeError, UnknownNameError, UnsupportedFeatureError
from neckar.program import Program, Snippet, TimedWrite


def test_a_program_for_the_wafer_is_refused():
    with pytest.raises(UnsupportedFeatureError, match="brainscales1"):
        chip().run(Program(machine="brainscales1", snippets=(Snippet(50),)))


CELL = "leak_i_bias"


@pytest.mark.parametrize(
    ("parts", "where"),
    [
        ({"snippets": (Snippet(50), Snippet(50, whole(**{CELL: 1023})))}, r"snippets\[1\]: .* of circuit 0 is 1023"),
        (
            {"writes": (TimedWrite(at=7, field="leak_v_leak", value=5), TimedWrite(at=49, field=CELL, index=(17,), value=1023))},
            r"writes\[1\]: .* of circuit 17",
        ),
        ({"writes": (TimedWrite(at="after", field=CELL, index=((3, 5),), value=1023),)}, r"writes\[0\]: .* of circuit 3"),
        ({"snippets": (Snippet(50), Snippet(50, whole(syn_i_bias_dac=[600, 1023, 600, 600])))}, r"snippets\[1\]: syn_i_bias_dac of quadrant 1 is 1023"),
    ],
)
def test_a_change_without_model_is_refused_before_anything_runs(parts, where, monkeypatch):
    monkeypatch.setattr(Chip, "_execute", lambda *_: pytest.fail("the run has started"))
    with pytest.raises(UnsupportedFeatureError, match=where):
        run(FIRING, 0.1, **parts)


def test_changes_to_codes_with_a_model_are_not_refused():
    writes = (TimedWrite(at=100, field=CELL, value=0), TimedWrite(at=100, field="synapse_weight", index=(0, 3), value=7))
    _, state = chip().run(program(FIRING, 1, writes=writes))
    assert not state.registers[CELL].any()
    assert (state.registers["synapse_weight"][0, 3] == 7).all()


BOTH = {**FIRING, "bayesian_enable_master": True, "bayesian_enable_slave": np.arange(N) == 17}


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({**BOTH, "event_routing_enable_bypass_inhibitory": True}, {}),
        (BOTH, {"writes": (TimedWrite(at=7, field="event_routing_enable_bypass_excitatory", index=(17,), value=True),)}),
    ],
)
def test_a_follower_that_fires_past_its_membrane_is_refused_with_its_remedy(fields, parts, monkeypatch):
    monkeypatch.setattr(Chip, "_execute", lambda *_: pytest.fail("the run has started"))
    with pytest.raises(UnsupportedFeatureError, match=r"circuit 17 fires past its membrane .* and with a master .* allowed is one of the two\. Switch one"):
        run(fields, 0.1, **parts)


@pytest.mark.parametrize("step_us", [0.001, 0.0501, 0.0, -0.5, math.nan, math.inf])
def test_a_step_that_is_no_multiple_of_a_tick_is_refused(step_us):
    with pytest.raises(ParameterRangeError, match=r"step_us is .*positive multiple of 0\.002 us.*Choose"):
        Chip(Specimen.reference(), Effects(), step_us=step_us)
    assert Chip(Specimen.reference(), Effects(), step_us=0.3).step_ticks == 150


def test_unknown_instruments_and_no_threads_are_refused():
    with pytest.raises(UnknownNameError, match=r"instruments is .slicon.; allowed is one of silicon, open; did you mean silicon"):
        Chip(Specimen.reference(), Effects(), instruments="slicon")
    with pytest.raises(ParameterRangeError, match="threads is 0; allowed is at least 1"):
        Chip(Specimen.reference(), Effects(), threads=0)


def test_a_trial_longer_than_the_time_stamps_of_the_fpga_is_refused(monkeypatch):
    """As many cycles of 8 ns as 32 bits count, 34.36 s, with any instruments; upstream's software refuses longer runs."""
    monkeypatch.setattr(Chip, "_execute", lambda *_: pytest.fail("the run has started"))
    limit = 4 * (2**32 - 1)
    chip()._plan(Program(machine="brainscales2", snippets=(Snippet(limit - 5), Snippet(5))), None)
    texts = f"takes {limit + 1} ticks of 2 ns, 34.359738362 s, in 2 snippets; allowed are {limit} ticks, 34.359738360 s.*Shorten the snippets, or divide"
    for instruments in ("silicon", "open"):
        with pytest.raises(ConfigurationError, match=texts):
            chip(instruments=instruments).run(Program(machine="brainscales2", snippets=(Snippet(limit), Snippet(1))))
