"""Modules that draw need matplotlib, which only the extra ``neckar[plot]`` installs."""

from __future__ import annotations

import importlib
from typing import Any

from neckar.errors import UnsupportedFeatureError


def drawing(module: str) -> Any:
    """Return a module of this package that draws; call it before anything is computed.

    Raises
    ------
    UnsupportedFeatureError
        If plots are not installed.
    """
    try:
        return importlib.import_module(f"neckar.cli.{module}")
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise UnsupportedFeatureError("a picture was asked for and matplotlib is not installed. Install it with: pip install 'neckar[plot]'") from None
