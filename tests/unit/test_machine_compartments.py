"""Neurons of several circuits on a chip: switches that close during a run, both hemispheres, instruments, what is integrated."""

from __future__ import annotations

import numpy as np
import pytest
from chip_programs import ADAPTIVE, FIRING, STIMULATED, arriving, chip, program, run, whole

from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import physical
from neckar.errors import ConfigurationError
from neckar.program import TICKS_PER_US, MadcChannel, Probe, Record, Snippet, TimedWrite

US = TICKS_PER_US
IDEAL = "-mismatch,-noise,-saturation,-event_loss,-quantisation"
RIGHT, VERTICAL, SOMA, LINE, THROUGH = (
    f"multicompartment_{name}" for name in ("connect_right", "connect_vertical", "connect_soma", "connect_soma_right", "enable_conductance")
)
BIAS = "multicompartment_i_bias_nmda"


def on(*circuits):
    return np.isin(np.arange(512), circuits)


def levels(*pairs):
    """Return the codes of quiet circuits, some with their own leak code and bias."""
    v, i = np.full(512, 700), np.full(512, 150)
    for circuit, code in pairs:
        v[circuit] = code
    return {"membrane_capacitance_capacitance": 63, "leak_v_leak": v, "leak_i_bias": i, "reset_v_reset": 400, "refractory_period_refractory_time": 10}


