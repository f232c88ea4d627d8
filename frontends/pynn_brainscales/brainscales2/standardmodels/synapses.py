"""Synapse types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import pyNN.standardmodels.synapses
from pyNN.standardmodels import build_translations

from neckar.errors import ConfigurationError
from pynn_brainscales.brainscales2._checks import explained, shown
from pynn_brainscales.brainscales2._errors import FixedRuleError
from pynn_brainscales.brainscales2.plasticity_rules import ObservablePerSynapse, PlasticityRule, PlasticityRuleHandle, Timer

__all__ = ["PlasticSynapse", "StaticRecordingSynapse", "StaticSynapse"]


class StaticSynapse(pyNN.standardmodels.synapses.StaticSynapse):
    """A connection with a fixed weight.

    Parameters
    ----------
    weight : number, array or random distribution
        Sum of the weights of the synapses that realise the connection; rounded. At least 0 for excitatory, at most 0 for inhibitory connections; on neurons
        with conductance-based synapses of either sign.
    delay : 0 or None
        The chip has no configurable delays.
    """

    translations = build_translations(("weight", "weight"), ("delay", "delay"))
    parameter_checks: ClassVar[dict[str, Any]] = {}  # the projection checks all connections at once

    def __init__(self, **parameters: Any) -> None:
        with explained(lambda: f"{type(self).__name__}({shown(parameters)})"):
            super().__init__(**parameters)

    def _get_minimum_delay(self) -> float:
        return 0.0


class PlasticSynapse(StaticSynapse, PlasticityRuleHandle):
    """A connection with a weight that a plasticity rule changes.

    Parameters
    ----------
    weight : number, array or random distribution
        At the beginning of each run; see :class:`StaticSynapse`.
    delay : 0
    plasticity_rule : PlasticityRule, optional
        Its kernel changes the weights of the synapses, and of all others where their rows and columns cross.
    """

    def __init__(self, weight: Any = 0, delay: Any = 0, plasticity_rule: PlasticityRule | None = None) -> None:
        StaticSynapse.__init__(self, weight=weight, delay=delay)
        PlasticityRuleHandle.__init__(self, plasticity_rule)


class RecordingRule(PlasticityRule):
    """Records and changes nothing."""

    def __init__(self, timer: Timer, names: Iterable[str]) -> None:
        super().__init__(timer)
        self.names = names

    def generate_kernel(self) -> str:
        """Return the source of the rule."""
        return _recording_kernel(self.names)

    @property
    def observables(self) -> dict[str, Any]:
        """What the synapse type records."""
        return {name: ObservablePerSynapse(ObservablePerSynapse.Type.int8) for name in self.names}

    @observables.setter
    def observables(self, observables: Any) -> None:
        raise FixedRuleError("the observables of a StaticRecordingSynapse's rule were to be set; they are those of the synapse type. Set them there.")


_RECORDING_KERNEL = """\
#include "grenade/vx/ppu/neuron_view_handle.h"
#include "grenade/vx/ppu/synapse_array_view_handle.h"
#include "grenade/vx/ppu/time.h"
#include "hate/tuple.h"
#include "libnux/vx/correlation.h"
#include "libnux/vx/vector_row.h"

using namespace grenade::vx::ppu;
using namespace libnux::vx;
extern volatile PPUOnDLS ppu;

template <size_t N>
void PLASTICITY_RULE_KERNEL(std::array<SynapseArrayViewHandle, N>& synapses, std::array<NeuronViewHandle, 0>&, Recording& recording)
{
    recording.time = now();
    hate::for_each([](SynapseArrayViewHandle const& view%(arguments)s) {
        if (view.hemisphere != ppu) {
            return;
        }
        for (size_t i = 0; i < view.rows.size(); ++i) {
%(body)s
        }
    }, synapses%(members)s);
}
"""


def _recording_kernel(names: Iterable[str]) -> str:
    """Return the source of a rule that reads some of the observables of :class:`StaticRecordingSynapse`."""
    wanted, lines = sorted(names), []
    if "weights" in wanted:
        lines.append("weights[i] = static_cast<VectorRowFracSat8>(view.get_weights(i));")
    kinds = [kind for kind in ("causal", "acausal") if f"correlation_{kind}" in wanted]
    if len(kinds) == 2:
        lines.append("auto const both = view.get_correlation(i, true);")
        lines += [f"correlation_{kind}[i] = both.{kind}.convert_contiguous();" for kind in kinds]
    elif kinds:
        lines.append(f"correlation_{kinds[0]}[i] = view.get_{kinds[0]}_correlation(i).convert_contiguous();")
        lines.append("reset_correlation(view.rows[i]);")
    parts = {
        "arguments": "".join(f", auto& {name}" for name in wanted),
        "members": "".join(f", recording.{name}" for name in wanted),
        "body": "\n".join(f"            {line}" for line in lines),
    }
    return _RECORDING_KERNEL % parts


class StaticRecordingSynapse(StaticSynapse, PlasticityRuleHandle):
    """A connection with a fixed weight whose synapses are read periodically.

    Correlations are read as signed numbers, 128 below the converter's, and reset afterwards: those of the projection's columns if both kinds are read, else
    those of the whole row.

    Parameters
    ----------
    timer : Timer
    weight : number, array or random distribution
        See :class:`StaticSynapse`.
    observables : set of str
        Names out of :attr:`POSSIBLE_OBSERVABLES`.

    Raises
    ------
    ConfigurationError
        For other observables.
    """

    POSSIBLE_OBSERVABLES: ClassVar = ["weights", "correlation_causal", "correlation_acausal"]

    def __init__(self, timer: Timer, weight: Any, observables: Iterable[str]) -> None:
        StaticSynapse.__init__(self, weight=weight)
        self._observables = self._checked(observables)
        PlasticityRuleHandle.__init__(self, RecordingRule(timer, self._observables))

    @property
    def observables(self) -> set[str]:
        """What is read."""
        return self._observables

    @observables.setter
    def observables(self, names: Iterable[str]) -> None:
        self._observables = self._checked(names)
        assert isinstance(self._plasticity_rule, RecordingRule)
        self._plasticity_rule.names = self._observables

    @property
    def plasticity_rule(self) -> PlasticityRule | None:
        """The rule that reads the synapses; it cannot be replaced."""
        return self._plasticity_rule

    @plasticity_rule.setter
    def plasticity_rule(self, rule: Any) -> None:
        raise FixedRuleError("the plasticity rule of a StaticRecordingSynapse was to be replaced; allowed is its own. Use PlasticSynapse for others.")

    def _checked(self, names: Iterable[str]) -> set[str]:
        checked = set(names)
        unknown = sorted(checked - set(self.POSSIBLE_OBSERVABLES), key=str)
        if unknown:
            raise ConfigurationError(f"the observable {unknown[0]!r} was asked for; allowed are {', '.join(self.POSSIBLE_OBSERVABLES)}. Choose among them.")
        return checked
