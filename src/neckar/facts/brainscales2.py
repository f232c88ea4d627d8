"""Physical constants of the BrainScaleS-2 chip: what its codes mean in volts, amperes and seconds, how chips and circuits scatter, and how sure we are.

No other file of the package holds a physical literal about this chip. Potentials are given as the reading of the membrane converter (MADC) under its
nominal conversion, because that is what public figures show. Two sets of transfer lines exist: the *population* is the mean of all virtual chips, the
*reference* one fixed member of it, on which the public tutorial runs with its printed codes.

"Our fit" means fitted to numbers read from public figures of the demos (repository brainscales2-demos) and from assertions in public tests (hxtorch,
calix, pynn-brainscales). "Our estimate" means less: plausible, consistent with the figures, not measured. Marks such as ts_00 name notebooks of
brainscales2-demos. The observations behind the numbers are listed in docs/explanation/ledger.md.

"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from neckar.facts._fact import Fact, Line, Spread

_FIT = "our fit to public figures and tests"
_ESTIMATE = "our estimate"
_LEAK_FIGURES = "our fit; demos fp_calibration (slope), ts_00, ts_08 (levels)"

# ---- Unit conversions ----------------------------------------------------------------------------------------------------------------------------------

MADC_STEP = Fact(1.5e-3, "V/LSB", _ESTIMATE, "from calibrated leak 80 and threshold 125 CADC LSB that appear at 305 and 440 in hxsnn_intro")
MADC_ZERO = Fact(25.0, "MADC LSB", _ESTIMATE, "reading at 0 V; same figure")
MADC_BITS = Fact(10, "bit", "haldls vx/madc.h")
CADC_STEP = Fact(4.5e-3, "V/LSB", "calix include/ccalix/cadc_calib_target.h", "default calibration: reads 20 at 0.15 V, 220 at 1.05 V")
CADC_ZERO = Fact(0.060, "V", "calix include/ccalix/cadc_calib_target.h", "voltage at which the default calibration reads 0")
CAPMEM_VOLTAGE = Line(
    Fact(1.875e-3, "V/LSB", _ESTIMATE, "line through the anchors"),
    Fact(0.019, "V", "anchors 70 LSB = 0.15 V, 550 LSB = 1.05 V: calix include/ccalix/cadc_calib_target.h"),
)
CAPMEM_CURRENT = Fact(1e-9, "A/LSB", _ESTIMATE, "a cell at 500 is called the 500 nA reference in lola vx/readout_chain.h")

# ---- Potentials: reading of the MADC against the code of the CapMem cell --------------------------------------------------------------------------------

LEAK_LINE = Line(Fact(0.795, "MADC LSB/LSB", _LEAK_FIGURES), Fact(-164.0, "MADC LSB", _LEAK_FIGURES))
LEAK_LINE_REFERENCE = Line(Fact(0.84, "MADC LSB/LSB", "chosen within the population"), Fact(-195.0, "MADC LSB", "chosen within the population"))
RESET_LINE = Line(Fact(0.885, "MADC LSB/LSB", "our fit; demos fp_calibration, ts_00"), Fact(-171.0, "MADC LSB", "our fit; setups disagree most here"))
RESET_LINE_REFERENCE = Line(Fact(0.885, "MADC LSB/LSB", "chosen within the population"), Fact(-195.0, "MADC LSB", "chosen within the population"))
THRESHOLD_LINE = Line(Fact(1.04, "MADC LSB/LSB", "our fit; demos fp_calibration, ts_00"), Fact(77.5, "MADC LSB", "our fit", "no source follower in front"))
THRESHOLD_LINE_REFERENCE = Line(Fact(1.00, "MADC LSB/LSB", "chosen within the population"), Fact(101.0, "MADC LSB", "chosen within the population"))
ADAPTATION_REFERENCE_SHIFT = Fact(192.0, "MADC LSB", "demos ts_08: 425 at code 500", "v_ref above the leak's line at the same code: 0.795 code + 28")
ADAPTATION_LEAK_SHIFT = Fact(200.0, "LSB", "demos ts_08 (common_task_adex)", "a membrane at rest is not adapted if adaptation v_leak is the leak's - 200")
LEAK_PIVOT = Fact(700.0, "LSB", _FIT, "code at which a deviation of the slope has no effect")
RESET_PIVOT = Fact(500.0, "LSB", _FIT, "as above")
THRESHOLD_PIVOT = Fact(350.0, "LSB", _FIT, "as above")
SUPPLY = Fact(1.2, "V", "haldls test-ina219.cpp (1.2 V analog supply)")

# ---- Membrane, leak and reset -----------------------------------------------------------------------------------------------------------------------------

CAPACITANCE_INTRINSIC = Fact(0.2e-12, "F", _ESTIMATE, "more than 0.11 pF follows from calix test_capacitance_measurement")
CAPACITANCE_SWITCHED = Fact(2.1e-12, "F", "haldls vx/v3/neuron.h: about 2.3 pF at most", "at code 63, linear in the code")
CAPACITANCE_CODE_MAX = Fact(63, "LSB", "haldls vx/v3/neuron.h")
CAPACITANCE_FULL = Fact(2.3e-12, "F", "haldls vx/v3/neuron.h", "intrinsic and switched together; conductances are quoted as time constants on it")
LEAK_TIME = Fact(1400e-6, "s LSB", _FIT, "time constant times i_bias at full capacitance, population; proportional, no dead zone")
LEAK_TIME_REFERENCE = Fact(1550e-6, "s LSB", "chosen within the population; demos ts_00", "10.3 us at 150")
RESET_TIME = Fact(1830e-6, "s LSB", "demos ts_00, ten neurons: 1.79 us at 1022")
RESET_TIME_MIN = Fact(0.25e-6, "s", _ESTIMATE, "haldls vx/v3/neuron.h calls about 0.5 us the fastest reset time constant")
OTA_DIVISION = Fact(8, "1", "haldls vx/v3/neuron.h")
OTA_MULTIPLICATION = Fact(8, "1", "haldls vx/v3/neuron.h")
OTA_DEGENERATION = Fact(2, "1", _ESTIMATE)
OTA_SATURATION = Fact(0.9, "V", _FIT, "so that two firing periods of ts_00 agree")

# ---- Connected membranes ------------------------------------------------------------------------------------------------------------------------------------

COMPARTMENT_CONDUCTANCE = Fact(
    3e-9,
    "S/LSB",
    "our fit to demos ts_03: ratios of the four peaks of a chain at code 500, both ends",
    "between membrane and somatic line, proportional to i_bias_nmda",
)
COMPARTMENT_DIVISION = Fact(4, "1", "haldls vx/v3/neuron.h")
COMPARTMENT_MULTIPLICATION = Fact(4, "1", "haldls vx/v3/neuron.h")

# ---- Constant current -------------------------------------------------------------------------------------------------------------------------------------

OFFSET_CURRENT = Fact(75e-12, "A/LSB", "our fit; demos ts_08: 78 pA/LSB at 300")
OFFSET_CURRENT_CUBIC = Fact(0.67e-6, "1/LSB^2", "our estimate; hxtorch tests/hw/test_spiking_boundary.py: 113 to 137 nA at 1000", "I = k i (1 + cubic i^2)")

# ---- Synaptic input ---------------------------------------------------------------------------------------------------------------------------------------

SYNAPTIC_TIME = Fact(320e-6, "s LSB", _ESTIMATE, "time constant of the line times i_bias_tau; anchors are the ranges that calix reaches")
SYNAPTIC_HIGH_RESISTANCE = Fact(8, "1", _ESTIMATE)
SYNAPTIC_SMALL_CAPACITANCE = Fact(0.3, "1", _ESTIMATE, "on the time constant")
SYNAPTIC_SMALL_STEP = Fact(1.11, "1", "demos hagen_intro: 7.9 MADC LSB per event of weight 63", "on the charge of an event, with small capacitance")
SYNAPTIC_TIME_MIN = Fact(0.3e-6, "s", "calix spiking/neuron.py (shortest target)")
SYNAPTIC_TIME_MAX = Fact(10e-3, "s", _ESTIMATE, "a line without recovery current")
SYNAPTIC_KICK = Fact(
    0.14e-3,
    "V",
    "calix tests/hw/py/test_hagen_input.py (20 to 35 CADC LSB after six events of weight 63), pynn-brainscales test/hw (calibhxneuron)",
    "line step per weight unit and event",
)
SYNAPTIC_KICK_BIAS = Fact(600, "LSB", "calix (spiking default of syn_i_bias_dac)", "the step is proportional to the code")
SYNAPTIC_GM = Fact(
    6.321e-6,
    "S",
    "demos ts_00, ts_06 (0.72 and 0.785 MADC LSB per weight unit) and hxtorch tests/hw/test_spiking_weight_scaling.py (0.99)",
    "at i_bias_gm 500, population; a calibration, which brings all quadrants to the weakest, leaves 0.85 MADC LSB per weight unit in the median",
)
SYNAPTIC_GM_REFERENCE = Fact(
    5.857e-6,
    "S",
    "chosen within the population",
    "8.2 fC per weight unit at tau_syn 10 us, that is 0.87 MADC LSB with a membrane of 10 us",
)
SYNAPTIC_GM_BIAS = Fact(500, "LSB", "calix (default i_synin_gm)", "the transconductance is proportional to the code")
SYNAPTIC_INHIBITORY_GAIN = Fact(1.0, "1", _ESTIMATE, "transconductance relative to excitation; ts_06's inhibition curve fits 0.85 to 1 depending on its rest")
SYNAPTIC_SHIFT_NEUTRAL = Fact(310, "LSB", "calix neuron_synin.py (start before calibration)", "i_shift_reference without current at rest, median")
SYNAPTIC_SHIFT_SLOPE = Fact(0.07e-3, "V/LSB", _ESTIMATE, "voltage at the amplifier's input per LSB of i_shift_reference")
COBA_SLOPE = Fact(
    6.0,
    "1/V",
    "our estimate; calix neuron_synin_coba.py reaches reversal potentials 0.47 and 0.74 V away with i_bias_coba up to 255 at i_bias_gm 250 and 180",
    "relative change of the transconductance per volt at i_bias_coba = i_bias_gm",
)
SYNAPTIC_LINE_REST = Fact(1.2, "V", _ESTIMATE, "potential of a synaptic line without events, the supply; events pull it down")
INHIBITION_FLOOR = Fact(0.128, "V", "our fit to demos ts_06")
INHIBITION_WIDTH = Fact(37e-3, "V", "our fit to demos ts_06")

# ---- Synapse drivers (LSB: of a CapMem voltage) -----------------------------------------------------------------------------------------------------------

PULSE_EXTENSION = Fact(
    1 / 15, "1", "our estimate; haldls vx/padi.h", "by which each code makes a pulse longer: twice as long at 15, the 8 ns of extended timing"
)
STP_UTILIZATION = Fact(0.2, "1", "calix include/ccalix/stp_calib_target.h: some 0.2", "share of the distance to the charge voltage that an event covers")
STP_UTILIZATION_CODE = Fact(8, "LSB", _ESTIMATE, "code of the utilization with this share")
STP_RECOVERY_TIME = Fact(1e-6, "s", _ESTIMATE, "time constant of the recovery at recovery 0 and speed 0")
STP_RAMP_CURRENT = Fact(600, "LSB", "calix include/ccalix/stp_calib_options.h", "nominal i_ramp and i_calib")
STP_RAMP_START = Fact(
    50, "LSB", "our estimate; calix stp_calib_target.h", "voltage with the longest pulse at a neutral offset: v_recover of depressing synapses"
)
STP_RAMP_SPAN = Fact(450, "LSB", _ESTIMATE, "that the ramp covers at the nominal current, proportional to it")
STP_OFFSET_STEP = Fact(15, "LSB", "our estimate; calix test_stp_calibration: the offset removes the spread", "by which a code of the offset lowers the ramp")
STP_OFFSET_NEUTRAL = Fact(7, "code", "calix hagen/synapse_driver.py (DEFAULT_STP_OFFSET)")
STP_COMPARATOR_DELAY = Fact(0.1, "1", _ESTIMATE, "delay of the comparator at its largest bias, as a share of the longest pulse, inverse to the bias")
HAGEN_ACTIVATION_MAX = Fact(31, "1", "haldls vx/padi.h (HagenActivation)", "activation with the longest pulse")
HAGEN_OFFSET_STEP = Fact(5, "LSB", _ESTIMATE, "by which a code of hagen_dac_offset raises the voltage")
HAGEN_OFFSET_NEUTRAL = Fact(32, "code", _ESTIMATE, "at which the pulse of a nominal driver is activation / 31")

# ---- Correlation sensors (LSB: of the CADC) ----------------------------------------------------------------------------------------------------------------

CORRELATION_AMPLITUDE = Fact(0.5, "CADC LSB", "calix correlation_calib_target.h (default target)", "of a pair without delay at the bias below, median")
CORRELATION_STORE_BIAS = Fact(70, "LSB", "calix spiking/correlation.py (start of the search)", "syn_i_bias_store; the amplitude is inverse to it")
CORRELATION_TIME = Fact(5e-6, "s", "calix correlation_calib_target.h (default target)", "at the bias below, median")
CORRELATION_RAMP_BIAS = Fact(80, "LSB", "calix spiking/correlation.py (start of the search)", "syn_i_bias_ramp; the time constant is inverse to it")
CORRELATION_CALIB_STEP = Fact(0.4, "1", _ESTIMATE, "by which each code of a synapse's calibration raises its amplitude or time constant")
CORRELATION_BASELINE = Fact(190, "CADC LSB", "our estimate; calix correlation_measurement.py demands 120", "reading of a sensor without charge")

# ---- Adaptation and exponential ---------------------------------------------------------------------------------------------------------------------------

ADAPTATION_CONDUCTANCE = Fact(88e-9, "S", "demos ts_08 (adaptation, undershoot)", "fixed")
ADAPTATION_TIME = Fact(10e-3, "s LSB", "demos ts_08 (sub-threshold)", "time constant times i_bias_tau")
ADAPTATION_BIAS_MIN = Fact(0.1, "LSB", _ESTIMATE, "effective i_bias_tau of a cell at 0: leakage")
ADAPTATION_SLOPE = Fact(7.9, "1", "demos ts_08 (sub-threshold): 75/95 at 10/100", "steady dw/dv = slope i_bias_a / i_bias_tau")
ADAPTATION_JUMP = Fact(380.0, "V/(LSB s)", "demos ts_08 (adaptation): 54 MADC LSB at 200 and 1.02 us", "per i_bias_b and second of the pulse")
EXPONENTIAL_CURRENT = Fact(3.1e-9, "A", "our fit to demos ts_08", "at v = v_exp; the leak conductance at i_bias 70 times the slope factor")
EXPONENTIAL_SLOPE = Fact(30e-3, "V", _ESTIMATE)
EXPONENTIAL_BIAS = Fact(300, "LSB", "demos snn_adex_helpers.py (slider default)", "lower codes raise the threshold by slope factor ln(300 / code)")

# ---- Clocks and converters ----------------------------------------------------------------------------------------------------------------------------------

BACKEND_CLOCK = Fact(250e6, "Hz", "haldls vx/v3/pll.cpp", "refractory and pulse clocks divide it by 2^(scale + 1)")
FPGA_CLOCK = Fact(125e6, "Hz", "haldls vx/constants.h")
PPU_CLOCK = Fact(250e6, "Hz", "haldls vx/pll.h")
EVENT_CLOCK = Fact(250e6, "Hz", "haldls vx/constants.h", "event logic of the chip")
LINK_CLOCK = Fact(500e6, "Hz", "haldls vx/pll.h")
EVENT_CLOCK_TICKS = round(LINK_CLOCK.value / EVENT_CLOCK.value)
FPGA_CLOCK_TICKS = round(LINK_CLOCK.value / FPGA_CLOCK.value)
"""Ticks in a period of the FPGA's clock, 4; a tick of 2 ns is a period of the link clock."""
RUN_CYCLES_MAX = Fact(2**32 - 1, "clock cycles", "haldls vx/timer.h; pynn-brainscales simulator.py", "of the FPGA in one trial: its time stamps have 32 bits")
RUN_TICKS_MAX = int(RUN_CYCLES_MAX.value) * FPGA_CLOCK_TICKS

