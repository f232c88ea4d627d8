"""Dendritic attenuation: a postsynaptic potential gets lower and later along a chain of compartments.

Four compartments of two circuits each, connected by adjustable conductances; ten synapses excite one compartment after another, and the converter
records all four. Codes without calibration, so compartments differ in gain. After the notebook ts_03-multicompartment of brainscales2-demos, whose
figure shows peaks of 78, 50, 36 and 29 LSB at 7.2 to 16 us for an input to the first compartment. Run time: about 5 s, mostly for starting up.
"""

import matplotlib.pyplot as plt
import numpy as np

import neckar
from neckar.chip.config import ChipConfig
from neckar.program import TICKS_PER_US, Events, MadcChannel, Program, Record, Snippet

LENGTH, SYNAPSES, WEIGHT, CONDUCTANCE = 4, 10, 10, 500
EVENT_US, DURATION_US, REPEATS = 60, 130, 10
FIRST = np.arange(0, 2 * LENGTH, 2)  # leak, capacitance and synapses; the right neighbour only brings its connection to the next compartment
SECOND = FIRST + 1


def chain():
    """Return the configuration of the chain; an event with label k excites compartment k."""
    config = ChipConfig.default()
    for name, code in (
        ("membrane_capacitance_capacitance", 63),
        ("leak_v_leak", 700),
        ("leak_i_bias", 150),
        ("excitatory_input_enable", True),
        ("excitatory_input_enable_small_capacitance", False),
        ("excitatory_input_i_bias_tau", 32),  # 10 us
        ("excitatory_input_i_bias_gm", 500),
        ("excitatory_input_i_shift_reference", 310),
        ("multicompartment_connect_right", True),
    ):
        config[name, FIRST] = code
    config["multicompartment_connect_soma", FIRST[1:]] = True  # each compartment hangs on the line ...
    config["multicompartment_enable_conductance", SECOND[:-1]] = True  # ... to which the one before leads through its conductance
    config["multicompartment_connect_soma_right", SECOND[:-1]] = True
    config["multicompartment_i_bias_nmda", SECOND[:-1]] = CONDUCTANCE
    rows = np.arange(SYNAPSES) * 8  # one row of each of the drivers 0, 4, 8, ... on bus 0
    config["driver_enable_receiver", 0, rows // 2] = True
    config["driver_row_address_compare_mask"] = 0  # an event fires all of them
    config["synapse_row_mode", 0, rows] = 1
    for k, circuit in enumerate(FIRST):
        config["synapse_weight", 0, rows, circuit] = WEIGHT
        config["synapse_label", 0, rows, circuit] = k
    return config


def measure():
    """Return time after the event (us) and answers above rest (LSB), shape (stimulated, recorded, sample): means of the repeats."""
    trials = [[(EVENT_US * TICKS_PER_US, k)] for k in range(LENGTH) for _ in range(REPEATS)]
    record = Record(spikes=(), madc=tuple(MadcChannel(int(circuit)) for circuit in FIRST))
    program = Program(
        machine="brainscales2", config=chain(), snippets=(Snippet(DURATION_US * TICKS_PER_US),), entries=Events.from_lists(trials), record=record
    )
    with neckar.Lab(instruments="open") as lab:  # all four membranes at once; the real converter reads one or two
        recording = lab.run(program)
    n = len(recording.madc[0].value) // len(trials)
    time = recording.madc[0].tick[:n] / TICKS_PER_US - EVENT_US
    values = np.stack([samples.value.reshape(LENGTH, REPEATS, n).mean(axis=1) for samples in recording.madc], axis=1)
    return time, values - values[..., time < 0].mean(axis=-1, keepdims=True)


def heights(answers):
    """Return the height of each answer: the mean of its 40 largest samples."""
    return np.sort(answers, axis=-1)[..., -40:].mean(axis=-1)


def main():
    """Print the heights along the chain and draw all answers."""
    time, answers = measure()
    for k, row in enumerate(heights(answers), 1):
        print(f"input to compartment {k}: {', '.join(f'{height:.0f}' for height in row)} LSB in compartments 1 to {LENGTH}")
    figure, axes = plt.subplots(1, LENGTH, figsize=(11, 3.4), layout="constrained", sharey=True)
    for k, ax in enumerate(axes):
        for recorded in range(LENGTH):
            ax.plot(time, answers[k, recorded], lw=0.9, label=f"compartment {recorded + 1}")
        ax.set(title=f"input to compartment {k + 1}", xlabel="time after the event [us]", xlim=(-8, 60))
    axes[0].set(ylabel="membrane above rest [LSB of the MADC]")
    axes[1].legend(frameon=False)
    figure.suptitle(f"virtual chip {neckar.current_lab().specimen.id}: a chain of {LENGTH} compartments")
    plt.savefig("dendritic_attenuation.png", dpi=150)


if __name__ == "__main__":
    main()
