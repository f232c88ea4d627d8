"""What a page shows is what its code prints: code and commands of the pages are run from top to bottom, in a folder of their own."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from neckar.cli import app

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    "explanation/coming_from_the_real_platform.md": 1,
    "how-to/choose_settings.md": 1,
    "how-to/many_chips.md": 3,
    "how-to/record_any_voltage.md": 3,
    "how-to/repeat_a_run.md": 2,
    "how-to/switch_imperfections.md": 3,
    "how-to/write_a_plasticity_rule_in_python.md": 2,
    "how-to/write_a_program.md": 7,
    "tutorials/first_neuron.md": 8,
}
"""Pages whose code needs nothing but itself and the tutorial's script, and how many outputs they show."""

_PART = re.compile(r"^```(?P<kind>python|text)\n(?P<body>(?s:.*?))^```|^    (?:\.venv/bin/)?neckar (?P<command>.*)$", re.MULTILINE)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def parts(page: str) -> Iterator[tuple[str, str, bool]]:
    """Yield kind ("python", "text" or "command") and content of each part of a page, and whether the reader is told to save it."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for match in _PART.finditer(text):
        kind = match["kind"] or "command"
        is_saved = text[: match.start()].rstrip().rsplit("\n", 1)[-1].startswith("Save this as ")
        yield kind, match["body"] or match["command"].split("  #")[0], is_saved


def value(number: str) -> tuple[float, float]:
    """Return a printed number, and one unit of its last digit."""
    plain = number.replace(",", "")
    return float(plain), 10.0 ** -len(plain.partition(".")[2])


def agree(said: str, printed: str) -> bool:
    """Whether lines are alike but for spaces, the last digit of numbers, or a hundredth of them: another processor may round otherwise."""
    if "".join(_NUMBER.sub("#", said).split()) != "".join(_NUMBER.sub("#", printed).split()):
        return False
    pairs = zip(map(value, _NUMBER.findall(said)), map(value, _NUMBER.findall(printed)), strict=True)
    return all(abs(a - b) <= max(1.01 * unit, 0.01 * abs(a)) for (a, unit), (b, _) in pairs)


def shows(printed: str, said: str) -> bool:
    """Whether all lines that a page shows were printed."""
    return all(any(agree(line, other) for other in printed.splitlines()) for line in said.splitlines())


def run_command(command: str) -> str | None:
    """Return what a command prints; None if it is about a file of the reader's own."""
    words = shlex.split(command)
    files = [word for word, before in zip(words[1:], words, strict=False) if re.search(r"\.(py|h5)$", word) and before != "--record"]
    if words[0] not in ("run", "replay") or not files or not all(Path(file).exists() for file in files):
        return None
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
@pytest.mark.parametrize(("page", "outputs"), PAGES.items())
def test_a_page_shows_what_its_code_prints(page: str, outputs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ.copy())  # a page may set variables
    tutorial = next(body for _, body, is_saved in parts("tutorials/first_neuron.md") if is_saved)
    for name in ("first_neuron.py", "script.py"):
        Path(name).write_text(tutorial, encoding="utf-8")
    names: dict[str, object] = {}
    printed: list[str] = []
    compared = 0
    for kind, content, is_saved in parts(page):
        if kind == "python" and not is_saved:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(content, page, "exec"), names)
            printed.append(out.getvalue())
        elif kind == "command" and (answer := run_command(content)) is not None:
            printed.append(answer)
        elif kind == "text" and printed:
            assert any(shows(one, content) for one in printed), f"{page} shows\n{content}\nprinted was\n" + "\n".join(printed)
            compared += 1
    assert compared == outputs
