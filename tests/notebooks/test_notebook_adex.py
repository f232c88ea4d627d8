"""Firing patterns of an adaptive exponential neuron, as in the notebook ts_08 (study S03): a neuron, and its right neighbour that reads its membrane.

Below threshold the notebook's codes are run as they are. The codes of the firing patterns are not published; within the ranges of the notebook's sliders a
random search must find them.
"""

import measures
import numpy as np
from experiments import current_step

import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import halco

BEFORE_MS, STEP_MS, AFTER_MS = 0.1, 0.6, 0.3
TARGET = {
    "leak_v_leak": 700,
    "leak_i_bias": 70,
    "reset_i_bias": 1022,
    "reset_enable_multiplication": True,
    "membrane_capacitance_capacitance": 63,
    "refractory_period_refractory_time": 30,
    "refractory_period_enable_pause": True,
    "threshold_v_threshold": 620,
    "threshold_enable": True,
    "adaptation_enable": True,
    "adaptation_enable_pulse": True,
    "adaptation_v_leak": 500,
    "multicompartment_connect_right": True,
}
READER = {"membrane_capacitance_capacitance": 0, "leak_i_bias": 0, "leak_enable_division": True, "threshold_enable": False}
TRIES = 400
PATTERNS = {"transient", "adapting", "bursting"}


def respond(neuron, **codes):
    """Return membrane and adaptation state as (time in us, LSB), the spikes of the step in us after its start, and the number of other spikes."""
    pynn.setup(neuronPermutation=[neuron, neuron + 1])
    population = pynn.Population(2, pynn.cells.HXNeuron())
    target, reader = population[0:1], population[1:2]
    target.set(**TARGET, **codes)
    reader.set(**READER)
    target.record(["adaptation", "spikes"])
    reader.record(["v"])
    for backend in halco.iter_all(halco.CommonNeuronBackendConfigOnDLS):
        config = pynn.simulator.state.grenade_chip_config.neuron_block.backends[backend]
        config.enable_clocks = True
        config.clock_scale_fast = config.clock_scale_slow = 3
        config.clock_scale_adaptation_pulse = 7
        config.clock_scale_post_pulse = 5
    current_step(target, BEFORE_MS, STEP_MS, AFTER_MS)
    traces = []
    for recorded, variable in ((reader, "v"), (target, "adaptation")):
        pieces = [measures.trace(signal) for signal in recorded.get_data(variable).segments[0].irregularlysampledsignals]
        traces.append(tuple(np.concatenate(column) for column in zip(*pieces, strict=True)))
    spikes = target.get_data("spikes").segments[0].spiketrains
    pynn.end()
    return *traces, 1e3 * (np.asarray(spikes[1].rescale("ms").magnitude) - BEFORE_MS), len(spikes[0]) + len(spikes[2])


def test_adaptation_below_threshold_rings():
    membrane, state, spikes, others = respond(
        1, reset_v_reset=300, adaptation_v_ref=500, adaptation_i_bias_tau=100, adaptation_i_bias_a=10, constant_current_i_offset=300
    )
    assert len(spikes) + others == 0
    assert measures.outside(measures.adaptation(*membrane, 100, 700)) == {}
    times_us, values = measures.smoothed(*state)
    on, early, late = (values[(times_us > start) & (times_us < start + 10)].mean() for start in (90, 105, 690))
    assert early - on < 0.3 * (late - on)  # it follows the membrane with 100 us


def saturates(values):
    """Return whether the notebook would warn of this trace."""
    return np.mean(values < 200) > 0.2 or np.mean(values > 680) > 0.1


def pattern(spikes):
    """Return the class of a firing pattern: ``transient``, ``adapting``, ``bursting`` or something else."""
    if len(spikes) == 1 and spikes[0] < 100:
        return "transient"
    if len(spikes) < 8:
        return "other"
    intervals = np.diff(spikes)
    is_short = intervals[1:] < 0.35 * np.maximum.accumulate(intervals)[:-1]
    if is_short.sum() >= 3 and intervals[0] < 0.35 * intervals.max():
        return "bursting"
    if np.all(np.diff(intervals) > -0.1 * intervals[1:]) and intervals[-1] > 1.6 * intervals[0]:
        return "adapting"
    return "other"


def test_the_sliders_reach_every_pattern():
    rng, found = np.random.default_rng(1), set()
    for _ in range(TRIES):
        onset = int(rng.integers(650, 900))
        codes = {
            "exponential_enable": True,
            "exponential_i_bias": 300,
            "exponential_v_exp": onset,
            "reset_v_reset": int(np.clip(onset + rng.integers(-150, 100), 400, 1000)),
            "adaptation_v_ref": int(rng.integers(300, 500)),
            "adaptation_i_bias_tau": int(rng.integers(40, 250)),
            "adaptation_i_bias_a": int(rng.integers(0, 60)),
            "adaptation_i_bias_b": int(rng.integers(0, 400)),
            "constant_current_i_offset": int(rng.integers(200, 450)),
        }
        membrane, state, spikes, others = respond(0, **codes)
        if not others and not saturates(membrane[1]) and not saturates(state[1]):
            found.add(pattern(spikes))
        if found >= PATTERNS:
            break
    assert found >= PATTERNS
