"""Each experiment of this folder has a lab of its own: what it measures does not depend on the experiments before it."""

from collections.abc import Iterator

import pytest

import neckar


@pytest.fixture(autouse=True)
def _lab() -> Iterator[None]:
    with neckar.Lab():
        yield