REFERENCE_CLOCK = Fact(50e6, "Hz", "haldls vx/pll.h")
REFRACTORY_COUNTER = Fact(256, "clock cycles", "haldls vx/neuron.h", "states of the counter; it wraps if it starts below the hold-off")
HOLDOFF_CODE_MAX = Fact(15, "code", "haldls vx/neuron.h", "the reset ends 2 * (15 - code) + 1 cycles early, at least one")
NEVER = Fact(1e3, "s", "of no hardware: longer than any run", "length of a refractory period whose clock stands still")
INPUT_LATENCY = Fact(0.45e-6, "s", "demos ts_00 and tp_00: 0.45 to 0.49 us", "from the release of an event by the FPGA to the start of the synaptic current")
BUS_LATENCY = Fact(0.1e-6, "s", _ESTIMATE, "from the crossbar, or the spike of a neuron, to the start of the synaptic current")
EVENT_SERVICE = Fact(
    4e-9, "s", "haldls v3/pll.cpp: event logic at 250 MHz; one event per cycle is our estimate", "of a neuron event output, a crossbar output, a PADI bus"
)
EVENT_SERVICE_EXTENDED = Fact(8e-9, "s", "haldls vx/padi.h (enable_extended_timing)", "of a PADI bus that never sends back to back")
EVENT_QUEUE = Fact(8, "events", _ESTIMATE, "that wait in front of a crossbar output to a PADI bus")
NEURON_QUEUE = Fact(63, "events", "our estimate; figure of ts_10", "that wait at a neuron event output: each of its 64 neurons keeps its own until it is taken")
HOST_QUEUE = Fact(
    16, "events", "our estimate; figure of ts_10: 28 neurons of one event output fire at once, and all arrive", "that wait at a crossbar output to the FPGA"
)
LINK_QUEUE = Fact(
    512,
    "events",
    "our estimate; figure of ts_11: volleys of 512 neurons arrive; haldls routing_crossbar.h counts drops at the crossbar alone",
    "that wait for the link to the FPGA",
)
HOST_SERVICE = Fact(8e-9, "s", _ESTIMATE, "of one crossbar output to the FPGA: 125 million events per second")
HOST_SERVICE_TOTAL = Fact(4e-9, "s", _ESTIMATE, "of all four together: 250 million events per second, less the samples of the MADC")
FPGA_SERVICE = Fact(8e-9 / 3, "s", "halco vx/event.h (SpikePack3): three events per FPGA cycle", "of the playback; events wait for their turn")
FPGA_CHANNEL_SERVICE = Fact(8e-9, "s", "halco vx/event.h", "of one of the four channels")
LINK_LOSS = Fact(1e-3, "1", _ESTIMATE, "probability that a link loses an event; upstream's tests accept 2 %")
MADC_CLOCK = Fact(500e6, "Hz", "haldls vx/madc.h")
MADC_CYCLES = Fact(12, "clock cycles", "haldls vx/madc.h", "least duration of a sample")
MADC_INVALID = Fact(8e-6, "s", "calix madc_base.py", "start of a burst without valid samples")
MADC_SETTLING = Fact(1e-6, "s", "our estimate, so that 0.03 % is left after the invalid samples", "time constant of the first samples of a burst")
MADC_PREAMP_UNITS = Fact(32, "1", _ESTIMATE, "gain of the pre-amplifier times its capacitor, madc_preamp_gain + 1 units; 1 at the default")
EXTERNAL_DAC_RANGE = Fact(2.5, "V", "lola vx/dac.cpp (DACChannelBlock, mux_dac_25)", "voltage on the debug pad at the highest code of the board's converter")
EXTERNAL_DAC_BITS = Fact(12, "bit", "haldls vx/spi.h (DACChannel)")
MADC_MUX_CHANNELS = Fact(2, "1", "haldls vx/madc.h")

