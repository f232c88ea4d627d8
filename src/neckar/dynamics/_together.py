"""The compiled kernel that carries lanes together, step by step, with events between their circuits (:mod:`neckar.dynamics._exchange`).

An event that arrives in a step that is over acts at the start of the next, with the decay of the synaptic line and the charge on the membrane since its
own time made up for. Circuits that fire past their membrane (relays) fire at the tick of the event. Lanes without integrated circuits take no steps:
time goes on from event to event.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from neckar.dynamics import _layout as L
from neckar.dynamics._advance import BOTH, FIRST_KICK, FIRST_LINE, LAST_LINE, OWN_RATE, ROW, P, line_delivery, log_kicks, settle
from neckar.dynamics._coupling import carry_nodes, give_back
from neckar.dynamics._crossing import collection, firing_ahead
from neckar.dynamics._dense import log_fire
from neckar.dynamics._drivers import pulse_length
from neckar.dynamics._elementary import multiply_add, select
from neckar.dynamics._exchange import FINE, HEAD, OUTSIDE, TAIL, admit_outside, room_left, send_spike, send_spikes
from neckar.dynamics._following import following, room_to_follow
from neckar.dynamics._heard import note_event
from neckar.dynamics._jit import inline, kernel, kernel_part
from neckar.dynamics._noise import salt_of
from neckar.dynamics._parameters import Features
from neckar.dynamics._step import circuit_step

F = np.float32
STRIDE = L.STRIDE
U = np.uint32
DONE = -1
FIRST_GM, REFRACTORY, HOLDOFF = (P(row * STRIDE) for row in (L.GM_EXC, L.REFRACTORY, L.T_HOLDOFF))
MOST_HITS = 6  # more synapses than that are faster as a whole row


@kernel_part
def kick_late(B, line, w, m, label, pulse, delay, n, late):  # type: ignore[no-untyped-def]
    """Deliver one event that came `delay` ticks before the step's start to one line of a row, and what it has brought to the membranes so far."""
    lines, gm = FIRST_LINE + line * ROW, FIRST_GM + line * ROW
    delay = min(delay, late.shape[2] - 1)
    at_start, charge, sign = pulse * late[line, 0, delay], pulse * late[line, 1, delay], select(line == 0, F(1), F(-1))
    for k in range(n):
        c, hit = P(k), select(m[k] == label, w[k], F(0))
        refractory, holdoff, v = B[REFRACTORY + c], B[HOLDOFF + c], B[L.V * STRIDE + k]
        B[lines + c] = multiply_add(at_start, hit, B[lines + c])
        B[L.V * STRIDE + k] = multiply_add(select(refractory <= holdoff, charge, F(0)), sign * hit * B[gm + c], v)


@cache
def row_delivery(fine: bool) -> Callable[..., Any]:
    """Return how events act on rows."""
    kick_line = line_delivery(fine)

    @kernel_part
    def row_event(B, row, label, pulse, tick, begin, n, weights, labels, uniform, receptor, share, late):  # type: ignore[no-untyped-def]
        """Deliver one event to the lines of one row, in its own step or late."""
        line, both = LAST_LINE[receptor[row]], receptor[row] == BOTH
        if tick >= begin:
            kick_line(B, line, row, label, pulse, tick - begin, n, weights, labels, uniform, share)
            if both:
                kick_line(B, P(0), row, label, pulse, tick - begin, n, weights, labels, uniform, share)
        else:
            kick_late(B, line, weights[row], labels[row], label, pulse, begin - tick, n, late)
            if both:
                kick_late(B, P(0), weights[row], labels[row], label, pulse, begin - tick, n, late)

    return row_event


@cache
def synapse_delivery(fine: bool) -> Callable[..., Any]:
    """Return how an event acts on one synapse."""

    @inline
    def one_synapse(B, at, w, pulse, offset, delay, share, late):  # type: ignore[no-untyped-def]
        """Deliver one event to the line `at` places behind the first excitatory one, `offset` ticks into the step, or `delay` ticks late.

        The sums are those of :func:`row_delivery`.
        """
        line = P(at >= ROW)
        s, c = FIRST_LINE + at, at - line * ROW
        if delay <= 0:
            at_start, at_end = pulse * share[line, 0, offset], pulse * share[line, 1, offset]
            if fine:
                own = B[OWN_RATE + at]
                at_start = multiply_add(pulse * share[line, 2, offset], own, at_start)
                at_end = multiply_add(pulse * share[line, 3, offset], own, at_end)
            B[s] = multiply_add(at_start, w, B[s])
            B[FIRST_KICK + at] = multiply_add(at_end, w, B[FIRST_KICK + at])
        else:
            kick = select(at >= ROW, -w, w) * B[FIRST_GM + at]
            charge = select(B[REFRACTORY + c] <= B[HOLDOFF + c], pulse * late[line, 1, delay], F(0))
            B[s] = multiply_add(pulse * late[line, 0, delay], w, B[s])
            B[c] = multiply_add(charge, kick, B[c])

    return one_synapse


