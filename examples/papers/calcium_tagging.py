"""Synaptic tagging and capture, driven by calcium: four protocols on 128 synapses of one chip.

The rule of Luboeinski and Tetzlaff (Communications Biology 4, 275, 2021): calcium above a threshold moves the early phase h of a synapse's weight, an
early phase far from its resting value h0 makes proteins p and sets a tag, and proteins turn a tag into a late phase z. The weight is h + h0 z. arXiv
2412.02515 runs it on BrainScaleS-2, with calcium on analog circuits and the weights on the plasticity processors, in integers with stochastic rounding and
an enlarged step. What of it is public says that and no more, so circuit, bit widths and numbers of this script are its own:

* 1000 times faster than biology: 28.8 s for eight hours. Calcium of each synapse is the membrane of a circuit with a time constant of 48.8 us, which
  every presynaptic spike lifts by the same step. Its thresholds are multiples of the step that was measured on each circuit.
* A kernel reads the membranes with the parallel converter, every 20 us while the protocol stimulates and every 10 ms otherwise, and takes as many steps of
  20 us (20 ms of biological time) as have passed. h, z and p have 16 bit, 2^14 to the unit; changes are computed with up to 14 bit more and rounded
  stochastically. The noise of h is a random sign per step.
* Away from the stimuli the circuits' synaptic inputs are off. A second kernel records the phases and writes the weights, in 6 bit, to 128 synapses.

The reference is the same rule in floating point, carried from crossing to crossing of the same spike trains' calcium. The control rounds to nearest: a step
changes a decaying h by less than half of its unit, so the early phase stays where it was put and no protein is made.

The kernels are written like those of the notebook ts_11-plasticity_homeostasis of brainscales2-demos. Run time: about 40 s for one protocol, STET,
and its control; all four with ``--full``, about two minutes. The tests run STET and the first four hours of WTET; SLFS and WLFS only ``--full`` runs.
"""

import argparse
import time
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np

import neckar
import pynn_brainscales.brainscales2 as pynn
from neckar.calibration import NeuronTarget, SpikingTarget, calibrate

SYNAPSES = 128
HOURS = 8
END, ONSET = 3600 * HOURS, 3600  # s of biological time, which are ms on the chip
FAST, SLOW = 0.02, 10.0  # s between two looks at the calcium, with and without stimulation

H0, H_TOP = 4.20075, 10.0  # mV
TAU_H, TAU_P, TAU_Z, TAU_C = 688.4, 3600.0, 3600.0, 0.0488  # s
GAMMA_P, GAMMA_D, THETA_P, THETA_D = 1645.6, 313.1, 3.0, 1.2
SIGMA, DELAY, TAG, PROTEIN = 2.90436 / H0, 0.0188, 0.2, 0.5

REST_LSB, TAU_SYN_US = 70, 0.5  # of the circuits that hold calcium
INPUTS = 4  # synapses of full weight that carry a spike to its circuit: about 16 LSB


class Protocol(NamedTuple):
    """Poisson spikes in some windows of time.

    Attributes
    ----------
    rate : float
        Hz, biological.
    windows : list of (float, float)
        Begin and end, s after the onset.
    expected : (float, float, float)
        h/h0 after 4 h, z and weight / h0 after 8 h: means of 30 seeds of an event-driven implementation that the project's specification has of the
        published equations, as https://github.com/jlubo/arbor_2N1S holds them. No numbers of a publication or of silicon.
    kind : str
    """

    rate: float
    windows: list[tuple[float, float]]
    expected: tuple[float, float, float]
    kind: str


PROTOCOLS = {
    "STET": Protocol(100, [(600.0 * k, 600.0 * k + 1) for k in range(3)], (1.23, 0.74, 1.77), "late potentiation"),
    "WTET": Protocol(100, [(0, 0.2)], (1.07, 0, 1.01), "early potentiation"),
    "SLFS": Protocol(20, [(1.15 * k, 1.15 * k + 0.15) for k in range(900)], (0.83, -0.27, 0.71), "late depression"),
    "WLFS": Protocol(1, [(0, 900)], (0.94, 0, 0.99), "early depression"),
}


