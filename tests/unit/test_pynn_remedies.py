"""Errors of the PyNN front end end with what to do: a last sentence, or a last clause after a semicolon, that begins with a verb.

Left out are ``AttributeError`` and ``KeyError`` of Python's own protocols, and PyNN's ``NonExistentParameterError``, which lists all names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import neckar.network._background
import pynn_brainscales.brainscales2
from dlens_vx_v3.lola import _morphology

FOLDER = Path(pynn_brainscales.brainscales2.__file__).parent
HANDED_ON = (_morphology.__file__, neckar.network._background.__file__)
"""Further files, whose texts the front end repeats."""
VERBS = (
    *("add", "ask", "call", "change", "choose", "close", "compare", "connect", "convert", "correct", "count", "create", "derive", "divide", "exchange"),
    *("fill", "give", "install", "join", "keep", "leave", "lower", "make", "move", "name", "open", "put", "record", "remove", "schedule", "set", "shift"),
    *("shorten", "take", "use", "wait", "write"),
)
OTHERWISE = ("allowed are", "it has", "it knows", "it records", "there are")
"""How messages about unknown names end: the nearest one, then all."""


def spoken(node: ast.expr, known: Mapping[str, str]) -> str:
    """Return a text; local names stand for what they hold as far as it is known, {} for other values."""
    match node:
        case ast.JoinedStr(values=parts):
            return "".join(spoken(part, known) for part in parts)
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=ast.Name(id=name), conversion=-1):
            return known.get(name, "{}")
    return "{}"


def messages() -> Iterator[tuple[str, str]]:
    """Yield where each error is raised with a text of its own, and the text."""
    for path in (*sorted(FOLDER.rglob("*.py")), *map(Path, HANDED_ON)):
        for scope in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(scope, ast.FunctionDef):
                continue
            known: dict[str, str] = {}
            for node in sorted((one for one in ast.walk(scope) if isinstance(one, ast.Assign | ast.Raise)), key=lambda one: one.lineno):
                match node:
                    case ast.Assign(targets=[ast.Name(id=name)], value=value):
                        known[name] = spoken(value, known)
                    case ast.Raise(exc=ast.Call(func=kind, args=[text, *_])) if ast.unparse(kind) != "AttributeError":
                        whole = spoken(text, known)
                        if not whole.endswith("{}"):  # the end comes from elsewhere
                            yield f"{path.name}:{node.lineno}", whole


@pytest.mark.parametrize(("where", "text"), [pytest.param(*found, id=found[0]) for found in messages()])
def test_an_error_says_what_to_do(where: str, text: str) -> None:
    last = re.split(r"[.;] |\{\} (?=[A-Z])", text)[-1].lower()
    last = re.sub(r"^(or |with |in |on |besides )", "", last)
    assert last.startswith((*(f"{verb} " for verb in VERBS), *OTHERWISE)), f"{where}: {text}"
