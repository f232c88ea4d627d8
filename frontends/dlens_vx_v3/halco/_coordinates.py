"""The coordinates of the chip, its FPGA and its board: one statement each.

``Ranged`` states the number of values and the fact that a value states; ``Pair`` states the two parts. Sources: halco hicann-dls/vx, one header per circuit.
"""

from __future__ import annotations

import numpy as _np

from dlens_vx_v3.halco._base import Pair, Ranged
from neckar import facts as _facts


class HemisphereOnDLS(Ranged, size=2, fact="hemisphere"):
    """A half of the chip: 0 top, 1 bottom."""


class NeuronRowOnDLS(Ranged, size=2, fact="hemisphere"):
    """A row of neuron circuits."""


class NeuronColumnOnDLS(Ranged, size=256, fact="column"):
    """A column of neuron circuits."""


class AtomicNeuronOnDLS(Pair, fast=NeuronColumnOnDLS, slow=NeuronRowOnDLS):
    """A neuron circuit."""


class NeuronBlockOnDLS(Ranged, size=1, fact="neuron_block"):
    """All neuron circuits."""


class NeuronConfigOnNeuronConfigBlock(Ranged, size=128, fact="column_of_side"):
    """A neuron circuit of a quadrant."""


class NeuronConfigBlockOnDLS(Ranged, size=4, fact="quadrant"):
    """A quadrant of neuron circuits."""


class NeuronConfigOnDLS(Pair, fast=NeuronConfigOnNeuronConfigBlock, slow=NeuronConfigBlockOnDLS):
    """The analog switches of a neuron circuit."""


class NeuronBackendConfigBlockOnDLS(Ranged, size=2, fact="side"):
    """A neuron backend: 0 west, 1 east; it serves both rows."""


class CommonNeuronBackendConfigOnDLS(Ranged, size=2, fact="side"):
    """The settings that all neurons of a backend share."""


class BlockPostPulseOnDLS(Ranged, size=2, fact="side"):
    """The post pulses of a backend."""


class NeuronBackendConfigOnNeuronBackendConfigBlock(Ranged, size=256, fact="neuron_of_side"):
    """A neuron of a backend."""


class NeuronBackendConfigOnDLS(Pair, fast=NeuronBackendConfigOnNeuronBackendConfigBlock, slow=NeuronBackendConfigBlockOnDLS):
    """The digital part of a neuron circuit."""


class NeuronResetOnNeuronResetBlock(Ranged, size=256, fact="neuron_of_side"):
    """A neuron's reset within a backend."""


class NeuronResetBlockOnDLS(Ranged, size=2, fact="side"):
    """The resets of a backend."""


class NeuronResetOnDLS(Pair, fast=NeuronResetOnNeuronResetBlock, slow=NeuronResetBlockOnDLS):
    """The reset of a neuron circuit."""


class SpikeCounterReadOnSpikeCounterReadBlock(Ranged, size=256, fact="neuron_of_side"):
    """A spike counter within a backend."""


class SpikeCounterReadBlockOnDLS(Ranged, size=2, fact="side"):
    """The spike counters of a backend."""


class SpikeCounterReadOnDLS(Pair, fast=SpikeCounterReadOnSpikeCounterReadBlock, slow=SpikeCounterReadBlockOnDLS):
    """The spike counter of a neuron circuit."""


class SpikeCounterResetOnSpikeCounterResetBlock(Ranged, size=256, fact="neuron_of_side"):
    """The reset of a spike counter within a backend."""


class SpikeCounterResetBlockOnDLS(Ranged, size=2, fact="side"):
    """The resets of the spike counters of a backend."""


class SpikeCounterResetOnDLS(Pair, fast=SpikeCounterResetOnSpikeCounterResetBlock, slow=SpikeCounterResetBlockOnDLS):
    """The reset of the spike counter of a neuron circuit."""


class NeuronEventOutputOnNeuronBackendBlock(Ranged, size=4, fact="output_of_side"):
    """An event output of a backend."""


class NeuronEventOutputOnDLS(Pair, fast=NeuronEventOutputOnNeuronBackendBlock, slow=NeuronBackendConfigBlockOnDLS):
    """An output that 64 neuron circuits share: 32 columns of both rows."""


class NeuronSRAMTimingConfigOnDLS(Ranged, size=4, fact="quadrant"):
    """Memory timing of a quadrant of neurons."""


