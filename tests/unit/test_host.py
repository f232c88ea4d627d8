"""Spikes on their way to a host against sorted lists and queues one by one."""

from __future__ import annotations

import numpy as np
import pytest

from neckar.dynamics import FINE, LOST, SILENT, UNKNOWN, Exits, Link, exit_kernel, idle, new_tally, record_kernel, survivors

CIRCUITS, FIRST, OUTS, LINK = 12, 4, 3, 8  # servers: 0-2 ways out, 4-7 before them, 8 the link
DURATION = 3000
SOURCES = 5


class Server:
    """One event in service, `depth` wait."""

    def __init__(self, service: int, depth: int) -> None:
        self.service, self.depth, self.done = service, depth, -(10**9)

    def __call__(self, time: int) -> int:
        wait = max(self.done - time, 0)
        if wait > self.depth * self.service:
            return LOST
        self.done = time + wait + self.service
        return time + wait


def crowd(rng: np.random.Generator, limited: bool) -> tuple[np.ndarray, np.ndarray, Exits, np.ndarray, np.ndarray, np.ndarray]:
    """Return spikes by tick and circuit, ways out in three stretches, loops (time, server and source), service times and depths."""
    tick = np.sort(rng.integers(-50, DURATION + 50, 600))
    circuit = rng.integers(0, CIRCUITS, len(tick))
    order = np.lexsort((circuit, tick))
    ways = [[rng.choice(OUTS, rng.integers(0, OUTS + 1), replace=False) for _ in range(CIRCUITS)] for _ in range(3)]
    number = np.array([[len(way) for way in row] for row in ways])
    ends = np.cumsum(number).reshape(3, CIRCUITS)
    ptr = np.concatenate([ends[:, :1] - number[:, :1], ends], axis=1)
    server = np.concatenate([np.sort(way) for row in ways for way in row]).astype(np.int64)
    first = np.where(rng.random((3, CIRCUITS)) < 0.2, SILENT, FIRST + np.arange(CIRCUITS) % 4)
    counts = rng.random((3, OUTS)) < 0.7, rng.random((3, SOURCES, OUTS)) < 0.7
    exits = Exits(np.array([-50, 1000, 1700]), first, ptr, server, np.arange(CIRCUITS) % 4, *counts)
    loops = np.stack([np.sort(rng.integers(0, DURATION << FINE, 80)), rng.integers(0, OUTS, 80), rng.integers(0, SOURCES, 80)])
    service = limited * (np.array([12, 12, 12, 0, 20, 20, 20, 20, 6], np.int64) << FINE) + limited * rng.integers(0, 50, 9)
    return tick[order], circuit[order], exits, loops, service, np.array([2, 2, 2, 0, 1, 1, 1, 1, 6])


@pytest.mark.parametrize("limited", [True, False])
@pytest.mark.parametrize("seed", range(30))
def test_spikes_and_loops_reach_the_host_as_in_queues_one_by_one(seed, limited):
    tick, circuit, exits, (loop_time, loop_server, loop_source), service, depth = crowd(np.random.default_rng(seed), limited)
    number, key, loss = 1000 + np.arange(len(loop_time)), np.uint64(seed), 0.1 * limited
    servers = [Server(*pair) for pair in zip(service.tolist(), depth.tolist(), strict=True)]
    sent, lost, delivered = np.zeros((3, 9), int)
    passes, drops = np.zeros(9, int), np.zeros(SOURCES, int)

    def passed(server: int, time: int) -> int:
        left = servers[server](time)
        sent[server] += 1
        lost[server] += left == LOST
        return left

    def crossed(server: int, time: int, event: int) -> int:
        left, k = passed(server, time), np.searchsorted(exits.start, time >> FINE, side="right") - 1
        source = exits.source[circuit[event]] if event >= 0 else loop_source[event]
        passes[server] += left != LOST and exits.counts_events[k, server]
        drops[source] += left == LOST and exits.counts_drops[k, source, server]
        return left

    coming = [(int(t), k - len(loop_time), int(server)) for k, (t, server) in enumerate(zip(loop_time, loop_server, strict=True))]
    for s, (t, c) in enumerate(zip(tick.tolist(), circuit.tolist(), strict=True)):
        k = np.searchsorted(exits.start, t, side="right") - 1
        if 0 <= t < DURATION and exits.first_server[k, c] != SILENT and (left := passed(exits.first_server[k, c], t << FINE)) != LOST:
            delivered[exits.first_server[k, c]] += 1
            coming += [(left, s, int(server)) for server in exits.server[exits.ptr[k, c] : exits.ptr[k, c + 1]]]
    leaving = [(left, n, event) for n, (t, event, server) in enumerate(sorted(coming)) if (left := crossed(server, t, event)) != LOST]
    delivered[:OUTS] = sent[:OUTS] - lost[:OUTS]
    spikes, loops, gone, late = [], [], 0, 0
    for left, _, event in sorted(leaving):
        out = passed(LINK, left)
        if out == LOST:
            continue
        at = out >> FINE
        since, who = (tick[event], circuit[event]) if event >= 0 else (at, number[event])
        if not survivors(np.array([since]), np.array([who]), seed, loss)[0]:
            gone += 1
        elif event >= 0:
            spikes.append((at, event))
        elif at < DURATION:
            loops.append((at, event + len(loop_time)))
        else:
            late += 1
    delivered[LINK] = len(spikes) + len(loops)

    (time, event), loop = np.empty((2, 3 * len(tick) + len(loop_time)), np.int64), np.empty((2, len(loop_time)), np.int64)
    tally = new_tally(9, SOURCES)
    link = Link(idle(9), idle(9), service, depth, LINK, key, loss)
    leaves = np.full(len(tick), UNKNOWN)
    counts = exit_kernel()(tick, circuit, leaves, DURATION, exits, loop_time, loop_server, loop_source, number, link, tally, time, event, loop)
    assert counts == (len(spikes), len(loops), gone, late)
    assert list(zip(time[: len(spikes)], event[: len(spikes)], strict=True)) == spikes
    assert list(map(tuple, loop[:, : len(loops)].T)) == loops
    for found, expected in zip(tally, (sent, lost, delivered, passes, drops), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert tally.delivered[:OUTS].sum() == tally.sent[LINK]
    assert lost.any() == limited


def test_the_record_keeps_wanted_spikes_by_stamp_and_circuit():
    rng = np.random.default_rng(3)
    tick, circuit = np.sort(rng.integers(0, DURATION, 2000)), rng.integers(0, CIRCUITS, 2000)
    spike = np.argsort(tick + rng.integers(0, 9, 2000))
    at_host, start, wanted = tick[spike] + 9, np.array([0, 700, 2000]), rng.random((3, CIRCUITS)) < 0.6
    asked = wanted[np.searchsorted(start, tick[spike], side="right") - 1, circuit[spike]]
    expected = sorted(zip(at_host[asked] // 4 * 4, circuit[spike[asked]], strict=True))
    n = record_kernel()(tick, circuit, at_host, spike, start, wanted, 4)
    assert list(zip(at_host[:n], spike[:n], strict=True)) == expected
