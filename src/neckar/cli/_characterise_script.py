"""Characterise a BrainScaleS-2 chip: sweep codes of its 512 neuron circuits and write down what the instruments show.

An ordinary PyNN script without any other tool: it runs unmodified wherever PyNN.brainscales2 finds a chip. Nothing has to be calibrated before.

    python characterise.py [--output characterisation.npz] [--short]

Parameters are codes of the chip's registers, times are milliseconds of hardware time. A setting is *checked* if it is kept for a test of predictions:
whoever fits a model to the file must not look at it before.

The file is a numpy archive without pickles:

    header                 text, JSON: format, version, chip, script options, ``placement``: how the places of each input's synapses are known, and
                           ``runs``: what each run was, in order
    synapse_excitatory,    (synapse, 5) int: neuron, source, hemisphere, row, column of the synapses of each input; empty if the software does not tell
    synapse_inhibitory
    r<i>_<register>        codes of run i, one for all circuits or one per circuit; registers that are missing are at the default of an HXNeuron
    r<i>_time_us,          (circuit, sample) readings of the parallel converter, 0 to 255, or of the MADC, 0 to 1023, and when they were taken
    r<i>_value             as far as known; samples that are missing have the time NaN
    r<i>_spike_us,         (spike,) spikes and the circuit that each came from
    r<i>_spike_circuit

Circuits are numbered 0 to 511, the upper row first.
"""

import argparse
import json
import time
import zlib

import numpy as np

import pynn_brainscales.brainscales2 as pynn

FORMAT, VERSION = "bss2-characterisation", 1
CIRCUITS, SOURCES = 512, 8
SPREAD = 20  # codes are spread over the circuits by so many LSB to either side, because cells with equal codes disturb each other
OVERHEAD_S = 1.0  # our estimate for silicon, per run: writing the configuration, settling of analog cells, the software

COMMON = {
    "membrane_capacitance_capacitance": 63,
    "leak_v_leak": 700,
    "leak_i_bias": 150,
    "leak_enable_division": False,
    "threshold_enable": False,
    "threshold_v_threshold": 600,
    "reset_v_reset": 400,
    "reset_i_bias": 1000,
    "reset_enable_multiplication": True,
    "refractory_period_refractory_time": 255,
    "constant_current_enable": False,
    "constant_current_i_offset": 0,
    "excitatory_input_enable": False,
    "excitatory_input_enable_small_capacitance": False,
    "excitatory_input_i_bias_tau": 32,
    "excitatory_input_i_bias_gm": 500,
    "excitatory_input_i_shift_reference": 310,
    "inhibitory_input_enable": False,
    "inhibitory_input_enable_small_capacitance": False,
    "inhibitory_input_i_bias_tau": 32,
    "inhibitory_input_i_bias_gm": 500,
    "inhibitory_input_i_shift_reference": 310,
}
"""Registers that differ from the defaults of an HXNeuron, and those that a run changes."""

DIGITAL = ("membrane_capacitance_capacitance", "refractory_period_refractory_time")
"""Numbers that are no analog cells."""


def rest(leak, **codes):
    """Return the resting potential at a code of the leak, read by the parallel converter."""
    return {"kind": "cadc", "codes": {"leak_v_leak": leak, "leak_i_bias": 400, **codes}, "sections": [(0.06, {})]}


def step(current, **codes):
    """Return the answer to a constant current that is switched on and off."""
    on, off = {"constant_current_enable": True}, {"constant_current_enable": False}
    return {"kind": "cadc", "codes": {"constant_current_i_offset": current, **codes}, "sections": [(0.02, off), (0.07, on), (0.09, off)]}


def potential(receptor, weight, leak, **codes):
    """Return postsynaptic potentials: one event of each of the sources at two times."""
    own = {f"{receptor}_input_enable": True, "leak_v_leak": leak, **{f"{receptor}_input_{name}": code for name, code in codes.items() if "leak" not in name}}
    own |= {name: code for name, code in codes.items() if "leak" in name}
    return {"kind": "cadc", "codes": own, "sections": [(0.19, {})], "receptor": receptor, "weight": weight, "events_ms": [0.03, 0.11]}


