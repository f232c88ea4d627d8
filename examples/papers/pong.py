"""Pong learned on the chip: a processor rewards a row of synapses for a paddle under the ball.

After Wunderlich et al. 2019 (Frontiers in Neuroscience 13:260) and the notebook ts_07 of brainscales2-demos, which shows the same idea with 100 rows. One of
32 inputs, the ball's cell, sends 40 events; 32 neurons answer, and the one with most spikes says where the paddle goes. The world runs on the plasticity
processor: it moves ball and paddle, reads spike counters and the causal correlation of the ball's row, and changes that row's weights by

    dw = rate correlation (R - <R>)       R: 1, 0.7, 0.4, 0.1 up to three cells from the ball, else 0;   <R>: mean of R in this cell, half of it new each time

For exploration it draws a row of noise weights, 0 to 15, before each move. The host knows the ball's way, on which nothing that is learned has influence, and
sends the events. Published, in the paper or in its simulation (``model-sw-pong``): 32 x 32 plastic synapses, first weights 14 +- 2, R, <R>, the form of the
rule; the bands of the mean <R> over all cells are what the project's specification found with that simulation. Interval of the events, rate, noise and the
ball's way are our own; rate and noise were chosen among seven settings on the reference chip, with the seed below. In the paper the temporal noise of the
circuits suffices for exploration; with the twin's own noise alone <R> is 0.20 after 5,000 moves, because at the first weights few neurons fire at all.

Run time: about 60 s for 5,000 moves and 1,500 without learning; ``--full`` learns 20,000 moves, about 150 s. ``--chip`` and ``--seed`` choose others.
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np

import neckar
import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import halco

CELLS = 32
PERIOD_MS, LEAD_MS, INPUT_MS, INTERVAL_MS = 0.3, 0.09, 0.2, 0.005  # a move: the processor works, then the ball's events come
BASELINE = 8  # moves before the first one, without events, in which the sensors are read at rest
RATE = 1.0  # LSB of weight per LSB of correlation and unit of reward
REWARDS = (10, 7, 4, 1)  # tenths, by distance from the ball
NOISE_BITS = 4
BANDS = {5_000: (0.74, 0.78), 20_000: (0.80, 0.82)}  # of the mean expected reward
SEED = 2019
FIXED = 256  # of the processor's fractions
BALL_SPEED, PADDLE_SPEED, PADDLE = 128, 410, 896  # horizontally, vertically, half its length; in 1/256 of a cell


def kernel(rate, seed):
    """Return the processor's program: one move of the game per invocation."""
    return f"""
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "grenade/vx/ppu/time.h"
#include "libnux/vx/parallel_rng.h"
#include "libnux/vx/random.h"
#include "libnux/vx/reset_neurons.h"
#include "libnux/vx/vector_row.h"
using namespace grenade::vx::ppu;
using namespace libnux::vx;
extern volatile PPUOnDLS ppu;

constexpr int cells = {CELLS}, fixed = {FIXED}, side = cells * fixed;
int const rewards[] = {{{", ".join(map(str, REWARDS))}}};
uint16_t baseline[cells][cells]; // of each synapse, sum over the first invocations
int expected[cells];             // reward, tenths / 256; -1: this cell was not played yet
int invocation = 0;

struct World
{{
    uint32_t random = {seed};
    int x = 0, y = side / 2, up = 0, right = {BALL_SPEED}, paddle = side / 2;
    int met = 0; // 1: missed, 2: hit

    int cell() const {{ return y / fixed; }}

    void move(int action)
    {{
        int const way = action * fixed + fixed / 2 - paddle;
        paddle += way > {PADDLE_SPEED} ? {PADDLE_SPEED} : way < -{PADDLE_SPEED} ? -{PADDLE_SPEED} : way;
        x += right;
        y += up;
        met = 0;
        if (x <= 0 || x >= side) {{
            if (x >= side) {{
                met = paddle - y <= {PADDLE} && y - paddle <= {PADDLE} ? 2 : 1;
            }}
            right = -right;
            random = xorshift32(&random);
            up = static_cast<int>(random >> 20) % 401 - 200;
        }}
        if (y < 0) {{ y = -y; up = -up; }}
        if (y >= side) {{ y = 2 * side - 1 - y; up = -up; }}
    }}
}};
World world;

VectorRowMod8 fresh_random()
{{
    for (int i = 0; i < 7; ++i) {{
        parallel_rng_rand<VectorRowMod8>(); // a draw brings one new bit
    }}
    return parallel_rng_rand<VectorRowMod8>();
}}

void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, 2>& synapses, std::array<NeuronViewHandle, 1>& neurons, Recording& recording)
{{
    auto& board = synapses[0];
    if (board.hemisphere != ppu) {{
        return;
    }}
    recording.time = now();
    auto const counts = neurons[0].get_rate_counters(true);
    if (invocation < {BASELINE}) {{
        for (int row = 0; row < cells; ++row) {{
            board.reset_correlation(row);
            auto const read = board.get_causal_correlation(row);
            for (int c = 0; c < cells; ++c) {{
                baseline[row][c] += read[board.columns[c]];
            }}
            expected[row] = -1;
        }}
    }} else if (invocation > {BASELINE}) {{
        // the neuron with most spikes acts; of several, one at random
        auto const tie = fresh_random();
        int action = 0, best = -1;
        for (int c = 0; c < cells; ++c) {{
            int const column = neurons[0].columns[c], score = counts[column] * 256 + tie[column];
            if (score > best) {{
                best = score;
                action = c;
            }}
        }}
        int const cell = world.cell(), far = action > cell ? action - cell : cell - action;
        int const tenths = far < {len(REWARDS)} ? rewards[far] : 0, reward = tenths * fixed;
        if (expected[cell] < 0) {{
            expected[cell] = reward;
        }}
        int const surprise = reward - expected[cell];
        expected[cell] += surprise / 2;
        // the rule
        auto const read = board.get_causal_correlation(cell);
        auto weights = board.get_weights(cell);
        for (int c = 0; c < cells; ++c) {{
            int const column = board.columns[c];
            int correlation = baseline[cell][c] - {BASELINE} * read[column]; // eighths of an LSB
            correlation = correlation > 0 ? correlation : 0;
            int const change = correlation * surprise * {round(rate * 64)};
            int constexpr one = 64 * {BASELINE} * 10 * fixed; // an LSB of weight
            int const weight = weights[column] + (change + (change > 0 ? one : -one) / 2) / one;
            weights[column] = weight < 0 ? 0 : weight > 63 ? 63 : weight;
        }}
        board.set_weights(weights, cell);
        board.reset_correlation(cell);
        recording.expected[0] = expected[cell];
        recording.move[0] = cell;
        recording.move[1] = action;
        recording.move[2] = tenths;
        world.move(action);
        recording.move[3] = world.paddle / fixed;
        recording.move[4] = world.met;
    }}
    invocation++;
    synapses[1].set_weights(fresh_random() >> {8 - NOISE_BITS}, 0);
    reset_neurons();
}}
"""


