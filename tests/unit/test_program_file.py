"""The file: the round trip is exact, every damage is recognised, and a file appears whole or not at all."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neckar.errors import ConfigurationError, CorruptFileError, FileFormatError, SchemaVersionError
from neckar.facts import registers
from neckar.program import (
    DRIVER_SIGNALS,
    LOSS_REASONS,
    PROBE_SIGNALS,
    SCHEMA_VERSION,
    SENSOR_SIGNALS,
    SOURCES,
    BurstSamples,
    CadcRecord,
    CadcSamples,
    Contents,
    Cost,
    CostItem,
    DriverProbe,
    DriverProbeSamples,
    EnergyRange,
    Events,
    Losses,
    MachineState,
    MadcBursts,
    MadcChannel,
    NeuronView,
    Observable,
    PlasticityTask,
    PlasticityView,
    Probe,
    ProbeSamples,
    Program,
    Provenance,
    Record,
    Recording,
    Samples,
    SensorProbe,
    SensorProbeSamples,
    Snippet,
    Spikes,
    TimedRead,
    TimedWrite,
    _file,
    dumps,
    load,
    loads,
    save,
)

DURATION = 1000
TABLE = {name: register for name, register in registers("brainscales2").items() if not register.counter}
SMALL = [name for name, register in TABLE.items() if register.size <= 512]

circuits = st.lists(st.integers(0, 511), max_size=4, unique=True).map(tuple)
names = st.text(max_size=5) | st.sampled_from(["", ".", "..", "/", "a/b", "a,b", "%", "%2F", "__type__", "a\0b", "µ"])
generators = st.integers(0, 2**32 - 1).map(np.random.default_rng)
floats = st.floats() | st.just(float(np.array(0x7FF8_0000_0000_0001, np.uint64).view(np.float64)))
seeds = st.integers(0, 2**64 - 1)


@st.composite
def arrays(draw: st.DrawFn, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Any bits of any type: NaN patterns, subnormals, empty and zero-dimensional arrays, above and below the compression limit."""
    shape = draw(st.sampled_from([(), (0,), (3,), (2, 0, 3), (7, 5), (2000,)])) if shape is None else shape
    dtype = np.dtype(draw(st.sampled_from(["?", "i1", "u2", "i4", "u8", "f2", "f4", "f8", "c16"])))
    raw = draw(generators).integers(0, 256, (*shape, dtype.itemsize), dtype=np.uint8)
    return (raw[..., 0] > 127) if dtype.kind == "b" else np.frombuffer(raw.tobytes(), dtype).reshape(shape)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, np.ndarray]:
    fields = [TABLE[name] for name in draw(st.lists(st.sampled_from(SMALL), max_size=3, unique=True))]
    return {f.name: draw(generators).integers(f.low, f.high, f.shape, endpoint=True).astype(f.dtype) for f in fields}


some_rows = st.lists(st.integers(0, 255), max_size=3, unique=True)
driver_probes = st.builds(
    DriverProbe,
    st.lists(st.sampled_from(DRIVER_SIGNALS), min_size=1, unique=True),
    st.integers(0, 1),
    st.lists(st.integers(0, 127), max_size=3, unique=True),
    st.integers(1, 2**40),
)
sensor_probes = st.builds(
    SensorProbe, st.lists(st.sampled_from(SENSOR_SIGNALS), min_size=1, unique=True), st.integers(0, 1), some_rows, some_rows, st.integers(1, 2**40)
)  # fmt: skip


@st.composite
def records(draw: st.DrawFn) -> Record:
    source = st.sampled_from(SOURCES)
    ticks = st.lists(st.integers(0, DURATION - 1), max_size=3, unique=True).map(sorted)
    memory = st.sampled_from(["sram", "dram"])
    cadc = st.builds(CadcRecord, circuits, source, st.integers(1, 99), memory=memory)
    cadc |= st.builds(lambda c, s, t: CadcRecord(c, s, ticks=t), circuits, source, ticks)
    probe = st.builds(Probe, st.lists(st.sampled_from(PROBE_SIGNALS), min_size=1, unique=True), circuits, st.integers(1, 99))
    return Record(
        spikes=draw(circuits | st.just("all")),
        madc=draw(st.lists(st.builds(MadcChannel, st.integers(0, 511), source), max_size=2, unique=True)),
        cadc=draw(st.lists(cadc, max_size=2, unique_by=repr)),
        probe=draw(st.lists(probe, max_size=2)),
        driver_probe=draw(st.lists(driver_probes, max_size=2)),
        sensor_probe=draw(st.lists(sensor_probes, max_size=2)),
    )