def spike_trains(protocol, rng, number=SYNAPSES, onset=ONSET):
    """Return the presynaptic spikes of each synapse, s of biological time, ascending."""
    begins, ends = np.array(protocol.windows, float).T
    trains = []
    for _ in range(number):
        counts = rng.poisson(protocol.rate * (ends - begins))
        spikes = np.repeat(begins, counts) + rng.random(counts.sum()) * np.repeat(ends - begins, counts)
        trains.append(onset + np.sort(spikes))
    return trains


# --- the rule in floating point ---


def calcium_segments(train):
    """Return ends (s) and thresholds passed (0, 1 or 2) of the stretches in which the calcium of a spike train stays on one side of its thresholds."""
    ends, passed, calcium, last = [], [], 0.0, 0.0
    times = train + DELAY
    for spike, following in zip(times, np.append(times[1:], np.inf), strict=True):
        ends.append(spike)
        passed.append(0)
        calcium = calcium * np.exp(-(spike - last) / TAU_C) + 1
        for threshold, n in ((THETA_P, 2), (THETA_D, 1)):
            until = min(spike + TAU_C * np.log(calcium / threshold), following) if calcium > threshold else spike
            if until > ends[-1]:
                ends.append(until)
                passed.append(n)
        last = spike
    return np.array(ends), np.array(passed)


def reference(trains, rng, every=SLOW, end=END):
    """Integrate the rule from crossing to crossing.

    Within a stretch h is an Ornstein-Uhlenbeck process, drawn exactly; p and z follow exactly for the tag and the proteins that its end asks for. Stretches
    without calcium are cut every `every` seconds.

    Parameters
    ----------
    trains : list of ndarray
        Presynaptic spikes of each synapse, s.
    rng : numpy.random.Generator
    every, end : float
        s.

    Returns
    -------
    time : ndarray, shape (sample,)
        s.
    h, z : ndarray, shape (sample, synapse)
        h in units of h0.
    """
    grid = np.arange(0, end + every / 2, every)
    h, z, p = np.ones(len(trains)), np.zeros(len(trains)), np.zeros(len(trains))
    walks = []
    for train in trains:
        ends, passed = calcium_segments(train)
        whole = np.concatenate([ends, grid])
        order = np.argsort(whole, kind="stable")
        state = np.append(passed, 0)[np.searchsorted(ends, whole[order])]
        walks.append((np.diff(whole[order], prepend=0), state, order >= len(ends)))
    longest = max(len(length) for length, *_ in walks)
    length, state, sampled = (np.stack([np.pad(walk[k], (0, longest - len(walk[k]))) for walk in walks], axis=1) for k in range(3))
    rate = np.array([0.1, 0.1 + GAMMA_D, 0.1 + GAMMA_D + GAMMA_P]) / TAU_H
    goal = np.array([1, 0.1 / (0.1 + GAMMA_D), (0.1 + GAMMA_P * H_TOP / H0) / (0.1 + GAMMA_D + GAMMA_P)])
    noise = SIGMA * np.sqrt(np.arange(3) / TAU_H)
    found, place = np.zeros((2, len(grid), len(trains))), np.zeros(len(trains), int)
    for dt, passed, sample in zip(length, state, sampled, strict=True):
        k = rate[passed]
        drawn = rng.standard_normal(len(trains)) * noise[passed] * np.sqrt(-np.expm1(-2 * k * dt) / (2 * k))
        h = goal[passed] + (h - goal[passed]) * np.exp(-k * dt) + drawn
        made = (np.abs(h - 1) > PROTEIN).astype(float)
        kept = -np.expm1(-dt / TAU_P)
        effect = np.exp(-(made * dt + (p - made) * TAU_P * kept) / TAU_Z)
        p += (made - p) * kept
        z = np.where(h - 1 > TAG, 1 - (1 - z) * effect, np.where(1 - h > TAG, -0.5 + (z + 0.5) * effect, z))
        mine = np.flatnonzero(sample)
        found[:, place[mine], mine] = h[mine], z[mine]
        place[mine] += 1
    return grid, *found


