"""What leaves a chip: events, spikes and their counted losses, the converter, the probe."""

from __future__ import annotations

import math

import numpy as np
import pytest
from chip_programs import ADAPTIVE, FIRING, LATENCY, STIMULATED, N, arriving, membrane, program, run, trace, whole

from neckar.chip import probe
from neckar.chip.config import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.madc import conversion_ticks, sample_rate
from neckar.chip.probe import check_memory
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import MadcTransfer, physical
from neckar.errors import ConfigurationError, MemoryLimitError
from neckar.facts import brainscales2 as facts
from neckar.program import (
    PROBE_SIGNALS,
    DriverProbe,
    Events,
    MadcChannel,
    Probe,
    Record,
    SensorProbe,
    Snippet,
)

# ---- Events and losses


def test_every_event_is_delivered_or_counted():
    """And the link loses its share: within five standard deviations, false alarm 6e-7."""
    generator = np.random.default_rng(0)
    n = 200_000
    events = Events.from_columns(generator.integers(0, 2, n), generator.integers(0, 25_000, n), generator.integers(0, 2**16, n), 2)
    losses = run({**STIMULATED, "padi_enable_spl1": [True] * 6 + [False] * 2}, entries=events).losses
    losses.check()
    lost = {reason: number for (reason, place), number in losses.lost.items() if place == "fpga_to_chip"}
    assert losses.sent["fpga_to_chip"] == n
    assert losses.delivered["fpga_to_chip"] == n - sum(lost.values())
    assert abs(lost["link_loss"] - n * facts.LINK_LOSS.value) < 5 * math.sqrt(n * facts.LINK_LOSS.value)


def test_spikes_are_lost_on_the_way_out_and_counted():
    """Within five standard deviations, false alarm 6e-7."""
    noisy = run({**FIRING, "leak_i_bias": 1000}, 500)
    n = noisy.losses.sent["chip_to_fpga"]
    lost = noisy.losses.lost["link_loss", "chip_to_fpga"] + noisy.losses.lost["fifo_overflow", "chip_to_fpga"]
    assert len(noisy.spikes) == noisy.losses.delivered["chip_to_fpga"] == n - lost
    assert abs(noisy.losses.lost["link_loss", "chip_to_fpga"] - n * facts.LINK_LOSS.value) < 5 * math.sqrt(n * facts.LINK_LOSS.value)


def test_without_event_loss_nothing_is_lost():
    losses = run(FIRING, 100, "-event_loss", entries=arriving(*range(300, 40_000, 10))).losses
    assert losses.lost["link_loss", "fpga_to_chip"] == losses.lost["link_loss", "chip_to_fpga"] == 0
    assert losses.delivered["chip_to_fpga"] == losses.sent["chip_to_fpga"] > 0


def test_events_without_receiver_and_after_the_end_are_counted():
    end = 25_000
    events = Events.from_lists([[(0, 0), (1, 0xC000), (end - LATENCY - 1, 0), (end - LATENCY, 0), (end - 1, 0)]])
    losses = run({**STIMULATED, "padi_enable_spl1": [True, True, True, False] * 2}, effects="-event_loss", entries=events).losses
    assert losses.lost["after_end", "fpga_to_chip"] == 2
    assert losses.lost["no_receiver", "fpga_to_chip"] == 1
    assert losses.delivered["fpga_to_chip"] == 2


def test_spikes_that_the_crossbar_drops_or_the_neuron_keeps_do_not_reach_the_host():
    silent = run({**FIRING, "event_routing_enable_digital": np.arange(N) % 2 == 0}, effects="-event_loss")
    assert set(silent.spikes.circuit.tolist()) <= set(range(0, N, 2))
    assert len(silent.spikes) > 0
    assert len(run({**FIRING, "crossbar_target": 1}, effects="-event_loss").spikes) == 0


def test_spikes_are_recorded_only_where_and_while_asked():
    r = run(FIRING, snippets=(Snippet(12_500, record=Record(spikes=(4,))), Snippet(12_500)), record=Record(spikes=(5, 6)))
    assert set(r.spikes.circuit[r.spikes.tick < 12_500].tolist()) == {4}
    assert set(r.spikes.circuit[r.spikes.tick >= 12_500].tolist()) == {5, 6}
    r.losses.check()


# ---- The converter and the probe