# ---- The parallel converter (CADC) ------------------------------------------------------------------------------------------------------------------------

CADC_BITS = Fact(8, "bit", "haldls vx/cadc.h")
CADC_RAMP_START = Line(
    Fact(1.875e-3, "V/LSB", _ESTIMATE, "the line of the CapMem cells"),
    Fact(18.75e-3, "V", _ESTIMATE, "the line of the CapMem cells, rounded: the default code 22 starts the ramp at 60 mV, where the nominal reading is 0"),
)
CADC_RAMP_SLOPE_CODE = Fact(
    350, "LSB", "our estimate; calix common/cadc.py", "nominal step of 4.5 mV; at this code calix searches for the start, so its two searches end on one line"
)
CADC_RESET_TIME = Fact(20e-9, "s", _ESTIMATE, "time constant with which the ramp returns to its start at the default bias, inverse to the bias")
CADC_BUFFER_LAG = Fact(20e-9, "s", _ESTIMATE, "by which the ramp lags in the channels at the default bias, inverse to the bias; nominal readings contain it")
CADC_COMPARATOR_DELAY = Fact(10e-9, "s", _ESTIMATE, "of a comparator at the default bias, inverse to the bias; nominal readings contain it")
CADC_READ_OVERHEAD = Fact(
    49, "PPU cycles", "grenade execution_instance_chip_ppu_program_compiler.cpp: a row takes at least 1.7 us", "besides the conversion of 376 cycles"
)
CADC_ROWS = MappingProxyType(
    {
        "sram": Fact(100, "rows", "grenade vx/ppu.h"),
        "dram": Fact(204_800, "rows", "grenade vx/ppu.h"),
    }
)
"""How many rows of samples the memories at the FPGA hold in one run, by memory."""

