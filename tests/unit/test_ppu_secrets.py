"""No kernel makes the compiler read, or speak of, a file of the host."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from neckar.errors import KernelError, KernelSourceError
from neckar.ppu import _compile, _source
from neckar.ppu._kernel import Kernel

SECRET = "hushword quietword;"
END = "\nvoid PLASTICITY_RULE_KERNEL() {}\n"

SPELLINGS = {
    "plain": '#include "FILE"\n',
    "angled": "#include <FILE>\n",
    "after an unterminated quote": "#define X ' /*\n#include \"FILE\"\n//*/\n",
    "after an unterminated double quote": '#define X " /*\n#include "FILE"\n//*/\n',
    "after a carriage return": '// \\\n\r /*\n#include "FILE"\n// */\n',
    "after an unterminated quote in a skipped part": "#if 0\n don't /*\n#endif\n#include \"FILE\"\n//*/\n",
    "after a raw string with a long delimiter": 'char const* a = R"abcdefghijklmnopqrstuvw( " /*\n#include "FILE"\n//*/ "\n',
    "after a superscript and a raw string": '#define X \u00b2R"( " \n#define Y )" /*\n#include "FILE"\n//*/\n',
    "digraph": '%:include "FILE"\n',
    "continued": '#inc\\\nlude "FILE"\n',
    "by a macro": '#define NAME "FILE"\n#include NAME\n',
    "next": '#include_next "FILE"\n',
    "import": '#import "FILE"\n',
    "relative": '#include "../../../../../../../../../../FILE"\n',
    "through a folder of headers": '#include "libnux/../../../../../../../../../../../../../../FILE"\n',
    "embedded": 'constexpr unsigned char s[] = {\n#embed "FILE"\n};\nstatic_assert(s[0] == 0);\ntemplate <int N> struct Shown;\nShown<s[0]> shown;\n',
    "embedded after an unterminated quote": "#define X ' /*\nconstexpr unsigned char s[] = {\n#embed \"FILE\"\n};\n"
    "template <int N> struct Shown;\nShown<s[0]> shown;\n//*/\n",
    "dependency": '#pragma GCC dependency "FILE"\n',
    "dependency by operator": '_Pragma("GCC dependency \\"FILE\\" hidden")\n',
    "dependency by pasting": '#define P(x) _Pragma(#x)\nP(GCC dependency "FILE")\n',
    "assembly": 'asm(".include \\"FILE\\"");\n',
    "assembly of the file": "__asm__(\".incbin \\\"FILE\\\"\");\n",
    "library": '#pragma comment(lib, "FILE")\n#pragma comment(linker, "FILE")\nint x = y;\n',
    "module": '#pragma clang module import "FILE"\n#pragma clang module build x\nmodule x { header "FILE" }\n#pragma clang module endbuild\n',
}
ASKING = {
    "has include": '#if __has_include("FILE")\n#error it is there\n#endif\n',
    "has include by pasting": '#define P(a, b) a##b\n#if P(__has_, include)("FILE")\n#error it is there\n#endif\n',
    "has include, continued": '#if __has_\\\ninclude("FILE")\n#error it is there\n#endif\n',
    "has embed": '#if __has_embed("FILE")\n#error it is there\n#endif\n',
    "has embed by pasting": '#define P(a, b) a##b\n#if P(__has_, embed)("FILE")\n#error it is there\n#endif\n',
    "has include next": '#if __has_include_next("FILE")\n#error it is there\n#endif\n',
}

CHECKED = [pytest.param(True, id="text checked"), pytest.param(False, id="compiler alone", marks=pytest.mark.slow)]


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("ziglang")
    monkeypatch.setenv(_compile.ENVIRONMENT, str(tmp_path / "cache"))
    _compile.build.cache_clear()
    path = tmp_path / "secret.txt"
    path.write_text(f"{SECRET}\n")
    return path


def _said(text: str) -> str:
    """Return what a user reads, or '' if the kernel was built."""
    try:
        _compile.build((Kernel("rule", text, 0),))
    except KernelError as error:
        return str(error)
    return ""


def _shows(said: str, secret: Path) -> bool:
    """Return whether a text holds a word, or the value of the first byte, of the secret file."""
    return any(word in said for word in (*re.findall(r"\w+", SECRET), f"Shown<{ord(SECRET[0])}>", f"{ord(SECRET[0])} == 0"))


@pytest.mark.parametrize("checked", CHECKED)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_shows_a_file_of_the_host(spelling: str, checked: bool, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not checked:
        monkeypatch.setattr(_compile, "check", lambda _: None)
    there = _said(SPELLINGS[spelling].replace("FILE", str(secret)) + END)
    assert not _shows(there, secret)
    secret.unlink()
    assert _said(SPELLINGS[spelling].replace("FILE", str(secret)) + END) == there


@pytest.mark.parametrize("checked", CHECKED)
@pytest.mark.parametrize("spelling", ASKING)
def test_no_spelling_tells_whether_a_file_exists(spelling: str, checked: bool, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not checked:
        monkeypatch.setattr(_compile, "check", lambda _: None)
    assert "it is there" not in _said(ASKING[spelling].replace("FILE", str(secret)) + END)


def test_without_the_overlay_messages_are_kept_back_all_the_same(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compile, "check", lambda _: None)
    monkeypatch.setattr(_compile.toolchain, "FLAGS", _compile.toolchain.FLAGS[4:])
    for spelling in ("plain", "by a macro", "embedded", "after an unterminated quote"):
        said = _said(SPELLINGS[spelling].replace("FILE", str(secret)) + END)
        assert "the compiler was made to read a file that is no header for kernels" in said, spelling
        assert not _shows(said, secret), spelling


@pytest.mark.parametrize(
    ("spelling", "refusal"),
    [
        ("after an unterminated quote", "there is no header"),
        ("after an unterminated double quote", "there is no header"),
        ("after a carriage return", "a carriage return that ends no line"),
        ("after an unterminated quote in a skipped part", "there is no header"),
        ("after a raw string with a long delimiter", "no delimiter of at most 16 characters"),
        ("dependency by operator", "_Pragma with 'dependency' names a file"),
    ],
)
def test_the_text_alone_gives_them_away(spelling: str, refusal: str) -> None:
    with pytest.raises(KernelSourceError, match=refusal):
        _source.check(Kernel("rule", SPELLINGS[spelling].replace("FILE", "/etc/hostname") + END, 0))


def test_questions_for_files_are_refused_by_name() -> None:
    for spelling in ("has include", "has include, continued", "has embed", "has include next"):
        with pytest.raises(KernelSourceError, match="asks for files, which kernels do not see"):
            _source.check(Kernel("rule", ASKING[spelling].replace("FILE", "/etc/hostname") + END, 0))


@pytest.mark.parametrize("piece", ['\\"', '"', "'", "\\'", "R\"(", "/*", "[", "[]", "\\ ", "#", "1'"])
def test_reading_a_text_takes_steps_in_proportion_to_its_length(piece: str) -> None:
    """Each character is in one token, and a token is found in one look: no place begins a search to the end that comes to nothing."""
    text = '"' + piece * 20_000
    tokens = list(_source._LEXER.finditer(text))
    assert sum(token.end() - token.start() for token in tokens) == len(text)
    assert _source.with_puns(text) == text
    assert len([t for t in tokens if t.lastgroup == "text"]) <= text.count('"') + text.count("'")
    alone = [t.start() for t in tokens if t.lastgroup == "other" and t[0] in "\"'"]
    assert alone == [], "a quote that begins no token has been searched from for nothing"