def firing(leak, threshold, reset, bias, **codes):
    """Return the spikes of all circuits, whose leak or current drives them over the threshold."""
    own = {"leak_v_leak": leak, "threshold_v_threshold": threshold, "reset_v_reset": reset, "leak_i_bias": bias, "threshold_enable": True, **codes}
    return {"kind": "spikes", "codes": own, "sections": [(0.5, {})]}


def on_madc(run, duration):
    """Return a run that is repeated for each pair of circuits, which the MADC reads."""
    return {**run, "kind": "madc", "sections": [(duration, {})]}


SETTINGS = {
    "rest 480": rest(480),
    "rest 600": rest(600),
    "rest 720": rest(720),
    "rest 840": rest(840),
    "rest on MADC": on_madc(rest(700), 0.03),
    "step 250": step(250),
    "step 120, fast": step(120, leak_i_bias=80, membrane_capacitance_capacitance=32),
    "step 80, little capacitance": step(80, leak_i_bias=40, membrane_capacitance_capacitance=12),
    "excitatory": potential("excitatory", 5, 600),
    "excitatory, slow": potential("excitatory", 5, 600, i_bias_tau=16, leak_i_bias=400),
    "inhibitory": potential("inhibitory", 5, 800),
    "inhibitory, slow": potential("inhibitory", 5, 800, i_bias_tau=16, leak_i_bias=400),
    "firing, threshold 330": firing(950, 330, 420, 150),
    "firing, threshold 260": firing(850, 260, 330, 300),
    "firing, threshold 400": firing(1000, 400, 480, 250),
    "firing, slow reset": firing(950, 330, 420, 250, reset_enable_multiplication=False),
    "firing on MADC": on_madc(firing(950, 330, 420, 150), 0.06),
}
"""What a model is fitted to."""

CHECKS = {
    "rate at threshold 300": firing(900, 300, 380, 200),
    "rate at threshold 380": firing(980, 380, 500, 120),
    "rate at division": firing(900, 260, 300, 500, leak_enable_division=True),
    "rate at a current": firing(560, 310, 360, 150, constant_current_enable=True, constant_current_i_offset=750),
    "rate at capacitance 40": firing(920, 340, 450, 130, membrane_capacitance_capacitance=40, refractory_period_refractory_time=150),
    "PSP, excitatory": potential("excitatory", 4, 650, i_bias_tau=45, i_bias_gm=650, leak_i_bias=110),
    "PSP, inhibitory": potential("inhibitory", 4, 760, i_bias_tau=45, i_bias_gm=650, leak_i_bias=110),
    "membrane time": step(300, leak_i_bias=100, leak_v_leak=640),
    "synaptic time, excitatory": potential("excitatory", 20, 640, i_bias_tau=24, leak_i_bias=900),
    "synaptic time, inhibitory": potential("inhibitory", 20, 780, i_bias_tau=24, leak_i_bias=900),
}
"""What predictions are tested with."""


