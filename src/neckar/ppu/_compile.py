"""From kernels to a module for the sandbox, with a cache.

A module holds all kernels of a program, as a processor does, and the runtime. Objects and modules lie in a folder under the hash of everything that
determines them: text, headers, flags, version of the compiler. A file appears under its name complete or not at all, so any number of processes may share
the folder.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from neckar.errors import KernelCompileError, KernelMemoryError, KernelSourceError
from neckar.ppu import _toolchain as toolchain
from neckar.ppu._headers import INCLUDE, TOKEN
from neckar.ppu._kernel import Kernel
from neckar.ppu._shared import SECTIONS
from neckar.ppu._source import AFTER, check, rule_tag, translation_unit

ENVIRONMENT = "NECKAR_PPU_CACHE"
"""Environment variable that names the folder of compiled kernels."""

RUNTIME = Path(__file__).parent / "runtime" / "runtime.cpp"
MEMORY_BYTES = 4 << 20
STACK_BYTES = 64 << 10
MODULE_BYTES = 8 << 20

_EXPORTS = ("neckar_boot", "neckar_take", "neckar_shared", "neckar_watch", "neckar_port", "ppu", "__data_end", "__global_base", "__heap_base")
_OURS = (*_EXPORTS, "__wasm_call_ctors", "__heap_end", "__stack_pointer", "__stack_low", "__stack_high", "__memory_base", "__table_base", "__dso_handle")
_BOUNDS = tuple(f"__{end}_{section}" for section in dict.fromkeys(SECTIONS.values()) for end in ("start", "stop"))
_LINK = (
    *("--no-entry", "--stack-first", "-z", f"stack-size={STACK_BYTES}", f"--initial-memory={MEMORY_BYTES}", f"--max-memory={MEMORY_BYTES}", "--gc-sections"),
    *("--strip-debug", "--fatal-warnings", *(f"--export={name}" for name in _EXPORTS)),
    *(f"--trace-symbol={name}" for name in (*_OURS, *_BOUNDS)),
)
_NOT_CAPTURED = re.compile(r"'(\w+)' cannot be captured because it does not have automatic storage duration")
_UNDEFINED = re.compile(r"undefined symbol: (.+)")
_DEFINED = re.compile(r"kernel_m?\d+\.o: (?:lazy |shared )?definition of (.+)")
_DUPLICATE = re.compile(r"duplicate symbol: (.+)")
_RETRIES = 3
_WORKERS = 2  # compilers at a time, each with its own bound of memory
_SEAL = 32  # bytes before the content of a file: its hash


def cache_folder() -> Path:
    """Return the folder of compiled kernels."""
    import platformdirs

    given = os.environ.get(ENVIRONMENT)
    return Path(given) if given else platformdirs.user_cache_path("neckar") / "ppu"


@functools.lru_cache(maxsize=8)
def build(kernels: tuple[Kernel, ...]) -> bytes:
    """Return the module of some kernels, from the cache or made anew.

    Raises
    ------
    KernelSourceError
        If a text is refused.
    KernelCompileError
        If it does not compile; the messages name the lines of the kernel.
    KernelMemoryError
        If it needs more memory than there is.
    MissingExtraError
        If there is no compiler.
    """
    return build_in(cache_folder(), kernels)


def build_in(cache: Path, kernels: Sequence[Kernel]) -> bytes:
    """Return the module of some kernels, from a cache or made anew; raises as :func:`build`."""
    for kernel in kernels:
        check(kernel)
    key = _digest("module", *_LINK, *(part for kernel in kernels for part in (str(kernel.number), translation_unit(kernel))))
    return _cached(cache / f"{key}.wasm", functools.partial(_link, kernels, cache))


def _link(kernels: Sequence[Kernel], cache: Path, folder: Path) -> bytes:
    named = [("runtime", _digest("runtime"), _runtime)]
    named += [(f"kernel_{rule_tag(kernel.number)}", _digest("object", translation_unit(kernel)), functools.partial(_object, kernel)) for kernel in kernels]
    with ThreadPoolExecutor(_WORKERS) as pool:
        contents = list(pool.map(lambda item: _cached(cache / f"{item[1]}.o", item[2]), named))
    objects = []
    for (name, *_), content in zip(named, contents, strict=True):
        objects.append(folder / f"{name}.o")
        objects[-1].write_bytes(content)
    output = folder / "module.wasm"
    ended = toolchain.link(objects, output, _LINK)
    if ended.code != 0:
        raise _link_error(kernels, ended)
    if taken := sorted(set(_DEFINED.findall(ended.messages))):
        raise KernelCompileError(f"the kernels {_names(kernels)} define what Neckar defines: {', '.join(taken)}. Rename it.")
    module = output.read_bytes()
    if len(module) > MODULE_BYTES:
        raise KernelMemoryError(f"the kernels {_names(kernels)} take {len(module)} bytes of code and data; allowed are {MODULE_BYTES}. Make them smaller.")
    return module


def _runtime(folder: Path) -> bytes:
    ended = toolchain.compile_object(RUNTIME, folder / "made.o", INCLUDE, folder)
    if ended.code != 0:
        raise KernelCompileError(f"the runtime of the plasticity processors does not compile with ziglang {toolchain.version()}:\n{ended.messages}")
    return (folder / "made.o").read_bytes()


def _object(kernel: Kernel, folder: Path) -> bytes:
    """Compile a kernel; global variables in capture lists are found and removed, as the processors' compiler does."""
    captured = frozenset({"ppu"})
    source, output, limit = folder / "source" / "kernel.cpp", folder / "made.o", time.monotonic() + toolchain.COMPILE_S
    source.parent.mkdir()
    for _ in range(_RETRIES):
        source.write_text(translation_unit(kernel, captured))
        ended = toolchain.compile_object(source, output, INCLUDE, folder, max(limit - time.monotonic(), 0.1))
        found = frozenset(_NOT_CAPTURED.findall(ended.messages)) - captured
        if ended.code == 0 or not found:
            break
        captured |= found
    _check_read(kernel, ended, output.with_suffix(".d"), source)
    if ended.code != 0:
        raise _compile_error(kernel, ended)
    made = output.read_bytes()
    for section in SECTIONS:
        if bytes([len(section)]) + section.encode() in made:  # as the object's list of segments has it
            where = f"kernel of {kernel.name!r}"
            raise KernelSourceError(f'{where}: the section "{section}" is not spelled in one piece. Write __attribute__((section("{section}"))).')
    return made