CADC_STORE = MappingProxyType(
    {
        "sram": Fact(0.5e-6, "s", "our estimate; grenade test-cadc_readout.cpp accepts 2.5 us in total", "store in one pass of the readout loop"),
        "dram": Fact(4.5e-6, "s", "our estimate; grenade test-cadc_readout.cpp accepts 7 us in total", "store in one pass of the readout loop"),
    }
)
CADC_LOOP_JITTER = Fact(41, "PPU cycles", "libnux test_speed_memory.cpp: a row read takes 410 +- 41", "the duration of a pass is uniform within this")
CADC_LEAD = Fact(6e-6, "s", "grenade vx/ppu.h, realtime executor", "the readout loop is called 16 us before a section and waits 10 us; its rows take memory")
CADC_CLOCK_OFFSET = Fact(1e-6, "s", "grenade realtime executor: processors and chip are not synchronised", "stamps and times of samples differ by up to this")
CADC_ROW_WORDS = Fact(96, "words", "grenade ppu_program_generator.cpp", "of 32 bit: a time stamp and 256 samples in vectors of 128 byte")

# ---- Readout of the neurons -------------------------------------------------------------------------------------------------------------------------------

READOUT_BLOCKED_BELOW = Fact(1.2, "V", "lola vx/v3/neuron.h (Readout::source)", "the readout multiplexer lets higher signals through")
READOUT_BIAS = Fact(110, "LSB", "lola vx/v3/neuron.h (NeuronBlock)", "default of neuron_i_bias_readout_amp")
READOUT_FOLLOWER_THRESHOLD = Fact(
    0.5,
    "V",
    "our estimate; calix hagen_synin_calib_target.cpp: lines without events lie in the range of cells 150 to 340",
    "drop of the source follower of a synaptic line without current",
)
READOUT_FOLLOWER_OVERDRIVE = Fact(0.1, "V", _ESTIMATE, "further drop at the default bias, with the square root of the bias")

