"""The compiled kernel that carries one lane over many steps.

A lane's input is a list of row events (tick, row, label); a row event adds the weights of all synapses in the row whose label matches to the synaptic lines of
the row's hemisphere. It acts at its own time: the kick is shared between the start and the end of the step with weights that are exact for
the segment's reference time constants, medians over the circuits in use (:func:`neckar.dynamics._propagators.kick_shares`), and kicks there are
propagated exactly. In fine steps the shares follow each circuit's own time constants.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from neckar.dynamics import _layout as L
from neckar.dynamics._crossing import collection
from neckar.dynamics._drivers import pulse_length
from neckar.dynamics._elementary import multiply_add, select
from neckar.dynamics._heard import note_event
from neckar.dynamics._jit import inline, kernel, kernel_part
from neckar.dynamics._noise import salt_of
from neckar.dynamics._parameters import Features
from neckar.dynamics._step import circuit_step

F = np.float32
STRIDE = L.STRIDE
U = np.uint32
MIXED = -1  # instead of the one label that all synapses of a row hold
BOTH = 3  # receptor of a row, the synaptic lines it drives: 0 none, 1 excitatory, 2 inhibitory, 3 both
LAST_LINE = np.array([0, 0, 1, 1], np.uint64)
P = np.uint64  # of places in a block: the compiler need not ask whether they count from its end
ROW, FIRST_LINE, FIRST_KICK, OWN_RATE = P(STRIDE), P(L.S_EXC * STRIDE), P(L.KICK_EXC * STRIDE), P(L.OWN_EXC * STRIDE)


@cache
def _adder(fine: bool, mixed: bool) -> Callable[..., Any]:
    """Return the loop that adds a row of one label or of mixed ones to a synaptic line.

    The line is a number and not a branch: that of the next row is hard to predict.
    """

    @kernel_part
    def add_row(B, line, w, m, label, pulse, share, offset, n):  # type: ignore[no-untyped-def]
        """Add the synapses of one row, of mixed ones those whose label matches, to the kicks at the start and at the end of the step."""
        start, end, own = FIRST_LINE + line * ROW, FIRST_KICK + line * ROW, OWN_RATE + line * ROW
        at_start, at_end, more_start, more_end = (
            pulse * share[line, 0, offset], pulse * share[line, 1, offset], pulse * share[line, 2, offset], pulse * share[line, 3, offset]
        )  # fmt: skip
        for k in range(n):
            hit, c = w[k], P(k)
            if mixed:
                hit = select(m[k] == label, hit, F(0))
            if fine:
                B[start + c] = multiply_add(multiply_add(more_start, B[own + c], at_start), hit, B[start + c])
                B[end + c] = multiply_add(multiply_add(more_end, B[own + c], at_end), hit, B[end + c])
            else:
                B[start + c] = multiply_add(at_start, hit, B[start + c])
                B[end + c] = multiply_add(at_end, hit, B[end + c])

    return add_row


def _settler(line: int) -> Callable[..., Any]:
    """Return the loop that ends a step of one synaptic line."""
    start, end = ((row + line) * STRIDE for row in (L.S_EXC, L.KICK_EXC))

    @kernel_part
    def settle_line(B, n):  # type: ignore[no-untyped-def]
        """Let the kicks at the end of a step act on one synaptic line."""
        for c in range(n):
            B[start + c] += B[end + c]
            B[end + c] = F(0)

    return settle_line


_settle_exc, _settle_inh = _settler(0), _settler(1)


@kernel_part
def settle(B, lines, n):  # type: ignore[no-untyped-def]
    """Let the kicks at the end of the step act on the synaptic lines that have some; bits of `lines` as in a row's receptor."""
    if lines & 1:
        _settle_exc(B, n)
    if lines & 2:
        _settle_inh(B, n)


@cache
def line_delivery(fine: bool) -> Callable[..., Any]:
    """Return how events act on a synaptic line."""
    add_all, add_answering = _adder(fine, False), _adder(fine, True)

    @inline
    def kick_line(B, line, row, label, pulse, offset, n, weights, labels, uniform, share):  # type: ignore[no-untyped-def]
        """Deliver one event with a pulse of some length to one synaptic line; `offset` in ticks is its place in the step."""
        if uniform[row] == label:
            add_all(B, line, weights[row], labels[row], label, pulse, share, offset, n)
        elif uniform[row] == MIXED:
            add_answering(B, line, weights[row], labels[row], label, pulse, share, offset, n)

    return kick_line


