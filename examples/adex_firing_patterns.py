"""Five firing patterns of an adaptive exponential neuron, found anew on each virtual chip.

The neuron receives a current step. Which codes make it fire regularly, adapt or burst differs from chip to chip, so the script searches: it tries random
codes for reset, onset of the exponential, adaptation and current, names the pattern of each answer by its intervals, and draws the clearest example of
each. Patterns after Naud et al. 2008 (Biological Cybernetics 99:335); the demonstration on silicon is Billaudelle et al. 2022 and the notebook ts_08-adex
in brainscales2-demos. Run time: about 15 s.
"""

import matplotlib.pyplot as plt
import numpy as np

import neckar
from neckar.facts import registers
from neckar.program import TICKS_PER_US, MadcChannel, Program, Record, Snippet

CHIPS = ("reference", "chip-1")
TRIES = 300
BEFORE_US, STEP_US, AFTER_US = 250, 600, 150
CODES = {
    "membrane_capacitance_capacitance": 63,
    "leak_v_leak": 700,
    "leak_i_bias": 70,
    "reset_i_bias": 1022,
    "reset_enable_multiplication": 1,
    "refractory_period_refractory_time": 30,
    "refractory_period_enable_pause": 1,
    "threshold_v_threshold": 620,
    "exponential_enable": 1,
    "exponential_i_bias": 300,
    "adaptation_enable": 1,
    "adaptation_enable_pulse": 1,
    "adaptation_v_ref": 400,
    "adaptation_v_leak": 500,
    "backend_clock_scale_slow": 3,
    "backend_clock_scale_adaptation_pulse": 7,
}
PATTERNS = ("regular", "adapting", "initial burst", "bursting", "transient")


def whole(codes):
    """Return whole register fields with the same code in all places."""
    table = registers("brainscales2")
    return {name: np.full(table[name].shape, code, table[name].dtype) for name, code in codes.items()}


def step_response(codes, record):
    """Return the program that applies a current step to circuit 0; the fixed run seed makes an answer repeat when it is recorded again."""
    on, off = whole({"constant_current_enable": 1}), whole({"constant_current_enable": 0})
    pieces = [(BEFORE_US, off), (STEP_US, on), (AFTER_US, off)]
    snippets = [Snippet(length * TICKS_PER_US, change) for length, change in pieces]
    config = whole({**CODES, **codes}) | {"threshold_enable": np.arange(512) == 0}  # the other circuits stay silent
    return Program(machine="brainscales2", config=config, snippets=snippets, record=record, run_seed=(0, 0))


def random_codes(rng):
    """Return codes from ranges around those of the notebook."""
    onset = int(rng.integers(700, 860))
    return {
        "exponential_v_exp": onset,
        "reset_v_reset": onset + int(rng.integers(-120, 100)),
        "adaptation_i_bias_tau": int(rng.integers(40, 250)),
        "adaptation_i_bias_a": int(rng.integers(0, 40)),
        "adaptation_i_bias_b": int(rng.integers(0, 300)),
        "constant_current_i_offset": int(rng.integers(200, 450)),
    }


def pattern(spikes):
    """Return the name of a firing pattern, None if it has none of ours, and how clear it is; `spikes` in us after the start of the step."""
    inside = spikes[(spikes >= 0) & (spikes < STEP_US)]
    isi = np.diff(inside)
    if 1 <= len(inside) <= 4 and inside[-1] < 0.2 * STEP_US:
        return "transient", -abs(len(inside) - 2)
    if len(inside) != len(spikes) or len(isi) < 5 or np.median(isi) < 8:
        return None, 0
    spread, late = isi.std() / isi.mean(), isi[3:]
    is_long = isi > 0.5 * isi.max()
    if spread < 0.08:
        return "regular", -abs(len(inside) - 20)
    if isi[:2].max() < 0.4 * np.median(late) and late.std() < 0.15 * late.mean():
        return "initial burst", min(np.median(late) / isi[0], 6) - 10 * late.std() / late.mean()
    gaps = np.flatnonzero(is_long)
    if len(gaps) >= 3 and np.all(np.diff(gaps) > 1):
        return "bursting", isi[is_long].min() / isi[~is_long].max()
    if isi[-1] > 1.6 * isi[0] and np.all(np.diff(isi) > -0.15 * isi[1:]):
        return "adapting", -abs(isi[-1] / isi[0] - 3) - 0.1 * abs(len(inside) - 12)
    return None, 0


def search(lab):
    """Return the clearest codes of each pattern that random tries find on the lab's chip, and how often each pattern occurred."""
    rng = np.random.default_rng(1)
    tries = [random_codes(rng) for _ in range(TRIES)]
    found, count = {}, dict.fromkeys(PATTERNS, 0)
    for codes, recording in zip(tries, lab.map([step_response(codes, Record(spikes=(0,))) for codes in tries]), strict=True):
        name, clarity = pattern(recording.spikes.tick / TICKS_PER_US - BEFORE_US)
        if name is not None:
            count[name] += 1
            if name not in found or clarity > found[name][1]:
                found[name] = codes, clarity
    return {name: codes for name, (codes, _) in found.items()}, count


def measure():
    """Return for each chip and pattern the codes, time (us) and membrane (LSB); and for each chip how often patterns occurred."""
    traces, counts = {}, {}
    for chip in CHIPS:
        with neckar.Lab(chip=chip) as lab:
            found, counts[chip] = search(lab)
            for name, codes in found.items():
                recording = lab.run(step_response(codes, Record(spikes=(0,), madc=(MadcChannel(0),))))
                traces[chip, name] = codes, recording.madc[0].tick / TICKS_PER_US - BEFORE_US, recording.madc[0].value
    return traces, counts


def main():
    """Print what was found and draw one example of each pattern on each chip."""
    traces, counts = measure()
    for chip in CHIPS:
        print(f"{chip}: of {TRIES} random settings " + ", ".join(f"{n} {name}" for name, n in counts[chip].items()))
    figure, panels = plt.subplots(len(PATTERNS), len(CHIPS), figsize=(10, 9), sharex=True, sharey="col", layout="constrained")
    for column, chip in enumerate(CHIPS):
        for row, name in enumerate(PATTERNS):
            axes = panels[row, column]
            axes.axvspan(0, STEP_US, color="0.94")
            if (chip, name) not in traces:
                axes.text(STEP_US / 2, 0.5, "not found", transform=axes.get_xaxis_transform(), ha="center")
                continue
            codes, time, membrane = traces[chip, name]
            shown = time > -100
            axes.plot(time[shown], membrane[shown], lw=0.6, color=f"C{row}")
            text = f"V$_r$ {codes['reset_v_reset']}  V$_T$ {codes['exponential_v_exp']}  b {codes['adaptation_i_bias_b']}"
            axes.set_title(text, fontsize=8, loc="right", pad=2)
    for row, name in enumerate(PATTERNS):
        panels[row, 0].set_ylabel(name)
    for column, chip in enumerate(CHIPS):
        panels[-1, column].set_xlabel("hardware time [us]")
        panels[0, column].annotate(f"virtual chip: {chip}", (0.5, 1.25), xycoords="axes fraction", ha="center", fontsize=11)
    figure.suptitle("membrane [LSB of the MADC] under a current step (grey)", fontsize=11)
    plt.savefig("adex_firing_patterns.png", dpi=150)


if __name__ == "__main__":
    main()
