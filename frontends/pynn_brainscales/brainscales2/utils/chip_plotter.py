"""Drawings of where a mapped network lies on the chip, and of what it connects.

The names are upstream's; the drawings are simpler: colours stand for populations, grey for synapse rows in use, white for what is free. Of a network that
uses the chip several times, all uses are drawn over each other.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neckar.chip.coordinates import COLUMNS, bus_of_driver, position_of_driver
from neckar.errors import ConfigurationError, UnknownNameError, nearest
from neckar.facts import AXES
from pynn_brainscales.brainscales2 import simulator
from pynn_brainscales.brainscales2._errors import CellIndexError, RunStateError

__all__ = ["ChipPlotter", "PlotTypes"]

_ROWS = AXES["row"]
_FREE, _USED_ROW = -2, -1


class PlotTypes(Enum):
    """Kinds of drawings."""

    SANDWICH = 1
    """Neurons between both synapse arrays."""
    SEPARATE = 2
    """Neurons above, synapses below."""
    POPULATIONMATRIX = 3
    """Number of connections between populations."""
    NEURONMATRIX = 4
    """Weight of the connections between cells."""


class ChipPlotter:
    """Draws the mapped network of the experiment in progress: choose drawings with ``add_...``, then plot and save them.

    Parameters
    ----------
    **settings
        Defaults of all drawings: ``custom_title``, ``alpha``, ``has_grid``, ``color_is_source`` (synapses have the colour of their source, otherwise of their
        target), ``population_contrast_groups`` (dict of name to a list of numbers, those of populations in the order of their creation, which then share a
        hue), ``do_label_synapses`` (without effect).
    """

    def __init__(self, **settings: Any) -> None:
        self.default_settings: dict[str, Any] = {
            **{"do_label_synapses": False, "has_grid": True, "color_is_source": True, "alpha": 0.9, "custom_title": None, "population_contrast_groups": None},
            **_known(settings),
        }
        self.plot_list: list[dict[str, Any]] = []

    def add_plot_chip_map(self, separate_view: bool = False, **settings: Any) -> None:
        """Add a map of the chip.

        Parameters
        ----------
        separate_view : bool
            Neurons and synapses apart.
        **settings
            Those of the constructor; ``sort_synapse_by_padi_bus`` (default True) draws the rows of each bus together, ``highlight_empty_rows`` marks rows
            in use, ``neuron_height`` is the height of a row of neurons.
        """
        self._add(PlotTypes.SEPARATE if separate_view else PlotTypes.SANDWICH, settings)

    def add_plot_matrix(self, plot_each_neuron: bool = False, **settings: Any) -> None:
        """Add a matrix of populations, or of all cells."""
        self._add(PlotTypes.NEURONMATRIX if plot_each_neuron else PlotTypes.POPULATIONMATRIX, settings)

    def plot_all(self) -> None:
        """Draw everything that was added."""
        for plot_id in range(len(self.plot_list)):
            self.plot_by_id(plot_id)

    def plot_by_id(self, plot_id: int) -> None:
        """Draw one drawing anew."""
        import matplotlib.pyplot as plt

        plot = self._plot(plot_id)
        settings = plot["settings"]
        plt.close(plot["fig"])
        plot["fig"] = plt.figure()
        if plot["plot_type"] in (PlotTypes.SANDWICH, PlotTypes.SEPARATE):
            pictures, labels = self._chip_pictures(plot["plot_type"], settings), ("column", "row")
        else:
            pictures, labels = [_matrix(plot["plot_type"] is PlotTypes.NEURONMATRIX)], ("target", "source")
        axes = plot["fig"].subplots(len(pictures), squeeze=False)[:, 0]
        for axis, picture in zip(axes, pictures, strict=True):
            axis.imshow(picture, aspect="auto", interpolation="nearest", alpha=settings["alpha"], cmap="Greys")
            axis.grid(settings["has_grid"])
            axis.set_xlabel(labels[0])
            axis.set_ylabel(labels[1])
        plot["fig"].suptitle(settings["custom_title"] or plot["plot_type"].name.lower())
        plot["ax"] = list(axes) if len(axes) > 1 else axes[0]

    def save_all(self, folder: str = "", formats: Any = ("png",)) -> None:
        """Save all drawings as ``plot_<number>.<format>``."""
        for plot_id in range(len(self.plot_list)):
            self.save_by_id(plot_id, folder, formats)

    def save_by_id(self, plot_id: int, folder: str = "", formats: Any = ("png",)) -> None:
        """Save one drawing."""
        figure = self._plot(plot_id)["fig"]
        if figure is None:
            raise RunStateError(f"drawing {plot_id} was to be saved before it was drawn; call plot_all() first.")
        Path(folder).mkdir(parents=True, exist_ok=True)
        for extension in formats:
            figure.savefig(Path(folder) / f"plot_{plot_id}.{extension}")

    def modify_plot(self, plot_id: int, setting_name: str, new_setting_value: Any) -> None:
        """Change a setting of a drawing."""
        self._plot(plot_id)["settings"].update(_known({setting_name: new_setting_value}))

    def remove_plot(self, plot_id: int) -> None:
        """Remove a drawing."""
        self.clear_plot(plot_id)
        del self.plot_list[plot_id]

    def clear_plot(self, plot_id: int) -> None:
        """Forget what was drawn."""
        import matplotlib.pyplot as plt

        plt.close(self._plot(plot_id)["fig"])
        self.plot_list[plot_id]["fig"] = self.plot_list[plot_id]["ax"] = None

    def clear_all_plots(self) -> None:
        """Forget all that was drawn."""
        for plot_id in range(len(self.plot_list)):
            self.clear_plot(plot_id)

    def _add(self, plot_type: PlotTypes, settings: dict[str, Any]) -> None:
        self.plot_list.append({"plot_type": plot_type, "fig": None, "ax": None, "settings": {**_MORE, **self.default_settings, **_known(settings)}})

    def _plot(self, plot_id: int) -> dict[str, Any]:
        if not 0 <= plot_id < len(self.plot_list):
            raise CellIndexError(f"drawing {plot_id} was asked for; there are {len(self.plot_list)}. Add it first.")
        return self.plot_list[plot_id]

    def _chip_pictures(self, plot_type: PlotTypes, settings: dict[str, Any]) -> list[NDArray[Any]]:
        """Return pictures, axes (row, column, colour)."""
        neurons, synapses = chip_map(settings["color_is_source"], settings["highlight_empty_rows"])
        if settings["sort_synapse_by_padi_bus"]:
            drivers = np.arange(_ROWS) // (_ROWS // AXES["driver"])
            synapses = synapses[:, np.lexsort((np.arange(_ROWS), position_of_driver(drivers), bus_of_driver(drivers)))]
        height = int(settings["neuron_height"])
        if plot_type is PlotTypes.SANDWICH:
            parts = [synapses[0, ::-1], *(np.repeat(neurons[h : h + 1], height, axis=0) for h in range(len(neurons))), synapses[1]]
            return [_coloured(np.concatenate(parts), settings)]
        return [_coloured(np.repeat(neurons, height, axis=0), settings), _coloured(np.concatenate([synapses[0, ::-1], synapses[1]]), settings)]


_MORE = {"sort_synapse_by_padi_bus": True, "highlight_empty_rows": True, "neuron_height": 50, "center": None}
_NAMES = ("do_label_synapses", "has_grid", "color_is_source", "alpha", "custom_title", "population_contrast_groups", *_MORE)


def chip_map(color_is_source: bool = True, mark_rows: bool = True) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which population each circuit and each synapse belongs to, by number in the experiment.

    Parameters
    ----------
    color_is_source : bool
        Synapses belong to their source, otherwise to their target.
    mark_rows : bool
        Mark rows with synapses.

    Returns
    -------
    neurons : ndarray of int64, shape (hemisphere, column)
    synapses : ndarray of int64, shape (hemisphere, row, column)
        -2 for none, -1 for free synapses in rows that are in use.
    """
    neurons = np.full((AXES["hemisphere"], COLUMNS), _FREE)
    synapses = np.full((AXES["hemisphere"], _ROWS, COLUMNS), _FREE)
    state = _experiment()
    numbers = {id(population): number for number, population in enumerate(state.populations)}
    for number, population in enumerate(state.populations):
        neurons.reshape(-1)[population.circuits] = number
    for projection in state.projections:
        cells = projection.pre if color_is_source else projection.post
        number = numbers[id(getattr(cells, "grandparent", cells))]
        for placed in projection.placed_connections:
            for synapse in placed:
                hemisphere, row = divmod(int(synapse.synapse_row), _ROWS)
                if mark_rows:
                    synapses[hemisphere, row] = np.maximum(synapses[hemisphere, row], _USED_ROW)
                synapses[hemisphere, row, int(synapse.synapse_on_row)] = number
    return neurons, synapses


