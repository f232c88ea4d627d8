"""One instance of a module: its memory, its calls, and the reasons for which they stop.

A kernel sees its own memory and three functions of the host. It has no files, no network, no clock but the chip's, a fixed amount of memory and a fixed
number of instructions. What it leaves in its memory is data to the host, never an address or a length that is trusted.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import weakref
from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neckar.errors import KernelAccessError, KernelCompileError, KernelError, KernelExit, KernelFault, KernelMemoryError, KernelTimeout, MissingExtraError
from neckar.ppu._compile import MEMORY_BYTES
from neckar.ppu._exchange import COLUMNS, ROWS

if TYPE_CHECKING:
    import wasmtime

JOURNAL = 1024
MAILBOX = 4096
BOOT_FUEL = 2_000_000_000
CALL_FUEL = 100_000
"""Instructions that one call of a function of the host counts for, so that a loop of calls ends too."""

ENTRY_FUEL = 10_000
"""Instructions that one entry of the journal counts for, which the host works about 10 us on; less than fits into the time of a row's access."""

PLANE_FUEL = 300_000
"""Instructions that a look counts for in addition if it may bring a whole plane of sensors."""

FUNCTIONS = ("observe", "time", "flush", "watch")
"""What a kernel can call of the host."""

PORT = np.dtype(
    [
        ("cycles", "<u8"),
        ("charged_fuel", "<u8"),
        ("ppu", "<u4"),
        ("instant", "<u4"),
        ("reason", "<u4"),
        ("detail", "<u4", 2),
        ("journal_length", "<u4"),
        ("mailbox_length", "<u4"),
        ("heap_used", "<u4"),
        ("handles", "<u4"),
        ("watching", "<u4"),
        ("watches", "<u4"),
        ("reserved", "<u4"),
        ("touched", "u1", (4, ROWS)),
        ("sensor_valid", "u1", (2, ROWS)),
        ("random", "<u2", COLUMNS),
        ("neuron_switch", "u1", COLUMNS),
        ("count_mask", "u1", (2, COLUMNS)),
        ("count", "u1", (2, COLUMNS)),
        ("overflow", "u1", (2, COLUMNS)),
        ("weights", "u1", (ROWS, COLUMNS)),
        ("labels", "u1", (ROWS, COLUMNS)),
        ("sensors", "u1", (2, ROWS, COLUMNS)),
        ("journal", [("action", "<u4"), ("index", "<u4"), ("cycles", "<u8")], JOURNAL),
        ("journal_row", "u1", (JOURNAL, COLUMNS)),
        ("mailbox", "u1", MAILBOX),
    ],
    align=True,
)
"""The block of memory through which kernel and host talk: include/neckar/port.h."""

EXITED, WRONG_PPU, WRONG_ROW, WRONG_COLUMN, UNSUPPORTED, NO_MEMORY, ABORTED = range(1, 8)
_SPACES = {0: "reads the bus at", 1: "writes to the bus at", 2: "reads the vector space", 3: "writes to the vector space"}
_HEMISPHERES = ("top", "bottom")


@functools.cache
def _engine() -> wasmtime.Engine:
    try:
        import wasmtime
    except ImportError as error:
        raise MissingExtraError(
            "running a kernel of the plasticity processors needs the package wasmtime, which is not installed. Install it with: pip install 'neckar[ppu]'"
        ) from error
    config = wasmtime.Config()
    config.consume_fuel = True
    config.parallel_compilation = False
    return wasmtime.Engine(config)


@functools.lru_cache(maxsize=8)
def load(content: bytes) -> wasmtime.Module:
    """Return a module, ready to be instantiated.

    Raises
    ------
    KernelAccessError
        If it asks the host for functions that do not exist.
    KernelCompileError
        If it is no module.
    """
    engine = _engine()
    import wasmtime

    try:
        module = wasmtime.Module(engine, content)
    except wasmtime.WasmtimeError as error:
        raise KernelCompileError(f"the compiled kernel is not a module that the sandbox accepts: {error}. Clear the cache of kernels.") from error
    foreign = [f"{i.module}.{i.name}" for i in module.imports if i.module != "neckar" or i.name not in FUNCTIONS]
    if foreign:
        raise KernelAccessError(f"the kernel asks for functions that do not exist on the processors: {', '.join(foreign)}. Remove what imports them.")
    return module


for _held in (_engine, load):
    atexit.register(_held.cache_clear)  # while wasmtime still has the functions that free them


