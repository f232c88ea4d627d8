"""The passport of a chip: from measurements of an unknown one to its twin, and how far that can be trusted.

A chip is described by what was measured on it (:class:`Characterisation`), by a script that runs on silicon as it does here. :func:`fit` finds the most
probable :class:`~neckar.chip.specimen.Specimen` given the measurements and the population, tests its predictions at settings that it has not seen, and says how
often its intervals hold. A :class:`~neckar.calibration.Calibration` alone, codes and targets without readings, is taken too (:func:`fit_calibration`).

    passport = fit(load("characterisation.npz"))
    save(passport.specimen, "twin.npz")            # neckar run --chip twin.npz script.py

Public: :func:`load`, :func:`fit`, :func:`load_calibration`, :func:`fit_calibration`, :class:`Passport`, :class:`Characterisation`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neckar.calibration.calibration import Calibration
from neckar.calibration.passport.characterisation import RECEPTORS, Characterisation, load
from neckar.calibration.passport.fidelity import DRAWS, Prediction, Row, predict, table
from neckar.calibration.passport.from_calibration import calibration_observations
from neckar.calibration.passport.observations import observations
from neckar.calibration.passport.posterior import Posterior, infer
from neckar.calibration.passport.replay import routed_synapses
from neckar.calibration.passport.unknowns import specimen_of, unknowns
from neckar.calibration.store import native_content
from neckar.chip.specimen import Specimen
from neckar.errors import ParameterRangeError

__all__ = ["DRAWS", "Characterisation", "Passport", "Prediction", "Row", "fit", "fit_calibration", "load", "load_calibration"]


@dataclass(frozen=True, eq=False)
class Passport:
    """A twin, and how far it can be trusted.

    Attributes
    ----------
    specimen : Specimen
        The most probable chip: every deviation is set, those that nothing was seen of to none.
    posterior : Posterior
        What is known about the unknowns.
    predictions : tuple of Prediction
        Settings that the fit has not seen; empty without checks.
    assumptions : tuple of str
        What was taken for granted because the file does not say it, in sentences.
    """

    specimen: Specimen
    posterior: Posterior
    predictions: tuple[Prediction, ...]
    assumptions: tuple[str, ...] = ()

    @property
    def fidelity(self) -> tuple[Row, ...]:
        """The fidelity table."""
        return table(self.predictions)


def fit(characterisation: Characterisation, draws: int = DRAWS, progress: Callable[[str], None] = lambda _: None) -> Passport:
    """Fit a twin to a chip.

    Parameters
    ----------
    characterisation : Characterisation
        Its checks are not looked at before the fit is done.
    draws : int
        Twins drawn from the posterior for the intervals, at least 2; 19 give 90 %.
    progress : callable
        Takes a sentence after each step.

    Returns
    -------
    Passport
        A function of the readings alone. About 15 s, and 0.5 s for each draw.

    Raises
    ------
    ParameterRangeError
        If there are fewer than 2 draws.
    """
    if draws < 2:
        raise ParameterRangeError(f"{draws} draws were asked for; allowed are 2 and more, of which the smallest and largest are the interval. Ask for 19.")
    seen = characterisation.fitted
    synapses, assumptions = dict(seen.synapses), []
    for receptor in RECEPTORS:
        if len(synapses[receptor].row) == 0:
            synapses[receptor] = routed_synapses(seen.sources, receptor)
            assumptions.append(
                f"Synapses of the {receptor} input are assumed where Neckar's own router puts them ({seen.placement.get(receptor, 'placement unknown')}). "
                "If they lay elsewhere, strengths of synapses and drivers belong to other rows."
            )
    seed = _seed(seen)
    found = unknowns(synapses)
    posterior = infer(found, observations(seen, synapses), seed, progress)
    twin = specimen_of(found, posterior.state, seed, f"twin-of-{seen.chip}", everything=True)
    predictions = predict(posterior, twin, characterisation.checks, seen.sources, draws, np.random.default_rng(seed), progress)
    return Passport(twin, posterior, predictions, tuple(assumptions))


def fit_calibration(
    calibration: Calibration, checks: Characterisation | None = None, draws: int = DRAWS, progress: Callable[[str], None] = lambda _: None
) -> Passport:
    """Fit a twin to a calibration alone: codes at which the chip does what was asked.

    Parameters
    ----------
    calibration : Calibration
        Of a SpikingTarget or PotentialTarget.
    checks : Characterisation, optional
        Of the same chip; its checks test the predictions. Nothing else of it is looked at.
    draws, progress
        As of :func:`fit`.

    Returns
    -------
    Passport
        Much is left at the population: slopes of lines, the scale of voltages, currents, the MADC.
    """
    found = unknowns({})
    digest = hashlib.blake2b(b"".join(np.ascontiguousarray(array).tobytes() for _, array in sorted(calibration.fields.items())), digest_size=7)
    seed = 1 + int.from_bytes(digest.digest(), "little")
    posterior = infer(found, calibration_observations(calibration), seed, progress)
    twin = specimen_of(found, posterior.state, seed, f"twin-of-{calibration.provenance.get('chip', 'unknown')}", everything=True)
    if checks is None:
        return Passport(twin, posterior, ())
    return Passport(twin, posterior, predict(posterior, twin, checks.checks, checks.sources, draws, np.random.default_rng(seed), progress))


def load_calibration(path: str | Path) -> Calibration:
    """Read a calibration from a file of any of the kinds that notebooks load: ``.pbin``, ``.json.gz``, or ``calix-native.pkl``, which is not unpickled.

    Raises
    ------
    FileFormatError
        If it is something else.
    """
    data = Path(path).read_bytes()
    return Calibration.loads(native_content(data) or data, str(path))


def _seed(characterisation: Characterisation) -> int:
    """Return a seed that depends on the readings alone: of the twin's other draws, and of the posterior's."""
    digest = hashlib.blake2b(digest_size=7)
    for run in characterisation.runs:
        for array in (run.readings.value, run.readings.spike_us):
            digest.update(np.ascontiguousarray(array).tobytes())
    return 1 + int.from_bytes(digest.digest(), "little")
