"""One experiment by a new user who calls every public function of the PyNN front end once; ``python tests/compat/every_function.py`` prints what it saw.

``tests/unit/test_pynn_every_function.py`` runs it and checks that no name of ``pynn.__all__`` is missing here.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from pyNN.core import IndexBasedExpression
from pyNN.random import NumpyRNG

import pynn_brainscales.brainscales2 as pynn
from pynn_brainscales.brainscales2.morphology import Compartment, McCircuitParameters, SharedLineConnection, create_mc_neuron

FIRING = {
    **{"leak_v_leak": 1000, "leak_i_bias": 200, "threshold_enable": True, "threshold_v_threshold": 300, "reset_v_reset": 400},
    **{"reset_i_bias": 1022, "reset_enable_multiplication": True, "membrane_capacitance_capacitance": 63, "refractory_period_refractory_time": 120},
}
RUNTIME = 0.1  # ms


def main() -> dict[str, Any]:
    """Run the experiment and return what it saw."""
    seen: dict[str, Any] = {}
    log = pynn.logger.get("every_function")
    pynn.logger.set_loglevel(log, pynn.logger.LogLevel.WARN)
    chip = pynn.lola.Chip()
    for circuit in pynn.halco.iter_all(pynn.halco.AtomicNeuronOnDLS):
        chip.neuron_block.atomic_neurons[circuit].leak.i_bias = 150
    outputs = set(pynn.halco.iter_all(pynn.halco.CrossbarOutputOnDLS))
    counting = pynn.hal.CrossbarOutputConfig()
    for output in outputs:
        counting.enable_event_counter[output] = True
    begin = pynn.sta.PlaybackProgramBuilder()
    begin.write(pynn.halco.CrossbarOutputConfigOnDLS(), counting)
    pynn.setup(
        initial_config=chip,
        neuronPermutation=list(range(511, -1, -1)),
        backgroundPermutation=[0, 1],
        injected_config=pynn.InjectedConfiguration(pre_realtime=begin),
        injected_calib_target=pynn.SpikingCalibTarget(),
        injected_calib_options=pynn.SpikingCalibOptions(),
        injected_readout=pynn.InjectedReadout(pre_realtime=outputs, post_realtime=outputs),
    )
    populations = _populations(seen)
    _projections(seen, *populations)
    _runs(seen, populations)
    pynn.end()
    return seen


def _populations(seen: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    """Create cells of all types that run, read and write their parameters in all ways."""
    sources = pynn.Population(4, pynn.cells.SpikeSourceArray(spike_times=[0.02, 0.04]), structure=pynn.space.Line(), label="given")
    firing = pynn.Population(4, pynn.cells.HXNeuron(**FIRING), label="firing")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyNN's older interface, and of initial values
        target = pynn.create(pynn.cells.HXNeuron, {"leak_v_leak": 600}, n=4)
        pynn.initialize(target, v=0)
    seen["start value"] = target.get("leak_i_bias")
    firing.set(leak_i_bias=[200, 210, 220, 230])
    firing[1].leak_i_bias = 250
    view = pynn.PopulationView(firing, [0, 1])
    pynn.set(view, leak_v_leak=990)
    both = pynn.Assembly(sources, firing, label="both")
    seen["sizes"] = (len(view), both.size, firing[2:].sample(1, rng=NumpyRNG(seed=1)).size)
    chain = create_mc_neuron(
        "Chain",
        [
            Compartment(positions=[0], label="soma", connect_shared_line=[0]),
            Compartment(positions=[1], label="dendrite", connect_conductance=[(1, 300)], leak_v_leak=500),
        ],
        [SharedLineConnection(0, 1, 0)],
    )
    chains = pynn.Population(1, chain(membrane_capacitance_capacitance=63))
    chains.set(leak_i_bias=McCircuitParameters([[300], [310]]))
    seen["chain"] = chains.get(["leak_v_leak", "leak_i_bias"])
    both.record("spikes")
    pynn.record("v", firing[0:1], str(Path(tempfile.mkdtemp()) / "membrane.pkl"))
    chains.record("v", locations=["dendrite"], device="cadc")
    return sources, firing, target, chains


def _projections(seen: dict[str, Any], sources: Any, firing: Any, target: Any, chains: Any) -> None:
    """Connect with every connector."""
    rng = NumpyRNG(seed=2)
    synapse = pynn.synapses.StaticSynapse(weight=9)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "connections.txt").write_text('# columns = ["i", "j", "weight"]\n0 1 7\n2 3 8\n', encoding="utf-8")
        connectors = [
            pynn.AllToAllConnector(),
            pynn.OneToOneConnector(),
            pynn.FixedProbabilityConnector(0.5, rng=rng),
            pynn.DistanceDependentProbabilityConnector("d < 2", rng=rng),
            pynn.DisplacementDependentProbabilityConnector(lambda d: np.abs(d[0]) < 2, rng=rng),
            pynn.IndexBasedProbabilityConnector(Even(), rng=rng),
            pynn.FromListConnector([(0, 0, 5, 0), (1, 2, 6, 0)]),
            pynn.FromFileConnector(str(Path(folder) / "connections.txt")),
            pynn.FixedNumberPreConnector(2, rng=rng),
            pynn.FixedNumberPostConnector(2, rng=rng),
            pynn.FixedTotalNumberConnector(5, rng=rng),
            pynn.ArrayConnector(np.eye(4, dtype=bool)),
        ]
        assert all(isinstance(connector, pynn.Connector) for connector in connectors)
        projections = [pynn.Projection(sources, target, connector, synapse) for connector in connectors]
    try:
        pynn.Projection(sources, target, pynn.SmallWorldConnector(1.5, 0.1), synapse)
    except NotImplementedError as error:
        seen["small world"] = str(error)  # PyNN 0.13 has no such connector besides its name
    projections.append(pynn.Projection(sources, target, pynn.CloneConnector(projections[1]), synapse))
    try:
        projections.append(pynn.Projection(sources, target, pynn.CSAConnector(_cset()), synapse))
    except ImportError:
        seen["csa"] = "not installed"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pynn.connect(firing, target, weight=3)
    dendrite = pynn.Projection(firing, chains, pynn.AllToAllConnector(location_selector="dendrite"), synapse, receptor_type="excitatory")
    projections[0].set(weight=np.arange(16).reshape(4, 4))
    projections[1][0].weight = 70
    try:
        projections[1].set(weight=-1)
    except pynn.errors.ConnectionError as error:
        seen["refused"] = str(error)
    pynn.run(None, pynn.RunCommand.PREPARE)
    seen["connections"] = [len(projection) for projection in projections]
    seen["weights"] = projections[0].get("weight", format="array")
    seen["synapses of one connection"] = len(projections[1].placed_connections[0])
    seen["compartment"] = int(dendrite.post_compartment)


def _runs(seen: dict[str, Any], populations: tuple[Any, ...]) -> None:
    """Run in all ways."""
    sources, firing, _, chains = populations
    pynn.run(RUNTIME, pynn.RunCommand.APPEND)
    sources.set(spike_times=[RUNTIME + 0.03])
    pynn.run(RUNTIME)
    seen["time"] = pynn.get_current_time()
    seen["spikes"] = [len(spiketrain) for spiketrain in firing.get_data("spikes").segments[-1].spiketrains]
    seen["sent"] = [len(spiketrain) for spiketrain in sources.get_data("spikes").segments[-1].spiketrains]
    seen["samples"] = len(firing.get_data("v").segments[-1].irregularlysampledsignals[0])
    seen["location"] = chains.get_data("v").segments[-1].irregularlysampledsignals[0].annotations["source_locations"]
    pynn.reset()
    pynn.run_for(RUNTIME)
    pynn.reset()
    pynn.run_until(RUNTIME)
    _information(seen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pynn.reset()
        pynn.preprocess()
    seen["segments"] = len(firing.get_data().segments)


def _information(seen: dict[str, Any]) -> None:
    """Ask for all that can be asked."""
    seen["state"] = (pynn.get_time_step(), pynn.get_min_delay(), pynn.get_max_delay(), pynn.num_processes(), pynn.rank())
    seen["placement"] = pynn.simulator.state.neuron_placement.id2first_circuit(pynn.simulator.state.populations[1][0])
    before, after = pynn.get_pre_realtime_read(), pynn.get_post_realtime_read()
    seen["events"] = sum(int(after[output].value - before[output].value) for output in after)
    seen["symbols"] = pynn.get_post_realtime_read_ppu_symbols()
    seen["statistics"] = str(pynn.get_backend_statistics())
    seen["execution"] = (pynn.get_execution_instance_data(), pynn.get_execution_time_info(), pynn.get_execution_health_info())
    seen["models"] = [model.__name__ for model in pynn.list_standard_models()]
    seen["chip"] = pynn.helper.get_unique_identifier()
    seen["modules"] = (pynn.grenade.common.ChipOnConnection(), pynn.grenade_common.__name__, pynn.common.__name__)
    timer = pynn.Timer(start=0, period=1, num_periods=1)
    seen["rule"] = pynn.PlasticityRule(timer).generate_kernel()


class Even(IndexBasedExpression):  # type: ignore[misc]
    """Connects cells whose indices have an even sum."""

    def __call__(self, i: Any, j: Any) -> Any:
        return (i + j) % 2 == 0


def _cset() -> Any:
    import csa  # type: ignore[import-not-found]

    return csa.oneToOne


if __name__ == "__main__":
    for name, value in main().items():
        print(f"{name}: {value}")
