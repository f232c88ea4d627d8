"""How fast is the register level: a copy of the whole chip, a neuron written and read, conversions of coordinates?

Prints the median of five rounds of each. The bound of the first is that of the specification; the others say what a script can count on::

    python benchmarks/register_level.py
    python benchmarks/register_level.py --json
"""

from __future__ import annotations

import argparse
import copy
import json
import pickle
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

from dlens_vx_v3 import halco, lola
from dlens_vx_v3._container import config_of

ROUNDS = 5


def seconds(act: Callable[[], Any], times: int) -> float:
    """Return the median over the rounds of the wall time of one act."""
    act()
    found = []
    for _ in range(ROUNDS):
        start = perf_counter()
        for _ in range(times):
            act()
        found.append((perf_counter() - start) / times)
    return median(found)


def filled() -> lola.Chip:
    """Return a chip of which every part has been written, also those that are only stored."""
    chip = lola.Chip()
    for neuron in chip.neuron_block.atomic_neurons:
        neuron.leak.v_leak = 700
    for node in chip.crossbar.nodes:
        node.enable_drop_counter = True
    for config in chip.ppu_memory:
        config.words[3] = 1
    chip.readout_chain.madc_preamp.v_ref = 300
    return chip


def measure() -> dict[str, float]:
    """Return the wall time of each act in seconds."""
    chip, twin, circuit = filled(), filled(), halco.AtomicNeuronOnDLS(300)
    neuron, config = lola.AtomicNeuron(chip.neuron_block.atomic_neurons[circuit]), config_of(chip).copy()
    return {
        "copy of a chip": seconds(lambda: copy.copy(chip), 100),
        "copy of a chip by pickle": seconds(lambda: pickle.loads(pickle.dumps(chip)), 10),
        "comparison of two chips": seconds(lambda: chip == twin, 100),
        "neuron written to a configuration": seconds(lambda: neuron.write_to(config, circuit), 100),
        "neuron read from a configuration": seconds(lambda: lola.AtomicNeuron.read_from(config, circuit), 100),
        "register of a chip read": seconds(lambda: chip.neuron_block.atomic_neurons[circuit].leak.v_leak, 1000),
        "conversion of a coordinate": seconds(circuit.toCapMemBlockOnDLS, 1000),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print the times in seconds as JSON")
    found = measure()
    if parser.parse_args().json:
        print(json.dumps(found, indent=2))
        return
    for name, time in found.items():
        bound = f"  {time / 1e-3:6.3f} of the bound, 1 ms" if name == "copy of a chip" else ""
        print(f"{name:36s} {time * 1e3:9.4f} ms{bound}")


if __name__ == "__main__":
    main()
