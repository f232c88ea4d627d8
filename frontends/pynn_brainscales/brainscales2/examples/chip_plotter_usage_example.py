"""Draw where a synfire chain lies on the chip."""

import tempfile

import pynn_brainscales.brainscales2 as pynn
from pynn_brainscales.brainscales2.utils.chip_plotter import ChipPlotter


def setup_synfire_chain(alternating: bool, exc_pop_sizes: int, inh_pop_sizes: int, numb_pops: int, closed: bool = False) -> dict[str, list[int]]:
    """Map a chain of pairs of an excitatory and an inhibitory population, and return the numbers of the populations of each kind."""
    pynn.setup()
    sizes = {"exc": exc_pop_sizes, "inh": inh_pop_sizes}
    kinds = [*sizes] * numb_pops if alternating else [kind for kind in sizes for _ in range(numb_pops)]
    populations: dict[str, list[pynn.Population]] = {kind: [] for kind in sizes}
    numbers: dict[str, list[int]] = {kind: [] for kind in sizes}
    for number, kind in enumerate(kinds):
        populations[kind].append(pynn.Population(sizes[kind], pynn.cells.HXNeuron(refractory_period_refractory_time=50), label=f"{kind} {number}"))
        numbers[kind].append(number)
    stimulus = pynn.Population(exc_pop_sizes, pynn.cells.SpikeSourceArray(spike_times=[0]), label="stimulus")
    for kind in sizes:
        pynn.Projection(stimulus, populations[kind][0], pynn.AllToAllConnector())
    for i in range(numb_pops):
        pynn.Projection(populations["inh"][i], populations["exc"][i], pynn.AllToAllConnector(), receptor_type="inhibitory")
        if closed or i < numb_pops - 1:
            for kind in sizes:
                pynn.Projection(populations["exc"][i], populations[kind][(i + 1) % numb_pops], pynn.AllToAllConnector())
    pynn.run(None, pynn.RunCommand.PREPARE)
    return {**numbers, "stim": [len(kinds)]}


def main(folder: str) -> ChipPlotter:
    """Draw the chain in all ways into a folder."""
    plotter = ChipPlotter(population_contrast_groups=setup_synfire_chain(True, 16, 16, 5))
    for flag in (False, True):
        plotter.add_plot_chip_map(separate_view=flag)
        plotter.add_plot_matrix(plot_each_neuron=flag)
    plotter.plot_all()
    plotter.save_all(folder=folder, formats=["png"])
    pynn.end()
    return plotter


if __name__ == "__main__":
    target = tempfile.mkdtemp()
    main(target)
    print(f"drawings in {target}")
