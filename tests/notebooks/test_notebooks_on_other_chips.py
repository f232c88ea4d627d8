"""The experiments of the published notebooks on five other virtual chips: at least four of five lie in the wide bands."""

import measures
import pytest
from test_notebook_calibration import equal_rates, potential_lines
from test_notebook_dynamic_range import dynamic_range
from test_notebook_lif_parameters import leak_conductance, leak_sweep
from test_notebook_multicompartment import chain
from test_notebook_multiple_configs import painting
from test_notebook_single_neuron import fixed_pattern, leak_over_threshold, silent_neuron, stimulation
from test_notebook_superspike import training

import neckar

CHIPS = range(1, 6)
EXPERIMENTS = (
    *(silent_neuron, leak_over_threshold, fixed_pattern, stimulation, leak_sweep, leak_conductance, training, chain, dynamic_range, painting),
    *(potential_lines, equal_rates),
)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.__name__)
def test_four_of_five_chips_lie_in_the_wide_bands(experiment):
    outside = {}
    for chip in CHIPS:
        with neckar.Lab(chip=chip):
            outside[chip] = measures.outside(experiment(), reference=False)
    assert sum(not values for values in outside.values()) >= 4, outside
