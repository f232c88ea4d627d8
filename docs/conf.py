"""Sphinx configuration: Markdown pages, collected by folder."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

project = "Neckar"
author = "the Neckar authors"
release = version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist", "dollarmath", "substitution"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_static"]
html_theme = "furo"
html_title = "Neckar"


def _gallery() -> str:
    """List the scripts of examples/ with the first line of what each says about itself."""
    lines = []
    for script in sorted((ROOT / "examples").rglob("*.py")):
        told = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
        if told:
            lines.append(f"- `{script.relative_to(ROOT).as_posix()}`: {told.splitlines()[0]}")
    return "\n".join(lines) or "*No scripts yet.*"


myst_substitutions = {"gallery": _gallery()}
