"""A rule that sets all weights to zero in the middle of the experiment."""

import textwrap
from typing import Any

import numpy as np

import pynn_brainscales.brainscales2 as pynn
from pynn_brainscales.brainscales2.examples.external_input import cell_params

__all__ = ["PlasticityRule", "cell_params", "main"]


class PlasticityRule(pynn.PlasticityRule):
    """Sets the weights of its synapses to zero."""

    def __init__(self, timer: pynn.Timer) -> None:
        super().__init__(timer, observables={})

    def generate_kernel(self) -> str:
        """Return the source of the rule."""
        return textwrap.dedent(
            """\
            #include <array>
            #include "grenade/vx/ppu/neuron_view_handle.h"
            #include "grenade/vx/ppu/synapse_array_view_handle.h"
            #include "libnux/vx/location.h"

            extern volatile libnux::vx::PPUOnDLS ppu;

            void PLASTICITY_RULE_KERNEL(
                std::array<grenade::vx::ppu::SynapseArrayViewHandle, 1>& synapses, std::array<grenade::vx::ppu::NeuronViewHandle, 0>&)
            {
                auto& view = synapses[0];
                if (view.hemisphere != ppu) {
                    return;
                }
                grenade::vx::ppu::SynapseArrayViewHandle::Row row;
                for (size_t column = 0; column < 256; ++column) {
                    row[column] = 0;
                }
                for (size_t i = 0; i < view.rows.size(); ++i) {
                    view.set_weights(row, i);
                }
            }
            """
        )


def main(params: dict[str, Any]) -> Any:
    """Return the spike train of a neuron that loses its input after 5 ms."""
    pynn.setup()
    neuron = pynn.Population(1, pynn.cells.HXNeuron(**params))
    neuron.record(["spikes", "v"])
    source = pynn.Population(1, pynn.cells.SpikeSourceArray(spike_times=np.arange(0, 10, 0.01)))
    rule = PlasticityRule(pynn.Timer(start=5, period=10, num_periods=1))
    synapse = pynn.synapses.PlasticSynapse(weight=63, plasticity_rule=rule)
    pynn.Projection(source, neuron, pynn.AllToAllConnector(), synapse_type=synapse)
    pynn.run(10)
    spiketrain = neuron.get_data("spikes").segments[-1].spiketrains[0]
    pynn.end()
    return spiketrain


if __name__ == "__main__":
    print(main(cell_params))
