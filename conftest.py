"""Names available to every doctest without an import."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
import torch

#: Modules that need a program of an extra when they are imported.
NEEDED = {
    "geozoo/engines/ipi_driver.py": "ipi",
    "geozoo/engines/torch_sim.py": "torch_sim",
    "tests/engines/openmm_samples.py": "openmm",
}
collect_ignore = [path for path, library in NEEDED.items() if find_spec(library) is None]


@pytest.fixture(autouse=True)
def _names_of_doctests(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace["torch"] = torch