# ---- Temporal noise -----------------------------------------------------------------------------------------------------------------------------------------

MEMBRANE_NOISE = Fact(
    1.15e-12,
    "A s^0.5",
    "demos hagen_intro (a membrane without leak wanders), our estimate",
    "white current noise, 0.5 mV/sqrt(us) on the full capacitance; independent of the leak",
)
MADC_NOISE = Fact(
    1.35,
    "MADC LSB",
    "demos ts_00: 1.65 in total on a stiff membrane",
    "of one sample, white, rounding included; the rest is membrane noise",
)
MADC_DNL = Fact(0.2, "LSB", "our estimate; demos ts_00 favours even codes", "even codes are wider, odd ones narrower by this")
CADC_NOISE = Fact(0.8, "CADC LSB", _ESTIMATE, "of one read, white, rounding included")
CAPMEM_JITTER = Fact(0.5, "LSB", _ESTIMATE, "per write, frozen until the next")
CAPMEM_CROSSTALK = Fact(8, "LSB", _ESTIMATE, "by which a cell lies low if all 512 of its row share its value, proportional to the number of others")
DRIFT_RATE = Fact(0.9e-3, "V/h", "our estimate: 0.2 CADC LSB per hour", "root mean square of the rate of a circuit's potentials")
TEMPERATURE_SWING = Fact(1.0, "K", "our estimate: an air-conditioned room", "standard deviation of the chip's temperature over days")
TEMPERATURE_TIME = Fact(1e-3, "1/K", _ESTIMATE, "by which the time constants of the neuron circuits grow")
DRIFT_PERIODS = (Fact(5.0, "h", _ESTIMATE), Fact(24.0, "h", "a day"), Fact(60.0, "h", _ESTIMATE))
DRIFT_PERIOD_SPREAD = Fact(0.25, "1", _ESTIMATE, "by which periods of a circuit differ at most, evenly in the logarithm; so no chip comes back to what it was")

