"""The part of upstream's `pygrenade_vx` that scripts name. Neckar maps networks in :mod:`neckar.network`; there is nothing else of it here."""

from dlens_vx_v3 import grenade_common as common

__all__ = ["common"]