class NeuronBackendSRAMTimingConfigOnDLS(Ranged, size=4, fact="quadrant"):
    """Memory timing of a backend."""


class NeuronBackendAddressOut(Ranged, size=256, fact="address_out"):
    """Lower 8 bits of the label of a neuron's events."""


class NeuronColumnOnLogicalNeuron(Ranged, size=128, fact="logical_column"):
    """A column of a logical neuron."""


class NeuronRowOnLogicalNeuron(Ranged, size=2, fact="logical_row"):
    """A row of a logical neuron."""


class CompartmentOnLogicalNeuron(Ranged, size=255, fact="compartment"):
    """A compartment of a logical neuron."""


class EntryOnQuad(Ranged, size=4, fact="entry"):
    """A column of four that are accessed together; counted against the columns."""


class SynramOnDLS(Ranged, size=2, fact="hemisphere"):
    """A synapse array."""


class CommonSynramConfigOnDLS(Ranged, size=2, fact="hemisphere"):
    """Settings of a synapse array."""


class SynapseBlockOnDLS(Ranged, size=2, fact="hemisphere"):
    """A synapse array and its shared settings."""


class SynapseWeightMatrixOnDLS(Ranged, size=2, fact="hemisphere"):
    """The weights of a synapse array."""


class SynapseLabelMatrixOnDLS(Ranged, size=2, fact="hemisphere"):
    """The labels of a synapse array."""


class SynapseCorrelationCalibMatrixOnDLS(Ranged, size=2, fact="hemisphere"):
    """The calibration bits of a synapse array's correlation sensors."""


class SynapseRowOnSynram(Ranged, size=256, fact="row"):
    """A row of a synapse array."""


class SynapseOnSynapseRow(Ranged, size=256, fact="column"):
    """A synapse of a row."""


class SynapseRowOnDLS(Pair, fast=SynapseRowOnSynram, slow=SynramOnDLS):
    """A row of synapses."""


class SynapseWeightRowOnDLS(Pair, fast=SynapseRowOnSynram, slow=SynramOnDLS):
    """The weights of a row of synapses."""


class SynapseLabelRowOnDLS(Pair, fast=SynapseRowOnSynram, slow=SynramOnDLS):
    """The labels of a row of synapses."""


class SynapseCorrelationCalibRowOnDLS(Pair, fast=SynapseRowOnSynram, slow=SynramOnDLS):
    """The calibration bits of a row of correlation sensors."""


class CorrelationResetRowOnDLS(Pair, fast=SynapseRowOnSynram, slow=SynramOnDLS):
    """The reset of a row of correlation sensors."""


class SynapseOnSynram(Pair, fast=SynapseOnSynapseRow, slow=SynapseRowOnSynram):
    """A synapse of an array."""


class SynapseOnDLS(Pair, fast=SynapseOnSynram, slow=SynramOnDLS):
    """A synapse."""


class SynapseQuadColumnOnDLS(Ranged, size=64, fact="quad_column"):
    """Four columns that are accessed together."""


class SynapseQuadOnSynram(Pair, fast=SynapseQuadColumnOnDLS, slow=SynapseRowOnSynram):
    """Four synapses of an array."""


class SynapseQuadOnDLS(Pair, fast=SynapseQuadOnSynram, slow=SynramOnDLS):
    """Four synapses of a row."""


class SynapseWeightQuadOnDLS(Pair, fast=SynapseQuadOnSynram, slow=SynramOnDLS):
    """The weights of four synapses."""


class SynapseLabelQuadOnDLS(Pair, fast=SynapseQuadOnSynram, slow=SynramOnDLS):
    """The labels of four synapses."""


class SynapseCorrelationCalibQuadOnDLS(Pair, fast=SynapseQuadOnSynram, slow=SynramOnDLS):
    """The calibration bits of four synapses."""


class CorrelationResetOnDLS(Pair, fast=SynapseQuadOnSynram, slow=SynramOnDLS):
    """The reset of the correlation sensors of four synapses."""


class NeuronResetQuadOnDLS(Pair, fast=SynapseQuadColumnOnDLS, slow=SynramOnDLS):
    """The reset of four neuron circuits."""


class ColumnCorrelationQuadOnSynram(Ranged, size=64, fact="quad_column"):
    """The correlation switches of four columns of an array."""


class ColumnCorrelationQuadOnDLS(Pair, fast=ColumnCorrelationQuadOnSynram, slow=SynramOnDLS):
    """The correlation switches of four columns."""


