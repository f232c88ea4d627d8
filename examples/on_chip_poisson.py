"""Poisson spikes made on the chip: a generator fires neurons past their membrane, which drive others.

A random generator with four labels sends events to four bypassed neurons; each fires at every event with its label and passes it on to one target
neuron, whose membrane shows the shot noise. No event comes from outside. The intervals of the relays are those of a Poisson process. There is no
notebook of this in brainscales2-demos; the generator is that of the notebook fp_sudoku, the bypass that of pynn-brainscales' tests. Run time: about 3 s.
"""

import matplotlib.pyplot as plt
import numpy as np

import neckar
from neckar.chip.config import ChipConfig
from neckar.facts import brainscales2 as facts
from neckar.network import BackgroundPopulation, Network, NeuronPopulation, Projection, Section, build_program, map_network
from neckar.program import TICKS_PER_US, MadcChannel, Record

RATE_HZ, DURATION_US, RELAYS = 40e3, 5000, 4
EVERY_NS = 100  # one draw of the generator

RELAY = {"event_routing_enable_bypass_excitatory": True, "refractory_period_refractory_time": 40}
TARGET = {
    "membrane_capacitance_capacitance": 63,
    "leak_v_leak": 700,
    "leak_i_bias": 150,
    "excitatory_input_enable": True,
    "excitatory_input_enable_small_capacitance": False,
    "excitatory_input_i_bias_tau": 107,
    "excitatory_input_i_bias_gm": 500,
    "excitatory_input_i_shift_reference": 310,
}


def one_to_one(label, pre, post, weight):
    """Return a projection of neuron k to neuron k."""
    index = np.arange(RELAYS)
    return Projection(label, pre, post, "excitatory", index, index, np.full(RELAYS, weight))


def network():
    """Return generator, relays and targets: RATE_HZ for each of the four labels."""
    period = round(EVERY_NS * 1e-9 * facts.EVENT_CLOCK.value) - 1
    chance = RELAYS * RATE_HZ * EVERY_NS * 1e-9
    generator = BackgroundPopulation("generator", RELAYS, period, rate=round(256 * chance) - 1, seed=7)
    relays, targets = (
        NeuronPopulation(name, RELAYS, {field: np.full(RELAYS, code) for field, code in codes.items()})
        for name, codes in (("relays", RELAY), ("targets", TARGET))
    )
    return Network((generator, relays, targets), (one_to_one("to relays", 0, 1, 63), one_to_one("to targets", 1, 2, 30)))


def measure():
    """Return the relays' spike times (us), and time (us) and membrane (LSB) of the first target."""
    mapped = map_network(network(), base=ChipConfig.default())
    relays, target = mapped.placement.circuits[1], int(mapped.placement.circuits[2][0])
    record = Record(spikes=tuple(int(circuit) for circuit in relays), madc=(MadcChannel(target),))
    program = build_program([Section(mapped, DURATION_US * TICKS_PER_US, record)], held=None)
    recording = neckar.current_lab().run(program)
    trains = [recording.spikes.tick[recording.spikes.circuit == circuit] / TICKS_PER_US for circuit in relays]
    return trains, recording.madc[0].tick / TICKS_PER_US, recording.madc[0].value.astype(float)


def main():
    """Print rates and regularity, and draw membrane, spikes and intervals."""
    trains, time, membrane = measure()
    intervals = np.concatenate([np.diff(train) for train in trains])
    rates = [1e3 * len(train) / DURATION_US for train in trains]
    print(f"rates of the relays: {', '.join(f'{rate:.1f}' for rate in rates)} kHz (asked: {RATE_HZ / 1e3:.0f} kHz)")
    print(f"coefficient of variation of the intervals: {intervals.std() / intervals.mean():.2f} (Poisson: 1)")
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", width_ratios=(2, 1))
    shown = time < 500
    left.plot(time[shown], membrane[shown], lw=0.8)
    left.vlines(trains[0][trains[0] < 500], membrane.min() - 12, membrane.min() - 4, color="k", lw=0.8, label="spikes of its relay")
    left.set(xlabel="hardware time [us]", ylabel="membrane of a target [LSB of the MADC]")
    left.legend(frameon=False)
    right.hist(intervals, bins=np.linspace(0, 150, 31), density=True, color="C0", alpha=0.6, label="relays")
    grid = np.linspace(0, 150, 200)
    right.plot(grid, RATE_HZ * 1e-6 * np.exp(-grid * RATE_HZ * 1e-6), "C3", label="Poisson")
    right.set(xlabel="interval [us]", ylabel="density [1/us]")
    right.legend(frameon=False)
    figure.suptitle(f"virtual chip {neckar.current_lab().specimen.id}: Poisson spikes from a background generator")
    plt.savefig("on_chip_poisson.png", dpi=150)


if __name__ == "__main__":
    main()
