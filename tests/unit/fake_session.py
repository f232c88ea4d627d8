"""A lab without a machine, for tests of front ends: recordings are made from what the Program asks for.

Every recorded circuit c fires at ticks 5000 (c + 1), 10000 (c + 1), ... and its MADC shows the code c at every 17th tick, alternately if two circuits share it.
Its CADC shows 100 + c as often as asked. Recorded sources come back at once. Plasticity tasks record zeros in all their periods.
"""

from __future__ import annotations

import numpy as np

from neckar.chip.config import ChipConfig
from neckar.network._route import LOOP_BIT
from neckar.program import CadcSamples, Cost, EnergyRange, Events, Losses, PlasticityTask, Program, Provenance, Record, Recording, Samples, Spikes

FIRST_SPIKE_TICK = 5000
SAMPLE_TICKS = 17

_COST = Cost(hardware_s=0, configuration_s=0, transfer_s=0, energy_j=EnergyRange(0, 0))
_PROVENANCE = Provenance(
    neckar="0",
    model_version="fake",
    chip={"id": "fake"},
    effects={},
    instruments="silicon",
    run_seed=(0, 0),
    step_ticks=(),
    active_circuits=(),
    environment={},
)


class FakeSession:
    """Keeps the programs it was given and what a chip would hold after them."""

    def __init__(self) -> None:
        self.programs: list[Program] = []
        self.config = ChipConfig.default()
        self.closed = False

    def run(self, program: Program) -> Recording:
        assert not self.closed
        self.programs.append(program)
        self.config.apply(program.config)
        spikes, samples, rows, begin = [], {}, {}, 0
        for snippet in program.snippets:
            self.config.apply(snippet.config)
            end = begin + snippet.duration
            record = snippet.record or program.record
            spikes += _spikes(record, begin, end)
            _sample(record, begin, end, samples)
            _read(record, begin, end, rows)
            begin = end
        return Recording(
            machine=program.machine,
            duration=program.duration,
            spikes=Spikes.from_lists([spikes]),
            madc=tuple(
                Samples(source, circuit, [0, len(ticks)], ticks, np.full(len(ticks), circuit, np.uint16)) for (source, circuit), ticks in samples.items()
            ),
            cadc=tuple(
                CadcSamples(source, circuits, [0, len(ticks)], ticks, np.tile(100 + np.array(circuits), (len(ticks), 1)).astype(np.uint8))
                for (source, circuits), ticks in rows.items()
            ),
            loopback=_loops(program),
            observables={task.name: _observables(program, task) for task in program.plasticity},
            losses=Losses(),
            cost=_COST,
            chip_ticks=program.duration,
            provenance=_PROVENANCE,
        )

    def close(self) -> None:
        self.closed = True


class FakeLab:
    """Opens fake sessions."""

    chip_name = "fake"

    def __init__(self, instruments: str = "silicon") -> None:
        self.instruments = instruments
        self.sessions: list[FakeSession] = []

    def session(self) -> FakeSession:
        self.sessions.append(FakeSession())
        return self.sessions[-1]


def _spikes(record: Record, begin: int, end: int) -> list[tuple[int, int]]:
    circuits = range(512) if record.spikes == "all" else record.spikes
    return [(tick, c) for c in circuits for tick in range(FIRST_SPIKE_TICK * (c + 1), end, FIRST_SPIKE_TICK * (c + 1)) if tick >= begin]


def _loops(program: Program) -> Events:
    tick, label = program.entries.entry(0)
    back = label & LOOP_BIT > 0
    return Events([0, back.sum()], tick[back], label[back])


def _observables(program: Program, task: PlasticityTask) -> dict[str, np.ndarray]:
    """Return zeros as data-model.md gives their shapes; nothing for a task that observes nothing."""
    periods = sum(other.count for other in program.plasticity if other.same_id == task.same_id)
    arrays = {"time": np.zeros((1, periods), np.int64)} if task.observables else {}
    for name, observable in task.observables.items():
        whole = observable.layout == "complete_rows"
        shapes = {
            "synapse": [(len(view.rows), 256 if whole else len(view.columns)) for view in task.views],
            "neuron": [(256 if whole else len(view.columns),) for view in task.neurons],
        }
        if isinstance(observable.shape, str):
            for k, shape in enumerate(shapes[observable.shape]):
                arrays[f"{name}.{k}"] = np.zeros((1, periods, *shape), observable.type)
        else:
            arrays[name] = np.zeros((1, periods, observable.shape), observable.type)
    return arrays


def _read(record: Record, begin: int, end: int, rows: dict[tuple[str, tuple[int, ...]], np.ndarray]) -> None:
    for cadc in record.cadc:
        key, first = (cadc.source, cadc.circuits), -(-begin // cadc.period) * cadc.period
        rows[key] = np.concatenate([rows.get(key, np.zeros(0, np.int64)), np.arange(first, end, cadc.period)])


def _sample(record: Record, begin: int, end: int, samples: dict[tuple[str, int], np.ndarray]) -> None:
    ticks = np.arange(begin, end, SAMPLE_TICKS) // 4 * 4
    ticks = ticks[ticks >= begin]
    for i, channel in enumerate(record.madc):
        key = channel.source, channel.circuit
        samples[key] = np.concatenate([samples.get(key, np.zeros(0, np.int64)), ticks[i :: len(record.madc)]])
