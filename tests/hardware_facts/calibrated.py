"""What a calibrated chip does, measured on the running twin: one function per quantity, one number per circuit.

Each takes the codes of the chip, so that a calibrated chip can be compared with one whose searched parameter is the same on all circuits, as upstream's test
of a calibration does (calix test_neuron_distribution.py). Potentials are volts; :func:`madc` and :func:`cadc` say what the converters read, without noise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from chips import ALL, Floats, events, probed, run
from codes import TABLE, Codes

from neckar.chip.cadc import ACAUSAL, CAUSAL, CadcTransfer, channels_of
from neckar.chip.machine import Chip
from neckar.chip.transfer import MadcTransfer
from neckar.facts import brainscales2 as facts
from neckar.program import Events, Record, Recording, TimedRead

QUIET = {"threshold_enable": False}
TRIALS = 16


def rest(chip: Chip, codes: Codes) -> Floats:
    """Return the potential of each circuit without events, V."""
    return volts(run(chip, {**codes, **QUIET}, 150, probed(["v"], ALL, 1)))[-50:].mean(axis=0)


def reset_level(chip: Chip, codes: Codes) -> Floats:
    """Return the potential of each circuit while it is held at reset, V: a neuron that a leak at the upper end fires once, with a long refractory period."""
    held = {"refractory_period_refractory_time": 255, "refractory_period_input_clock": 0, "backend_clock_scale_slow": 9, "leak_v_leak": 1022}
    return volts(run(chip, {**codes, **held}, 120, probed(["v"], ALL, 1)))[-20:].mean(axis=0)


def peak(chip: Chip, codes: Codes) -> Floats:
    """Return the highest potential of each firing circuit, V: driven by a constant current, as upstream's stage does."""
    driven = {"constant_current_enable": True, "constant_current_i_offset": 1000, "leak_i_bias": 50, "leak_enable_division": True}
    return volts(run(chip, {**codes, **driven}, 60, probed(["v"], ALL, 0.02)))[500:].max(axis=0)


def volts(recording: Recording) -> Floats:
    """Return what the probe saw of the membranes in the only trial, shape (sample, circuit)."""
    return np.asarray(recording.probe[0].value[0, 0], np.float64)


def madc(chip: Chip, potential: Floats) -> Floats:
    """Return potentials in MADC LSB."""
    return MadcTransfer.of(chip.specimen, chip.effects).reading(potential)


def cadc(chip: Chip, codes: Codes, potential: Floats) -> Floats:
    """Return potentials, one per circuit, in CADC LSB: the mean of both channels of each circuit, as upstream's calibration reads neurons."""
    transfer = CadcTransfer.of(chip.specimen, chip.effects, codes)
    channels = np.stack([channels_of(np.arange(512), kind) for kind in (CAUSAL, ACAUSAL)])
    return (transfer.reading(np.broadcast_to(potential, channels.shape), channels) + transfer.offset[channels]).mean(axis=0)


def membrane_time(chip: Chip, codes: Codes) -> Floats:
    """Return the time constant of each membrane, us, from the decay after a constant current; the mean of several trials."""
    current = {"constant_current_i_offset": 300}
    pieces = [(60, {"constant_current_enable": True}), (100, {"constant_current_enable": False})]
    v = averaged(chip, run(chip, {**codes, **QUIET, **current}, pieces, probed(["v"], ALL, 0.5), entries=Events.empty(TRIALS)))
    return decay_time(v[121:] - v[-60:].mean(axis=0), 0.5)


def line_time(chip: Chip, codes: Codes, kind: str, sign: int) -> Floats:
    """Return the time constant of each synaptic line, us, from the decay after an event."""
    signal = {"excitatory": "s_exc", "inhibitory": "s_inh"}[kind]
    recording = run(chip, {**stimulated(codes, sign), **QUIET}, 80, probed([signal], ALL, 0.1), entries=events(5.0))
    return decay_time(recording.probe[0].value[0, 0][60:], 0.1)