class ColumnCorrelationRowOnDLS(Ranged, size=2, fact="hemisphere"):
    """The correlation switches of an array."""


class ColumnCurrentQuadOnSynram(Ranged, size=64, fact="quad_column"):
    """The current switches of four columns of an array."""


class ColumnCurrentQuadOnDLS(Pair, fast=ColumnCurrentQuadOnSynram, slow=SynramOnDLS):
    """The current switches of four columns."""


class ColumnCurrentRowOnDLS(Ranged, size=2, fact="hemisphere"):
    """The current switches of an array."""


class SynapticInputOnNeuron(Ranged, size=2, fact="synaptic_input"):
    """A synaptic input of a neuron: 0 excitatory, 1 inhibitory."""


class SynapseBiasSelectionOnDLS(Ranged, size=1, fact="synapse_bias_selection"):
    """Which bias cells the synapse arrays use."""


class CommonCorrelationConfigOnDLS(Ranged, size=2, fact="hemisphere"):
    """Settings of the correlation sensors of a hemisphere."""


class SynapseDriverBlockOnDLS(Ranged, size=2, fact="hemisphere"):
    """The synapse drivers of a hemisphere."""


class CommonSynapseDriverConfigOnDLS(Ranged, size=2, fact="hemisphere"):
    """Settings of the synapse drivers of a hemisphere."""


class SynapseDriverSRAMTimingConfigOnDLS(Ranged, size=2, fact="hemisphere"):
    """Memory timing of the synapse drivers of a hemisphere."""


class SynapseDriverOnSynapseDriverBlock(Ranged, size=128, fact="driver"):
    """A synapse driver of a hemisphere."""


class SynapseDriverOnPADIBus(Ranged, size=32, fact="position"):
    """A synapse driver on its bus."""


class SynapseDriverOnDLS(Pair, fast=SynapseDriverOnSynapseDriverBlock, slow=SynapseDriverBlockOnDLS):
    """A synapse driver."""

    def toCapMemBlockOnDLS(self) -> CapMemBlockOnDLS:
        """Return the block of its plasticity's cells: west for even drivers, east for odd ones."""
        hemisphere, driver = self.split()
        return CapMemBlockOnDLS(hemisphere * CapMemBlockOnHemisphere.size + driver % CapMemBlockOnHemisphere.size)


class SynapseRowOnSynapseDriver(Ranged, size=2, fact="row_of_driver"):
    """A row of a synapse driver: 0 top, 1 bottom."""


class PADIBusBlockOnDLS(Ranged, size=2, fact="hemisphere"):
    """The PADI buses of a hemisphere."""


class PADIBusOnPADIBusBlock(Ranged, size=4, fact="bus"):
    """A PADI bus of a hemisphere."""


class PADIBusOnDLS(Pair, fast=PADIBusOnPADIBusBlock, slow=PADIBusBlockOnDLS):
    """A PADI bus."""


class CommonPADIBusConfigOnDLS(Ranged, size=2, fact="hemisphere"):
    """Settings of the PADI buses of a hemisphere."""


class CommonSTPConfigOnDLS(Ranged, size=2, fact="hemisphere"):
    """Settings of the short-term plasticity of a hemisphere."""


class PADIEventOnDLS(Ranged, size=2, fact="hemisphere"):
    """A register that sends an event to the PADI buses of a hemisphere."""


class PADIRowSelectAddress(Ranged, size=32, fact="row_select"):
    """Row select of an event on a PADI bus."""


class CrossbarOnDLS(Ranged, size=1, fact="crossbar"):
    """The event crossbar."""


class CrossbarOutputConfigOnDLS(Ranged, size=1, fact="crossbar_outputs"):
    """The settings of the crossbar outputs."""


class CrossbarOutputOnDLS(Ranged, size=12, fact="crossbar_output"):
    """An output of the crossbar: 0 to 7 PADI buses, 8 to 11 the FPGA."""


class CrossbarL2OutputOnDLS(Ranged, size=4, fact="l2_output"):
    """An output of the crossbar to the FPGA."""


class CrossbarInputOnDLS(Ranged, size=20, fact="crossbar_input"):
    """An input of the crossbar: 0 to 7 neurons, 8 to 11 the FPGA, 12 to 19 background sources."""


class BackgroundSpikeSourceOnDLS(Ranged, size=8, fact="background"):
    """A background source."""