class Sandbox:
    """An instance of a module.

    Parameters
    ----------
    content : bytes
        The module.
    observe, time, flush : callable
        Functions of the host: ``observe(view, row)``, ``time() -> cycles``, ``flush()``.
    watch : callable, optional
        ``watch(name, line, kind, place, number)`` shows numbers in the kernel's memory, see :meth:`listen`.
    """

    def __init__(
        self,
        content: bytes,
        observe: Callable[[int, int], None],
        time: Callable[[], int],
        flush: Callable[[], None],
        watch: Callable[[int, int, int, int, int], None] | None = None,
    ) -> None:
        module = load(content)
        import wasmtime

        self._store = wasmtime.Store(_engine())
        self._store.set_limits(memory_size=MEMORY_BYTES, table_elements=1 << 16, instances=1, tables=2, memories=1)
        self._store.set_fuel(BOOT_FUEL)
        self.fuel = self._allowed = BOOT_FUEL
        self._raised: BaseException | None = None
        word, long = wasmtime.ValType.i32(), wasmtime.ValType.i64()
        linker = wasmtime.Linker(_engine())
        functions: tuple[Callable[..., Any], ...] = (observe, time, flush, watch or _nobody)
        self._host = {name: _known(function) for name, function in zip(FUNCTIONS, functions, strict=True)}
        types: tuple[tuple[list[Any], list[Any]], ...] = (([word, word], []), ([], [long]), ([], []), ([word] * 5, []))
        for name, (takes, gives) in zip(FUNCTIONS, types, strict=True):
            linker.define(self._store, "neckar", name, wasmtime.Func(self._store, wasmtime.FuncType(takes, gives), _door(self, name)))
        try:
            self._exports = linker.instantiate(self._store, module).exports(self._store)
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise KernelAccessError(f"the kernel cannot be started in the sandbox: {error}") from error
        memory = self._exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        size = memory.data_len(self._store)
        owner: Any = (ctypes.c_uint8 * size).from_address(ctypes.addressof(memory.data_ptr(self._store).contents))
        owner.store = self._store  # whoever looks at the memory keeps it
        self.memory: NDArray[np.uint8] = np.ctypeslib.as_array(owner)
        self.port: NDArray[Any] = self.memory[self._global("neckar_port") :][: PORT.itemsize].view(PORT)[0:1].reshape(())
        self._functions: dict[str, wasmtime.Func] = {}
        self._watch_fuel = 0
        self._watches_left = 0

    def listen(self, number: int) -> None:
        """Hear so many watched values of the next call, 0 for none; the call takes as many instructions as if nobody listened."""
        if number and not self._watch_fuel:
            self._watch_fuel = self._spent_on_watching(1) - self._spent_on_watching(0)
        self._watches_left = number
        self.port["watching"], self.port["watches"] = number > 0, 0

    def _spent_on_watching(self, watching: int) -> int:
        self.refuel(BOOT_FUEL)
        self.port["watching"] = watching
        charged = int(self.port["charged_fuel"])
        self.call("neckar_watch", 0, 0, 0, 0, 0)
        self.port["charged_fuel"] = charged
        return self.spent()

    def called(self, name: str, *arguments: int) -> Any:
        """Do what the kernel asks of the host; an exception ends the call of the kernel."""
        try:
            if name == "watch":
                return self._show(*arguments)
            self.charge(CALL_FUEL)
            return self._host[name]()(*arguments)
        except BaseException as error:
            self._raised = error
            raise RuntimeError("stopped by the host") from None  # an Exception, which wasmtime hands on as a trap

    def _show(self, *arguments: int) -> None:
        """Show what a kernel watches: such calls take no instructions, and are limited in number by :meth:`listen`."""
        self._store.set_fuel(self._store.get_fuel() + self._watch_fuel)
        if self._watches_left > 0:
            self._watches_left -= 1
            self._host["watch"]()(*(argument & 0xFFFFFFFF for argument in arguments))
        else:
            self.port["watching"] = 0
            self.charge(CALL_FUEL)  # of a kernel that has switched it on itself

    def _global(self, name: str) -> int:
        import wasmtime

        found = self._exports[name]
        assert isinstance(found, wasmtime.Global)
        return int(found.value(self._store))

    @property
    def static_bytes(self) -> int:
        """Bytes of initialised and zero data, without the port."""
        return self._global("__data_end") - self._global("__global_base") - PORT.itemsize

    @property
    def heap_bytes(self) -> int:
        """Bytes of heap: what the runtime has counted, or what has been written to if that is more."""
        written = np.flatnonzero(self.memory[self._global("__heap_base") :])
        return max(int(self.port["heap_used"]), int(written[-1]) + 1 if len(written) else 0)

    def charge(self, fuel: int) -> None:
        """Count so many instructions more, for work that the host does on a kernel's behalf."""
        left = self._store.get_fuel()
        taken = min(fuel, left)
        self._store.set_fuel(left - taken)
        self.fuel -= taken

    def set_word(self, symbol: str, value: int) -> None:
        """Write a word of the runtime."""
        self.memory[self._global(symbol) :][:4].view("<u4")[0] = value

    def part(self, address: int, size: int) -> NDArray[np.uint8]:
        """Return a view of the kernel's memory.

        Raises
        ------
        KernelAccessError
            If it does not lie inside.
        """
        if not 0 <= address <= address + size <= len(self.memory):
            raise KernelAccessError(f"the kernel points the host to {size} bytes at {address:#x}, outside of its memory of {len(self.memory)} bytes.")
        return self.memory[address : address + size]

    def refuel(self, fuel: int) -> None:
        """Allow so many instructions from now on."""
        self.fuel = self._allowed = fuel
        self._store.set_fuel(fuel)

    def spent(self) -> int:
        """Return how many instructions were carried out since the last :meth:`refuel`."""
        return self.fuel - self._store.get_fuel()

    def call(self, name: str, *arguments: int) -> int:
        """Call an exported function.

        Raises
        ------
        KernelFault, KernelMemoryError
            If it is stopped; the exception says why.
        """
        import wasmtime

        function = self._functions.get(name)
        if function is None:
            found = self._exports.get(name)
            if not isinstance(found, wasmtime.Func):
                raise KernelAccessError(f"the module of the kernels has no function {name}; the kernel has hidden it.")
            function = self._functions[name] = found
        try:
            return function(self._store, *arguments)
        except BaseException as error:
            raised, self._raised = self._raised, None
            if raised is not None:
                raise raised from None
            if isinstance(error, wasmtime.Trap):
                raise self._fault(str(error), error.trap_code) from None
            if isinstance(error, wasmtime.WasmtimeError):
                raise self._fault(str(error), None) from None
            raise

    def _fault(self, text: str, code: Any) -> KernelError:
        import wasmtime

        codes = wasmtime.TrapCode
        reason, (first, second) = int(self.port["reason"]), (int(v) for v in self.port["detail"])
        if "all fuel consumed" in text:
            return KernelTimeout(f"has not come to an end after {self._allowed} instructions. Look for a loop without end, or do less per invocation")
        if code == codes.UNREACHABLE and reason:
            return _stopped(reason, first, second)
        if code == codes.STACK_OVERFLOW:
            return KernelAccessError("has used up its stack of calls. Look for a recursion without end")
        if code == codes.MEMORY_OUT_OF_BOUNDS:
            return KernelAccessError("has reached outside of its memory: an index or pointer is wrong, or its stack has overflown")
        if code == codes.INTEGER_DIVISION_BY_ZERO:
            return KernelFault("has divided by zero")
        if code == codes.UNREACHABLE:
            return KernelFault("has come to a place that the compiler holds for impossible: a function without return, or a loop without end and effect")
        return KernelFault(f"was stopped: {text.splitlines()[-1].strip()}")


