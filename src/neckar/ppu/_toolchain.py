"""The compiler: the one of the wheel ``ziglang``, run as a process with limits of time, memory and file size, in a folder of its own.

Of the file system it sees its own headers, Neckar's and the text, and nothing else: an overlay takes the place of every path that a text could name.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neckar.errors import MissingExtraError

VIEW = "readable.yaml"
FLAGS = (
    *("-Xclang", "-ivfsoverlay", "-Xclang", VIEW),
    *("-target", "wasm32-wasi", "-c", "-x", "c++", "-std=gnu++17", "-O2", "-g0", "-ffreestanding", "-fno-exceptions", "-fno-rtti", "-fno-strict-aliasing"),
    *("-fno-threadsafe-statics", "-fno-common", "-funsigned-char", "-fno-math-errno", "-fno-sanitize=all", "-fno-gnu-inline-asm", "-msimd128"),
    *("-mbulk-memory", "-ftemplate-depth=512", "-fconstexpr-steps=2000000", "-fbracket-depth=512", "-ferror-limit=10", "-fno-color-diagnostics"),
    *("-Wno-psabi", "-DLIBNUX_TIME64=1", "-DLIBNUX_TIME_RESOLUTION_SHIFT=0", "-DSYSTEM_HICANN_DLS_MINI", "-D__ppu__"),
)
COMPILE_S = 60.0
LINK_S = 20.0
MEMORY_BYTES = 4 << 30
FILE_BYTES = 64 << 20


@dataclass(frozen=True)
class Outcome:
    """How a run of the compiler ended: `code` 0 is success, None means that a limit ended it."""

    code: int | None
    messages: str


@functools.cache
def program() -> Path:
    """Return the path of the compiler.

    Raises
    ------
    MissingExtraError
        If the extra ``ppu`` is not installed.
    """
    try:
        import ziglang
    except ImportError as error:
        raise MissingExtraError(
            "compiling a kernel of the plasticity processors needs the package ziglang, which is not installed. Install it with: pip install 'neckar[ppu]'"
        ) from error
    return Path(ziglang.__file__).parent / ("zig.exe" if os.name == "nt" else "zig")


@functools.cache
def version() -> str:
    """Return the version of the compiler's package."""
    package = program().parent
    found = sorted(package.parent.glob("ziglang-*.dist-info"))
    return found[-1].name.removesuffix(".dist-info") if found else f"{package} {program().stat().st_mtime_ns}"  # importlib.metadata takes 30 ms to import


def compile_object(source: Path, output: Path, include: Path, folder: Path, limit_s: float = COMPILE_S) -> Outcome:
    """Compile a translation unit, alone in its folder; paths of what it read stand in ``<output>.d``."""
    dependencies = output.with_suffix(".d")
    dependencies.unlink(missing_ok=True)
    readable = {str(path) for given in (source.parent, include, program().parent) for path in (given, given.resolve())}
    roots = [{"type": "directory-remap", "name": name, "external-contents": name} for name in sorted(readable)]
    (folder / VIEW).write_text(json.dumps({"version": 0, "redirecting-with": "redirect-only", "overlay-relative": False, "roots": roots}))
    return _run(("c++", *FLAGS, f"-I{include}", "-MD", "-MF", str(dependencies), "-o", str(output), str(source)), folder, limit_s)


def link(objects: Sequence[Path], output: Path, options: Sequence[str]) -> Outcome:
    """Link objects to a module."""
    return _run(("wasm-ld", *options, "-o", str(output), *(str(path) for path in objects)), output.parent, LINK_S)


def _run(arguments: Sequence[str], folder: Path, limit_s: float) -> Outcome:
    environment = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    environment |= {"HOME": str(folder), "TMPDIR": str(folder), "ZIG_GLOBAL_CACHE_DIR": str(folder / "global"), "ZIG_LOCAL_CACHE_DIR": str(folder / "local")}
    log = folder / "messages"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*_limits(), str(program()), *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=os.name != "nt",
        )
        try:
            code: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
    with log.open("rb") as stream:
        text = stream.read(1 << 16).decode("utf-8", "replace")
    return Outcome(code, text)


def _limits() -> tuple[str, ...]:
    """Return what stands before a command, so that it starts with its memory and its files bounded, where the system can."""
    if sys.platform != "linux":
        return ()
    bounds = f"ulimit -c 0; ulimit -v {MEMORY_BYTES >> 10}; ulimit -f {FILE_BYTES >> 9}"
    return ("/bin/sh", "-c", f'{{ {bounds}; }} 2>/dev/null; exec "$@"', "sh")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children."""
    if os.name == "nt":
        process.kill()
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            process.poll()
    process.wait()
