"""What all tests share: a cache of calibration files of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def calibration_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep calibration files that tests make out of the user's cache; processes that tests start inherit it."""
    before = os.environ.get("NECKAR_CALIBRATION_CACHE")
    os.environ["NECKAR_CALIBRATION_CACHE"] = str(tmp_path_factory.getbasetemp() / "calibration-cache")
    yield
    if before is None:
        del os.environ["NECKAR_CALIBRATION_CACHE"]
    else:
        os.environ["NECKAR_CALIBRATION_CACHE"] = before