class SPL1Address(Ranged, size=4, fact="fpga_channel"):
    """A channel from the FPGA to the chip."""


class NeuronLabel(Ranged, size=16384, fact="neuron_label"):
    """Label of an event as the crossbar sees it."""


class SpikeLabel(Ranged, size=65536, fact="spike_label"):
    """Label of an event: neuron label and SPL1 address."""


class SynapseLabel(Ranged, size=64, fact="synapse_label"):
    """Label of an event as a synapse sees it."""


class SpikePack1ToChipOnDLS(Ranged, size=1, fact="spike_pack_1"):
    """Sends one event to the chip."""


class SpikePack2ToChipOnDLS(Ranged, size=1, fact="spike_pack_2"):
    """Sends two events to the chip."""


class SpikePack3ToChipOnDLS(Ranged, size=1, fact="spike_pack_3"):
    """Sends three events to the chip."""


class SpikePackFromFPGAOnDLS(Ranged, size=4, fact="spike_pack_from_fpga", initial=1):
    """Events on their way to the host."""


class MADCSamplePackFromFPGAOnDLS(Ranged, size=4, fact="madc_pack_from_fpga", initial=1):
    """MADC samples on their way to the host."""


class CapMemOnDLS(Ranged, size=1, fact="capmem"):
    """The analog parameter memory."""


class CapMemBlockOnHemisphere(Ranged, size=2, fact="side"):
    """A block of the analog parameter memory in its hemisphere."""


class CapMemBlockOnDLS(Ranged, size=4, fact="quadrant"):
    """A block of the analog parameter memory."""


class CapMemBlockConfigOnDLS(Ranged, size=4, fact="quadrant"):
    """Settings of a block of the analog parameter memory."""


class CapMemSRAMTimingConfigOnDLS(Ranged, size=4, fact="quadrant"):
    """Memory timing of a block of the analog parameter memory."""


class CapMemColumnOnCapMemBlock(Ranged, size=130, fact="capmem_column"):
    """A column of a CapMem block: 128 neurons, then two of shared cells."""


class CapMemRowOnCapMemBlock(Ranged, size=24, fact="capmem_row"):
    """A row of a CapMem block: a parameter of the neurons."""


class CapMemCellOnCapMemBlock(Pair, fast=CapMemColumnOnCapMemBlock, slow=CapMemRowOnCapMemBlock):
    """A cell of a CapMem block."""


class CapMemCellOnDLS(Pair, fast=CapMemCellOnCapMemBlock, slow=CapMemBlockOnDLS):
    """A cell of the analog parameter memory."""


class UnusedCapMemCellOnDLS(Ranged, size=90, fact="unused_capmem_cell"):
    """A cell without a purpose."""


class ReferenceGeneratorConfigOnDLS(Ranged, size=1, fact="reference_generator"):
    """The reference generator of the analog parameter memory."""


class CADCOnDLS(Ranged, size=2, fact="hemisphere"):
    """The CADC of a hemisphere."""


class CADCConfigOnDLS(Ranged, size=2, fact="hemisphere"):
    """Settings of the CADC of a hemisphere."""


class CADCChannelType(Ranged, size=2, fact="cadc_channel"):
    """Channel of the CADC: 0 causal, 1 acausal."""


class CADCReadoutType(Ranged, size=2, fact="cadc_readout"):
    """How the CADC is read: 0 starts a conversion, 1 takes the last one."""


class CADCChannelColumnOnSynram(Ranged, size=256, fact="column"):
    """A column of the CADC of a hemisphere."""


class CADCChannelConfigOnSynram(Pair, fast=CADCChannelColumnOnSynram, slow=CADCChannelType):
    """A channel of the CADC of a hemisphere."""


class CADCChannelConfigOnDLS(Pair, fast=CADCChannelConfigOnSynram, slow=SynramOnDLS):
    """A channel of the CADC."""


class CADCOffsetSRAMTimingConfigOnDLS(Ranged, size=4, fact="quadrant"):
    """Memory timing of the channel offsets."""


class CADCSampleRowOnDLS(Pair, fast=SynapseRowOnSynram, slow=SynramOnDLS):
    """The samples of a row."""


class CADCSamplesOnDLS(Ranged, size=1, fact="cadc_samples"):
    """The samples of both CADCs."""


class CADCSampleQuadUnspecifiedReadoutOnSynram(Pair, fast=SynapseQuadOnSynram, slow=CADCChannelType):
    """Four samples of a channel."""