# --- the rule on the processors ---

UNIT = 1 << 14
LOOKS = 25  # at the calcium in one invocation of the kernel, while a protocol stimulates
READINGS = 64  # from which the rest is taken


def share(rate, dt=FAST):
    """Return by which part of its distance a variable gets closer to its goal in a step."""
    return -np.expm1(-rate * dt)


def fixed(value):
    """Return a factor below 1 as the processors hold it, 15 bit."""
    code = round(value * (1 << 15))
    assert 0 < code < 1 << 15
    return code


def integrating_kernel(steps, rounding):
    """Return the kernel that integrates h, z and p.

    A circuit rests where the parameter memory has put it, which differs from run to run; so the kernel takes the mean of its first readings for the rest.

    Parameters
    ----------
    steps : ndarray, shape (synapse,)
        By how much a spike lifts the reading of a circuit, LSB.
    rounding : str
        "stochastic" or "nearest".
    """
    both = 0.1 + GAMMA_D + GAMMA_P
    names = {
        "RATE_REST": fixed(share(0.1 / TAU_H) * UNIT),
        "RATE_DEPRESSION": fixed(share((0.1 + GAMMA_D) / TAU_H) * 16),
        "RATE_POTENTIATION": fixed(share(both / TAU_H) * 16),
        "GOAL_DEPRESSION": round((0.1 / (0.1 + GAMMA_D) - 1) * UNIT),
        "GOAL_POTENTIATION": round(((0.1 + GAMMA_P * H_TOP / H0) / both - 1) * UNIT),
        "NOISE_DEPRESSION": round(SIGMA * np.sqrt(FAST / TAU_H) * UNIT),
        "NOISE_POTENTIATION": round(SIGMA * np.sqrt(2 * FAST / TAU_H) * UNIT),
        "RATE_PROTEIN": fixed(share(1 / TAU_P) * UNIT),
        "RATE_LATE": fixed(share(1 / TAU_Z) * 2 * UNIT),
        "UNIT": UNIT,
        "TAG": round(TAG * UNIT),
        "PROTEIN": round(PROTEIN * UNIT),
        "CYCLES": round(FAST * 250_000),
        "READINGS": READINGS,
        "LOOKS": LOOKS,
    }
    constants = "\n".join(f"constexpr int32_t {name} = {value};" for name, value in names.items())
    depression, potentiation = (", ".join(str(round(READINGS * threshold * step)) for step in steps) for threshold in (THETA_D, THETA_P))
    drawn = "vector_round_stochastic(value, bits) >> bits" if rounding == "stochastic" else "(value + VectorFracSat16(1 << (bits - 1))) >> bits"
    return f"""
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "libnux/vx/dls.h"
#include "libnux/vx/time.h"
#include "libnux/vx/vector_if.h"
#include "libnux/vx/vector_round_stochastic.h"
using namespace grenade::vx::ppu;
using namespace libnux::vx;
extern volatile PPUOnDLS ppu;

{constants}
int16_t const depression[] = {{{depression}}}; // thresholds above the rest; readings and thresholds count 64 to the LSB
int16_t const potentiation[] = {{{potentiation}}};

// synapses 0, 2, 4 ... and 1, 3, 5 ...: (h - h0) / h0, z and p in units of 2^-14
VectorFracSat16 early[2], late[2], proteins[2];
VectorFracSat16 rest[2];
int32_t readings = 0;
uint64_t integrated = 0;

VectorFracSat16 rounded(VectorFracSat16 const& value, size_t bits)
{{
    return {drawn};
}}

struct Levels
{{
    VectorFracSat16 weak[2], strong[2];
    Levels()
    {{
        for (size_t i = 0; i < sizeof(depression) / sizeof(depression[0]); ++i) {{
            weak[i % 2][i / 2] = depression[i];
            strong[i % 2][i / 2] = potentiation[i];
        }}
    }}
}} const levels;

// early phase under calcium: towards its goal, with a random sign times the noise
VectorFracSat16 driven(VectorFracSat16 const& h, VectorFracSat16 const& strong, size_t half)
{{
    typedef VectorFracSat16 V;
    auto const greater = VectorIfCondition::greater;
    auto const rate = vector_if(strong, greater, V(RATE_POTENTIATION), V(RATE_DEPRESSION));
    auto const goal = vector_if(strong, greater, V(GOAL_POTENTIATION), V(GOAL_DEPRESSION));
    auto const noise = vector_if(strong, greater, V(NOISE_POTENTIATION), V(NOISE_DEPRESSION));
    auto const newest = V(parallel_rng_rand<VectorMod16>(half) << 15); // of 16 random bits the one that no draw before has shown
    return rounded((goal - h) * rate, 4) + vector_if(newest, VectorIfCondition::lesser, noise, -noise);
}}

void integrate(size_t half, uint32_t steps, VectorFracSat16 const& weak, VectorFracSat16 const& strong)
{{
    typedef VectorFracSat16 V;
    auto const greater = VectorIfCondition::greater, lesser = VectorIfCondition::lesser;
    auto& h = early[half];
    auto& z = late[half];
    auto& p = proteins[half];
    bool const calcium = vector_if(weak, greater, V(1), V(0)) != V(0);
    for (uint32_t n = 0; n < steps; ++n) {{
        auto const resting = rounded(h * V(-RATE_REST), 14);
        h += calcium ? vector_if(weak, greater, driven(h, strong, half), resting) : resting;
        auto const made = vector_if(vector_if(h, lesser, -h, h) - V(PROTEIN), greater, V(UNIT), V(0));
        p += rounded((made - p) * V(RATE_PROTEIN), 14);
        auto const tagged = vector_if(h - V(TAG), greater, V(UNIT) - z, vector_if(h + V(TAG), lesser, -(z + V(UNIT / 2)), V(0)));
        z += rounded(p * tagged * V(RATE_LATE), 14);
    }}
}}

void look(NeuronViewHandle const& circuits, uint32_t steps)
{{
    VectorRowFracSat16 const row(VectorRowMod16(circuits.get_analog_readouts()));
    VectorFracSat16 const reading[] = {{row.even.left, row.odd.left}};
    bool const rested = readings == READINGS;
    readings += !rested;
    for (size_t half = 0; half < 2; ++half) {{
        if (rested) {{
            auto const calcium = (reading[half] << 6) - rest[half];
            integrate(half, steps, calcium - levels.weak[half], calcium - levels.strong[half]);
        }} else {{
            rest[half] += reading[half];
        }}
    }}
}}

void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, 0>&, std::array<NeuronViewHandle, 1>& neurons)
{{
    if (neurons[0].hemisphere != ppu) {{
        return;
    }}
    // after a long time one look, else one in each step that is left of the period
    uint32_t looks = now() - integrated > 2 * LOOKS * CYCLES ? 1 : LOOKS - (integrated / CYCLES + 1) % LOOKS;
    for (; looks > 0; --looks) {{
        uint64_t const next = integrated + CYCLES;
        uint64_t time = now();
        if (time < next) {{
            sleep_cycles(next - time);
            time = next;
        }}
        uint32_t const steps = static_cast<uint32_t>(time - integrated) / CYCLES;
        integrated += static_cast<uint64_t>(steps) * CYCLES;
        look(neurons[0], steps);
    }}
}}
"""