class Pong(pynn.PlasticityRule):
    """The world, the reward and the rule."""

    def __init__(self, moves, rate, seed):
        self.text = kernel(rate, seed)
        array = pynn.PlasticityRule.ObservableArray
        observables = {"move": array(array.Type.uint8, 5), "expected": array(array.Type.uint16, 1)}
        super().__init__(pynn.Timer(start=0.0, period=PERIOD_MS, num_periods=BASELINE + 1 + moves), observables)

    def generate_kernel(self):
        """Return the kernel."""
        return self.text


def ball(moves, seed):
    """Return the ball's cell in each move, shape (move,): the same steps as on the processor."""
    random, x, y, up, right, side = seed, 0, CELLS * FIXED // 2, 0, BALL_SPEED, CELLS * FIXED
    cells = np.empty(moves, int)
    for move in range(moves):
        cells[move] = y // FIXED
        x, y = x + right, y + up
        if x <= 0 or x >= side:
            right = -right
            random ^= random << 13 & 0xFFFFFFFF
            random ^= random >> 17
            random ^= random << 5 & 0xFFFFFFFF
            up = (random >> 20) % 401 - 200
        if y < 0:
            y, up = -y, -up
        if y >= side:
            y, up = 2 * side - 1 - y, -up
    return cells


def first_weights(seed=SEED):
    """Return the weights before learning, shape (input cell, neuron)."""
    return np.random.default_rng(seed).normal(14, 2, (CELLS, CELLS)).round().astype(int)


