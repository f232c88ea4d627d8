"""What the engine needs to know about neuron circuits: physical parameters in SI units, one value per circuit.

The virtual chip turns codes into these numbers (:func:`neckar.chip.transfer.physical`); the engine turns them into its working units. Nothing here
knows about codes, chips or mismatch, so any circuit of this form can be simulated. Equations and symbols: :mod:`neckar.equations._neuron`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.errors import ConfigurationError

Values = NDArray[np.float64]


CONSTANT, PLASTIC, MODULATED = range(3)
"""Kinds of synapse drivers, see :class:`DriverParameters`."""


class Features(NamedTuple):
    """Which terms a kernel is built for: what no circuit of a hemisphere uses costs nothing."""

    saturating: bool
    exponential: bool  # exponential or adaptation current
    noisy: bool
    conductance: bool  # conductance-based inputs
    plastic: bool = False  # drivers with pulses of changing length
    sensed: bool = False  # arrivals at rows are logged, for correlation sensors
    pausing: bool = True  # some circuits do not feel their inputs during the reset phase
    fine: bool = False  # short steps: circuits that stop within a step look at its events one by one

    @property
    def of_circuits(self) -> Features:
        """The features of the circuits alone."""
        return self._replace(plastic=False, sensed=False)

    def __str__(self) -> str:
        return "-".join(map(str, self))


@dataclass(frozen=True, eq=False)
class CircuitParameters:
    """Physical parameters of neuron circuits. Arrays are float64 (`pause`: bool) of shape (circuit,); SI units, hardware time.

    Attributes
    ----------
    capacitance : ndarray
        Membrane capacitance, F, > 0.
    g_leak, e_leak : ndarray
        Conductance (S, >= 0; 0 is a floating membrane) and potential (V) of the amplifier in leak mode.
    g_reset, e_reset : ndarray
        The same during the reset phase.
    v_threshold : ndarray
        Potential at which the comparator fires, V; inf if the circuit cannot fire.
    t_reset, t_holdoff : ndarray
        Length of the reset phase, and of the time after it in which the leak is active but no spike is accepted, s. Their sum is the refractory period.
    i_source, i_sink : ndarray
        Constant current into and out of the membrane, A, >= 0. The sink vanishes near `v_floor` as inhibition does.
    gm_exc, gm_inh : ndarray
        Transconductance of the synaptic inputs: membrane current per volt on the synaptic line, S, >= 0.
    i_syn_rest : ndarray
        Constant membrane current of the current-based synaptic inputs without events (mismatch of their references), A, positive raises the membrane.
    coba_exc, coba_inh : ndarray
        Relative change of the transconductance with the membrane: it is ``gm * max(1 + coba * (e_coba - v), 0)``, 1/V. Positive for an excitatory input that
        is conductance-based, negative for an inhibitory one, 0 for current-based inputs.
    e_coba_exc, e_coba_inh : ndarray
        Membrane potential at which the transconductance is `gm`, V.
    i_coba_exc, i_coba_inh : ndarray
        Membrane current of the conductance-based inputs without events at that potential, A, positive raises the membrane; it changes with the
        transconductance.
    pause : ndarray of bool
        Synaptic currents are gated during the reset phase. (The engine gates the exponential current there in any case.)
    i_exp, v_exp, delta_exp : ndarray
        Exponential current ``i_exp * exp((v - v_exp) / delta_exp)``: A, V, V. `i_exp` = 0 is off.
    g_adapt, w_rest : ndarray
        Adaptation current ``g_adapt * (w - w_rest)``: S, V. `g_adapt` = 0 is off.
    a_adapt, v_adapt, b_adapt, tau_adapt : ndarray
        Steady slope dw/dv (signed), membrane potential at which it vanishes (V), jump of w per spike (V, signed), time constant of w (s).
    tau_exc, tau_inh : ndarray
        Time constants of the synaptic lines, s.
    noise : ndarray
        White current noise on the membrane, A sqrt(s): in a time t it adds charge of standard deviation ``noise * sqrt(t)``.
    v_sat : float
        Saturation voltage of the leak and reset amplifier, V.
    v_floor : ndarray
        Floor of inhibition, V.
    v_width : float
        Width over which inhibition vanishes towards its floor, V.
    v_supply : float
        The membrane stays between 0 and this voltage, V.
    saturating : bool
        False replaces amplifier, floor and rails by their linear limits.

    Raises
    ------
    ConfigurationError
        If the arrays differ in shape; names the first that does.

    Notes
    -----
    Not described: connected membranes.
    """

    capacitance: Values
    g_leak: Values
    e_leak: Values
    g_reset: Values
    e_reset: Values
    v_threshold: Values
    t_reset: Values
    t_holdoff: Values
    i_source: Values
    i_sink: Values
    gm_exc: Values
    gm_inh: Values
    i_syn_rest: Values
    coba_exc: Values
    coba_inh: Values
    e_coba_exc: Values
    e_coba_inh: Values
    i_coba_exc: Values
    i_coba_inh: Values
    pause: NDArray[np.bool_]
    i_exp: Values
    v_exp: Values
    delta_exp: Values
    g_adapt: Values
    w_rest: Values
    a_adapt: Values
    v_adapt: Values
    b_adapt: Values
    tau_exc: Values
    tau_inh: Values
    tau_adapt: Values
    noise: Values
    v_floor: Values
    v_sat: float
    v_width: float
    v_supply: float
    saturating: bool

    def __post_init__(self) -> None:
        shape = (np.size(self.capacitance),)
        for name in _ARRAYS:
            array = np.asarray(getattr(self, name), dtype=np.bool_ if name == "pause" else np.float64)
            if array.shape != shape:
                raise ConfigurationError(f"CircuitParameters.{name} has shape {array.shape}; capacitance has {shape}. Give one value per circuit.")
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return int(self.capacitance.shape[0])

    @property
    def features(self) -> Features:
        """Which kernel these circuits need."""
        return self.features_of(1)[0]

    def features_of(self, chips: int) -> list[Features]:
        """Return the features of each of several chips, whose circuits follow each other."""

        def anywhere(used: NDArray[np.bool_]) -> list[bool]:
            return np.asarray(used.reshape(chips, -1).any(axis=1)).tolist()

        exponential = anywhere((self.i_exp > 0) | (self.g_adapt > 0))
        conductance = anywhere((self.coba_exc != 0) | (self.coba_inh != 0))
        found = zip(exponential, anywhere(self.noise > 0), conductance, anywhere(self.pause), strict=True)
        return [Features(bool(self.saturating), e, n, c, pausing=p) for e, n, c, p in found]

    def take(self, circuits: ArrayLike | slice) -> Self:
        """Return the parameters of some circuits, by position (integers, in that order; repeats allowed), by a mask of booleans or by a slice."""
        if isinstance(circuits, slice):
            return self._part(circuits)
        index = np.asarray(circuits)
        in_a_row = index.dtype != np.bool_ and index.size > 0 and 0 <= index[0] <= index[-1] < len(self) and bool((index[1:] - index[:-1] == 1).all())
        chosen = slice(int(index[0]), int(index[-1]) + 1) if in_a_row else index if index.size else slice(0, 0)  # a view instead of a copy
        return self._part(chosen)

    def _part(self, chosen: slice | NDArray[Any]) -> Self:
        twin = object.__new__(type(self))  # what was checked when all circuits were given need not be checked again
        vars(twin).update({name: value if name in _SCALARS else value[chosen] for name, value in vars(self).items()})
        return twin

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CircuitParameters):
            return NotImplemented
        return all(np.array_equal(getattr(self, field.name), getattr(other, field.name)) for field in fields(self))

    __hash__ = None  # type: ignore[assignment]  # compares arrays


_SCALARS = frozenset({"v_sat", "v_width", "v_supply", "saturating"})
_ARRAYS = tuple(field.name for field in fields(CircuitParameters) if field.name not in _SCALARS)


class DriverParameters(NamedTuple):
    """What the drivers of a hemisphere do; arrays of shape (driver,), float64 unless said.

    Attributes
    ----------
    kind : ndarray of uint8
        `CONSTANT`: every pulse has the length 1. `PLASTIC`: it follows the driver's voltage. `MODULATED`: the label sets the voltage at every event.
    mask : ndarray of uint8
        Bits of an event's label that the driver passes to its synapses.
    charge, recover : ndarray
        Voltages that events and time pull towards, V.
    utilization : ndarray
        Share of the distance to `charge` that an event covers, 0 to 1.
    rate : ndarray
        Of the recovery, 1/s.
    top, span : ndarray
        Voltage with a pulse of length 0, and how far below it the length is 1, V.
    late : ndarray
        By how much every pulse is shorter, as a share of the longest.
    zero, step : ndarray
        Voltage of a modulated driver at label 0, and per unit of the label's low bits, V.
    """

    kind: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    charge: Values
    recover: Values
    utilization: Values
    rate: Values
    top: Values
    span: Values
    late: Values
    zero: Values
    step: Values
