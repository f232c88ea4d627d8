"""One row of a register table, and the check of values against it.

A register field is an array of digital codes: one code per neuron circuit, synapse, driver, ... The table of a machine is a mapping from field
name to :class:`Register`; configuration objects, HDF5 schema, checks and reference documentation are generated from it. Volts and amperes do not occur here:
the way from codes to physics belongs to the virtual chip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neckar.errors import ConfigurationError, ParameterRangeError

Kind = Literal["capmem_voltage", "capmem_current", "switch", "code", "choice", "counter"]

CAPMEM_MAX = 1022
"""Largest value of a CapMem cell (haldls vx/capmem.h)."""

CAPMEM_REFRESH_DISABLED = 1023
"""Code that switches off the refresh of a CapMem cell instead of setting a value (haldls vx/capmem.h)."""

AXES = MappingProxyType(
    {
        "circuit": 512,
        "quadrant": 4,
        "backend": 2,
        "hemisphere": 2,
        "row": 256,
        "column": 256,
        "cadc_channel": 2,
        "readout_buffer": 2,
        "pad": 2,
        "driver": 128,
        "padi_bus": 8,
        "background": 8,
        "crossbar_input": 20,
        "crossbar_output": 12,
    }
)
"""Length of every axis that a register field can have.

Source: halco hicann-dls/vx (neuron.h, cadc.h, readout.h, synapse_driver.h, padi.h, background.h, routing_crossbar.h)."""


@dataclass(frozen=True, eq=False)
class Register:
    """One field of a machine's register table.

    Attributes
    ----------
    name : str
        Field name, unique in its table.
    axes : tuple of str
        Names of the array axes, keys of :data:`AXES`. An empty tuple is a single register.
    dtype : numpy.dtype
        bool, uint8, int8, uint16 or uint32; float32 for voltages that only an open read shows.
    default : int or ndarray
        Code after a reset: one for all elements, or an array of the field's shape.
    low, high : int
        Smallest and largest code allowed.
    unit : str
        ``LSB`` for CapMem codes and other converters, ``on/off`` for switches, otherwise what is counted.
    kind : str
        ``capmem_voltage``, ``capmem_current``, ``switch``, ``code``, ``choice`` or ``counter``.
    description : str
        What the field does, in one sentence.
    source : str
        Where name, range and default come from.
    passive : bool
        No model reads the field; it is stored and returned only, without effect.
    selects : bool
        The field tells a playback program what an instrument sees, as on the chip; a Program says that in its record, and no model reads the field.
    counter : bool
        Written by the machine, readable by the user, not part of a configuration.
    hxneuron : bool
        A parameter of the PyNN cell type HXNeuron, under the same name.
    choices : tuple of str or None
        Meaning of each code from `low` on, for ``kind="choice"``.
    """

    name: str
    axes: tuple[str, ...]
    dtype: np.dtype[Any]
    default: int | NDArray[Any]
    low: int
    high: int
    unit: str
    kind: Kind
    description: str
    source: str
    passive: bool = False
    selects: bool = False
    counter: bool = False
    hxneuron: bool = False
    choices: tuple[str, ...] | None = None

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(AXES[axis] for axis in self.axes)

    @cached_property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def default_array(self) -> NDArray[Any]:
        """Return a new array of the field's shape and dtype that holds the default."""
        return np.array(np.broadcast_to(self.default, self.shape), dtype=self.dtype)

    def allowed(self) -> str:
        """Return the allowed codes in words, for error texts and documentation."""
        if self.choices is not None:
            return ", ".join(f"{code} ({word})" for code, word in enumerate(self.choices, self.low))
        if self.kind == "switch":
            return "0 (off), 1 (on)"
        text = f"{self.low} to {self.high}"
        if self.kind in ("capmem_voltage", "capmem_current"):
            text += f" ({CAPMEM_REFRESH_DISABLED} disables the refresh)"
        return text


def check_codes(register: Register, codes: ArrayLike) -> NDArray[Any]:
    """Check type and range of codes of any shape and return them in the field's dtype.

    Parameters
    ----------
    register : Register
        The field that the codes are for.
    codes : array_like
        Integers or booleans. An array that already has the field's dtype is returned as it is, without a copy.

    Returns
    -------
    ndarray
        Same shape as `codes`, dtype of the field.

    Raises
    ------
    ConfigurationError
        If the values are neither integers nor booleans.
    ParameterRangeError
        If a code lies outside the field's range; names field, index and value of the first offender, range and remedy.
    """
    array = np.asarray(codes)
    dtype = array.dtype
    if dtype.kind not in "bui":
        if array.size:
            raise ConfigurationError(f"{register.name} holds codes of type {register.dtype}, got {dtype}. Round the values and convert them to integers.")
        return array.astype(register.dtype)
    if dtype.kind != "b" and array.size:
        needs_low = dtype.kind == "i" or register.low > 0
        if array.max() > register.high or (needs_low and array.min() < register.low):
            raise _range_error(register, array)
    return array if dtype == register.dtype else array.astype(register.dtype)


def check_field(register: Register, array: ArrayLike) -> NDArray[Any]:
    """Check that an array can be the value of a whole field.

    Costs about 4 us for a field of 512 elements.

    Parameters
    ----------
    register : Register
        The field.
    array : array_like
        Integers or booleans of exactly the field's shape.

    Returns
    -------
    ndarray
        The field's shape and dtype; the argument itself if it has that dtype already.

    Raises
    ------
    ConfigurationError
        If the shape differs or the values are neither integers nor booleans.
    ParameterRangeError
        If a code lies outside the field's range.
    """
    codes = np.asarray(array)
    if codes.shape != register.shape:
        axes = ", ".join(register.axes)
        raise ConfigurationError(f"{register.name} has shape {register.shape}, axes ({axes}); got shape {codes.shape}. Give the whole field.")
    return check_codes(register, codes)


def _range_error(register: Register, array: NDArray[Any]) -> ParameterRangeError:
    """Return the error that names the first code outside the range."""
    outside = (array < register.low) | (array > register.high)
    first = np.unravel_index(int(np.argmax(outside)), array.shape)
    place = f"[{', '.join(str(int(i)) for i in first)}]" if array.ndim else ""
    others = int(np.count_nonzero(outside)) - 1
    more = f" ({others} more outside)" if others else ""
    return ParameterRangeError(f"{register.name}{place} is {int(array[first])}{more}; allowed: {register.allowed()}. Choose one of the allowed codes.")