@st.composite
def burst_records(draw: st.DrawFn) -> Record:
    several = st.builds(MadcBursts, circuits.filter(len), st.sampled_from(SOURCES), st.integers(0, 99))
    return Record(spikes=(), bursts=draw(st.lists(several, max_size=2, unique=True)))


def pairs(n: int, top: int) -> st.SearchStrategy[list[list[tuple[int, int]]]]:
    return st.lists(st.lists(st.tuples(st.integers(0, DURATION - 1), st.integers(0, top)), max_size=5), min_size=n, max_size=n)


@st.composite
def tasks(draw: st.DrawFn, name: str) -> PlasticityTask:
    rows = st.lists(st.integers(0, 255), max_size=3, unique=True)
    return PlasticityTask(
        name=name,
        kernel=draw(st.text(max_size=20)),
        language=draw(st.sampled_from(["cpp", "python"])),
        views=draw(st.lists(st.builds(PlasticityView, st.integers(0, 1), rows, rows), max_size=2)),
        neurons=draw(st.lists(st.builds(NeuronView, st.integers(0, 1), rows), max_size=2)),
        read_symbols=draw(st.lists(names, max_size=2)),
        start=draw(st.integers(0, 99)),
        observables=draw(st.dictionaries(names, st.builds(Observable, st.just("int8"), st.sampled_from(["synapse", "neuron", 7])), max_size=2)),
        symbols=draw(st.dictionaries(names, st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3), max_size=2)),
    )


