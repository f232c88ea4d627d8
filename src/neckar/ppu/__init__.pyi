from neckar.lab._trace import trace as trace
from neckar.lab._trace import tracing as tracing
from neckar.ppu._actor import PlasticityProcessor as PlasticityProcessor
from neckar.ppu._actor import Tally as Tally
from neckar.ppu._actor import prepare as prepare
from neckar.ppu._actor import recorders_of as recorders_of
from neckar.ppu._port import ChipPort as ChipPort
from neckar.ppu._recorder import Recorder as Recorder
from neckar.ppu._trace import Invocation as Invocation
from neckar.ppu._trace import Notes as Notes
from neckar.ppu._trace import Tracer as Tracer
from neckar.ppu._trace import Watched as Watched

__all__: list[str]