# ---- Power --------------------------------------------------------------------------------------------------------------------------------------------------

POWER_STATIC = Fact(120e-3, "W", _ESTIMATE, "analog and digital")
POWER_PPU = Fact(25e-3, "W", _ESTIMATE, "per active processor")
POWER_LINKS_IDLE = Fact(60e-3, "W", _ESTIMATE)
POWER_LINKS_STREAMING = Fact(300e-3, "W", _ESTIMATE, "all eight links")
POWER_MADC = Fact(60e-3, "W", _ESTIMATE)
ENERGY_SYNAPTIC_EVENT = Fact(10e-12, "J", _ESTIMATE)
POWER_PUBLISHED = MappingProxyType(
    {
        "matrix multiplication": Fact(0.70, "W", "Stradmann et al. 2022", "192 uJ in 276 us"),
        "spiking inference": Fact(0.20, "W", "Cramer et al. 2022", "upper bound, at up to 85,000 images per second"),
        "first-spike inference": Fact(0.175, "W", "Goeltz et al. 2021", "not read again by us"),
    }
)
"""Power of the chip in published experiments, to be reported beside the formula above."""

# ---- Mismatch ------------------------------------------------------------------------------------------------------------------------------------------------

_SPLIT = "our fit; the split between offset, follower and lines is weakly determined, their sum is not"

