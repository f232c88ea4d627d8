"""The examples of the PyNN front end run on a virtual chip and show what they are meant to show."""

from __future__ import annotations

import numpy as np
import pytest

import pynn_brainscales.brainscales2 as pynn
from dlens_vx_v3 import halco
from neckar.errors import UnsupportedFeatureError
from pynn_brainscales.brainscales2.examples import (
    calibhxneuron,
    crossbar_event_counter_read,
    external_input,
    internal_projections,
    isi_calib,
    leak_over_threshold,
    multicompartment,
    partitioned_network,
    plasticity_rule,
    single_neuron_demo,
    static_recording_synapse,
)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynn.simulator, "state", None)


def test_neurons_above_threshold_fire_and_inputs_are_recorded_as_sent() -> None:
    leak_over_threshold.main(leak_over_threshold.cell_params)
    fired, sent = external_input.main(external_input.cell_params)
    assert sent.magnitude == pytest.approx(0.01 + 0.02 * np.arange(10), abs=1e-3)
    assert len(fired) > 0
    assert internal_projections.main() > 0


def test_the_crossbar_counts_every_event_of_a_relay() -> None:
    """Upstream accepts 160 to 240 of 200; a chain of lossless stages loses none."""
    counts = crossbar_event_counter_read.main(num_spikes=200, runtime=20.0)
    assert counts == {output: 200 if int(output) in (0, 8) else 0 for output in halco.iter_all(halco.CrossbarOutputOnDLS)}


def test_the_interval_between_spikes_is_found_within_the_published_uncertainty() -> None:
    interval, code = isi_calib.calibrate_isi(0.01)
    assert interval == pytest.approx(0.01, abs=0.001)
    assert code in range(5, 256, 10)


def test_the_first_compartment_rises_first() -> None:
    membranes = multicompartment.main(length=3, runtime=0.15)
    assert [membrane.annotations["source_locations"] for membrane in membranes] == [["comp0"], ["comp1"], ["comp2"]]
    rises = [membrane.times[int(membrane.magnitude.argmax())] for membrane in membranes]
    assert rises == sorted(rises)


def test_a_network_larger_than_the_chip_is_relayed() -> None:
    spiketrains = partitioned_network.main()
    assert len(spiketrains) == 1000
    counts = np.array([len(spiketrain) for spiketrain in spiketrains])
    assert counts.max() <= 10 * 50  # as many as all sources send
    assert counts[0] > 40  # hundreds of neurons fire at once; those first in the queues to the host get through


def test_single_neurons_rest_fire_and_spread() -> None:
    at_rest, firing, spread, _ = single_neuron_demo.main()
    assert float(at_rest[0].irregularlysampledsignals[0].magnitude.std()) < 5  # the noise of the converter
    assert len(at_rest[0].spiketrains[0]) == 0
    assert len(firing[0].spiketrains[0]) > 1
    assert len({len(segment.spiketrains[0]) for segment in spread}) > 1  # circuits differ


@pytest.mark.parametrize("example", [plasticity_rule, static_recording_synapse, calibhxneuron])
def test_examples_of_later_capabilities_say_what_is_missing(example: object) -> None:
    with pytest.raises(UnsupportedFeatureError, match="not part of this version"):
        example.main(*([example.cell_params] if hasattr(example, "cell_params") else []))  # type: ignore[attr-defined]