@cache
def listed_delivery(fine: bool) -> Callable[..., Any]:
    """Return how an event acts on the listed synapses of a way."""
    one_synapse = synapse_delivery(fine)

    @kernel_part
    def listed_synapses(B, tick, begin, share, late, place, weight, first, last):  # type: ignore[no-untyped-def]
        """Deliver one event to the listed synapses `first` to `last`."""
        offset, delay = max(tick - begin, 0), min(begin - tick, late.shape[2] - 1)
        for p in range(P(first), P(last)):
            one_synapse(B, P(place[p]), weight[p], F(1), offset, delay, share, late)

    return listed_synapses


@cache
def sparse_delivery(fine: bool) -> Callable[..., Any]:
    """Return how an event acts on a row on which few synapses answer."""
    one_synapse = synapse_delivery(fine)

    @kernel_part
    def few_synapses(B, row, pulse, tick, begin, weights, receptor, share, late, hit, first, last):  # type: ignore[no-untyped-def]
        """Deliver one event to the synapses `hit[first:last]` of one row, the only ones that answer."""
        offset, delay = max(tick - begin, 0), min(begin - tick, late.shape[2] - 1)
        for line in range(1, -1, -1):
            if receptor[row] & (1 << line):
                for p in range(first, last):
                    one_synapse(B, P(hit[p] + line * STRIDE), weights[row, hit[p]], pulse, offset, delay, share, late)

    return few_synapses


@cache
def relaying(features: Features) -> Callable[..., Any]:
    """Return the kernel part that fires circuits past their membrane."""
    fire_ahead = firing_ahead(features)

    @kernel_part
    def fire_relays(  # type: ignore[no-untyped-def]
        B, lane, relays, row, label, tick, begin, receptor, tables, queue, out_tick, out_circuit, leaves, n_out, log_slot, log_line, log_tick, log_kick, n_log
    ):
        """Fire the circuits that an event on a row fires past their membrane. Returns the number of spikes."""
        for r in range(relays.column.size):
            hears = (receptor[row] & 1 and relays.lines[0, r]) or (receptor[row] & 2 and relays.lines[1, r])
            if not hears or relays.label[row, r] != label or not relays.on[row, r] or tick < relays.ready[relays.column[r]]:
                continue
            place = relays.place[r]
            if place >= 0:
                now = F(tick - begin) * F(2e-3)
                if B[L.REFRACTORY * STRIDE + place] > now:
                    continue
                fire_ahead(B, place, now, True)
                log_fire(relays.slot[r], lane, begin, log_slot, log_line, log_tick, log_kick, n_log)
            relays.ready[relays.column[r]] = tick + relays.refractory[r]
            circuit = L.WIDTH * lane + relays.column[r]
            out_tick[n_out], out_circuit[n_out] = tick, circuit
            leaves[n_out] = send_spike(tables, queue, tick, circuit)
            n_out += 1
        return n_out

    return fire_relays


@inline
def note_trace(B, observed, trace, k):  # type: ignore[no-untyped-def]
    """Store the state of the observed circuits at the start of step `k`."""
    for o in range(observed.size):
        for field in range(L.N_STATE):
            trace[k, field, o] = B[field * STRIDE + observed[o]]


@kernel_part
def next_event(tables, queue, outside_tick):  # type: ignore[no-untyped-def]
    """Return the tick of the next event at a row, a very late one if there is none."""
    tick = np.int64(1) << 62
    if queue.cursor[HEAD] < queue.cursor[TAIL]:
        tick = queue.tick[queue.cursor[HEAD]]
    e = queue.cursor[OUTSIDE]
    if e < outside_tick.size:
        tick = min(tick, ((outside_tick[e] + (1 << FINE) - 1) >> FINE) + tables.latency[0])
    return tick


