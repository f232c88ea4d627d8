"""Errors of the PyNN front end end with what to do: a last sentence, or a last clause after a semicolon, that begins with a verb."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pynn_brainscales.brainscales2

FOLDER = Path(pynn_brainscales.brainscales2.__file__).parent
VERBS = (
    *("add", "ask", "call", "change", "choose", "compare", "connect", "convert", "correct", "count", "create", "derive", "divide", "exchange", "fill", "give"),
    *("install", "join", "keep", "leave", "lower", "make", "move", "name", "open", "put", "record", "remove", "schedule", "set", "shift", "shorten", "take"),
    *("use", "wait", "write"),
)
OTHERWISE = ("allowed are", "it has", "it knows", "it records", "there are")
"""How messages about unknown names end: the nearest one, then all."""


def messages() -> Iterator[tuple[str, str]]:
    """Yield where each error is raised with a text of its own, and the text; {} stands for its values."""
    for path in sorted(FOLDER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args and ast.unparse(node.exc.func) != "AttributeError":
                text = node.exc.args[0]
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                whole = "".join(part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "{}" for part in parts)
                if not whole.endswith("{}"):  # the end comes from elsewhere
                    yield f"{path.relative_to(FOLDER)}:{node.lineno}", whole


@pytest.mark.parametrize(("where", "text"), [pytest.param(*found, id=found[0]) for found in messages()])
def test_an_error_says_what_to_do(where: str, text: str) -> None:
    last = re.split(r"[.;] |\{\} (?=[A-Z])", text)[-1].lower()
    last = re.sub(r"^(or |with |in |on |besides )", "", last)
    assert last.startswith((*(f"{verb} " for verb in VERBS), *OTHERWISE)), f"{where}: {text}"
