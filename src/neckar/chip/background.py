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
from neckar.chip.probe import allowed_bytes
from neckar.errors import MemoryLimitError
from neckar.facts import AXES
from neckar.facts import brainscales2 as facts
from neckar.program import TICK_S, Program

FIELDS = ("enable", "enable_random", "period", "rate", "seed", "mask", "label")
CYCLE_TICKS = facts.EVENT_CLOCK_TICKS
BLOCK = 1 << 16  # draws of one key
DRAWS = 256  # different values of a draw
EVENT_BYTES = 150  # of one event while its section is prepared
RATE, LABEL = 0, 1  # streams of random numbers

Ints = NDArray[np.int64]


def check_memory(program: Program, base: ChipConfig, at_once: int) -> None:
    """Refuse generators whose events would fill the memory.

    Parameters
    ----------
    program : Program
    base : ChipConfig
        At the program's start.
    at_once : int
        Entries that run at the same time.

    Raises
    ------
    MemoryLimitError
        Before anything runs; names the fastest generator, the bytes that the events take and how many are allowed.
    """
    config, rates, events = base, np.zeros(AXES["background"]), 0.0
    for snippet in program.snippets:
        config = config.updated(snippet.config) if snippet.config else config
        rates = _rates_hz(config)
        events = max(events, rates.sum() * snippet.duration * TICK_S)
    needed = int(events * EVENT_BYTES * at_once)
    if (allowed := allowed_bytes(needed)) < needed:
        k = int(rates.argmax())
        raise MemoryLimitError(
            f"the background generators send {events:.3g} events in one section, which takes {needed} bytes ({at_once} entries at once); {allowed} bytes, "
            f"half of the available memory, are allowed. Generator {k} is the fastest, {rates[k]:.3g} Hz: raise its background_period, lower its "
            "background_rate, or cut the run into shorter sections."
        )


def _rates_hz(config: ChipConfig) -> NDArray[np.float64]:
    """Return the rate of each generator."""
    period = config.background_period.astype(np.float64)
    random = (config.background_rate + 1.0) / DRAWS / (period + 1)
    regular = 1.0 / np.maximum(period, 1)
    rate: NDArray[np.float64] = facts.EVENT_CLOCK.value * config.background_enable * np.where(config.background_enable_random, random, regular)
    return rate


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
