"""Background generators: eight sources of regular or random events on the chip.

A generator counts cycles of the 250 MHz event clock. In regular mode it sends an event every ``period`` cycles. In random mode it draws eight bits every
``period + 1`` cycles and sends an event if they are at most ``rate``: a binned Poisson process of rate ``250 MHz (rate + 1) / 256 / (period + 1)``, whose
intervals have the coefficient of variation sqrt(1 - p), p = (rate + 1) / 256. Label bits under the mask are replaced by random ones at each event, so one
generator stands for up to 256 random sources. Source: haldls ``background.h``; rate law of pynn-brainscales ``cells.py``.

The random numbers depend on the seed register alone, so a generator repeats itself after every reset of its registers, as silicon does; two generators
with one seed send at the same bins. Not modelled: silicon's own bit sequence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neckar.chip.config import ChipConfig
from neckar.facts import AXES
from neckar.facts import brainscales2 as facts

FIELDS = ("enable", "enable_random", "period", "rate", "seed", "mask", "label")
CYCLE_TICKS = facts.EVENT_CLOCK_TICKS
BLOCK = 1 << 16  # draws of one key
RATE, LABEL = 0, 1  # streams of random numbers

Ints = NDArray[np.int64]


class Generators:
    """The generators of a trial; they run from its first tick, and again from the tick at which one of their registers changes."""

    def __init__(self) -> None:
        self._known: list[tuple[int, ...]] = [()] * AXES["background"]
        self._since = [0] * AXES["background"]

    def events(self, config: ChipConfig, a: int, b: int) -> tuple[Ints, Ints, Ints]:
        """Return tick, generator and label of all events from tick `a` to `b`, by tick, then generator; configurations come in the order of time."""
        found = [np.zeros((3, 0), np.int64)]
        for k in range(AXES["background"]):
            codes = tuple(int(config[f"background_{name}"][k]) for name in FIELDS)
            if codes != self._known[k]:
                self._known[k], self._since[k] = codes, a
            if codes[0]:
                tick, label = _train(codes, self._since[k], a, b)
                found.append(np.stack([tick, np.full(len(tick), k), label]))
        tick, generator, label = np.concatenate(found, axis=1)
        order = np.lexsort((generator, tick))
        return tick[order], generator[order], label[order]


def _train(codes: tuple[int, ...], since: int, a: int, b: int) -> tuple[Ints, Ints]:
    """Return ticks and labels of one generator that was switched on at tick `since`."""
    _, random, period, rate, seed, mask, label = codes
    distance = CYCLE_TICKS * (period + 1 if random else max(period, 1))
    first = max(1, -(-(a - since) // distance))
    last = -(-(b - since) // distance)
    if not random:
        tick = since + distance * np.arange(first, last, dtype=np.int64)
        return tick, np.full(len(tick), label)
    ticks, labels = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for block in range(first // BLOCK, -(-last // BLOCK)):
        fires = np.flatnonzero(_bytes(seed, block, RATE) <= rate)
        n = fires + block * BLOCK
        fires, n = fires[(n >= first) & (n < last)], n[(n >= first) & (n < last)]
        drawn = _bytes(seed, block, LABEL)[fires].astype(np.int64) if mask else np.zeros(len(fires), np.int64)
        ticks.append(since + distance * n)
        labels.append((label & ~mask) | (drawn & mask))
    return np.concatenate(ticks), np.concatenate(labels)


def _bytes(seed: int, block: int, stream: int) -> NDArray[np.uint8]:
    return np.random.Generator(np.random.Philox(key=np.array([seed, 2 * block + stream], np.uint64))).integers(0, 256, BLOCK, np.uint8)
