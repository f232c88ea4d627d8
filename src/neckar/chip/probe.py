"""The open instrument: any signal of any circuit, without a converter's noise and quantisation, and without influence. The membrane's own noise is in it.

It does not exist on silicon. Voltages come from the engine's dense output, currents from the same equations on the same parameters
(:mod:`neckar.equations`). SI units.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import CircuitParameters
from neckar.equations import numpy_equations
from neckar.errors import MemoryLimitError
from neckar.facts import brainscales2 as facts
from neckar.program import DRIVER_SIGNALS, DriverProbe, Probe, Program, SensorProbe, seconds

UNITS = {
    "v": "V",
    "w": "V",
    "s_exc": "V",
    "s_inh": "V",
    "i_leak": "A",
    "i_reset": "A",
    "i_exp": "A",
    "i_adapt": "A",
    "i_exc": "A",
    "i_inh": "A",
    "i_offset": "A",
    "i_icc": "A",
    "e_leak": "V",
    "v_threshold": "V",
    "refractory": "s",
}
"""Signals and their units. A current into the membrane is positive, but ``i_adapt`` and ``i_inh`` are the circuit's own, which leave it; ``e_leak`` and
``v_threshold`` are the potentials that the circuit's codes mean on this chip at its age, the latter infinite if the circuit cannot fire. ``i_icc`` is what
other circuits deliver to the membrane."""
OWN_CURRENTS = ("i_leak", "i_reset", "i_exp", "i_exc", "i_offset", "i_adapt", "i_inh")
LEAVES = ("i_adapt", "i_inh")
OpenProbe = Probe | DriverProbe | SensorProbe
SHARE_OF_MEMORY = 0.5
ALWAYS_FITS = 1 << 26  # bytes; not worth asking the system
MADC_SAMPLE_BYTES = 40  # tick, stamp, potential, noise and code of a sample while it is converted
BURST_SAMPLE_BYTES = 64  # dense output, potential, noise, reading and code of a sample while it is converted
CADC_SAMPLE_BYTES = 40  # potential, noise, reading and code of a sample while it is converted


def signal(name: str, dense: NDArray[np.float32], p: CircuitParameters, i: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return one signal of circuits `i` of `p`, shape (circuit, sample), as it is if nothing connects them (else :mod:`neckar.chip.shared_currents`).

    `dense` is the engine's dense output, shape (circuit, sample, 5): v, w, s_exc, s_inh (V) and refractory time left (us).
    """
    v, w, s_e, s_i, refractory = (dense[..., k].astype(np.float64) for k in range(5))
    eq = numpy_equations()
    v_sat = p.v_sat if p.saturating else 1e6

    def of(values: NDArray[Any]) -> NDArray[Any]:
        return values[i][:, np.newaxis]

    def gate() -> NDArray[np.float64] | float:
        return eq.inhibition_gate(v, of(p.v_floor), p.v_width) if p.saturating else 1.0

    def gain(sign: str) -> NDArray[np.float64]:
        return eq.conductance_gain(v, of(getattr(p, f"coba_{sign}")), of(getattr(p, f"e_coba_{sign}")))

    resetting = resets(dense, p, i)
    cut_off = resetting & of(p.pause)  # the synaptic inputs
    values = {
        "v": lambda: v,
        "w": lambda: w,
        "s_exc": lambda: s_e,
        "s_inh": lambda: s_i,
        "refractory": lambda: refractory * 1e-6,
        "i_leak": lambda: np.where(resetting, 0.0, eq.ota_current(v, of(p.e_leak), of(p.g_leak), v_sat)),
        "i_reset": lambda: np.where(resetting, eq.ota_current(v, of(p.e_reset), of(p.g_reset), v_sat), 0.0),
        "i_exp": lambda: np.where(resetting, 0.0, eq.exponential_current(_below(v, of(p.v_threshold), p), of(p.i_exp), of(p.v_exp), 1.0 / of(p.delta_exp))),
        "i_adapt": lambda: eq.adaptation_current(w, of(p.w_rest), of(p.g_adapt)),
        "i_exc": lambda: np.where(cut_off, 0.0, of(p.gm_exc) * gain("exc") * s_e),
        "i_inh": lambda: np.where(cut_off, 0.0, of(p.gm_inh) * gain("inh") * s_i * gate()),
        "i_offset": lambda: of(p.i_source + p.i_syn_rest) + of(p.i_coba_exc) * gain("exc") + of(p.i_coba_inh) * gain("inh") - of(p.i_sink) * gate(),
        "i_icc": lambda: 0.0 * v,
        "e_leak": lambda: of(p.e_leak) + 0.0 * v,
        "v_threshold": lambda: of(p.v_threshold) + 0.0 * v,
    }
    return values[name]().astype(np.float32)


