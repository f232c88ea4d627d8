"""Notebooks: the code cells of a file, in the order in which they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from neckar.errors import FileFormatError, UnsupportedFeatureError

SUFFIXES = (".ipynb", ".rst")
"""Kinds of notebooks: Jupyter's own, and the text from which upstream builds its notebooks."""

_NEEDED = {".ipynb": ("IPython", "ipywidgets", "matplotlib", "nbformat"), ".rst": ("IPython", "ipywidgets", "matplotlib", "docutils")}
_USED = frozenset({"ipycanvas", "matplotlib", "pandas", "scipy", "tqdm"})  # what notebooks import besides
_INSTALL = "Install it with: pip install 'neckar[notebook]'"
_MAY_FAIL = "raises-exception"  # Jupyter's tag of a cell that is allowed to fail


@dataclass(frozen=True)
class Cell:
    """One code cell.

    Attributes
    ----------
    number : int
        Place among the code cells, from 1.
    source : str
        Code for IPython.
    may_fail : bool
        Whether an exception in it is part of the notebook (tag ``raises-exception``).
    """

    number: int
    source: str
    may_fail: bool = False

    @property
    def title(self) -> str:
        """First line that is more than a comment, shortened."""
        lines = [line.strip() for line in self.source.splitlines()]
        told = next((line for line in lines if line and not line.startswith("#")), "(nothing but comments)")
        return told if len(told) <= 60 else told[:59] + "…"


def read(path: Path, solution: bool = True, tests: bool = False) -> tuple[Cell, ...]:
    """Return the code cells of a notebook; empty cells are left out.

    Parameters
    ----------
    path : Path
        A file with one of the `SUFFIXES`.
    solution, tests : bool
        Only for ``.rst``, see :func:`neckar.cli._rst.sources`.

    Raises
    ------
    UnsupportedFeatureError
        If a package of the extra ``notebook`` is missing.
    FileFormatError
        If the file is no notebook.
    """
    need_extra(path)
    if path.suffix == ".ipynb":
        return _of_jupyter(path)
    from neckar.cli._rst import sources

    return tuple(Cell(number, source) for number, source in enumerate(sources(path, solution, tests), 1))


def need_extra(path: Path) -> None:
    """Check that what runs a notebook is installed."""
    need(_NEEDED[path.suffix], f"{path.name} is a notebook and needs")


def need(packages: Sequence[str], what: str) -> None:
    """Check that packages of the extra ``notebook`` are installed; the text of the error begins with `what`."""
    missing = [package for package in packages if util.find_spec(package) is None]
    if missing:
        raise UnsupportedFeatureError(f"{what} {', '.join(missing)}, which is not installed. {_INSTALL}")


def hint(error: BaseException) -> str:
    """Return what to do about an exception in a cell: where a missing package comes from."""
    missing = isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in _USED
    return _INSTALL if missing else ""


def _of_jupyter(path: Path) -> tuple[Cell, ...]:
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (nbformat.ValidationError, nbformat.reader.NotJSONError, KeyError, AttributeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise FileFormatError(f"{path} is no notebook of Jupyter ({reason}); allowed is a whole file of format 4. Save it again in Jupyter.") from None
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    return tuple(Cell(number, cell.source, _MAY_FAIL in cell.metadata.get("tags", ())) for number, cell in enumerate(code, 1))
