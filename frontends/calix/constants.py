"""Constants of upstream's calibration."""

import quantities

from calix.common.parameter_range import ParameterRange

capmem_level_off_time = quantities.Quantity(20000, "us")
"""Wait after a change of analog parameters on silicon."""

cadc_reliable_range = ParameterRange(30, 210)
"""Readings of the parallel converter that can be relied on, LSB."""

tau_mem_range = ParameterRange(quantities.Quantity(0.1, "us"), quantities.Quantity(2000, "us"))
"""Membrane time constants that can be asked for."""

tau_syn_range = ParameterRange(quantities.Quantity(0.1, "us"), quantities.Quantity(100, "us"))
"""Synaptic time constants that can be asked for."""
