"""The same settings on a twin: each run of a characterisation as a Program for the virtual chip, and its readings in the same shape.

The network is that of the script, 512 circuits and the sources of both inputs; it is placed and routed as for any user. All effects act, so what comes back
scatters like a measurement.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from neckar.calibration.passport.characterisation import RECEPTORS, Readings, Setting, Synapses
from neckar.chip.cadc_timing import shortest_period
from neckar.chip.config import ChipConfig
from neckar.chip.specimen import Specimen
from neckar.facts import AXES
from neckar.lab import Lab
from neckar.network import MappedNetwork, Network, NeuronPopulation, Projection, Section, SourcePopulation, build_program, map_network
from neckar.program import TICKS_PER_US, CadcRecord, MadcChannel, Record, Recording

_N = AXES["circuit"]
_BASE = ChipConfig.default()


def replay(specimen: Specimen, settings: Iterable[Setting], sources: int, seed: int = 0) -> list[Readings]:
    """Run settings on a virtual chip, with all effects.

    Parameters
    ----------
    specimen : Specimen
    settings : iterable of Setting
        Read by the parallel converter or as spikes; every run writes all cells anew.
    sources : int
        Spike sources of each input.
    seed : int
        Of what differs between repeated runs.

    Returns
    -------
    list of Readings
        One per setting. About 50 ms each.
    """
    with Lab(chip=specimen, instruments="silicon", seed=seed, executor="inline") as lab:
        return [_readings(setting, lab.run(build_program([*_sections(setting, sources)], held=None))) for setting in settings]


def routed_synapses(sources: int, receptor: str) -> Synapses:
    """Return where our own software places the synapses of an input, for files that do not tell."""
    mapped = _mapped(Setting("", "spikes", {}, ((1.0, {}),)), {}, sources)
    number = RECEPTORS.index(receptor)
    connection, hemisphere, row, column = mapped.synapses(number)
    projection = mapped.network.projections[number]
    return Synapses(projection.post_index[connection], projection.pre_index[connection], hemisphere, row, column)


def _sections(setting: Setting, sources: int) -> Iterable[Section]:
    circuits = tuple(range(_N))
    switched: dict[str, int] = {}
    mapped = None
    begin = 0.0
    for us, switches in setting.sections:
        switched |= switches
        mapped = _mapped(setting, switched, sources, begin, mapped)
        record = Record(
            spikes=circuits if setting.kind == "spikes" else (),
            cadc=(CadcRecord(circuits, "membrane", period=shortest_period(_BASE, 0)),) if setting.kind == "cadc" else (),
            madc=tuple(MadcChannel(circuit) for circuit in circuits[:2]) if setting.kind == "madc" else (),
        )
        yield Section(mapped, round(us * TICKS_PER_US), record)
        begin += us


def _mapped(setting: Setting, switches: dict[str, int], sources: int, begin_us: float = 0.0, previous: MappedNetwork | None = None) -> MappedNetwork:
    """Return the script's network on the chip during one section."""
    codes = {name: np.asarray(array) for name, array in setting.codes.items()}
    codes |= {name: np.full(_N, value) for name, value in switches.items()}
    inputs, projections = [], []
    pre, post = (axis.reshape(-1) for axis in np.meshgrid(np.arange(sources), np.arange(_N), indexing="ij"))
    for number, receptor in enumerate(RECEPTORS):
        own = receptor == setting.receptor
        ticks = _ticks([us - begin_us for us in setting.events_us if us >= begin_us] if own else [])
        inputs.append(SourcePopulation.from_lists(receptor, [ticks] * sources))
        weight = np.full(len(pre), setting.weight if own else 0)
        projections.append(Projection(receptor, number + 1, 0, receptor, pre, post, weight))  # type: ignore[arg-type]
    network = Network((NeuronPopulation("neurons", _N, codes), *inputs), tuple(projections))
    return map_network(network, base=_BASE, permutation=np.arange(_N), previous=previous)


def _ticks(us: list[float]) -> NDArray[np.int64]:
    return np.rint(np.array(us) * TICKS_PER_US).astype(np.int64)


def _readings(setting: Setting, recording: Recording) -> Readings:
    if setting.kind == "spikes":
        tick, circuit = recording.spikes.entry(0)
        return Readings(spike_us=tick / TICKS_PER_US, spike_circuit=circuit.astype(np.int64))
    length = max(len(samples.tick) for samples in recording.cadc)
    time, value = np.full((_N, length), np.nan), np.zeros((_N, length))
    for samples in recording.cadc:
        tick, rows = samples.entry(0)
        circuits = list(samples.circuits)
        time[circuits, : len(tick)] = tick / TICKS_PER_US
        value[circuits, : len(tick)] = rows.T
    return Readings(time, value)
