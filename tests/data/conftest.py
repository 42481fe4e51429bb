"""Fixtures for `tests/data`: isolated data folders and official file layouts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's data and from the network."""
    monkeypatch.setenv("GEOZOO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GEOZOO_OFFLINE", "1")


@pytest.fixture(scope="session")
def official_data(shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared N-body and rMD17 data in the layout of the official files."""
    root = tmp_path_factory.mktemp("official")
    tool = shared_folder / "tools" / "official_layouts.py"
    command = [sys.executable, str(tool), "--out", str(root), "nbody", "rmd17"]
    subprocess.run(command, check=True, capture_output=True)
    return root