def _matrix(each_cell: bool) -> NDArray[np.float64]:
    """Return the number of connections between populations, or the weights between all cells; axes (source, target)."""
    state = _experiment()
    numbers = {id(population): number for number, population in enumerate(state.populations)}
    n = state.id_counter if each_cell else len(state.populations)
    matrix = np.zeros((n, n))
    for projection in state.projections:
        for connection in projection.connections:
            pre, post = (getattr(cells, "grandparent", cells) for cells in (projection.pre, projection.post))
            if each_cell:
                matrix[int(pre.first_id) + connection.pop_pre_index, int(post.first_id) + connection.pop_post_index] += connection.weight
            else:
                matrix[numbers[id(pre)], numbers[id(post)]] += 1
    return matrix


def _coloured(numbers: NDArray[np.int64], settings: dict[str, Any]) -> NDArray[np.float64]:
    """Return a picture of population numbers, axes (row, column, colour): one hue per population, or per contrast group with shades inside."""
    from matplotlib.colors import hsv_to_rgb

    n = len(_experiment().populations)
    groups = settings["population_contrast_groups"]
    groups = list(groups.values()) if groups else [[number] for number in range(n)]
    colours = np.full((n + 2, 3), 0.5)
    for k, group in enumerate(groups):
        for i, number in enumerate(group):
            if not isinstance(number, int | np.integer) or not 0 <= number < n:
                raise ConfigurationError(
                    f"population_contrast_groups names population {number!r}; allowed are 0 to {n - 1}, in the order of creation. Give these numbers."
                )
            colours[number] = hsv_to_rgb((k / len(groups), 0.9, 1 - 0.6 * i / len(group)))
    colours[_FREE], colours[_USED_ROW] = 1.0, 0.85
    return np.asarray(colours[numbers])


def _experiment() -> simulator.State:
    """Return the experiment in progress, which must have been mapped."""
    if simulator.state is None or simulator.state.layout is None:
        raise RunStateError("a drawing of the network was asked for before it was mapped; call run(None, RunCommand.PREPARE) first.")
    return simulator.state


def _known(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings that are given, after checking their names."""
    for name in settings:
        if name not in _NAMES:
            raise UnknownNameError(f"the setting {name!r} was asked for{nearest(name, _NAMES)} There are {', '.join(_NAMES)}.")
    return {name: value for name, value in settings.items() if value is not None}
