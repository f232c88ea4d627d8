"""The engine against NEST: 512 circuits with scattered parameters, the same weights and the same 2.6 million synaptic events in 2 ms of hardware time.

Linear circuits, immediate reset, no noise; see :mod:`nest_oracle` for the correspondence. The bounds are those of the engine's design: LIF against NEST's
precise-spike model (input and crossings off the grid), AdEx against its adaptive solver at a fine step. AdEx circuits run for 20 ms, in which they fire some
840 times, so that a spike more or less is 0.12 % of a circuit's rate; NEST takes every eighth of them.
"""

import numpy as np
import pytest
from nest_oracle import run_nest

from neckar.dynamics.workload import Workload, build, firing_rates

pytestmark = pytest.mark.slow

HARDWARE_S, ADEX_S = 2e-3, 20e-3
EVERY = 8
DEFAULT_STEP, FINE_STEP = 250, 50  # ticks of 2 ns


@pytest.fixture(scope="module")
def lif() -> Workload:
    return build("lif", "ideal", HARDWARE_S, scatter=0.15)


@pytest.fixture(scope="module")
def adex() -> Workload:
    return build("adex", "ideal", ADEX_S, scatter=0.15, grid_ticks=FINE_STEP)  # on the grid of all steps, because aeif_psc_exp takes no other input


@pytest.fixture(scope="module")
def lif_in_nest(lif):
    return run_nest(lif, "iaf_psc_exp_ps", 0.1).counts


@pytest.fixture(scope="module")
def adex_in_nest(adex):
    # aeif_psc_exp adds half a step to a refractory period on average; at this resolution that is made up for exactly by a step less
    return run_nest(adex, "aeif_psc_exp", 0.02, rounding_ms=0.01, every=EVERY).counts


def counts(load: Workload, step_ticks: int) -> np.ndarray:
    return np.rint(firing_rates(load.run(step_ticks), 1.0)).astype(int)


def test_circuits_of_the_comparison_fire_at_10_to_60_khz(lif_in_nest, adex_in_nest):
    for spikes, hardware_s in ((lif_in_nest, HARDWARE_S), (adex_in_nest, ADEX_S)):
        low, high = np.quantile(spikes / hardware_s, (0.05, 0.95))
        assert 10e3 < low < high < 60e3


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_lif_spike_counts_of_all_circuits_equal_nests_at_a_tenth_of_a_microsecond(seed):
    """The engine's error near the threshold is 0.8 uV here; one spike in a million grazes it more closely and may differ."""
    load = build("lif", "ideal", HARDWARE_S, seed=seed, scatter=0.15)
    np.testing.assert_array_equal(counts(load, FINE_STEP), run_nest(load, "iaf_psc_exp_ps", 0.1).counts)


@pytest.mark.parametrize(("step_ticks", "bound"), [(FINE_STEP, 1e-4), (DEFAULT_STEP, 1e-3)])
def test_lif_total_count_equals_nests(lif, lif_in_nest, step_ticks, bound):
    assert counts(lif, step_ticks).sum() == pytest.approx(lif_in_nest.sum(), rel=bound)


@pytest.mark.parametrize(("step_ticks", "mean", "worst"), [(FINE_STEP, 1e-3, 5e-3), (DEFAULT_STEP, 5e-3, 1e-2)])
def test_the_rate_of_every_eighth_adex_circuit_is_within_1_percent_of_nests(adex, adex_in_nest, step_ticks, mean, worst):
    """Measured once over all 512: at 0.1 us 0.06 % too slow on average, at most 0.37 %; at 0.5 us 0.38 %, at most 0.95 %, because the upstroke comes late."""
    error = counts(adex, step_ticks)[::EVERY] / adex_in_nest - 1.0
    assert len(error) == 2 * 256 // EVERY
    assert np.abs(error).max() < worst
    assert abs(error.mean()) < mean


@pytest.mark.parametrize("kind", ["lif", "adex"])
@pytest.mark.parametrize("step_ticks", [2 * FINE_STEP, DEFAULT_STEP])
def test_halving_the_step_changes_spike_counts_by_less_than_half_a_percent(request, kind, step_ticks):
    load = request.getfixturevalue(kind)
    assert counts(load, step_ticks).sum() == pytest.approx(counts(load, step_ticks // 2).sum(), rel=5e-3)
