"""Upstream's other import names for parts of this package: the one list, and what each of their modules does with it.

Upstream builds one package per library; `dlens_vx_v3` collects them. Here it is the other way round: each of the packages below is a module of two
lines that hands on names of `dlens_vx_v3`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from dlens_vx_v3._genuine import refuse_shadowing

SIBLINGS: Mapping[str, str] = MappingProxyType(
    {
        "pyhalco_hicann_dls_vx_v3": "halco",
        "pyhalco_common": "halco.common",
        "pyhaldls_vx_v3": "hal",
        "pylola_vx_v3": "lola",
        "pystadls_vx_v3": "sta",
        "pyhxcomm_vx": "hxcomm",
        "pygrenade_vx": "grenade",
        "pygrenade_common": "grenade_common",
        "pylogging": "logger",
    }
)
"""Module of `dlens_vx_v3` whose public names each sibling re-exports."""

FRONT_ENDS = ("calix", "dlens_vx_v3", "pyccalix", "pynn_brainscales", *SIBLINGS)
"""Every import name of the real platform that Neckar's wheel installs."""


def fill(sibling: dict[str, Any]) -> None:
    """Fill a sibling's namespace with the names it re-exports.

    Raises
    ------
    ShadowedInstallationError
        If the genuine package of this name is installed, too.
    """
    name = sibling["__name__"]
    refuse_shadowing(name, sibling["__file__"])
    source = importlib.import_module(f"dlens_vx_v3.{SIBLINGS[name]}")
    names = list(source.__all__)
    sibling.update({public: getattr(source, public) for public in names}, __all__=names)
