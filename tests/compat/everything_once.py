"""Every public function of PyNN for BrainScaleS-2 once, as somebody would write it who knows the interface and tries it out.

Several small experiments, one after the other; each prints what came out. What this version cannot do is called too, and its error is printed.
Run it with `neckar run tests/compat/everything_once.py`, or by itself.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pyNN.core import IndexBasedExpression
from pyNN.random import NumpyRNG, RandomDistribution

import pynn_brainscales.brainscales2 as pynn
from pynn_brainscales.brainscales2 import morphology
from pynn_brainscales.brainscales2.standardmodels import cells, synapses
from pynn_brainscales.brainscales2.utils.chip_plotter import ChipPlotter, PlotTypes

_TEMPORARY = tempfile.TemporaryDirectory()  # gone at the end
FOLDER = Path(_TEMPORARY.name)
LEAK_OVER_THRESHOLD = {
    "leak_v_leak": 1000,
    "leak_i_bias": 150,
    "threshold_enable": True,
    "threshold_v_threshold": 300,
    "reset_v_reset": 400,
    "reset_i_bias": 1022,
    "reset_enable_multiplication": True,
    "refractory_period_refractory_time": 255,
    "membrane_capacitance_capacitance": 63,
}


def show(what: str, value: Any) -> None:
    """Print a result on one line."""
    print(f"{what}: {' '.join(str(value).split())}")


def refused(what: str, call: Callable[[], Any]) -> None:
    """Print the error of something that this version, or the chip, cannot do."""
    try:
        value = call()
    except Exception as error:
        show(f"{what} refused", f"{type(error).__name__}: {error}")
    else:
        raise AssertionError(f"{what} returned {value!r}, an error was expected")


def set_up_and_ask() -> None:
    """All keywords of `setup`, the queries of the state, the models, the logger."""
    pynn.logger.default_config(level=pynn.logger.LogLevel.WARN)
    log = pynn.logger.get("everything_once")
    pynn.logger.set_loglevel(log, pynn.logger.LogLevel.ERROR)
    log.info("not shown", 1, 2)
    log.ERROR("shown on the error stream,", "in several parts")
    show("appenders", pynn.logger.get_root().get_number_of_appenders())
    pynn.logger.reset()

    pynn.setup(
        timestep=3.4e-05,
        min_delay="auto",
        max_delay="auto",
        neuronPermutation=[7, 300, 8],
        backgroundPermutation=[0, 1, 2, 3],
        enable_neuron_bypass=False,
        initial_config=pynn.lola.Chip(),
        injected_config=pynn.InjectedConfiguration(),
        injected_readout=pynn.InjectedReadout(),
        connection=None,
        calibration_cache=[str(FOLDER)],
        injected_calib_target=pynn.SpikingCalibTarget(),
        injected_calib_options=pynn.SpikingCalibOptions(),
    )
    show("time", pynn.get_current_time())
    show("time step", pynn.get_time_step())
    show("delays", (pynn.get_min_delay(), pynn.get_max_delay()))
    show("processes", (pynn.num_processes(), pynn.rank()))
    show("models", [model.__name__ for model in pynn.list_standard_models()])
    state = pynn.simulator.state
    show("simulator", (pynn.simulator.name, isinstance(state, pynn.simulator.State), state.running, state.t, state.runtimes, state.segment_counter))
    show("one base configuration", state.grenade_chip_config is state.initial_config is state.get_base_configuration())

    neurons = pynn.create(pynn.cells.HXNeuron, n=3)
    show("circuits", [int(state.neuron_placement.id2first_circuit(cell)) for cell in neurons])
    show("logical neuron", state.neuron_placement.id2logicalneuron(neurons[0]).get_atomic_neurons())
    refused("a fourth neuron on three circuits", lambda: pynn.create(pynn.cells.HXNeuron()))
    refused("unknown keyword", lambda: pynn.setup(neuron_permutation=[1]))
    pynn.end()
    refused("a population after end", lambda: pynn.create(pynn.cells.HXNeuron()))


def one_neuron() -> None:
    """A neuron that fires by itself: run, run_for, run_until, reset, segments, files."""
    pynn.setup()
    neuron = pynn.Population(1, pynn.cells.HXNeuron(**LEAK_OVER_THRESHOLD), label="leak over threshold")
    pynn.record(["v", "spikes"], neuron, str(FOLDER / "recorded.pkl"))
    pynn.run(0.1)
    refused("a second run without reset", lambda: pynn.run(0.1))
    first = neuron.get_data().segments[-1]
    pynn.reset()
    pynn.run_for(0.05)
    pynn.reset()
    pynn.run_until(0.2)
    show("time after run_until", pynn.get_current_time())
    data = neuron.get_data()
    show("segments", len(data.segments))
    show("spikes by segment", [len(segment.spiketrains[0]) for segment in data.segments])
    show("rate in kHz", round(len(first.spiketrains[0]) / 0.1, 1))
    signal = first.irregularlysampledsignals[0]
    show("MADC samples", signal.shape[0])
    show("MADC levels", (int(signal.magnitude.min()), int(signal.magnitude.max())))
    show("annotations", {**signal.annotations, **signal.array_annotations})
    neuron.record(None)
    pynn.end()
    show("file", (FOLDER / "recorded.pkl").stat().st_size > 1000)


def populations_and_views() -> None:
    """Parameters, selections and descriptions of populations, views and assemblies."""
    pynn.setup()
    structure = pynn.space.Grid2D(aspect_ratio=1.0, dx=10.0, dy=10.0)
    grid = pynn.Population(4, pynn.cells.HXNeuron(**LEAK_OVER_THRESHOLD), structure=structure, label="grid")
    line = pynn.Population(3, pynn.cells.HXNeuron, {"leak_v_leak": [500, 600, 700]}, label="line")
    source = pynn.Population(2, pynn.cells.SpikeSourceArray, cellparams={"spike_times": [0.01]}, label="source")
    pair = pynn.PopulationView(grid, [1, 2], label="pair")
    whole = pynn.Assembly(grid, line, label="whole")
    show("sizes", [(group.label, group.size, len(group)) for group in (grid, line, source, pair, whole)])
    show("ids", [int(cell) for cell in (grid[0], line[0], source[0])])

    # get and set
    grid.set(leak_v_leak=[900, 910, 920, 930], leak_i_bias=RandomDistribution("uniform_int", low=100, high=200, rng=NumpyRNG(1)))
    pair.set(reset_v_reset=350)
    whole.set(threshold_v_threshold=310)
    pynn.set(line, reset_v_reset=330)
    grid[0].leak_v_leak = 700
    show("v_leak of grid", grid.get("leak_v_leak"))
    show("of pair", pair.get(["leak_v_leak", "reset_v_reset"]))
    show("of whole", whole.get("threshold_v_threshold", simplify=True))
    show("of one cell", (line[1].leak_v_leak, line[1].threshold_enable))
    show("parameters of HXNeuron", (len(pynn.cells.HXNeuron.get_parameter_names()), len(pynn.cells.HXNeuron.get_default_values())))
    show("circuit of parameters", pynn.cells.HXNeuron.create_hw_entity({"leak_v_leak": 5}).leak.v_leak)
    show("readout sources", [source.name for source in pynn.cells.HXNeuron.ReadoutSource])
    refused("unknown parameter", lambda: grid.set(leak_vleak=3))
    refused("array of another length", lambda: grid.set(leak_v_leak=[1, 2]))

    for group in (grid, pair, whole):
        show("positions", np.asarray(group.positions).shape)
        show("first position", group.position_generator(0))
        group.save_positions(str(FOLDER / "positions.txt"))
        show("position file", len(Path(FOLDER / "positions.txt").read_text().split("\n")))
        show("sample", len(group.sample(2, NumpyRNG(2))))
        show("index", int(group.id_to_index(group.all_cells[1])))
        show("description", group.describe()[:60])
        show("description by template", group.describe("$label has $size", engine="string") if group is not whole else group.describe(None)["label"])
        show("all", [int(cell) for cell in group.all()])
        show("receptors", (list(group.receptor_types), group.conductance_based, group.injectable))
        show("unit of v", group.find_units("v"))
        show("local cells", len(group.local_cells))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            group.initialize(v=0.0)
        show("initial values", caught[0].message)
        refused("current source", lambda group=group: group.inject("a current"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pynn.initialize(grid, v=0.0)
    show("initialize", caught[0].message)
    for group in (grid, pair):
        show("nearest", int(group.nearest((9.0, 9.0, 0.0))))
        show("can record", [group.can_record(name) for name in ("v", "w")])
        show("local", (group.is_local(group.all_cells[0]), group.local_size))
        group.annotate(mood="fresh")
        show("annotated", group.annotations)
        show("structure", group.structure.get_parameters() if group.structure else None)
    show("index within the process", int(grid.id_to_local_index(grid[2])))
    show("where the pair is", (pair.grandparent.label, [int(i) for i in pair.index_in_grandparent([0, 1])], pair.cell_indices.tolist()))
    refused("initial values of a view", lambda: pair.initial_values)
    show("index in the view", pair.index_from_parent_index(np.array([2])))
    show("assembled", (int(whole.first_id), int(whole.last_id), len(whole.all_cells), whole.size, whole.get_population("line").label))
    line.annotate(mood="rested")
    show("annotations of whole", whole.get_annotations("mood"))
    show("sum", (grid + line).size)

    # recording on all of them
    grid.record("spikes")
    pair.record("spikes")
    whole.record(["v", "spikes"], device="cadc")
    pynn.run(0.1)
    for group in (grid, pair, whole):
        show("spike counts", list(group.get_spike_counts().values()))
        show("mean spike count", round(group.mean_spike_count(), 2))
        group.write_data(str(FOLDER / "data.pkl"), "spikes")
        segment = group.get_data(clear=group is whole).segments[0]
        show("trains and traces", (len(segment.spiketrains), len(segment.irregularlysampledsignals)))
    pynn.end()


def older_names() -> None:
    """The names that PyNN keeps for scripts of long ago."""
    pynn.setup()
    neurons = pynn.Population(2, pynn.cells.HXNeuron(**LEAK_OVER_THRESHOLD), label="old")
    view, assembly = neurons[0:2], neurons[0:1] + neurons[1:2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = RandomDistribution("uniform_int", low=140, high=160, rng=NumpyRNG(3))
        neurons.rset("leak_i_bias", values)
        view.rset("leak_i_bias", values)
        refused("rset of an assembly", lambda: assembly.rset("leak_i_bias", values))
        neurons.tset("leak_v_leak", np.array([950, 960]))
        view.tset("leak_v_leak", np.array([950, 970]))
        for group in (neurons, view, assembly):
            group.record("spikes")
            group.record_v()
            refused("record_gsyn", group.record_gsyn)
        pynn.preprocess()
        pynn.run(0.05)
        for group in (neurons, view, assembly):
            show("getSpikes", len(group.getSpikes().segments[0].spiketrains))
            show("get_v", len(group.get_v().segments[0].irregularlysampledsignals))
            show("get_gsyn", len(group.get_gsyn().segments[0].irregularlysampledsignals))
            group.printSpikes(str(FOLDER / "old.pkl"))
            group.print_v(str(FOLDER / "old.pkl"))
            group.print_gsyn(str(FOLDER / "old.pkl"))
        for group in (neurons, view):
            show("meanSpikeCount", group.meanSpikeCount())
    show("v_leak", neurons.get("leak_v_leak"))
    pynn.end()


def sources_and_synapses() -> None:
    """A calibrated neuron with sources of all kinds, several snippets, all variables on both converters."""
    path = pynn.helper.nightly_calib_path()
    show("calibration", (path.name, path.parent.name, pynn.helper.nightly_calib_url() == path.as_uri(), len(pynn.helper.get_unique_identifier())))
    calibrated = pynn.helper.chip_from_nightly()
    show("same chip", calibrated == pynn.helper.chip_from_file(path) == pynn.helper.chip_from_portable_binary(path.read_bytes()))
    circuit = calibrated.neuron_block.atomic_neurons[pynn.halco.AtomicNeuronOnDLS()]
    values = pynn.helper.get_values_of_atomic_neuron(circuit, exclude=["leak_v_leak"])
    show("values of a circuit", (len(values), "leak_v_leak" in values, pynn.helper.decompose_in_member_names("leak_i_bias")))
    show("groups", pynn.helper.ATOMIC_NEURON_MEMBERS)

    np.random.seed(1)  # noqa: NPY002  # trains of SpikeSourcePoisson come from numpy's global generator
    pynn.setup(initial_config=calibrated)
    neurons = pynn.Population(4, pynn.cells.HXNeuron(threshold_enable=False), label="neurons")
    array = pynn.Population(2, pynn.cells.SpikeSourceArray(spike_times=[[0.05], np.array([0.12, 0.11])]), label="array")
    poisson = pynn.Population(2, pynn.cells.SpikeSourcePoisson(start=0.0, rate=1e5, duration=0.2), label="poisson")
    on_chip = pynn.Population(2, pynn.cells.SpikeSourcePoissonOnChip(rate=2e4, seed=5), label="on chip")
    for source, target, weight, receptor in (
        (array, neurons[0:1], 63, "excitatory"),
        (poisson, neurons[1:2], -20, "inhibitory"),
        (on_chip, neurons[2:3], 20, "excitatory"),
    ):
        pynn.Projection(source, target, pynn.AllToAllConnector(), pynn.synapses.StaticSynapse(weight=weight), receptor_type=receptor)
    for source in (array, poisson, on_chip):
        source.record("spikes")
    neurons[0:1].record("v", device="madc")
    neurons[1:2].record("inh_synin", device="cadc")
    neurons[2:3].record("exc_synin", device="cadc")
    neurons[3:4].record("adaptation", device="cadc")
    pynn.run(None, pynn.RunCommand.PREPARE)
    pynn.run(0.1, pynn.RunCommand.APPEND)
    array.set(spike_times=[0.15])
    pynn.run(0.1, pynn.RunCommand.APPEND)
    show("snippets", (pynn.simulator.state.realtime_snippet_count, pynn.simulator.state.runtimes))
    pynn.run(None, pynn.RunCommand.EXECUTE)
    for source in (array, poisson, on_chip):
        trains = source.get_data("spikes").segments[0].spiketrains
        show(f"events of {source.label}", [len(train) for train in trains])
    before, after = neurons[0:1].get_data("v").segments[0].irregularlysampledsignals
    show("snippet times", [(round(float(s.t_start), 3), round(float(s.t_stop), 3)) for s in (before, after)])
    rest = float(np.median(before.time_slice(None, before.t_start + 0.04 * before.times.units).magnitude))
    show("height of the PSP", round(float(before.magnitude.max()) - rest))
    for view in neurons[1:2], neurons[2:3], neurons[3:4]:
        signals = view.get_data().segments[0].irregularlysampledsignals
        show("CADC", [(signal.name, signal.shape[0], round(float(np.ptp(signal.magnitude)))) for signal in signals])
    statistics = pynn.get_backend_statistics()
    show("statistics", statistics)
    (instance,) = statistics.get_execution_instances().values()
    show("populations", instance.get_num_populations())
    show("projections", instance.get_num_projections())
    show("neurons", (instance.get_num_neurons(), instance.get_neuron_usage()))
    show("synapses", (instance.get_num_synapses(), instance.get_synapse_usage()))
    show("synapse drivers", (instance.get_num_synapse_drivers(), instance.get_synapse_driver_usage()))
    durations = [
        statistics.get_abstract_network_construction_duration(),
        statistics.get_hardware_network_construction_duration(),
        statistics.get_routing_duration(),
        statistics.get_verification_duration(),
    ]
    show("mapped within a second", sum(duration.total_seconds() for duration in durations) < 1)
    show("execution", type(pynn.get_execution_instance_data()).__name__)
    show("execution time", pynn.get_execution_time_info())
    show("execution health", pynn.get_execution_health_info())
    pynn.end()


class Neighbours(IndexBasedExpression):  # type: ignore[misc]
    """Connects cells whose indices differ by one."""

    def __call__(self, i: Any, j: Any) -> Any:
        return np.abs(i - j) == 1


def connectors() -> None:
    """All connectors, between relays that pass every event on."""
    pynn.setup(enable_neuron_bypass=True)
    pre = pynn.Population(4, pynn.cells.HXNeuron(), label="pre")
    post = pynn.Population(4, pynn.cells.HXNeuron(), label="post")
    (FOLDER / "connections.txt").write_text("# columns = ['i', 'j', 'weight']\n0 1 5\n3 2 6\n")
    rng = NumpyRNG(4)
    some = {
        "AllToAll": pynn.AllToAllConnector(allow_self_connections=True),
        "OneToOne": pynn.OneToOneConnector(),
        "FixedProbability": pynn.FixedProbabilityConnector(0.5, rng=rng),
        "DistanceDependentProbability": pynn.DistanceDependentProbabilityConnector("d < 1.5", rng=rng),
        "DisplacementDependentProbability": pynn.DisplacementDependentProbabilityConnector(lambda d: d[0] > 0, rng=rng),
        "IndexBasedProbability": pynn.IndexBasedProbabilityConnector(Neighbours(), rng=rng),
        "FromList": pynn.FromListConnector([(0, 1, 5), (3, 2, 6)], column_names=["weight"]),
        "FromFile": pynn.FromFileConnector(str(FOLDER / "connections.txt")),
        "FixedNumberPre": pynn.FixedNumberPreConnector(2, rng=rng),
        "FixedNumberPost": pynn.FixedNumberPostConnector(2, rng=rng),
        "FixedTotalNumber": pynn.FixedTotalNumberConnector(7, rng=rng),
        "Array": pynn.ArrayConnector(np.eye(4, dtype=bool)),
    }
    projections = {}
    for name, connector in some.items():
        assert isinstance(connector, pynn.Connector)
        projections[name] = pynn.Projection(pre, post, connector, pynn.synapses.StaticSynapse(weight=1), label=name)
    projections["Clone"] = pynn.Projection(pre, post, pynn.CloneConnector(projections["FixedProbability"]), pynn.synapses.StaticSynapse(weight=1))
    show("connections", {name: len(projection) for name, projection in projections.items()})
    show("weights of the file", projections["FromFile"].get("weight", format="list"))
    small_world = pynn.SmallWorldConnector(degree=1, rewiring=0.1, rng=rng)
    refused("SmallWorld", lambda: pynn.Projection(pre, post, small_world, pynn.synapses.StaticSynapse(weight=1)))
    refused("CSA", lambda: pynn.Projection(pre, post, pynn.CSAConnector("csa.full"), pynn.synapses.StaticSynapse(weight=1)))
    pynn.run(0.01)
    show("instances", len(pynn.get_backend_statistics().get_execution_instances()))
    drawings()
    pynn.end()


def drawings() -> None:
    """Where the network lies on the chip, and its matrices."""
    plotter = ChipPlotter(has_grid=False, population_contrast_groups={"both": [0, 1]})
    refused("a drawing that does not exist", lambda: plotter.plot_by_id(0))
    plotter.add_plot_chip_map(custom_title="where everything is")
    plotter.add_plot_chip_map(separate_view=True)
    plotter.add_plot_matrix()
    plotter.add_plot_matrix(plot_each_neuron=True)
    plotter.plot_all()
    plotter.save_all(str(FOLDER))
    plotter.modify_plot(0, "color_is_source", False)
    plotter.plot_by_id(0)
    plotter.save_by_id(0, str(FOLDER), formats=["png", "pdf"])
    plotter.clear_plot(0)
    plotter.remove_plot(3)
    plotter.clear_all_plots()
    show("drawings", sorted(path.name for path in FOLDER.glob("plot_*")))
    show("kinds of drawings", [kind.name for kind in PlotTypes])


def projections() -> None:
    """Weights, and the synapses that carry them."""
    pynn.setup(enable_neuron_bypass=True)
    source = pynn.Population(3, pynn.cells.SpikeSourceArray(spike_times=[0.01, 0.02]), label="source")
    neurons = pynn.Population(2, pynn.cells.HXNeuron(), label="neurons")
    neurons.record("spikes")
    projection = pynn.connect(source, neurons, weight=10, receptor_type="excitatory")
    show("connected", (len(projection), projection.size(), projection.shape, projection.MULTI_SYNAPSE_OPERATIONS.keys()))
    projection.annotate(purpose="relay")
    show("described", projection.describe())
    refused("placed before the mapping", lambda: projection.placed_connections)
    projection.set(weight=np.array([[1, 2], [3, 4], [5, 100]]))
    projection.set(weight=[1, 2, 3, 4, 5, 42.5])
    show("array", projection.get("weight", format="array").tolist())
    show("list", projection.get(["weight", "delay"], format="list"))
    connection = projection.connections[-1]
    connection.weight = 63.0
    show("connection", connection.as_tuple("presynaptic_index", "postsynaptic_index", "weight", "delay"))
    show("in the populations", (connection.pop_pre_index, connection.pop_post_index, sum(one.weight for one in projection), projection[0].weight))
    refused("wrong sign", lambda: projection.set(weight=-1))
    refused("delay", lambda: projection.set(delay=1))
    projection.save("weight", str(FOLDER / "weights.txt"), format="list")
    show("saved", len((FOLDER / "weights.txt").read_text().splitlines()))
    refused("initial values of synapses", lambda: projection.initialize(u=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        projection.setWeights(20)
        projection.setDelays(0)
        projection.randomizeWeights(RandomDistribution("uniform_int", low=1, high=63, rng=NumpyRNG(6)))
        refused("random delays", lambda: projection.randomizeDelays(RandomDistribution("uniform", low=1, high=2, rng=NumpyRNG(7))))
        show("getWeights", np.asarray(projection.getWeights("array")).shape)
        show("getDelays", np.asarray(projection.getDelays("array")).tolist())
        projection.printWeights(str(FOLDER / "old.txt"))
        projection.printDelays(str(FOLDER / "old.txt"))
        projection.saveConnections(str(FOLDER / "old.txt"))
        show("histogram", projection.weightHistogram(min=0, max=63, nbins=3)[0].tolist())
        refused("setSynapseDynamics", lambda: projection.setSynapseDynamics("U", 0.5))
        refused("getSynapseDynamics", lambda: projection.getSynapseDynamics("U"))
        refused("randomizeSynapseDynamics", lambda: projection.randomizeSynapseDynamics("U", RandomDistribution("uniform", low=0, high=1)))
    projection.set(weight=63)
    connection.weight = 100
    pynn.run(0.05)
    placed = projection.placed_connections
    show("synapses of each connection", [len(synapses) for synapses in placed])
    show("weights of the last", [synapse.weight for synapse in placed[-1]])
    show("place of the first", (int(placed[0][0].synapse_row), int(placed[0][0].synapse_on_row)))
    show("relayed", [len(train) for train in neurons.get_data().segments[0].spiketrains])
    refused("observable of static synapses", lambda: projection.get_data("weights"))
    pynn.end()


def compartments() -> None:
    """A neuron of two compartments, selected by label."""
    dendrite = morphology.Compartment(positions=[1], label="dendrite", connect_conductance=[(1, 500)], leak_v_leak=500)
    soma = morphology.Compartment(positions=[0], label="soma", connect_shared_line=[0], leak_v_leak=600)
    two = morphology.create_mc_neuron("Two", [soma, dendrite], connections=[morphology.SharedLineConnection(start=0, stop=1, row=0)])
    show("labels", (two.get_labels(), two.get_label(1), [int(one) for one in two.get_compartment_ids(["dendrite"])], issubclass(two, morphology.McNeuronBase)))
    pynn.setup()
    neurons = pynn.Population(2, two(leak_i_bias=300, membrane_capacitance_capacitance=63), label="two compartments")
    show("v_leak by compartment", neurons.get("leak_v_leak").value)
    neurons.set(leak_v_leak=morphology.McCircuitParameters([[610], [510]]))
    source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=[0.02]))
    static = pynn.synapses.StaticSynapse(weight=63)
    to_dendrite = pynn.Projection(source, neurons, pynn.AllToAllConnector(location_selector="dendrite"), static)
    from_soma = pynn.Projection(neurons[0:1], neurons[1:2], pynn.OneToOneConnector(source_location_selector="soma", location_selector="dendrite"), static)
    show("compartments of a projection", (int(to_dendrite.post_compartment), int(from_soma.pre_compartment)))
    neurons[0:1].record("v", locations=["soma", "dendrite"], device="cadc")
    pynn.run(0.05)
    signals = neurons.get_data("v", locations=["soma", "dendrite"]).segments[0].irregularlysampledsignals
    show("recorded compartments", [signal.annotations["source_locations"] for signal in signals])
    show("only the soma", len(neurons.get_data("v", locations=["soma"]).segments[0].irregularlysampledsignals))
    refused("a compartment that does not exist", lambda: neurons.record("v", locations=["axon"]))
    pynn.end()


def injected_accesses() -> None:
    """Registers written and read around a run, and in the middle of it."""
    half = pynn.hal.Timer.Value(500 * int(pynn.hal.Timer.Value.fpga_clock_cycles_per_us))
    counters = pynn.hal.CrossbarOutputConfig()
    for output in pynn.halco.iter_all(pynn.halco.CrossbarOutputOnDLS):
        counters.enable_event_counter[output] = True
    begin = pynn.sta.PlaybackProgramBuilder()
    ticket = begin.read(pynn.halco.CommonNeuronBackendConfigOnDLS(0))
    inside = pynn.sta.AbsoluteTimePlaybackProgramBuilder()
    backend = pynn.lola.Chip().neuron_block.backends[pynn.halco.CommonNeuronBackendConfigOnDLS(0)]
    config = pynn.InjectedConfiguration(
        pre_non_realtime={pynn.halco.CommonNeuronBackendConfigOnDLS(0): backend},
        pre_realtime={pynn.halco.CrossbarOutputConfigOnDLS(): counters},
        inside_realtime_begin=begin,
        inside_realtime=inside,
        inside_realtime_end={},
        post_realtime={},
    )
    outputs = set(pynn.halco.iter_all(pynn.halco.CrossbarOutputOnDLS))
    readout = pynn.InjectedReadout(
        pre_realtime=set(outputs),
        inside_realtime_begin={pynn.halco.CommonNeuronBackendConfigOnDLS(1)},
        inside_realtime_end={pynn.halco.SynramOnDLS(1)},
        post_realtime={*outputs, pynn.halco.SynramOnDLS(0)},
    )
    pynn.setup(enable_neuron_bypass=True, injected_config=config, injected_readout=readout)
    neuron = pynn.Population(1, pynn.cells.HXNeuron())
    neuron.record("spikes")
    source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=np.arange(0.05, 1, 0.1)))
    projection = pynn.Projection(source, neuron, pynn.OneToOneConnector(), pynn.synapses.StaticSynapse(weight=0))
    refused("statistics before the mapping", pynn.get_backend_statistics)
    refused("symbols before a run", pynn.get_post_realtime_read_ppu_symbols)
    pynn.run(None, pynn.RunCommand.PREPARE)
    synapse = projection.placed_connections[0][0]
    row = pynn.lola.SynapseWeightRow()
    row.values[synapse.synapse_on_row] = 63
    inside.write(half, synapse.synapse_row.toSynapseWeightRowOnDLS(), row)
    pynn.run(1)
    show("spikes of the second half", len(neuron.get_data().segments[0].spiketrains[0]))
    before, after = pynn.get_pre_realtime_read(), pynn.get_post_realtime_read()
    show("counted", [int(after[output].value) - int(before[output].value) for output in sorted(outputs)][:9])
    show("weights read", int(after[pynn.halco.SynramOnDLS(0)].weights.to_numpy().sum()))
    state = pynn.simulator.state
    show("at the begin and end", (ticket.get() == backend, len(state.inside_realtime_begin_read), len(state.inside_realtime_end_read)))
    show("symbols", pynn.get_post_realtime_read_ppu_symbols()[pynn.grenade_common.ChipOnConnection()])
    show("the same by the older module", pynn.grenade.common.ChipOnConnection() == pynn.grenade_common.ChipOnConnection())
    pynn.end()
    refused("reads without an experiment", pynn.get_pre_realtime_read)


def relays_pads_and_large_networks() -> None:
    """A connection of one's own, pads, and more neurons than the chip has."""
    import dlens_vx_v3 as dlens

    with dlens.hxcomm.ManagedConnection() as connection:
        pynn.setup(enable_neuron_bypass=True, connection=connection)
        neurons = pynn.Population(600, pynn.cells.HXNeuron(), label="more than there are")
        neurons.record("spikes")
        source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=[0.01, 0.03]))
        pynn.Projection(source, neurons, pynn.AllToAllConnector(), pynn.synapses.StaticSynapse(weight=63))
        pynn.run(0.05)
        counts = list(neurons.get_spike_counts().values())
        show("relays that fired", (len(counts), sum(counts)))
        show("executions", len(pynn.get_backend_statistics().get_execution_instances()))
        pynn.end()
    pynn.setup()
    neurons = pynn.Population(4, pynn.cells.HXNeuron(**LEAK_OVER_THRESHOLD))
    for number, device in enumerate(("pad_0", "pad_1_unbuffered")):
        neurons[number : number + 1].record("v", device=device)
    neurons.record("v")
    refused("a second neuron on a pad", lambda: neurons[2:3].record("v", device="pad_0"))
    refused("another variable of the same neuron", lambda: neurons[0:1].record("adaptation"))
    refused("a device that does not exist", lambda: neurons.record("v", device="oscilloscope"))
    pynn.run(0.02)
    show("neurons on the MADC", len(neurons.get_data().segments[0].irregularlysampledsignals))
    show("executions for the MADC", len(pynn.simulator.state.recordings[0]))
    pynn.end()


