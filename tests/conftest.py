"""What all tests share: caches of calibration files and compiled kernels of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from neckar.lab import _lab


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


@pytest.fixture(scope="session", autouse=True)
def kernel_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep kernels that tests compile out of the user's cache, unless the environment names one."""
    with pytest.MonkeyPatch.context() as patch:
        if "NECKAR_PPU_CACHE" not in os.environ:
            patch.setenv("NECKAR_PPU_CACHE", str(tmp_path_factory.getbasetemp() / "kernels"))
        yield


@pytest.fixture(autouse=True)
def outermost_lab() -> Iterator[None]:
    """Number the runs of each test from zero, so that its random numbers depend on no test before it."""
    _lab._outermost = None
    yield
    _lab._outermost = None  # what is set up for the next module's tests numbers its runs from zero, too
