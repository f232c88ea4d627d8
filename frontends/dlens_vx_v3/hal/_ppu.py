"""Memory and registers of the plasticity processors: stored, until kernels run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dlens_vx_v3._container import Container, stored
from dlens_vx_v3._member import code
from dlens_vx_v3._values import ranged
from dlens_vx_v3.halco import (
    PPUControlRegisterOnDLS,
    PPUMemoryBlockOnDLS,
    PPUMemoryBlockSize,
    PPUMemoryOnDLS,
    PPUMemoryWordOnDLS,
    PPUMemoryWordOnPPU,
    PPUStatusRegisterOnDLS,
)
from dlens_vx_v3.halco._base import CoordinateTypeError, Ranged

_stored = partial(stored, __name__)


class PPUMemoryWord(Container, at=PPUMemoryWordOnDLS):
    """A word of 32 bits."""

    Value = ranged("Value", 2**32 - 1)

    value = code(Value)


class Block(Container):
    """A piece of memory: a list of words or bytes, as many as its size says."""

    element: Any
    size_type: type[Ranged]
    _words: NDArray[np.uint32]

    def __init__(self, size: Any = None, /) -> None:
        super().__init__()
        self.__dict__["_words"] = size._words.copy() if isinstance(size, Block) else np.zeros(int(self.size_type(size)), np.uint32)

    def _elements(self) -> list[Any]:
        return [self.element(int(word)) for word in self._words]

    def _replace(self, words: Iterable[Any]) -> None:
        given = [int(self.element(word).value) for word in words]
        if len(given) != len(self._words):
            raise CoordinateTypeError(f"{type(self).__name__} holds {len(self._words)} elements, got {len(given)}. Make one of that size.")
        self._words[:] = given

    def at(self, index: int) -> Any:
        """Return an element."""
        return self.element(int(self._words[index]))

    __getitem__ = at

    def __setitem__(self, index: int, word: Any) -> None:
        self._words[index] = int(self.element(word).value)

    def __len__(self) -> int:
        return len(self._words)

    def size(self) -> Any:
        """Return the number of elements."""
        return self.size_type(len(self._words))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._elements())

    def __eq__(self, other: object) -> bool:
        return np.array_equal(self._words, other._words) if isinstance(other, type(self)) else NotImplemented

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._words)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._words)} elements)"


def _rebuild(kind: type[Block], words: NDArray[np.uint32]) -> Block:
    block = kind(len(words))
    block._words[:] = words
    return block


class PPUMemoryBlock(Block, at=PPUMemoryBlockOnDLS):
    """A piece of the memory of a plasticity processor: ``PPUMemoryBlock(PPUMemoryBlockSize(3)).words[0]``."""

    element, size_type = PPUMemoryWord, PPUMemoryBlockSize

    @property
    def words(self) -> list[Any]:
        """A copy of the words; assign a list of the same length to set them."""
        return self._elements()

    @words.setter
    def words(self, words: Iterable[Any]) -> None:
        self._replace(words)

    def get_subblock(self, begin: int, size: int) -> Self:
        """Return `size` words from word `begin` on."""
        block = type(self)(size)
        block._words[:] = self._words[begin : begin + int(size)]
        return block


class PPUMemory(Container, at=PPUMemoryOnDLS):
    """The whole memory of a plasticity processor."""

    words = code(PPUMemoryWord.Value, "", 0, PPUMemoryWordOnPPU)


PPUControlRegister = _stored(
    "PPUControlRegister",
    PPUControlRegisterOnDLS,
    "Starts and stops a plasticity processor.",
    cache_controller_enable=bool,
    inhibit_reset=bool,
    force_clock_on=bool,
    force_clock_off=bool,
)
PPUStatusRegister = _stored("PPUStatusRegister", PPUStatusRegisterOnDLS, "Whether a plasticity processor sleeps.", sleep=(bool, 1))