def calibrating_cells() -> None:
    """Neurons whose parameters are targets, their result, and what is made of it."""
    for celltype in (pynn.cells.CalibHXNeuronCuba, pynn.cells.CalibHXNeuronCoba):
        pynn.setup()
        neurons = pynn.Population(2, celltype(v_rest=[80, 90], tau_m=10))
        show("target", neurons.get(["v_rest", "tau_m"]))
        refused("its result before a run", lambda neurons=neurons: neurons.actual_hwparams)
        neurons.set(synapse_dac_bias=[500, 600])
        refused("two currents of the synapses", lambda: pynn.run(0.1))
        pynn.reset()
        neurons.set(synapse_dac_bias=600)
        pynn.run(None, pynn.RunCommand.PREPARE)
        show("targets of the calibration", neurons.calib_target["v_rest"])
        show("found and used", neurons.calib_hwparams[0].leak.v_leak == neurons[0:1].actual_hwparams[0].leak.v_leak)
        neurons[1:2].actual_hwparams[0].leak.v_leak = 1022
        neurons.record("spikes")
        pynn.run(0.1)
        show(f"spikes of {celltype.__name__}", [len(train) for train in neurons.get_data().segments[-1].spiketrains])
        pynn.end()


RECORDING_KERNEL = """
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"
using namespace grenade::vx::ppu;
int32_t calls = 7;

template <size_t N, size_t M>
void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, N>&, std::array<NeuronViewHandle, M>&, Recording& recording)
{
    recording.a[0] = ++calls;
}
"""


