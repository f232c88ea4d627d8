"""The plasticity processors of BrainScaleS-2: clock, memory and what accesses to the chip cost.

Access costs are those that libnux's own timing test asserts; the rest is marked as our estimate.
"""

from __future__ import annotations

from neckar.facts._fact import Fact

_SPEED = "libnux, test_speed_memory.cpp"
_ESTIMATE = "our estimate"

TICKS_PER_CYCLE = 2
"""Ticks of 2 ns in one cycle of the processors (250 MHz)."""

REGISTER_CYCLES = Fact(20, "cycles", _SPEED, "weights, labels, resets of sensors and neurons, random numbers: one register of 128 columns, +-2")
CONVERSION_CYCLES = Fact(410, "cycles", _SPEED, "one row of the parallel converter, both registers, +-41")
BUS_CYCLES = Fact(250, "cycles", _ESTIMATE, "one register of the chip read or written; kernels of the pong demo allow 1 us per write and 15 us per read")
CYCLES_PER_INSTRUCTION = Fact(
    0.1,
    "cycles",
    _ESTIMATE,
    "of one instruction in the sandbox; eight of them do the work of one vector instruction. The learning kernel of the pong demo bounds it to 0.45",
)

MEMORY_BYTES = Fact(16384, "bytes", "grenade, ppu.h", "of each processor: data, stack, hot code and mailbox")
MAILBOX_BYTES = Fact(4096, "bytes", "grenade, ppu.h")
EXTERNAL_BYTES = Fact(128 << 10, "bytes", "libnux, elf32nux.x", "block RAM of the FPGA, which both processors see")
EXTERNAL_DRAM_BYTES = Fact(256 << 20, "bytes", "libnux, elf32nux.x", "DRAM of the FPGA, which both processors see")
QUEUE_LENGTH = Fact(32, "tasks", "grenade, ppu_program_generator.cpp", "waiting in the scheduler; more are dropped")
