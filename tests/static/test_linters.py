"""The linters' rules hold, those on security among them, and so do the types."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_rules_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", str(ROOT)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


@pytest.mark.thorough
def test_types_hold(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    # pytest's cache, so that a second run checks only what has changed.
    cache = getattr(request.config, "cache", None)
    folder = tmp_path if cache is None else cache.mkdir("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(folder)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def test_rules_on_security_are_on() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in rules["select"]
    assert not {"S102", "S307", "S301", "S506", "S614"} & set(rules["ignore"])
