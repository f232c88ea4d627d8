"""The digital part of the neurons, bit by bit, against slow obvious models: refractory counter, fire lines and the logic on them.

The models go from cycle to cycle, or from tick to tick, and are written from upstream's description (haldls ``neuron.h``, lola ``v3/neuron.h``).
"""

from __future__ import annotations

import numpy as np
import pytest
from chip_programs import N, fire_lines

from neckar.chip import ChipConfig
from neckar.chip.effects import Effects
from neckar.chip.fire_logic import AND, LOCAL, MULLER_C, XNOR, FireLogic
from neckar.chip.specimen import Specimen
from neckar.chip.transfer import physical

# ---- Refractory counter


def counted_cycles(refractory_time: int, reset_holdoff: int) -> tuple[int, int]:
    """Return cycles of the reset and of the whole refractory period.

    The counter starts at 255 minus the time and grows by one each cycle. When its five low bits reach the mask (the hold-off code, and a zero below) with
    all bits above set, the reset ends; when it reaches 255 after that, the refractory period.
    """
    counter, released, cycle, reset_cycles = 255 - refractory_time, False, 0, 0
    while True:
        cycle += 1
        counter = (counter + 1) % 256
        if not released and counter == 0b11100000 | reset_holdoff << 1:
            released, reset_cycles = True, cycle
        if released and counter == 255:
            return reset_cycles, cycle


@pytest.mark.parametrize("scale", [0, 3, 9])
@pytest.mark.parametrize("holdoff", range(16))
def test_reset_and_refractory_period_are_those_of_the_counter(holdoff, scale):
    codes = np.resize(np.arange(256), 512)
    config = ChipConfig(
        {
            "refractory_period_refractory_time": codes,
            "refractory_period_reset_holdoff": holdoff,
            "refractory_period_input_clock": np.arange(512) >= 256,
            "backend_clock_scale_slow": scale,
            "backend_clock_scale_fast": 15 - scale,
        }
    )
    p = physical(Specimen.reference(), Effects(), config)
    ticks = np.stack([p.t_reset, p.t_reset + p.t_holdoff]) / 2e-9
    cycles = np.array([counted_cycles(int(code), holdoff) for code in range(256)]).T
    np.testing.assert_array_equal(np.round(ticks[:, :256]).astype(int), cycles * 2 ** (scale + 1) * 2)
    np.testing.assert_array_equal(np.round(ticks[:, 256:]).astype(int), cycles * 2 ** (16 - scale) * 2)
    np.testing.assert_allclose(ticks, np.round(ticks), atol=1e-6)


@pytest.mark.parametrize("scale", range(16))
def test_the_jump_of_the_adaptation_is_proportional_to_the_length_of_its_pulse(scale):
    """2^(scale + 1) periods of 4 ns, up to where the jump is the supply."""
    config = {
        "adaptation_enable": np.ones(512, bool),
        "adaptation_enable_pulse": np.ones(512, bool),
        "adaptation_i_bias_b": np.full(512, 10),
        "backend_clock_scale_adaptation_pulse": np.full(2, scale),
    }
    jump = physical(Specimen.reference(), Effects.parse("-mismatch"), config, [0]).b_adapt[0]
    assert jump == pytest.approx(min(380.0 * 10 * 2 ** (scale + 1) * 4e-9, 1.2))


# ---- Fire lines and logic


class SlowLogic:
    """All neurons tick by tick: states, lines, gates and their memory."""

    def __init__(self, config: ChipConfig, refractory: np.ndarray) -> None:
        self.c, self.refractory = config, refractory
        self.left = np.zeros(N, int)  # ticks until the state falls
        self.state, self.line, self.latch = np.zeros(N, bool), np.zeros(N, bool), np.zeros(N, bool)

    def step(self, fires: set[int]) -> list[int]:
        """Go to the next tick, at which some neurons fire; return who makes a post pulse."""
        c = self.c
        self.left = np.maximum(self.left - 1, 0)
        for i in fires:
            self.left[i] = self.refractory[i]
        state = self.left > 0
        line = fire_lines(c, state)
        pulses = []
        for i in range(N):
            was, now = (self.state[i], self.line[i]), (state[i], line[i])
            if all(now):
                latch = True
            elif any(now):
                latch = self.latch[i]
            else:
                latch = False
            pulse = {
                LOCAL: i in fires,
                AND: all(now) and not all(was),
                XNOR: was[0] != was[1] and now[0] == now[1],
                MULLER_C: latch and not self.latch[i],
            }[int(c.bayesian_operation[i])]
            if not c.bayesian_to_post_pulse[i]:
                pulse = now[1] and not was[1]
            self.latch[i] = latch
            if pulse and not c.event_routing_enable_post_overwrite[i]:
                pulses.append(i)
        self.state, self.line = state, line
        return pulses


def random_logic(rng: np.random.Generator, columns: np.ndarray) -> ChipConfig:
    """Return a configuration in which the neurons of some columns use the logic at random."""
    used = np.isin(np.arange(N) % 256, columns)

    def some(share: float, otherwise: bool = False) -> np.ndarray:
        return np.where(used, rng.random(N) < share, otherwise)

    return ChipConfig(
        {
            "bayesian_operation": np.where(used, rng.integers(0, 4, N), 0),
            "bayesian_to_post_pulse": some(0.8, True),
            "bayesian_connect_fire_vertical": some(0.3),
            "bayesian_connect_fire_to_right": some(0.5),
            "bayesian_enable_master": some(0.6),
            "event_routing_enable_post_overwrite": some(0.1),
        }
    )


