"""Which test files of pynn-brainscales run, and which of their tests are known to fail, with the reason."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_TEST = "pynn_brainscales2_test_"

FILES = (
    *(("sw", f"{_TEST}{name}") for name in ("backend_statistics", "helper", "multicompartment", "performance", "plasticity_rules")),
    *(("sw", f"{_TEST}{name}") for name in ("population", "projections", "setup", "spikesources")),
    *(("hw", f"{_TEST}{name}") for name in ("recording", "neuron_bypass_mode", "external_input", "poisson_input", "poisson_on_chip_input")),
    *(("hw", f"{_TEST}{name}") for name in ("initial_config", "empty", "leak_over_threshold", "static_recording_synapse", "internal_projections")),
    *(("hw", f"{_TEST}{name}") for name in ("pass_in_connection", "crossbar_event_counter_read", "multicompartment_hw", "isi_calib", "partitioning")),
    *(("hw", f"{_TEST}{name}") for name in ("spikeio", "calibhxneuron", "plasticity_rule")),
    ("hw", "test_single_neuron_demo"),
)
"""Folder and name."""

REGISTER_LEVEL = (
    *(("test", name) for name in ("pyhalco_test_hicann_dls_vx_v3", "pyhaldls_test_vx_v3", "pylola_test_vx_v3", "pystadls_pbgenerator_vx_v3")),
    ("tests", "dlens_swtest_vx_v3"),
)
"""Folder and name of files in halco and haldls; they run if there is a checkout of these."""

CALIX = tuple(
    ("py", f"test_{name}")
    for name in (
        *("algorithms", "boundary_check", "types", "calibration_cache", "connection_setup", "madc_characterization", "madc_recorder", "correlation"),
        *("hagen_multiplication", "hagen_input"),
    )
)
"""Folder and name of files in calix; they run if there is a checkout of it."""

_DEBUG_LINE = "reads the CADC on the debug line in playback programs; the calibration itself is checked by tests/unit/test_calix_measurement.py"
_PADI = "sends PADI events past the crossbar, which have no model at the register level"
_SEARCHES = "measures with the searches of single stages, which search by themselves here: docs/reference/calix.md"
_BELOW = "imports pyfisch, the library below, which does not exist here"
NOT_RUN = {
    "pystadls_hwtest_vx_v3": _BELOW,
    "pystadls_swtest_vx_v3": _BELOW,
    "dlens_hwtest_vx_v3": "runs pystadls_hwtest_vx_v3",
    "dlens_hwtest_with_ppu_vx_v3": "programs of the plasticity processors come later",
    "dlens_health_check_vx_v3": "checks the state of a real installation",
    **dict.fromkeys(("test_cadc_assignment", "test_cadc_calibration"), _DEBUG_LINE),
    **dict.fromkeys((f"test_neuron_{name}" for name in ("coba", "integration", "spiking", "threshold_calibration")), _PADI),
    **dict.fromkeys(("test_capacitance_measurement", "test_multicompartment", "test_neuron_distribution", "test_neuron_reference_madc"), _SEARCHES),
    "test_stp_calibration": "multiplies under short-term plasticity with a class that Neckar does not have: docs/reference/calix.md",
    "test_quiggeldy": "starts a server of the platform",
    "test_generic_algorithm_calibration": "runs every class of calix without a chip; in Neckar stages search by themselves",
    "test_refractory_period": "imports private functions; tests/unit/test_calix.py checks the same",
}
"""The other files, with the reason."""

_GENERATION = "asks for errors of a later generation of the API; the public notebooks need parameters before the network is mapped"
EXCEPTIONS: dict[str, dict[str, str]] = {
    "pylola_test_vx_v3": {"test_ppu_elf_file": "reads a program of the plasticity processors from a file; these come later"},
    "helper": {
        "test_nightly_chip_extraction": "opens a calibration of upstream's own site for a connection without a chip; a virtual chip has one, no chip has none"
    },
    "multicompartment": {"test_initial_config_access": _GENERATION},
    "population": {"test_initial_config_access": _GENERATION},
    "test_hagen_multiplication": {
        "test_01_multiplication": "whole vectors of large entries end at the converter's limit, where upstream tells them apart: lines do not saturate here"
    },
    "test_types": {"test_assignment": "asks for an error where quantities are assigned to one neuron; they are converted here"},
}
"""Tests that fail, by file: name of the test, reason."""


class Result(NamedTuple):
    """What a test file did.

    Attributes
    ----------
    number, skipped : int
        Tests that were collected, and those that skip themselves.
    failures : dict
        Text by name of the test.
    """

    number: int
    skipped: int
    failures: dict[str, str]


def read(report: Path, output: str) -> Result:
    """Read the report of pytest; without one, the whole file failed."""
    if not report.exists():
        return Result(0, 0, {"(the whole file)": output})
    cases = ElementTree.parse(report).findall(".//testcase")
    failures: dict[str, str] = {}
    for case in cases:
        for child in case:
            if child.tag in ("failure", "error"):
                failures[case.get("name") or "(import)"] = child.text or child.get("message", "")
    return Result(len(cases), sum(case.find("skipped") is not None for case in cases), failures)


def known(stem: str) -> dict[str, str]:
    """Return the tests of a file that are known to fail, with their reasons."""
    return EXCEPTIONS.get(stem.removeprefix(_TEST), {})


def judge(stem: str, result: Result) -> Iterator[tuple[str, str, str]]:
    """Yield (test, reason, verdict) of each failure, and of each exception that no longer is one."""
    for name in result.failures:
        yield (name, known(stem)[name], "known") if name in known(stem) else (name, "", "no")
    for name in known(stem):
        if name not in result.failures:
            yield name, "listed as an exception, and passes", "no"
