"""The neuron circuit of BrainScaleS-2: right-hand side of its state equations.

The circuit is a capacitor with transconductance amplifiers (OTAs) around it. The leak pulls the membrane towards a potential with a current that
saturates; during the reset phase the same amplifier, with other bias and reference, is the reset. Two synaptic lines recover exponentially towards
their rest and are converted to currents; the inhibitory current vanishes near a floor because the OTA leaves its range there. An exponential and an
adaptation term complete the AdEx model::

    C dv/dt       = I_ota + I_exp - I_adapt + I_exc - I_inh + I_offset
    I_ota         = g v_sat tanh((e - v) / v_sat)                     leak: (g_l, e_l); reset phase: (g_r, e_r)
    I_exp         = i_t exp((v - v_t) sharpness)                    sharpness = 1 / delta_t
    I_adapt       = g_w (w - w_0)
    tau_w dw/dt   = w_0 + a (v - v_a) - w
    I_exc         = gm_e gain(v) s_e,            tau_e ds_e/dt = -s_e
    I_inh         = gm_i gain(v) s_i gate(v),    tau_i ds_i/dt = -s_i
    gain(v)       = 1 in current-based mode, max(1 + coba (e_ref - v), 0) in conductance-based mode
    gate(v)       = 1 - closed(v),  closed(v) = exp(-max(v - v_floor, 0) / v_width)

In conductance-based mode a second amplifier compares the membrane with a reference potential and changes the strength of the first one, so the input
acts as usual at `e_ref` and vanishes at the reversal potential ``e_ref + 1 / coba``; `coba` is positive for excitation, negative for inhibition. Strength
means everything that passes the first amplifier: the line's deflection and the amplifier's offset.

Sources: AdEx form, Billaudelle et al. 2022; switches and shared OTA, haldls ``v3/neuron.h``; conductance-based mode, calix ``neuron_synin_coba.py``; tanh
form, gate and all constants are fitted by us
(docs/explanation/ledger.md). Any consistent set of units works; the engine uses V and us, and currents divided by the capacitance (V/us).

Not modelled: slew-rate limits, the finite bandwidth of the OTAs, the voltage dependence of the membrane capacitance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Function = Callable[..., Any]


class NeuronEquations(NamedTuple):
    """The equations of one neuron circuit, bound to one numerical library. See the module's text for the symbols."""

    ota_current: Function
    ota_deviation: Function
    exponential_current: Function
    adaptation_current: Function
    conductance_gain: Function
    inhibition_gate: Function
    inhibition_closed: Function
    adaptation_target: Function
    membrane_slope: Function


def neuron_equations(
    exp: Function,
    tanh: Function,
    maximum: Function,
    zero: Any = 0.0,
    one: Any = 1.0,
    bind: Function = lambda f: f,
    excess: Function | None = None,
) -> NeuronEquations:
    """Bind the equations to a numerical library.

    Parameters
    ----------
    exp, tanh, maximum : callable
        Elementwise functions of the library. ``tanh=lambda x: x`` gives the circuit without OTA saturation.
    zero, one : scalar
        Constants in the working precision (a compiled float32 engine must not see double literals).
    bind : callable
        Applied to each function, e.g. a compiler's decorator.
    excess : callable, optional
        ``tanh(x) - x``, where a library has it without the loss of digits.

    Returns
    -------
    NeuronEquations
        Elementwise functions; arguments broadcast and share one consistent set of units.
    """

    if excess is None:

        def excess(x):  # type: ignore[no-untyped-def]
            return tanh(x) - x

    def ota_current(v, e, g, v_sat):  # type: ignore[no-untyped-def]
        return g * v_sat * tanh((e - v) / v_sat)

    def ota_deviation(v, e, g, v_sat):  # type: ignore[no-untyped-def]
        return g * v_sat * excess((e - v) / v_sat)

    def exponential_current(v, i_t, v_t, sharpness):  # type: ignore[no-untyped-def]
        return i_t * exp((v - v_t) * sharpness)

    def adaptation_current(w, w_0, g_w):  # type: ignore[no-untyped-def]
        return g_w * (w - w_0)

    def conductance_gain(v, coba, e_ref):  # type: ignore[no-untyped-def]
        return maximum(one + coba * (e_ref - v), zero)

    def inhibition_closed(v, v_floor, v_width):  # type: ignore[no-untyped-def]
        return exp(-maximum(v - v_floor, zero) / v_width)

    closed = bind(inhibition_closed)

    def inhibition_gate(v, v_floor, v_width):  # type: ignore[no-untyped-def]
        return one - closed(v, v_floor, v_width)

    def adaptation_target(v, a, v_a, w_0):  # type: ignore[no-untyped-def]
        return w_0 + a * (v - v_a)

    ota, exponential, adaptation = bind(ota_current), bind(exponential_current), bind(adaptation_current)
    gain, gate = bind(conductance_gain), bind(inhibition_gate)

    def membrane_slope(  # type: ignore[no-untyped-def]
        v, w, s_e, s_i, c, e, g, v_sat, i_t, v_t, sharpness, g_w, w_0, gm_e, gm_i, coba_e, e_ref_e, coba_i, e_ref_i, v_floor, v_width, i_offset
    ):
        current = ota(v, e, g, v_sat) + exponential(v, i_t, v_t, sharpness) - adaptation(w, w_0, g_w)
        inhibition = gm_i * gain(v, coba_i, e_ref_i) * s_i * gate(v, v_floor, v_width)
        return (current + gm_e * gain(v, coba_e, e_ref_e) * s_e - inhibition + i_offset) / c

    return NeuronEquations(
        ota, bind(ota_deviation), exponential, adaptation, gain, gate, closed, bind(adaptation_target), bind(membrane_slope)
    )
