"""Whatever users call in whatever order: a result or an error with a type, never a traceback out of numpy, numba or the inside of PyNN.

A state machine calls the public functions with legal and illegal arguments. An error counts as typed if it is a :class:`NeckarError`, one of
``pyNN.errors``, or raised by a ``raise`` statement of PyNN or of the libraries of its data; a bare ``Exception`` or an assertion does not. The calls that
later ones build on also have to give results, not errors alone.
"""

from __future__ import annotations

import linecache
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyNN.errors
import pytest
from fake_session import FakeLab
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule, run_state_machine_as_test
from pyNN.core import IndexBasedExpression

import pynn_brainscales.brainscales2 as pynn
from neckar.errors import NeckarError
from pynn_brainscales.brainscales2 import morphology

LIBRARIES = ("pyNN", "lazyarray", "neo")
CHOICE = tuple(value for name, value in vars(pyNN.errors).items() if isinstance(value, type) and issubclass(value, Exception))


def is_typed(error: Exception) -> bool:
    """Return whether an error is one that a user is meant to see."""
    if isinstance(error, (NeckarError, *CHOICE)):
        return True
    frame = traceback.extract_tb(error.__traceback__)[-1]
    explicit = linecache.getline(frame.filename, frame.lineno or 0).strip().startswith("raise ")
    inside = any(part in LIBRARIES for part in Path(frame.filename).parts)
    return explicit and inside and type(error) not in (Exception, AssertionError)


RESULTS: Counter[str] = Counter()
"""How many calls of a kind gave a result."""


