"""From a rule's text to a translation unit: refuse what would reach outside, mend what only this compiler minds, add entry points.

The compiler reads files, so a kernel must not say which: only headers of a list can be included, and what else opens a file is refused here by name.
This reading of the text need not agree with the compiler's in every corner: the compiler sees no other files (`_toolchain`), and what it says is kept back
if it read any (`_compile`).
Lines keep their numbers, so that messages show the user's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from neckar.errors import KernelSourceError, nearest
from neckar.ppu._headers import INCLUDE, TOKEN
from neckar.ppu._kernel import Kernel
from neckar.ppu._shared import SECTIONS
from neckar.program import Observable

WATCH = "NECKAR_WATCH"
AFTER = "neckar-after-the-kernel"
MAX_TEXT = 1 << 20

STANDARD = frozenset(
    {
        "algorithm", "array", "bit", "bitset", "cassert", "cctype", "cfloat", "climits", "cmath", "complex", "cstdarg", "cstddef", "cstdint",
        "cstdlib", "cstring", "deque", "functional", "initializer_list", "iterator", "limits", "list", "map", "memory", "new", "numeric", "optional",
        "queue", "ratio", "set", "span", "stack", "string", "string_view", "tuple", "type_traits", "unordered_map", "unordered_set", "utility",
        "variant", "vector", "float.h", "limits.h", "math.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdlib.h", "string.h",
    }
)
DIRECTIVES = frozenset({"", "include", "define", "undef", "if", "ifdef", "ifndef", "elif", "else", "endif", "pragma", "error", "warning", "line"})

_LEXER = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<raw>(?:u8|[uUL])?R"(?P<fence>[^()\\\s]{0,16})\(.*?(?:\)(?P=fence)"|\Z))
    |(?P<fenceless>(?:u8|[uUL])?R")
    |(?P<text>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*"?|(?:u8|[uUL])?'(?:\\.|[^'\\\n])*'?)
    |(?P<word>[^\W\d]\w*)
    |(?P<number>\.?\d(?:[eEpP][+-]|'?\w|\.)*)
    |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_CONTINUED = re.compile(r"\\[ \t\f\v]*\Z")
_DIRECTIVE = re.compile(r"[ \t\f\v]*(?:\#|%:|\?\?=)[ \t\f\v]*(\w*)[ \t\f\v]*(.*)")
_CAPTURES = re.compile(r"\[([^\[\]()]*)\](?=\s*(?:\(|\{|mutable\b))")
_RAW = re.compile(r'R"')
_ASKING = frozenset({"__has_include", "__has_include_next", "__has_embed"})
_CTYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t"}
_ROWS = {"int8": "VectorRowFracSat8", "uint8": "VectorRowMod8", "int16": "VectorRowFracSat16", "uint16": "VectorRowMod16"}
_SYMBOL = re.compile(r"[A-Za-z_]\w*(::[A-Za-z_]\w*)*\Z")


def headers() -> frozenset[str]:
    """Return the names that a kernel can include."""
    own = {str(path.relative_to(INCLUDE).as_posix()) for path in INCLUDE.rglob("*.h")}
    return frozenset(name for name in own if not name.startswith("neckar/")) | STANDARD


def check(kernel: Kernel) -> None:
    """Refuse a text that could make the compiler open a file, or that has no kernel.

    Raises
    ------
    KernelSourceError
    """
    text, where = kernel.text, f"kernel of {kernel.name!r}"
    if len(text) > MAX_TEXT:
        raise KernelSourceError(f"{where}: the text has {len(text)} characters; allowed are {MAX_TEXT}. Put large tables into fewer, wider numbers.")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise KernelSourceError(f"{where}: the text holds half of a character (a lone surrogate). Remove it, or read the text with its own encoding.")
    if "\0" in text:
        raise KernelSourceError(f"{where}: the text holds a zero character. Remove it.")
    if "\r" in text.replace("\r\n", "\n"):
        raise KernelSourceError(f"{where}: the text holds a carriage return that ends no line. End lines with a line feed, or with both.")
    if TOKEN not in text:
        raise KernelSourceError(f"{where}: the text does not name {TOKEN}, the function that is called. Define void {TOKEN}(...).")
    for name in kernel.symbols:
        if not _SYMBOL.match(name):
            raise KernelSourceError(f"{where}: the symbol {name!r} is not the name of a variable. Write it as in the kernel.")
    for name, _ in kernel.observables:
        if not name.isidentifier() or not name.isascii():
            raise KernelSourceError(f"{where}: the observable {name!r} is not the name of a member of Recording. Use letters, digits and underscores.")
    if _RAW.search(text) and any(_CONTINUED.search(line) for line in text.splitlines()):
        raise KernelSourceError(f"{where}: raw strings and lines continued with a backslash do not go together here. Use one of them.")
    _check_tokens(where, text)
    known = headers()
    for line, name, rest in _directives(text):
        if name not in DIRECTIVES:
            raise KernelSourceError(f"{where}, line {line}: #{name} does not exist on the processors; allowed are {', '.join(sorted(DIRECTIVES - {''}))}.")
        if name == "pragma" and "dependency" in rest:
            raise KernelSourceError(f"{where}, line {line}: #pragma {rest.strip()} names a file. Remove it.")
        if name == "include":
            _check_include(f"{where}, line {line}", rest.strip(), known)


def _check_tokens(where: str, text: str) -> None:
    tokens = [(token.lastgroup, token[0]) for token in _LEXER.finditer(_joined(text)[0])]
    in_sections = any(kind == "word" and token.strip("_") == "section" for kind, token in tokens)
    for kind, token in tokens:
        if kind == "fenceless":
            raise KernelSourceError(f"{where}: a raw string has no delimiter of at most 16 characters before its bracket. Write R'(...)' with double quotes.")
        if kind == "word" and token in _ASKING:
            raise KernelSourceError(f"{where}: {token} asks for files, which kernels do not see. Include the header, or leave it out.")
        if kind == "word" and token.strip("_") == "export_name":
            raise KernelSourceError(f"{where}: {token} would hide functions that the host calls. Leave it out.")
        if kind == "raw" and any(name in token for name in SECTIONS) and in_sections:
            raise KernelSourceError(f"{where}: {token} names a section in a raw string. Write its name in double quotes.")
    if ("word", "_Pragma") in tokens and any(kind in ("text", "raw") and "dependency" in token for kind, token in tokens):
        raise KernelSourceError(f"{where}: _Pragma with 'dependency' names a file. Remove it.")


def _check_include(where: str, what: str, known: frozenset[str]) -> None:
    written = re.fullmatch(r'"([^"\n]+)"|<([^>\n]+)>', what)
    if written is None:
        raise KernelSourceError(f"{where}: #include {what} does not name a header plainly; allowed is the name in quotes or angle brackets. Write the name.")
    name = written[1] or written[2]
    if name not in known:
        raise KernelSourceError(f"{where}: there is no header {name!r} for kernels{nearest(name, known)} See the list in docs/reference/plasticity_headers.md.")


def _directives(text: str) -> Iterator[tuple[int, str, str]]:
    """Return line, name and rest of each preprocessor directive, as the compiler finds them."""
    joined, numbers = _joined(text)
    plain = (t[0] if t.lastgroup not in ("comment", "raw") else " " + "\n" * t[0].count("\n") for t in _LEXER.finditer(joined))
    for number, source in zip(numbers, "".join(plain).split("\n"), strict=True):
        found = _DIRECTIVE.match(source)
        if found:
            yield number, found[1], found[2]


def _joined(text: str) -> tuple[str, list[int]]:
    """Return a text with continued lines joined, and the number of the line that each of its lines begins with."""
    logical: list[list[str]] = [[]]
    numbers, continued = [1], False
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if number > 1 and not continued:
            logical.append([])
            numbers.append(number)
        continued = _CONTINUED.search(line) is not None
        logical[-1].append(_CONTINUED.sub("", line))
    return "\n".join("".join(parts) for parts in logical), numbers


def without_captures(text: str, names: frozenset[str]) -> str:
    """Remove global variables from capture lists: the processors' compiler warns, this one refuses."""

    def mend(found: re.Match[str]) -> str:
        items = [item for item in found[1].split(",") if item.strip().lstrip("&").strip() not in names]
        return f"[{','.join(items)}]" if len(items) != len(found[1].split(",")) else found[0]

    return _CAPTURES.sub(mend, text)


