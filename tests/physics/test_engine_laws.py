"""Laws of the compiled engine: closed forms, limits, invariances and the order of convergence.

All circuits have 2.3 pF and, where a test does not say otherwise, membrane and synaptic time constants of 10 us and the default step of 0.5 us.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from rk4 import solve

from neckar.dynamics import N_DYNAMIC, NO_EVENTS, STATE_NAMES, CircuitParameters, Lane, RowEvents, Segment, Synapses, largest_step, reference_tau

N = 256
C = 2.3e-12
STEP = 250  # ticks
FINE = 50  # ticks, the longest fine step
US = 500  # ticks
V, W, S_EXC, S_INH = (STATE_NAMES.index(name) for name in ("v", "w", "s_exc", "s_inh"))
MICRO = 1e-6
T_RESET = np.array([1.0, 1.01, 1.234, 1.5, 2.0, 2.03, 3.333, 5.002, 10.0, 20.006]) * MICRO


def circuits(**changes) -> CircuitParameters:
    """Return 256 linear circuits without threshold, resting at 0.5 V; a change is one value for all or one per circuit."""
    tau = 10 * MICRO
    values = dict.fromkeys(CircuitParameters.__dataclass_fields__, 0.0) | {
        "capacitance": C, "g_leak": C / tau, "e_leak": 0.5, "g_reset": 40 * C / tau, "e_reset": 0.3, "v_threshold": np.inf, "t_reset": 2 * MICRO,
        "gm_exc": C / tau, "gm_inh": C / tau, "v_exp": 0.7, "delta_exp": 0.02, "w_rest": 0.6, "v_adapt": 0.5,
        "tau_exc": tau, "tau_inh": tau, "tau_adapt": 100 * MICRO, "v_sat": 0.9, "v_floor": 0.128, "v_width": 0.037, "v_supply": 1.2, "saturating": False,
    }  # fmt: skip
    scalars = {"v_sat", "v_width", "v_supply", "saturating"}
    values |= changes
    return CircuitParameters(**{name: value if name in scalars else np.broadcast_to(value, N).copy() for name, value in values.items()})


@dataclass
class Result:
    """Spikes sorted by tick and column, final state (field, column), and signals (sample, signal) of each observed column."""

    ticks: np.ndarray
    columns: np.ndarray
    state: np.ndarray
    signals: dict[int, np.ndarray]


def simulate(
    p, end, events=NO_EVENTS, weight=0.1, v=0.5, step=STEP, start=0, observed=(), samples=None, columns=None, cuts=(), seed=1, synapses=None, begin=None
) -> Result:
    """Run the engine to tick `end`, in pieces that end at `cuts`. Row 0 is excitatory, row 1 inhibitory, row 2 both, with `weight` everywhere and label 0."""
    columns = np.arange(N) if columns is None else np.asarray(columns)
    if synapses is None:
        synapses = Synapses(np.full((3, N), weight, np.float32), np.zeros((3, N), np.uint8), np.array([1, 2, 3], np.uint8))
    lane = Lane(columns, np.asarray(observed, int), synapses, np.arange(1, N + 1, dtype=np.uint32) * np.uint32(2654435761), seed)
    state = np.zeros((N_DYNAMIC, N), np.float32)
    state[V], state[W] = v, p.w_rest
    lane.load(state)
    segment = Segment(p, start, end, step, reference_tau(p))
    found, signals = [], {column: [] for column in observed}
    places = [start if begin is None else begin, *cuts, end]
    for t0, t1 in pairwise(places):
        ticks, fired, traces = lane.advance(segment, events, t0, t1)
        found.append(np.stack([ticks, fired]))
        for trace in traces:
            inside = samples[(samples >= trace.start) & (samples < trace.start + (len(trace.states) - 1) * trace.h_ticks)]
            for column in observed:
                signals[column].append(lane.sample(trace, [column], inside)[0])
    lane.store(state)
    ticks, fired = np.concatenate(found, axis=1)
    order = np.lexsort((fired, ticks))
    return Result(ticks[order], fired[order], state, {column: np.concatenate(parts) for column, parts in signals.items()})


def at(*events: tuple[int, int]) -> RowEvents:
    """Return events given as (tick, row)."""
    ticks, rows = np.array(sorted(events)).T
    return RowEvents(ticks.astype(np.int64), rows.astype(np.int32), np.zeros(len(ticks), np.uint8))


def trace(p, end, samples, **options) -> np.ndarray:
    """Return signals of circuit 0 at `samples`, shape (sample, signal)."""
    return simulate(p, end, observed=(0,), samples=samples, columns=[0], **options).signals[0]


# Membrane and synapses: closed forms


@pytest.mark.parametrize("step", [50, 250, 333])
@pytest.mark.parametrize("tau", [1.0, 10.0, 57.0])
def test_leak_decays_exponentially(tau, step):
    ticks = np.arange(0, 60 * US, 37)
    v = trace(circuits(g_leak=C / (tau * MICRO)), 60 * US + 13, ticks, v=0.9, step=step)[:, 0]
    np.testing.assert_allclose(v, 0.5 + 0.4 * np.exp(-ticks / US / tau), atol=4e-6)


@pytest.mark.parametrize("step", [50, 250])
@pytest.mark.parametrize(("tau_m", "tau_s"), [(10.0, 10.0), (10.0, 10.001), (20.0, 5.0), (5.0, 20.0), (30.0, 2.5)])
def test_response_to_one_event_is_a_difference_of_exponentials(tau_m, tau_s, step):
    p = circuits(g_leak=C / (tau_m * MICRO), tau_exc=tau_s * MICRO, gm_exc=C / (10 * MICRO))
    event, ticks = 5 * US + 123, np.arange(0, 100 * US, 37)
    signals = trace(p, 100 * US, ticks, events=at((event, 0)), step=step)
    t = np.maximum(ticks - event, 0) / US
    alpha = t * np.exp(-t / tau_m)
    psp = 0.01 * (alpha if tau_m == tau_s else (np.exp(-t / tau_m) - np.exp(-t / tau_s)) / (1 / tau_s - 1 / tau_m))
    np.testing.assert_allclose(signals[:, 0] - 0.5, psp, atol=2e-3 * psp.max())
    np.testing.assert_allclose(signals[:, 2], np.where(ticks >= event, 0.1 * np.exp(-t / tau_s), 0.0), atol=2e-7)


def test_an_event_acts_at_its_own_time_within_the_step():
    later = 20 * US
    v = [trace(circuits(), 60 * US, np.array([10 * US + d + later]), events=at((10 * US + d, 0)))[0] for d in range(0, STEP, 7)]
    np.testing.assert_allclose(np.array(v)[:, 0] - 0.5, 0.01 * 20 * np.exp(-2.0), rtol=1e-3)
    np.testing.assert_allclose(np.array(v)[:, 2], 0.1 * np.exp(-2.0), rtol=1e-5)


def test_halving_the_step_changes_the_height_of_a_psp_by_less_than_0_2_percent():
    ticks = np.arange(0, 60 * US, 25)
    for p in (circuits(), circuits(saturating=True), circuits(i_exp=1e-10, g_adapt=1e-8, a_adapt=0.5)):
        for event in (10 * US, 10 * US + 77, 10 * US + 249):
            coarse, fine = (trace(p, 60 * US, ticks, events=at((event, 0)), step=step)[:, 0] for step in (250, 125))
            assert coarse.max() - coarse[0] == pytest.approx(fine.max() - fine[0], rel=2e-3)


def test_rows_drive_the_lines_of_their_receptor_and_only_matching_labels():
    events = RowEvents(np.array([100, 200, 300, 400]), np.array([0, 1, 2, 0], np.int32), np.array([0, 0, 0, 5], np.uint8))
    state = simulate(circuits(), STEP * 40, events).state
    t = np.array([100, 300]), np.array([200, 300])
    for field, ticks in zip((S_EXC, S_INH), t, strict=True):
        np.testing.assert_allclose(state[field], 0.1 * np.exp(-(STEP * 40 - ticks) / US / 10).sum(), rtol=1e-5)


def test_constant_currents_shift_the_membrane_by_their_ratio_to_the_leak():
    p = circuits(i_source=2e-8, i_sink=1e-8, i_syn_rest=5e-9)
    np.testing.assert_allclose(simulate(p, 300 * US).state[V], 0.5 + 1.5e-8 * 10 * MICRO / C, atol=2e-6)


def test_a_floating_membrane_integrates_a_constant_current():
    np.testing.assert_allclose(simulate(circuits(g_leak=0.0, i_source=1e-9), 200 * US).state[V], 0.5 + 1e-9 * 200 * MICRO / C, rtol=2e-4)


# Saturation


@pytest.mark.parametrize("v_0", [0.15, 0.45, 1.1])
def test_a_saturating_amplifier_lets_the_sinh_of_the_distance_decay(v_0):
    ticks, p = np.arange(0, 50 * US, 50), circuits(saturating=True, v_sat=0.6)
    v = trace(p, 50 * US, ticks, v=v_0)[:, 0]
    closed = 0.5 + 0.6 * np.arcsinh(np.sinh((v_0 - 0.5) / 0.6) * np.exp(-ticks / US / 10))
    np.testing.assert_allclose(v, closed, atol=1e-4)


def test_a_saturating_reset_phase_ends_where_the_closed_form_does():
    p = circuits(saturating=True, e_leak=0.95, v_threshold=0.9, g_reset=C / (2 * MICRO), t_reset=np.resize(T_RESET, N))
    samples = np.arange(0, 60 * US)
    columns = range(len(T_RESET))
    result = simulate(p, 60 * US, observed=columns, samples=samples)
    for column in columns:
        end = result.ticks[result.columns == column][0] + round(T_RESET[column] / MICRO * US)
        closed = 0.3 + 0.9 * np.arcsinh(np.sinh(0.6 / 0.9) * np.exp(-T_RESET[column] / MICRO / 2))
        assert result.signals[column][end, 0] == pytest.approx(closed, abs=1e-3)  # the slope is up to 0.3 V/us, a tick is 2 ns


def test_inhibition_ends_at_its_floor_and_only_in_circuits_that_saturate():
    volley = at(*((tick, 1) for tick in range(100, 100 * US, US)))
    ticks = np.arange(0, 100 * US, 100)
    saturating, linear = (trace(circuits(saturating=flag), 100 * US, ticks, events=volley)[:, 0] for flag in (True, False))
    assert linear.min() < 0.0
    assert 0.12 < saturating.min() < 0.2


def test_the_membrane_of_a_saturating_circuit_stays_between_the_rails():
    for source, sink, rail in ((1e-6, 0.0, 1.2), (0.0, 1e-6, 0.0)):
        state = simulate(circuits(saturating=True, i_source=source, i_syn_rest=-sink), 100 * US).state
        np.testing.assert_array_equal(state[V], np.float32(rail))


# Spikes and reset


def interval(p: CircuitParameters) -> np.ndarray:
    """Return the closed form of the interval between spikes driven by the leak, us."""
    tau, tau_r = p.capacitance / p.g_leak, p.capacitance / p.g_reset
    after = p.e_reset + (p.v_threshold - p.e_reset) * np.exp(-p.t_reset / tau_r)
    return (p.t_reset + tau * np.log((p.e_leak - after) / (p.e_leak - p.v_threshold))) / MICRO


@pytest.mark.parametrize("tau", [5.0, 10.0, 40.0])
@pytest.mark.parametrize("tau_reset", [0.0002, 0.25, 2.0])
def test_interspike_intervals_follow_the_closed_form_for_any_refractory_period(tau, tau_reset):
    p = circuits(g_leak=C / (tau * MICRO), g_reset=C / (tau_reset * MICRO), e_leak=0.9, v_threshold=0.6, t_reset=np.resize(T_RESET, N))
    result = simulate(p, 2000 * US)
    expected = interval(p)
    for column in range(len(T_RESET)):
        ticks = result.ticks[result.columns == column]
        assert np.diff(ticks[5:]).mean() / US == pytest.approx(expected[column], rel=1e-3)
        assert len(ticks) == pytest.approx(2000 / expected[column], abs=2)


@pytest.mark.parametrize("t_reset", [1.01, 1.3, 2.04])
def test_circuits_that_fire_soon_after_a_fast_reset_keep_their_period(t_reset):
    """They lag by more than a step, up to nearly two."""
    p = circuits(e_leak=3.0, g_leak=C / (8.0 * MICRO), v_threshold=np.linspace(0.33, 0.9, N), g_reset=4.0 * C / MICRO, t_reset=t_reset * MICRO)
    result = simulate(p, 400 * US, v=0.3)
    for column in range(N):
        ticks = np.sort(result.ticks[result.columns == column])
        assert (ticks[-1] - ticks[0]) / US / (len(ticks) - 1) == pytest.approx(interval(p)[column], abs=3e-4)  # us


@pytest.mark.parametrize("tail", [1, 5, 50])
@pytest.mark.parametrize("rate", [4.0, 40.0, 200.0])
def test_a_circuit_that_lags_into_a_short_last_step_stays_between_its_potentials(rate, tail):
    p = circuits(e_leak=np.linspace(0.75, 1.2, N), v_threshold=0.7, g_reset=rate * C / MICRO, e_reset=0.3, t_reset=2.0 * MICRO)
    result = simulate(p, 16 * US + tail, v=0.5)
    assert (result.state[V] >= 0.3 - 1e-6).all()
    assert (result.state[V] <= 0.7 + 1e-6).all()
    samples = trace(p, 16 * US + tail, np.arange(16 * US + tail))[:, 0]
    assert samples.min() >= 0.3 - 1e-6
    assert samples.max() <= 0.7 + 2e-3  # between two steps a lagging membrane is read ahead


def test_the_reset_phase_is_an_exponential_of_exact_length():
    p = circuits(e_leak=0.9, v_threshold=0.6, g_reset=C / (0.5 * MICRO), t_reset=3.333 * MICRO)
    samples = np.arange(0, 100 * US)
    result = simulate(p, 100 * US, columns=[0], observed=(0,), samples=samples)
    v, left, spike = result.signals[0][:, 0], result.signals[0][:, 4], result.ticks[0]
    inside = samples[(samples > spike + 2) & (samples < spike + 3.333 * US - 2)]
    np.testing.assert_allclose(v[inside], 0.3 + 0.3 * np.exp(-(inside - spike) / US / 0.5), atol=2.5e-3)  # a tick at 0.6 V/us
    np.testing.assert_allclose(left[inside], 3.333 - (inside - spike) / US, atol=3e-3)
    assert v[spike : spike + 20 * US].argmin() / US == pytest.approx(3.333, abs=4e-3)


def test_hold_off_delays_a_spike_to_its_end():
    p = circuits(e_leak=0.9, e_reset=0.5, v_threshold=0.6, t_reset=2.03 * MICRO, t_holdoff=np.resize([4.1, 8.008, 15.5], N) * MICRO)
    result = simulate(p, 1000 * US)
    for column, holdoff in enumerate((4.1, 8.008, 15.5)):
        np.testing.assert_allclose(np.diff(result.ticks[result.columns == column]) / US, 2.03 + holdoff, atol=2.1e-3)


def test_hold_off_that_ends_before_the_crossing_does_nothing():
    early, late = (simulate(circuits(e_leak=0.9, v_threshold=0.6, t_holdoff=t * MICRO), 500 * US).ticks for t in (0.0, 1.0))
    np.testing.assert_array_equal(early, late)


@pytest.mark.parametrize("saturating", [False, True])
@pytest.mark.parametrize("i_exp", [0.0, 1e-12])
def test_a_threshold_below_reset_never_fires_twice(saturating, i_exp):
    p = circuits(e_leak=0.9, e_reset=0.8, v_threshold=0.6, saturating=saturating, i_exp=i_exp)
    result = simulate(p, 1000 * US)
    np.testing.assert_array_equal(np.bincount(result.columns, minlength=N), np.ones(N))


@pytest.mark.parametrize("pause", [False, True])
@pytest.mark.parametrize("row", [0, 1])
def test_events_do_not_make_a_circuit_fire_again_that_stays_above_threshold(row, pause):
    p = circuits(e_leak=0.9, e_reset=0.8, v_threshold=np.linspace(0.55, 0.65, N), pause=pause)
    events = at(*((tick, row) for tick in range(50, 60 * US, 101)))
    result = simulate(p, 60 * US, events, weight=0.002)
    np.testing.assert_array_equal(np.bincount(result.columns, minlength=N), np.ones(N))


@pytest.mark.parametrize("step", [50, 250])
def test_inputs_are_gated_during_a_reset_phase_with_pause(step):
    """An event between the step after the crossing and the end of the reset does not change the membrane at its end."""
    p = circuits(e_leak=0.75, v_threshold=0.65, g_reset=C / (2 * MICRO), pause=True, gm_exc=20 * C / (10 * MICRO))
    spike = simulate(p, 40 * US, columns=[0]).ticks[0]
    release = np.array([spike + 2 * US])
    quiet = trace(p, 40 * US, release, step=step)[0, 0]
    for offset in range(step, 2 * US, 37):
        assert trace(p, 40 * US, release, events=at((spike + offset, 0)), step=step)[0, 0] == pytest.approx(quiet, abs=2e-4)


def test_circuits_without_a_threshold_never_fire():
    assert len(simulate(circuits(e_leak=1.1), 100 * US).ticks) == 0


# Adaptation


def test_adaptation_follows_a_step_of_the_membrane_exponentially():
    p = circuits(g_adapt=1e-18, a_adapt=0.5, v_adapt=0.4, g_leak=1e-3)  # the membrane sits at 0.5 V
    ticks = np.arange(0, 400 * US, 111)
    np.testing.assert_allclose(trace(p, 400 * US, ticks)[:, 1], 0.6 + 0.05 * (1 - np.exp(-ticks / US / 100)), atol=5e-6)


def test_each_spike_adds_its_jump_to_the_adaptation():
    p = circuits(g_adapt=1e-18, b_adapt=0.01, e_leak=0.9, v_threshold=0.6)
    end = 200 * US
    result = simulate(p, end)
    mine = result.ticks[result.columns == 7]
    assert result.state[W, 7] - 0.6 == pytest.approx(0.01 * np.exp(-(end - mine) / US / 100).sum(), rel=5e-3)


# Conductance-based inputs


CONDUCTANCES = {"coba_exc": 2.0, "e_coba_exc": 0.5, "coba_inh": -2.5, "e_coba_inh": 0.6}


@pytest.mark.parametrize("saturating", [False, True])
@pytest.mark.parametrize(("row", "sign", "reversal"), [(0, 1, 1.0), (1, -1, 0.2)])
def test_the_amplitude_of_a_conductance_based_input_is_linear_in_the_membrane_and_zero_at_its_reversal_potential(row, sign, reversal, saturating):
    """Small events, so that the membrane stays where it is; in saturating circuits away from the floor of inhibition."""
    levels = np.linspace(0.35, 0.95, 5)
    p = circuits(saturating=saturating, e_leak=np.resize(levels, N), **CONDUCTANCES)
    ticks = np.arange(0, 80 * US, 50)
    result = simulate(p, 80 * US, at((5 * US, row)), weight=1e-3, v=p.e_leak, columns=range(5), observed=range(5), samples=ticks)
    v = np.stack([result.signals[c][:, 0] for c in range(5)])
    height = (sign * (v - v[:, :1])).max(axis=1)
    unit = 1e-3 / np.e
    np.testing.assert_allclose(height, unit * (levels - reversal) / (0.5 - 1.0 if row == 0 else 0.6 - 0.2), atol=0.02 * unit)


def test_a_conductance_based_input_drives_the_membrane_to_its_reversal_potential_and_not_beyond():
    volley = at(*((tick, 0) for tick in range(100, 200 * US, US // 2)))
    for step in (50, 250, 500):
        v = trace(circuits(**CONDUCTANCES), 200 * US, np.arange(0, 200 * US, 100), events=volley, weight=1.0, step=step)[:, 0]
        assert v.max() < 1.0
        assert v[-1] == pytest.approx(1.0, abs=0.03)


def test_beyond_its_reversal_potential_a_conductance_based_input_is_off():
    p = circuits(e_leak=1.1, **CONDUCTANCES)
    v = trace(p, 50 * US, np.arange(0, 50 * US, 100), events=at((500, 0), (700, 0)), v=1.1)[:, 0]
    np.testing.assert_allclose(v, 1.1, atol=1e-6)


def test_a_current_at_rest_changes_with_the_transconductance():
    """The fixed point of leak and input: g (e - v) + i (1 + coba (e_coba - v)) = 0."""
    i = 3e-8
    p = circuits(i_coba_exc=i, e_leak=0.7, **CONDUCTANCES)
    g = C / (10 * MICRO)
    np.testing.assert_allclose(simulate(p, 300 * US).state[V], (g * 0.7 + i * 2.0) / (g + 2.0 * i), atol=2e-6)


def test_circuits_that_do_not_depend_on_the_membrane_are_not_slowed_by_conductances():
    assert not circuits().features.conductance
    assert circuits(**CONDUCTANCES).features.conductance


# Invariances


def random_events(end: int, rate_per_us: float, seed: int) -> RowEvents:
    rng = np.random.default_rng(seed)
    n = int(end / US * rate_per_us)
    return RowEvents(np.sort(rng.integers(0, end, n)), rng.integers(0, 3, n).astype(np.int32), np.zeros(n, np.uint8))


def mixed_circuits(saturating: bool, exponential: bool, noisy: bool, conductance: bool = False) -> CircuitParameters:
    """Return circuits with scattered parameters that fire often."""
    rng = np.random.default_rng(5)
    terms = {"i_exp": 1e-10, "g_adapt": 1e-8, "a_adapt": 0.3, "b_adapt": 0.02} if exponential else {}
    terms |= {"i_source": 2e-8, **CONDUCTANCES} if conductance else {}
    return circuits(
        e_leak=rng.normal(0.7, 0.05, N), v_threshold=rng.normal(0.68, 0.03, N), t_reset=rng.uniform(1, 4, N) * MICRO, t_holdoff=rng.uniform(0, 3, N) * MICRO,
        tau_exc=rng.uniform(5, 15, N) * MICRO, g_leak=C / (rng.uniform(5, 20, N) * MICRO), saturating=saturating, noise=1e-12 if noisy else 0.0, **terms,
    )  # fmt: skip


FEATURES = [(False, False, False), (True, False, True), (True, True, True), (False, True, False), (True, False, True, True), (False, True, False, True)]


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize(("seed", "step"), [(1, STEP), (2, STEP), (3, STEP), (4, FINE)])
def test_a_run_cut_at_any_ticks_gives_the_spikes_and_the_state_of_the_uncut_run(features, seed, step):
    p, end = mixed_circuits(*features), 200 * US + 77
    options = {"events": random_events(end, 1.0, 9), "weight": 0.05, "step": step}
    cuts = np.sort(np.random.default_rng(seed).integers(1, end, 25 if step == STEP else 1000))
    whole, cut = simulate(p, end, **options), simulate(p, end, cuts=cuts, **options)
    assert len(whole.ticks) > 500
    for one, other in ((whole.ticks, cut.ticks), (whole.columns, cut.columns), (whole.state, cut.state)):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cuts", [(1010,), (1030,), (1010, 1030), (999, 1000, 1076)])
def test_a_cut_inside_a_shorter_last_step_changes_nothing(cuts):
    whole, cut = (simulate(circuits(), 4 * STEP + 77, at((1005, 0), (1020, 0)), cuts=where).state for where in ((), cuts))
    np.testing.assert_array_equal(whole, cut)


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_cut_at_any_ticks_gives_the_trace_of_the_uncut_run(features, seed):
    p, end = mixed_circuits(*features), 200 * US
    options = {"events": random_events(end, 1.0, 9), "weight": 0.05, "observed": (3, 100), "samples": np.arange(0, end, 17)}
    cuts = np.sort(np.random.default_rng(seed).integers(1, end, 25))
    whole, cut = simulate(p, end, **options), simulate(p, end, cuts=cuts, **options)
    for column in (3, 100):
        np.testing.assert_array_equal(whole.signals[column], cut.signals[column])


def test_a_cut_between_an_event_and_the_end_of_its_step_does_not_hide_it_from_the_trace():
    samples = np.arange(0, 4 * STEP, 10)
    whole, cut = (trace(circuits(), 4 * STEP, samples, events=at((100, 0)), cuts=cuts) for cuts in ((), (150,)))
    np.testing.assert_array_equal(whole, cut)


def test_a_trace_does_not_depend_on_when_the_run_ends():
    samples = np.arange(0, 4 * STEP, 10)
    short, long = (trace(circuits(), end, samples, events=at((100, 0))) for end in (4 * STEP, 4 * STEP + 77))
    np.testing.assert_array_equal(short, long)


@pytest.mark.parametrize("features", FEATURES)
def test_the_choice_of_active_circuits_does_not_change_the_others(features):
    p, end = mixed_circuits(*features), 100 * US
    events = random_events(end, 1.0, 9)
    every = simulate(p, end, events, weight=0.05)
    for columns in (np.arange(3, N, 7), np.array([200]), np.arange(128, 256)):
        some = simulate(p, end, events, weight=0.05, columns=columns)
        mine = np.isin(every.columns, columns)
        np.testing.assert_array_equal(some.ticks, every.ticks[mine])
        np.testing.assert_array_equal(some.columns, every.columns[mine])
        np.testing.assert_array_equal(some.state[:, columns], every.state[:, columns])


def test_a_circuit_does_not_depend_on_its_place():
    p, end, order = mixed_circuits(True, True, False), 100 * US, np.random.default_rng(3).permutation(N)
    events = random_events(end, 1.0, 9)
    here, there = simulate(p, end, events, weight=0.05), simulate(p.take(order), end, events, weight=0.05)
    np.testing.assert_array_equal(there.state, here.state[:, order])


@pytest.mark.parametrize("features", FEATURES)
def test_recording_does_not_change_a_spike(features):
    p, end = mixed_circuits(*features), 100 * US
    plain = simulate(p, end, random_events(end, 1.0, 9), weight=0.05)
    recorded = simulate(p, end, random_events(end, 1.0, 9), weight=0.05, observed=(0, 17, 255), samples=np.arange(0, end, 500))
    np.testing.assert_array_equal(plain.ticks, recorded.ticks)
    np.testing.assert_array_equal(plain.state, recorded.state)


# Convergence


CASES = {
    "saturating": circuits(saturating=True, e_leak=0.55, v_sat=0.4),
    "adex": circuits(i_exp=2e-9, v_exp=0.62, g_adapt=9e-8, a_adapt=0.8, w_rest=0.6, tau_adapt=30 * MICRO),
    "saturating adex": circuits(saturating=True, i_exp=2e-9, v_exp=0.62, g_adapt=9e-8, a_adapt=0.8, tau_adapt=30 * MICRO),
    "conductances": circuits(e_leak=0.55, **CONDUCTANCES),
    "saturating adex with conductances": circuits(
        saturating=True, i_exp=2e-9, v_exp=0.62, g_adapt=9e-8, a_adapt=0.8, tau_adapt=30 * MICRO, i_coba_exc=2e-9, i_coba_inh=-1e-9, **CONDUCTANCES
    ),
}
KICKS = [(5 * US, 0), (9 * US, 0), (14 * US, 1), (30 * US, 2), (31 * US, 0)]


@pytest.mark.parametrize("case", CASES)
def test_halving_the_step_quarters_the_error(case):
    p, ticks = CASES[case], np.arange(1, 60) * US
    kicks = [(tick, 0.2 * (row != 1), 0.2 * (row != 0)) for tick, row in KICKS]
    exact = solve(p, (0.5, 0.6, 0.0, 0.0), kicks, ticks)[0]
    error = {}
    for step in (500, 250, 125):
        v = trace(p, 60 * US, ticks, events=at(*KICKS), weight=0.2, step=step)
        error[step] = np.sqrt(np.mean((v[:, 0] - exact[:, 0]) ** 2))
    assert error[250] < 3e-4
    assert 3.0 < error[500] / error[250] < 5.5
    assert 3.0 < error[250] / error[125] < 5.5


FIRING = {
    "linear": circuits(e_leak=0.75, v_threshold=0.65),
    "saturating": circuits(saturating=True, e_leak=0.75, v_threshold=0.65, v_sat=0.4),
    "adex": circuits(i_exp=2e-9, v_exp=0.62, g_adapt=5e-8, a_adapt=0.3, b_adapt=0.05, e_leak=0.75, v_threshold=0.7, tau_adapt=30 * MICRO),
    "conductances": circuits(saturating=True, e_leak=0.75, v_threshold=0.65, **CONDUCTANCES),
}


@pytest.mark.parametrize(
    ("case", "step", "bound_us"), [("linear", 250, 0.004), ("saturating", 250, 0.02), ("saturating", 50, 0.004), ("adex", 250, 0.2), ("adex", 50, 0.02)]
)
def test_intervals_between_spikes_equal_those_of_a_runge_kutta_solution(case, step, bound_us):
    end = 150 * US
    expected = solve(FIRING[case], (0.5, 0.6, 0.0, 0.0), [], np.array([end]))[1]
    found = simulate(FIRING[case], end, columns=[0], step=step).ticks / US
    assert len(found) == len(expected) > 5
    np.testing.assert_allclose(np.diff(found), np.diff(expected), atol=bound_us)


@pytest.mark.parametrize(("step", "bound_us"), [(250, 0.02), (50, 0.004)])
@pytest.mark.parametrize("case", ["linear", "saturating", "conductances"])
def test_intervals_between_spikes_with_input_equal_those_of_a_runge_kutta_solution(case, step, bound_us):
    end = 150 * US
    kicks = [(tick, 0.2 * (row != 1), 0.2 * (row != 0)) for tick, row in KICKS]
    expected = solve(FIRING[case], (0.5, 0.6, 0.0, 0.0), kicks, np.array([end]))[1]
    found = simulate(FIRING[case], end, at(*KICKS), weight=0.2, columns=[0], step=step).ticks / US
    assert len(found) == len(expected) > 5
    np.testing.assert_allclose(np.diff(found, prepend=0.0), np.diff(expected, prepend=0.0), atol=bound_us)


def test_an_event_shortly_after_the_end_of_a_reset_acts_at_its_own_time():
    """Also if the reset ended within the step before, so that the circuit lags behind the grid when the event arrives."""
    p, end = circuits(e_leak=0.75, v_threshold=0.65, t_reset=np.linspace(2.0, 3.0, N) * MICRO), 40 * US
    first = simulate(p, end).ticks[0]
    event = (first // STEP + 5) * STEP  # on the grid, 2 to 2.5 us after the first spike of all circuits
    result = simulate(p, end, at((event, 0)), weight=0.5)
    expected = [solve(p, (0.5, 0.6, 0.0, 0.0), [(event, 0.5, 0.0)], np.array([end]), circuit=c)[1][1] for c in range(0, N, 16)]
    found = [result.ticks[result.columns == c][1] / US for c in range(0, N, 16)]
    np.testing.assert_allclose(found, expected, atol=0.02)


def scattered(**changes) -> CircuitParameters:
    """Return circuits with scattered time constants, both lines alike, driven by `weight / tau_membrane`."""
    rng = np.random.default_rng(8)
    tau, g = rng.uniform(5, 8, N) * MICRO, C / (rng.uniform(9, 16, N) * MICRO)
    return circuits(**{"g_leak": g, "tau_exc": tau, "tau_inh": tau, "gm_exc": g, "gm_inh": g} | changes)


def potential(p: CircuitParameters, us: np.ndarray, *events: tuple[float, float]) -> np.ndarray:
    """Return the closed form of membranes of :func:`scattered` at times `us`, shape (circuit, time), after events of (us, weight; negative inhibits)."""
    k, rate = p.g_leak[:, None] / C * MICRO, MICRO / p.tau_exc[:, None]
    v = p.e_leak[:, None] + 0.0 * us
    for time, weight in events:
        t = np.maximum(us - time, 0.0)
        v += weight * k * (np.exp(-rate * t) - np.exp(-k * t)) / (k - rate)
    return v


@pytest.mark.parametrize("offset", [3, 25, 44])
@pytest.mark.parametrize("row", [0, 1])
def test_a_crossing_in_a_fine_step_with_an_event_is_right_to_a_tick(row, offset):
    p, begin = scattered(), 2000
    event = begin + offset
    us = np.linspace(begin, begin + FINE, 5001)[None] / US
    v = potential(p, us, (2.0, 0.4), (event / US, (0.1, -0.1)[row]))
    start = np.random.default_rng(1).integers(100, 4900, N)  # where each circuit crosses its threshold
    result = simulate(scattered(v_threshold=v[np.arange(N), start]), begin + FINE, at(*[(1000, 0)] * 4, (event, row)), step=FINE)
    np.testing.assert_array_equal(result.columns[np.argsort(result.columns)], np.arange(N))
    np.testing.assert_allclose(result.ticks[np.argsort(result.columns)], us[0, start] * US, atol=0.55)  # ticks; half of one by rounding


@pytest.mark.parametrize("offset", [3, 25, 44])
def test_a_peak_inside_a_fine_step_fires(offset):
    """Where inhibition turns a rising membrane. The margin is 1 uV; by the ends of the step alone up to 100 uV would be missed."""
    begin = 2000
    event = begin + offset
    peak = potential(scattered(), np.array([[event / US]]), (2.0, 0.2))[:, 0]
    threshold = peak + np.where(np.arange(N) % 2, 1e-6, -1e-6)
    result = simulate(scattered(v_threshold=threshold), begin + 2 * US, at((1000, 0), (1000, 0), *[(event, 1)] * 6), step=FINE)
    np.testing.assert_array_equal(np.sort(result.columns), np.arange(0, N, 2))
    np.testing.assert_allclose(result.ticks, event, atol=0.6)


@pytest.mark.parametrize("offset", [3, 25, 44])
@pytest.mark.parametrize("row", [0, 1])
def test_after_a_reset_that_ends_in_a_fine_step_with_an_event_the_event_acts_at_its_own_time(row, offset):
    """The membrane errs by a fiftieth of what the event does to it in a step; shares alone would err by up to a quarter."""
    fired, released, event, end = 10.033, np.linspace(15.0, 15.1, N + 2)[1:-1], 15.0 + offset / US, 16.0  # us
    p = scattered(e_leak=0.75, g_reset=1.0, t_reset=(released - fired) * MICRO)
    k, rate = p.g_leak / C * MICRO, MICRO / p.tau_exc
    result = simulate(replace(p, v_threshold=0.75 - 0.25 * np.exp(-k * fired)), round(end * US), at((round(event * US), row)), weight=0.1, step=FINE)
    assert len(result.ticks) == N
    late, left = np.maximum(released - event, 0.0), end - np.maximum(released, event)
    response = (0.1, -0.1)[row] * k * np.exp(-rate * late) * (np.exp(-rate * left) - np.exp(-k * left)) / (k - rate)
    np.testing.assert_allclose(result.state[V], 0.75 - 0.45 * np.exp(-k * (end - released)) + response, atol=0.02 * 0.1 * k.max() * FINE / US)


# Noise


@pytest.mark.parametrize("saturating", [False, True])
@pytest.mark.parametrize("tau", [2.0, 10.0, 40.0])
def test_the_membrane_has_the_stationary_variance_of_white_current_noise(tau, saturating):
    """False-alarm rate below 1e-4: 256 independent circuits, 200 time constants each, give the variance to 0.6 % (one sigma)."""
    sigma = 1e-3
    p = circuits(g_leak=C / (tau * MICRO), saturating=saturating, noise=sigma * C * np.sqrt(2 / (tau * MICRO)))
    start, end = round(10 * tau) * US, round(210 * tau) * US
    samples = np.arange(start, end, round(tau * US / 4 / STEP + 0.5) * STEP)
    signals = simulate(p, end, observed=range(N), samples=samples).signals
    v = np.stack([signals[column][:, 0] for column in range(N)])
    assert v.mean() == pytest.approx(0.5, abs=4 * sigma * np.sqrt(2 / (200 * N)) + 2e-6)
    assert ((v - 0.5) ** 2).mean() == pytest.approx(sigma**2, rel=0.025)


@pytest.mark.parametrize(("tau", "step"), [(0.2, 250), (2.0, 250), (10.0, 250), (0.2, 333), (0.5, 7)])
def test_noise_within_a_step_is_that_of_a_process_without_steps(tau, step):
    """Differences over a lag have the variance ``2 sigma**2 (1 - exp(-lag / tau))``, whether they begin and end at a step's ends, inside it or outside.

    Each value is a mean over 4096 steps, 3 % (one sigma) at most; limit 16 %. False alarms: below 1e-4 for fresh keys.
    """
    sigma, steps = 2e-3, 4096
    p = circuits(g_leak=C / (tau * MICRO), noise=sigma * C * np.sqrt(2 / (tau * MICRO)))
    start = 100 * US // step * step
    lags = np.unique([1, step // 16 + 1, step // 4, step // 2, step - 1, step, step + step // 8])
    places = np.unique(np.linspace(0, step - 1, 8).astype(int))
    grid = start + np.arange(steps) * step
    ticks = np.unique(grid[:, None, None] + places[:, None] + np.concatenate([[0], lags]))
    v = trace(p, start + (steps + 3) * step, ticks, step=step)[:, 0].astype(float)
    for lag in lags:
        law = 2 * sigma**2 * -np.expm1(-lag / US / tau)
        seen = []
        for place in places:
            a = v[np.searchsorted(ticks, grid + place)]
            b = v[np.searchsorted(ticks, grid + place + lag)]
            seen.append(np.mean((b - a) ** 2) / law)
        np.testing.assert_allclose(seen, 1.0, atol=0.16, err_msg=f"lag {lag}")


@pytest.mark.parametrize("step", [50, 250, 333])
def test_a_tick_has_one_value_whatever_other_ticks_are_looked_at(step):
    """But for the rounding of the steps from sample to sample."""
    p, end = circuits(noise=1e-12, tau_exc=5 * MICRO), 40 * US + 13
    options = {"step": step, "events": at((3 * US + 77, 0), (9 * US + 3, 1))}
    every = trace(p, end, np.arange(end // step * step), **options)
    for interval in (17, 101, 250):
        ticks = np.arange(0, len(every), interval)
        np.testing.assert_allclose(trace(p, end, ticks, **options)[:, 0], every[ticks, 0], rtol=0, atol=2e-6)
    assert np.abs(np.diff(every[:, 0], 2)).max() > 1e-5  # there is noise at every tick


@pytest.mark.parametrize(("e_leak", "rail"), [(0.05, 0.0), (1.15, 1.2)])
def test_the_noise_of_a_trace_stays_between_the_rails(e_leak, rail):
    v = trace(circuits(noise=5e-11, e_leak=e_leak, saturating=True), 100 * US, np.arange(100 * US))[:, 0]
    assert v.min() >= 0
    assert v.max() <= np.float32(1.2)
    assert 0 < (v == np.float32(rail)).mean() < 0.5


def test_noise_is_a_pure_function_of_its_seed():
    p, end = mixed_circuits(True, False, True), 50 * US
    same, again, other, high = (simulate(p, end, seed=seed).state[V] for seed in (7, 7, 8, 7 + 2**40))
    np.testing.assert_array_equal(same, again)
    assert not np.array_equal(same, other)
    assert not np.array_equal(same, high)


def test_noise_of_different_circuits_is_different():
    v = simulate(circuits(noise=1e-12), 20 * US).state[V]
    assert len(np.unique(v)) > 0.99 * N


# Time


SHIFT = 30 * 500_000_000


@pytest.mark.parametrize("case", CASES)
def test_a_stimulus_at_30_s_gives_the_trace_of_the_same_stimulus_at_1_ms(case):
    p, ticks = CASES[case], np.arange(0, 100 * US, 17)
    early = trace(p, 100 * US, ticks, events=at(*KICKS))
    late_events = at(*((tick + SHIFT, row) for tick, row in KICKS))
    for options in ({"start": SHIFT}, {"start": 0, "begin": SHIFT}):
        late = trace(p, SHIFT + 100 * US, ticks + SHIFT, events=late_events, **options)
        np.testing.assert_array_equal(late, early)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["saturating", "saturating adex"])
def test_after_30_s_of_integration_a_stimulus_gives_the_trace_it_gave_at_1_ms(case):
    """A tenth of the least step of the membrane's converter is 0.15 mV."""
    p, samples = CASES[case], np.arange(900 * US, 1200 * US, 17)
    kicks = [(tick + place, row) for place in (1000 * US, SHIFT) for tick, row in KICKS]
    both = np.concatenate([samples, samples + SHIFT - 1000 * US])
    v = trace(p, SHIFT + 300 * US, both, events=at(*kicks))[:, 0].reshape(2, -1)
    np.testing.assert_allclose(v[1], v[0], atol=1.5e-4)


