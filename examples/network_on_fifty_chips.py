"""One network on fifty virtual chips: how far does a synfire chain run that was tuned on another.

The network of synfire_chain.py (after the notebook fp_synfireChain of brainscales2-demos) with the codes that work on the reference chip, on the
reference and fifty chips with seeds. Nothing is calibrated: levels, time constants and synapses of each chip differ as the public figures of different
setups do, so on some chips the volley dies and on others each group fires several times. Run time: about 30 s.
"""

import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import neckar

CHAIN = runpy.run_path(str(Path(__file__).with_name("synfire_chain.py")))
CHIPS = ("reference", *range(1, 51))


def measure(chip):
    """Return how many groups fire (most of their neurons do), and the mean number of spikes of an excitatory neuron in them."""
    with neckar.Lab(chip=chip):
        exc, _ = CHAIN["run"](CHAIN["INH_EXC"])
    counts = np.array([len(train) for train in exc]).reshape(CHAIN["GROUPS"], CHAIN["SIZE"])
    alive = np.isfinite(CHAIN["volleys"](exc))
    return int(alive.sum()), float(counts[alive].mean()) if alive.any() else 0.0


def main():
    """Print on how many chips the chain runs to its end, and draw the distribution."""
    reached, spikes = (np.array(column) for column in zip(*(measure(chip) for chip in CHIPS), strict=True))
    whole = reached[1:] == CHAIN["GROUPS"]
    once = whole & (np.abs(spikes[1:] - 1) < 0.25)
    print(f"reference chip: {reached[0]} of {CHAIN['GROUPS']} groups fire, {spikes[0]:.2f} spikes per neuron")
    print(f"50 other chips: the volley reaches the last group on {whole.sum()}, with about one spike per neuron on {once.sum()}")
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    left.hist(reached[1:], bins=np.arange(CHAIN["GROUPS"] + 2) - 0.5, color="C0", rwidth=0.8)
    left.set(xlabel="groups that fire", ylabel="virtual chips")
    right.scatter(reached[1:], spikes[1:], color="C0", alpha=0.5, label="chips 1 to 50")
    right.scatter(reached[:1], spikes[:1], color="C3", marker="*", s=120, label="reference")
    right.set(xlabel="groups that fire", ylabel="spikes per excitatory neuron")
    right.legend(frameon=False)
    figure.suptitle("one network, fifty virtual chips, no calibration")
    plt.savefig("network_on_fifty_chips.png", dpi=150)


if __name__ == "__main__":
    main()
