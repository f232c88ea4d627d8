"""Connections: whose chip, which environment, how long."""

from __future__ import annotations

import numpy as np
import pytest

import neckar
from dlens_vx_v3 import hxcomm
from dlens_vx_v3.hxcomm import ConnectionStateError, choice
from neckar.errors import ConfigurationError, UnsupportedFeatureError
from neckar.program import Program, Snippet


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start from an environment that chooses nothing."""
    for name in hxcomm.CHOOSES_CONNECTION:
        monkeypatch.delenv(name, raising=False)


def test_a_connection_names_the_chip_of_the_lab() -> None:
    with neckar.Lab(chip=7) as lab, hxcomm.ManagedConnection() as connection:
        assert connection.get_unique_identifier() == [lab.specimen.id]
        assert connection.get_hwdb_entry() == [hxcomm.VirtualChipEntry(lab.specimen.id)]
        assert "virtual chip" in repr(connection)
        assert all("virtual chip" in text for text in connection.bitfile_info)
        assert connection.size() == 1
        assert connection.lab is lab


def test_registers_survive_in_a_connection_and_not_beyond_it() -> None:
    changed = Program(machine="brainscales2", config={"backend_clock_scale_fast": np.full(2, 3, np.uint8)}, snippets=[Snippet(500)])
    plain = Program(machine="brainscales2", snippets=[Snippet(500)])
    managed = hxcomm.ManagedConnection()
    with managed as connection:
        connection.session.run(changed)
        connection.session.run(plain)
        state = connection.session.state
        assert state is not None
        assert state.registers["backend_clock_scale_fast"].tolist() == [3, 3]
        with hxcomm.ManagedConnection() as other:
            assert other.session.state is None
    with managed as again:
        assert again.session.state is None


def test_a_closed_connection_says_so() -> None:
    with hxcomm.ManagedConnection() as connection:
        pass
    for use in (lambda: connection.session, connection.get_unique_identifier, connection.get_hwdb_entry):
        with pytest.raises(ConnectionStateError, match="closed connection"):
            use()
    assert "closed" in repr(connection)
    assert issubclass(ConnectionStateError, RuntimeError)


def test_a_connection_is_opened_once() -> None:
    managed = hxcomm.ManagedConnection(1)
    with managed, pytest.raises(ConnectionStateError, match="entered twice"):
        managed.__enter__()


def test_a_handle_is_not_made_by_hand() -> None:
    with pytest.raises(TypeError, match=r"with hxcomm\.ManagedConnection"):
        hxcomm.ConnectionHandle()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "virtual"),
        ({"SLURM_FPGA_IPS": "192.168.1.1"}, "virtual"),
        ({"FLANGE_SIMULATION_RCF_PORT": "1"}, "virtual"),
        ({"QUIGGELDY_IP": "host", "QUIGGELDY_PORT": "1"}, "virtual"),  # without QUIGGELDY_ENABLED they mean nothing
        ({"HXCOMM_ENABLE_ZERO_MOCK": "0"}, "virtual"),
        ({"HXCOMM_ENABLE_ZERO_MOCK": "1", "QUIGGELDY_ENABLED": "1", "SLURM_FPGA_IPS": "x"}, "zeromock"),
    ],
)
def test_the_first_variable_of_upstreams_order_decides(environment: dict[str, str], expected: str) -> None:
    assert choice(environment) == expected


def test_a_site_is_refused_with_the_variable_to_remove(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIGGELDY_ENABLED", "1")
    monkeypatch.setenv("SLURM_FPGA_IPS", "x")
    with pytest.raises(UnsupportedFeatureError, match="Remove the variable QUIGGELDY_ENABLED"), hxcomm.ManagedConnection():
        pass


def test_the_mock_has_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HXCOMM_ENABLE_ZERO_MOCK", "1")
    with hxcomm.ManagedConnection() as connection:
        assert connection.get_unique_identifier() == ["zeromock"]
        assert connection.get_hwdb_entry() == [hxcomm.ZeroMockEntry()]


@pytest.mark.parametrize("count", [0, -1])
def test_no_chip_is_no_connection(count: int) -> None:
    with pytest.raises(ConfigurationError, match="allowed is 1"):
        hxcomm.ManagedConnection(count)


def test_several_chips_are_refused() -> None:
    with pytest.raises(UnsupportedFeatureError, match=r"several neckar\.Lab blocks"):
        hxcomm.ManagedConnection(2)
