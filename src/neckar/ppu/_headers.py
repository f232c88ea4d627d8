"""Where the headers of kernels lie, and what the function of a kernel is called in its text."""

from pathlib import Path

INCLUDE = Path(__file__).parent / "include"
TOKEN = "PLASTICITY_RULE_KERNEL"