@cache
def together_kernel(features: Features, coupled: bool = False, followed: bool = False) -> Callable[..., Any]:
    """Return the compiled kernel for these features; `coupled` if membranes are shared or connected, `followed` if circuits fire with others."""
    step, noisy, plastic = circuit_step(features.of_circuits), features.noisy, features.plastic
    sensed, carry, collect = features.sensed, carry_nodes(features.of_circuits._replace(fine=False)), collection(features.of_circuits)
    fire_relays, (follow_relays, follow) = relaying(features.of_circuits), following(features.of_circuits, coupled)
    fine, row_event, listed_synapses, few_synapses = features.fine, row_delivery(features.fine), listed_delivery(features.fine), sparse_delivery(features.fine)

    @kernel_part
    def collect_lane(  # type: ignore[no-untyped-def]
        B, lane, flags, found, h, inv_h, heard, weights, labels, receptor, begin, ticks_per_us, column_of, out_tick, out_circuit, columns, n_out
    ):
        """Append the spikes of a lane; returns their number."""
        before = n_out
        n_out = collect(B, flags, found, h, inv_h, heard, weights, labels, receptor, begin, ticks_per_us, column_of, out_tick, columns, n_out)
        for i in range(before, n_out):
            out_circuit[i] = L.WIDTH * lane + columns[i]
        return n_out

    def advance_together(  # type: ignore[no-untyped-def]
        blocks, flags, sizes, h, h_ticks, origin_tick, first_step, n_steps, until, resumed, constants, weights, labels, uniform, receptor, share, late,
        drivers, heard, noise_key, noise_seed, observed, trace, log_slot, log_line, log_tick, log_kick, n_log, column_of, relays, tables, queue, hits,
        outside_tick, outside_origin, widest, spread, nodes, out_tick, out_circuit, leaves, columns, found, kicked,
        arrival_tick, arrival_way, n_arrived, followers,
    ):  # fmt: skip
        """Take `n_steps` whole steps, then deliver the events before tick `until` to the step that follows. Lanes are the first axis of tuples.

        Stops early when a buffer could overflow: `widest` is the largest number of ways of an origin, `spread` of rows of a way.
        Returns the number of spikes, and `DONE` or the step under way, which is to be resumed with more room.
        """
        n_out = 0
        n_lanes = len(blocks)
        total = 0
        for lane in range(n_lanes):
            total += sizes[lane]
        n_relays = 0
        for lane in range(n_lanes):
            n_relays += relays[lane].column.size
        most = total
        if followed:
            most += followers.follower.size
            n_relays += followers.follower.size
        ticks_per_us = F(h_ticks) / h
        inv_h = F(1) / h
        salt = U(0)
        k = 0
        while True:
            begin = origin_tick + (first_step + k) * h_ticks
            end = min(begin + h_ticks, until)
            if k > 0 or not resumed:
                for lane in range(n_lanes):
                    note_trace(blocks[lane], observed[lane], trace[lane], k)
                    heard[lane].number[0] = 0
            if k == n_steps and until <= begin and not (resumed and k == 0):
                return n_out, DONE  # what is late acts in the step to come
            if not admit_outside(tables, queue, outside_tick, outside_origin, begin + h_ticks, widest):
                return n_out, k
            while queue.cursor[HEAD] < queue.cursor[TAIL] and queue.tick[queue.cursor[HEAD]] < end:
                full = out_tick.size - n_out < n_relays or room_left(queue) < widest * n_relays
                if followed:
                    full |= not room_to_follow(followers, log_tick, n_log, observed, 3 * spread)
                else:
                    for lane in range(n_lanes):  # for kicks of both lines and a relay's spike at each row
                        full |= log_tick[lane].size - n_log[lane] < 3 * spread * observed[lane].size
                if sensed:
                    full |= n_arrived[0] == arrival_tick.size
                if full:
                    return n_out, k
                tick, way = queue.tick[queue.cursor[HEAD]], queue.way[queue.cursor[HEAD]]
                queue.cursor[HEAD] += 1
                queue.arrived[way] += 1
                if sensed:
                    arrival_tick[n_arrived[0]], arrival_way[n_arrived[0]] = tick, way
                    n_arrived[0] += 1
                lane = tables.way_lane[way]
                B, W, M, R, seen, n = blocks[lane], weights[lane], labels[lane], receptor[lane], observed[lane], sizes[lane]
                listed = not plastic and hits.sparse[way]
                if listed:
                    kicked[lane] |= hits.way_lines[way]
                    listed_synapses(B, tick, begin, share, late, hits.way_at, hits.way_weight, hits.way_ptr[way], hits.way_ptr[way + 1])
                    if relays[lane].column.size == 0 and seen.size == 0:
                        for q in range(tables.row_ptr[way], tables.row_ptr[way + 1] if fine and tick >= begin else 0):
                            note_event(heard[lane], tick - begin, tables.row[q], tables.row_label[q], F(1))
                        continue
                for q in range(tables.row_ptr[way], tables.row_ptr[way + 1]):
                    row, label, pulse = tables.row[q], tables.row_label[q], F(1)
                    if plastic:
                        pulse = pulse_length(drivers[lane], row, label, tick, R)
                        label &= drivers[lane].parameters.mask[row >> 1]
                    if not listed:
                        kicked[lane] |= R[row]
                        pair = hits.pair[q]
                        first, last = hits.ptr[pair], hits.ptr[pair + 1]
                        if hits.dense[lane, row] or last - first > MOST_HITS:
                            row_event(B, row, label, pulse, tick, begin, n, W, M, uniform[lane], R, share, late)
                        else:
                            few_synapses(B, row, pulse, tick, begin, W, R, share, late, hits.synapse, first, last)
                    if fine and tick >= begin:
                        note_event(heard[lane], tick - begin, row, label, pulse)
                    if pulse > F(0):
                        past = n_out
                        n_out = fire_relays(
                            B, lane, relays[lane], row, label, tick, begin, R, tables, queue, out_tick, out_circuit, leaves, n_out,
                            log_slot, log_line, log_tick, log_kick, n_log,
                        )  # fmt: skip
                        if followed:
                            n_out = follow_relays(
                                followers, blocks, out_tick, out_circuit, leaves, past, n_out, begin, tables, queue,
                                log_slot, log_line, log_tick, log_kick, n_log,
                            )  # fmt: skip
                    if seen.size:
                        before = n_log[lane]
                        n_log[lane] = log_kicks(
                            row, label, pulse, max(tick, begin), W, M, R, seen, log_slot[lane], log_line[lane], log_tick[lane], log_kick[lane], before
                        )
                        for q_log in range(before, n_log[lane] if tick < begin else before):
                            log_kick[lane][q_log] *= late[log_line[lane][q_log], 0, min(begin - tick, late.shape[2] - 1)]
            if k == n_steps:
                return n_out, DONE
            if out_tick.size - n_out < most or room_left(queue) < widest * most:
                return n_out, k
            if followed and not room_to_follow(followers, log_tick, n_log, observed, 0):
                return n_out, k
            if noisy:
                salt = salt_of(begin, noise_seed)
            first = n_out
            if coupled:
                for q in range(len(nodes)):
                    carry(nodes[q], blocks, salt)
            for turn in range(n_lanes):  # forth and back, so that a lane is still in the cache when its turn comes again
                lane = turn if k & 1 else n_lanes - 1 - turn
                B, n = blocks[lane], sizes[lane]
                if n:
                    step(B, flags[lane], n, h, inv_h, constants, noise_key[lane], salt, F(0) if heard[lane].number[0] else F(np.inf))
                    settle(B, kicked[lane], n)
                    kicked[lane] = 0
                    n_out = collect_lane(
                        B, lane, flags[lane], found, h, inv_h, heard[lane], weights[lane], labels[lane], receptor[lane], begin, ticks_per_us, column_of[lane],
                        out_tick, out_circuit, columns, n_out,
                    )  # fmt: skip
            if coupled:
                for q in range(len(nodes)):
                    n_out = give_back(nodes[q], blocks, column_of, begin, ticks_per_us, out_tick, out_circuit, n_out)
            if followed:
                n_out = follow(
                    followers, blocks, nodes, out_tick, out_circuit, first, n_out, begin, h_ticks, h, log_slot, log_line, log_tick, log_kick, n_log
                )
            send_spikes(tables, queue, out_tick, out_circuit, leaves, first, n_out)
            k += 1
            if total == 0:
                k = max(k, min(n_steps, (next_event(tables, queue, outside_tick) - origin_tick) // h_ticks - first_step))

    return kernel(advance_together, f"{features}-{coupled}-{followed}")