class CADCSampleQuadOnSynram(Pair, fast=CADCSampleQuadUnspecifiedReadoutOnSynram, slow=CADCReadoutType):
    """Four samples of a hemisphere."""


class CADCSampleQuadOnDLS(Pair, fast=CADCSampleQuadOnSynram, slow=SynramOnDLS):
    """Four samples of the CADC."""


class MADCControlOnDLS(Ranged, size=1, fact="madc_control"):
    """The control register of the MADC."""


class MADCConfigOnDLS(Ranged, size=1, fact="madc_config"):
    """Settings of the MADC."""


class ReadoutChainOnDLS(Ranged, size=1, fact="readout_chain"):
    """MADC and analog signal routing."""


class ReadoutSourceSelectionOnDLS(Ranged, size=1, fact="readout_source_selection"):
    """The multiplexers in front of MADC and pads."""


class SourceMultiplexerOnReadoutSourceSelection(Ranged, size=2, fact="readout_buffer"):
    """A multiplexer in front of MADC and pads."""


class PadOnDLS(Ranged, size=2, fact="pad"):
    """An analog pad."""


class PadMultiplexerConfigOnDLS(Ranged, size=2, fact="pad"):
    """The switches of an analog pad."""


class CurrentDACOnDLS(Ranged, size=1, fact="current_dac"):
    """The current source for measurements."""


class PPUOnDLS(Ranged, size=2, fact="hemisphere"):
    """A plasticity processor."""


class PPUMemoryOnDLS(Ranged, size=2, fact="hemisphere"):
    """The memory of a plasticity processor."""


class PPUControlRegisterOnDLS(Ranged, size=2, fact="hemisphere"):
    """The control register of a plasticity processor."""


class PPUStatusRegisterOnDLS(Ranged, size=2, fact="hemisphere"):
    """The status register of a plasticity processor."""


class PPUMemoryWordOnPPU(Ranged, size=4096, fact="ppu_word"):
    """A word in the memory of a plasticity processor."""


class PPUMemoryBlockSize(Ranged, size=4096, low=1):
    """Number of words of a piece of the memory of a plasticity processor."""


class PPUMemoryWordOnDLS(Pair, fast=PPUMemoryWordOnPPU, slow=PPUOnDLS):
    """A word in the memory of the plasticity processors."""


class ChipOnDLS(Ranged, size=1, fact="chip"):
    """The chip."""


class DLSGlobal(Ranged, size=255, fact="dls"):
    """A chip among several."""


class TimerOnDLS(Ranged, size=1, fact="timer"):
    """The timer of a playback program."""


class WaitUntilOnFPGA(Ranged, size=1, fact="wait_until"):
    """A wait for a time."""


class SystimeSyncOnFPGA(Ranged, size=1, fact="systime_sync"):
    """Synchronises the clocks of FPGA and chip."""


class SystimeSyncBaseOnDLS(Ranged, size=1, fact="systime_base"):
    """The value that the chip's clock is set to."""


class BarrierOnFPGA(Ranged, size=1, fact="barrier"):
    """A wait until all traffic is done."""


class PollingOmnibusBlockOnFPGA(Ranged, size=1, fact="polling_block"):
    """A wait until a register has a value."""


class PollingOmnibusBlockConfigOnFPGA(Ranged, size=1, fact="polling_block_config"):
    """What that wait compares."""


class NullPayloadReadableOnFPGA(Ranged, size=1, fact="null_payload"):
    """A read without content."""


class EventRecordingConfigOnFPGA(Ranged, size=1, fact="event_recording"):
    """Switches the recording of events."""


class InstructionTimeoutConfigOnFPGA(Ranged, size=1, fact="instruction_timeout"):
    """Time-out of the playback executor."""


class SystimeCorrectionBarrierConfigOnFPGA(Ranged, size=1, fact="systime_correction"):
    """Correction of the clock between events."""


class FPGADeviceDNAOnFPGA(Ranged, size=1, fact="fpga_dna"):
    """Serial number of the FPGA."""


class FPGASystimeSyncActiveStateOnFPGA(Ranged, size=1, fact="fpga_sync_active"):
    """State of the synchronisation."""


class FPGASystimeSyncNumRetriesOnFPGA(Ranged, size=1, fact="fpga_sync_retries"):
    """Attempts of the synchronisation."""


class FPGASystimeSyncLastRTTOnFPGA(Ranged, size=1, fact="fpga_sync_rtt"):
    """Round trip of the last synchronisation."""