@st.composite
def programs(draw: st.DrawFn) -> Program:
    moments = st.integers(0, DURATION) | st.sampled_from(["before", "after"])
    index = st.sampled_from([(), (3,), ((0, 512),), ((5, 6),)])
    write = st.builds(TimedWrite, at=moments, field=st.just("leak_v_leak"), index=index, value=st.integers(0, 1023), entry=st.none() | st.just(0))
    return Program(
        machine="brainscales2",
        config=draw(configs()),
        snippets=(Snippet(DURATION, draw(configs()), draw(st.none() | records())), *draw(st.lists(st.builds(Snippet, st.integers(1, 2**40)), max_size=2))),
        entries=Events.from_lists(draw(st.integers(1, 3).flatmap(lambda n: pairs(n, 65535)))),
        sequential=draw(st.booleans()),
        writes=draw(st.lists(write, max_size=2)),
        reads=[TimedRead(name=name, at=draw(moments), field="spike_counter", index=draw(index)) for name in draw(st.lists(names, max_size=2, unique=True))],
        record=draw(records()),
        plasticity=[draw(tasks(name)) for name in draw(st.lists(names, max_size=2, unique=True))],
        run_seed=draw(st.none() | st.tuples(seeds, seeds)),
        labels=draw(st.dictionaries(names, names, max_size=4)),
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    n = draw(st.integers(1, 3))
    spikes = Spikes.from_lists(draw(pairs(n, 511)), draw(st.sampled_from(["i2", "i4"])))
    some, probe = Events.from_lists(draw(pairs(n, 255))), draw(arrays((n, 2, 3, 2)))
    probe = probe.astype(np.float32) if probe.dtype != "f4" else probe
    inside = np.repeat(probe[..., np.newaxis], 3, axis=-1)
    source, counts = draw(st.sampled_from(SOURCES)), st.integers(0, 2**40)
    places, items = st.tuples(st.sampled_from(LOSS_REASONS), names), st.builds(CostItem, names, floats, st.just("s"), names)
    reads = {name: draw(arrays((n,)) | arrays((n, 600))) for name in draw(st.lists(names, max_size=3, unique=True))}
    return Recording(
        machine="brainscales2",
        duration=DURATION,
        spikes=spikes,
        madc=(Samples(source, 3, some.entry_ptr, some.tick, some.label),),
        bursts=(BurstSamples(source, (4, 2), some.entry_ptr, some.tick, np.stack([some.label, some.label], axis=1)),),
        cadc=(CadcSamples(source, (4, 2), some.entry_ptr, some.tick, np.stack([some.label, some.label], axis=1).astype(np.uint8)),),
        probe=(ProbeSamples(("v", "w"), ("V", draw(names)), (1, 7), np.arange(3), probe),),
        driver_probe=(DriverProbeSamples(("pulse", "u"), (draw(names), "V"), 1, (127, 0), np.arange(3), probe),) * draw(st.integers(0, 2)),
        sensor_probe=(SensorProbeSamples(("causal", "v_acausal"), ("LSB", "V"), 0, (5, 255), (0, 9, 1), np.arange(3), inside),),
        reads=reads,
        observables=draw(st.dictionaries(names, st.dictionaries(names, arrays(), max_size=2), max_size=2)),
        losses=Losses({"madc": draw(counts)}, draw(st.dictionaries(names, counts, max_size=2)), draw(st.dictionaries(places, counts))),
        cost=Cost(hardware_s=draw(floats), configuration_s=0.0, transfer_s=-0.0, energy_j=EnergyRange(0, 1), items=(draw(items),)),
        chip_ticks=draw(counts),
        provenance=Provenance(
            neckar="0",
            model_version="1",
            chip=draw(st.dictionaries(names, JSON, max_size=3)),
            effects={},
            instruments="open",
            run_seed=draw(st.tuples(seeds, seeds)),
            step_ticks=(250, 12.5),
            active_circuits=draw(circuits),
            calibration=draw(st.none() | names),
            environment=draw(st.dictionaries(names, names, max_size=2)),
        ),
        wall={"run": 0.25},
    )


@pytest.fixture(scope="module")
def program() -> Program:
    codes = np.random.default_rng(1).integers(0, 64, (2, 256, 256), np.uint8)
    return Program(machine="brainscales2", snippets=(Snippet(DURATION),), config={"synapse_weight": codes}, entries=Events.from_lists([[(1, 2)], [(3, 4)]]))


@pytest.fixture(scope="module")
def data(program: Program) -> bytes:
    return dumps(program=program)


# the round trip

few = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@few
@given(programs())
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast", "ignore:overflow encountered in cast")
def test_the_round_trip_of_a_program_is_exact(program: Program) -> None:
    assert loads(dumps(program=program)) == Contents(program=program)


@few
@given(burst_records())
def test_the_round_trip_of_bursts_is_exact(record: Record) -> None:
    program = Program(machine="brainscales2", snippets=(Snippet(DURATION, record=record), Snippet(5)), record=Record(spikes=()))
    again = loads(dumps(program=program)).program
    assert again == program
    assert again is not None
    assert again.bursts == record.bursts


@few
@given(recordings())
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:Casting complex values")
def test_the_round_trip_of_a_recording_is_exact(recording: Recording) -> None:
    again = loads(dumps(recording=recording)).recording
    assert again == recording
    assert again is not None
    assert again.wall == recording.wall


def test_the_round_trip_of_a_state_is_exact() -> None:
    analog = {"v": np.full((1, 1, 3, 4), np.nan, np.float32)}
    state = MachineState(machine="brainscales2", registers={"leak_v_leak": np.arange(512, dtype=np.uint16)}, analog=analog, runs=3)
    assert loads(dumps(state=state)).state == state


def test_a_file_holds_program_recording_and_state_together(program: Program, tmp_path: Path) -> None:
    state = MachineState(machine="brainscales2")
    save(tmp_path / "run.h5", program=program, state=state)
    assert load(tmp_path / "run.h5") == Contents(program=program, state=state)
    assert load(str(tmp_path / "run.h5")).recording is None


def test_equal_programs_have_equal_bytes(program: Program, data: bytes) -> None:
    assert dumps(program=dataclasses.replace(program)) == data


def test_file_and_bytes_are_the_same(program: Program, data: bytes, tmp_path: Path) -> None:
    save(tmp_path / "a.h5", program=program)
    assert (tmp_path / "a.h5").read_bytes() == data


def test_arrays_that_were_read_are_read_only(data: bytes) -> None:
    program = loads(data).program
    assert program is not None
    assert not program.config["synapse_weight"].flags.writeable
    assert not program.entries.tick.flags.writeable


def test_an_empty_file_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least one of program, recording, state"):
        save(tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_long_texts_fit_into_a_file(program: Program) -> None:
    long = dataclasses.replace(program, labels={"table": "µ" * 200_000})
    assert loads(dumps(program=long)).program == long


def test_stock_hdf5_tools_read_the_file(program: Program, tmp_path: Path) -> None:
    save(tmp_path / "a.h5", program=program)
    with h5py.File(tmp_path / "a.h5", "r") as file:
        assert file.attrs["format"] == "neckar"
        assert file.attrs["schema_version"] == SCHEMA_VERSION
        weights = file["program/config/synapse_weight"]
        assert (weights.compression, weights.compression_opts) == ("gzip", 1)
        assert np.array_equal(weights[()], program.config["synapse_weight"])
        assert file["program/entries/tick"].compression is None
        assert file["program/snippets/0"].attrs["duration"] == DURATION


def test_the_page_of_the_data_model_names_the_version_of_the_schema() -> None:
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "data-model.md").read_text(encoding="utf-8")
    assert re.findall(r"^\*\*Schema version: (\d+)\*\*$", page, re.MULTILINE) == [str(SCHEMA_VERSION)]


# damage


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_flipped_byte_is_recognised_wherever_it_lies(data: bytes, choice: st.DataObject) -> None:
    position = choice.draw(st.integers(0, len(data) - 1) | st.integers(0, 600))
    damaged = bytearray(data)
    damaged[position] ^= choice.draw(st.integers(1, 255))
    with pytest.raises(FileFormatError, match=r"damaged|cut short|no Neckar file") as caught:
        loads(bytes(damaged))
    if position >= len(b"neckar sha256:"):
        assert type(caught.value) is CorruptFileError


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_file_cut_short_is_recognised_wherever_it_ends(data: bytes, choice: st.DataObject) -> None:
    length = choice.draw(st.integers(1, len(data) - 1) | st.integers(1, 600))
    with pytest.raises(CorruptFileError, match=f"cut short: {length} of") as caught:
        loads(data[:length])
    assert "again." in str(caught.value)


def test_bytes_behind_the_end_are_recognised(data: bytes) -> None:
    with pytest.raises(CorruptFileError, match="damaged"):
        loads(data + b"\0")


def test_damaged_bytes_never_reach_the_hdf5_library(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h5py, "File", None)
    with pytest.raises(CorruptFileError, match="damaged"):
        loads(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])


