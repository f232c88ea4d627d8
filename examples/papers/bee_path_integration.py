"""A bee finds home by path integration, all on one chip, tuned by an evolution strategy.

After the bees of arXiv 2401.00473: brain, body, world and senses of an insect are on the chip, and an evolution strategy tunes them over 4800 journeys in
320 generations, that is 15 journeys in each. Of that publication only the abstract and summaries were at hand. Sizes, codes and numbers are **our own
specification**, made from the public model of the bee's central complex (Stone et al. 2017, the variant with pontine neurons, which subtracts where the
other multiplies); none of the results below is to be compared with a figure of the paper.

Fifty-eight neurons: a compass of eight directions (TB1 in the bee), two that see the flow of the ground at 45 degrees to each side (TN), sixteen that pass
this on unless the compass inhibits them (the input of CPU4), sixteen memory cells (CPU4) and sixteen for steering (CPU1), where memory excites, shifted by a
column to either side, and compass and opposite memory inhibit. One generator of the chip drives compass, flow and memory cells at a constant rate; what they
are told stands in the weights of its synapses. A kernel on the plasticity processor does everything else, every 0.1 ms: it counts spikes, changes memory,
turns and moves the body, and writes these weights.

A memory cell is one neuron with one plastic synapse, on which the axons of two others end: each spike of its input cell makes the synapse stronger, each
spike of its flow cell weaker. The processor does what these axo-axonic contacts would do, and keeps the part of the weight that is finer than its 64 steps.

What came out on the reference chip: the mean distance from the nest at the end fell from 206 lengths in the first generation to 27 in generation 100 and 21 in
the last ten of 149; on walks that evolution has not seen, of 120 lengths, 23 of 24 bees come home, and 2 of 24 of those that it started from; on twenty
further ones (seeds 4000 to 4019, of 110 lengths) 15 and 10. It has specialised: of bees that were only 34 lengths away, much less than in evolution, 38 %
come home, and of those on other chips 50 to 75 %.

The script lets 24 bees with evolved numbers fly, and as many with those that the evolution started from, then some further, after a rest, and on chips on
which nothing has evolved. ``--evolve 320`` repeats the evolution, half an hour on two free cores; it goes on where it was interrupted, and needs
``neckar[studies]``. Run time: about 80 s of a core.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

import neckar
import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import hal, halco

# ---- the chip -------------------------------------------------------------------------------------------------------------------------------------------

PERIOD_MS = 0.1
"""One step of the body: 0.1 ms on the chip, which stands for 0.1 s of a bee."""
DRIVE_HZ = 800e3
DIRECTIONS, SIDES = 8, 2
CELLS = DIRECTIONS * SIDES
COUNTED = SIDES + 2 * CELLS
"""Neurons whose spikes the kernel counts: flow, memory input, steering."""

# ---- the journey ----------------------------------------------------------------------------------------------------------------------------------------

OUT, BACK = 200, 250
"""Steps of the random walk and of the way home."""
LAST = 50
"""Steps at the end over which the error is the mean distance from the nest."""
RADIUS = 20.0
"""A bee is home if it comes so near to the nest; a step is 0.85 long at most."""

# Numbers of the kernel: position and velocity in 1/4096 of a length, angles in 1/65536 of a turn, memory in 1/2048 of a weight's step.
FULL_TURN, ONE, LEVEL = 1 << 16, 1 << 12, 1 << 11
THRUST, DRAG, SMOOTH = round(0.15 * ONE), round(0.15 * 256), round(0.4 * 256)  # of Stone et al.: acceleration, drag, and how much of a turn the next one keeps
COSINE = tuple(round(16384 * math.cos(2 * math.pi * k / 256)) for k in range(256))


def _turns(kappa: float, number: int) -> tuple[int, ...]:
    """Return the middles of quantiles of a von Mises distribution: a random one of them is a random turn."""
    grid = np.linspace(-np.pi, np.pi, 200_001)
    below = np.cumsum(np.exp(kappa * (np.cos(grid) - 1)))
    angles = np.interp((np.arange(number) + 0.5) / number, below / below[-1], grid)
    return tuple(int(k) for k in np.round(angles * FULL_TURN / (2 * np.pi)))


TURNS = _turns(100.0, 256)

KERNEL = """
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "grenade/vx/ppu/time.h"
#include "libnux/vx/random.h"
using namespace grenade::vx::ppu;
using namespace libnux::vx;
extern volatile PPUOnDLS ppu;

int16_t const cosine[256] = {@COSINE@};
int16_t const turns[256] = {@TURNS@};

