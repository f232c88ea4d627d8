"""Rules in Python: what they may say, what numpy makes of them, and that the kernels that they generate give the same bits."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, note, reject, settings
from hypothesis import strategies as st
from rule_bench import RandomRule, check_equal, plans

from neckar.errors import KernelMemoryError

QUIET = {"deadline": None, "derandomize": True, "phases": (Phase.explicit, Phase.generate), "suppress_health_check": list(HealthCheck)}


@settings(max_examples=3, **QUIET)
@given(plan=plans, seed=st.integers(0, 2**32), mode=st.sampled_from(["instant", "timed"]))
def test_a_random_rule_gives_the_bits_of_its_kernel(plan, seed, mode) -> None:
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")
    rule = RandomRule(plan)
    note(rule.generate_kernel())
    try:
        check_equal(rule, seed, mode=mode)
    except KernelMemoryError:  # too many different constants for 12 KiB
        reject()