# The step that circuits allow


@pytest.mark.parametrize(
    ("changes", "ticks"),
    [
        ({}, 250),
        ({"tau_exc": 1 * MICRO}, 100),
        ({"tau_exc": 1 * MICRO, "gm_exc": 0.0}, 250),
        ({"t_reset": 0.6 * MICRO, "v_threshold": 0.6}, 150),
        ({"t_reset": 0.6 * MICRO}, 250),
        ({"g_adapt": 1e-8, "tau_adapt": 2 * MICRO}, 200),
    ],
)
def test_the_largest_step_is_a_fifth_of_the_shortest_time_constant_in_use_and_half_a_reset(changes, ticks):
    assert largest_step(circuits(**changes), STEP) == pytest.approx(ticks, abs=1)


def test_the_reset_of_a_circuit_that_others_fire_counts_without_a_comparator():
    p = circuits(t_reset=0.6 * MICRO)
    assert largest_step(p, STEP) == STEP == 250
    assert largest_step(p, STEP, np.array([0])) == pytest.approx(150, abs=1)


@pytest.mark.parametrize("step", [STEP, FINE])
def test_a_row_of_one_label_acts_as_a_row_of_mixed_ones(step):
    """Rows of one label are added without looking at labels. The last circuit's synapses have no weight, so its label makes a row mixed and nothing else."""
    rng = np.random.default_rng(2)
    weights, receptor = rng.uniform(0.0, 0.1, (3, N)).astype(np.float32), np.array([1, 2, 3], np.uint8)
    weights[:, -1] = 0.0
    tick = np.sort(rng.integers(0, 60 * US, 400))
    events = RowEvents(tick, rng.integers(0, 3, 400).astype(np.int32), rng.integers(7, 9, 400).astype(np.uint8))
    labels = np.full((3, N), 7, np.uint8)
    mixed = labels.copy()
    mixed[:, -1] = 60
    p = circuits(v_threshold=0.6)
    one, other = (simulate(p, 60 * US, events, step=step, synapses=Synapses(weights, m, receptor)) for m in (labels, mixed))
    assert len(one.ticks) > N
    np.testing.assert_array_equal(one.ticks, other.ticks)
    np.testing.assert_array_equal(one.state, other.state)


def test_a_row_that_is_rewritten_forgets_that_it_had_one_label():
    synapses = Synapses(np.full((1, N), 0.1, np.float32), np.zeros((1, N), np.uint8), np.array([1], np.uint8))
    lane = Lane(np.arange(N), np.empty(0, int), synapses, np.zeros(N, np.uint32), 1)
    p = circuits()
    lane.load(np.zeros((N_DYNAMIC, N), np.float32))
    segment = Segment(p, 0, 40 * US, STEP, reference_tau(p))
    lane.advance(segment, NO_EVENTS, 0, 10 * US)
    lane.write_row(0, synapses.weights[0], (np.arange(N) % 2).astype(np.uint8))
    lane.advance(segment, at((20 * US, 0)), 10 * US, 40 * US)
    state = np.zeros((N_DYNAMIC, N), np.float32)
    lane.store(state)
    assert (state[S_EXC, ::2] > 0.01).all()
    assert (state[S_EXC, 1::2] == 0.0).all()
