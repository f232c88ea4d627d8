"""The reference pages name exactly what the packages export, and every error."""

import importlib
import re
from pathlib import Path

import pytest

from neckar import errors

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = REFERENCE / "python_api.md"


def documented(package: str, page: Path = PAGE) -> list[str]:
    """Return the names in the first column of the table under a package's heading."""
    section = re.search(rf"^## {re.escape(package)}$(.*?)(?=^## |\Z)", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert section is not None, f"{page.name} has no heading for {package}"
    return re.findall(r"^\| `(\w+)` \|", section[1], re.MULTILINE)


@pytest.mark.parametrize("package", ["neckar", "neckar.program", "neckar.lab", "neckar.network", "neckar.calibration", "neckar.chip", "neckar.ppu"])
def test_the_page_names_what_is_exported(package):
    exported = importlib.import_module(package).__all__
    names = documented(package)
    assert sorted(names) == sorted(exported)


@pytest.mark.parametrize(
    "module",
    ["", ".standardmodels.cells", ".standardmodels.synapses", ".populations", ".projections", ".plasticity_rules", ".morphology", ".utils.chip_plotter"],
)
def test_the_page_of_pynn_names_what_its_modules_export(module):
    name = f"pynn_brainscales.brainscales2{module}"
    assert sorted(documented(name, REFERENCE / "pynn.md")) == sorted(importlib.import_module(name).__all__)


@pytest.mark.parametrize("package", ["neckar", "neckar.program", "neckar.lab", "neckar.network", "neckar.calibration", "neckar.chip", "neckar.ppu"])
def test_what_is_exported_exists(package):
    module = importlib.import_module(package)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_the_page_of_errors_names_all_of_them():
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.NeckarError)}
    assert defined <= set(re.findall(r"\w+", (REFERENCE / "errors.md").read_text(encoding="utf-8")))
