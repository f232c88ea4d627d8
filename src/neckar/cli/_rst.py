"""Notebooks as text: the code blocks of a reStructuredText file, as upstream's build turns them into cells. Importing this module imports docutils.

A code block without a language, or in ``ipython3`` (also ``ipython``, ``python3``), is a cell. ``.. include::`` is followed. Of ``.. only:: TAGS`` the
content counts if the tags hold: ``jupyter`` always does, ``Solution`` as asked. Blocks of ``:class: test`` are cells that stand after the one they
override, with smaller problem sizes; blocks of ``:class: solution`` belong to the solution. Everything else is text.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import Directive, DirectiveError, directives
from docutils.parsers.rst.directives.misc import Include

from neckar.errors import FileFormatError

_CELL_LANGUAGES = frozenset({"ipython", "ipython3", "python3"})


def sources(path: Path, solution: bool, tests: bool) -> list[str]:
    """Return the source of each code cell.

    Parameters
    ----------
    path : Path
    solution : bool
        With the blocks under ``.. only:: Solution`` and without those under ``not Solution``, or the other way round, as students get it.
    tests : bool
        With the blocks of ``:class: test``.

    Raises
    ------
    FileFormatError
        If an included file is missing or the tags of an ``only`` cannot be read; the text names the place.
    """
    tags = {"jupyter": True, "Solution": solution, "exclude_nmpi": True}
    settings = {
        "report_level": 5,  # Sphinx' own directives and roles are unknown here, and none of them holds cells
        "halt_level": 5,
        "traceback": True,  # let our exceptions pass
        "warning_stream": io.StringIO(),
        "input_encoding": "utf-8",
        "file_insertion_enabled": True,
        "_disable_config": True,
    }
    directives.register_directive("only", _Only)
    directives.register_directive("include", _Include)
    for name in ("todo", "seealso"):
        directives.register_directive(name, _Content)
    try:
        tree = publish_doctree(path.read_text(encoding="utf-8"), source_path=str(path), settings_overrides=settings)
        return list(_cells(tree, tags, solution, tests))
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path} is no text ({error}); allowed is reStructuredText in UTF-8. Check the file.") from None


def _cells(node: nodes.Node, tags: Mapping[str, bool], solution: bool, tests: bool) -> Iterator[str]:
    """Yield the sources below a node, in order."""
    if isinstance(node, nodes.literal_block):
        classes = set(node["classes"])
        is_cell = "code" in classes and (classes & _CELL_LANGUAGES or classes <= {"code", "test", "solution"})
        if is_cell and (tests or "test" not in classes) and (solution or "solution" not in classes) and node.astext().strip():
            yield node.astext()
        return
    if isinstance(node, _only) and not holds(node["tags"], tags):
        return
    for child in node.children:
        yield from _cells(child, tags, solution, tests)


def holds(expression: str, tags: Mapping[str, bool]) -> bool:
    """Return whether an expression of tags with ``and``, ``or``, ``not`` and brackets holds; unknown tags do not."""

    def value(node: Any) -> bool:
        match node:
            case ast.Expression(body=body):
                return value(body)
            case ast.Name(id=name):
                return tags.get(name, False)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not value(operand)
            case ast.BoolOp(op=ast.And(), values=values):
                return all(map(value, values))
            case ast.BoolOp(op=ast.Or(), values=values):
                return any(map(value, values))
        raise ValueError

    try:
        return value(ast.parse(expression.strip(), mode="eval"))
    except (SyntaxError, ValueError):
        raise FileFormatError(
            f"a directive 'only' has the tags {expression!r}; allowed are names joined by and, or, not and brackets. Correct the line."
        ) from None


class _only(nodes.General, nodes.Element):  # docutils names its node classes in lower case
    """Content under a condition."""


class _Content(Directive):
    """A directive of Sphinx of which only the content counts."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[Any] = {"class": directives.class_option}

    def run(self) -> list[nodes.Node]:
        node = self.made()
        self.state.nested_parse(self.content, self.content_offset, node, match_titles=True)
        return [node]

    def made(self) -> nodes.Element:
        """Return the node that takes the content."""
        return nodes.container()


class _Only(_Content):
    """``.. only:: TAGS``"""

    optional_arguments = 0
    required_arguments = 1

    def made(self) -> nodes.Element:
        return _only(tags=self.arguments[0])


class _Include(Include):
    """``.. include:: FILE``, which must exist."""

    def run(self) -> Any:
        try:
            return super().run()
        except DirectiveError as error:
            source = self.state.document.current_source
            raise FileFormatError(f"{source} includes {self.arguments[0]}, which cannot be read: {error.msg}. Check the path.") from None
