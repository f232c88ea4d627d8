"""Each experiment of this folder has a lab of its own, and calibrations that this version made: what it measures depends on nothing before it."""

from collections.abc import Iterator

import pytest

import neckar
from neckar.calibration.store import ENVIRONMENT


@pytest.fixture(scope="session")
def _calibrations(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("calibrations"))


@pytest.fixture(autouse=True)
def _lab(monkeypatch: pytest.MonkeyPatch, _calibrations: str) -> Iterator[None]:
    monkeypatch.setenv(ENVIRONMENT, _calibrations)
    with neckar.Lab():
        yield
