"""A calibration on the wrong chip: it loads, it runs, and it is worse. So it is said."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neckar.lab import Lab


class ForeignCalibrationWarning(UserWarning):
    """A calibration was made for another virtual chip than the one it is loaded for."""


def warn_if_foreign(provenance: Mapping[str, str], lab: Lab, source: str, *, stacklevel: int = 3) -> None:
    """Warn if a calibration with this provenance was made for another chip than the lab's; configurations that are no calibration are not judged.

    `stacklevel` names the caller to whom the warning points, as in :func:`warnings.warn`.
    """
    if "chip_seed" not in provenance:
        return
    made_with = json.loads(provenance.get("effects", "{}")).get("mismatch", True)
    made_for = (provenance["chip_seed"], provenance.get("overrides", "") if made_with else "", made_with)
    specimen, mismatch = lab.specimen, lab.effects.mismatch
    if made_for != (str(specimen.seed), specimen.overrides_digest if mismatch else "", mismatch):
        words = {True: "with", False: "without"}
        warnings.warn(
            f"{source} was made for the virtual chip {provenance.get('chip', '?')} {words[made_with]} mismatch; this lab has {specimen.id} {words[mismatch]} "
            "mismatch. Expect worse results, or load the calibration of this chip (pynn.helper.nightly_calib_path).",
            ForeignCalibrationWarning,
            stacklevel=stacklevel,
        )