@pytest.mark.parametrize("start", [b"", b"\0" * 512])
def test_a_half_written_file_is_recognised(data: bytes, start: bytes) -> None:
    with pytest.raises(CorruptFileError, match="incomplete: it has no seal, so its writer did not finish"):
        loads(start + data[512:] if start else start)


@pytest.mark.parametrize("text", [b"\x89HDF\r\n\x1a\n" + b"\0" * 600, b"hello", b"neckar and other rivers"])
def test_other_files_are_no_neckar_files(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(text)
    with pytest.raises(FileFormatError, match=r"other' is no Neckar file.*neckar\.program\.save"):
        load(tmp_path / "other")


def test_a_folder_is_no_neckar_file(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="is a folder; allowed is a file"):
        load(tmp_path)


def test_a_change_through_other_tools_is_recognised(program: Program, tmp_path: Path) -> None:
    save(tmp_path / "a.h5", program=program)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["program/entries/tick"][0] = 0
    with pytest.raises(CorruptFileError, match=r"a\.h5' is damaged"):
        load(tmp_path / "a.h5")


def test_a_newer_schema_is_refused_and_both_versions_are_named(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(_file, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        newer = dumps(program=program)
    with pytest.raises(SchemaVersionError, match=f"schema version {SCHEMA_VERSION + 1}; .* up to {SCHEMA_VERSION}. Install a newer Neckar"):
        loads(newer)


def test_a_stranger_inside_a_sealed_file_is_recognised(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    from neckar.program import _codec

    data = dumps(program=program)
    monkeypatch.delitem(_codec._TYPES, "Snippet")
    with pytest.raises(CorruptFileError, match="/program/snippets/0 of the file holds no Snippet of this schema"):
        loads(data)


# writing is atomic


@pytest.mark.parametrize("step", ["write", "_seal"])
def test_a_failed_write_leaves_the_old_file_and_no_other(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    save(tmp_path / "a.h5", program=program)

    def fail(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(_file, step, fail)
    with pytest.raises(OSError, match="disk full"):
        save(tmp_path / "a.h5", program=dataclasses.replace(program, sequential=True))
    monkeypatch.undo()
    assert load(tmp_path / "a.h5").program == program
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_saving_replaces_an_older_file(program: Program, tmp_path: Path) -> None:
    newer = dataclasses.replace(program, sequential=True)
    save(tmp_path / "a.h5", program=program)
    save(tmp_path / "a.h5", program=newer)
    assert load(tmp_path / "a.h5").program == newer