// the host writes these before each journey
uint32_t seed = 1;
int out_steps = 0, rest_steps = 0, compass_drive = 0, flow_drive = 0, gain = 0, loss = 0, turn_gain = 0;

int step = 0, x = 0, y = 0, vx = 0, vy = 0, turn = 0;
uint16_t heading = 0;
int memory[@CELLS@];

int cos_of(int angle) { return cosine[(angle >> 8) & 255]; }
int velocity_along(int angle) { return (vx * cos_of(angle) + vy * cos_of(angle - 16384)) >> 14; }
int between(int low, int value, int high) { return value < low ? low : value > high ? high : value; }

template <typename Values>
void present(SynapseArrayViewHandle const& view, Values const& values)
{
    VectorRowMod8 row;
    for (size_t i = 0; i < view.columns.size(); ++i) {
        row[view.columns[i]] = between(0, values(i), 63);
    }
    view.set_weights(row, 0);
}

template <size_t N, size_t M>
void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, N>& synapses, std::array<NeuronViewHandle, M>& neurons, Recording& recording)
{
    if (synapses[0].hemisphere != ppu) {
        return;
    }
    recording.time = now();
    auto const counts = neurons[0].get_rate_counters(true);
    int spikes[@COUNTED@];
    for (int i = 0; i < @COUNTED@; ++i) {
        spikes[i] = step == 0 ? 0 : counts[neurons[0].columns[i]];
    }
    int const* const flow = spikes;
    int const* const input = flow + 2;
    int const* const steering = input + @CELLS@;

    int left = 0, right = 0;
    for (int i = 0; i < @CELLS@; ++i) {
        memory[i] = step == 0 ? @MIDDLE@ : between(0, memory[i] + gain * input[i] - loss * flow[i / 8], @TOP@);
        (i < 8 ? left : right) += steering[i];
    }

    bool const outbound = step < out_steps, rests = !outbound && step < out_steps + rest_steps;
    if (step == 0) {
        heading = xorshift32(&seed) >> 16;
    }
    if (rests) {
        turn = vx = vy = 0;
    } else if (outbound) {
        turn = ((@SMOOTH@ * turn) >> 8) + turns[xorshift32(&seed) >> 24];
    } else {
        turn = between(-16384, (turn_gain * (left - right)) >> 4, 16384);
    }
    heading += turn;
    if (!rests) {
        vx += (@THRUST@ * cos_of(heading)) >> 14;
        vy += (@THRUST@ * cos_of(heading - 16384)) >> 14;
        vx -= (@DRAG@ * vx) >> 8;
        vy -= (@DRAG@ * vy) >> 8;
        x += vx;
        y += vy;
    }

    present(synapses[0], [](int i) { return (compass_drive * (16384 + cos_of(heading - 8192 * i))) >> 15; });
    present(synapses[1], [](int i) { return (flow_drive * velocity_along(heading + (i ? -8192 : 8192))) >> 12; });
    present(synapses[2], [](int i) { return memory[i] >> 11; });

    recording.journey[0] = x >> 7;
    recording.journey[1] = y >> 7;
    recording.journey[2] = static_cast<int16_t>(heading);
    for (int i = 0; i < @COUNTED@; ++i) {
        recording.journey[3 + i] = spikes[i];
    }
    for (int i = 0; i < @CELLS@; ++i) {
        recording.journey[3 + @COUNTED@ + i] = memory[i] >> 3;
    }
    ++step;
}
"""
_NUMBERS = {
    "COSINE": ", ".join(map(str, COSINE)),
    "TURNS": ", ".join(map(str, TURNS)),
    **{name: str(value) for name, value in (("CELLS", CELLS), ("COUNTED", COUNTED), ("SMOOTH", SMOOTH), ("THRUST", THRUST), ("DRAG", DRAG))},
    "MIDDLE": str(32 * LEVEL),
    "TOP": str(64 * LEVEL - 1),
}
for _name, _text in _NUMBERS.items():
    KERNEL = KERNEL.replace(f"@{_name}@", _text)


class Bee(pynn.PlasticityRule):
    """Body, world and senses of a bee, and the contacts that write its memory."""

    def __init__(self, steps: int) -> None:
        kind = pynn.PlasticityRule.ObservableArray
        super().__init__(pynn.Timer(start=0.0, period=PERIOD_MS, num_periods=steps), {"journey": kind(kind.Type.int16, 3 + COUNTED + CELLS)})

    def generate_kernel(self) -> str:
        """Return the kernel."""
        return KERNEL


# ---- what evolves ---------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gene:
    """A whole number between two others; on a logarithmic scale if both are positive and far apart."""

    low: int
    high: int

    def value(self, share: float) -> int:
        """Return the number at a share of the range, 0 to 1."""
        if self.low > 0 and self.high >= 32 * self.low:
            return round(self.low * (self.high / self.low) ** share)
        return round(self.low + (self.high - self.low) * share)


GENES = {
    "compass_drive": Gene(8, 63),  # weight of the compass cell whose direction the bee flies
    "flow_drive": Gene(8, 150),  # weight of a flow cell, for each length per step
    "ring": Gene(0, 40),  # weights: inhibition of opposite compass cells,
    "flow_input": Gene(5, 63),  # flow to memory input,
    "compass_input": Gene(5, 63),  # compass to memory input, inhibitory,
    "memory_steering": Gene(5, 63),  # memory to steering,
    "opposite_steering": Gene(0, 63),  # memory of the opposite direction to steering, inhibitory,
    "compass_steering": Gene(5, 63),  # compass to steering, inhibitory
    "gain": Gene(8, 256),  # of memory, for each spike of its input and
    "loss": Gene(1, 64),  # of its flow cell, 1/2048 of a weight's step
    "turn_gain": Gene(100, 10_000),  # turn for each spike more on the left, 1/16 of an angle's unit
}
Genome = dict[str, int]
START: Genome = {name: gene.value(0.5) for name, gene in GENES.items()}
"""The middle of all ranges."""
EVOLVED: Genome = {
    "compass_drive": 47,
    "flow_drive": 136,
    "ring": 11,
    "flow_input": 30,
    "compass_input": 39,
    "memory_steering": 57,
    "opposite_steering": 56,
    "compass_steering": 31,
    "gain": 57,
    "loss": 7,
    "turn_gain": 7432,
}
"""What ``--evolve 149 --seed 1`` of this script has found on the chip ``reference``."""
HISTORY: dict[str, Sequence[float]] = {
    "error": (
        205.8, 173.5, 162.2, 126.0, 109.1, 89.2, 76.0, 69.3, 73.1, 82.3, 102.1, 110.4, 70.3, 58.0, 80.2, 61.1, 80.4, 62.4, 58.1, 53.2, 59.7, 55.8,
        37.8, 29.8, 31.4, 30.3, 39.0, 34.2, 37.3, 21.8, 31.8, 54.4, 30.2, 31.8, 32.3, 23.1, 41.0, 31.0, 23.4, 30.9, 34.3, 27.7, 25.5, 39.0, 22.6,
        12.3, 56.2, 26.0, 25.8, 37.2, 28.8, 26.1, 26.6, 35.3, 28.4, 37.6, 37.3, 50.0, 16.6, 40.7, 29.6, 28.4, 25.6, 26.8, 15.7, 27.6, 48.7, 60.8,
        22.8, 33.5, 26.1, 31.7, 37.1, 23.1, 21.6, 24.9, 26.5, 36.6, 47.2, 29.5, 36.4, 38.5, 28.0, 46.9, 35.7, 29.1, 50.2, 25.0, 38.2, 34.9, 47.7,
        50.9, 35.7, 21.1, 22.7, 23.3, 39.8, 27.9, 23.2, 30.1, 27.2, 27.3, 30.5, 37.9, 17.2, 32.8, 27.1, 36.7, 43.8, 30.8, 37.9, 31.8, 49.9, 18.2,
        27.1, 25.8, 39.2, 26.5, 44.0, 23.5, 23.1, 22.5, 47.3, 37.2, 15.7, 34.3, 19.0, 30.9, 31.1, 35.7, 23.1, 26.8, 26.8, 23.2, 25.4, 32.6, 19.4,
        37.2, 28.3, 16.7, 13.8, 26.5, 30.6, 21.7, 26.7, 14.1, 22.7, 23.2, 16.7,
    ),
    "closest": (
        43.8, 110.9, 96.9, 54.6, 46.4, 55.8, 42.1, 18.5, 21.7, 29.4, 70.0, 72.4, 26.0, 21.1, 15.1, 32.8, 42.1, 12.6, 29.5, 10.1, 41.1, 26.1, 25.2,
        17.7, 15.1, 8.8, 17.0, 19.0, 6.3, 11.4, 8.1, 8.1, 4.6, 12.5, 3.0, 9.3, 11.5, 8.1, 14.3, 22.2, 14.1, 8.9, 13.5, 6.9, 15.5, 8.6, 26.1, 7.3,
        10.1, 8.1, 9.1, 16.4, 20.4, 24.9, 14.9, 8.3, 7.5, 41.0, 6.8, 9.0, 18.4, 13.2, 14.3, 9.3, 7.1, 12.8, 19.7, 26.6, 13.7, 12.9, 17.1, 15.9, 9.4,
        5.1, 11.7, 8.9, 5.2, 6.7, 12.6, 10.0, 4.8, 22.3, 11.7, 3.2, 3.1, 14.4, 19.6, 6.7, 11.3, 20.8, 9.7, 23.9, 17.5, 8.7, 4.1, 14.3, 29.4, 13.9,
        12.7, 7.5, 13.7, 12.8, 13.9, 29.6, 4.4, 12.6, 14.5, 6.1, 24.5, 13.3, 21.4, 11.3, 28.3, 8.9, 8.0, 10.0, 23.0, 18.1, 10.2, 5.8, 14.0, 12.6, 8.4,
        5.6, 9.9, 8.4, 7.6, 21.1, 11.0, 16.7, 4.9, 14.9, 10.9, 3.6, 13.6, 5.8, 9.1, 20.8, 8.8, 10.4, 3.7, 5.2, 20.6, 1.7, 10.7, 8.5, 4.3, 3.0, 9.8,
    ),
}
"""Mean error and least distance of each generation of that run, lengths: a record, which the script prints and does not measure unless it evolves."""


def genome_of(shares: Sequence[float]) -> Genome:
    """Return the numbers at shares of their ranges."""
    return {name: gene.value(float(share)) for (name, gene), share in zip(GENES.items(), shares, strict=True)}


# ---- one journey ----------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Journey:
    """What a bee did. Axes: step; then as named.

    Attributes
    ----------
    position : ndarray, shape (step, 2)
        Lengths.
    heading : ndarray, shape (step,)
        Units of 1/65536 turn, 0 to 65535.
    flow, entry, steering : ndarray, shape (step, 2), (step, 16), (step, 16)
        Spikes in the period before, of flow, memory input and steering cells: left, then right.
    memory : ndarray, shape (step, 16)
        Steps of a weight, 0 to 64.
    out, rest : int
        Steps outbound and at rest.
    time : ndarray, shape (step,)
        When the kernel began, ms.
    lost : dict
        What the chip lost, with reason and place.
    """

    position: np.ndarray
    heading: np.ndarray
    flow: np.ndarray
    entry: np.ndarray
    steering: np.ndarray
    memory: np.ndarray
    out: int
    rest: int
    time: np.ndarray
    lost: dict[tuple[str, str], int]

    @property
    def distance(self) -> np.ndarray:
        """Distance from the nest, shape (step,)."""
        return np.hypot(*self.position.T)

    @property
    def outbound(self) -> float:
        """Distance from the nest when the bee turns for home."""
        return float(self.distance[self.out - 1])

    @property
    def closest(self) -> float:
        """Least distance from the nest on the way home."""
        return float(self.distance[self.out + self.rest :].min())

    @property
    def error(self) -> float:
        """Mean distance from the nest at the end, when the bee should search around it."""
        return float(self.distance[-LAST:].mean())

    def home_vector(self, step: int) -> np.ndarray:
        """Return what the memory says about the way home, in steps of a weight; its two halves look 45 degrees to either side."""
        angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
        towards = np.concatenate([angle + np.pi / 4, angle - np.pi / 4])
        return np.array([self.memory[step] @ np.cos(towards), self.memory[step] @ np.sin(towards)])


@functools.cache
def chip_of(name: str):
    """Return a calibrated chip on which no neuron fires unless a population says so: a silent circuit costs nothing."""
    with neckar.Lab(chip=name):
        chip = pynn.helper.chip_from_nightly()
    for circuit in halco.iter_all(halco.AtomicNeuronOnDLS):
        chip.neuron_block.atomic_neurons[circuit].threshold.enable = False
    return chip


def _word(number: int) -> hal.PPUMemoryBlock:
    block = hal.PPUMemoryBlock(halco.PPUMemoryBlockSize(1))
    block.words = [hal.PPUMemoryWord(hal.PPUMemoryWord.Value(number & 0xFFFFFFFF))]
    return block


def world_seed(seed: int) -> int:
    """Return where the kernel's random numbers start: not 0, and unrelated for neighbouring seeds."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0]) | 1