SPREAD: Mapping[str, Spread] = MappingProxyType(
    {
        "madc_offset": Spread("MADC LSB", "normal", 36, 0, 0, _SPLIT, "calibrated rest 254 to 333 in four figures"),
        "madc_gain": Spread("1", "lognormal", 0.05, 0, 0, _FIT, "about reading 300; 2.6 to 3.0 MADC LSB per CADC LSB"),
        "follower_offset": Spread("MADC LSB", "normal", 18, 0, 0, _SPLIT, "leak, reset, exponential and adaptation alike"),
        "leak_offset": Spread("MADC LSB", "normal", 23, 13.3, 1.5, _SPLIT, "also exponential, adaptation, COBA; circuit: our estimate; reference: in its line"),
        "reset_offset": Spread("MADC LSB", "normal", 55, 14.9, -24, "our fit; circuit: demos ts_00, ten neurons", "reference: in its line"),
        "threshold_offset": Spread("MADC LSB", "normal", 15, 10.3, 9, "our fit; circuit: demos ts_00, ten neurons", "reference: in its line"),
        "leak_slope": Spread("MADC LSB/LSB", "normal", 0.04, 0, 0.045, _FIT, "about code 700; reference: in its line"),
        "reset_slope": Spread("MADC LSB/LSB", "normal", 0.04, 0, 0, _FIT, "about code 500"),
        "threshold_slope": Spread("MADC LSB/LSB", "normal", 0.04, 0, -0.04, _FIT, "about code 350; reference: in its line"),
        "leak_time": Spread("1", "lognormal", 0.18, 0.14, 0.11, "our fit; circuit: demos ts_00", "reference: in its constant"),
        "reset_time": Spread("1", "lognormal", 0.10, 0.05, 0, "chip: our estimate; circuit: demos ts_00"),
        "offset_current": Spread("1", "lognormal", 0.07, 0.08, 0, "hxtorch tests/hw/test_spiking_boundary.py accepts 20 %; circuit: our estimate"),
        "synaptic_time": Spread("1", "lognormal", 0.15, 0.25, 0, _ESTIMATE, "before calibration"),
        "synaptic_gm": Spread(
            "1",
            "lognormal",
            0.11,
            0.20,
            -0.07,
            "chip: so that with the weakest quadrant and the converter's gain a calibration leaves psp_calibrated; circuit: our estimate",
            "before calibration; excitation and inhibition independent; reference: in its constant",
        ),
        "inhibition_floor": Spread("MADC LSB", "normal", 0, 6.5, 0, "demos ts_06: eight neurons within 7 LSB where inhibition saturates"),
        "synaptic_shift": Spread("LSB", "normal", 0, 20, 0, _ESTIMATE, "of i_shift_reference"),
        "coba_slope": Spread("1", "lognormal", 0.15, 0.20, 0, _ESTIMATE, "before calibration; excitation and inhibition independent"),
        "psp_calibrated": Spread("1", "lognormal", 0.14, 0.08, 0, "four public sources; hxtorch accepts 20 %", "what a calibration leaves; not drawn"),
        "adaptation_time": Spread("1", "lognormal", 0.20, 0.10, 0, _ESTIMATE),
        "adaptation_jump": Spread("1", "lognormal", 0.20, 0.10, 0, _ESTIMATE),
        "adaptation_conductance": Spread("1", "lognormal", 0.20, 0.10, 0, _ESTIMATE),
        "compartment_time": Spread("1", "lognormal", 0.10, 0.25, 0, _ESTIMATE, "before calibration, of the inverse conductance between compartments"),
        "intrinsic_capacitance": Spread("1", "lognormal", 0.05, 0.15, 0, _ESTIMATE),
        "dac_bias": Spread("1", "lognormal", 0.10, 0, 0, _ESTIMATE, "from quadrant to quadrant"),
        "synapse": Spread("1", "lognormal", 0, 0.05, 0, _ESTIMATE, "each synapse"),
        "synapse_gradient": Spread("1", "normal", 0, 0.03, 0, "asymmetry noted in calix correlation.py; value our estimate", "at the array's edges"),
        "driver_pulse": Spread("1", "lognormal", 0, 0.03, 0, "demos ts_06: eight neurons within 3.3 %; value our estimate", "pulse length of a driver"),
        "driver_ramp_offset": Spread("LSB", "normal", 0, 15, 0, "calix test_stp_calibration; value our estimate", "start of a driver's ramp, CapMem LSB"),
        "cadc_offset": Spread("CADC LSB", "normal", 0, 12.5, 0, "calix test_cadc (below 20); value our estimate", "before calibration"),
        "cadc_gain": Spread("1", "lognormal", 0.10, 0.01, 0, _ESTIMATE, "width of an LSB; chip: of a quadrant's ramp"),
        "cadc_start": Spread("1", "lognormal", 0.10, 0, 0, _ESTIMATE, "start potential of a quadrant's ramp"),
        "correlation_amplitude": Spread("1", "lognormal", 0, 0.5, 0, _ESTIMATE, "of each synapse"),
        "correlation_time": Spread("1", "lognormal", 0, 0.4, 0, _ESTIMATE, "of each synapse, both sensors alike"),
        "correlation_asymmetry": Spread("1", "lognormal", 0, 0.3, 0, "calix correlation.py; value our estimate", "causal over acausal amplitude"),
        "correlation_baseline": Spread("CADC LSB", "normal", 0, 10, 0, _ESTIMATE, "of each sensor"),
    }
)
"""Spread of everything that differs between chips and circuits. The reference chip's deviations are part of its own lines; here they are for comparison."""