def plasticity() -> None:
    """Rules, what they record, and symbols."""
    injected = pynn.InjectedReadout()
    injected.ppu_symbols = {"calls"}
    pynn.setup(injected_readout=injected)
    timer = pynn.Timer(start=0.1, period=0.1, num_periods=3, note="kept")
    show("timer", (timer.start, timer.period, timer.num_periods, timer.parameters))
    rule_type = pynn.PlasticityRule
    observables = {
        "w": rule_type.ObservablePerSynapse(rule_type.ObservablePerSynapse.Type.int8, rule_type.ObservablePerSynapse.LayoutPerRow.complete_rows),
        "v": rule_type.ObservablePerNeuron(rule_type.ObservablePerNeuron.Type.uint8, rule_type.ObservablePerNeuron.Layout.packed_active_columns),
        "a": rule_type.ObservableArray(),
    }
    observables["a"].size = 4
    show("kernel", "PLASTICITY_RULE_KERNEL" in rule_type(timer=timer).generate_kernel())
    rule = type("Rule", (rule_type,), {"generate_kernel": lambda self: RECORDING_KERNEL})(timer=timer, observables=observables, same_id=1)
    neurons = pynn.Population(2, pynn.cells.HXNeuron(plasticity_rule=rule), label="plastic neurons")
    source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=[0.01]))
    plastic = pynn.Projection(source, neurons, pynn.AllToAllConnector(), pynn.synapses.PlasticSynapse(weight=63, plasticity_rule=rule))
    show("attached to", (len(rule.populations), len(rule.projections)))
    refused("observable of a projection", lambda: plastic.get_data("w"))
    refused("observable of a population", lambda: neurons.get_plasticity_data("v"))
    refused("observable of a view", lambda: neurons[0:1].get_plasticity_data("v"))
    refused("observable of a rule", lambda: rule.get_observable_array("a"))
    refused("observable of another kind", lambda: rule.get_observable_array("w"))
    pynn.run(1)
    show("times and arrays", [(sample.time.value(), sample.time.toint(), sample.data) for sample in rule.get_observable_array("a")[0]])
    values, cells = plastic.get_data("w")[0], neurons[0:1].get_plasticity_data("v")[0]
    show("sizes of observables", [[np.shape(sample.data) for sample in values], [len(sample.data) for sample in cells]])
    show("symbols", pynn.get_post_realtime_read_ppu_symbols()[pynn.grenade_common.ChipOnConnection()]["calls"])
    pynn.end()

    pynn.setup()
    neurons = pynn.Population(1, pynn.cells.HXNeuron())
    source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=[0.01]))
    recording = pynn.synapses.StaticRecordingSynapse(timer=timer, weight=1, observables={"weights", "correlation_causal"})
    read = pynn.Projection(source, neurons, pynn.OneToOneConnector(), recording)
    pynn.run(1)
    show("recorded weights", read.get_data("weights")[0][0].data)
    show("recorded correlation", read.get_data("correlation_causal")[0][0].data)
    for group in (neurons, neurons[0:1]):
        for name in ("actual_hwparams", "calib_hwparams", "calib_target"):
            refused(f"{name} of cells without calibration", lambda group=group, name=name: getattr(group, name))
    pynn.end()


def what_is_missing() -> None:
    """Sources at the pins."""
    pynn.setup()
    show("kinds of sources", issubclass(pynn.cells.OffChipSource, pynn.cells.SpikeIOCell))
    refused("source without labels", lambda: pynn.cells.OffChipSource(label=None))
    pynn.Population(1, pynn.cells.OffChipSource(enable_internal_loopback=True, data_rate_scaler=1, label=[3]))
    refused("OffChipSource", lambda: pynn.run(0.1))
    pynn.end()
    show("bases", [base.__name__ for base in (cells.StandardCellType, cells.NeuronCellType, cells.ExternalNeuron)])
    show("errors and base library", (issubclass(pynn.errors.ConnectionError, Exception), pynn.common.Population.__name__, synapses.StaticSynapse.__name__))


EXPERIMENTS = (
    set_up_and_ask,
    one_neuron,
    populations_and_views,
    older_names,
    sources_and_synapses,
    connectors,
    projections,
    compartments,
    injected_accesses,
    relays_pads_and_large_networks,
    calibrating_cells,
    plasticity,
    what_is_missing,
)


def main() -> None:
    for experiment in EXPERIMENTS:
        print(f"\n--- {experiment.__name__}")
        experiment()


if __name__ == "__main__":
    main()
