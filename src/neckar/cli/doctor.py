"""``neckar doctor``: is this installation sound? Every check gives one honest line."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib import metadata, util
from pathlib import Path
from typing import Any, Literal, NamedTuple

import typer

from neckar import __version__
from neckar.cli._tally import chip_name
from neckar.errors import NeckarError
from neckar.lab import ENVIRONMENT, Lab

_PACKAGES = ("numpy", "numba", "PyNN", "neo", "quantities", "h5py", "typer", "rich", "platformdirs")
_OPTIONAL = ("matplotlib", "ipython", "ipywidgets", "docutils", "torch")
_PPU = ("ziglang", "wasmtime")
_PPU_CACHE = "NECKAR_PPU_CACHE"
_WIDE_VECTORS = ("avx512f", "avx2", "neon", "sve")
_SLOW_S = 1.0


class Line(NamedTuple):
    """The outcome of a check."""

    status: Literal["ok", "warn", "fail"]
    text: str


def doctor() -> None:
    """Check the installation. Exit status 1 if a check failed, 0 otherwise, also with warnings."""
    failed = False
    for line in lines():
        typer.echo(f"{line.status:<4}  {line.text}")
        failed |= line.status == "fail"
    raise typer.Exit(int(failed))


def lines() -> Iterator[Line]:
    """Yield the outcome of all checks."""
    yield Line("ok", f"neckar {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    yield from packages()
    yield from kernels()
    yield from plasticity()
    yield from front_ends()
    yield from settings(os.environ)
    yield self_test()


def packages() -> Iterator[Line]:
    """Check that what Neckar needs is installed."""
    for name in (*_PACKAGES, *_OPTIONAL):
        try:
            yield Line("ok", f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            optional = name in _OPTIONAL
            yield Line("ok" if optional else "fail", f"{name} is not installed{' (optional)' if optional else f'. Install it with: pip install {name}'}")


def kernels() -> Iterator[Line]:
    """Check the processor and the directory of compiled kernels."""
    try:
        from llvmlite import binding

        from neckar.dynamics._jit import cache_directory
    except ImportError as error:
        yield Line("fail", f"the compiler of the kernels cannot be loaded: {error}")
        return
    features = binding.get_host_cpu_features()
    wide = [name for name in _WIDE_VECTORS if features.get(name)]
    cpu = f"processor {binding.get_host_cpu_name()}, {os.cpu_count()} cores"
    yield Line("ok", f"{cpu}, {wide[0]}") if wide else Line("warn", f"{cpu}, without wide vector instructions: the engine is slow here")
    directory = cache_directory()
    if _is_writable(directory):
        yield Line("ok", f"compiled kernels are kept in {directory} ({len(list(directory.glob('**/*.nbi')))} so far)")
    else:
        yield Line("warn", f"{directory} is not writable: kernels are compiled anew in each process. Set XDG_CACHE_HOME to a writable directory.")


def plasticity() -> Iterator[Line]:
    """Check that kernels of the plasticity processors can be compiled and run."""
    packages = {name: _version(name) for name in _PPU}
    missing = [name for name, version in packages.items() if version is None]
    if missing:
        absent = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed (optional)"
        yield Line("ok", f"plasticity rules in C++ do not run here: {absent}. Install with: pip install 'neckar[ppu]'")
        return
    from neckar.ppu import cache_folder, try_kernel

    try:
        compile_s, call_s = try_kernel()
    except Exception as error:  # whatever it is, the other lines should still be read
        yield Line("fail", f"plasticity rules in C++: {type(error).__name__}: {error} Install again with: pip install --force-reinstall 'neckar[ppu]'")
        return
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    yield Line("ok", f"plasticity rules in C++: {versions}; an empty kernel compiles in {compile_s:.2f} s and runs in {call_s * 1e6:.0f} us")
    folder = cache_folder()
    if _is_writable(folder):
        yield Line("ok", f"compiled plasticity rules are kept in {folder} ({len(list(folder.glob('*.wasm')))} so far)")
    else:
        text = f"{folder} is not writable: plasticity rules are compiled anew in each process. Set {_PPU_CACHE} to a writable directory."
        yield Line("warn", text)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _is_writable(folder: Path) -> bool:
    """Return whether files can be made in a folder, or in what exists of the way to it."""
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            return True
    except OSError:
        return False


def front_ends() -> Iterator[Line]:
    """Check that the names of upstream's packages lead to Neckar's front ends, and that none of them hides a genuine package."""
    spec = util.find_spec("dlens_vx_v3")
    if spec is not None and spec.origin is not None and not Path(spec.origin).with_name("_genuine.py").exists():
        yield _shadowed("dlens_vx_v3", Path(spec.origin))
        return
    try:
        from dlens_vx_v3._genuine import installations, is_ours
        from dlens_vx_v3._siblings import FRONT_ENDS
    except ImportError as error:
        yield Line("fail", f"front ends: {error}")
        return
    for name in FRONT_ENDS:
        places = list(installations(name))
        foreign = [place for place in places if not is_ours(place)]
        if not places or places == foreign:
            yield Line("fail", f"front end {name} is missing{f', only a genuine one is in {foreign[0]}' if foreign else ''}. Install neckar again.")
        elif places[0] in foreign:
            yield _shadowed(name, places[0])
        elif foreign:
            yield Line("fail", f"front end {name} hides the genuine package in {foreign[0]}. Use an environment with only one of them.")
        else:
            yield Line("ok", f"front end {name} in {places[0].parent}")


def settings(environment: Mapping[str, str]) -> Iterator[Line]:
    """Show the environment variables in effect, and name unknown ones."""
    known = {*ENVIRONMENT.values(), _PPU_CACHE}
    for name in sorted(environment):
        if name in known and environment[name]:
            yield Line("ok", f"{name}={environment[name]}")
        elif name.startswith("NECKAR_") and name not in {*known, "NECKAR_UPSTREAM"}:
            yield Line("warn", f"{name} is set, but Neckar reads only {', '.join(sorted(known))}")
    try:
        lab = Lab()
    except (NeckarError, ImportError) as error:
        yield Line("fail", f"settings: {error}")
    else:
        yield Line("ok", f"virtual chip {chip_name(lab.specimen.id)}, instruments {lab.instruments}, seed {lab.seed}, executor {lab._workers!r}")


def self_test() -> Line:
    """Run a short program twice and compare; the first run includes compilation, or loading of compiled kernels."""
    try:
        first_s, recording = _timed_run()
        second_s, repeated = _timed_run()
    except ModuleNotFoundError as error:
        return Line("fail", f"self-test: {error}. Install neckar again.")
    except Exception as error:  # whatever it is, the other lines should still be read
        return Line("fail", f"self-test: {type(error).__name__}: {error}")
    if recording != repeated:
        return Line("fail", "self-test: the same program gave two different recordings")
    status: Literal["ok", "warn"] = "ok" if second_s < _SLOW_S else "warn"
    return Line(status, f"self-test: 100 us of one chip, first run {first_s:.2f} s, second run {second_s * 1e3:.1f} ms, identical")


def _timed_run() -> tuple[float, Any]:
    from neckar.chip.effects import Effects
    from neckar.chip.specimen import Specimen
    from neckar.lab import execute
    from neckar.program import Program, Snippet, ticks

    program = Program(machine="brainscales2", snippets=(Snippet(ticks(100e-6)),))
    start = time.perf_counter()
    recording, _ = execute(Specimen.reference(), Effects(), "silicon", None, program, None)
    return time.perf_counter() - start, recording


def _shadowed(name: str, place: Path) -> Line:
    """Return the line about a genuine package that Python finds first."""
    return Line("fail", f"{name} in {place} is not Neckar's: the genuine package shadows the front end. Use an environment without it.")