def spread(name, code):
    """Return the codes of all circuits for an analog cell: near `code`, few of them equal."""
    width = min(SPREAD, code // 10)
    steps = (37 * np.arange(CIRCUITS) + zlib.crc32(name.encode())) % (2 * width + 1) - width
    return code + steps


def codes_of(run):
    """Return all codes that a run sets, by register."""
    codes = {**COMMON, **run["codes"]}
    return {name: code if isinstance(code, bool) or name in DIGITAL else spread(name, code) for name, code in codes.items()}


def place_of(synapse):
    """Return hemisphere, row and column of a synapse, None if it is something new; what PyNN says of it has changed in 2026."""
    if hasattr(synapse, "synapse_row"):
        row, column = synapse.synapse_row, synapse.synapse_on_row
        return int(row.toSynramOnDLS()), int(row.toSynapseRowOnSynram()), int(column)
    if hasattr(synapse, "toSynapseOnSynram"):
        inside = synapse.toSynapseOnSynram()
        return int(synapse.toSynramOnDLS()), int(inside.toSynapseRowOnSynram()), int(inside.toSynapseOnSynapseRow())
    return None


class Chip:
    """The network: 512 circuits, and for each of their inputs some sources that reach all of them."""

    def __init__(self):
        pynn.setup(neuronPermutation=list(range(CIRCUITS)))
        self.neurons = pynn.Population(CIRCUITS, pynn.cells.HXNeuron())
        self.sources, self.projections = {}, {}
        for receptor in ("excitatory", "inhibitory"):
            source = self.sources[receptor] = pynn.Population(SOURCES, pynn.cells.SpikeSourceArray(spike_times=[]))
            synapse = pynn.synapses.StaticSynapse(weight=0)
            self.projections[receptor] = pynn.Projection(source, self.neurons, pynn.AllToAllConnector(), synapse_type=synapse, receptor_type=receptor)
        self.runs, self.hardware_s = 0, 0.0

    def synapses(self, receptor):
        """Return where the synapses of an input are, and a word on how that is known: "read", or why it is unknown."""
        projection, rows = self.projections[receptor], []
        if not hasattr(type(projection), "placed_connections"):
            return np.zeros((0, 5), np.int64), "placement unknown: this PyNN has no Projection.placed_connections"
        connections = projection.connections
        for i, placed in enumerate(projection.placed_connections):
            ends = [int(connections[i].postsynaptic_index), int(connections[i].presynaptic_index)]
            for synapse in placed:
                place = place_of(synapse)
                if place is None:
                    return np.zeros((0, 5), np.int64), f"placement unknown: {type(synapse).__name__} is a way to name synapses that this script does not know"
                rows.append([*ends, *place])
        return np.array(rows, np.int64).reshape(-1, 5), "read"

    def run(self, setting, codes, recorded, device):
        """Run one setting; return the data of what was recorded."""
        pynn.reset()
        self.neurons.record(None)
        if device == "spikes":
            self.neurons.record(["spikes"])
        else:
            recorded.record(["v"], device=device)
        for receptor, source in self.sources.items():
            own = receptor == setting.get("receptor")
            source.set(spike_times=setting["events_ms"] if own else [])
            self.projections[receptor].set(weight=(1 if receptor == "excitatory" else -1) * (setting["weight"] if own else 0))
        self.neurons.set(**codes)
        for duration, switches in setting["sections"]:
            self.neurons.set(**switches)
            pynn.run(duration, pynn.RunCommand.APPEND)
            self.hardware_s += 1e-3 * duration
        pynn.run(None)
        self.runs += 1
        return recorded.get_data("spikes" if device == "spikes" else "v", clear=True).segments[-1]


def samples_of(segment, circuits):
    """Return times and readings, (circuit, sample), padded with NaN and 0; the sections of a run follow each other."""
    parts = {circuit: [] for circuit in circuits}
    for signal in segment.irregularlysampledsignals:
        parts[circuits[int(signal.array_annotations["channel_index"][0])]].append(signal)
    length = max((sum(len(signal) for signal in signals) for signals in parts.values()), default=0)
    times, values = np.full((len(circuits), length), np.nan, np.float32), np.zeros((len(circuits), length), np.uint16)
    for i, circuit in enumerate(circuits):
        if parts[circuit]:
            t = np.concatenate([np.asarray(signal.times.rescale("us").magnitude) for signal in parts[circuit]])
            v = np.concatenate([np.asarray(signal.magnitude)[:, 0] for signal in parts[circuit]])
            times[i, : len(t)], values[i, : len(t)] = t, np.mod(v, 1024)
    return times, values


def parallel(chip, setting, codes):
    """Return what the parallel converter reads of all circuits."""
    times, values = samples_of(chip.run(setting, codes, chip.neurons, "cadc"), range(CIRCUITS))
    return {"time_us": times, "value": np.mod(values, 256).astype(np.uint8)}  # the software may hand on bytes with a sign


def spikes(chip, setting, codes):
    """Return the spikes of all circuits."""
    trains = chip.run(setting, codes, chip.neurons, "spikes").spiketrains
    found = [np.asarray(train.rescale("us").magnitude) for train in trains]
    circuit = [int(train.annotations["source_index"]) for train in trains]
    return {
        "spike_us": np.concatenate([np.zeros(0), *found]),
        "spike_circuit": np.repeat(np.array(circuit, np.uint16), [len(train) for train in found]),
    }


def pairwise(chip, setting, codes, every):
    """Return what the MADC reads of pairs of circuits, one run each; circuits that were left out have no samples."""
    found = {}
    for i in range(0, CIRCUITS, 2 * every):
        segment = chip.run(setting, codes, chip.neurons[[i, i + 1]], "madc")
        for signal in segment.irregularlysampledsignals:
            circuit = i + int(signal.array_annotations["channel_index"][0]) % 2
            found[circuit] = np.asarray(signal.times.rescale("us").magnitude), np.asarray(signal.magnitude)[:, 0]
    length = max(len(t) for t, _ in found.values())
    times, values = np.full((CIRCUITS, length), np.nan, np.float32), np.zeros((CIRCUITS, length), np.uint16)
    for circuit, (t, v) in found.items():
        times[circuit, : len(t)], values[circuit, : len(t)] = t, v
    return {"time_us": times, "value": values}


def identifier():
    """Return the name of the chip, or why it is unknown."""
    try:
        return ", ".join(pynn.helper.get_unique_identifier())
    except Exception as error:  # older versions do not tell; nothing of the measurement depends on it
        return f"unknown: {type(error).__name__}: {error}"


def main():
    """Run everything, and write the file at the end."""
    parser = argparse.ArgumentParser(description="Characterise a BrainScaleS-2 chip.")
    parser.add_argument("--output", default="characterisation.npz", help="file to write")
    parser.add_argument("--short", action="store_true", help="every setting once, and one pair in eight on the MADC")
    options = parser.parse_args()
    repeats, every = (1, 8) if options.short else (3, 1)

    plan = [(name, setting, False, i) for i in range(repeats) for name, setting in SETTINGS.items() if i == 0 or setting["kind"] != "madc"]
    plan += [(name, setting, True, 0) for name, setting in CHECKS.items()]
    total = sum(CIRCUITS // 2 // every if setting["kind"] == "madc" else 1 for _, setting, _, _ in plan)
    print(f"{len(plan)} settings, {total} runs; on silicon about {OVERHEAD_S * total / 60:.0f} min", flush=True)

    chip, began, header, arrays = Chip(), time.time(), [], {}
    for number, (name, setting, is_check, repeat) in enumerate(plan):
        codes = codes_of(setting)
        if setting["kind"] == "madc":
            readings = pairwise(chip, setting, codes, every)
        else:
            readings = (parallel if setting["kind"] == "cadc" else spikes)(chip, setting, codes)
        said = {key: setting[key] for key in ("kind", "sections", "receptor", "weight", "events_ms") if key in setting}
        header.append({"name": name, "check": is_check, "repeat": repeat, **said})
        arrays.update({f"r{number}_{key}": np.asarray(array) for key, array in {**codes, **readings}.items()})
        print(f"{number + 1:3} of {len(plan)}  {name:30} {chip.runs:5} runs, {time.time() - began:6.1f} s", flush=True)
    about = {"format": FORMAT, "version": VERSION, "chip": identifier(), "short": options.short, "sources": SOURCES, "hardware_s": chip.hardware_s}
    about["placement"] = {}
    for receptor in chip.projections:
        try:
            arrays[f"synapse_{receptor}"], about["placement"][receptor] = chip.synapses(receptor)
        except Exception as error:  # the readings are worth more than the places, and the file says what is missing
            arrays[f"synapse_{receptor}"] = np.zeros((0, 5), np.int64)
            about["placement"][receptor] = f"placement unknown: {type(error).__name__}: {error}"
        print(f"synapses of the {receptor} input: {about['placement'][receptor]}")
    np.savez_compressed(options.output, header=json.dumps({**about, "runs": header}), **arrays)
    pynn.end()
    print(f"{chip.runs} runs, {chip.hardware_s:.3f} s of emulated time; readings are in {options.output}")


if __name__ == "__main__":
    main()
