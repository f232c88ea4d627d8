"""Rows A17 and A28: a chain of four compartments, and the capacitance that joined circuits bring.

Sources: the notebook ts_03-multicompartment in brainscales2-demos, whose vector figure contains the recorded samples (chip of October 2021, default
calibration, ten inputs of weight 31 into one compartment after another, i_bias_nmda 500); calix tests/hw/py/test_capacitance_measurement.py.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from chips import OTHERS, SPECIMEN, assert_four_of_five, membranes, probed, readings, run, samples
from codes import CHAIN, chain, default_calibration, whole, with_membrane_time

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

LENGTH, TOTAL_WEIGHT = len(CHAIN), 310
FIGURE = np.array([[78, 50, 36, 29], [39, 45, 66, 93]])
"""Peaks along the chain if the first, or the last (in reverse), compartment is stimulated; LSB above rest."""

PEAK_US = np.array([7.2, 11.9, 14.9, 16.0])
EVENT_US, WINDOW_US = 100.0, 59.5
REPEATS = 8

# What benchmarks/chain_figure.py reads from the sixteen curves of the figure; rows: stimulated compartment
FIGURE_AREA = np.array([5150, 6500, 6430, 7030])
"""Sum of the areas under the four answers to each input, within the window, LSB us. Their ratio to the leak's area is the charge, whatever else holds."""

FIGURE_TAU_SYN_US = np.array([10.8, 11.6, 11.5, 12.8])
"""From the shape of the curves."""

FIGURE_HEIGHTS = np.array([[77, 48, 35, 30], [59, 69, 51, 44], [43, 50, 69, 59], [39, 46, 62, 90]])
FIGURE_PEAK_US = np.array([[7.2, 10.9, 13.9, 15.5], [8.4, 11.5, 14.6, 16.4]])
"""Both ends, seen from the input; a flat peak with noise has no place of its own, so these are the fitted curves'."""


def answers(chip, codes):
    """Return time after the event (us) and how each compartment answers to an event into each, shape (stimulated, recorded, sample), LSB above rest."""
    lists = [[(round(EVENT_US * TICKS_PER_US), k)] for k in range(LENGTH) for _ in range(REPEATS)]
    recording = run(chip, codes, EVENT_US + 80, membranes(CHAIN), entries=Events.from_lists(lists))
    time, values = samples(recording)
    mean = values.reshape(LENGTH, REPEATS, LENGTH, -1).mean(axis=1)
    before = (time > EVENT_US - 40) & (time < EVENT_US)
    return time - EVENT_US, mean - mean[..., before].mean(axis=-1, keepdims=True)


@cache
def responses(chip, conductance=500):
    """Return the answers on a calibrated chip."""
    return answers(chip, chain(default_calibration(chip), TOTAL_WEIGHT, conductance))


@cache
def matched(chip):
    """Return the answers to the figure's charges, that is with weights that give its areas, and with its synaptic time constants; conductances by code."""
    tau = np.full((512, 2), 10e-6)
    tau[CHAIN, 0] = 1e-6 * FIGURE_TAU_SYN_US
    codes = default_calibration(chip, tau_syn_s=tau)
    return answers(chip, chain(codes, TOTAL_WEIGHT * FIGURE_AREA / areas(*answers(chip, chain(codes, TOTAL_WEIGHT)))))


def areas(time, found):
    """Return the sum of the areas under the answers of all compartments to each input, LSB us."""
    after = (time > 0) & (time < WINDOW_US)
    return np.trapezoid(found[..., after], time[after]).sum(axis=-1)


def smoothed(time, found):
    """Return times and answers averaged over 1 us, because a flat peak with noise has no place."""
    kernel = np.ones(29) / 29
    return time[14:-14], np.apply_along_axis(np.convolve, -1, found, kernel, "valid")


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
    time, found = smoothed(*responses(SPECIMEN))
    np.testing.assert_allclose(time[found[0].argmax(axis=1)], PEAK_US, rtol=0.2)


def matched_heights(chip):
    """Return the heights of all answers to the figure's charges."""
    return smoothed(*matched(chip))[1].max(axis=-1)