@cache
def _delivery(plastic: bool, fine: bool) -> Callable[..., Any]:
    kick_line = line_delivery(fine)

    @kernel_part
    def deliver(ev_tick, ev_row, ev_label, ev_pulse, e, begin, end, n, B, weights, labels, uniform, receptor, share, drivers, heard):  # type: ignore[no-untyped-def]
        """Add the row events of one step, `begin` to `end`, to the kicks, from event `e` on.

        Returns the first event of the next step, and which lines have got kicks.
        """
        lines = 0
        while e < ev_tick.size and ev_tick[e] < end:
            row, offset, label, pulse = ev_row[e], ev_tick[e] - begin, ev_label[e], F(1)
            if plastic:
                pulse = pulse_length(drivers, row, label, ev_tick[e], receptor)
                label &= drivers.parameters.mask[row >> 1]
                ev_pulse[e] = pulse
            line = LAST_LINE[receptor[row]]
            kick_line(B, line, row, label, pulse, offset, n, weights, labels, uniform, share)
            if receptor[row] == BOTH:
                kick_line(B, P(0), row, label, pulse, offset, n, weights, labels, uniform, share)
            lines |= receptor[row]
            if fine:
                note_event(heard, offset, row, label, pulse)
            e += 1
        return e, lines

    return deliver


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
    deliver, collect = _delivery(plastic, features.fine), collection(features.of_circuits)

    def advance_lane(  # type: ignore[no-untyped-def]
        B, flags, n, h, h_ticks, origin_tick, first_step, n_steps, until, resumed, constants, ev_tick, ev_row, ev_label, ev_pulse, weights, labels, uniform,
        receptor, share, drivers, heard, noise_key, noise_seed, observed, trace, log_slot, log_line, log_tick, log_kick, column_of, found, out_tick, out_column,
    ):  # fmt: skip
        """Take `n_steps` whole steps, then add the events before tick `until` to the step that follows.

        Stops early when the buffer of spikes could overflow. Returns the numbers of spikes and of logged kicks, and of whole steps, or -1 if all is done.
        """
        n_out, n_log, e = np.int64(0), 0, np.int64(0)  # not literals, for which the parts would be compiled once more
        limit = out_tick.size - n
        ticks_per_us = F(h_ticks) / h
        inv_h = F(1) / h
        salt = U(0)
        for k in range(n_steps + 1):
            begin = origin_tick + (first_step + k) * h_ticks
            if k > 0 or not resumed:
                for o in range(observed.size):
                    for field in range(L.N_STATE):
                        trace[k, field, o] = B[field * STRIDE + observed[o]]
            if n_out > limit:
                return n_out, n_log, k
            if k > 0 or not resumed:
                heard.number[0] = 0
            first = e
            end = min(begin + h_ticks, until)
            e, lines = deliver(ev_tick, ev_row, ev_label, ev_pulse, e, begin, end, n, B, weights, labels, uniform, receptor, share, drivers, heard)
            if observed.size:
                for q in range(first, e):
                    row, label, pulse = ev_row[q], ev_label[q], F(1)
                    if plastic:
                        label, pulse = label & drivers.parameters.mask[row >> 1], ev_pulse[q]
                    n_log = log_kicks(row, label, pulse, ev_tick[q], weights, labels, receptor, observed, log_slot, log_line, log_tick, log_kick, n_log)
            if k == n_steps:
                break
            if noisy:
                salt = salt_of(begin, noise_seed)
            step(B, flags, n, h, inv_h, constants, noise_key, salt, F(0) if heard.number[0] else F(np.inf))
            settle(B, lines if k > 0 or not resumed else BOTH, n)
            n_out = collect(B, flags, found, h, inv_h, heard, weights, labels, receptor, begin, ticks_per_us, column_of, out_tick, out_column, n_out)
        return n_out, n_log, -1

    return kernel(advance_lane, str(features))
