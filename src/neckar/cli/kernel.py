"""``neckar kernel``: Jupyter kernels in which notebooks for BrainScaleS-2 run on a virtual chip."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neckar.cli import _options
from neckar.cli._notebook import need
from neckar.cli._tally import chip_name
from neckar.errors import ConfigurationError, UnknownNameError, nearest

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpecManager

app = typer.Typer(no_args_is_help=True, help="Jupyter kernels on virtual chips.")

_MARK = "neckar"  # in the metadata of our kernels: the settings they were installed with
_PLATFORM = {"LAB_IMAGE_NAME": "", "LAB_KERNEL_NAME": ""}  # with these, upstream's helpers look for machines on the internet

Name = Annotated[str, typer.Option(metavar="NAME", help="Name of the kernel; ebrains-experimental is the one that upstream's notebooks ask for.")]
Prefix = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Install under FOLDER/share/jupyter instead of for this user.", file_okay=False)]


@app.command()
def install(
    chip: _options.Chip = None,
    effects: _options.Effects = None,
    instruments: _options.Instruments = None,
    seed: _options.Seed = None,
    step_us: _options.StepUs = None,
    name: Name = "neckar",
    prefix: Prefix = None,
) -> None:
    """Install a kernel with this Python and the settings of a virtual chip. Neckar's own kernel of the same name is replaced."""
    from neckar.lab import ENVIRONMENT, command_line, current_lab

    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise ConfigurationError(f"option --name is {name!r}; allowed are letters, digits, dots, hyphens and underscores. Write for instance --name neckar-7.")
    need(("ipykernel", "IPython", "ipywidgets", "jupyter_client"), "a Jupyter kernel needs")
    given = {"chip": chip, "effects": effects, "instruments": instruments, "seed": seed, "step_us": step_us}
    settings = {setting: value for setting, value in given.items() if value is not None}
    with command_line(**settings):
        lab = current_lab()
    settings["chip"] = lab.specimen.id
    specs = manager().find_kernel_specs()
    if name in specs and name not in _kernels():
        raise ConfigurationError(f"there is a kernel {name} in {specs[name]} that is not Neckar's; allowed is a free name. Choose another with --name.")
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": display_name(lab.specimen.id, settings),
        "language": "python",
        "env": _PLATFORM | {ENVIRONMENT[setting]: value for setting, value in settings.items()},
        "interrupt_mode": "signal",
        "metadata": {"debugger": True, _MARK: settings},
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "kernel.json").write_text(json.dumps(spec, indent=1) + "\n", encoding="utf-8")
        place = manager().install_kernel_spec(folder, name, user=prefix is None, prefix=None if prefix is None else str(prefix))
    typer.echo(f"kernel {name}: {spec['display_name']}, in {place}")


@app.command(name="list")
def list_() -> None:
    """List the kernels that run on virtual chips."""
    need(("jupyter_client",), "neckar kernel needs")
    kernels = _kernels()
    for name, (display, place) in sorted(kernels.items()):
        typer.echo(f"{name}: {display}, in {place}")
    if not kernels:
        typer.echo("no kernel is installed; neckar kernel install makes one")


@app.command()
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a kernel of neckar kernel list.")]) -> None:
    """Remove a kernel."""
    need(("jupyter_client",), "neckar kernel needs")
    kernels = _kernels()
    if name not in kernels:
        raise UnknownNameError(f"no kernel of Neckar is called {name!r}{nearest(name, kernels)} Neckar's kernels: {', '.join(sorted(kernels)) or 'none'}.")
    typer.echo(f"removed {manager().remove_kernel_spec(name)}")


def display_name(chip_id: str, settings: dict[str, str]) -> str:
    """Return what Jupyter shows: that the chip is virtual, which one, and the other settings."""
    others = [f"{setting} {value}" for setting, value in settings.items() if setting != "chip"]
    return ", ".join([f"BrainScaleS-2, virtual chip {chip_name(chip_id)}", *others])


def manager() -> KernelSpecManager:
    """Return Jupyter's list of installed kernels, without the one that it makes up for the running Python."""
    from jupyter_client.kernelspec import KernelSpecManager

    return KernelSpecManager(ensure_native_kernel=False)


def _kernels() -> dict[str, tuple[str, str]]:
    """Return display name and place of Neckar's own kernels, by name."""
    specs = manager().get_all_specs()
    return {name: (spec["spec"]["display_name"], spec["resource_dir"]) for name, spec in specs.items() if _MARK in spec["spec"].get("metadata", {})}
