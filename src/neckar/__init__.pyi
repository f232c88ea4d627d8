from neckar.chip.effects import Effects as Effects
from neckar.chip.specimen import Specimen as Specimen
from neckar.errors import NeckarError as NeckarError
from neckar.lab import Lab as Lab
from neckar.lab import current_lab as current_lab
from neckar.program import Program as Program
from neckar.program import Recording as Recording
from neckar.program import load as load
from neckar.program import save as save

__version__: str
__all__: list[str]
