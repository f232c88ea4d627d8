"""The open instrument: any signal of any circuit, without noise, quantisation or influence.

It does not exist on silicon. Voltages come from the engine's dense output, currents from the same equations on the same parameters
(:mod:`neckar.equations`). SI units.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neckar.dynamics import CircuitParameters
from neckar.equations import numpy_equations
from neckar.errors import MemoryLimitError
from neckar.program import Probe, Program, seconds

UNITS = {
    "v": "V",
    "w": "V",
    "s_exc": "V",
    "s_inh": "V",
    "i_leak": "A",
    "i_exp": "A",
    "i_adapt": "A",
    "i_exc": "A",
    "i_inh": "A",
    "i_offset": "A",
    "refractory": "s",
}
SHARE_OF_MEMORY = 0.5
ALWAYS_FITS = 1 << 26  # bytes; not worth asking the system
MADC_SAMPLE_BYTES = 40  # tick, stamp, potential, noise and code of a sample while it is converted


def signal(name: str, dense: NDArray[np.float32], p: CircuitParameters, i: int) -> NDArray[np.float32]:
    """Return one signal of circuit `i` of `p` from the engine's dense output, shape (sample, 5): v, w, s_exc, s_inh (V) and refractory time left (us)."""
    v, w, s_e, s_i, refractory = (dense[:, k].astype(np.float64) for k in range(5))
    eq = numpy_equations()
    v_sat = p.v_sat if p.saturating else 1e6
    gate = eq.inhibition_gate(v, p.v_floor, p.v_width) if p.saturating else 1.0
    gain_e, gain_i = eq.conductance_gain(v, p.coba_exc[i], p.e_coba_exc[i]), eq.conductance_gain(v, p.coba_inh[i], p.e_coba_inh[i])
    resetting = refractory > p.t_holdoff[i] * 1e6
    cut_off = resetting & p.pause[i]  # the synaptic inputs
    highest = min(float(p.v_threshold[i]), p.v_supply)
    values = {
        "v": lambda: v,
        "w": lambda: w,
        "s_exc": lambda: s_e,
        "s_inh": lambda: s_i,
        "refractory": lambda: refractory * 1e-6,
        "i_leak": lambda: np.where(resetting, 0.0, eq.ota_current(v, p.e_leak[i], p.g_leak[i], v_sat)),
        "i_exp": lambda: np.where(resetting, 0.0, eq.exponential_current(np.minimum(v, highest), p.i_exp[i], p.v_exp[i], 1.0 / p.delta_exp[i])),
        "i_adapt": lambda: eq.adaptation_current(w, p.w_rest[i], p.g_adapt[i]),
        "i_exc": lambda: np.where(cut_off, 0.0, p.gm_exc[i] * gain_e * s_e),
        "i_inh": lambda: np.where(cut_off, 0.0, p.gm_inh[i] * gain_i * s_i * gate),
        "i_offset": lambda: p.i_source[i] + p.i_syn_rest[i] + p.i_coba_exc[i] * gain_e + p.i_coba_inh[i] * gain_i - p.i_sink[i] * gate,
    }
    return values[name]().astype(np.float32)


def n_samples(probe: Probe, duration: int) -> int:
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
        Whether the channels of a record take turns at one converter.

    Raises
    ------
    MemoryLimitError
        Before anything runs; says how many bytes the samples take and how many are allowed.
    """
    needed = 0
    for snippet in program.snippets:
        record = snippet.record or program.record
        converters = min(len(record.madc), 1) if share else len(record.madc)
        needed += program.n_entries * converters * (snippet.duration // conversion_ticks) * MADC_SAMPLE_BYTES
        for probe in record.probe:
            needed += 4 * program.n_entries * len(probe.signals) * len(probe.circuits) * n_samples(probe, snippet.duration)
    if needed <= ALWAYS_FITS:
        return
    allowed = int(SHARE_OF_MEMORY * _available())
    if needed > allowed:
        raise MemoryLimitError(
            f"the samples of probes and MADC in this program take {needed} bytes ({program.n_entries} entries of {seconds(program.duration):g} s); "
            f"{allowed} bytes, half of the available memory, are allowed. "
            "Record fewer circuits or signals, raise the interval of a probe, or record in a short snippet."
        )


def _available() -> int:
    """Return the bytes of memory that programs can still get: the kernel's estimate, or the physical memory where there is none."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
