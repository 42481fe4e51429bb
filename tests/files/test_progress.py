"""Progress bars without a terminal and on a narrow one."""

from __future__ import annotations

import io
import sys

import pytest

from geozoo.data import progress_bar

NAME = "Unpacking a_file_whose_name_is_longer_than_a_terminal_is_wide.tar.gz " * 2


def test_a_pipe_gets_whole_lines_without_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(NAME.strip(), 10) as advance:
        advance(10)
    said, about = capsys.readouterr()
    assert said == "" and not set("━╸") & set(about)
    (line,) = about.splitlines()
    assert line.startswith(NAME.strip()) and "100%" in line


def test_a_narrow_terminal_shows_the_whole_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar(NAME.strip(), 10) as advance:
        advance(10)
    assert NAME.strip() in sys.stderr.getvalue() and "100%" in sys.stderr.getvalue()
