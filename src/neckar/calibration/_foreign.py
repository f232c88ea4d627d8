"""Where a calibration that is loaded comes from is said: which method made it, for which chip. On the wrong chip it loads, it runs, and it is worse."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neckar.chip.effects import Effects
    from neckar.chip.specimen import Specimen
    from neckar.lab import Lab


_log = logging.getLogger("neckar.calibration.loaded")

_BY = {"oracle": "by oracle (the model inverted)", "measurement": "by measurement"}


def is_for(provenance: Mapping[str, str], specimen: Specimen, effects: Effects) -> bool:
    """Return whether a calibration was made for a chip: its mismatch, with its overrides, or for a chip without; age and noise are not judged."""
    made_with = _made_with_mismatch(provenance)
    made_for = (provenance.get("chip_seed"), provenance.get("overrides", "") if made_with else "", made_with)
    return made_for == (str(specimen.seed), specimen.overrides_digest if effects.mismatch else "", effects.mismatch)


def made_by(provenance: Mapping[str, str]) -> str:
    """Return who made a calibration, in words for titles and logs."""
    return _BY.get(provenance.get("method", ""), "by an unknown method")


class ForeignCalibrationWarning(UserWarning):
    """A calibration was made for another virtual chip than the one it is loaded for."""


def tell_origin(provenance: Mapping[str, str], lab: Lab, source: str, *, stacklevel: int = 3) -> None:
    """Log who made a calibration that is loaded, and warn if it was for another chip than the lab's; configurations that are no calibration are not judged.

    The logger is ``neckar.calibration.loaded``; ``neckar run`` prints what it says. `stacklevel` names the caller to whom the warning points, as in
    :func:`warnings.warn`.
    """
    if "chip_seed" not in provenance:
        return
    _log.info("%s is a calibration of the virtual chip %s %s", source, provenance.get("chip", "?"), made_by(provenance))
    chips = other_chip(provenance, lab)
    if chips is not None:
        warnings.warn(
            f"{source} was made for {chips[0]}; this lab has {chips[1]}. "
            "Expect worse results, or load the calibration of this chip (pynn.helper.nightly_calib_path).",
            ForeignCalibrationWarning,
            stacklevel=stacklevel,
        )


def other_chip(provenance: Mapping[str, str], lab: Lab) -> tuple[str, str] | None:
    """Return in words which chip a calibration was made for and which one a lab has, or None if they are the same; their ages are not compared.

    A calibration that does not say its chip counts as one of the lab's.
    """
    if "chip_seed" not in provenance or is_for(provenance, lab.specimen, lab.effects):
        return None
    made_with, words = _made_with_mismatch(provenance), {True: "with", False: "without"}
    return f"the virtual chip {provenance.get('chip', '?')} {words[made_with]} mismatch", f"{lab.specimen.id} {words[lab.effects.mismatch]} mismatch"


def _made_with_mismatch(provenance: Mapping[str, str]) -> bool:
    return bool(json.loads(provenance.get("effects", "{}")).get("mismatch", True))