def learn(moves, rate=RATE, seed=SEED):
    """Play and learn on the current lab's chip.

    Returns
    -------
    dict
        ``ball``, ``action``, ``paddle`` (cells), ``met`` (1: missed, 2: hit), ``reward``, ``expected``, of shape (move,), and ``weights``, of shape
        (input cell, neuron).
    """
    path = pynn.helper.nightly_calib_path().with_name("correlation_cocolist.pbin")  # neurons and correlation sensors are calibrated
    readout = pynn.InjectedReadout()
    readout.post_realtime.add(halco.SynramOnDLS())
    pynn.setup(initial_config=pynn.helper.chip_from_file(path), injected_readout=readout)
    cells = ball(moves, seed)
    begin = (BASELINE + np.arange(moves)) * PERIOD_MS + LEAD_MS
    burst = np.arange(0, INPUT_MS, INTERVAL_MS)
    inputs = pynn.Population(CELLS, pynn.cells.SpikeSourceArray(spike_times=[np.add.outer(begin[cells == c], burst).ravel() for c in range(CELLS)]))
    noise = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=np.add.outer(begin, burst + INTERVAL_MS / 2).ravel()))
    rule = Pong(moves, rate, seed)
    neurons = pynn.Population(CELLS, pynn.cells.HXNeuron(plasticity_rule=rule))
    plastic = pynn.synapses.PlasticSynapse(weight=first_weights(seed), plasticity_rule=rule)
    board = pynn.Projection(inputs, neurons, pynn.AllToAllConnector(), plastic)
    pynn.Projection(noise, neurons, pynn.AllToAllConnector(), pynn.synapses.PlasticSynapse(weight=0, plasticity_rule=rule))
    pynn.run((BASELINE + 1 + moves) * PERIOD_MS)
    played, expected = (np.array([sample.data for sample in rule.get_observable_array(name)[0][BASELINE + 1 :]]) for name in ("move", "expected"))
    synapses = pynn.get_post_realtime_read()[halco.SynramOnDLS()].weights.to_numpy()
    weights = np.empty((CELLS, CELLS), int)
    for connection, (place,) in zip(board.connections, board.placed_connections, strict=True):
        weights[connection.pop_pre_index, connection.pop_post_index] = synapses[place.synapse_row, place.synapse_on_row]
    pynn.end()
    if not np.array_equal(played[:, 0], cells):
        raise RuntimeError("the processor and the host disagree about the ball's way")
    found = dict(zip(("ball", "action", "reward", "paddle", "met"), played.T, strict=True))
    return found | {"reward": found["reward"] / 10, "expected": expected[:, 0] / (10 * FIXED), "weights": weights}


def mean_expected(played):
    """Return the mean over the cells of <R> after each move, shape (move,); cells that were not played yet count 0."""
    board = np.zeros(CELLS)
    curve = np.empty(len(played["ball"]))
    for move, (cell, expected) in enumerate(zip(played["ball"], played["expected"], strict=True)):
        board[cell] = expected
        curve[move] = board.mean()
    return curve


def rewards(actions, cells):
    """Return the reward of actions in some cells; both broadcast."""
    far = np.abs(np.subtract(actions, cells))
    return np.where(far < len(REWARDS), np.array(REWARDS)[np.minimum(far, len(REWARDS) - 1)], 0) / 10


def chance():
    """Return the mean reward of actions at random, over all cells."""
    return rewards(np.arange(CELLS)[:, None], np.arange(CELLS)).mean()


def above_chance(played, last):
    """Return the mean over the cells of what the last moves were rewarded, and how many of its standard errors that is above the mean of random actions.

    Cells are the unit: their weights are independent of each other.
    """
    cells, reward = played["ball"][-last:], played["reward"][-last:]
    seen = np.unique(cells)
    surplus = np.array([reward[cells == c].mean() - rewards(np.arange(CELLS), c).mean() for c in seen])
    return chance() + surplus.mean(), surplus.mean() / (surplus.std(ddof=1) / np.sqrt(len(seen)))


