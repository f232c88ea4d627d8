"""What an experiment takes on BrainScaleS-2 besides its own duration: margins, settling, rates of the links. Powers stand in :mod:`neckar.facts.brainscales2`.

The software of the real system (repository grenade of electronicvisions) determines most of these numbers; other software on the same chip may be quicker.
"""

from __future__ import annotations

from neckar.facts._fact import Fact

_EXECUTOR = "grenade, realtime executor"

MARGIN_BEFORE = Fact(1e-6, "s", _EXECUTOR, "of each entry")
MARGIN_AFTER = Fact(1e-6, "s", _EXECUTOR, "of each entry")
RESET_LEAD = Fact(4e-6, "s", _EXECUTOR, "the neuron reset happens this long before tick 0")

CAPMEM_SETTLING_WHOLE = Fact(100e-3, "s", "grenade, initial configuration", "all analog parameter cells written")
CAPMEM_SETTLING_PART = Fact(20e-3, "s", "calix, between two steps of a calibration", "some analog parameter cells written")

MADC_ARM = Fact(1e-3, "s", "grenade, generator/madc.cpp", "wait after the MADC has been woken, once per program that records with it")

REGISTER_ACCESS = Fact(8e-9, "s", "our estimate", "one access per FPGA cycle and code; containers hold several codes, so this is an upper bound")
FPGA_TO_CHIP_EVENT = Fact(8e-9, "s", "haldls vx/event.h", "one instruction per FPGA cycle; up to three events share one, so this is an upper bound")
CHIP_TO_FPGA_EVENT = Fact(4e-9, "s", "our estimate", "spikes and MADC samples share links that pass at most one per event clock cycle")