def connect(pre, post, weights: np.ndarray) -> None:
    """Connect neurons by weights of shape (pre, post), all of one sign; 0 is no connection."""
    triples = [(int(i), int(j), float(weights[i, j])) for i, j in np.argwhere(weights)]
    if triples:
        receptor = "excitatory" if triples[0][2] > 0 else "inhibitory"
        wires = pynn.FromListConnector(triples, column_names=["weight"])
        pynn.Projection(pre, post, wires, synapse_type=pynn.synapses.StaticSynapse(), receptor_type=receptor)


def build(genome: Genome, rule: Bee, seed: int) -> None:
    """Make the network."""
    drive = pynn.Population(1, pynn.cells.SpikeSourcePoissonOnChip(rate=DRIVE_HZ, seed=1 + world_seed(seed) % 65535))
    compass, memory = (pynn.Population(size, pynn.cells.HXNeuron(threshold_enable=True)) for size in (DIRECTIONS, CELLS))
    counted = pynn.Population(COUNTED, pynn.cells.HXNeuron(threshold_enable=True, plasticity_rule=rule))
    flow, entry, steering = counted[:SIDES], counted[SIDES : SIDES + CELLS], counted[SIDES + CELLS :]
    for driven in (compass, flow, memory):
        pynn.Projection(drive, driven, pynn.AllToAllConnector(), synapse_type=pynn.synapses.PlasticSynapse(weight=0, plasticity_rule=rule))
    same, none = np.eye(DIRECTIONS, dtype=int), np.zeros((DIRECTIONS, DIRECTIONS), int)
    apart = np.subtract.outer(np.arange(DIRECTIONS), np.arange(DIRECTIONS)) * 2 * np.pi / DIRECTIONS
    shifted = np.block([[np.roll(same, 1, axis=1), none], [none, np.roll(same, -1, axis=1)]])  # by 45 degrees, to undo the way the flow cells look
    connect(compass, compass, -np.round(genome["ring"] * (1 - np.cos(apart)) / 2))
    connect(flow, entry, genome["flow_input"] * np.repeat(np.eye(SIDES), DIRECTIONS, axis=1))
    connect(compass, entry, -genome["compass_input"] * np.hstack([same, same]))
    connect(compass, steering, -genome["compass_steering"] * np.hstack([same, same]))
    connect(memory, steering, genome["memory_steering"] * shifted)
    connect(memory, steering, -genome["opposite_steering"] * np.block([[np.roll(same, 5, axis=1), none], [none, np.roll(same, 3, axis=1)]]))