def membranes(fields, us, circuits, effects=IDEAL, **parts):
    """Return times (us) and membranes (V), shape (circuit, sample)."""
    record = Record(spikes=(), probe=(Probe(("v",), tuple(circuits), US // 10),))
    v = run(fields, us, effects, record=record, **parts).probe[0].value[0, 0].T
    return np.arange(v.shape[1]) / 10, v.astype(float)


def test_a_switch_that_closes_shares_the_charge_at_once():
    codes = {**levels((0, 700), (1, 900)), "membrane_capacitance_capacitance": np.where(np.arange(512) == 1, 20, 63), "leak_i_bias": 1}
    _, v = membranes(codes, 20, (0, 1), writes=(TimedWrite(at=10 * US, field=RIGHT, index=(0,), value=1),))
    c = np.array([2.3, 0.2 + 2.1 * 20 / 63])
    np.testing.assert_allclose(v[:, 101], c @ v[:, 99] / c.sum(), atol=1e-4)
    np.testing.assert_array_equal(v[0, 100:], v[1, 100:])


def test_a_switch_that_opens_leaves_both_where_they_are():
    codes = {**levels((0, 700), (1, 900)), RIGHT: on(0)}
    t, v = membranes(codes, 120, (0, 1), writes=(TimedWrite(at=60 * US, field=RIGHT, index=(0,), value=0),))
    assert v[0, 599] == v[1, 599]
    gap = v[1] - v[0]
    later = t >= 60
    np.testing.assert_allclose(gap[later], gap[-1] / (1 - np.exp(-60 / 10.33)) * (1 - np.exp(-(t[later] - 60) / 10.33)), atol=1.5e-3)


@pytest.mark.parametrize(("conductance", "switch", "factor"), [(200, None, 1), (200, "division", 0.25), (100, "multiplication", 4)])
def test_compartments_approach_with_the_time_constant_of_their_conductance(conductance, switch, factor):
    """1 / tau = 2 g / C + 1 / tau_leak, as calix measures it (neuron_icc_bias.py): left membrane through its conductance, line, right membrane by a switch."""
    codes = {**levels((0, 700), (1, 800)), LINE: on(0), SOMA: on(1), BIAS: conductance, "leak_i_bias": 20}
    if switch:
        codes[f"{THROUGH}_{switch}"] = 1
    t, v = membranes(codes, 60, (0, 1), writes=(TimedWrite(at=20 * US, field=THROUGH, index=(0,), value=1),))
    gap, later = v[1] - v[0], t >= 20
    rate = 2 * 3e-9 * conductance * factor / 2.3e-12 * 1e-6 + 20 / 1550
    rest = 20 / 1550 / rate  # leaks keep a part of the gap
    np.testing.assert_allclose(gap[later] / gap[199], rest + (1 - rest) * np.exp(-rate * (t[later] - 20)), atol=2e-3)


def test_both_hemispheres_share_a_membrane():
    codes = {**levels((5, 900), (261, 700)), VERTICAL: on(5, 261)}
    _, v = membranes(codes, 60, (5, 261, 6))
    lone = membranes(levels((5, 900), (261, 700)), 60, (5, 261))[1]
    np.testing.assert_array_equal(v[0], v[1])
    assert v[0, -1] == pytest.approx(lone[:, -1].mean(), abs=2e-4)
    assert v[2, -1] == pytest.approx(membranes(levels(), 60, (6,))[1][0, -1], abs=1e-6)


def test_an_event_on_a_synapse_of_either_hemisphere_moves_the_shared_membrane():
    weight = np.zeros((2, 256, 256), np.uint8)
    weight[1, :, 0] = 31
    codes = {**STIMULATED, "synapse_weight": weight, VERTICAL: on(0, 256), "excitatory_input_i_shift_reference": 310}
    _, joined = membranes(codes, 80, (0, 256), entries=arriving(20 * US))
    _, lone = membranes({**codes, VERTICAL: False}, 80, (0, 256), entries=arriving(20 * US))
    height = [v.max(axis=1) - v[:, 150] for v in (joined, lone)]
    np.testing.assert_allclose(height[0], height[1][1] / 2, rtol=0.01)
    assert height[1][0] < 1e-6


def test_the_network_is_at_rest_when_a_trial_starts():
    """Leaks, conductances and constant currents balance from tick 0 on."""
    codes = {**levels((0, 700), (1, 900)), LINE: on(0), SOMA: on(1), THROUGH: on(0), BIAS: 300, "reset_i_bias": 0}
    _, v = membranes(codes, 100, (0, 1))
    np.testing.assert_allclose(v, v[:, -1:].repeat(v.shape[1], axis=1), atol=5e-5)


def test_a_neuron_of_four_circuits_fires_once_per_period():
    """Only its first circuit has a threshold and a leak above it; the others bring capacitance. The spike comes from the first."""
    first = on(0)
    codes = {
        **FIRING,
        "threshold_enable": first,
        "leak_i_bias": np.where(first, 600, 0),
        RIGHT: on(0),
        VERTICAL: on(0, 1, 256, 257),
        "event_routing_enable_digital": True,
    }
    recording = run(codes, 200, IDEAL, record=Record(spikes="all"))
    assert set(recording.spikes.circuit) == {0}
    lone = run({**FIRING, "threshold_enable": first}, 200, IDEAL).spikes.tick
    assert np.diff(recording.spikes.tick).mean() == pytest.approx(np.diff(lone).mean(), rel=0.15)  # four times everything but the reset
    assert set(recording.provenance.active_circuits) == {0, 1, 256, 257}


def test_the_converter_sees_the_common_membrane_on_any_circuit():
    codes = {**levels((10, 900), (11, 700)), RIGHT: on(10)}
    record = Record(spikes=(), madc=(MadcChannel(10), MadcChannel(11)))
    left, right = (s.value.astype(float) for s in run(codes, 100, "-noise,-event_loss", record=record).madc)
    assert left[-500:].mean() == pytest.approx(right[-500:].mean(), abs=0.5)


# ---- Currents of connected circuits

LINKED = {LINE: on(0), SOMA: on(1), THROUGH: on(0), BIAS: 100}
JOINED = {RIGHT: on(0)}
BOTH = {VERTICAL: on(0, 256), **LINKED}
INTO, OUT = ("i_leak", "i_reset", "i_exp", "i_exc", "i_offset", "i_icc"), ("i_adapt", "i_inh")
UNEVEN = {
    "membrane_capacitance_capacitance": np.where(on(1), 40, 63),
    "constant_current_enable": True,
    "constant_current_i_offset": np.where(on(1), 200, 100),
    "reset_enable_multiplication": False,
}
ADEX = {**ADAPTIVE, "exponential_enable": on(0, 256), "exponential_i_bias": 300, "exponential_v_exp": 700, "threshold_enable": on(0)}
INHIBITED = {
    "synapse_row_mode": np.tile([1, 2], (2, 128)),
    "inhibitory_input_enable": True,
    "inhibitory_input_i_bias_tau": 32,
    "inhibitory_input_i_bias_gm": 400,
}


def charging(fields, us, circuits, interval, effects="-noise,-event_loss"):
    """Return membranes (V) and sums of all currents into them (A), shape (sample, circuit), capacitances (F), and refractory times."""
    record = Record(spikes=(), probe=(Probe(("v", "refractory", *INTO, *OUT), circuits, interval),))
    seen = run(fields, us, effects, record=record, entries=arriving(*range(1000, 30_000, 700))).probe[0].value[0].astype(float)
    capacitance = physical(Specimen.reference(), Effects.parse(effects), ChipConfig(whole(**fields)), list(circuits)).capacitance
    return seen[0], seen[2 : 2 + len(INTO)].sum(axis=0) - seen[2 + len(INTO) :].sum(axis=0), capacitance, seen[1]


@pytest.mark.parametrize("wiring", [LINKED, JOINED, BOTH], ids=["linked", "joined", "both"])
@pytest.mark.parametrize(
    "fields", [{**FIRING, "threshold_enable": on(0)}, {**STIMULATED, **INHIBITED}, ADEX, {**STIMULATED, **INHIBITED, **ADEX}],
    ids=["firing", "stimulated", "adaptive", "stimulated and adaptive"],
)  # fmt: skip
def test_the_currents_of_connected_circuits_charge_their_membranes(fields, wiring):
    """Kirchhoff for each circuit of a neuron: C dv/dt is the sum of its currents, with that between circuits.

    In 95 of 100 pairs of neighbouring samples (2 ns) within 2 % of the largest current; others lie at spikes, at events and at the borders of integration
    steps, where the dense output may jump. Over any 5 us, with all events, spikes and resets in it, the charge agrees within 5 % of what the membrane swings.
    """
    circuits = (0, 1, 256) if wiring is BOTH else (0, 1)
    v, total, capacitance, refractory = charging({**fields, **UNEVEN, **wiring}, 60, circuits, 1)
    assert v.min() > 0.01  # not held at ground or at the supply, which is none of the currents
    assert v.max() < 1.19
    slope = (v[2:] - v[:-2]) / 4e-9
    off = np.abs(capacitance * slope - total[1:-1]) / np.abs(total).max()
    assert np.quantile(off, 0.95) < 0.02
    brought = np.cumsum((total[1:] + total[:-1]) * 1e-9, axis=0)
    missing = (v[1:] - v[0]) * capacitance - brought
    assert np.abs(missing[2500:] - missing[:-2500]).max() < 0.05 * (np.ptp(v, axis=0) * capacitance).max()
    assert (refractory[:, 0] > 0).any() == ("threshold_v_threshold" in fields)


def test_linked_circuits_at_rest_exchange_what_their_leaks_bring():
    """The current through the conductance g is g (v' - v), the leak's with the other sign; the two circuits see opposite currents."""
    codes = {**levels((0, 700), (1, 900)), **LINKED}
    record = Record(spikes=(), probe=(Probe(("v", "i_leak", "i_icc"), (0, 1), US),))
    v, leak, icc = run(codes, 100, IDEAL, record=record).probe[0].value[0, :, -1].astype(float)
    np.testing.assert_allclose(icc, -leak, rtol=2e-3)
    np.testing.assert_allclose(icc, 3e-7 * (v[::-1] - v), rtol=1e-5)
    assert abs(icc[0]) > 1e-8


def test_the_current_between_circuits_is_zero_in_sum_and_without_connection():
    """Of a neuron over both hemispheres, whoever is looked at; a circuit without connections gets none."""
    codes = {**FIRING, **UNEVEN, **BOTH, "threshold_enable": on(0, 2)}
    record = Record(spikes=(), probe=(Probe(("i_icc",), (256, 2, 0, 1), 50), Probe(("v", "i_icc"), (0,), 50)))
    together, alone = run(codes, 40, record=record).probe
    icc = together.value[0, 0]
    np.testing.assert_array_equal(alone.value[0, 1, :, 0], icc[:, 2])
    np.testing.assert_array_equal(icc[:, 1], 0)
    np.testing.assert_allclose(icc.sum(axis=1), 0, atol=1e-6 * np.abs(icc).max())
    assert (np.ptp(icc, axis=0) > 0).tolist() == [True, False, True, True]


def test_a_reset_stops_the_exponential_currents_of_a_shared_membrane():
    codes = {**ADEX, **UNEVEN, **JOINED, "exponential_enable": on(0, 1)}
    record = Record(spikes=(), probe=(Probe(("refractory", "i_reset", "i_exp"), (0, 1), 25),))
    refractory, reset, upstroke = run(codes, 60, "-noise", record=record).probe[0].value[0]
    resetting = reset[:, 0] != 0
    assert resetting.any()
    assert (refractory[:, 1] == 0).all()
    np.testing.assert_array_equal(upstroke[resetting], 0)
    assert (upstroke[refractory[:, 0] == 0] > 0).all()


def test_looking_at_one_circuit_integrates_the_whole_neuron_and_nothing_else():
    codes = {**levels(), RIGHT: on(10), THROUGH: on(11), LINE: on(11), SOMA: on(12), BIAS: 100}
    recording = run(codes, 5, record=Record(spikes=(), probe=(Probe(("v",), (12,), US),)))
    assert recording.provenance.active_circuits == (10, 11, 12)


def test_recording_changes_no_spike():
    codes = {**FIRING, RIGHT: on(*range(0, 64, 2)), "threshold_enable": on(*range(64))}
    plain = run(codes, 100).spikes
    seen = run(codes, 100, record=Record(probe=(Probe(("v",), (3, 8), 7),))).spikes
    np.testing.assert_array_equal(plain.tick, seen.tick)
    np.testing.assert_array_equal(plain.circuit, seen.circuit)


def test_a_sequential_program_goes_on_with_shared_membranes():
    codes = {**FIRING, RIGHT: on(0), "threshold_enable": on(0)}
    whole_run = run(codes, 100, IDEAL, snippets=(Snippet(100 * US),)).spikes.tick
    one = chip(IDEAL)
    first, state = one.run(program(codes, 40, sequential=True))
    second, _ = one.run(program({}, 60, sequential=True), state)
    joined = np.concatenate([first.spikes.tick, second.spikes.tick + 40 * US])
    np.testing.assert_allclose(joined[joined < 99 * US], whole_run[whole_run < 99 * US], atol=12)


@pytest.mark.parametrize(
    ("parts", "where"),
    [
        ({"fields": {RIGHT: on(127)}}, r"^multicompartment_connect_right of circuit 127 is on"),
        ({"snippets": (Snippet(50), Snippet(50, whole(**{LINE: on(383)})))}, r"snippets\[1\]: multicompartment_connect_soma_right of circuit 383"),
        ({"writes": (TimedWrite(at=7, field=RIGHT, index=(255,), value=1),)}, r"writes\[0\]: multicompartment_connect_right of circuit 255"),
    ],
)
def test_a_switch_between_the_halves_is_refused_before_anything_runs(parts, where):
    fields = {**FIRING, **parts.pop("fields", {})}
    with pytest.raises(ConfigurationError, match=where):
        run(fields, 0.1, **parts)
