"""Whole random circuits with random input: the engine at its default step against a slow model with steps of 2 ns (tests/reference/tiny_step.py).

Each case has 48 circuits from a seeded generator: membranes of 2 to 30 us, synaptic lines of 3 to 20 us, reset phases of 1.1 to 3 us, half of the circuits
with pause, half with a hold-off; each gets 4 events per us on 32 rows, half of them inhibitory.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import tiny_step

from neckar.dynamics import N_DYNAMIC, STATE_NAMES, CircuitParameters, Lane, RowEvents, Segment, Synapses, largest_step, reference_tau

N, COLUMNS, ROWS = 48, 256, 32
US = 500  # ticks
DEFAULT_STEP = 250
END = 150 * US
SAMPLES = np.arange(25, END - US, 50)
AWAY = 3 * US  # from a spike and from the end of the reset phase after it
FEATURES = {
    "leaky": set(),
    "with constant currents": {"source", "sink"},
    "with adaptation": {"adaptation"},
    "with exponential": {"exponential"},
    "with everything": {"source", "sink", "adaptation", "exponential"},
}
SEED = {name: 100 + i for i, name in enumerate(FEATURES)}


@dataclass(frozen=True, eq=False)
class Outcome:
    """Spike ticks of each circuit by engine and reference, membranes (circuit, sample), parameters."""

    spikes: list[np.ndarray]
    expected: list[np.ndarray]
    traces: np.ndarray
    right: np.ndarray
    parameters: CircuitParameters

    def same_count(self) -> np.ndarray:
        return np.array([len(a) == len(b) for a, b in zip(self.spikes, self.expected, strict=True)])


def draw(features: set[str], saturating: bool, rng: np.random.Generator) -> CircuitParameters:
    """Return 48 random circuits; what is not in `features` is off."""

    def between(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, N)

    def half(feature: str, values: np.ndarray) -> np.ndarray:
        return values * (rng.random(N) < 0.5) * (feature in features)

    c, tau = between(0.2e-12, 2.4e-12), between(2e-6, 30e-6)
    return CircuitParameters(
        capacitance=c, g_leak=c / tau, e_leak=between(0.3, 0.7), g_reset=c / between(0.25e-6, 2e-6), e_reset=between(0.1, 0.4),
        v_threshold=between(0.55, 0.8), t_reset=between(1.1e-6, 3e-6), t_holdoff=between(0.0, 1e-6) * (rng.random(N) < 0.5),
        i_source=half("source", c * between(0.0, 0.05e6)), i_sink=half("sink", c * between(0.0, 0.05e6)),
        gm_exc=c / tau * between(0.2, 2.0), gm_inh=c / tau * between(0.2, 2.0), i_syn_rest=np.zeros(N), pause=rng.random(N) < 0.5,
        i_exp=c * between(0.5e3, 1e4) * ("exponential" in features), v_exp=between(0.5, 0.7), delta_exp=between(0.02, 0.03),
        g_adapt=c / tau * between(0.0, 1.0) * ("adaptation" in features), w_rest=between(0.4, 0.6), a_adapt=between(-0.5, 1.5),
        v_adapt=between(0.3, 0.6), b_adapt=between(0.0, 0.05), tau_adapt=between(20e-6, 200e-6), tau_exc=between(3e-6, 20e-6), tau_inh=between(3e-6, 20e-6),
        noise=np.zeros(N), v_sat=0.9, v_floor=0.128, v_width=0.037, v_supply=1.2, saturating=saturating,
    )  # fmt: skip


def engine(p: CircuitParameters, v: np.ndarray, events: RowEvents, weights: np.ndarray, receptor: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Return what :func:`tiny_step.solve` returns, by the engine."""
    columns = np.arange(N)
    whole = p.take(np.arange(COLUMNS) % N)
    planes = np.zeros((ROWS, COLUMNS), np.float32), np.zeros((ROWS, COLUMNS), np.uint8)
    planes[0][:, :N] = weights
    lane = Lane(columns, columns, Synapses(*planes, receptor), np.zeros(COLUMNS, np.uint32), 1)
    state = np.zeros((N_DYNAMIC, COLUMNS), np.float32)
    state[STATE_NAMES.index("v"), :N], state[STATE_NAMES.index("w")] = v, whole.w_rest
    lane.load(state)
    segment = Segment(whole, 0, END, largest_step(p, DEFAULT_STEP), reference_tau(p))
    ticks, who, traces = lane.advance(segment, events, 0, END)
    membranes = np.empty((N, len(SAMPLES)))
    for trace in traces:
        a, b = np.searchsorted(SAMPLES, (trace.start, trace.start + (len(trace.states) - 1) * trace.h_ticks))
        for column in columns:
            membranes[column, a:b] = lane.sample(trace, column, SAMPLES[a:b])[:, 0]
    return [np.sort(ticks[(who == column) & (ticks <= SAMPLES[-1])]) for column in columns], membranes


@cache
def outcome(features: str, saturating: bool) -> Outcome:
    rng = np.random.default_rng(SEED[features])
    p = draw(FEATURES[features], saturating, rng)
    count = 4 * END // US
    events = RowEvents(np.sort(rng.integers(0, END, count)), rng.integers(0, ROWS, count).astype(np.int32), np.zeros(count, np.uint8))
    receptor = np.repeat(np.array([1, 2], np.uint8), ROWS // 2)
    weights = rng.uniform(0.0, 0.06, (ROWS, N)).astype(np.float32)
    v = np.minimum(p.e_leak, p.v_threshold - 0.05)
    spikes, traces = engine(p, v, events, weights, receptor)
    expected, right = tiny_step.solve(p, v, events, weights.astype(float), receptor, SAMPLES)
    return Outcome(spikes, expected, traces, right, p)


def away_from_spikes(found: Outcome, circuit: int) -> np.ndarray:
    """Return the samples before any spike of either model or long enough after the end of its reset phase."""
    refractory = (found.parameters.t_reset[circuit] + found.parameters.t_holdoff[circuit]) * 1e6 * US
    spikes = np.concatenate([found.spikes[circuit], found.expected[circuit]])
    since = SAMPLES[:, None] - spikes[None, :]
    return ~((since > -AWAY) & (since < refractory + AWAY)).any(axis=1)


cases = pytest.mark.parametrize(("features", "saturating"), [(name, saturating) for name in FEATURES for saturating in (False, True)])
