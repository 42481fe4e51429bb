"""Commands in a terminal of any width, and in a pipe, without another process."""

from __future__ import annotations

import io
import re
import sys

import pytest

#: What rich writes for bold and dim.
_STYLE = re.compile(r"\x1b\[[\d;]*m")


class Terminal(io.StringIO):
    """A standard output that says of itself that it is a terminal."""

    def isatty(self) -> bool:
        return True


def exit_code(monkeypatch: pytest.MonkeyPatch, width: int, *words: object) -> int:
    """Run ``geozoo`` in this process, for a screen of so many columns; gives the exit code."""
    from geozoo.cli.main import main

    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys, "argv", ["geozoo", *map(str, words)])
    try:
        main()
    except SystemExit as error:
        return int(error.code or 0)
    return 0


def printed(monkeypatch: pytest.MonkeyPatch, width: int | None, *words: str) -> list[str]:
    """The lines that ``geozoo`` writes to the standard output, without their style.

    Args:
        monkeypatch: of the test.
        width: columns of the terminal; None: a pipe.
        words: of the command line.
    """
    from geozoo.cli.main import main

    out = io.StringIO() if width is None else Terminal()
    with monkeypatch.context() as patch:
        patch.setenv("COLUMNS", str(width or 80))
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "argv", ["geozoo", *words])
        main()
    return [_STYLE.sub("", line) for line in out.getvalue().splitlines()]


def are_whole(texts: list[str], lines: list[str]) -> list[str]:
    """Those of some texts that stand on no line as a whole."""
    return [text for text in texts if not any(text in line for line in lines)]
