"""Fixtures of the PyNN tests: an experiment on a lab without a machine."""

from __future__ import annotations

import pytest
from fake_session import FakeLab


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    """Return the lab in which the front end runs; nothing is set up."""
    from pynn_brainscales.brainscales2 import simulator

    fake = FakeLab()
    monkeypatch.setattr(simulator, "current_lab", lambda: fake)
    monkeypatch.setattr(simulator, "state", None)
    return fake


@pytest.fixture
def experiment(lab: FakeLab) -> None:
    """Set up PyNN in that lab."""
    import pynn_brainscales.brainscales2 as pynn

    pynn.setup()