def _known(function: Callable[..., Any]) -> Callable[[], Callable[..., Any]]:
    """Return what gives a function of the host without keeping its object, which keeps the sandbox."""
    if not isinstance(function, MethodType):
        return lambda: function
    method = weakref.WeakMethod(function)

    def found() -> Callable[..., Any]:
        bound = method()
        assert bound is not None  # its kernel is running
        return bound

    return found


def _door(box: Sandbox, name: str) -> Callable[..., Any]:
    """Return a function of the host that leads into a sandbox without keeping it: what wasmtime holds is out of the garbage collector's sight."""
    known = weakref.ref(box)

    def called(*arguments: int) -> Any:
        inside = known()
        assert inside is not None  # its kernel is running
        return inside.called(name, *arguments)

    return called


def _nobody(*_: int) -> None:
    """Listen to nothing."""


def _stopped(reason: int, first: int, second: int) -> KernelError:
    """Return why a kernel was stopped by the functions that it is linked with."""
    if reason == EXITED:
        return KernelExit(f"has called exit({ctypes.c_int32(first).value}), which stops the processor")
    if reason == WRONG_PPU:
        names = [_HEMISPHERES[n] if n < 2 else str(n) for n in (first, second)]
        return KernelAccessError(f"runs on the processor {names[1]!r} and uses a handle of {names[0]!r}. Return early if (handle.hemisphere != ppu)")
    if reason == WRONG_ROW:
        return KernelAccessError(f"asks for row {first} of {second}. Count rows of a handle from 0 to rows.size() - 1")
    if reason == WRONG_COLUMN:
        return KernelAccessError(f"asks for number {first} of {second} columns or coordinates. Count from 0")
    if reason == UNSUPPORTED:
        return KernelAccessError(f"{_SPACES.get(first, 'uses')} {second:#010x}, which has no model. Use the functions of the handles")
    if reason == NO_MEMORY:
        return KernelMemoryError(f"asks for {first} bytes; {second} are left of {MEMORY_BYTES} in the sandbox, and a processor has 16 KiB. Allocate less")
    return KernelFault("was aborted by the standard library: an index, a length or an access to an empty container is wrong")
