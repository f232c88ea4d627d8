"""One program on many chips at once has the bits of the program on each chip alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chip_programs import ADAPTIVE, FIRING, STIMULATED, program, whole

from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.machine import Chip, run_each
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import idle_deviations
from neckar.errors import UnsupportedFeatureError
from neckar.lab import Lab
from neckar.network import Network, NeuronPopulation, Projection, Section, build_program, map_network
from neckar.program import CadcRecord, DriverProbe, Events, MadcChannel, Probe, Program, Record, SensorProbe, Snippet, TimedRead, TimedWrite

EVENTS = Events.from_lists([[(100 + 40 * i, (i * 7) % 64) for i in range(100)], [(900 + 31 * i, i % 64) for i in range(50)]])
LIST = [(100 + 40 * i, (i * 7) % 64 | (i % 4) << 14) for i in range(300)]
DRIVEN = {**STIMULATED, "threshold_enable": True, "threshold_v_threshold": 420, "reset_v_reset": 400, "reset_i_bias": 1022}
CHIPS = [
    Specimen.reference(),
    Specimen.from_seed(3),
    Specimen.from_seed(4, age_h=7.5),
    Specimen("own", 9, overrides={"leak_offset": np.linspace(-5, 5, 512), "synapse": np.full((2, 256, 256), 1.1)}),
    Specimen.from_seed(3),
]
SEEDS = [(1, k) for k in range(len(CHIPS))]


def recurrent() -> Program:
    """Return neurons that fire on their own and excite each other."""
    codes = {name: np.full(40, code) for name, code in FIRING.items()}
    codes |= {f"excitatory_input_{name}": np.full(40, code) for name, code in (("enable", 1), ("i_bias_tau", 64), ("i_bias_gm", 200))}
    one = Projection("recurrent", 0, 0, "excitatory", np.repeat(np.arange(40), 5), np.random.default_rng(1).integers(0, 40, 200), np.full(200, 20))
    mapped = map_network(Network((NeuronPopulation("neurons", 40, codes),), (one,)), base=ChipConfig.default())
    return build_program([Section(mapped, 30_000, Record())], held=None)


def compartments() -> dict[str, Any]:
    """Return neurons of two circuits, every other pair connected by a conductance."""
    return {**FIRING, "multicompartment_connect_right": np.arange(512) % 4 == 0}


PROGRAMS = {
    "recurrent": recurrent,
    "inputs": lambda: program(STIMULATED, 30, entries=EVENTS, record=Record(probe=(Probe(("v",), (0, 300), 50),))),
    "plastic drivers": lambda: program({**STIMULATED, "driver_enable_stp": True, "driver_utilization": 3, "stp_v_charge_0": 400}, 30, entries=EVENTS),
    "converters": lambda: program(FIRING, 30, record=Record(madc=(MadcChannel(3),), cadc=(CadcRecord((0, 300), period=2000),))),
    "snippets": lambda: program(ADAPTIVE, snippets=(Snippet(5000), Snippet(6000, whole(leak_v_leak=800)))),
    "writes": lambda: program(
        {**FIRING, **STIMULATED},
        30,
        entries=EVENTS,
        writes=(TimedWrite(at=4000, field="synapse_weight", index=(0, 0), value=50), TimedWrite(at="before", field="leak_v_leak", index=(5,), value=650)),
        reads=(TimedRead(name="weights", at="after", field="synapse_weight", index=(0, 0)),),
    ),
    "one trial of inputs": lambda: program(DRIVEN, 30, entries=EVENTS.from_lists([LIST]), neuron_reset=True),
    "background": lambda: program({**DRIVEN, "background_enable": True, "background_rate": 200}, 30, entries=EVENTS.from_lists([LIST])),
    "nothing integrated": lambda: program({**STIMULATED, "threshold_enable": False}, 30, entries=EVENTS.from_lists([LIST])),
    "compartments": lambda: program(compartments(), 30),
    "probes of drivers and sensors": lambda: program(
        {**DRIVEN, "driver_enable_stp": True, "driver_utilization": 3, "syn_i_bias_store": 70, "syn_i_bias_ramp": 80, "synapse_weight": 20},
        30,
        entries=EVENTS,
        record=Record(driver_probe=(DriverProbe("pulse", 1, (0, 9), 99),), sensor_probe=(SensorProbe(("causal", "v_acausal"), 0, (0, 1), (7, 2), 500),)),
    ),
    "sequential": lambda: program(FIRING, 10, entries=Events.empty(2), sequential=True),
}


@pytest.mark.parametrize("effects", ["default", "-noise", "-mismatch", "ideal"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_chips_together_have_the_bits_of_each_alone(name: str, effects: str) -> None:
    one, kind = PROGRAMS[name](), Effects.parse(effects)
    together = list(run_each([Chip(chip, kind) for chip in CHIPS], one, SEEDS))
    for chip, seed, recording in zip(CHIPS, SEEDS, together, strict=True):
        assert recording == Chip(chip, kind).run(one.seeded(*seed))[0]
        assert recording.provenance.chip["id"] == chip.id


PARTS = {
    "constant_current_enable": {"constant_current_i_offset": 500},
    "exponential_enable": {"exponential_i_bias": 500, "exponential_v_exp": 400},
    "adaptation_enable": {name: code for name, code in ADAPTIVE.items() if name.startswith("adaptation")},
    "excitatory_input_enable": {"excitatory_input_i_bias_gm": 700, "excitatory_input_i_bias_tau": 100, "excitatory_input_i_shift_reference": 250},
    "inhibitory_input_enable": {"inhibitory_input_i_bias_gm": 700, "inhibitory_input_i_bias_tau": 100, "inhibitory_input_i_shift_reference": 250},
    "excitatory_input_enable_coba_mode": {
        "excitatory_input_enable": True,
        "excitatory_input_i_bias_gm": 700,
        "excitatory_input_i_bias_tau": 100,
        "excitatory_input_i_shift_reference": 250,
        "excitatory_input_i_bias_coba": 300,
        "excitatory_input_v_rev_coba": 700,
    },
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_the_circuits_is_drawn_if_it_is_switched_on(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, chips = program({**FIRING, **PARTS[part], part: True}, 60), [Chip(chip, Effects()) for chip in CHIPS[:2]]
    alone = [chip.run(one.seeded(*seed))[0] for chip, seed in zip(chips, SEEDS, strict=False)]
    assert list(run_each(chips, one, SEEDS[:2])) == alone
    monkeypatch.setattr("neckar.chip.entry.idle_deviations", lambda config: idle_deviations(ChipConfig({**config.as_mapping(), part: False})))
    other = program({**FIRING, **PARTS[part], part: True}, 60)  # of which nothing is remembered
    assert [len(recording.spikes) for recording in run_each(chips, other, SEEDS[:2])] != [len(recording.spikes) for recording in alone]


@pytest.mark.parametrize("executor", ["inline", "processes:2"])
def test_a_map_has_the_bits_of_single_runs(executor: str) -> None:
    one, other = recurrent(), PROGRAMS["inputs"]()
    programs, chips = [one] * 5 + [other] * 3 + [one], [7, 8, 9, 7, 0, 1, 2, 2, 3]
    with Lab(seed=5, executor=executor) as lab:
        found = lab.map(programs, chips=chips)
    for number, (each, chip, recording) in enumerate(zip(programs, chips, found, strict=True)):
        assert recording == Lab(chip=chip).run(each.seeded(5, number))


def test_what_no_chip_can_do_is_refused_before_the_first() -> None:
    refused = program({**FIRING, "leak_v_leak": 1023})
    with pytest.raises(UnsupportedFeatureError, match="leak_v_leak"):
        next(run_each([Chip(chip, Effects()) for chip in CHIPS], refused, SEEDS))