RECORDING_KERNEL = f"""
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "libnux/vx/dls.h"
#include "libnux/vx/time.h"
using namespace grenade::vx::ppu;
using namespace libnux::vx;
extern volatile PPUOnDLS ppu;
extern VectorFracSat16 early[2], late[2];

void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, 1>& synapses, std::array<NeuronViewHandle, 0>&, Recording& recording)
{{
    if (synapses[0].hemisphere != ppu) {{
        return;
    }}
    recording.time = now();
    VectorRowMod8 weights;
    for (size_t i = 0; i < {SYNAPSES}; ++i) {{
        recording.h[i] = early[i % 2][i / 2];
        recording.z[i] = late[i % 2][i / 2];
        int32_t const weight = ({UNIT} + recording.h[i] + recording.z[i] + 512) >> 10; // 16 to the unit of h0
        recording.w[i] = weights[synapses[0].columns[i]] = weight < 0 ? 0 : weight > 63 ? 63 : weight;
    }}
    for (size_t i = 0; i < synapses[0].rows.size(); ++i) {{
        synapses[0].set_weights(weights, i);
    }}
}}
"""

PROBING_KERNEL = f"""
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "libnux/vx/dls.h"
#include "libnux/vx/time.h"
using namespace grenade::vx::ppu;
using namespace libnux::vx;
extern volatile PPUOnDLS ppu;

void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, 0>&, std::array<NeuronViewHandle, 1>& neurons, Recording& recording)
{{
    if (neurons[0].hemisphere != ppu) {{
        return;
    }}
    recording.time = now();
    auto const reading = neurons[0].get_analog_readouts();
    for (size_t i = 0; i < {SYNAPSES}; ++i) {{
        recording.calcium[i] = reading[i];
    }}
}}
"""


