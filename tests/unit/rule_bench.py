"""Random rules in Python, and the same task run by numpy and by the kernel that the rule generates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from ppu_bench import FakeChip, Played, play

from neckar.ppu import FracSat8, FracSat16, Mod8, Mod16, Rule, State, random_row, round_stochastic, saturate_weight, seed_random, where, write_down
from neckar.ppu._recipe import is_convertible
from neckar.program import NeuronView, Observable, PlasticityTask, PlasticityView

KINDS = (Mod8, FracSat8, Mod16, FracSat16)
ROWS = (200, 41)
VIEWS = tuple(PlasticityView(h, ROWS, tuple(range(3, 250, 2 + h))) for h in (0, 1))
NEURONS = tuple(NeuronView(h, tuple(range(h, 256, 3))) for h in (0, 1))
US = 500
COMPARE: tuple[Callable[[Any, Any], Any], ...] = (
    lambda a, b: a > b, lambda a, b: a < b, lambda a, b: a == b, lambda a, b: a != b, lambda a, b: a >= b, lambda a, b: a <= b,
)  # fmt: skip

Choice = tuple[str, int, int, int, int]
OPS = ("add", "sub", "mul", "neg", "left", "right", "pow", "where", "both", "convert", "contiguous", "saturate", "random", "round", "constant", "element",
       "state", "state_row", "keep", "keep_row", "labels", "set_labels", "causal", "acausal", "reset", "seed")  # fmt: skip
choices = st.tuples(st.sampled_from(OPS), *(st.integers(0, 10**6) for _ in range(4)))
plans = st.tuples(st.lists(choices, max_size=12), st.lists(choices, min_size=4, max_size=24))


class RandomRule(Rule):
    """A rule that does what a plan says, and records every row that it comes to."""

    def __init__(self, plan: tuple[Sequence[Choice], Sequence[Choice]]) -> None:
        super().__init__()
        self.plan = plan
        self.states = [State(kind, rows=2, initial=5 * n) for n, kind in enumerate(KINDS)]
        self.s0, self.s1, self.s2, self.s3 = self.states
        self.found: list[Any] = []
        self.kept = 0
        write_down(self, {})
        layouts = ("complete_rows", "packed_active_columns")
        for n, row in enumerate(self.found):
            self.observables[f"o{n}"] = Observable(row.kind, "neuron" if n < self.kept else "synapse", layouts[n % 2])
        self.observables["list"] = Observable("int8", 3)

    def update(self, synapses: Any, neurons: Any, recording: Any) -> None:
        self.found = []
        if self.observables:
            recording.list[1] = -7
        for view, cells in zip(synapses, neurons, strict=True):
            outside = [cells.get_rate_counters(reset=True), cells.get_analog_readouts()]
            outside.append(Mod16(outside[0]) * 257 + Mod16(outside[1]))
            outside.append(FracSat8(outside[0]))
            for choice in self.plan[0]:
                self.do(choice, outside, None)
            self.kept = len(outside)
            for n, row in enumerate(outside):
                if self.observables:
                    getattr(recording, f"o{n}")[cells] = row
            for synapse_row in view:
                pool = [*outside, synapse_row.get_causal_correlation(), synapse_row.get_weights(), synapse_row.get_weights(Mod8)]
                pool.append(FracSat16(Mod16(pool[-3]) * 256 + Mod16(synapse_row.get_acausal_correlation())))
                for choice in self.plan[1]:
                    self.do(choice, pool, synapse_row)
                for n, row in list(enumerate(pool))[self.kept :]:
                    if self.observables:
                        getattr(recording, f"o{n}")[synapse_row] = row
                synapse_row.set_weights([row for row in pool if row.kind in ("int8", "uint8")][-1], saturate=len(pool) % 2 == 0)
                self.found = pool
        if self.observables:
            recording.list[0] = FracSat8(3)[17]

    def do(self, choice: Choice, pool: list[Any], row: Any) -> None:
        """Add one row to a pool, or do something to the chip."""
        op, i, j, k, n = choice
        a = pool[i % len(pool)]
        same = [one for one in pool if one.kind == a.kind]
        b, c = same[j % len(same)], same[k % len(same)]
        index = KINDS.index(type(a))
        made: Any = None
        if op in ("add", "sub", "mul"):
            made = {"add": lambda: a + b, "sub": lambda: a - b, "mul": lambda: a * b}[op]()
        elif op == "neg":
            made = -a
        elif op in ("left", "right"):
            bits = n % 21 - 2
            made = a << bits if op == "left" else a >> bits
        elif op == "pow":
            made = a ** (n % 4)
        elif op in ("where", "both"):
            masks = [one for one in pool if not (one.kind.endswith("16") and a.kind.endswith("8"))]
            first = masks[n % len(masks)]
            condition = COMPARE[j % 6](first, 0 if n % 2 else next(one for one in pool if one.kind == first.kind))
            if op == "both":
                other = COMPARE[k % 6](first, 1)
                condition = (condition & ~other) if n % 3 else (condition | other)
            made = where(condition, b, c)
        elif op == "convert":
            targets = [kind for kind in KINDS if is_convertible(a.kind, kind.kind)]
            made = targets[n % len(targets)](a)
        elif op == "contiguous":
            made = a.contiguous()
        elif op == "saturate" and a.kind.endswith("8"):
            made = saturate_weight(a)
        elif op == "random":
            made = random_row(KINDS[n % 4])
        elif op == "round":
            made = round_stochastic(a, n % 18)
        elif op == "constant":
            low, high = np.iinfo(a.kind).min, np.iinfo(a.kind).max
            made = type(a)((low, high, 0, 1, low + n % (high - low))[k % 5])
        elif op == "element":
            made = type(a)(a[n % 256])
        elif op == "state":
            made = self.states[n % 4][k % 2]
        elif op == "state_row" and row is not None:
            made = self.states[n % 4][row]
        elif op == "keep":
            self.states[index][n % 2] = a
        elif op == "keep_row" and row is not None:
            self.states[index][row] = a
        elif op == "seed" and a.kind.endswith("8") and n % 4 == 0:
            seed_random(a)
        elif row is not None:
            made = self.touch(op, row, a)
        if made is not None:
            pool.append(made)

    def touch(self, op: str, row: Any, a: Any) -> Any:
        """Read or change synapses."""
        if op == "labels":
            return row.get_labels()
        if op in ("causal", "acausal"):
            return row.get_causal_correlation() if op == "causal" else row.get_acausal_correlation()
        if op == "set_labels" and a.kind.endswith("8"):
            row.set_labels(a)
        elif op == "reset":
            row.reset_correlation()
        return None


def task(rule: Rule, language: str, **others: Any) -> PlasticityTask:
    """Return a task with a rule, as numpy or as its kernel executes it."""
    kernel = rule.text() if language == "python" else rule.generate_kernel()
    given = {"name": "rule", "kernel": kernel, "language": language, "views": VIEWS, "neurons": NEURONS, "period": 10_000 * US, "count": 3, "mode": "instant"}
    return PlasticityTask(**{**given, "observables": rule.observables, **others})


def chip(seed: int) -> FakeChip:
    """Return a chip that shows random codes, many of them extreme."""
    rng = np.random.default_rng(seed)
    found = FakeChip()
    for name, plane in found.planes.items():
        codes = np.array([0, 1, 31, 32, 62, 63]) if name.startswith("synapse") else np.array([0, 1, 127, 128, 129, 254, 255])
        plane[...] = np.where(rng.random(plane.shape) < 0.3, rng.choice(codes, plane.shape), rng.integers(0, codes[-1] + 1, plane.shape))
    found.counts[...] = rng.integers(0, 256, 512)
    found.overflow[...] = rng.random(512) < 0.1
    return found


def both(rule: Rule, seed: int, **others: Any) -> tuple[tuple[FakeChip, Played], tuple[FakeChip, Played]]:
    """Return chip and observables after numpy and after the kernel."""
    found = []
    for language in ("python", "cpp"):
        one = chip(seed)
        found.append((one, play(task(rule, language, **others), one, 200_000 * US)))
    return found[0], found[1]


def check_equal(rule: Rule, seed: int, **others: Any) -> None:
    """Compare all bits of planes and observables."""
    (mine, played), (theirs, reference) = both(rule, seed, **others)
    for name, values in reference.observables.get(0, {}).items():
        if name != "time":
            assert np.array_equal(played.observables[0][name], values), name
    for name, plane in theirs.planes.items():
        assert np.array_equal(mine.planes[name], plane), name
    assert np.array_equal(mine.counts, theirs.counts)
    for one, other in zip(played.invocations, reference.invocations, strict=True):
        assert (one.processor, one.number, one.asked, one.late) == (other.processor, other.number, other.asked, other.late)
        assert one.cycles == pytest.approx(other.cycles, rel=0.15, abs=10)  # the estimate of instructions
        for group in ("read", "written", "reset"):
            assert seen(getattr(one, group)) == seen(getattr(other, group)), group


def seen(group: Any) -> dict[tuple[str, int], list[int]]:
    """Return what a tracer sees, in a form that compares."""
    found = {(what, int(number)): np.ravel(values).astype(int).tolist() for what, rows in group.items() for number, values in rows.items()}
    if ("causal", 0) in found:  # of the membranes; a look at the whole plane of sensors has taken its place in the kernel's memory
        found["causal", 0] = []
    return found
