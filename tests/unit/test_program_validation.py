"""A Program refuses contradictions at construction; each text says what was asked, where, what is allowed, and the remedy."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from neckar.chip.config import ChipConfig
from neckar.errors import ConfigurationError, ParameterRangeError, ProgramError, UnknownNameError
from neckar.facts import registers
from neckar.program import (
    DRIVER_SIGNALS,
    PROBE_SIGNALS,
    SENSOR_SIGNALS,
    CadcRecord,
    DriverProbe,
    Events,
    MadcBursts,
    MadcChannel,
    NeuronView,
    Observable,
    PlasticityTask,
    PlasticityView,
    Probe,
    Program,
    Record,
    SensorProbe,
    Snippet,
    TimedRead,
    TimedWrite,
)

LEAK = np.full(512, 400, np.uint16)


def program(**changes: object) -> Program:
    values: dict[str, object] = {"machine": "brainscales2", "snippets": (Snippet(1000), Snippet(500))}
    return Program(**{**values, **changes})  # type: ignore[arg-type]


def task(**changes: object) -> PlasticityTask:
    return PlasticityTask(**{"name": "rule", "kernel": "", **changes})  # type: ignore[arg-type]


def write(**changes: object) -> Program:
    return program(writes=(TimedWrite(**{"at": 0, "field": "leak_v_leak", "value": 1, **changes}),))  # type: ignore[arg-type]


def read(**changes: object) -> Program:
    return program(reads=(TimedRead(**{"name": "r", "at": 0, "field": "leak_v_leak", **changes}),))  # type: ignore[arg-type]


def bursts(circuits: tuple[int, ...], program: dict[str, object] | None = None, **record: object) -> Program:
    recorded = Record(**{"spikes": (), "bursts": (MadcBursts(circuits),), **record})  # type: ignore[arg-type]
    return Program(**{"machine": "brainscales2", "snippets": (Snippet(1000),), "record": recorded, **(program or {})})  # type: ignore[arg-type]


def leak(index: int, value: int) -> np.ndarray:
    codes = LEAK.copy()
    codes[index] = value
    return codes


def view(*args: object) -> Program:
    return program(plasticity=(task(views=(PlasticityView(*args),)),))  # type: ignore[arg-type]


# (what is asked, error, [where, what was asked, what is allowed, remedy])
def looks(probe: DriverProbe | SensorProbe) -> Program:
    """Return a program with one probe of drivers or sensors."""
    return program(record=Record(**{"driver_probe" if isinstance(probe, DriverProbe) else "sensor_probe": (probe,)}))  # type: ignore[arg-type]


CASES: list[tuple[Callable[[], object], type[ConfigurationError], list[str]]] = [
    # machine and names
    (lambda: program(machine="brainscales3"), UnknownNameError, ["Program.machine", "'brainscales3'", "did you mean brainscales2", "Choose"]),
    (lambda: program(config={"leak_v_leek": LEAK}), UnknownNameError, ["config", "'leak_v_leek'", "did you mean leak_v_leak", "Use the name"]),
    (lambda: program(machine="brainscales1", config={"leak_v_leak": LEAK}), UnknownNameError, ["config", "'leak_v_leak'", "no register table", "Use the name"]),
    (lambda: program(config={3: LEAK}), ProgramError, ["a key of config", "3", "allowed is a string", "Convert"]),
    (lambda: program(config=[LEAK]), ProgramError, ["config", "allowed is a mapping", "Write {name"]),
    # configuration arrays
    (lambda: program(config={"leak_v_leak": LEAK[1:]}), ProgramError, ["config['leak_v_leak']", "(511,)", "(512,) (circuit)", "use TimedWrite"]),
    (lambda: program(config={"leak_v_leak": LEAK.astype(np.int64)}), ProgramError, ["config['leak_v_leak']", "int64", "allowed is uint16", ".astype("]),
    (lambda: program(config={"leak_v_leak": leak(17, 1024)}), ParameterRangeError, ["config: leak_v_leak[17]", "1024", "0 to 1023", "Choose"]),
    (
        lambda: program(snippets=(Snippet(5), Snippet(5, {"leak_v_leak": leak(3, 2000)}))),
        ParameterRangeError,
        ["snippets[1].config", "[3] is 2000", "0 to 1023", "Choose"],
    ),
    (lambda: program(config={"spike_counter": np.zeros(512, np.uint8)}), ProgramError, ["config", "'spike_counter'", "can only be read", "TimedRead"]),
    # snippets and events
    (lambda: Snippet(1e-6), ProgramError, ["Snippet.duration", "1e-06", "a whole number of ticks", "seconds with neckar.program.ticks(seconds)"]),  # type: ignore[arg-type]
    (lambda: program(snippets=()), ProgramError, ["Program.snippets", "empty", "at least one", "Add Snippet"]),
    (lambda: program(snippets=5), ProgramError, ["snippets", "is 5", "sequence of Snippet", "Write (Snippet"]),
    (lambda: program(snippets=(5,)), ProgramError, ["snippets[0]", "is 5", "allowed are Snippet objects", "neckar.program.Snippet"]),
    (
        lambda: program(snippets=(Snippet(2**62),) * 3),
        ProgramError,
        ["Program.snippets", f"sum up to {3 * 2**62} ticks", "at most 2**53", "208 days", "Shorten"],
    ),
    (lambda: program(snippets=(Snippet(2**53), Snippet(1))), ProgramError, ["Program.snippets", f"{2**53 + 1} ticks", "at most 2**53", "Shorten"]),
    (lambda: Snippet(0), ParameterRangeError, ["Snippet.duration", "is 0", "at least 1 ticks", "Choose"]),
    (lambda: Snippet(2**63), ParameterRangeError, ["Snippet.duration", "is 9223372036854775808", "1 to 9223372036854775807", "Choose"]),
    (lambda: Snippet(1.5), ProgramError, ["Snippet.duration", "is 1.5", "whole number", "int()"]),  # type: ignore[arg-type]
    (lambda: program(entries=Events.empty(0)), ProgramError, ["Program.entries", "no entry", "at least one", "Events.empty(1)"]),
    (lambda: program(entries=Events.from_lists([[], [(5, 0), (1500, 0)]])), ProgramError, ["event 1 of entry 1", "tick 1500", "0 to 1499", "Lengthen"]),
    (lambda: program(run_seed=(1,)), ProgramError, ["Program.run_seed", "(1,)", "(lab_seed, run_number)", "Give two"]),
    (lambda: program(run_seed=5), ProgramError, ["Program.run_seed", "is 5", "(lab_seed, run_number)", "Give two"]),
    (lambda: program(run_seed=(1, -1)), ParameterRangeError, ["run_seed", "-1", "0 to 18446744073709551615", "Choose"]),
    (lambda: program(labels={"a": 1}), ProgramError, ["labels['a']", "is 1", "allowed is a string", "str()"]),
    # writes
    (lambda: write(field="leak_i_bia"), UnknownNameError, ["writes[0]", "'leak_i_bia'", "did you mean leak_i_bias", "Use the name"]),
    (lambda: write(field="spike_counter"), ProgramError, ["writes[0]", "'spike_counter'", "can only be read", "TimedRead"]),
    (lambda: write(at=1501), ProgramError, ["writes[0]", "tick 1501", "0 to 1500", "'after'"]),
    (lambda: write(at=-1), ParameterRangeError, ["'leak_v_leak': at", "-1", "at least 0 ticks", "Choose"]),
    (lambda: write(at="afterwards"), UnknownNameError, ["at is 'afterwards'", "before, after", "did you mean after", "Choose"]),
    (lambda: write(entry=1), ParameterRangeError, ["writes[0].entry", "is 1", "0 to 0, or None", "add entries"]),
    (lambda: write(index=(512,)), ParameterRangeError, ["writes[0].index[0]", "512", "0 to 511", "Correct"]),
    (lambda: write(index=((4, 4),)), ParameterRangeError, ["writes[0].index[0]", "(4, 4)", "0 <= start < stop <= 512", "Correct"]),
    (lambda: write(index=(1, 2)), ProgramError, ["writes[0].index", "2 parts", "1 axes (circuit)", "Remove"]),
    (lambda: write(index=((0, 4),), value=[1, 2, 3]), ProgramError, ["writes[0].value", "(3,)", "(4,)", "Give one value"]),
    (lambda: write(index=(0,), value=[1]), ProgramError, ["writes[0].value", "(1,)", "shape ()", "Give one value"]),
    (lambda: write(value=0.5), ProgramError, ["writes[0].value", "float64", "leak_v_leak holds uint16", "Round"]),
    (lambda: write(value=1024), ParameterRangeError, ["writes[0].value: leak_v_leak", "1024", "0 to 1023", "Choose"]),
    (lambda: write(field="threshold_enable", value=2), ParameterRangeError, ["threshold_enable", "2", "0 (off), 1 (on)", "Choose"]),
    # reads
    (lambda: read(field="spike_count"), UnknownNameError, ["reads[0] 'r'", "'spike_count'", "did you mean spike_counter", "Use the name"]),
    (lambda: read(index=((0, 513),)), ParameterRangeError, ["reads[0] 'r'.index[0]", "(0, 513)", "stop <= 512", "Correct"]),
    (lambda: read(at=1501), ProgramError, ["reads[0] 'r'", "tick 1501", "0 to 1500", "'after'"]),
    (lambda: program(reads=(TimedRead(name="r", at=0, field="leak_v_leak"),) * 2), ProgramError, ["reads", "'r'", "may occur once", "rename"]),
    # record
    (lambda: Record(spikes="none"), UnknownNameError, ["Record.spikes", "'none'", "all", "Choose"]),  # type: ignore[arg-type]
    (lambda: Record(spikes=(1, 1)), ProgramError, ["Record.spikes", "1 more than once", "may occur once", "Remove"]),
    (lambda: Record(spikes=(0, -1)), ParameterRangeError, ["Record.spikes[1]", "-1", "from 0 to", "Count"]),
    (lambda: Record(spikes=(0.5,)), ProgramError, ["Record.spikes", "0.5", "whole numbers", "Write for instance"]),  # type: ignore[arg-type]
    (lambda: program(record=Record(spikes=(0, 512))), ParameterRangeError, ["record.spikes[1]", "512", "0 to 511", "Choose"]),
    (lambda: MadcChannel(0, "membran"), UnknownNameError, ["MadcChannel.source", "'membran'", "did you mean membrane", "Choose"]),  # type: ignore[arg-type]
    (lambda: Record(madc=(MadcChannel(3), MadcChannel(3))), ProgramError, ["Record.madc", "MadcChannel(circuit=3", "may occur once", "Remove"]),
    (lambda: program(record=Record(madc=(MadcChannel(600),))), ParameterRangeError, ["record.madc[0]", "600", "0 to 511", "Choose"]),
    (lambda: CadcRecord((0,), period=9, memory="ram"), UnknownNameError, ["CadcRecord.memory is 'ram'", "sram, dram", "Choose"]),  # type: ignore[arg-type]
    (lambda: CadcRecord((0,), period=0), ParameterRangeError, ["CadcRecord.period", "is 0", "at least 1 ticks", "Choose"]),
    (lambda: program(record=Record(cadc=(CadcRecord((0,), ticks=np.array([1500])),))), ProgramError, ["record.cadc[0].ticks", "1500", "0 to 1499", "Lengthen"]),
    (lambda: program(record=Record(cadc=(CadcRecord((512,), period=9),))), ParameterRangeError, ["record.cadc[0].circuits[0]", "512", "0 to 511", "Choose"]),
    (lambda: Probe(("v", "vv"), (0,), 1), UnknownNameError, ["Probe.signals[1]", "'vv'", "did you mean v", "Choose"]),
    (lambda: Probe(("v", "v"), (0,), 1), ProgramError, ["Probe.signals", "'v'", "may occur once", "Remove"]),
    (lambda: Probe(("v",), (0,), 0), ParameterRangeError, ["Probe.interval", "is 0", "at least 1 ticks", "Choose"]),
    (
        lambda: program(snippets=(Snippet(9, record=Record(probe=(Probe(("v",), (0, 999), 1),))),)),
        ParameterRangeError,
        ["snippets[0].record.probe[0].circuits[1]", "999", "0 to 511", "Choose"],
    ),
    (lambda: DriverProbe("v", 0, (0,), 1), UnknownNameError, ["DriverProbe.signals[0]", "'v'", "u, pulse", "Choose"]),  # type: ignore[arg-type]
    (lambda: DriverProbe("u", -1, (0,), 1), ParameterRangeError, ["DriverProbe.hemisphere", "-1", "at least 0", "Choose"]),
    (lambda: DriverProbe("u", 0, (0, 0), 1), ProgramError, ["DriverProbe.drivers", "0 more than once", "Remove"]),
    (lambda: DriverProbe("u", 0, (0,), 0), ParameterRangeError, ["DriverProbe.interval", "is 0", "at least 1 ticks", "Choose"]),
    (lambda: looks(DriverProbe("u", 2, (0,), 9)), ParameterRangeError, ["record.driver_probe[0].hemisphere is hemisphere 2", "0 to 1", "Choose"]),
    (lambda: looks(DriverProbe("u", 0, (1, 128), 9)), ParameterRangeError, ["record.driver_probe[0].drivers[1]", "128", "0 to 127", "Choose a driver"]),
    (lambda: SensorProbe(("causal", "caus"), 0, (0,), (0,), 1), UnknownNameError, ["SensorProbe.signals[1]", "'caus'", "did you mean causal", "Choose"]),
    (lambda: SensorProbe(("causal", "causal"), 0, (0,), (0,), 1), ProgramError, ["SensorProbe.signals", "may occur once", "Remove"]),
    (lambda: SensorProbe("causal", 0, (0,), (0,), 0), ParameterRangeError, ["SensorProbe.interval", "is 0", "at least 1 ticks"]),
    (lambda: looks(SensorProbe("causal", 0, (256,), (0,), 9)), ParameterRangeError, ["record.sensor_probe[0].rows[0]", "256", "0 to 255", "Choose a row"]),
    (lambda: looks(SensorProbe("causal", 0, (0,), (0, 300), 9)), ParameterRangeError, ["record.sensor_probe[0].columns[1]", "300", "Choose a column"]),
    (lambda: Record(driver_probe=(Probe(("v",), (0,), 9),)), ProgramError, ["Record.driver_probe[0]", "allowed are DriverProbe objects", "Build"]),  # type: ignore[arg-type]
    (lambda: bursts((0,), driver_probe=(DriverProbe("u", 0, (0,), 9),)), ProgramError, ["record.driver_probe", "allowed are bursts alone"]),
    (lambda: bursts((0,), sensor_probe=(SensorProbe("causal", 0, (0,), (0,), 9),)), ProgramError, ["record.sensor_probe", "allowed are bursts alone"]),
    # bursts
    (lambda: MadcBursts(()), ProgramError, ["MadcBursts.circuits is empty", "at least one", "Name"]),
    (lambda: MadcBursts((0, 0)), ProgramError, ["MadcBursts.circuits", "0 more than once", "Remove"]),
    (lambda: MadcBursts((0,), "external"), UnknownNameError, ["MadcBursts.source", "'external'", "Choose"]),  # type: ignore[arg-type]
    (lambda: MadcBursts((0,), wait=-1), ParameterRangeError, ["MadcBursts.wait", "-1", "at least 0 ticks"]),
    (lambda: bursts((0, 512)), ParameterRangeError, ["record.bursts[0].circuits[1]", "512", "0 to 511", "Choose"]),
    (lambda: bursts((0,), spikes="all"), ProgramError, ["record.spikes", "allowed are bursts alone", "program of its own"]),
    (lambda: bursts((0,), madc=(MadcChannel(1),)), ProgramError, ["record.madc", "allowed are bursts alone"]),
    (lambda: bursts((0,), cadc=(CadcRecord((0,), period=999),)), ProgramError, ["record.cadc", "allowed are bursts alone"]),
    (lambda: bursts((0,), probe=(Probe(("v",), (0,), 9),)), ProgramError, ["record.probe", "allowed are bursts alone"]),
    (lambda: bursts((0,), program={"sequential": True}), ProgramError, ["sequential", "entries that start from rest"]),
    (lambda: bursts((0,), program={"reads": (TimedRead(name="r", at=0, field="leak_v_leak"),)}), ProgramError, ["reads", "allowed are bursts alone"]),
    (lambda: bursts((0,), program={"plasticity": (task(),)}), ProgramError, ["plasticity", "allowed are bursts alone"]),
    (
        lambda: bursts((0,), program={"snippets": (Snippet(9), Snippet(9, record=Record(spikes=(1,))))}),
        ProgramError,
        ["snippets[1].record.spikes", "allowed are bursts alone"],
    ),
    # plasticity
    (lambda: view(2, (0,), (0,)), ParameterRangeError, ["'rule': views[0].hemisphere is hemisphere 2", "0 to 1", "Choose"]),
    (lambda: view(0, (0, 256), (0,)), ParameterRangeError, ["views[0].rows[1]", "256", "0 to 255", "Choose a row"]),
    (lambda: view(0, (0,), (300,)), ParameterRangeError, ["views[0].columns[0]", "300", "0 to 255", "Choose a column"]),
    (lambda: program(plasticity=(task(neurons=(NeuronView(0, (256,)),)),)), ParameterRangeError, ["'rule': neurons[0].columns", "256", "0 to 255", "Choose"]),
    (lambda: program(plasticity=(task(), task())), ProgramError, ["plasticity", "'rule'", "may occur once", "rename"]),
    (lambda: task(language="c"), UnknownNameError, ["'rule': language", "'c'", "cpp, python", "Choose"]),
    (lambda: task(mode="time"), UnknownNameError, ["'rule': mode", "'time'", "did you mean timed", "Choose"]),
    (lambda: task(period=0), ParameterRangeError, ["'rule': period", "is 0", "at least 1 ticks", "Choose"]),
    (lambda: task(symbols={"x": [2**31]}), ParameterRangeError, ["symbols['x'][0]", "2147483648", "-2147483648 to 2147483647", "int32"]),
    (lambda: Observable("float", 3), UnknownNameError, ["Observable.type", "'float'", "int8, uint8", "Choose"]),  # type: ignore[arg-type]
    (lambda: Observable("int8", "synapses"), UnknownNameError, ["Observable.shape", "'synapses'", "did you mean synapse", "Choose"]),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("ask", "error", "fragments"), CASES, ids=range(len(CASES)))
def test_a_contradiction_is_refused_with_place_question_range_and_remedy(ask: Callable[[], object], error: type[Exception], fragments: list[str]) -> None:
    with pytest.raises(error) as caught:
        ask()
    assert type(caught.value) is error
    text = str(caught.value)
    for fragment in fragments:
        assert fragment in text
    assert text.endswith(".")


@pytest.mark.parametrize(
    ("probe", "known"),
    [
        (lambda signals: Probe(signals, (0,), 1), PROBE_SIGNALS),
        (lambda signals: DriverProbe(signals, 0, (0,), 1), DRIVER_SIGNALS),
        (lambda signals: SensorProbe(signals, 0, (0,), (0,), 1), SENSOR_SIGNALS),
    ],
)
def test_every_probe_samples_at_least_one_named_signal(probe: Callable[[object], Probe], known: tuple[str, ...]) -> None:
    where, allowed = f"{type(probe(known)).__name__}.signals", f"; allowed is at least one of {', '.join(known)}."
    for nothing in ((), [], iter(())):
        with pytest.raises(ProgramError, match=re.escape(f"{where} is empty{allowed} Name the signals to sample.")):
            probe(nothing)
    for nameless in (5, None, np.array(known[0])):
        with pytest.raises(ProgramError, match=rf"{re.escape(where)} is .*{re.escape(allowed)} Write for instance \('{known[0]}',\)\.$"):
            probe(nameless)
    assert probe(known[0]) == probe([known[0]]) == probe(iter(known[:1]))


def test_the_two_numbers_of_a_run_seed_have_an_order() -> None:
    for accepted in ((3, 1), [3, 1], np.array([3, 1]), np.array([3, 1], np.uint64)):
        assert program(run_seed=accepted).run_seed == (3, 1)
    for refused in ({3, 1}, frozenset({3, 1}), {3: 0, 1: 0}, b"ab", "ab", iter((3, 1)), np.array(3)):
        with pytest.raises(ProgramError, match=r"^Program\.run_seed is .*; allowed is \(lab_seed, run_number\) or None\. Give two integers\.$"):
            program(run_seed=refused)
    for refused in ((3.0, 1), np.array([3.0, 1.0]), np.array([[3], [1]]), ("3", "1")):
        with pytest.raises(ProgramError, match=r"^run_seed is .*; allowed is a whole number"):
            program(run_seed=refused)


def test_errors_are_also_built_in_types() -> None:
    for error in (ProgramError, ParameterRangeError, UnknownNameError):
        assert issubclass(error, ValueError)
    assert issubclass(UnknownNameError, KeyError)


def test_a_program_at_the_edges_of_its_ranges_is_accepted() -> None:
    whole = Program(
        machine="brainscales2",
        config={"leak_v_leak": leak(511, 1023)},
        snippets=(Snippet(1000), Snippet(500)),
        entries=Events.from_lists([[(1499, 65535)], []]),
        writes=(
            TimedWrite(at=1500, field="synapse_weight", index=(1, 255, (0, 256)), value=np.full(256, 63)),
            TimedWrite(at="before", field="leak_v_leak", value=np.uint16(1), entry=1),
            TimedWrite(at="after", field="threshold_enable", index=((0, 2),), value=np.array([True, False])),
        ),
        reads=(TimedRead(name="n", at=1500, field="spike_counter"),),
        record=Record(spikes=(511,), madc=(MadcChannel(511),), cadc=(CadcRecord((511,), ticks=np.array([1499])),)),
        plasticity=(task(views=(PlasticityView(1, (255,), (255,)),), neurons=(NeuronView(1, (255,)),)),),
        run_seed=(2**64 - 1, 0),
    )
    assert whole.duration == 1500
    assert whole.n_entries == 2


def test_numpy_integers_and_lists_are_as_good_as_plain_ones() -> None:
    plain = program(snippets=(Snippet(1000),), record=Record(spikes=(0, 1), madc=(MadcChannel(3),)), run_seed=(1, 2))
    assert plain == program(snippets=[Snippet(np.int64(1000))], record=Record(spikes=np.arange(2), madc=[MadcChannel(np.int16(3))]), run_seed=np.array([1, 2]))  # type: ignore[arg-type]


class Configuration:
    """Stands for a configuration object of any machine."""

    def as_mapping(self) -> dict[str, np.ndarray]:
        return {"leak_v_leak": LEAK}


def test_anything_that_gives_a_mapping_is_a_configuration() -> None:
    plain = program(config={"leak_v_leak": LEAK}, snippets=(Snippet(5, {"leak_v_leak": LEAK}),))
    assert plain == program(config=Configuration(), snippets=(Snippet(5, Configuration()),))  # type: ignore[arg-type]
    config = ChipConfig({"leak_v_leak": 400})
    assert program(config=config) == program(config=config.as_mapping())
    assert program(config=config).whole


def test_a_program_is_whole_with_every_field_of_the_table() -> None:
    fields = {name: register.default_array() for name, register in registers("brainscales2").items() if not register.counter}
    assert program(config=fields).whole
    fields.pop("leak_v_leak")
    assert not program(config=fields).whole


def test_the_wafer_takes_programs_without_configuration() -> None:
    assert program(machine="brainscales1", record=Record(spikes=(100_000,))).n_entries == 1