class Kernel(pynn.PlasticityRule):
    """A plasticity rule with a given kernel that observes arrays of 16 bit.

    Parameters
    ----------
    text : str
    same_id : int
    observed : str
        One letter or name for each array.
    """

    def __init__(self, text, same_id, observed=()):
        kind = self.ObservableArray
        super().__init__(pynn.Timer(start=0, period=SLOW, num_periods=1 << 24), {name: kind(kind.Type.int16, SYNAPSES) for name in observed}, same_id)
        self.text = text

    def generate_kernel(self):
        """Return the kernel."""
        return self.text

    def every(self, period, start=0):
        """Execute the kernel every so many ms of the chip from now on."""
        self.timer = pynn.Timer(start=start, period=period, num_periods=1 << 24)

    def arrays(self, name):
        """Return times (ms of the chip) and values of an observable, shape (sample, synapse)."""
        samples = [sample for snippet in self.get_observable_array(name) for sample in snippet]
        return np.array([sample.time.value() for sample in samples]) / 125e3, np.array([sample.data for sample in samples])


def set_up():
    """Begin an experiment on the current lab's calibrated chip, none of whose circuits fires or has an input yet."""
    chip = pynn.helper.chip_from_nightly()
    for coordinate in pynn.halco.iter_all(pynn.halco.AtomicNeuronOnDLS):
        circuit = chip.neuron_block.atomic_neurons[coordinate]
        circuit.threshold.enable = circuit.excitatory_input.enable = circuit.inhibitory_input.enable = False
    pynn.setup(initial_config=chip)


def calcium_circuits(rule, trains):
    """Return presynaptic spikes (ms of the chip) and for each synapse a circuit that they lift: a time constant of 48.8 us, and a short strong input.

    An input delays what passes it by its time constant, so the spikes come that much earlier.
    """
    lab = neckar.current_lab()
    target = NeuronTarget(leak=REST_LSB, reset=REST_LSB, tau_mem_s=TAU_C * 1e-3, tau_syn_s=TAU_SYN_US * 1e-6, i_synin_gm=800)
    found = calibrate(lab.specimen, SpikingTarget(neurons=target), effects=lab.effects).fields
    names = [name for name in pynn.cells.HXNeuron.default_parameters if name.startswith(("leak_", "excitatory_input_", "membrane_"))]
    spikes = pynn.Population(len(trains), pynn.cells.SpikeSourceArray(spike_times=[list(train - TAU_SYN_US * 1e-3) for train in trains]))
    circuits = pynn.Population(len(trains), pynn.cells.HXNeuron(plasticity_rule=rule, **{name: found[name][: len(trains)] for name in names}))
    for _ in range(INPUTS):
        pynn.Projection(spikes, circuits, pynn.OneToOneConnector(), pynn.synapses.StaticSynapse(weight=63))
    return spikes, circuits


