"""Fixtures for `tests/files`."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's data and from the network."""
    monkeypatch.setenv("GEOZOO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GEOZOO_OFFLINE", "1")
