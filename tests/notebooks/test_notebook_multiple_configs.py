"""A picture painted with spikes, as in the notebook ts_10: its columns are weights of one snippet each (study S11). The picture is our own."""

import measures
import numpy as np

import pynn_brainscales.brainscales2 as pynn

SIZE = 64
COLUMN_MS = 0.2


def picture():
    """Return a spiral as weights, shape (column, neuron). Few neurons share a column: many that relay one event at once fill the queues on its way out."""
    x, y = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    turn = np.hypot(x, y) / 14 - np.arctan2(y, x) / (2 * np.pi)
    return np.where((turn % 1 < 0.15) & (np.hypot(x, y) < SIZE / 2), 63, 0)


def painting():
    image = picture()
    pynn.setup(enable_neuron_bypass=True)
    times = np.linspace(0, COLUMN_MS * SIZE, 20 * SIZE, endpoint=False) + 1e-3  # none at the end of a snippet, where it would count for the next
    source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=times))
    neurons = pynn.Population(SIZE, pynn.cells.HXNeuron())
    neurons.record("spikes")
    synapse = pynn.synapses.StaticSynapse(weight=32)
    projection = pynn.Projection(source, neurons, pynn.AllToAllConnector(), synapse_type=synapse, receptor_type="excitatory")
    for column in image:
        projection.set(weight=column)
        pynn.run(COLUMN_MS, pynn.RunCommand.APPEND)
    pynn.run(None, pynn.RunCommand.EXECUTE)
    trains = neurons.get_data("spikes").segments[0].spiketrains
    spikes = [[] for _ in range(SIZE)]
    for train in trains:
        spikes[train.annotations["source_id"] - 1].extend(train.rescale("ms").magnitude)
    pynn.end()
    assert len(trains) == SIZE * SIZE
    measured = measures.picture(image, spikes, COLUMN_MS)
    assert measured["picture: spikes"] > 0.9 * 20 * (image > 0).sum()
    return measured


def test_snippets_paint_a_picture_with_spikes():
    assert measures.outside(painting()) == {}
