"""A slow, obvious reference for the mapper: what a network asks for, and what one event meets on the chip, followed bit by bit as the data sheet says.

Nothing here uses the mapper's own walk, labels or tables; only the network, the placement, the register fields, and the labels that external sources send.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from neckar.chip import ChipConfig
from neckar.network import BackgroundPopulation, MappedNetwork, Network, NeuronPopulation, SourcePopulation

MODES = ("disabled", "excitatory", "inhibitory", "both")
Synapses = Counter[tuple[int, str, int]]
"""How often an event drives a synapse of (circuit, receptor, weight)."""


def drives(config: ChipConfig, crossbar_input: int, label: int) -> Synapses:
    """Return what one event drives."""
    select, address = label >> 6 & 31, label & 63
    found: Synapses = Counter()
    for bus in range(8):
        exists = bus % 4 == crossbar_input % 4 if crossbar_input < 8 else True if crossbar_input < 12 else bus == crossbar_input - 12
        if not exists or (label & 16383 & int(config.crossbar_mask[crossbar_input, bus])) != int(config.crossbar_target[crossbar_input, bus]):
            continue
        hemisphere = bus // 4
        for position in range(32):
            driver = position * 4 + bus % 4
            mask = int(config.driver_row_address_compare_mask[hemisphere, driver])
            if not config.driver_enable_receiver[hemisphere, driver] or (select & mask) != (position & mask):
                continue
            for row in (2 * driver, 2 * driver + 1):
                mode = MODES[config.synapse_row_mode[hemisphere, row]]
                for column in np.flatnonzero((config.synapse_label[hemisphere, row] == address) & (config.synapse_weight[hemisphere, row] > 0)).tolist():
                    if mode != "disabled":
                        found[hemisphere * 256 + column, mode, int(config.synapse_weight[hemisphere, row, column])] += 1
    return found


def neuron_event(config: ChipConfig, circuit: int) -> tuple[int, int]:
    """Return crossbar input and label of a circuit's spikes."""
    output = circuit % 256 // 32
    return output, int(config.event_routing_address[circuit]) | output << 8


def background_labels(config: ChipConfig, generator: int) -> list[int]:
    """Return all labels that a generator can send, in rising order."""
    base, mask = int(config.background_label[generator]), int(config.background_mask[generator])
    if not config.background_enable_random[generator]:
        return [base]
    return sorted({base & ~mask | bits & mask for bits in range(256)})


def walked(result: MappedNetwork) -> dict[tuple[int, int, int] | str, Synapses]:
    """Return what each source drives, by (population, index, compartment); everything that is none by a name in words."""
    config = result.base.updated(result.fields)
    found: dict[tuple[int, int, int] | str, Synapses] = {}
    senders = {}
    for number, population in enumerate(result.network.populations):
        if isinstance(population, NeuronPopulation):
            for c, compartment in enumerate(population.morphology.compartments):
                if compartment.spike_master is not None:
                    for index, members in enumerate(result.placement.members[number].tolist()):
                        senders[members[compartment.spike_master]] = (number, index, c)
        elif isinstance(population, SourcePopulation):
            for index, label in zip(*(column.tolist() for column in result.routing.labels_of(number)), strict=True):
                part = drives(config, 8 + (label >> 14), label)
                found[number, index, 0] = found.get((number, index, 0), Counter()) + part
    for circuit in range(512):
        if config.event_routing_enable_digital[circuit]:
            found[senders.get(circuit, f"circuit {circuit}")] = drives(config, *neuron_event(config, circuit))
    for generator in np.flatnonzero(config.background_enable).tolist():
        number = int(result.routing.generators.population[generator])
        assert isinstance(result.network.populations[number], BackgroundPopulation)
        for index, label in enumerate(background_labels(config, generator)):
            part = drives(config, 12 + generator, label)
            found[number, index, 0] = found.get((number, index, 0), Counter()) + part
    return {source: synapses for source, synapses in found.items() if synapses}


