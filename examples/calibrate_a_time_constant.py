"""Calibrate to a wished time constant: the neurons of one chip as fast or as slow as asked for.

Bands of 64 neurons are asked for membrane time constants from 5 to 40 us. A calibration by measurement finds the bias of each leak, by nothing but the decay
that the converter shows after a constant current. Then the decays are recorded again, directly, and compared with those at one and the same bias for all, with
which the notebook ts_02-adex_complex_dynamics and most others of brainscales2-demos set time constants by hand. Run time: about 12 s.
"""

import matplotlib.pyplot as plt
import numpy as np

import neckar
from neckar.calibration import PotentialTarget, calibrate
from neckar.program import Events, Probe, Program, Record, Snippet, ticks

WISHED_US = np.repeat([5.0, 7.0, 10.0, 14.0, 18.0, 24.0, 31.0, 40.0], 64)
ON_S, OFF_S, STEP_S, TRIALS = 250e-6, 300e-6, 0.5e-6, 16


def decays(lab, codes):
    """Return time (us), shape (sample,), and how far membranes are from rest after a current, relative to the start, shape (sample, circuit)."""
    whole = {**codes, "threshold_enable": np.zeros(512, bool), "constant_current_i_offset": np.full(512, 60, np.uint16)}
    pieces = [Snippet(ticks(s), {"constant_current_enable": np.full(512, state)}) for s, state in ((ON_S, True), (OFF_S, False))]
    record = Record(spikes=(), probe=(Probe(("v",), tuple(range(512)), ticks(STEP_S)),))
    program = Program(machine="brainscales2", config=whole, snippets=pieces, record=record, entries=Events.empty(TRIALS))
    trace = lab.run(program).probe[0].value[:, 0].mean(axis=0)
    fall = trace[round(ON_S / STEP_S) + 1 :]
    rest = trace[-80:].mean(axis=0)
    return 1e6 * STEP_S * np.arange(len(fall)), (fall - rest) / (fall[0] - rest)


def time_constants(time, fall):
    """Return the time constant of each decay, us: a line through its logarithm down to a fifth."""
    ends = np.argmax(fall < 0.2, axis=0)
    return np.array([-1 / np.polyfit(time[:end], np.log(trace[:end]), 1)[0] for end, trace in zip(ends, fall.T, strict=True)])


def measure():
    """Return the calibration, and for one bias for all and for the calibrated codes the decays and their time constants."""
    lab = neckar.Lab(instruments="open")
    found = calibrate(lab.specimen, PotentialTarget(tau_mem_s=1e-6 * WISHED_US), "measurement", lab.effects)
    alike = {**found.fields, "leak_i_bias": np.full(512, 150, np.uint16), "leak_enable_division": np.zeros(512, bool)}
    results = {}
    for name, codes in (("one bias for all (150)", alike), ("calibrated", dict(found.fields))):
        time, fall = decays(lab, codes)
        results[name] = time, fall, time_constants(time, fall)
    return found, results


def main():
    """Print how far time constants are from what was wished, and draw decays and time constants; return what was measured."""
    found, results = measure()
    figure, panels = plt.subplots(2, 2, figsize=(10, 7), layout="constrained", sharex="col")
    for (left, right), (name, (time, fall, tau)) in zip(panels, results.items(), strict=True):
        error = tau / WISHED_US - 1
        print(f"{name}: time constants {tau.min():.1f} to {tau.max():.1f} us, median error {100 * np.median(np.abs(error)):.1f} %")
        for number, wish in enumerate(np.unique(WISHED_US)):
            left.plot(time, fall[:, wish == WISHED_US][:, ::16], color=f"C{number}", lw=0.7)
        left.set(xlim=(0, 60), ylim=(0, 1), ylabel="distance from rest", title=f"{name}: decays of 32 neurons")
        right.plot(WISHED_US, color="C3", lw=1, label="wished")
        right.plot(tau, ".", ms=3, label="recorded")
        right.set(ylim=(0, 50), ylabel="time constant [us]", title="all neurons")
    panels[0, 1].legend(frameon=False)
    panels[1, 0].set_xlabel("hardware time [us]")
    panels[1, 1].set_xlabel("neuron circuit")
    figure.suptitle(f"virtual chip {found.provenance['chip']}: membrane time constants as wished")
    plt.savefig("calibrate_a_time_constant.png", dpi=150)
    return found, results


if __name__ == "__main__":
    main()
