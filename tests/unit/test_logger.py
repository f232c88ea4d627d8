"""Loggers of the front ends (upstream's pylogging)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlens_vx_v3 import logger
from dlens_vx_v3.logger import LogLevel
from neckar.errors import ConfigurationError, UnknownNameError

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Start and end without outputs."""
    logger.reset()
    yield
    logger.reset()


def printed(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """Return the words of each line on the standard output."""
    return [line.split() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("least", LEVELS)
def test_a_level_passes_itself_and_what_is_worse(least: str, capsys: pytest.CaptureFixture[str]) -> None:
    logger.default_config(level=LogLevel[least], date_format="NULL")
    log = logger.get("levels")
    for name in LEVELS:
        getattr(log, name)(name)
        getattr(log, name.lower())(name)
    expected = [[name, "levels", name] for name in LEVELS[LEVELS.index(least) :] for _ in range(2)]
    assert printed(capsys) == expected


def test_several_objects_are_joined(capsys: pytest.CaptureFixture[str]) -> None:
    logger.default_config(level=LogLevel.INFO, date_format="NULL")
    logger.get("several").info("neuron", 3, "of", [1, 2], "100 %d")
    assert printed(capsys) == [["INFO", "several", "neuron", "3", "of", "[1,", "2]", "100", "%d"]]


def test_what_does_not_pass_is_not_formatted() -> None:
    formatted = []

    class Costly:
        def __str__(self) -> str:
            formatted.append(self)
            return "costly"

    logger.default_config(level=LogLevel.WARN)
    logger.get("costly").INFO(Costly())
    assert not formatted
    logger.get("costly").WARN(Costly())
    assert len(formatted) == 1


def test_a_logger_has_the_level_of_the_one_above_until_it_gets_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    logger.default_config(level=LogLevel.ERROR, date_format="NULL")
    logger.set_loglevel(logger.get("calix"), LogLevel.DEBUG)
    logger.get("calix.common").DEBUG("below")
    logger.get("hxcomm").DEBUG("beside")
    logger.set_loglevel(logger.get("calix.common"), "warn")
    logger.get("calix.common").DEBUG("no more")
    assert printed(capsys) == [["DEBUG", "calix.common", "below"]]


def test_appenders_are_counted_and_removed() -> None:
    assert logger.get_root().get_number_of_appenders() == 0
    logger.default_config(level=LogLevel.INFO)
    logger.default_config(level=LogLevel.INFO)
    assert logger.get_root().get_number_of_appenders() == 1
    logger.append_to_cout(logger.get("own"))
    assert logger.get("own").get_number_of_appenders() == 1
    logger.reset()
    assert logger.get_root().get_number_of_appenders() == 0
    assert logger.get("own").get_number_of_appenders() == 0


def test_the_same_name_is_the_same_logger() -> None:
    assert logger.get("one") is logger.get("one")
    assert logger.get("") is logger.get_root()


def test_files_get_the_messages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logger.default_config(level=LogLevel.INFO, fname=tmp_path / "log.txt", date_format="ISO8601", print_location=True)
    logger.get("file").INFO("written")
    assert printed(capsys) == []
    text = (tmp_path / "log.txt").read_text()
    assert "test_files_get_the_messages in test_logger.py" in text
    assert text.rstrip().endswith("written")
    logger.default_config(level=LogLevel.INFO, fname=tmp_path / "log.txt", dual=True)
    logger.get("file").INFO("both")
    assert len(printed(capsys)) == 1
    assert "both" in (tmp_path / "log.txt").read_text()


def test_other_packages_keep_their_levels() -> None:
    before = logging.getLogger("numba").getEffectiveLevel(), logging.getLogger().level, list(logging.getLogger().handlers)
    logger.default_config(level=LogLevel.TRACE)
    assert (logging.getLogger("numba").getEffectiveLevel(), logging.getLogger().level, list(logging.getLogger().handlers)) == before


def test_the_standard_library_sees_messages_without_an_appender(caplog: pytest.LogCaptureFixture) -> None:
    logger.get("seen").WARN("once")
    assert [record.getMessage() for record in caplog.records] == ["once"]
    logger.default_config(level=LogLevel.WARN)
    logger.get("seen").WARN("not twice")
    assert len(caplog.records) == 1


def test_mistakes_are_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean WARN"):
        logger.set_loglevel(logger.get("x"), "WARNN")
    with pytest.raises(UnknownNameError, match="no log level"):
        logger.default_config(level=7)
    with pytest.raises(UnknownNameError, match="date_format"):
        logger.default_config(date_format="ABSOLUT")
    with pytest.raises(ConfigurationError, match="is no logger"):
        logger.set_loglevel(logging.getLogger("x"), LogLevel.INFO)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="allowed is a name"):
        logger.get(3)  # type: ignore[arg-type]