def looped(result: MappedNetwork) -> Counter[tuple[tuple[int, int], int]]:
    """Return what comes back to the host: (population, index) and the 16 bits that the host sees, once for each event that a spike sends."""
    config = result.base.updated(result.fields)
    sent = []
    for number, population in enumerate(result.network.populations):
        if isinstance(population, SourcePopulation):
            sent += [((number, i), 8 + (label >> 14), label) for i, label in zip(*(c.tolist() for c in result.routing.labels_of(number)), strict=True)]
    for generator in np.flatnonzero(config.background_enable).tolist():
        number = int(result.routing.generators.population[generator])
        sent += [((number, i), 12 + generator, label) for i, label in enumerate(background_labels(config, generator))]
    found: Counter[tuple[tuple[int, int], int]] = Counter()
    for source, crossbar_input, label in sent:
        for output in range(8, 12):
            exists = output % 4 == crossbar_input % 4
            if exists and label & 16383 & int(config.crossbar_mask[crossbar_input, output]) == int(config.crossbar_target[crossbar_input, output]):
                found[source, label & 16383 | (output - 8) << 14] += 1
    return found


def asked(network: Network) -> dict[tuple[int, int, int], Counter[tuple[int, int, int, str, int]]]:
    """Return what the network asks of each source: (population, index, compartment, receptor, weight) of every synapse, without those of weight 0."""
    wanted: dict[tuple[int, int, int], Counter[tuple[int, int, int, str, int]]] = {}
    for projection in network.projections:
        for i, j, signed in zip(projection.pre_index.tolist(), projection.post_index.tolist(), projection.weight.tolist(), strict=True):
            receptor = projection.receptor if projection.receptor != "signed" else "excitatory" if signed > 0 else "inhibitory"
            left = abs(signed)
            while left > 0:
                synapse = projection.post, j, projection.post_compartment, receptor, min(left, 63)
                wanted.setdefault((projection.pre, i, projection.pre_compartment), Counter())[synapse] += 1
                left -= 63
    return wanted


def by_target(result: MappedNetwork, synapses: Synapses) -> Counter[tuple[int, int, int, str, int]]:
    """Return synapses with the neuron and compartment behind their circuit, checking that the circuit offers the receptor."""
    owner = {}
    for number, population in enumerate(result.network.populations):
        if isinstance(population, NeuronPopulation):
            for c, compartment in enumerate(population.morphology.compartments):
                for index, members in enumerate(result.placement.members[number].tolist()):
                    for position in compartment.circuits:
                        offered = [name for name in ("excitatory", "inhibitory") if position in compartment.offering(name)]
                        owner[members[position]] = (number, index, c), offered
    found: Counter[tuple[int, int, int, str, int]] = Counter()
    for (circuit, receptor, weight), count in synapses.items():
        site, offered = owner[circuit]
        assert receptor in offered
        found[(*site, receptor, weight)] += count
    return found


def assert_told_apart(result: MappedNetwork) -> None:
    """Assert that the host gets each event of a recorded source back once, under a label of its own, and those of others not at all."""
    back = looped(result)
    recorded = [n for n, population in enumerate(result.network.populations) if not isinstance(population, NeuronPopulation) and population.record]
    assert sorted(source for source, _ in back) == [(n, i) for n in recorded for i in range(result.network.populations[n].size)]
    assert set(back.values()) <= {1}
    assert len({label for _, label in back}) == len(back)
    named = {((n, i), label) for n in recorded for i, label in zip(*(column.tolist() for column in result.routing.looped_labels(n)), strict=True)}
    assert named == set(back)


def assert_realised(result: MappedNetwork) -> None:
    """Assert that every event of the chip drives exactly the synapses of its source, and that the host can tell all neurons apart."""
    found = {source: by_target(result, synapses) for source, synapses in walked(result).items()}
    assert found == asked(result.network)
    assert_told_apart(result)
    config = result.base.updated(result.fields)
    spikes = [neuron_event(config, circuit) for circuit in range(512)]
    if result.routing.address is not None:
        assert len(set(spikes)) == 512
    for circuit, (output, label) in enumerate(spikes):
        host = 8 + output % 4
        passes = (label & int(config.crossbar_mask[output, host])) == int(config.crossbar_target[output, host])
        assert passes, f"spikes of circuit {circuit} do not reach the host"