def diagonals(weights):
    """Return the mean weights up to one cell from the diagonal, and further away than any reward."""
    far = np.abs(np.subtract.outer(np.arange(CELLS), np.arange(CELLS)))
    return weights[far <= 1].mean(), weights[far >= len(REWARDS)].mean()


def draw(played, control, chip):
    """Draw the learning curves, the weights and the last moves of the game."""
    figure, panels = plt.subplot_mosaic([["curve", "weights"], ["game", "game"]], figsize=(10, 7), layout="constrained")
    panels["curve"].plot(mean_expected(played), color="C0", label="learning")
    panels["curve"].plot(mean_expected(control), color="0.5", label="rate 0")
    panels["curve"].axhline(chance(), color="0.5", ls=":", label="actions at random")
    for moves, (low, high) in BANDS.items():
        if moves <= len(played["ball"]):
            panels["curve"].vlines(moves, low, high, color="C3", lw=4, label=f"specification, {moves} moves")
    panels["curve"].set(xlabel="moves", ylabel="mean expected reward", ylim=(0, 1))
    panels["curve"].legend(frameon=False, fontsize="small")
    figure.colorbar(panels["weights"].imshow(played["weights"], vmin=0, vmax=63), ax=panels["weights"], label="weight [LSB]")
    panels["weights"].set(xlabel="neuron", ylabel="cell of the ball")
    shown = np.arange(len(played["ball"]))[-400:]
    panels["game"].plot(shown, played["ball"][shown], color="C1", label="ball")
    panels["game"].plot(shown, played["paddle"][shown], color="C0", label="paddle")
    for outcome, colour, label in ((2, "C2", "hit"), (1, "C3", "missed")):
        at = shown[played["met"][shown] == outcome]
        panels["game"].plot(at, played["paddle"][at], "o", color=colour, label=label)
    panels["game"].set(xlabel="moves", ylabel="cell", ylim=(-0.5, CELLS + 5))
    panels["game"].legend(frameon=False, ncols=4, loc="upper right")
    figure.suptitle(f"R-STDP pong on virtual chip {chip}")
    figure.savefig("pong.png", dpi=150)
    plt.close(figure)


def main(moves=5_000, chip="reference", seed=SEED, control_moves=1_500):
    """Learn, and play without learning; print numbers beside bands and draw. Return what was played in both."""
    with neckar.Lab(chip=chip):
        played, control = learn(moves, seed=seed), learn(control_moves, rate=0, seed=seed)
    curve = mean_expected(played)
    print(f"virtual chip {chip}, {moves} moves, {moves * PERIOD_MS * 1e-3:.1f} s of hardware time; a random action earns {chance():.3f}")
    for count in sorted({500, 1_000, 2_000, moves, *BANDS}):
        if count <= moves:
            near = np.mean(np.abs(played["action"] - played["ball"])[max(count - 500, 0) : count] < len(REWARDS))
            low, high = BANDS.get(count, (None, None))
            band = "" if low is None else f"   specification {low} to {high}: {'inside' if low <= curve[count - 1] <= high else 'OUTSIDE'}"
            print(f"    after {count:6} moves: mean expected reward {curve[count - 1]:.3f}, {100 * near:3.0f} % of the last 500 within three cells{band}")
    for name, game in (("learning", played), ("rate 0", control)):
        reward, sigmas = above_chance(game, 500)
        diagonal, rest = diagonals(game["weights"])
        hits = np.bincount(game["met"][-2000:], minlength=3)[1:]
        print(f"    {name:8}: reward of the last 500 moves {reward:.3f}, {sigmas:+.1f} standard errors from chance;")
        print(f"              weights {diagonal:.1f} on the diagonal, {rest:.1f} elsewhere; {hits[1]} of the last {hits.sum()} balls hit")
    draw(played, control, chip)
    return played, control


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="20,000 moves")
    parser.add_argument("--chip", default="reference", help="name or seed of a virtual chip")
    parser.add_argument("--seed", type=int, default=SEED, help="of the first weights and the ball")
    chosen = parser.parse_args()
    main(20_000 if chosen.full else 5_000, chosen.chip, chosen.seed)
