"""Fixtures that all tests may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

if "PYTEST_XDIST_WORKER" in os.environ:  # tests run side by side, a core each, and what they start
    torch.set_num_threads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")

#: Warnings that are errors in our own code and cannot be helped in that of others.
_OF_OTHER_LIBRARIES = (
    "ignore:`torch.jit.script` is deprecated:DeprecationWarning",
    r"ignore:`isinstance\(treespec, LeafSpec\)` is deprecated:FutureWarning",
)


def pytest_configure(config: pytest.Config) -> None:
    """Let PyTorch Geometric and Lightning use what torch has deprecated."""
    for ignored in _OF_OTHER_LIBRARIES:
        config.addinivalue_line("filterwarnings", ignored)


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The folder of shared benchmark data and references; tests skip without it."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("GEOZOO_SHARED", beside))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; set GEOZOO_SHARED to their folder")
    return folder