def approach_time(chip: Chip, codes: Codes) -> Floats:
    """Return with which time constant each circuit and its neighbour, apart at rest, approach each other once its conductance connects them, us."""
    even = np.arange(512) % 2 == 0
    found = np.zeros(512)
    for side in (even, ~even):
        connected = {"multicompartment_enable_conductance": side, "multicompartment_connect_soma": ~side}
        pieces = [(200, {"multicompartment_connect_soma_right": even}), (30, connected)]
        v = volts(run(chip, {**codes, **QUIET}, pieces, probed(["v"], ALL, 0.2)))[1001:]
        apart = v[:, ~even] - v[:, even]
        found[side] = decay_time(apart[:40] - apart[-60:].mean(axis=0), 0.2)
    return found


def decay_time(v: Floats, step_us: float) -> Floats:
    """Return the time constants of decays (sample, circuit), us: a straight line through the logarithm down to a fifth of the start."""
    found = []
    for trace in v.T:
        n = max(5, int(np.argmax(trace < 0.2 * trace[0])))
        found.append(-step_us / np.polyfit(np.arange(n), np.log(np.maximum(trace[:n], 1e-9)), 1)[0])
    return np.array(found)


def psp(chip: Chip, codes: Codes, sign: int, weight: int = 32) -> Floats:
    """Return the height of the mean answer of each circuit to one event of one synapse, MADC LSB per weight unit; negative for inhibition."""
    v = averaged(chip, run(chip, {**stimulated(codes, sign, weight), **QUIET}, 120, probed(["v"], ALL, 0.5), entries=events(100.0, n_entries=TRIALS)))
    return (v[216:226].mean(axis=0) - v[140:198].mean(axis=0)) / weight


