from neckar.lab._trace import trace as trace
from neckar.lab._trace import tracing as tracing
from neckar.ppu._actor import PlasticityProcessor as PlasticityProcessor
from neckar.ppu._actor import Tally as Tally
from neckar.ppu._actor import prepare as prepare
from neckar.ppu._actor import recorders_of as recorders_of
from neckar.ppu._cpp import kernel_text as kernel_text
from neckar.ppu._port import ChipPort as ChipPort
from neckar.ppu._recipe import Recipe as Recipe
from neckar.ppu._recorder import Recorder as Recorder
from neckar.ppu._rule import FracSat8 as FracSat8
from neckar.ppu._rule import FracSat16 as FracSat16
from neckar.ppu._rule import Mod8 as Mod8
from neckar.ppu._rule import Mod16 as Mod16
from neckar.ppu._rule import Rule as Rule
from neckar.ppu._rule import State as State
from neckar.ppu._rule import random_row as random_row
from neckar.ppu._rule import round_stochastic as round_stochastic
from neckar.ppu._rule import saturate_weight as saturate_weight
from neckar.ppu._rule import seed_random as seed_random
from neckar.ppu._rule import where as where
from neckar.ppu._rule import write_down as write_down
from neckar.ppu._trace import Invocation as Invocation
from neckar.ppu._trace import Notes as Notes
from neckar.ppu._trace import Tracer as Tracer
from neckar.ppu._trace import Watched as Watched

__all__: list[str]
