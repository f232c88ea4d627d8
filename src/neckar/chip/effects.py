"""The imperfections of a virtual chip, each with a switch.

An experiment on silicon has all of them at once. On the twin each can be taken away to see what it does; with all of them off the circuits follow
their closed forms.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Self

from neckar.errors import ConfigurationError, UnknownNameError, nearest


@dataclass(frozen=True)
class Effects:
    """Which imperfections act.

    Attributes
    ----------
    mismatch : bool
        Chips and circuits deviate from the nominal lines. Off: every chip with a seed is the mean of the population; the reference chip keeps its own
        lines, which define it, but all its circuits are alike.
    noise : bool
        Everything that differs between repeated runs: current noise of the membranes, noise of the converters' samples, and the value at which a write
        of an analog parameter cell ends (:mod:`neckar.chip.capmem`).
    quantisation : bool
        Rounding of the converters with their differential non-linearity. Off: codes are the nearest integers of the exact reading. Codes that the
        user sets are integers either way.
    saturation : bool
        Amplifiers saturate, inhibition ends at its floor, membranes stop at the rails. Off: linear circuits.
    event_loss : bool
        Random loss on the links and full buffers.
    crosstalk : bool
        Analog parameter cells that share a value disturb each other (:mod:`neckar.chip.capmem`). Off by default, because users avoid it on silicon by
        dithering equal values.
    drift : bool
        Potentials, and by the temperature time constants, change slowly with the age of the chip. On by default; a chip of age zero, the default age, has
        not drifted yet.

    Raises
    ------
    ConfigurationError
        If a switch is neither True nor False.

    Examples
    --------
    >>> Effects.parse("-noise,-mismatch").noise
    False
    >>> Effects.ideal() == Effects.parse("ideal")
    True
    """

    mismatch: bool = True
    noise: bool = True
    quantisation: bool = True
    saturation: bool = True
    event_loss: bool = True
    crosstalk: bool = False
    drift: bool = True

    def __post_init__(self) -> None:
        for name in _NAMES:
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"Effects({name}={getattr(self, name)!r}) was asked for; allowed are True and False. Switch it on or off.")

    @classmethod
    def ideal(cls) -> Self:
        """Return the chip without imperfections."""
        return cls(**dict.fromkeys(_NAMES, False))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the effects that a text describes.

        Parameters
        ----------
        text : str
            Words separated by commas: first, optionally, the start ``default`` or ``ideal``, then effects with ``+`` to switch on or ``-`` to switch off,
            e.g. ``"-noise,-mismatch"`` or ``"ideal,+noise"``.

        Raises
        ------
        UnknownNameError
            If a word is neither; lists the nearest and all effects.
        """
        effects = cls()
        for position, word in enumerate(part.strip() for part in text.split(",")):
            if position == 0 and word in ("", "default", "ideal"):
                effects = cls.ideal() if word == "ideal" else cls()
            elif word[:1] in ("+", "-") and word[1:] in _NAMES:
                effects = replace(effects, **{word[1:]: word[0] == "+"})
            else:
                words = [sign + name for name in _NAMES for sign in "+-"] + (["default", "ideal"] if position == 0 else [])
                hint = nearest(word, words, n=2)
                raise UnknownNameError(
                    f"unknown effect {word!r} in {text!r}{hint} Write 'default' or 'ideal' first, if at all, "
                    f"then +name or -name, separated by commas. Names: {', '.join(_NAMES)}."
                )
        return effects

    def as_dict(self) -> dict[str, bool]:
        """Return the switches as plain data, for provenance."""
        return asdict(self)


_NAMES = tuple(field.name for field in fields(Effects))