class FPGASystimeSyncLastAsicSystimeOnFPGA(Ranged, size=1, fact="fpga_sync_systime"):
    """Time of the last synchronisation."""


class ExternalPPUMemoryByteOnFPGA(Ranged, size=131072, fact="external_byte"):
    """A byte of the external memory of the plasticity processors."""


class ExternalPPUMemoryBlockSize(Ranged, size=131072, low=1):
    """Number of bytes of a piece of the external memory."""


class ExternalPPUDRAMMemoryBlockSize(Ranged, size=268435456, low=1):
    """Number of bytes of a piece of the external DRAM."""


class ExternalPPUMemoryQuadOnFPGA(Ranged, size=32768, fact="external_quad"):
    """Four bytes of the external memory of the plasticity processors."""


class ExternalPPUMemoryOnFPGA(Ranged, size=1, fact="external_memory"):
    """The external memory of the plasticity processors."""


class ExternalPPUDRAMMemoryByteOnFPGA(Ranged, size=268435456, fact="external_dram_byte"):
    """A byte of the external DRAM of the plasticity processors."""


class ExternalPPUDRAMMemoryQuadOnFPGA(Ranged, size=67108864, fact="external_dram_quad"):
    """Four bytes of the external DRAM of the plasticity processors."""


class ExternalPPUDRAMMemoryOnFPGA(Ranged, size=1, fact="external_dram"):
    """The external DRAM of the plasticity processors."""


class HicannARQStatusOnFPGA(Ranged, size=1, fact="arq_status"):
    """State of the link protocol."""


class PhyConfigFPGAOnDLS(Ranged, size=8, fact="phy_fpga"):
    """A link's end at the FPGA."""


class PhyConfigChipOnDLS(Ranged, size=8, fact="phy_chip"):
    """A link's end at the chip."""


class PhyStatusOnFPGA(Ranged, size=8, fact="phy_status"):
    """State of a link."""


class CommonPhyConfigFPGAOnDLS(Ranged, size=1, fact="phys_fpga"):
    """Settings of the links' ends at the FPGA."""


class CommonPhyConfigChipOnDLS(Ranged, size=1, fact="phys_chip"):
    """Settings of the links' ends at the chip."""


class ResetChipOnDLS(Ranged, size=1, fact="reset_chip"):
    """The reset of the chip."""


class ResetJTAGTapOnDLS(Ranged, size=1, fact="reset_jtag"):
    """The reset of the chip's JTAG port."""


class JTAGIdCodeOnDLS(Ranged, size=1, fact="jtag_id"):
    """The identification of the chip."""


class ADPLLOnDLS(Ranged, size=2, fact="adpll"):
    """A clock generator."""


class PLLClockOutputBlockOnDLS(Ranged, size=1, fact="pll_outputs"):
    """The outputs of the clock generators."""


class PLLClockOutputOnDLS(Ranged, size=4, fact="pll_output"):
    """An output of the clock generators."""


class PLLSelfTestOnDLS(Ranged, size=1, fact="pll_test"):
    """The self-test of the clock generators."""


class PLLSelfTestStatusOnDLS(Ranged, size=1, fact="pll_test_status"):
    """The result of that test."""


class DACOnBoard(Ranged, size=2, fact="dac"):
    """A converter of the board that sets voltages."""


class DACChannelOnDAC(Ranged, size=8, fact="dac_channel"):
    """A channel of a converter."""


class DACChannelOnBoard(Pair, fast=DACChannelOnDAC, slow=DACOnBoard):
    """A channel of the board's converters."""


class DACControlBlockOnBoard(Ranged, size=1, fact="dac_control"):
    """Control registers of the board's converters."""


class DACChannelBlockOnBoard(Ranged, size=1, fact="dac_channels"):
    """All channels of the board's converters."""


class ShiftRegisterOnBoard(Ranged, size=1, fact="shift_register"):
    """The switches of the board."""


class SPIShiftRegisterOnBoard(Ranged, size=1, fact="spi_shift_register"):
    """The same, one level lower."""


class VDDOnBoard(Ranged, size=6, fact="vdd"):
    """A supply of the chip."""


class LEDOnBoard(Ranged, size=6, fact="led"):
    """A lamp of the board."""


class ADCOnBoard(Ranged, size=1, fact="adc"):
    """The converter of the board that measures."""


