"""The folder of a sweep belongs to one sweep, and to one call at a time."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from geozoo.runs.errors import RunError
from geozoo.sweeps.settings import claim_folder, only_one, write_json


def test_a_folder_keeps_its_settings(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    claim_folder(folder, {"minutes": 1.0, "changes": ["a=1"]})
    claim_folder(folder, {"minutes": 1.0, "changes": ["a=1"]})
    with pytest.raises(RunError, match=r"other settings \(changes: \['a=1'\], now \['a=2'\]\)"):
        claim_folder(folder, {"minutes": 1.0, "changes": ["a=2"]})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(RunError, match="holds other files"):
        claim_folder(tmp_path / "other", {})


def test_one_call_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "running.json"
    write_json(file, {"host": socket.gethostname(), "process": os.getppid()})
    with pytest.raises(RunError, match="is running this sweep"), only_one(tmp_path):
        pass
    write_json(file, {"host": socket.gethostname(), "process": 2**22 + 7})  # ended long ago
    with only_one(tmp_path):
        assert file.is_file()
    assert not file.exists()
