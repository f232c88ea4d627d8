"""Laws of ChipConfig: defaults, checked writes, independence of copies, deltas."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neckar.chip import ChipConfig
from neckar.errors import ConfigurationError, ParameterRangeError, UnknownNameError
from neckar.facts import registers

FIELDS = {name: register for name, register in registers("brainscales2").items() if not register.counter}
NAMES = st.sampled_from(sorted(FIELDS))


@st.composite
def deltas(draw):
    """A mapping of a few fields to random codes in range."""
    names = draw(st.lists(NAMES, max_size=4, unique=True))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return {name: rng.integers(FIELDS[name].low, FIELDS[name].high, FIELDS[name].shape, endpoint=True).astype(FIELDS[name].dtype) for name in names}


def test_default_holds_the_table():
    config = ChipConfig.default()
    assert list(config) == list(FIELDS)
    assert len(config) == len(FIELDS)
    assert config == ChipConfig()
    for name, register in FIELDS.items():
        assert name in config
        assert config[name].dtype == register.dtype
        np.testing.assert_array_equal(config[name], register.default_array())
        np.testing.assert_array_equal(getattr(config, name), config[name])


def test_fields_are_aligned_to_cache_lines():
    config = ChipConfig()
    assert all(config[name].ctypes.data % 64 == 0 for name in FIELDS)


@settings(max_examples=30, deadline=None)
@given(deltas(), deltas())
def test_delta_from_leads_from_one_configuration_to_the_other(first, second):
    a, b = ChipConfig(first), ChipConfig(second)
    delta = a.delta_from(b)
    assert b.updated(delta) == a
    assert set(delta) <= set(first) | set(second)
    assert (delta == {}) == (a == b)
    for name, codes in first.items():
        np.testing.assert_array_equal(a[name], codes)


@settings(max_examples=30, deadline=None)
@given(deltas())
def test_copies_are_independent_and_equal(delta):
    original = ChipConfig(delta)
    for twin in (original.copy(), copy.copy(original), copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
        assert twin == original
        twin.leak_v_leak = 1022 - original.leak_v_leak.astype(int) % 1000
        assert twin != original
        assert set(twin.delta_from(original)) == {"leak_v_leak"}
    assert original == ChipConfig(delta)


def test_mapping_is_a_complete_snapshot():
    config = ChipConfig()
    mapping = config.as_mapping()
    config.leak_v_leak = 700
    assert set(mapping) == set(FIELDS)
    assert (mapping["leak_v_leak"] == 0).all()
    assert ChipConfig(mapping) == ChipConfig()
    with pytest.raises(ValueError, match="read-only"):
        mapping["leak_v_leak"][0] = 1


def test_views_are_read_only_and_follow_writes():
    config = ChipConfig()
    view = config.synapse_weight
    config["synapse_weight", 1, 2:4, 3] = 63
    assert view.sum() == 126
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1


def test_writes_broadcast_scalars():
    config = ChipConfig({"leak_v_leak": 700})
    assert (config.leak_v_leak == 700).all()
    config["leak_v_leak", [3, 5]] = 800
    assert np.flatnonzero(config.leak_v_leak == 800).tolist() == [3, 5]
    config.madc_sample_duration_adjust = 7
    assert config.madc_sample_duration_adjust == 7
    config.threshold_enable = np.arange(512) % 2
    assert config.threshold_enable.sum() == 256


def _set_item(key, codes):
    return lambda config: config.__setitem__(key, codes)


@pytest.mark.parametrize(
    ("write", "error", "text"),
    [
        (lambda config: setattr(config, "leak_v_leak", 1024), ParameterRangeError, r"leak_v_leak is 1024; allowed: 0 to 1023"),
        (_set_item(("leak_v_leak", 17), 5000), ParameterRangeError, r"leak_v_leak\[17\] is 5000;"),
        (_set_item(("synapse_weight", 1, slice(3, 5)), np.full((2, 256), 64)), ParameterRangeError, r"synapse_weight\[1, 3, 0\] is 64 \(511 more"),
        (_set_item(("leak_v_leak", 512), 1), ConfigurationError, "out of bounds"),
        (_set_item(("leak_v_leak", slice(3, 5)), [1, 2, 3]), ConfigurationError, "do not fit"),
        (_set_item("leak_v_leak", 7.5), ConfigurationError, "integers"),
        (_set_item("leak_v_leek", 7), UnknownNameError, "did you mean leak_v_leak"),
        (lambda config: setattr(config, "leak_v_leek", 7), UnknownNameError, "did you mean leak_v_leak"),
        (lambda config: config.leak_v_leek, UnknownNameError, "did you mean leak_v_leak"),
        (lambda config: config["spike_counter"], UnknownNameError, "counter"),
        (lambda config: config.apply({"leak_i_bias": 5, "leak_v_leak": 1024}), ParameterRangeError, "leak_v_leak"),
        (lambda config: config.apply({"leak_i_bias": 5, "nothing": 1}), UnknownNameError, "nothing"),
        (lambda config: config.updated({"leak_i_bias": np.zeros(3, int)}), ConfigurationError, "do not fit"),
    ],
)
def test_wrong_access_raises_and_writes_nothing(write, error, text):
    config = ChipConfig()
    with pytest.raises(error, match=text):
        write(config)
    assert config == ChipConfig()


def test_unknown_attribute_is_an_attribute_error():
    assert not hasattr(ChipConfig(), "leak")
    assert "leak_v_leak" in dir(ChipConfig())


def test_configuration_differs_from_other_types_and_is_not_hashable():
    assert ChipConfig() != {}
    with pytest.raises(TypeError):
        hash(ChipConfig())


def test_repr_names_what_differs():
    assert "leak_v_leak" in repr(ChipConfig({"leak_v_leak": 1}))


def test_import_is_light():
    code = "import sys, neckar.chip; print([m for m in ('numba', 'h5py', 'scipy', 'pyNN', 'torch') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