def with_puns(text: str) -> str:
    """Replace ``reinterpret_cast`` by a cast of equal length that keeps the processor's byte order."""
    return "".join("neckar_bytecast_" if t[0] == "reinterpret_cast" else t[0] for t in _LEXER.finditer(text))


def with_sections(text: str) -> str:
    """Replace the names of the sections that both processors share by those that the linker keeps together."""
    names = {f'"{name}"': f'"{kept}"' for name, kept in SECTIONS.items()}
    return "".join(names.get(t[0], t[0]) for t in _LEXER.finditer(text))


def translation_unit(kernel: Kernel, globals_captured: frozenset[str] = frozenset({"ppu"})) -> str:
    """Return what the compiler gets."""
    text = with_sections(with_puns(without_captures(kernel.text, globals_captured))).replace(TOKEN, f"plasticity_rule_kernel_{rule_tag(kernel.number)}", 1)
    return "\n".join((_before(kernel), '#line 1 "kernel"', text, f'#line 1 "{AFTER}"', _after(kernel), ""))


def _before(kernel: Kernel) -> str:
    lines = ["#include <array>", "#include <cstddef>", "#include <cstdint>", "#include <tuple>", '#include "neckar/pun.h"']
    if WATCH in kernel.text:
        lines.append('#include "neckar/watch.h"')
    if kernel.observables:
        lines += ['#include "libnux/vx/vector_row.h"', "struct Recording", "{", "uint64_t time;"]
        lines += [f"{_member(kernel, observable)} {name};" for name, observable in kernel.observables]
        lines += ["};"]
    return "\n".join(lines)