def resets(dense: NDArray[np.float32], p: CircuitParameters, i: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether circuits `i` of `p` are in their reset phase, shape (circuit, sample)."""
    return np.asarray(dense[..., 4].astype(np.float64) > p.t_holdoff[i][:, np.newaxis] * 1e6)


def _below(v: NDArray[np.float64], threshold: NDArray[np.float64], p: CircuitParameters) -> NDArray[np.float64]:
    """Return the membrane as the exponential term sees it: not above the threshold or the supply."""
    return np.minimum(v, np.minimum(threshold, p.v_supply))


def n_samples(probe: OpenProbe, duration: int) -> int:
    """Return how many samples a probe takes in `duration` ticks."""
    return -(-duration // probe.interval)


def check_memory(program: Program, conversion_ticks: int, *, share: bool = False) -> None:
    """Refuse a program whose samples would fill the memory; what the record of a snippet asks for is sampled during that snippet only.

    Parameters
    ----------
    program : Program
    conversion_ticks : int
        Ticks that one conversion of the MADC takes.
    share : bool
        Whether the channels of a record take turns at one converter, and memories for rows of the CADC are limited.

    Raises
    ------
    MemoryLimitError
        Before anything runs; says how many bytes the samples take and how many are allowed.
    """
    needed = 0
    for snippet in program.snippets:
        record = snippet.record or program.record
        for cadc in record.cadc:
            rows = snippet.duration // cadc.period if cadc.period else len(cadc.ticks if cadc.ticks is not None else ())
            rows = min(rows, int(facts.CADC_ROWS[cadc.memory].value)) if share else rows
            needed += program.n_entries * rows * len(cadc.circuits) * CADC_SAMPLE_BYTES
        converters = min(len(record.madc), 1) if share else len(record.madc)
        needed += program.n_entries * converters * (snippet.duration // conversion_ticks) * MADC_SAMPLE_BYTES
        for bursts in record.bursts:
            needed += program.n_entries * len(bursts.circuits) * (snippet.duration // conversion_ticks) * BURST_SAMPLE_BYTES
        for probe in record.probe:
            needed += 4 * program.n_entries * len(probe.signals) * len(probe.circuits) * n_samples(probe, snippet.duration)
        for of_drivers in record.driver_probe:
            needed += 4 * program.n_entries * len(DRIVER_SIGNALS) * len(of_drivers.drivers) * n_samples(of_drivers, snippet.duration)
        for of_sensors in record.sensor_probe:
            synapses = len(of_sensors.rows) * len(of_sensors.columns)
            needed += 4 * program.n_entries * len(of_sensors.signals) * synapses * n_samples(of_sensors, snippet.duration)
    if (allowed := allowed_bytes(needed)) < needed:
        raise MemoryLimitError(
            f"the samples of probes, MADC and CADC in this program take {needed} bytes ({program.n_entries} entries of {seconds(program.duration):g} s); "
            f"{allowed} bytes, half of the available memory, are allowed. "
            "Record fewer circuits, drivers, synapses or signals, raise the interval of a probe, or record in a short snippet."
        )


def allowed_bytes(needed: int) -> int:
    """Return how many bytes a run may take for one purpose: at least what always fits, else half of what is available."""
    return needed if needed <= ALWAYS_FITS else int(SHARE_OF_MEMORY * _available())


def _available() -> int:
    """Return the bytes of memory that programs can still get: the kernel's estimate, or the physical memory where there is none."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
