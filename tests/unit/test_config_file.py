"""The configuration file: the round trip is exact, damage is recognised, and what is foreign is named."""

from __future__ import annotations

import gzip
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neckar.chip.config import ChipConfig
from neckar.chip.config_file import VERSION, dumps, dumps_text, loads, loads_partial
from neckar.errors import ConfigurationError, CorruptFileError, FileFormatError, ParameterRangeError, SchemaVersionError, UnknownNameError
from neckar.facts import registers
from neckar.program import Program, Snippet
from neckar.program import dumps as dump_program

TABLE = {name: register for name, register in registers("brainscales2").items() if not register.counter}
SMALL = [name for name, register in TABLE.items() if register.size <= 512]
EXAMPLE = {"leak_v_leak": np.arange(512), "syn_i_bias_dac": np.array([600, 610, 590, 605]), "synapse_weight": np.zeros((2, 256, 256), np.uint8)}


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, np.ndarray]:
    fields = [TABLE[name] for name in draw(st.lists(st.sampled_from(SMALL), max_size=4, unique=True))]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return {f.name: rng.integers(f.low, f.high, f.shape, endpoint=True).astype(f.dtype) for f in fields}


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) and one[name].dtype == other[name].dtype for name in one)


@given(fields=configurations(), provenance=st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3), write=st.sampled_from([dumps, dumps_text]))
@settings(max_examples=60, deadline=None)
def test_the_round_trip_is_exact(fields, provenance, write):
    again, origin = loads(write(fields, provenance))
    assert same(again, fields)
    assert origin == provenance


def test_a_whole_chip_round_trips():
    config = ChipConfig(EXAMPLE)
    fields, _ = loads(dumps(config))
    assert ChipConfig(fields) == config
    assert len(dumps(config)) < 30_000


def test_fields_come_back_read_only():
    fields, _ = loads(dumps(EXAMPLE))
    for array in fields.values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_equal_contents_give_equal_bytes():
    reordered = dict(reversed(EXAMPLE.items()))
    assert dumps(EXAMPLE, {"chip": "x"}) == dumps(reordered, {"chip": "x"})
    assert dumps_text(EXAMPLE) == dumps_text(reordered)


@pytest.mark.parametrize("write", [dumps, dumps_text])
def test_a_partial_file_says_which_elements_it_knows(write):
    mask = np.arange(512) % 3 == 0
    data = write({"reset_v_reset": np.arange(512), "leak_v_leak": np.full(512, 7)}, {}, {"reset_v_reset": mask})
    contents = loads_partial(data)
    assert np.array_equal(contents.masks["reset_v_reset"], mask)
    assert set(contents.masks) == {"reset_v_reset"}
    assert np.array_equal(contents.fields["reset_v_reset"], np.where(mask, np.arange(512), TABLE["reset_v_reset"].default))
    assert np.array_equal(loads(data)[0]["reset_v_reset"], contents.fields["reset_v_reset"])


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=200, deadline=None)
def test_every_flipped_bit_is_noticed(where, bit):
    data = bytearray(dumps(EXAMPLE, {"chip": "x"}))
    data[int(where * len(data))] ^= 1 << bit
    with pytest.raises(FileFormatError, match=r"^file 'a\.pbin' "):
        loads(bytes(data), "file 'a.pbin'")


@pytest.mark.parametrize("write", [dumps, dumps_text])
def test_every_cut_is_noticed(write):
    data = write(EXAMPLE, {"chip": "x"})
    for end in {*range(0, len(data), 37), *range(40), len(data) - 1}:
        with pytest.raises((CorruptFileError, FileFormatError)):
            loads(data[:end])


def test_a_cut_is_named_with_its_size():
    data = dumps(EXAMPLE)
    with pytest.raises(CorruptFileError, match=rf"cut short: 200 of {len(data)} bytes"):
        loads(data[:200], "file 'a.pbin'")
    with pytest.raises(CorruptFileError, match="is empty"):
        loads(b"")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pickle.dumps([1, 2]), "pickle"),
        (b"\x01\x02\x00\x00\x00\x00", "binary archive of the real platform"),
        (b'{"cocolist": []}', "JSON without compression"),
        (b"<html>404</html>", "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"hello", "starts with b'hello'"),
        (gzip.compress(json.dumps([{"value0": {}}]).encode(), mtime=0), "packed text, but no configuration"),
        (dump_program(program=Program(machine="brainscales2", config={}, snippets=(Snippet(10),))), "neckar.load"),
    ],
)
def test_a_foreign_file_is_named_as_what_it_is(data, words):
    with pytest.raises(FileFormatError, match=words) as caught:
        loads(data, "file 'spiking_cocolist.pbin'")
    assert type(caught.value) is FileFormatError


def test_a_newer_version_is_refused(monkeypatch):
    monkeypatch.setattr("neckar.chip.config_file.VERSION", VERSION + 1)
    newer = dumps(EXAMPLE), dumps_text(EXAMPLE)
    monkeypatch.undo()
    for data in newer:
        with pytest.raises(SchemaVersionError, match=f"version {VERSION + 1}"):
            loads(data)


def test_a_field_of_another_version_is_refused(monkeypatch):
    monkeypatch.setitem(__import__("neckar.chip.config_file", fromlist=["_FIELDS"])._FIELDS, "leak_v_leek", TABLE["leak_v_leak"])
    data = dumps({"leak_v_leek": np.arange(512)})
    monkeypatch.undo()
    with pytest.raises(SchemaVersionError, match=r"leak_v_leek.*did you mean leak_v_leak"):
        loads(data)


def test_an_edited_text_is_noticed():
    document = json.loads(gzip.decompress(dumps_text(EXAMPLE)))
    document["fields"]["leak_v_leak"][0] = 5
    with pytest.raises(CorruptFileError, match="edited"):
        loads(gzip.compress(json.dumps(document).encode()))


def test_nothing_wrong_is_written():
    with pytest.raises(UnknownNameError, match="leak_v_leak"):
        dumps({"leak_v_leek": np.arange(512)})
    with pytest.raises(ParameterRangeError, match=r"leak_v_leak\[0\]"):
        dumps({"leak_v_leak": np.full(512, 2000)})
    with pytest.raises(ConfigurationError, match="shape"):
        dumps({"leak_v_leak": np.arange(3)})
    with pytest.raises(ConfigurationError, match="mask"):
        dumps({}, {}, {"leak_v_leak": np.ones(512, bool)})
    with pytest.raises(ConfigurationError, match="mask"):
        dumps({"leak_v_leak": np.arange(512)}, {}, {"leak_v_leak": np.ones(3, bool)})
    with pytest.raises(ConfigurationError, match="provenance"):
        dumps({}, {"seed": 3})