class ADCSourceOnBoard(Ranged, size=10, fact="adc_source"):
    """Its inputs."""


class INA219OnBoard(Ranged, size=6, fact="ina219"):
    """A power meter of the board."""


class INA219ConfigOnBoard(Ranged, size=6, fact="ina219"):
    """Settings of a power meter."""


class INA219StatusOnBoard(Ranged, size=6, fact="ina219"):
    """Readings of a power meter."""


class CrossbarNodeOnDLS(Pair, fast=CrossbarOutputOnDLS, slow=CrossbarInputOnDLS):
    """A node of the crossbar; 76 of the 240 crossings have one, and the enumeration counts those alone."""

    def __new__(cls, *parts: int) -> CrossbarNodeOnDLS:
        if len(parts) < 2:
            return cls.at(cls.checked(parts[0]) if parts else 0)
        crossing = _Crossing(*parts)
        return cls.at(cls.checked(_NODES.get(int(crossing), cls.size), f"The number of the node at {crossing}"))

    def split(self) -> tuple[Ranged, Ranged]:
        """Return input and output."""
        return _Crossing.at(_CROSSINGS[int(self)]).split()


class _Crossing(Pair, fast=CrossbarOutputOnDLS, slow=CrossbarInputOnDLS):
    """An input and an output of the crossbar."""


CrossbarNodeOnDLS.size = int(_facts.CROSSBAR_NODE_EXISTS.sum())
CrossbarNodeOnDLS.max = CrossbarNodeOnDLS.size - 1
_CROSSINGS = [int(crossing) for crossing in _np.flatnonzero(_facts.CROSSBAR_NODE_EXISTS)]
_NODES = {crossing: number for number, crossing in enumerate(_CROSSINGS)}


# Values that have names: the enumerations of halco's classes.
_NAMED: dict[type[Ranged], tuple[str, ...]] = {
    CADCChannelType: ("causal", "acausal"),
    CADCReadoutType: ("trigger_read", "buffered"),
    CapMemBlockOnHemisphere: ("left", "right"),
    SynapseRowOnSynapseDriver: ("top", "bottom"),
    SynapticInputOnNeuron: ("excitatory", "inhibitory"),
    PLLClockOutputOnDLS: ("serdes_ser_send_clk", "phy_ref_clk", "ppu_clk", "madc_clk"),
    VDDOnBoard: ("vdd25_digital", "vdd12_digital", "vdd25_analog", "vdd12_analog", "vdd12_madc", "vdd12_pll"),
    LEDOnBoard: ("led_1", "led_2", "led_3", "led_4", "led_7", "led_8"),
    DACChannelOnBoard: (
        *("v_reset", "v_res_meas", "mux_rfu_0", "mux_rfu_1", "i_ref_board", "ana_readout_debug_0", "ana_readout_debug_1", "mux_dac_25"),
        *("vdd25_digital", "vdd12_digital", "vdd25_analog", "vdd12_analog", "vdd12_madc", "vdd12_pll", "general_purpose_0", "general_purpose_1"),
    ),
    ADCSourceOnBoard: ("readout_chain_0", "readout_chain_1", "mux_rfu_0", "v_reset", "vdd_res_meas", "mux_dac_25", "i_ref", "mux_rfu_1", "mux_rfu_2", "none"),
    CapMemRowOnCapMemBlock: (
        *("v_leak", "v_reset", "v_threshold", "e_synin_exc_rev", "e_synin_inh_rev", "v_adapt_leak", "v_exp", "v_adapt_ref", "i_bias_leak", "i_bias_reset"),
        *("i_bias_synin_exc_tau", "i_bias_synin_exc_coba", "i_bias_synin_exc_shift", "i_bias_synin_exc_gm"),
        *("i_bias_synin_inh_tau", "i_bias_synin_inh_coba", "i_bias_synin_inh_shift", "i_bias_synin_inh_gm"),
        *("i_bias_adapt_tau", "i_bias_adapt_a", "i_bias_adapt_b", "i_bias_exp", "i_mem_offset", "i_bias_nmda"),
    ),
}

for _kind, _names in _NAMED.items():
    for _number, _name in enumerate(_names):
        setattr(_kind, _name, _kind.at(_number))
for _kind in list(Ranged.__subclasses__()):
    if _kind.facts == ("hemisphere",):
        _kind.top, _kind.bottom = _kind.at(0), _kind.at(1)  # type: ignore[attr-defined]