def _check_read(kernel: Kernel, ended: toolchain.Outcome, dependencies: Path, source: Path) -> None:
    """Refuse an object, and keep its messages back, unless the compiler's own list of what it read names headers only."""
    where = f"kernel of {kernel.name!r}"
    if ended.code is None:
        return  # nothing of what it said is shown
    if not dependencies.exists():
        why = "it names a file that does not exist for kernels, or the compiler gave up before it had read all"
        limit = f"it may use {toolchain.MEMORY_BYTES >> 30} GiB"
        raise KernelCompileError(f"{where} does not compile: {why} (code {ended.code}; {limit}). Make it smaller or plainer.")
    allowed = (INCLUDE.resolve(), toolchain.program().parent.resolve())
    listed = dependencies.read_text(errors="replace").replace("\\\n", " ").partition(":")[2]
    for name in re.findall(r"(?:\\ |\S)+", listed):
        path = (source.parent / name.replace("\\ ", " ")).resolve()
        if path != source.resolve() and not any(root in path.parents for root in allowed):
            raise KernelSourceError(f"{where}: the compiler was made to read a file that is no header for kernels. Remove what names it.")


def _compile_error(kernel: Kernel, ended: toolchain.Outcome) -> KernelCompileError:
    where = f"kernel of {kernel.name!r}"
    if ended.code is None:
        return KernelCompileError(f"{where}: the compiler has not come to an end in {toolchain.COMPILE_S:.0f} s. Make templates and constants smaller.")
    for name in kernel.symbols:
        if re.search(rf"{AFTER}:\d+:\d+: error: .*'{re.escape(name.split('::')[-1])}'", ended.messages):
            return KernelCompileError(f"{where} has no global variable {name!r}, which the host reads or writes. Define it outside of functions.")
    messages = _readable(ended.messages)
    if re.search(rf"{AFTER}:\d+:\d+: error: .*'plasticity_rule_kernel_", messages):
        takes = f"std::array<SynapseArrayViewHandle, {len(kernel.synapses)}>&, std::array<NeuronViewHandle, {len(kernel.neurons)}>&"
        takes += ", Recording&" if kernel.observables else ""
        own = messages[found.start() :] if (found := re.search(r"^kernel:", messages, re.MULTILINE)) else ""
        return KernelCompileError(f"{where}: {TOKEN} is called with ({takes}), which it does not take. Give it these parameters.\n{own}".strip())
    if "error:" not in ended.messages:
        return KernelCompileError(f"{where}: the compiler gave up (code {ended.code}); it may use {toolchain.MEMORY_BYTES >> 30} GiB.\n{messages}")
    return KernelCompileError(f"{where} does not compile; lines count in its text:\n{messages}")


