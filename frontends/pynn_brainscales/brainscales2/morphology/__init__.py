"""Neurons of several compartments, on circuits that the user has chosen."""

from __future__ import annotations

from typing import Any

from dlens_vx_v3 import halco
from pynn_brainscales.brainscales2.morphology._shape import make_morphology
from pynn_brainscales.brainscales2.morphology.mc_neuron_base import McNeuronBase
from pynn_brainscales.brainscales2.morphology.parameters import McCircuitParameters
from pynn_brainscales.brainscales2.morphology.parts import Compartment, SharedLineConnection

__all__ = ["Compartment", "McCircuitParameters", "McNeuronBase", "SharedLineConnection", "create_mc_neuron"]


def create_mc_neuron(name: str, compartments: Any, connections: Any = None, single_active_circuit: bool = False) -> type[McNeuronBase]:
    """Return a new cell type: a neuron with compartments.

    Parameters
    ----------
    name : str
        Of the type.
    compartments : sequence of Compartment
    connections : sequence of SharedLineConnection, optional
        Where the shared line is closed.
    single_active_circuit : bool
        Switch leak, capacitance and threshold of all but the first circuit of each compartment off, whatever their parameters say.

    Raises
    ------
    ShapeTypeError, CompartmentError, CoordinateOverflowError, CoordinateTypeError
        If the neuron cannot exist on the chip.
    UnknownNameError
        If a compartment sets a parameter that does not exist.
    """
    compartments = list(compartments) if isinstance(compartments, list | tuple) else compartments
    morphology, logical_neuron = make_morphology(compartments, connections)
    return type(
        name,
        (McNeuronBase,),
        {
            "compartments": {halco.CompartmentOnLogicalNeuron(i): compartment for i, compartment in enumerate(compartments)},
            "morphology": morphology,
            "logical_neuron": logical_neuron,
            "single_active_circuit": single_active_circuit,
            "__module__": __name__,
            "__doc__": f"A neuron with the compartments {', '.join(compartment.label for compartment in compartments)}.",
        },
    )