def matched_peak_times(chip):
    """Return the times of the peaks, us, seen from the input at either end."""
    time, found = smoothed(*matched(chip))
    return time[np.stack([found[0], found[-1, ::-1]]).argmax(axis=-1)]


def relative_heights(chip):
    """Return all sixteen heights over the figure's, and their mean."""
    ratio = matched_heights(chip) / FIGURE_HEIGHTS
    return [*ratio.ravel(), ratio.mean()]


def relative_peak_times(chip):
    """Return the times of the peaks over the figure's, both ends, and their mean."""
    ratio = matched_peak_times(chip) / FIGURE_PEAK_US
    return [*ratio.ravel(), ratio.mean()]


@pytest.mark.parametrize("measure", [relative_heights, relative_peak_times])
def test_a17_heights_and_times_are_the_figures_for_its_charges_and_synapses(measure):
    """Areas give the charges and shapes the time constants of the synapses, so heights check capacitance, leak and conductance of the compartments.

    Conductances scatter by 25 %, which moves single peaks by up to 15 %; all together 5 %.
    """
    band = np.array([0.15] * (len(measure(SPECIMEN)) - 1) + [0.05])
    np.testing.assert_array_less(np.abs(np.subtract(measure(SPECIMEN), 1)), band)
    assert_four_of_five(measure, 1 - band, 1 + band)


def test_a17_the_areas_of_all_answers_are_the_charge_whatever_the_conductance():
    """Charge leaves through the leaks alone. Noise of the means is 1 %."""
    found = [areas(*responses(SPECIMEN, code)) for code in (250, 500, 1000)]
    np.testing.assert_allclose(found, np.broadcast_to(np.mean(found, axis=0), (3, LENGTH)), rtol=0.03)


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

    That is 105 LSB at the stimulated end. The figure's 78 come from a smaller charge: see the ledger.
    """
    ideal = Chip(Specimen.reference(), Effects.parse("-mismatch,-noise,-quantisation,-saturation,-event_loss"), instruments="open")
    capacitance, leak = 2.5e-12, 2.3e-12 / 10e-6
    g = 3e-9 * 500 * (np.diag([1, 2, 2, 1]) - np.eye(LENGTH, k=1) - np.eye(LENGTH, k=-1))
    rates, modes = np.linalg.eigh((g + leak * np.eye(LENGTH)) / capacitance)
    t = np.arange(0, 60e-6, 0.05e-6)[:, None]
    charge = TOTAL_WEIGHT * 8.2e-15 / capacitance / 10e-6
    mode = charge * (np.exp(-t / 10e-6) - np.exp(-rates * t)) / (rates - 1 / 10e-6 + 1e-3)
    closed = (mode * modes[0]) @ modes.T / 1.5e-3
    np.testing.assert_allclose(heights(ideal)[0], closed.max(axis=0), rtol=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("more", [0, 15])
def test_a17_the_fit_of_the_figure_finds_the_membranes_of_the_twin(more, monkeypatch):
    """So the figure's 10.9 us say what its compartments hold; 15 LSB at the second circuits are 0.5 pF. One fit scatters by 0.2 us; four standard errors."""
    pytest.importorskip("scipy")
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import chain_figure

    found, expected = [], []
    for one in (SPECIMEN, *OTHERS):
        codes = chain(default_calibration(one), TOTAL_WEIGHT)
        codes["membrane_capacitance_capacitance"][np.array(CHAIN) + 1] = more
        time, curves = answers(one, codes)
        found.append(chain_figure.fit(np.array([[np.interp(chain_figure.GRID, time, curve) for curve in row] for row in curves]))[0].tau_mem)
        p = physical(one.specimen, one.effects, whole(codes), [k + side for k in CHAIN for side in (0, 1)])
        expected.append(1e6 * np.mean(p.capacitance.reshape(-1, 2).sum(axis=1) / p.g_leak[::2]))
    assert np.mean(found) == pytest.approx(np.mean(expected), abs=4 * 0.2 / np.sqrt(len(found)))
    assert (np.mean(found) > 12.0) == (more > 0)


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