def random_spikes(rng: np.random.Generator, ticks: int, columns: np.ndarray, refractory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return spikes, ascending in tick, that respect the refractory periods."""
    found, ready = [], np.zeros(N, int)
    neurons = np.flatnonzero(np.isin(np.arange(N) % 256, columns))
    for tick in range(ticks):
        for i in neurons:
            if tick >= ready[i] and rng.random() < 0.06:
                found.append((tick, i))
                ready[i] = tick + refractory[i]
    return tuple(np.array(part, np.int64) for part in zip(*found, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_post_pulses_are_those_of_the_gates_tick_by_tick(seed):
    """Columns on both sides of the wall and beyond the involved ones; the pieces in which spikes come do not matter."""
    rng = np.random.default_rng(seed)
    columns = np.array([3, 4, 5, 6, 126, 127, 128, 129, 255])
    config, refractory, ticks = random_logic(rng, columns), rng.integers(3, 20, N), 700
    tick, circuit = random_spikes(rng, ticks, columns, refractory)
    slow = SlowLogic(config, refractory)
    fires = [set(circuit[tick == t].tolist()) for t in range(ticks)]
    expected = sorted((t, i) for t in range(ticks) for i in slow.step(fires[t]))
    assert len(expected) > 200
    for pieces in ([ticks], [*sorted(rng.integers(1, ticks, 12).tolist()), ticks]):
        logic, found, known = FireLogic(), [], 0
        logic.configure(config, refractory)
        for until in pieces:
            ahead = min(until + 7, ticks)  # a piece may know some of the spikes that come after it
            part = (tick >= known) & (tick < ahead)
            found += zip(*(x.tolist() for x in logic.pulses(tick[part], circuit[part], until)), strict=True)
            known = ahead
        found += zip(*(x.tolist() for x in logic.pulses(tick[:0], tick[:0], ticks)), strict=True)
        assert sorted(found) == expected


def test_a_copy_goes_its_own_way():
    rng = np.random.default_rng(9)
    columns = np.arange(4)
    config, refractory = random_logic(rng, columns), np.full(N, 9)
    tick, circuit = random_spikes(rng, 100, columns, refractory)
    logic = FireLogic()
    logic.configure(config, refractory)
    logic.pulses(tick[tick < 50], circuit[tick < 50], 50)
    rest = tick[tick >= 50], circuit[tick >= 50]
    first, second = logic.fork().pulses(*rest, 100), logic.pulses(*rest, 100)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_logic_spikes_are_post_pulses_except_where_they_are_overwritten():
    logic = FireLogic()
    tick, circuit = np.array([5, 5, 9]), np.array([1, 300, 2])
    for one, other in zip(logic.pulses(tick, circuit, 4), (tick, circuit), strict=True):
        np.testing.assert_array_equal(one, other)
    logic.configure(ChipConfig({"event_routing_enable_post_overwrite": np.arange(N) == 300}), np.zeros(N, np.int64))
    np.testing.assert_array_equal(logic.pulses(tick, circuit, 4)[1], [1, 2])


PAIR = {
    "bayesian_enable_master": np.arange(N) == 0,
    "bayesian_connect_fire_to_right": np.arange(N) == 0,
}


@pytest.mark.parametrize(
    ("operation", "spikes", "expected"),
    [
        (AND, [(0, 0), (4, 1)], [4]),  # the second of two overlapping states
        (AND, [(0, 0), (12, 1)], []),
        (XNOR, [(0, 0), (4, 1)], [4, 14]),  # they become equal when the second rises and when it falls
        (XNOR, [(0, 0), (0, 1)], []),  # never different
        (MULLER_C, [(0, 0), (4, 1), (10, 0), (14, 1)], [4]),  # both must have been low before the next
        (MULLER_C, [(0, 0), (4, 1), (20, 0), (24, 1)], [4, 24]),
    ],
)
def test_two_neurons(operation, spikes, expected):
    """Neuron 0 drives the line of neuron 1; both states last 10 ticks."""
    logic = FireLogic()
    logic.configure(ChipConfig({**PAIR, "bayesian_operation": np.where(np.arange(N) == 1, operation, 0)}), np.full(N, 10))
    tick, circuit = np.array(spikes).T
    found = logic.pulses(tick, circuit, 100)
    assert sorted(found[0][found[1] == 1].tolist()) == expected
    assert sorted(found[0][found[1] == 0].tolist()) == [t for t, i in spikes if i == 0]


def test_a_master_gives_its_pulses_to_a_neuron_that_does_not_use_its_own():
    logic = FireLogic()
    logic.configure(ChipConfig({**PAIR, "bayesian_to_post_pulse": np.arange(N) != 1}), np.full(N, 10))
    found = logic.pulses(np.array([3, 5, 40]), np.array([0, 1, 0]), 100)
    assert sorted(found[0][found[1] == 1].tolist()) == [3, 40]
