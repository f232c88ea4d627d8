"""The compiled kernel that carries one lane over many steps.

A lane's input is a list of row events (tick, row, label); a row event adds the weights of all synapses in the row whose label matches to the synaptic lines of
the row's hemisphere. It acts at its own time: the kick is shared between the start and the end of the step with weights that are exact for
the segment's reference time constants, medians over the circuits in use (:func:`neckar.dynamics._propagators.kick_shares`), and kicks there are
propagated exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from neckar.dynamics import _layout as L
from neckar.dynamics._drivers import pulse_length
from neckar.dynamics._elementary import multiply_add, select, trailing_zeros
from neckar.dynamics._jit import inline, kernel, kernel_part
from neckar.dynamics._noise import mix
from neckar.dynamics._parameters import Features
from neckar.dynamics._step import circuit_step

F = np.float32
STRIDE = L.STRIDE
U = np.uint32
BOTH = 3  # receptor of a row, the synaptic lines it drives: 0 none, 1 excitatory, 2 inhibitory, 3 both
LAST_LINE = np.array([0, 0, 1, 1], np.int64)


@inline
def add_row(w, m, label, at_start, at_end, start, end, jump, sign, gm, n):  # type: ignore[no-untyped-def]
    """Add the synapses of one row whose label matches to the kicks of one synaptic line."""
    for c in range(n):
        hit = select(m[c] == label, w[c], F(0))
        start[c] = multiply_add(at_start, hit, start[c])
        end[c] = multiply_add(at_end, hit, end[c])
        jump[c] = multiply_add(sign * at_start * hit, gm[c], jump[c])


@inline
def kick_line(B, line, row, label, pulse, offset, n, weights, labels, share):  # type: ignore[no-untyped-def]
    """Deliver one event with a pulse of some length to one synaptic line; `offset` in ticks is its place in the step."""
    s, q, g, i = (L.S_EXC + line) * STRIDE, (L.KICK_EXC + line) * STRIDE, (L.GM_EXC + line) * STRIDE, L.JUMP * STRIDE
    at_start, at_end = pulse * share[line, 0, offset], pulse * share[line, 1, offset]
    add_row(weights[row], labels[row], label, at_start, at_end, B[s : s + n], B[q : q + n], B[i : i + n], F(1 - 2 * line), B[g : g + n], n)


@cache
def _delivery(plastic: bool) -> Callable[..., Any]:
    @kernel_part
    def deliver(ev_tick, ev_row, ev_label, ev_pulse, e, begin, end, n, B, weights, labels, receptor, share, drivers):  # type: ignore[no-untyped-def]
        """Add the row events of one step, `begin` to `end`, to the kicks, from event `e` on; returns the first event of the next step."""
        while e < ev_tick.size and ev_tick[e] < end:
            row, offset, label, pulse = ev_row[e], ev_tick[e] - begin, ev_label[e], F(1)
            if plastic:
                pulse = pulse_length(drivers, row, label, ev_tick[e], receptor)
                label &= drivers.parameters.mask[row >> 1]
                ev_pulse[e] = pulse
            line = LAST_LINE[receptor[row]]  # a table instead of a branch: the sign of the next row is hard to predict
            kick_line(B, line, row, label, pulse, offset, n, weights, labels, share)
            if receptor[row] == BOTH:
                kick_line(B, 0, row, label, pulse, offset, n, weights, labels, share)
            e += 1
        return e

    return deliver


@kernel_part
def collect(B, words, busy, begin, ticks_per_us, column_of, out_tick, out_column, n_out):  # type: ignore[no-untyped-def]
    """Append the spikes of the step that begins at tick `begin`; `words` holds one flag byte per circuit, eight to a word. Returns the number of spikes."""
    n_busy = 0
    for k in range(words.size):  # branch-free: always write, advance where someone fired
        busy[n_busy] = k
        n_busy += np.int64(words[k] != np.uint64(0))
    for i in range(n_busy):
        k = busy[i]
        word = words[k]
        while word:
            c = 8 * k + np.int64(trailing_zeros(word) >> np.uint64(3))
            out_tick[n_out] = begin + np.int64(np.floor(B[L.FIRED * STRIDE + c] * ticks_per_us + F(0.5)))
            out_column[n_out] = column_of[c]
            n_out += 1
            word &= word - np.uint64(1)
    return n_out


@inline
def log_kicks(row, label, pulse, tick, weights, labels, receptor, observed, log_slot, log_line, log_tick, log_kick, n_log):  # type: ignore[no-untyped-def]
    """Note the kicks of observed circuits with their own time, for the dense output. Returns the new length of the log."""
    for k in range(observed.size):
        kick = pulse * weights[row, observed[k]]
        if labels[row, observed[k]] == label and kick != F(0):
            for line in range(2):
                if receptor[row] & (1 << line):
                    log_slot[n_log], log_line[n_log], log_tick[n_log], log_kick[n_log] = k, line, tick, kick
                    n_log += 1
    return n_log


@cache
def lane_kernel(features: Features) -> Callable[..., Any]:
    """Return the compiled lane kernel for these features."""
    step, noisy, plastic = circuit_step(features.of_circuits), features.noisy, features.plastic
    deliver = _delivery(plastic)

    def advance_lane(  # type: ignore[no-untyped-def]
        B, flags, n, h, h_ticks, origin_tick, first_step, n_steps, until, resumed, constants, ev_tick, ev_row, ev_label, ev_pulse, weights, labels, receptor,
        share, drivers, noise_key, noise_seed, observed, trace, log_slot, log_line, log_tick, log_kick, column_of, busy, out_tick, out_column,
    ):  # fmt: skip
        """Take `n_steps` whole steps, then add the events before tick `until` to the step that follows.

        Stops early when the buffer of spikes could overflow. Returns the numbers of spikes and of logged kicks, and of whole steps, or -1 if all is done.
        """
        n_out, n_log, e = 0, 0, 0
        limit = out_tick.size - n
        ticks_per_us = F(h_ticks) / h
        inv_h = F(1) / h
        words = flags[:n].view(np.uint64)
        salt = U(0)
        for k in range(n_steps + 1):
            begin = origin_tick + (first_step + k) * h_ticks
            if k > 0 or not resumed:
                for o in range(observed.size):
                    for field in range(L.N_STATE):
                        trace[k, field, o] = B[field * STRIDE + observed[o]]
            if n_out > limit:
                return n_out, n_log, k
            first = e
            e = deliver(ev_tick, ev_row, ev_label, ev_pulse, e, begin, min(begin + h_ticks, until), n, B, weights, labels, receptor, share, drivers)
            if observed.size:
                for q in range(first, e):
                    row, label, pulse = ev_row[q], ev_label[q], F(1)
                    if plastic:
                        label, pulse = label & drivers.parameters.mask[row >> 1], ev_pulse[q]
                    n_log = log_kicks(row, label, pulse, ev_tick[q], weights, labels, receptor, observed, log_slot, log_line, log_tick, log_kick, n_log)
            if k == n_steps:
                break
            if noisy:
                clock = np.uint64(begin) ^ noise_seed
                salt = mix(U(clock) ^ mix(U(clock >> np.uint64(32))))
            step(B, flags, n, h, inv_h, constants, noise_key, salt)
            n_out = collect(B, words, busy, begin, ticks_per_us, column_of, out_tick, out_column, n_out)
        return n_out, n_log, -1

    return kernel(advance_lane, str(features))