def measure_steps(repeats=20, number=3):
    """Return for each synapse by how much a spike lifts the reading of its circuit (LSB), and the time constant (us).

    Volleys of three spikes are read every 5 us, and an exponential is fitted to the mean decay. Volleys of different synapses come one after the other: the
    link to the chip passes one event every 8 ns.
    """
    cycle, every = 80, 0.005
    place = np.arange(SYNAPSES) % (cycle // 2)
    volleys = (every * cycle * np.arange(1, repeats + 1)[:, None] + 5e-4 * np.arange(number)).ravel()
    set_up()
    rule = Kernel(PROBING_KERNEL, 0, ["calcium"])
    rule.every(every)
    calcium_circuits(rule, [volleys + every * n for n in place])
    pynn.run(every * cycle * (repeats + 2))
    reading = rule.arrays("calcium")[1]
    pynn.end()
    after = cycle + place + np.arange(repeats * cycle)[:, None]  # of each synapse the samples from its first volley on
    mean = np.take_along_axis(reading, after, axis=0).reshape(repeats, cycle, SYNAPSES).mean(axis=0)
    rest = reading[10:cycle].mean(axis=0)
    late = np.arange(4, 16)  # 20 to 75 us after the volley
    slope, start = np.polyfit(late * every - 5e-4 * (number - 1) / 2, np.log(mean[late] - rest), 1)
    return np.exp(start) / number, -1e3 / slope


class Result(NamedTuple):
    """What a run yields.

    Attributes
    ----------
    time : ndarray, shape (sample,)
        s of biological time.
    h, z : ndarray, shape (sample, synapse)
        Phases in units of h0.
    code : ndarray, shape (sample, synapse)
        Weights in the synapses, 16 to h0.
    seconds : float
        How long it took.
    missed, late : int
        Invocations of the integrating kernel for which there was no time, and that ended after their deadline.
    """

    time: np.ndarray
    h: np.ndarray
    z: np.ndarray
    code: np.ndarray
    seconds: float
    missed: int
    late: int

    @property
    def weight(self):
        """Weight in units of h0."""
        return self.h + self.z


def stretches(protocol, onset=ONSET, end=END):
    """Return the stretches of a run, (duration in s, whether it stimulates); borders are whole multiples of 10 s."""
    borders = []
    for begin, stop in protocol.windows:
        first, last = SLOW * np.floor((onset + begin - 2) / SLOW), SLOW * np.ceil((onset + stop + 1) / SLOW)
        if borders and first <= borders[-1]:
            borders[-1] = last
        else:
            borders += [first, last]
    return [(b - a, k % 2 == 1) for k, (a, b) in enumerate(zip([0, *borders], [*borders, end], strict=True)) if b > a]


def run(protocol, trains, steps, rounding="stochastic", onset=ONSET, end=END):
    """Run a protocol on the chip.

    Parameters
    ----------
    protocol : Protocol
    trains : list of ndarray
        Presynaptic spikes, s of biological time.
    steps : ndarray, shape (synapse,)
        As :func:`measure_steps` returns them.
    rounding : str
        "stochastic" or "nearest".
    onset, end : float
        s.

    Returns
    -------
    Result
    """
    began = time.perf_counter()
    set_up()
    integrating = Kernel(integrating_kernel(steps, rounding), 0)
    recording = Kernel(RECORDING_KERNEL, 1, ["h", "z", "w"])
    spikes, circuits = calcium_circuits(integrating, [train + DELAY for train in trains])
    targets = pynn.Population(SYNAPSES, pynn.cells.HXNeuron())
    pynn.Projection(spikes, targets, pynn.OneToOneConnector(), pynn.synapses.PlasticSynapse(weight=16, plasticity_rule=recording))
    for duration, stimulated in stretches(protocol, onset, end):
        integrating.every(LOOKS * FAST if stimulated else SLOW)
        circuits.set(excitatory_input_enable=stimulated)
        pynn.run(duration, pynn.RunCommand.APPEND)
    pynn.run(None)
    (at, h), (_, z), (_, w) = (recording.arrays(name) for name in "hzw")
    lost = pynn.simulator.state.recordings[0][-1].losses.lost
    pynn.end()
    missed, late = (sum(number for key, number in lost.items() if reason in key) for reason in ("missed", "late"))
    return Result(at, 1 + h / UNIT, z / UNIT, w, time.perf_counter() - began, missed, late)


def kind(h, z):
    """Return what the plasticity of a course of phases is called."""
    early = h.mean(axis=1) - 1
    sign = "potentiation" if early[np.abs(early).argmax()] > 0 else "depression"
    return f"{'late' if np.abs(z[-1].mean()) > 0.1 else 'early'} {sign}"


def rmse(result, expected):
    """Return the root mean square distance of the mean weight from another course, as a part of that one's largest change."""
    chip, other = (one.mean(axis=1) for one in (result.weight, expected[: len(result.weight)]))
    return np.sqrt(np.mean((chip - other) ** 2)) / np.abs(other - 1).max()


def draw(results):
    """Draw phases over time, mean and standard deviation of the synapses, beside the reference."""
    figure, axes = plt.subplots(2, len(results), figsize=(2 + 3 * len(results), 5.5), sharex=True, sharey="row", squeeze=False, layout="constrained")
    for column, (name, (chip, at, h, z, control)) in zip(axes.T, results.items(), strict=True):
        for axis, mine, others, held in zip(column, (chip.h, chip.z), (h, z), (None, None) if control is None else (control.h, control.z), strict=True):
            mean, deviation = mine.mean(axis=1), mine.std(axis=1)
            axis.fill_between(chip.time / 3600, mean - deviation, mean + deviation, color="C0", alpha=0.25, lw=0)
            axis.plot(chip.time / 3600, mean, "C0", label="chip")
            axis.plot(at / 3600, others.mean(axis=1), "k--", lw=1, label="floating point, same spikes")
            if held is not None:
                axis.plot(control.time / 3600, held.mean(axis=1), "C3", lw=1, label="chip, rounding to nearest")
        column[0].set(title=f"{name}: {PROTOCOLS[name].kind}")
        column[1].set(xlabel="time [h of biology; s of the chip / 3.6]")
    axes[0, 0].set_ylabel("early phase h / h0")
    axes[1, 0].set_ylabel("late phase z")
    axes[0, 0].legend(frameon=False, fontsize="small")
    return figure


def main(names=("STET",), controls=("STET",), chip="reference", seed=1):
    """Run protocols, print what came out beside the reference, draw, and return for each protocol chip, time, h and z of the reference, and control.

    Where no input of a circuit is on, the engine takes steps of 20 us.
    """
    results = {}
    with neckar.Lab(chip=chip, step_us=20):
        steps, tau = measure_steps()
        print(f"a spike lifts calcium by {steps.mean():.1f} +- {steps.std():.1f} LSB; it decays within {tau.mean():.1f} +- {tau.std():.1f} us")
        print("           weight / h0 after 8 h    RMSE of                            kernel")
        print("protocol   chip  reference  table   the course  class                 missed  late  seconds")
        for name in names:
            protocol = PROTOCOLS[name]
            trains = spike_trains(protocol, np.random.default_rng([seed, *name.encode()]))
            at, h, z = reference(trains, np.random.default_rng(seed))
            found = run(protocol, trains, steps)
            control = run(protocol, trains, steps, "nearest") if name in controls else None
            results[name] = found, at, h, z, control
            print(
                f"{name:9} {found.weight[-1].mean():5.3f}  {(h + z)[-1].mean():9.3f}  {protocol.expected[2]:5.2f}  {rmse(found, h + z):10.1%}"
                f"  {kind(found.h, found.z):20}  {found.missed:6}  {found.late:4}  {found.seconds:7.1f}"
            )
            if control is not None:
                after = control.time > 2 * ONSET
                moved = np.abs(np.diff(control.h[after], axis=0)).max()
                print(f"          rounding to nearest: h / h0 {control.h[-1].mean():.3f}, z {np.abs(control.z).max():g}, h moves by {moved:g} after 2 h")
    draw(results).savefig("calcium_tagging.png", dpi=150)
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="all four protocols instead of one")
    main(tuple(PROTOCOLS) if parser.parse_args().full else ("STET",))