def fly(genome: Genome, seed: int, *, chip: str = "reference", out: int = OUT, rest: int = 0, back: int = BACK) -> Journey:
    """Return a journey: a random walk of `out` steps, a rest, and `back` steps that the network steers. The seed is that of world, chip noise and generator."""
    steps = out + rest + back
    told = {"seed": world_seed(seed), "out_steps": out, "rest_steps": rest}
    told |= {name: genome[name] for name in ("compass_drive", "flow_drive", "gain", "loss", "turn_gain")}
    injected = pynn.InjectedConfiguration()
    injected.ppu_symbols = {name: _word(number) for name, number in told.items()}
    with neckar.Lab(chip=chip, seed=seed):
        pynn.setup(initial_config=chip_of(chip), injected_config=injected)
        rule = Bee(steps)
        build(genome, rule, seed)
        pynn.run(steps * PERIOD_MS)
        samples = rule.get_observable_array("journey")[0]
        (recording,) = pynn.simulator.state.recordings[0]
        pynn.end()
    seen = np.array([sample.data for sample in samples])
    flow, entry, steering, memory = np.split(seen[:, 3:], np.cumsum([SIDES, CELLS, CELLS]), axis=1)
    lost = {where: number for where, number in recording.losses.lost.items() if number}
    when = np.array([sample.time.value() / 125_000 for sample in samples])
    return Journey(seen[:, :2] / 32, seen[:, 2] % FULL_TURN, flow, entry, steering, memory / 256, out, rest, when, lost)