def test_the_converter_samples_every_34_ns_on_a_grid_of_8_ns():
    samples = run(STIMULATED, 200, record=Record(spikes=(), madc=(MadcChannel(0),))).madc[0]
    exact = 17 * np.arange(-(-100_000 // 17))
    np.testing.assert_array_equal(samples.tick, exact // 4 * 4)
    assert set(np.diff(samples.tick)) == {16, 20}
    assert samples.value.dtype == np.uint16


def test_two_channels_alternate():
    even, odd = run(STIMULATED, 200, record=Record(spikes=(), madc=(MadcChannel(0), MadcChannel(1)))).madc
    np.testing.assert_array_equal(even.tick, 34 * np.arange(len(even.tick)) // 4 * 4)
    np.testing.assert_array_equal(odd.tick, (17 + 34 * np.arange(len(odd.tick))) // 4 * 4)


@pytest.mark.parametrize(("scaling", "scale", "factor"), [(True, 0, 2), (True, 3, 8), (False, 3, 1)])
def test_the_converter_obeys_its_clock_divisor(scaling, scale, factor):
    fields = {**STIMULATED, "madc_sample_duration_adjust": 0, "madc_enable_clock_scaling": scaling, "madc_clock_scale": scale}
    samples = run(fields, 20, record=Record(spikes=(), madc=(MadcChannel(0),))).madc[0]
    np.testing.assert_array_equal(samples.tick, np.arange(0, 10_000, 12 * factor))


BURST = {**STIMULATED, "madc_enable_continuous_sampling": False, "madc_number_of_samples": 500}


def test_a_burst_holds_so_many_samples_after_the_power_up_wait():
    """haldls vx/madc.h: 16-bit number of samples, 96 cycles of wait; over both inputs. Each section starts its own burst, which ends with the section."""
    record = Record(spikes=(), madc=(MadcChannel(0), MadcChannel(3)))
    even, odd = run(BURST, 100, record=record).madc
    np.testing.assert_array_equal(even.tick, (96 + 34 * np.arange(250)) // 4 * 4)
    np.testing.assert_array_equal(odd.tick, (96 + 17 + 34 * np.arange(250)) // 4 * 4)
    one = run(BURST, snippets=(Snippet(20_000), Snippet(3000), Snippet(20_000)), record=Record(spikes=(), madc=(MadcChannel(0),))).madc[0]
    within = -(-(3000 - 96) // 17)
    exact = np.concatenate([96 + 17 * np.arange(500), 20_096 + 17 * np.arange(within), 23_096 + 17 * np.arange(500)])
    np.testing.assert_array_equal(one.tick, exact // 4 * 4)
    assert len(run({**BURST, "madc_number_of_samples": 0}, record=record).madc[0].tick) == 0


def test_the_longest_burst_takes_2_2_ms():
    """calix madc_base.py: roughly 2.18 ms of recording besides the invalid samples."""
    stamp = run({**BURST, "madc_number_of_samples": 65_535}, 3000, record=Record(spikes=(), madc=(MadcChannel(0),))).madc[0].tick
    assert stamp[-1] * 2e-6 == pytest.approx(2.23, abs=0.01)
    assert (stamp[-1] - 4000) * 2e-6 > 2.18


def test_the_first_8_us_of_a_burst_are_invalid():
    """They settle from 0 V with 1 us; after 8 us less than half an LSB is left. calix madc_base.py: 8 us."""
    r = run({**BURST, "leak_i_bias": 1000}, 60, "-noise", record=Record(spikes=(), madc=(MadcChannel(0),), probe=(Probe(("v",), (0,), 17),)))
    since = 96 + 17 * np.arange(500)
    v = np.interp(since, r.probe[0].tick, trace(r)) * -np.expm1(-since / 500)
    expected = MadcTransfer.of(Specimen.reference(), Effects.parse("-noise")).reading(v)
    np.testing.assert_allclose(r.madc[0].value, expected, atol=1.1)
    plain = run({**STIMULATED, "leak_i_bias": 1000}, 60, "-noise", record=Record(spikes=(), madc=(MadcChannel(0),))).madc[0].value
    assert (r.madc[0].value[:200] < plain[0] - 10).any()
    assert abs(int(r.madc[0].value[since > 4000].min()) - int(plain[-1])) <= 1


@pytest.mark.parametrize(("length", "first"), [(1, 0), (1, 1), (4, 0), (3, 1), (15, 1)])
def test_two_inputs_take_turns_of_some_samples(length, first):
    """haldls vx/madc.h draws four samples of one input, then four of the other."""
    fields = {**STIMULATED, "madc_active_mux_input_select_length": length, "madc_active_mux_initially_selected_input": first}
    inputs = run(fields, 20, record=Record(spikes=(), madc=(MadcChannel(0), MadcChannel(3)))).madc
    number = np.arange(-(-10_000 // 17))
    for place, samples in enumerate(inputs):
        mine = (first + number // length) % 2 == place
        np.testing.assert_array_equal(samples.tick, (17 * number[mine]) // 4 * 4)
    alone = run(fields, 20, record=Record(spikes=(), madc=(MadcChannel(0),))).madc[0]
    np.testing.assert_array_equal(alone.tick, 17 * number // 4 * 4)


def test_inputs_that_never_change_leave_one_circuit_without_samples():
    fields = {**STIMULATED, "madc_active_mux_input_select_length": 0, "madc_active_mux_initially_selected_input": 1}
    even, odd = run(fields, 20, record=Record(spikes=(), madc=(MadcChannel(0), MadcChannel(3)))).madc
    assert len(even.tick) == 0
    assert len(odd.tick) == -(-10_000 // 17)


def test_open_instruments_know_neither_bursts_nor_turns():
    fields = {**BURST, "madc_active_mux_input_select_length": 4}
    even, odd = run(fields, 100, instruments="open", record=Record(spikes=(), madc=(MadcChannel(0), MadcChannel(2)))).madc
    np.testing.assert_array_equal(even.tick, 17 * np.arange(-(-50_000 // 17)) // 4 * 4)
    np.testing.assert_array_equal(odd.tick, even.tick)


def test_the_links_know_how_many_samples_share_them():
    """29.4 million per second, over both channels; none without a channel."""
    for channels in ((MadcChannel(0),), (MadcChannel(0), MadcChannel(1))):
        assert sample_rate({}, Record(madc=channels)) == pytest.approx(29.41e6, rel=1e-3)
    assert sample_rate({}, Record()) == 0
    assert sample_rate(whole(madc_enable_clock_scaling=True, madc_clock_scale=3), Record(madc=(MadcChannel(0),))) == pytest.approx(29.41e6 / 8, rel=1e-3)


def test_a_slow_converter_needs_less_memory(monkeypatch):
    monkeypatch.setattr(probe, "_available", lambda: 2**30)
    slow, record = {"madc_enable_clock_scaling": True, "madc_clock_scale": 4095}, Record(spikes=(), madc=(MadcChannel(0),))
    check_memory(program(slow, 30e6, record=record), conversion_ticks(whole(**slow)))
    with pytest.raises(MemoryLimitError, match="raise the interval"):
        check_memory(program({}, 30e6, record=record), conversion_ticks({}))


def test_open_instruments_sample_every_channel_at_the_full_rate():
    channels = tuple(MadcChannel(c) for c in (0, 2, 4))
    r = run(STIMULATED, 20, instruments="open", record=Record(spikes=(), madc=channels))
    assert [len(s.tick) for s in r.madc] == [-(-10_000 // 17)] * 3


def test_the_converter_reads_what_the_probe_sees():
    events, record = arriving(2000, 4000), Record(spikes=(), madc=(MadcChannel(0),), probe=(Probe(("v",), (0,), 17),))
    r = run(STIMULATED, effects="-noise,-event_loss", entries=events, record=record)
    transfer = MadcTransfer.of(Specimen.reference(), Effects.parse("-noise"))
    np.testing.assert_array_equal(r.madc[0].value, transfer.codes(trace(r)))
    assert np.ptp(r.madc[0].value.astype(int)) > 20


def test_the_probe_shows_the_currents_that_the_engine_applies():
    """In the reset phase the exponential rests and, with the pause on, so do the inputs; outside it they act."""
    fields = {**STIMULATED, **FIRING, "exponential_enable": True, "exponential_i_bias": 600, "refractory_period_enable_pause": True}
    signals = ("refractory", "i_exp", "i_exc", "i_leak", "s_exc")
    record = Record(spikes=(), probe=(Probe(signals, (0,), 7),))
    shown = run(fields, 100, "ideal", entries=arriving(*range(300, 49_000, 200)), record=record).probe[0].value[0, ..., 0]
    values = dict(zip(signals, shown, strict=True))
    holdoff = physical(Specimen.reference(), Effects.ideal(), ChipConfig(whole(**fields)), [0]).t_holdoff[0]
    resetting = values["refractory"] > 1.01 * holdoff
    assert 10 < resetting.sum() < len(resetting) - 10
    for name in ("i_exp", "i_exc", "i_leak"):
        assert (values[name][resetting] == 0).all(), name
        assert (values[name][~resetting] != 0).any(), name
    assert (values["s_exc"][resetting] > 0).any()


@pytest.mark.parametrize("fields", [FIRING, STIMULATED, {**ADAPTIVE, "exponential_enable": True, "exponential_i_bias": 300, "exponential_v_exp": 700}])
def test_the_currents_of_the_probe_charge_the_membrane(fields):
    """Kirchhoff: C dv/dt is the sum of the currents, in the reset phase and outside it.

    Within 2 % of the largest current, away from spikes, events and the borders of integration steps, where the dense output may jump by some 0.1 mV.
    """
    currents = ("i_leak", "i_reset", "i_exp", "i_exc", "i_offset", "i_adapt", "i_inh")
    fields = {**fields, "reset_enable_multiplication": False, "constant_current_enable": True, "constant_current_i_offset": 100}
    record = Record(spikes=(), probe=(Probe(("v", "refractory", *currents), (0,), 5),))
    values = run(fields, 100, "-noise,-event_loss", entries=arriving(10_000, 30_000), record=record).probe[0].value[0, ..., 0]
    v, refractory = values[0].astype(float), values[1]
    total = values[2:7].sum(axis=0) - values[7] - values[8]
    capacitance = physical(Specimen.reference(), Effects(), ChipConfig(whole(**fields)), [0]).capacitance[0]
    slope = (v[2:] - v[:-2]) / 20e-9
    jump = np.abs(np.diff(total, prepend=total[0])) > 0.05 * np.ptp(total)
    border = np.arange(len(v)) % 50 == 0  # 0.5 us
    smooth = ~np.convolve(jump | border, np.ones(5), "same").astype(bool)[1:-1]
    assert smooth.mean() > 0.8
    assert np.abs(capacitance * slope - total[1:-1])[smooth].max() < 0.02 * np.abs(total).max()
    if fields["leak_v_leak"] == 1000:
        assert (refractory > 0).any()
        assert np.ptp(values[3]) > 0


def test_the_probe_shows_the_potentials_that_the_codes_mean():
    signals = ("e_leak", "v_threshold")
    shown = run(FIRING, 10, "-noise", record=Record(spikes=(), probe=(Probe(signals, (3, 300), 1000),))).probe[0]
    p = physical(Specimen.reference(), Effects(), ChipConfig(whole(**FIRING)), [3, 300])
    for k, name in enumerate(signals):
        np.testing.assert_array_equal(shown.value[0, k], np.broadcast_to(getattr(p, name).astype(np.float32), (5, 2)))
    silent = {**FIRING, "threshold_enable": False}
    assert np.isinf(run(silent, 1, record=Record(spikes=(), probe=(Probe(("v_threshold",), (0,), 500),))).probe[0].value).all()


def test_a_probe_of_many_circuits_shows_what_each_shows_alone():
    """On both hemispheres, with events and spikes."""
    events, circuits = arriving(*range(300, 20_000, 170)), (511, 0, 5, 256)
    record = Record(spikes=(), probe=(Probe(("v", "i_exc"), circuits, 30),))
    fields = {**STIMULATED, **FIRING}
    together = run(fields, entries=events, record=record).probe[0].value
    for k, circuit in enumerate(circuits):
        alone = run(fields, entries=events, record=Record(spikes=(), probe=(Probe(("v", "i_exc"), (circuit,), 30),))).probe[0].value
        np.testing.assert_array_equal(alone[..., 0], together[..., k])


@pytest.mark.parametrize(("source", "signal"), [("exc_synin", "s_exc"), ("inh_synin", "s_inh"), ("membrane", "v"), ("adaptation", "w")])
def test_a_synaptic_line_is_read_through_its_follower(source, signal):
    """It rests 0.6 V below the supply; events pull it down. A stronger bias lowers it with the square root; without bias nothing is driven."""
    bias = np.array([110, 440, 110, 0], np.uint16)
    rows = {"synapse_row_mode": np.tile([1, 2], (2, 128)), "inhibitory_input_enable": True, "inhibitory_input_i_bias_tau": 32}
    fields = {**STIMULATED, **rows, "neuron_i_bias_readout_amp": bias}
    for circuit, drop in ((1, 0.6), (129, 0.7)):
        record = Record(spikes=(), madc=(MadcChannel(circuit, source),), probe=(Probe((signal,), (circuit,), 17),))
        r = run(fields, effects="-noise,-event_loss", entries=arriving(5000), record=record)
        line = 1.2 - drop - trace(r).astype(float) if "synin" in source else trace(r)
        np.testing.assert_array_equal(r.madc[0].value, MadcTransfer.of(Specimen.reference(), Effects.parse("-noise")).codes(line.astype(np.float32)))
    dead = run(fields, effects="-noise", record=Record(spikes=(), madc=(MadcChannel(385, source),))).madc[0].value
    assert (dead == dead[0]).all()
    assert dead[0] == 25


def test_the_readout_multiplexer_does_not_block_more_than_the_supply():
    """A membrane above 1.2 V, possible without saturation, shows on the line of a neuron that reads something else."""
    high = {"leak_v_leak": 1022, "leak_i_bias": 300, "constant_current_enable": True, "constant_current_i_offset": 1022}
    for effects, shown in (("-noise,-saturation", True), ("-noise", False)):
        record = Record(spikes=(), madc=(MadcChannel(0, "exc_synin"),), probe=(Probe(("v",), (0,), 17),))
        r = run(high, effects=effects, record=record)
        above = trace(r) > 1.2
        assert above.any() == shown
        line = np.where(above, trace(r), np.float32(0.6))
        np.testing.assert_array_equal(r.madc[0].value, MadcTransfer.of(Specimen.reference(), Effects.parse(effects)).codes(line))


def test_two_channels_that_share_the_converter_need_the_memory_of_one(monkeypatch):
    duration_us = 2**27 * 24 / 1e3  # silicon: 34 ns for each sample
    two = program({}, duration_us, record=Record(spikes=(), madc=(MadcChannel(0), MadcChannel(1))))
    monkeypatch.setattr(probe, "_available", lambda: 2 * 40 * 2**27)
    check_memory(two, conversion_ticks({}), share=True)
    with pytest.raises(MemoryLimitError):
        check_memory(two, conversion_ticks({}))


def test_probes_of_drivers_and_sensors_are_counted_in_the_memory(monkeypatch):
    """Four bytes for each sample of u and pulse of a driver, and of each signal of a synapse."""
    monkeypatch.setattr(probe, "_available", lambda: 2**30)
    samples = 100_000
    drivers, sensors = DriverProbe("u", 0, range(100), 5), SensorProbe(("causal", "v_causal"), 1, range(20), range(10), 5)
    needed = 4 * samples * (2 * 100 + 2 * 200)
    twice = Record(spikes=(), driver_probe=(drivers, DriverProbe("pulse", 0, range(100), 5)), sensor_probe=(sensors,) * 8)
    check_memory(program({}, 1000, record=Record(spikes=(), driver_probe=(drivers,), sensor_probe=(sensors,))), 17)
    with pytest.raises(MemoryLimitError, match=f"take {8 * needed - 6 * 4 * samples * 200} bytes"):
        check_memory(program({}, 1000, record=twice), 17)


def test_an_instrument_in_one_snippet_samples_there_only():
    p, m = Probe(("v",), (0,), 30), MadcChannel(0)
    snippets = (Snippet(10_000), Snippet(5_001, record=Record(spikes=(), madc=(m,), probe=(p,))), Snippet(9_999))
    r = run(STIMULATED, snippets=snippets, record=Record(spikes=()))
    assert (r.probe[0].tick[0], r.probe[0].tick[-1]) == (10_020, 15_000)
    assert (r.madc[0].tick[0], r.madc[0].tick[-1]) == (10_013 // 4 * 4, 14_994 // 4 * 4)


@pytest.mark.parametrize("circuits", [(0, 2), (1, 257), (0, 1, 2)])
def test_the_converter_has_one_input_for_each_parity(circuits):
    with pytest.raises(ConfigurationError, match=r"one for even and one for odd columns.*(?s:.)*split the recording.*instruments=\"open\""):
        run(STIMULATED, record=Record(madc=tuple(MadcChannel(c) for c in circuits)))


def test_a_probe_too_large_is_refused_before_it_runs():
    huge = Record(spikes=(), probe=(Probe(PROBE_SIGNALS, tuple(range(N)), 1),))
    needed = 4 * len(PROBE_SIGNALS) * N * 15_000_000_000
    with pytest.raises(MemoryLimitError, match=f"take {needed} bytes"):
        run(FIRING, 30e6, record=huge)


def test_a_probe_in_a_late_snippet_needs_memory_for_that_snippet_only(monkeypatch):
    monkeypatch.setattr(probe, "_available", lambda: 2**30)
    long, short = 15_000_000_000 - 5000, 5000
    check_memory(program(FIRING, snippets=(Snippet(long), Snippet(short, record=membrane())), record=Record(spikes=())), 17)
    with pytest.raises(MemoryLimitError, match=f"take {4 * long} bytes"):
        check_memory(program(FIRING, snippets=(Snippet(long, record=membrane()), Snippet(short)), record=Record(spikes=())), 17)
