"""How the 16 bits of an event label are read on BrainScaleS-2, and where events enter and leave the crossbar.

From the lowest bit: the label that synapses compare, the row select that drivers compare; the crossbar sees both and the bits up to 13, and the two
highest bits select the channel from the FPGA. Source: halco hicann-dls/vx ``event.h``, haldls ``routing_crossbar.h``, ``synapse_driver.h``, ``neuron.h``.
"""

from __future__ import annotations

LABEL_SYNAPSE_BITS = 6
LABEL_SYNAPSE_MASK = (1 << LABEL_SYNAPSE_BITS) - 1
LABEL_SYNAPSE_TOP_BIT = 1 << (LABEL_SYNAPSE_BITS - 1)
"""What is left of the label if a driver does not forward it."""

LABEL_SELECT_SHIFT = LABEL_SYNAPSE_BITS
LABEL_SELECT_BITS = 5
LABEL_SELECT_MASK = (1 << LABEL_SELECT_BITS) - 1

LABEL_CHANNEL_SHIFT = 14
LABEL_CROSSBAR_MASK = (1 << LABEL_CHANNEL_SHIFT) - 1

NEURON_OUTPUT_SHIFT = 8
"""Labels of neurons: eight bits that each neuron sets, above them the number of its event output."""

CROSSBAR_FPGA_INPUT = 8
"""Crossbar input of the FPGA's channel 0."""

CROSSBAR_BACKGROUND_INPUT = 12
"""Crossbar input of the background generator 0."""

CROSSBAR_FPGA_OUTPUT = 8
"""First crossbar output to the FPGA."""
