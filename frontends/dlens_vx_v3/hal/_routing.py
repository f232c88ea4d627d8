"""Crossbar and background sources."""

from __future__ import annotations

from typing import ClassVar

from dlens_vx_v3._container import Container
from dlens_vx_v3._member import code, switch
from dlens_vx_v3._values import ranged, ranged_of
from dlens_vx_v3.halco import (
    BackgroundSpikeSourceOnDLS,
    CrossbarInputOnDLS,
    CrossbarL2OutputOnDLS,
    CrossbarNodeOnDLS,
    CrossbarOutputConfigOnDLS,
    CrossbarOutputOnDLS,
    NeuronLabel,
)


class CrossbarNode(Container, at=CrossbarNodeOnDLS):
    """A node of the crossbar; it passes an event if (label & mask) == target."""

    drop_all: ClassVar[CrossbarNode]

    mask = code(NeuronLabel, "crossbar_mask")
    target = code(NeuronLabel, "crossbar_target")
    enable_drop_counter = switch("crossbar_enable_drop_counter", 0)


CrossbarNode.drop_all = CrossbarNode(target=1)


class CrossbarOutputConfig(Container, at=CrossbarOutputConfigOnDLS):
    """The outputs of the crossbar."""

    enable_event_counter = switch("crossbar_enable_event_counter", 0, CrossbarOutputOnDLS)
    enable_slow = switch("", 0, CrossbarL2OutputOnDLS)


class CrossbarOutputEventCounter(Container, at=CrossbarOutputOnDLS):
    """Events that left an output of the crossbar, modulo 2^24."""

    Value = ranged("Value", 2**24 - 1)

    value = code(Value, "crossbar_event_counter")


class CrossbarInputDropCounter(Container, at=CrossbarInputOnDLS):
    """Events of an input that passed a node and found the queue of its output full, modulo 2^16, at all nodes that enable the counter."""

    Value = ranged("Value", 2**16 - 1)

    value = code(Value, "crossbar_drop_counter")


class BackgroundSpikeSource(Container, at=BackgroundSpikeSourceOnDLS):
    """A generator of regular or Poisson distributed events."""

    Period = ranged_of("Period", "background_period")
    Rate = ranged_of("Rate", "background_rate")
    Seed = ranged_of("Seed", "background_seed")
    Mask = ranged_of("Mask", "background_mask")

    enable = switch("background_enable")
    enable_random = switch("background_enable_random")
    period = code(Period, "background_period")
    rate = code(Rate, "background_rate")
    seed = code(Seed, "background_seed")
    mask = code(Mask, "background_mask")
    neuron_label = code(NeuronLabel, "background_label")