def _member(kernel: Kernel, observable: Observable) -> str:
    element, row = _CTYPES[observable.type], f"libnux::vx::{_ROWS[observable.type]}"
    whole = observable.layout == "complete_rows"
    if observable.shape == "synapse":
        parts = [f"std::array<{row if whole else f'std::array<{element}, {columns}>'}, {rows}>" for rows, columns in kernel.synapses]
        return f"std::tuple<{', '.join(parts)}>"
    if observable.shape == "neuron":
        parts = [row if whole else f"std::array<{element}, {columns}>" for columns in kernel.neurons]
        return f"std::tuple<{', '.join(parts)}>"
    return f"std::array<{element}, {observable.shape}>"


def _after(kernel: Kernel) -> str:
    n, m, tag = len(kernel.synapses), len(kernel.neurons), rule_tag(kernel.number)
    bytes_ = "uint8_t const* {0}, uint32_t n_{0}".format
    lines = ['#include "neckar/entry.h"', f"typedef neckar::Handles<{n}, {m}> neckar_views;"]
    if kernel.observables:
        lines.append("alignas(128) static Recording neckar_recording[1];")
    lines.append(_entry("neckar_views*", f"neckar_handles_{tag}", "", "return new neckar_views();"))
    if n:
        arguments = f"neckar_views* handles, uint32_t view, uint32_t hemisphere, {bytes_('rows')}, {bytes_('columns')}"
        body = "neckar::fill(handles->synapses[view], hemisphere, rows, n_rows, columns, n_columns);"
        lines.append(_entry("void", f"neckar_synapses_{tag}", arguments, body))
    if m:
        arguments = f"neckar_views* handles, uint32_t view, uint32_t hemisphere, {bytes_('columns')}"
        lines.append(_entry("void", f"neckar_neurons_{tag}", arguments, "neckar::fill(handles->neurons[view], hemisphere, columns, n_columns);"))
    call = f"plasticity_rule_kernel_{tag}(handles->synapses, handles->neurons{', *neckar_recording' if kernel.observables else ''});"
    lines.append(_entry("void", f"neckar_invoke_{tag}", "", f"auto* const handles = reinterpret_cast<neckar_views*>(neckar_port.handles); {call}"))
    if kernel.observables:
        layout = _table("reinterpret_cast<uint32_t>(neckar_recording)", "sizeof(Recording)", *_offsets(kernel))
        lines.append(_entry("uint32_t", f"neckar_layout_{tag}", "uint32_t i", layout))
    for i, name in enumerate(kernel.symbols):
        about = f"reinterpret_cast<uint32_t>(__builtin_addressof({name}))", f"sizeof({name})", f"neckar::number_size<decltype({name})>"
        lines.append(_entry("uint32_t", f"neckar_symbol_{tag}_{i}", "uint32_t i", _table(*about)))
    return "\n".join(lines)


def _entry(kind: str, name: str, arguments: str, body: str) -> str:
    return f"NECKAR_ENTRY({name}) {kind} {name}({arguments}) {{ {body} }}"


def _table(*values: str) -> str:
    return f"uint32_t const table[] = {{{', '.join(values)}}}; return i < {len(values)} ? table[i] : 0;"


def _offsets(kernel: Kernel) -> Iterator[str]:
    """Return expressions for where each part of a record lies: its time, then the observables by name, view by view."""
    yield "neckar::offset(*neckar_recording, neckar_recording->time)"
    for name, observable in kernel.observables:
        views = {"synapse": len(kernel.synapses), "neuron": len(kernel.neurons)}.get(str(observable.shape))
        member = f"neckar_recording->{name}"
        for part in [member] if views is None else [f"std::get<{i}>({member})" for i in range(views)]:
            yield f"neckar::offset(*neckar_recording, {part})"


def rule_tag(number: int) -> str:
    """Return a rule's number as part of a name."""
    return f"m{-number}" if number < 0 else str(number)