def body_and_memory(genome: Genome, seed: int, journey: Journey) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return position, heading and memory of a journey in plain Python, from the spikes that were counted: what the kernel should have done."""
    state, turn, heading = world_seed(seed), 0, 0
    x = y = vx = vy = 0
    memory = [32 * LEVEL] * CELLS
    found: list[tuple[tuple[int, int], int, list[int]]] = []

    def draw() -> int:
        nonlocal state
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        return state

    def cosine(angle: int) -> int:
        return COSINE[(angle >> 8) % 256]

    for step, (flow, entry, steering) in enumerate(zip(journey.flow.tolist(), journey.entry.tolist(), journey.steering.tolist(), strict=True)):
        if step == 0:
            heading = draw() >> 16
        else:
            changed = [level + genome["gain"] * entry[i] - genome["loss"] * flow[i // DIRECTIONS] for i, level in enumerate(memory)]
            memory = [min(max(level, 0), 64 * LEVEL - 1) for level in changed]
        if step < journey.out:
            turn = ((SMOOTH * turn) >> 8) + TURNS[draw() >> 24]
        elif step < journey.out + journey.rest:
            turn = vx = vy = 0
        else:
            left, right = sum(steering[:DIRECTIONS]), sum(steering[DIRECTIONS:])
            turn = min(max((genome["turn_gain"] * (left - right)) >> 4, -16384), 16384)
        heading = (heading + turn) % FULL_TURN
        if not journey.out <= step < journey.out + journey.rest:
            vx += (THRUST * cosine(heading)) >> 14
            vy += (THRUST * cosine(heading - 16384)) >> 14
            vx -= (DRAG * vx) >> 8
            vy -= (DRAG * vy) >> 8
            x, y = x + vx, y + vy
        found.append(((x >> 7, y >> 7), heading, [level >> 3 for level in memory]))
    position, angle, levels = zip(*found, strict=True)
    return np.array(position) / 32, np.array(angle), np.array(levels) / 256


# ---- evolution ------------------------------------------------------------------------------------------------------------------------------------------

GENERATIONS, BEES = 320, 15


@contextmanager
def workers(processes: int) -> Iterator[Executor | None]:
    """Yield processes to let bees fly in; None for this one."""
    if processes == 1:
        yield None
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def fly_all(flights: Sequence[tuple[Genome, int]], pool: Executor | None = None, **options: int | str) -> list[Journey]:
    """Return the journeys of genomes with seeds, in order."""
    do = functools.partial(_flight, options)
    return list(map(do, flights) if pool is None else pool.map(do, flights))


def _flight(options: dict[str, int | str], flight: tuple[Genome, int]) -> Journey:
    return fly(*flight, **options)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Generation:
    """What became of the bees of a generation.

    Attributes
    ----------
    shares : ndarray, shape (bee, gene)
        Where their numbers lie in the ranges.
    error, closest, outbound : ndarray, shape (bee,)
        See :class:`Journey`.
    """

    shares: np.ndarray
    error: np.ndarray
    closest: np.ndarray
    outbound: np.ndarray


def saved_generations(path: Path) -> list[Generation]:
    """Return the whole lines of a file of generations; one that an interruption has cut is left out."""
    found = []
    for line in path.read_text().splitlines(keepends=True) if path.exists() else []:
        if line.endswith("\n"):
            found.append(Generation(**{name: np.array(values) for name, values in json.loads(line).items()}))
    return found


def evolve(
    generations: int, pool: Executor | None = None, *, seed: int = 1, path: Path | None = None, tell: bool = False, **options: int | str
) -> list[Generation]:
    """Let generations of bees fly, each bee once and all of a generation on the same random walk.

    The strategy is CMA-ES of the package ``cma`` (Hansen, arXiv 1604.00772) from the middle of all ranges, with a spread of a fifth of them.

    Parameters
    ----------
    generations : int
    pool : Executor, optional
        It changes no bit of the result.
    seed : int
        Of the strategy and of the walks.
    path : Path, optional
        Generations are appended to this file as they are finished; those that are in it already are not repeated.
    tell : bool
        Print a line for each generation.
    **options
        Of :func:`fly`.
    """
    import cma

    normal = np.random.default_rng((seed, 0)).standard_normal
    how = {"popsize": BEES, "bounds": [0, 1], "randn": lambda *shape: normal(shape), "seed": float("nan"), "verbose": -9}
    strategy = cma.CMAEvolutionStrategy([0.5] * len(GENES), 0.2, how)
    known = saved_generations(path) if path else []
    if path and known:
        path.write_text("".join(_line(one) for one in known))  # without the rest of a line that was cut
    done: list[Generation] = []
    began = time.perf_counter()
    for number in range(generations):
        shares = np.array(strategy.ask())
        if number < len(known):
            one = known[number]
            if not np.array_equal(one.shares, shares):
                raise SystemExit(f"{path} holds generation {number} of another evolution; give another file")
        else:
            walk = int(np.random.SeedSequence((seed, 1 + number)).generate_state(1)[0])
            journeys = fly_all([(genome_of(bee), walk) for bee in shares], pool, **options)
            one = Generation(shares, *(np.array([getattr(journey, name) for journey in journeys]) for name in ("error", "closest", "outbound")))
            if path:
                with path.open("a") as file:
                    file.write(_line(one))
        strategy.tell(list(shares), one.error.tolist())
        done.append(one)
        if tell:
            each = (time.perf_counter() - began) / max(1, BEES * (number + 1 - len(known)))
            print(
                f"generation {number:3}: error {one.error.mean():6.1f} (best {one.error.min():5.1f}), closest {one.closest.mean():6.1f}, "
                f"outbound {one.outbound[0]:5.1f}; {each:.2f} s a journey",
                flush=True,
            )
    return done


def _line(one: Generation) -> str:
    return json.dumps({name: values.tolist() for name, values in vars(one).items()}) + "\n"


def centre(generations: Sequence[Generation], last: int = 10) -> Genome:
    """Return the middle of the better half of the last generations: what an evolution has found."""
    better = [one.shares[np.argsort(one.error)[: BEES // 2]] for one in generations[-last:]]
    return genome_of(np.mean(np.concatenate(better), axis=0))



# ---- what it shows --------------------------------------------------------------------------------------------------------------------------------------

WALKS = tuple(range(1000, 1024))
"""Seeds of walks that the evolution has not seen."""
LENGTHS = (50, 100, 200, 400)
"""Steps outbound; as many and 50 more are given for the way home."""
OTHERS = ("1", "2", "3")
"""Chips on which nothing has evolved."""
REST = 100
"""Steps of a rest before the way home: 10 ms on the chip, 10 s of a bee."""


@dataclass(frozen=True)
class Study:
    """What the script measures.

    Attributes
    ----------
    evolved, start : list of Journey
        The same walks with both genomes.
    by_length : dict from int to list of Journey
        Evolved bees on walks of other lengths.
    rested : list of Journey
        Evolved bees that rest before they turn for home.
    elsewhere : dict from str to list of Journey
        The same numbers on chips on which they have not evolved.
    seconds : float
        Of the processors for a journey of OUT and BACK steps.
    """

    evolved: list[Journey]
    start: list[Journey]
    by_length: dict[int, list[Journey]]
    rested: list[Journey]
    elsewhere: dict[str, list[Journey]]
    seconds: float


def measure(pool: Executor | None = None, *, walks: Sequence[int] = WALKS, chip: str = "reference", others: Sequence[str] = OTHERS) -> Study:
    """Let bees fly."""
    fly(START, 0, chip=chip)  # what is compiled and calibrated once
    began = time.process_time()
    first = [fly(EVOLVED, walk, chip=chip) for walk in walks[:4]]
    seconds = (time.process_time() - began) / len(first)
    evolved = first + fly_all([(EVOLVED, walk) for walk in walks[len(first) :]], pool, chip=chip)
    start = fly_all([(START, walk) for walk in walks], pool, chip=chip)
    few = [(EVOLVED, walk) for walk in walks[: -(-len(walks) // 3)]]
    by_length = {out: fly_all(few, pool, chip=chip, out=out, back=out + 50) for out in LENGTHS if out != OUT} | {OUT: evolved}
    rested = fly_all(few, pool, chip=chip, rest=REST)
    return Study(evolved, start, by_length, rested, {other: fly_all(few, pool, chip=other) for other in others}, seconds)


def mean(journeys: Sequence[Journey], name: str) -> float:
    """Return the mean of an attribute."""
    return float(np.mean([getattr(journey, name) for journey in journeys]))


def home(journeys: Sequence[Journey]) -> float:
    """Return the share of bees that came within RADIUS of the nest."""
    return float(np.mean([journey.closest < RADIUS for journey in journeys]))


def growth(by_length: dict[int, list[Journey]], name: str) -> float:
    """Return the exponent with which the mean of an attribute grows with the outbound distance: below 1 is less than in proportion."""
    distance, error = np.log([(mean(journeys, "outbound"), mean(journeys, name)) for journeys in by_length.values()]).T
    return float(np.polyfit(distance, error, 1)[0])


def forgotten(journey: Journey) -> float:
    """Return how far the home vector moved during the rest, as a share of its length before."""
    # counts and memory of a step tell of the period before it, and flow and memory cells need one to follow
    before, after = (journey.home_vector(step) for step in (journey.out + 2, journey.out + journey.rest - 1))
    return float(np.linalg.norm(after - before) / np.linalg.norm(before))


def draw(study: Study, history: dict[str, Sequence[float]], path: Path) -> None:
    """Draw walks and ways home, errors of the generations, and errors by distance."""
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    for k, journey in enumerate(study.evolved[:4]):
        x, y = journey.position.T
        left.plot(x[: journey.out], y[: journey.out], color=f"C{k}", lw=1)
        left.plot(x[journey.out :], y[journey.out :], color=f"C{k}", lw=1, ls=":")
    x, y = study.start[0].position.T
    left.plot(x[OUT:], y[OUT:], color="0.6", lw=1, ls=":", label="numbers that evolution started from")
    left.add_patch(plt.Circle((0, 0), RADIUS, color="k", alpha=0.15, label="nest"))
    left.set(xlabel="lengths", ylabel="lengths", title="walk (solid) and way home (dotted)", aspect="equal")
    left.legend(frameon=False, fontsize=8)
    middle.plot(history["error"], label="error: mean distance at the end")
    middle.plot(history["closest"], label="least distance on the way home")
    middle.set(xlabel="generation", ylabel="mean of 15 bees [lengths]", yscale="log", title="evolution")
    middle.legend(frameon=False, fontsize=8)
    for journeys, label, marker in ((study.start, "start", "x"), (list(chain(*study.by_length.values())), "evolved", "o")):
        right.plot([j.outbound for j in journeys], [j.closest for j in journeys], marker, ms=4, alpha=0.7, label=label)
    right.axhline(RADIUS, color="k", lw=0.6, ls="--")
    right.set(xlabel="outbound distance [lengths]", ylabel="least distance on the way home [lengths]", xscale="log", yscale="log", title="new walks")
    right.set_xticks([30, 60, 120, 240], ["30", "60", "120", "240"])
    right.minorticks_off()
    right.legend(frameon=False, fontsize=8)
    figure.suptitle("path integration on a virtual chip")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> Study:
    """Evolve if that is asked for; then fly, print and draw."""
    options = argparse.ArgumentParser(description="A bee finds home by path integration.")
    options.add_argument("--evolve", type=int, metavar="N", help=f"generations of {BEES} bees; {GENERATIONS} are the published number")
    options.add_argument("--seed", type=int, default=1, help="of the evolution")
    options.add_argument("--file", type=Path, default=Path("bee_generations.jsonl"), help="keeps the generations; an evolution goes on from there")
    options.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options.add_argument("--figure", type=Path, default=Path("bee_path_integration.png"))
    given = options.parse_args(argv)
    with workers(given.processes) as pool:
        history = HISTORY
        if given.evolve:
            generations = evolve(given.evolve, pool, seed=given.seed, path=given.file, tell=True)
            history = {name: [float(getattr(one, name).mean()) for one in generations] for name in HISTORY}
            print(f"the middle of the better half of the last ten generations: {centre(generations)}")
        study = measure(pool)
    report(study, history)
    draw(study, history, given.figure)
    return study


def report(study: Study, history: dict[str, Sequence[float]]) -> None:
    """Print what was found beside what is demanded."""
    errors = history["error"]
    late = float(np.mean(errors[-10:]))
    how = " (a record, not measured now)" if history is HISTORY else ""
    print(f"error of {len(errors)} generations{how}: {errors[0]:.0f} in the first, {late:.0f} in the last ten: {errors[0] / late:.1f} times less (demanded: 3)")
    before, after = mean(study.start, "error"), mean(study.evolved, "error")
    print(f"error on {len(study.evolved)} new walks: {before:.0f} at the start, {after:.0f} evolved: {before / after:.1f} times less")
    print(f"home, within {RADIUS:g} of the nest: {home(study.start):.0%} at the start, {home(study.evolved):.0%} evolved (demanded: 80 %)")
    print(f"mean outbound distance {mean(study.evolved, 'outbound'):.0f}, least distance on the way home {mean(study.evolved, 'closest'):.1f}")
    for out, journeys in sorted(study.by_length.items()):
        far, error, near = (mean(journeys, name) for name in ("outbound", "error", "closest"))
        print(f"  {out:3} steps outbound: distance {far:4.0f}, error {error:3.0f}, least distance {near:4.0f}, {home(journeys):4.0%} home")
    powers = " and ".join(f"{growth(study.by_length, name):.2f}" for name in ("error", "closest"))
    print(f"error and least distance grow as outbound distance to the powers of {powers} (demanded: below 1)")
    moved = [forgotten(journey) for journey in study.rested]
    print(f"a rest of {REST * PERIOD_MS:g} ms (10 s of a bee) moves the home vector by {np.mean(moved):.0%}; {home(study.rested):.0%} come home after it")
    for chip, journeys in study.elsewhere.items():
        print(f"  on chip {chip}: {home(journeys):4.0%} home, error {mean(journeys, 'error'):.0f}")
    minutes = study.seconds * GENERATIONS * BEES / 2 / 60
    print(f"{study.seconds:.2f} s of a core for a journey: {GENERATIONS * BEES} journeys take {minutes:.0f} minutes on two free cores (demanded: 30)")


if __name__ == "__main__":
    main()