MADC_GAIN_PIVOT = Fact(300, "MADC LSB", _FIT, "reading at which a deviation of the gain has no effect")

# ---- What a calibration leaves -----------------------------------------------------------------------------------------------------------------------------

CALIBRATION_RATIO: Mapping[str, Fact] = MappingProxyType(
    {
        **{name: Fact(limit, "1", "calix test_neuron_distribution.py") for name, limit in (("leak", 0.30), ("reset", 0.20), ("threshold", 0.35))},
        **{name: Fact(limit, "1", "calix test_neuron_distribution.py") for name, limit in (("tau_mem", 0.45), ("tau_syn", 0.20))},
        "tau_icc": Fact(0.5, "1", "calix test_multicompartment.py"),
    }
)
"""Largest standard deviation over circuits after a calibration that upstream's tests accept, relative to that before; 5 % cut off on both sides."""

_HALF = "our estimate: half of what upstream's test accepts"
CALIBRATION_SPREAD: Mapping[str, Fact] = MappingProxyType(
    {
        "leak": Fact(0.67, "CADC LSB", _HALF, "0.30 of 13.3 MADC LSB"),
        "reset": Fact(0.5, "CADC LSB", _HALF, "0.20 of 14.9 MADC LSB"),
        "threshold": Fact(0.6, "CADC LSB", _HALF, "0.35 of 10.3 MADC LSB"),
        "tau_mem": Fact(0.032, "1", _HALF, "0.45 of 14 %"),
        "tau_syn": Fact(0.025, "1", _HALF, "0.20 of 25 %"),
        "tau_icc": Fact(0.062, "1", _HALF, "0.5 of 25 %"),
        "synaptic_gm": Fact(0.02, "1", _ESTIMATE, "demos ts_06: eight neurons within 3.3 % at weight 288, where synapses and time constants alone make 3.7 %"),
        "synaptic_shift": Fact(0.3, "LSB", _ESTIMATE, "noise of a CADC reading over the effect of one code on a slow membrane"),
        "coba_reference": Fact(1.0, "CADC LSB", _ESTIMATE),
        "coba_slope": Fact(0.05, "1", _ESTIMATE),
    }
)
"""Standard deviation over circuits by which a calibration misses its target, besides whole codes and the converter's own errors."""

CALIBRATION_BIAS: Mapping[str, Fact] = MappingProxyType(
    {
        "leak": Fact(0.2, "CADC LSB", _ESTIMATE, "our own measurement leaves 0.1"),
        "reset": Fact(0.2, "CADC LSB", _ESTIMATE, "our own measurement leaves 0.1"),
        "threshold": Fact(0.5, "CADC LSB", _ESTIMATE, "the highest of many readings counts, which noise raises and gaps between readings lower; ours: 0.3"),
        "tau_mem": Fact(0.015, "1", _ESTIMATE, "the leak saturates, so a decay from far is slower than one nearby; ours: 1.1 % long"),
        "tau_syn": Fact(0.01, "1", _ESTIMATE, "ours: below 0.1 %"),
    }
)
"""By how much a calibration misses its target on all circuits alike: standard deviation over chips and ways to measure."""