def _readable(messages: str) -> str:
    """Return the compiler's messages without our own paths."""
    own = str(INCLUDE) + os.sep
    return messages.replace(own, "").replace(str(toolchain.program().parent) + os.sep, "ziglang/").strip()


def _link_error(kernels: Sequence[Kernel], ended: toolchain.Outcome) -> KernelCompileError | KernelMemoryError:
    names = _names(kernels)
    missing, twice = sorted(set(_UNDEFINED.findall(ended.messages))), sorted(set(_DUPLICATE.findall(ended.messages)))
    if missing:
        return KernelCompileError(f"the kernels {names} call functions that do not exist on the processors: {', '.join(missing)}. Define it, or do without it.")
    if twice:
        return KernelCompileError(f"the kernels {names} define twice, or define what Neckar defines: {', '.join(twice)}. Rename it, or make it static.")
    if "memory" in ended.messages or ended.code is None:
        return KernelMemoryError(f"the kernels {names} do not fit into {MEMORY_BYTES >> 20} MiB; a processor has 16 KiB. Use smaller tables.\n{ended.messages}")
    return KernelCompileError(f"the kernels {names} cannot be linked:\n{ended.messages}")


def _names(kernels: Sequence[Kernel]) -> str:
    return ", ".join(repr(kernel.name) for kernel in kernels)


@functools.cache
def _headers_digest() -> str:
    """Return the hash of what belongs to Neckar in every module."""
    found = hashlib.sha256()
    for path in (*sorted(INCLUDE.rglob("*.h")), RUNTIME):
        found.update(f"{path.relative_to(INCLUDE.parent).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def _digest(*parts: str) -> str:
    everything = (toolchain.version(), *toolchain.FLAGS, _headers_digest(), *parts)
    return hashlib.sha256("\0".join(everything).encode("utf-8", "surrogatepass")).hexdigest()


def _cached(path: Path, make: Callable[[Path], bytes]) -> bytes:
    """Return a file of the cache, or, if it is missing or damaged, what `make` yields from an empty folder, which then becomes the file."""
    with contextlib.suppress(OSError):
        found = path.read_bytes()
        if hashlib.sha256(found[_SEAL:]).digest() == found[:_SEAL]:
            return found[_SEAL:]
    with tempfile.TemporaryDirectory(prefix="neckar-ppu-") as folder:
        content = make(Path(folder))
    with contextlib.suppress(OSError):
        _store(path, hashlib.sha256(content).digest() + content)
    return content


def _store(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


