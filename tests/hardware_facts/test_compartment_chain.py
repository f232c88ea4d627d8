"""Rows A17 and A28: a chain of four compartments, and the capacitance that joined circuits bring.

Sources: the notebook ts_03-multicompartment in brainscales2-demos, whose vector figure contains the recorded samples (chip of October 2021, default
calibration, ten inputs of weight 31 into one compartment after another, i_bias_nmda 500); calix tests/hw/py/test_capacitance_measurement.py.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from chips import OTHERS, SPECIMEN, assert_four_of_five, membranes, probed, readings, run, samples
from codes import TABLE, default_calibration, with_membrane_time

from neckar.calibration import CadcTarget, PotentialTarget
from neckar.calibration.measure import Bench, calibrate_cadc, set_neurons
from neckar.calibration.measure.capacitance import fit, intrinsic_capacitance
from neckar.chip.effects import Effects
from neckar.chip.machine import Chip
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import physical
from neckar.lab import Lab
from neckar.program import TICKS_PER_US, Events

# ---- A17: chain of four compartments of two circuits each

LENGTH, INPUTS, WEIGHT = 4, 10, 31
FIRST = tuple(range(0, 2 * LENGTH, 2))
"""The circuit of each compartment that has leak, capacitance and synapses; its right neighbour brings a second connection to the line."""

FIGURE = np.array([[78, 50, 36, 29], [39, 45, 66, 93]])
"""Peaks along the chain if the first, or the last (in reverse), compartment is stimulated; LSB above rest."""

PEAK_US = np.array([7.2, 11.9, 14.9, 16.0])
EVENT_US = 100.0
REPEATS = 8


@cache
def chained(chip, conductance=500):
    """Return the codes of the notebook's neuron on a calibrated chip."""
    codes = {**default_calibration(chip), "threshold_enable": False}
    second = np.array(FIRST) + 1
    for name, value in (("leak_i_bias", 0), ("leak_enable_division", 1), ("membrane_capacitance_capacitance", 0)):
        codes[name] = np.broadcast_to(codes.get(name, TABLE[name].default), 512).copy()
        codes[name][second] = value
    to_line, through = FIRST[1:], second[:-1]
    weight, label, receiver, mode = (TABLE[name].default_array() for name in ("synapse_weight", "synapse_label", "driver_enable_receiver", "synapse_row_mode"))
    drivers = np.arange(0, 4 * INPUTS // 2, 4)
    receiver[0, drivers] = True
    rows = np.concatenate([2 * drivers, 2 * drivers + 1])
    mode[0, rows] = 1
    for k, circuit in enumerate(FIRST):
        weight[0, rows, circuit], label[0, rows, circuit] = WEIGHT, k
    return codes | {
        "multicompartment_connect_right": np.isin(np.arange(512), FIRST),
        "multicompartment_connect_soma": np.isin(np.arange(512), to_line),
        "multicompartment_enable_conductance": np.isin(np.arange(512), through),
        "multicompartment_connect_soma_right": np.isin(np.arange(512), through),
        "multicompartment_i_bias_nmda": conductance,
        "synapse_weight": weight,
        "synapse_label": label,
        "driver_enable_receiver": receiver,
        "driver_row_address_compare_mask": 0,
        "synapse_row_mode": mode,
    }


@cache
def responses(chip, conductance=500):
    """Return time after the event (us) and how each compartment answers to an event into each, shape (stimulated, recorded, sample), LSB above rest."""
    lists = [[(round(EVENT_US * TICKS_PER_US), k)] for k in range(LENGTH) for _ in range(REPEATS)]
    recording = run(chip, chained(chip, conductance), EVENT_US + 80, membranes(FIRST), entries=Events.from_lists(lists))
    time, values = samples(recording)
    mean = values.reshape(LENGTH, REPEATS, LENGTH, -1).mean(axis=1)
    before = (time > EVENT_US - 40) & (time < EVENT_US)
    return time - EVENT_US, mean - mean[..., before].mean(axis=-1, keepdims=True)


def heights(chip, conductance=500):
    """Return the height of each answer: the mean of its 40 largest samples."""
    return np.sort(responses(chip, conductance)[1], axis=-1)[..., -40:].mean(axis=-1)


def decay_error(chip):
    """Return the largest difference between relative heights and the figure's."""
    relative = heights(chip)[[0, -1]] / heights(chip)[[0, -1], [0, -1]][:, None]
    return np.abs(relative - FIGURE / FIGURE[[0, 1], [0, -1]][:, None]).max()


def test_a17_a_psp_loses_height_along_the_chain_as_in_the_figure():
    """The conductance per code was chosen so. Relative to the height in the stimulated compartment, both ends."""
    assert decay_error(SPECIMEN) < 0.16
    assert_four_of_five(decay_error, 0, 0.16)


def test_a17_a_psp_peaks_later_along_the_chain_as_in_the_figure():
    """Samples averaged over 1 us, because a flat peak with noise has no place."""
    time, answers = responses(SPECIMEN)
    smooth = np.stack([np.convolve(answer, np.ones(29) / 29, "same") for answer in answers[0]])[:, :-30]
    np.testing.assert_allclose(time[smooth.argmax(axis=1)], PEAK_US, rtol=0.2)


def test_a17_every_compartment_answers_most_to_its_own_input_and_less_with_distance():
    for chip in (SPECIMEN, *OTHERS):
        h = heights(chip)
        for k in range(LENGTH):
            assert (np.diff(h[k, k:]) < 0).all()
            assert (np.diff(h[k, : k + 1]) > 0).all()


def test_a17_the_ends_of_the_chain_answer_most():
    """Half the axial load; the figure has 78 and 93 against 74 and 69 (pixel maxima) in between."""
    local = np.diag(heights(SPECIMEN))
    assert min(local[[0, -1]]) > max(local[1:-1])


def test_a17_the_chain_is_reciprocal():
    """Within 30 %: compartments differ in gain and capacitance."""
    h = heights(SPECIMEN)
    assert (np.abs(h - h.T) / (h + h.T) * 2).max() < 0.3


def test_a17_a_larger_conductance_lowers_the_local_answer_and_raises_the_far_one():
    """The notebook's questions."""
    weak, strong = (heights(SPECIMEN, code)[0] for code in (250, 1000))
    assert strong[0] < 0.85 * weak[0]
    assert strong[3] > 1.3 * weak[3]


def test_a17_the_height_follows_from_one_event_and_the_cable():
    """Without imperfections: matrix exponential of compartments (2.3 and 0.2 pF, 10 us) and 3 nS per code, charge 8.2 fC per weight unit.

    That is 105 LSB at the stimulated end, a third above the figure's 78: see the ledger.
    """
    ideal = Chip(Specimen.reference(), Effects.parse("-mismatch,-noise,-quantisation,-saturation,-event_loss"), instruments="open")
    capacitance, leak = 2.5e-12, 2.3e-12 / 10e-6
    g = 3e-9 * 500 * (np.diag([1, 2, 2, 1]) - np.eye(LENGTH, k=1) - np.eye(LENGTH, k=-1))
    rates, modes = np.linalg.eigh((g + leak * np.eye(LENGTH)) / capacitance)
    t = np.arange(0, 60e-6, 0.05e-6)[:, None]
    charge = WEIGHT * INPUTS * 8.2e-15 / capacitance / 10e-6
    mode = charge * (np.exp(-t / 10e-6) - np.exp(-rates * t)) / (rates - 1 / 10e-6 + 1e-3)
    closed = (mode * modes[0]) @ modes.T / 1.5e-3
    np.testing.assert_allclose(heights(ideal)[0], closed.max(axis=0), rtol=0.03)


# ---- A28: the time constant when six membranes are joined

JOINED = 6
NEURONS = np.array([base + k for base in (0, 128, 256, 384) for k in range(0, 128 - JOINED, JOINED)])
"""First circuits of the neurons, as many as fit into each quadrant."""


def time_constants(chip, connected, capacitance=63):
    """Return the time constant of each neuron, us, from its decay after a constant current; all but its first circuit have no leak and no capacitance."""
    first = np.isin(np.arange(512), NEURONS)
    tail = np.isin(np.arange(512), np.add.outer(NEURONS, np.arange(JOINED - 1)))
    size = np.zeros(512, int)
    size[NEURONS] = capacitance
    codes = with_membrane_time(chip, {"membrane_capacitance_capacitance": 63, "leak_enable_division": True, "leak_v_leak": 600}, 50.0)
    codes |= {
        "leak_i_bias": np.where(first, codes["leak_i_bias"], 0),
        "membrane_capacitance_capacitance": size,
        "constant_current_enable": first,
        "constant_current_i_offset": 150,
        "multicompartment_connect_right": tail & connected,
    }
    recording = run(chip, codes, [(300, {}), (150, {"constant_current_enable": False})], probed(["v"], NEURONS, 1.0))
    v = readings(chip, recording)[0]
    t = np.arange(150.0)
    return np.array([_tau(t, trace[300:]) for trace in v.T])


def _tau(t, v):
    """Return the time constant of an exponential towards an unknown level (us): equal gaps shrink by a constant factor."""
    thirds = [v[(t >= a) & (t < a + 50)].mean() for a in (0, 50, 100)]
    return 50 / np.log((thirds[0] - thirds[1]) / (thirds[1] - thirds[2]))


@cache
def alone(chip):
    return time_constants(chip, False)


def test_a28_joined_circuits_bring_their_capacitance():
    """Five circuits without switched capacitance raise the time constant by 24 % or more."""

    def change(chip):
        return np.mean(np.abs(time_constants(chip, True) / alone(chip) - 1))

    assert change(SPECIMEN) > 0.24
    assert_four_of_five(change, 0.24, 0.8)


def test_a28_a_smaller_switched_capacitance_makes_up_for_it():
    """Less than 12 % is left if the intrinsic capacitances are taken off the first circuit's."""

    def change(chip):
        intrinsic = physical(chip.specimen, chip.effects, {}).capacitance
        brought = np.array([intrinsic[n + 1 : n + JOINED].sum() for n in NEURONS])
        size = np.maximum(0, 63 - np.round(brought / (2.1e-12 / 63)))
        return np.mean(np.abs(time_constants(chip, True, size) / alone(chip) - 1))

    assert change(SPECIMEN) < 0.12
    assert_four_of_five(change, 0.0, 0.12)


@pytest.mark.slow
@pytest.mark.parametrize("one", [SPECIMEN, *OTHERS], ids=lambda one: one.specimen.id)
def test_a28_so_does_one_by_the_measured_intrinsic_capacitance(one):
    """Upstream's way: time constants at five capacitances show the intrinsic one of each circuit, within 0.8 of its 6 LSB [calix intrinsic_capacitance.py].

    The sum of five errors is 2 of 69 LSB, so 3 % of what is left are theirs.
    """
    rng = np.random.default_rng(0)
    with Lab(chip=one.specimen, effects=one.effects, instruments="silicon", seed=0).session() as session:
        bench = Bench(session)
        calibrate_cadc(bench, CadcTarget())
        set_neurons(bench, PotentialTarget(), rng)
        before = dict(bench.codes)
        intrinsic = intrinsic_capacitance(bench, rng)
    assert np.isfinite(intrinsic).all()
    assert all(np.array_equal(code, before[name]) for name, code in bench.codes.items())
    size = np.maximum(0, 63 - np.round([intrinsic[n + 1 : n + JOINED].sum() for n in NEURONS]))
    assert np.mean(np.abs(time_constants(one, True, size) / alone(one) - 1)) < 0.12


def test_a_straight_line_through_time_constants_gives_capacitance_and_conductance():
    """Closed form; a membrane that shows no decay at one code has the others, one that never does has no result."""
    codes, intrinsic, per_lsb = np.array([10, 36, 63]), np.array([5.0, 7.0, 6.0]), np.array([1e-6, 2e-6, 1e-6])
    times = per_lsb[:, None] * (codes + intrinsic[:, None])
    times[1, 0], times[2] = np.inf, np.inf
    found = fit(codes, times, times)
    np.testing.assert_allclose(found.capacitance[:2], intrinsic[:2])
    np.testing.assert_allclose(found.conductance[:2], 1 / per_lsb[:2])
    assert np.isnan([found.capacitance[2], found.conductance[2]]).all()