def attempt(call: Callable[[], Any], kind: str | None = None) -> Any:
    """Return the result of a call, or None after a typed error; results of a named kind are counted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = call()
        except Exception as error:
            if not is_typed(error):
                raise
            return None
    if kind is not None:
        RESULTS[kind] += 1
    return result


numbers = st.one_of(
    st.sampled_from([0, 1, -1, 63, 64, 1022, 1023, 0.5, -0.5, 1e-9, 1e6, -1e30, 1e30, float("nan"), float("inf"), True, np.int64(5), np.float32(2.5), 2**70]),
    st.integers(-3, 1100),
)
wrong = st.sampled_from([None, "text", "", [], [1, 2, 3], (1,), {}, object(), b"x", np.zeros((2, 2)), np.array(3.0), [None], ["a", "b"], 1 + 2j, [[1], [2, 3]]])
values = st.one_of(numbers, numbers, st.lists(numbers, min_size=1, max_size=4), wrong, st.lists(numbers, min_size=1, max_size=4).map(np.array))
sizes = st.one_of(st.integers(1, 4), st.integers(1, 4), st.sampled_from([0, -1, 2.5, 600, None, "3", (2, 2), np.int64(2), True, 1e30]))
times = st.one_of(st.sampled_from([0.01, 0.02, 0.1]), st.sampled_from([0, -1, None, 1e-9, float("nan"), float("inf"), 1e9, "1", [1], True]))
parameters = st.one_of(
    st.sampled_from([*pynn.cells.HXNeuron.default_parameters]),
    st.sampled_from(
        ["leak_v_leak", "threshold_enable", "constant_current_type", "spike_times", "rate", "start", "duration", "seed", "tau_m", "typo", "label", ""]
    ),
)
labels = st.sampled_from([None, "soma", "dendrite", "none", 3, ["soma"], ""])
variables = st.one_of(
    st.sampled_from(
        ["spikes", "v", "exc_synin", "inh_synin", "adaptation", None, "typo", 3, [], ["spikes", "v"], ["v", "adaptation"], ("v",), {"v": 0.1}, "all"]
    )
)
devices = st.sampled_from(["madc", "madc", "cadc", "pad_0", "pad_1_buffered", "pad_0_unbuffered", "pad_2", "", None, 3])
selectors = st.sampled_from(
    [0, -1, 1, 5, slice(0, 2), slice(1, None), slice(5, 9), [0], [1, 0], [7], [], np.array([0]), np.array([True, False]), "a", None, 1.5, (0, 1)]
)
receptors = st.sampled_from([None, "excitatory", "inhibitory", "excitatory", "NMDA", 3])
permutations = st.one_of(st.none(), st.lists(st.integers(-1, 513), max_size=6), st.permutations(range(8)), st.sampled_from([[0.5], "ab", 3, range(4)]))
places = st.one_of(st.lists(st.integers(0, 5), min_size=1, max_size=3), st.sampled_from([[], None, [300], "01", [0.5], 3, [0, 128]]))
distributions = st.sampled_from([("uniform", (0, 63)), ("normal", (10, 3))])


def neuron_with_compartments() -> type:
    """Return a cell type with two compartments, one of two circuits."""
    parts = [
        morphology.Compartment(positions=[0, 1], label="soma", connect_shared_line=[0]),
        morphology.Compartment(positions=[3], label="dendrite", connect_conductance=[(3, 200)], leak_v_leak=300),
    ]
    return morphology.create_mc_neuron("Sequence", parts, [morphology.SharedLineConnection(0, 3, 0)])


MC_NEURON = neuron_with_compartments()


class Even(IndexBasedExpression):  # type: ignore[misc]
    """Connects cells whose indices have an even sum."""

    def __call__(self, i: Any, j: Any) -> Any:
        return (i + j) % 2 == 0


CELLS: dict[str, Callable[..., Any]] = {
    "HXNeuron": pynn.cells.HXNeuron,
    "HXNeuron ": pynn.cells.HXNeuron,
    "SpikeSourceArray": pynn.cells.SpikeSourceArray,
    "SpikeSourcePoisson": pynn.cells.SpikeSourcePoisson,
    "SpikeSourcePoissonOnChip": pynn.cells.SpikeSourcePoissonOnChip,
    "OffChipSource": pynn.cells.OffChipSource,
    "CalibHXNeuronCuba": pynn.cells.CalibHXNeuronCuba,
    "CalibHXNeuronCoba": pynn.cells.CalibHXNeuronCoba,
    "with compartments": MC_NEURON,
}
PROPER = {
    "SpikeSourceArray": {"spike_times": [0.001, 0.005]},
    "SpikeSourcePoisson": {"start": 0, "rate": 1e5, "duration": 0.1},
    "SpikeSourcePoissonOnChip": {"rate": 1e4, "seed": 1},
    "OffChipSource": {"label": [1]},
}
CONNECTORS: dict[str, Callable[[Any, Any], Any]] = {
    "all to all": lambda x, y: pynn.AllToAllConnector(location_selector=y),
    "one to one": lambda x, y: pynn.OneToOneConnector(source_location_selector=y),
    "fixed probability": lambda x, y: pynn.FixedProbabilityConnector(x),
    "fixed number pre": lambda x, y: pynn.FixedNumberPreConnector(x),
    "fixed number post": lambda x, y: pynn.FixedNumberPostConnector(x),
    "fixed total number": lambda x, y: pynn.FixedTotalNumberConnector(x),
    "list": lambda x, y: pynn.FromListConnector([(0, 0, x, 0), (1, 1, x, y)]),
    "short list": lambda x, y: pynn.FromListConnector([(0, 0), (x, 1)]),
    "array": lambda x, y: pynn.ArrayConnector(np.eye(2, dtype=bool)),
    "distance": lambda x, y: pynn.DistanceDependentProbabilityConnector("d < 2"),
    "index": lambda x, y: pynn.IndexBasedProbabilityConnector(Even()),
    "no index": lambda x, y: pynn.IndexBasedProbabilityConnector(x),
    "displacement": lambda x, y: pynn.DisplacementDependentProbabilityConnector(lambda d: abs(d[0]) < 2),
    "distance of nothing": lambda x, y: pynn.DistanceDependentProbabilityConnector(x),
    "file": lambda x, y: pynn.FromFileConnector(x),
    "clone": lambda x, y: pynn.CloneConnector(x),
    "small world": lambda x, y: pynn.SmallWorldConnector(x, 0.5),
    "none": lambda x, y: x,
}


class Session(RuleBasedStateMachine):
    """What one user does."""

    cells = Bundle("cells")  # populations, views, assemblies
    projections = Bundle("projections")

    lab: Any = None

    def teardown(self) -> None:
        if pynn.simulator.state is not None:
            pynn.simulator.state.close()
            pynn.simulator.state = None

    @initialize(target=cells)
    def begin(self) -> Any:
        pynn.setup()
        return multiple(pynn.Population(2, pynn.cells.HXNeuron()), pynn.Population(2, pynn.cells.SpikeSourceArray(spike_times=[0.005])))

    @rule(
        permutation=permutations,
        bus=permutations,
        bypass=st.sampled_from([None, True, False, "x"]),
        keyword=st.sampled_from(["max_delay", "typo", "injected_config"]),
        value=wrong,
    )
    def setup(self, permutation: Any, bus: Any, bypass: Any, keyword: str, value: Any) -> None:
        attempt(lambda: pynn.setup(neuronPermutation=permutation, backgroundPermutation=bus, enable_neuron_bypass=bypass))
        attempt(lambda: pynn.setup(**{keyword: value}))

    @rule(target=cells, size=sizes, kind=st.sampled_from(sorted(CELLS)), name=parameters, value=values, proper=st.booleans(), label=labels, old=st.booleans())
    def create(self, size: Any, kind: str, name: str, value: Any, proper: bool, label: Any, old: bool) -> Any:
        given = dict(PROPER.get(kind, {}))
        if not proper:
            given[name] = value
        if old:
            population = attempt(lambda: pynn.Population(size, CELLS[kind], given, label=label), "create")
        else:
            cell = attempt(lambda: _cell(CELLS[kind], given))
            population = None if cell is None else attempt(lambda: pynn.Population(size, cell, label=label), "create")
        return multiple() if population is None else population

    @rule(target=cells, of=cells, selector=selectors, explicit=st.booleans())
    def view(self, of: Any, selector: Any, explicit: bool) -> Any:
        made = attempt((lambda: pynn.PopulationView(of, selector)) if explicit else (lambda: of[selector]))
        return made if isinstance(made, pynn.PopulationView | pynn.Assembly) else multiple()

    @rule(target=cells, one=cells, other=cells)
    def add(self, one: Any, other: Any) -> Any:
        made = attempt(lambda: one + other)
        return multiple() if made is None else made

    @rule(of=cells, name=parameters, value=values, one=st.booleans())
    def set_parameter(self, of: Any, name: str, value: Any, one: bool) -> None:
        attempt(lambda: setattr(of[0], name, value) if one else of.set(**{name: value}))

    @rule(of=cells, name=st.one_of(parameters, st.lists(parameters, max_size=2), st.none()), simplify=st.booleans())
    def get_parameter(self, of: Any, name: Any, simplify: bool) -> None:
        attempt(lambda: of.get(name, simplify=simplify))
        attempt(lambda: of.describe())

    @rule(
        of=cells,
        what=variables,
        device=devices,
        locations=st.sampled_from([None, None, ["soma"], ["none"], "soma", 3, []]),
        interval=st.sampled_from([None, None, 0.1]),
        proper=st.booleans(),
    )
    def record(self, of: Any, what: Any, device: Any, locations: Any, interval: Any, proper: bool) -> None:
        if proper:
            what, device, locations, interval = "spikes", "madc", None, None
        attempt(lambda: of.record(what, locations=locations, sampling_interval=interval, device=device), "record")

    @rule(of=cells, what=variables, clear=st.booleans(), locations=st.sampled_from([None, None, ["soma"], ["none"], 3]))
    def get_data(self, of: Any, what: Any, clear: bool, locations: Any) -> None:
        attempt(lambda: of.get_data(what if what is not None else "all", clear=clear))
        if not isinstance(of, pynn.Assembly):
            attempt(lambda: of.get_data(locations=locations))
        attempt(lambda: of.get_spike_counts())
        attempt(lambda: of.mean_spike_count())

    @rule(
        target=projections,
        pre=cells,
        post=cells,
        connector=st.sampled_from(sorted(CONNECTORS)),
        number=st.one_of(st.integers(0, 3), values),
        label=labels,
        weight=st.one_of(st.integers(0, 200), values, distributions),
        delay=st.sampled_from([0, 0, 0, None, 1, "x"]),
        receptor=receptors,
        kind=st.sampled_from(["static", "static", "plastic", "recording", "none"]),
        proper=st.booleans(),
    )
    def connect(self, pre: Any, post: Any, connector: str, number: Any, label: Any, weight: Any, delay: Any, receptor: Any, kind: str, proper: bool) -> Any:
        if proper:
            connector, label, weight, delay, receptor = "all to all", None, 20, 0, "excitatory"
        made = attempt(
            lambda: pynn.Projection(
                pre, post, CONNECTORS[connector](number, label), synapse_type=_synapse(kind, _weight(weight), delay), receptor_type=receptor
            ),
            "connect",
        )
        return multiple() if made is None else made

    @rule(
        of=projections,
        value=st.one_of(st.integers(0, 200), values, distributions),
        name=st.sampled_from(["weight", "weight", "delay", "typo"]),
        one=st.booleans(),
    )
    def set_weight(self, of: Any, value: Any, name: str, one: bool) -> None:
        attempt(lambda: setattr(of[0], "weight", value) if one else of.set(**{name: _weight(value)}))
        attempt(lambda: setattr(of, "changed_since_last_run", value))

    @rule(
        of=projections,
        name=st.sampled_from(["weight", "delay", "typo", "presynaptic_index", ["weight", "delay"]]),
        form=st.sampled_from(["list", "array", "x"]),
    )
    def get_weight(self, of: Any, name: Any, form: str) -> None:
        attempt(lambda: of.get(name, format=form))
        attempt(lambda: of.placed_connections)
        attempt(lambda: of.get_data("weights"))
        attempt(lambda: of.describe())

    @rule(runtime=times, command=st.sampled_from([*pynn.RunCommand, *pynn.RunCommand, pynn.RunCommand.EXECUTE, None, "EXECUTE", 1]))
    def run(self, runtime: Any, command: Any) -> None:
        attempt(lambda: pynn.run(runtime, command), "run")

    @rule()
    def reset_and_run(self) -> None:
        attempt(lambda: pynn.reset())
        attempt(lambda: pynn.run(0.02))

    @rule(runtime=times)
    def run_until(self, runtime: Any) -> None:
        attempt(lambda: pynn.run_until(runtime))

    @rule(
        which=st.sampled_from(
            [
                "reset",
                "end",
                "preprocess",
                "get_current_time",
                "get_time_step",
                "get_min_delay",
                "num_processes",
                "list_standard_models",
                "get_backend_statistics",
            ]
        )
    )
    def control(self, which: str) -> None:
        attempt(lambda: getattr(pynn, which)())

    @rule(of=cells, name=st.sampled_from(["actual_hwparams", "calib_target", "positions", "size", "conductance_based", "celltype"]))
    def look(self, of: Any, name: str) -> None:
        attempt(lambda: getattr(of, name, None))
        if not isinstance(of, pynn.Assembly):
            attempt(lambda: of.get_plasticity_data("x"))
        attempt(lambda: pynn.simulator.state.neuron_placement.id2first_circuit(of.all_cells) if pynn.simulator.state else None)

    @rule(of=cells, value=values)
    def initialise(self, of: Any, value: Any) -> None:
        attempt(lambda: of.initialize(v=value))
        attempt(lambda: of.inject(value))
        attempt(lambda: of.sample(value))

    @rule(
        target=cells,
        positions=places,
        other=places,
        line=places,
        label=labels,
        parameter=parameters,
        value=values,
        single=st.booleans(),
        proper=st.booleans(),
    )
    def create_with_compartments(self, positions: Any, other: Any, line: Any, label: Any, parameter: str, value: Any, single: bool, proper: bool) -> Any:
        if proper:
            positions, other, line, label, parameter, value, single = [0, 1], [3], [0], None, "leak_v_leak", 300, True

        def make() -> Any:
            first = morphology.Compartment(positions=positions, label="soma", connect_shared_line=line)
            conductances = [(position, 5) for position in other[:1]] if isinstance(other, list) else other
            second = morphology.Compartment(
                positions=other,
                label=label or "dendrite",
                connect_conductance=conductances,
                **{"leak_v_leak" if parameter in ("", "label") else parameter: value},
            )
            return morphology.create_mc_neuron("Any", [first, second], [morphology.SharedLineConnection(0, 3, 0)], single)

        kind = attempt(make)
        population = None if kind is None else attempt(lambda: pynn.Population(2, kind()), "create with compartments")
        return multiple() if population is None else population

    @rule(of=cells, value=values)
    def place_in_space(self, of: Any, value: Any) -> None:
        if not isinstance(of, pynn.Assembly):
            attempt(lambda: of.nearest(value))
        if isinstance(of, pynn.Population):
            attempt(lambda: setattr(of, "positions", value))
        attempt(lambda: of.positions)
        attempt(lambda: of[0].position)
        attempt(lambda: of.id_to_index(value))
        attempt(lambda: list(of))

    @rule(of=projections)
    def look_at_connections(self, of: Any) -> None:
        attempt(lambda: of.weightHistogram())
        attempt(lambda: [connection.as_tuple("weight", "delay", "presynaptic_index", "pop_post_index") for connection in of])
        attempt(lambda: of.initialize(u=0))
        attempt(lambda: of.setWeights(3))


def _cell(kind: Callable[..., Any], given: dict[str, Any]) -> Any:
    try:
        return kind(**given)
    except TypeError as error:  # a keyword that the constructor does not have, or one that is missing
        if "argument" not in str(error):
            raise
    return None


def _weight(weight: Any) -> Any:
    if isinstance(weight, tuple) and weight and isinstance(weight[0], str):
        from pyNN.random import NumpyRNG, RandomDistribution

        return RandomDistribution(*weight, rng=NumpyRNG(seed=1))
    return weight


def _synapse(kind: str, weight: Any, delay: Any) -> Any:
    timer = pynn.Timer(start=0, period=1, num_periods=1)
    return {
        "static": lambda: pynn.synapses.StaticSynapse(weight=weight, delay=delay),
        "plastic": lambda: pynn.synapses.PlasticSynapse(weight=weight, plasticity_rule=pynn.PlasticityRule(timer)),
        "recording": lambda: pynn.synapses.StaticRecordingSynapse(timer, weight, {"weights"}),
        "none": lambda: None,
    }[kind]()


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", logger="PyNN")  # PyNN warns of cells that it leaves out of assemblies


def check(examples: int, steps: int) -> None:
    """Let as many users do as many steps each; calls of every kind give results."""
    options = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
    )
    RESULTS.clear()
    run_state_machine_as_test(Session, settings=options)
    for kind in ("create", "create with compartments", "connect", "record", "run"):
        assert RESULTS[kind] >= 5, f"{kind}: {RESULTS[kind]} results"


def test_any_sequence_of_calls_ends_in_results_or_typed_errors(lab: FakeLab) -> None:
    check(examples=300, steps=14)


@pytest.mark.slow
def test_two_thousand_sequences_on_a_virtual_chip_end_in_results_or_typed_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynn.simulator, "state", None)
    check(examples=2000, steps=20)
