"""Program and Recording: the two types that cross between the user's side and the machine's side.

Plain data in frozen dataclasses: saved, sent, replayed, compared bit for bit. The contract is docs/explanation/data-model.md; its version is
`SCHEMA_VERSION`. Time is int64 ticks of 2 ns of hardware time, configuration is digital codes, ragged data are CSR over the entry axis.
"""

from neckar.program._cost import Cost, CostItem, EnergyRange
from neckar.program._events import Events, Spikes
from neckar.program._file import Contents, dumps, load, loads, save
from neckar.program._losses import LOSS_REASONS, Losses
from neckar.program._machine import Machine, MachineState
from neckar.program._plasticity import NeuronView, Observable, PlasticityTask, PlasticityView
from neckar.program._program import CALIBRATION_LABEL, Program, Snippet, TimedRead, TimedWrite
from neckar.program._provenance import Provenance
from neckar.program._record import (
    DRIVER_SIGNALS,
    MADC_SOURCES,
    PROBE_SIGNALS,
    SENSOR_SIGNALS,
    SOURCES,
    CadcRecord,
    DriverProbe,
    MadcBursts,
    MadcChannel,
    Probe,
    Record,
    SensorProbe,
)
from neckar.program._recording import BurstSamples, CadcSamples, DriverProbeSamples, ProbeSamples, Recording, Samples, SensorProbeSamples
from neckar.program._schema import SCHEMA_VERSION
from neckar.program._time import TICK_S, TICKS_PER_US, seconds, ticks
from neckar.program._validate import MACHINES

__all__ = [
    "CALIBRATION_LABEL",
    "DRIVER_SIGNALS",
    "LOSS_REASONS",
    "MACHINES",
    "MADC_SOURCES",
    "PROBE_SIGNALS",
    "SCHEMA_VERSION",
    "SENSOR_SIGNALS",
    "SOURCES",
    "TICKS_PER_US",
    "TICK_S",
    "BurstSamples",
    "CadcRecord",
    "CadcSamples",
    "Contents",
    "Cost",
    "CostItem",
    "DriverProbe",
    "DriverProbeSamples",
    "EnergyRange",
    "Events",
    "Losses",
    "Machine",
    "MachineState",
    "MadcBursts",
    "MadcChannel",
    "NeuronView",
    "Observable",
    "PlasticityTask",
    "PlasticityView",
    "Probe",
    "ProbeSamples",
    "Program",
    "Provenance",
    "Record",
    "Recording",
    "Samples",
    "SensorProbe",
    "SensorProbeSamples",
    "Snippet",
    "Spikes",
    "TimedRead",
    "TimedWrite",
    "dumps",
    "load",
    "loads",
    "save",
    "seconds",
    "ticks",
]
