"""Containers of whole circuits and of the chip, under upstream's names."""

from __future__ import annotations

from typing import Any

from dlens_vx_v3._container import Container, containers_of
from dlens_vx_v3._json import from_json, to_json
from dlens_vx_v3._missing import unknown
from dlens_vx_v3.lola import _blocks, _chip, _morphology, _neuron, _synapse

_CONTAINERS: dict[str, Any] = {"Morphology": _morphology.Morphology, **containers_of(_blocks, _chip, _morphology, _neuron, _synapse)}

_CONTAINERS["containers"] = [kind for kind in _CONTAINERS.values() if isinstance(kind, type) and issubclass(kind, Container) and kind is not Container]
_CONTAINERS.update(to_json=to_json, from_json=from_json)

__all__ = sorted(_CONTAINERS)


def __getattr__(name: str) -> Any:
    if name in _CONTAINERS:
        return _CONTAINERS[name]
    raise unknown("lola", name, _CONTAINERS)


def __dir__() -> list[str]:
    return list(__all__)