def driver_amplitudes(chip: Chip, codes: Codes, label: int = 0, n_drivers: int = 128, weight: int = 63) -> Floats:
    """Return the step of the line by one event of each driver, CADC LSB of a nominal converter, shape (hemisphere, driver).

    Each driver of both hemispheres answers in an entry of its own; the drop of the line is the mean over its 256 columns.
    """
    mode = TABLE["synapse_row_mode"].default_array()
    mode[:, ::2] = 1
    rows = {"synapse_row_mode": mode, "synapse_weight": weight, "driver_enable_receiver": True, "driver_row_address_compare_mask": 31}
    entries = [[(1000, (d % 4) << 14 | (d // 4) << 6 | label)] for d in range(n_drivers)]
    recording = run(chip, {**codes, **rows, **QUIET}, 12, probed(["s_exc"], ALL, 0.5), entries=Events.from_lists(entries))
    peak = recording.probe[0].value[:, 0].max(axis=1)  # (entry, circuit)
    return (peak.reshape(n_drivers, 2, 256).mean(axis=2) / facts.CADC_STEP.value).T


def of_blocks(amplitudes: Floats) -> Floats:
    """Return amplitudes by CapMem block: even drivers west, odd ones east."""
    return np.concatenate([amplitudes[:, ::2], amplitudes[:, 1::2]])


def sensor_drops(chip: Chip, delay_us: float, codes: Codes, branch: str = "causal", n_pairs: int = 40) -> Floats:
    """Return by how many LSB per pair the sensors of 32 rows of both hemispheres fall, shape (hemisphere, row, column); pre pulses are `delay_us` early."""
    rows = np.arange(256) // 2 % 4 == 0  # of the drivers of bus 0
    fires = np.arange(256) // 2 == 1  # of a driver of bus 1, past the membrane
    paired = {
        "synapse_row_mode": np.tile(np.where((rows | fires) & (np.arange(256) % 2 == 0), 1, 0), (2, 1)),
        "synapse_weight": np.broadcast_to(np.where(fires, 10, 0)[None, :, None], (2, 256, 256)),
        "synapse_label": 0,
        "event_routing_enable_bypass_excitatory": True,
        "driver_row_address_compare_mask": np.tile(np.where(np.arange(128) % 4 == 0, 0, 31), (2, 1)),
        "driver_enable_receiver": np.tile(np.isin(np.arange(128) % 4, (0,)) | (np.arange(128) == 1), (2, 1)),
        "cadc_connect_neuron": False,
    }
    pairs = [(round(500 * (50 + 100 * k + late)), label) for k in range(n_pairs) for late, label in ((0.0, 0), (delay_us, 1 << 14))]
    reads = [TimedRead(name=f"{h} {at}", at=at, field=f"correlation_{branch}", index=(h,)) for h in (0, 1) for at in ("before", "after")]
    record = Record(spikes=())
    recording = run(chip, {**codes, **paired}, 100 * n_pairs + 100, record, entries=Events.from_lists([pairs]), reads=tuple(reads))
    before, after = (np.stack([recording.reads[f"{h} {at}"].reshape(256, 256).astype(float) for h in (0, 1)]) for at in ("before", "after"))
    drop = before - after
    return drop[:, rows & (np.arange(256) % 2 == 0)] / n_pairs


def averaged(chip: Chip, recording: Recording) -> Floats:
    """Return the mean over trials of what the probe saw, shape (sample, circuit), MADC LSB."""
    return madc(chip, recording.probe[0].value[:, 0].mean(axis=0))


def stimulated(codes: Codes, sign: int, weight: int = 32) -> Codes:
    """Return codes with one row of synapses on both hemispheres, which an event with label 0 reaches: 1 excitatory, 2 inhibitory."""
    mode, plane = TABLE["synapse_row_mode"].default_array(), TABLE["synapse_weight"].default_array()
    receiver = TABLE["driver_enable_receiver"].default_array()
    mode[:, 0], plane[:, 0], receiver[:, 0] = sign, weight, True
    return {**codes, "synapse_row_mode": mode, "synapse_weight": plane, "driver_enable_receiver": receiver, "driver_row_address_compare_mask": 0}


def trimmed(values: Floats) -> float:
    """Return the standard deviation without 5 % at either end."""
    ordered = np.sort(values)
    cut = int(0.05 * len(ordered))
    return float(ordered[cut:-cut].std())


def spreads(chip: Chip, codes: Codes) -> dict[str, tuple[float, float]]:
    """Return the trimmed spread of each quantity after and before calibration; before, the searched code is the median everywhere."""
    return {
        "leak": _spread(chip, codes, lambda c, x: cadc(c, x, rest(c, x)), "leak_v_leak"),
        "reset": _spread(chip, codes, lambda c, x: cadc(c, x, reset_level(c, x)), "reset_v_reset"),
        "threshold": _spread(chip, codes, lambda c, x: cadc(c, x, peak(c, x)), "threshold_v_threshold"),
        "tau_mem": _spread(chip, codes, membrane_time, "leak_i_bias", "leak_enable_division"),
        "tau_syn": _spread(chip, codes, lambda c, x: line_time(c, x, "excitatory", 1), "excitatory_input_i_bias_tau"),
        "tau_syn_inh": _spread(chip, codes, lambda c, x: line_time(c, x, "inhibitory", 2), "inhibitory_input_i_bias_tau"),
    }


def _spread(chip: Chip, codes: Codes, quantity: Callable[[Chip, Codes], Floats], *fields: str) -> tuple[float, float]:
    same = {name: np.median(codes[name]).astype(codes[name].dtype) for name in fields}
    return trimmed(quantity(chip, codes)), trimmed(quantity(chip, {**codes, **same}))


def check_converter(chip: Chip, codes: Codes) -> None:
    """Row A24 [calix test_cadc_calibration.py]: spread of all channels < 3, quadrants' means within 5, offsets' spread < 20, middle at 128 +- 40."""
    transfer = CadcTransfer.of(chip.specimen, chip.effects, codes)
    reads = transfer.codes(np.full(1024, 0.6), np.arange(1024), np.random.default_rng(0).standard_normal(1024)).astype(float)
    assert reads.std() < 3
    assert np.ptp(reads.reshape(2, 2, 2, 128).mean(axis=(1, 3))) < 5
    assert codes["cadc_channel_offset"].std() < 20
    assert abs(reads.mean() - 128) < 40
