"""Names available to every doctest without an import."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
import torch

#: Its class inherits from one of i-PI, an extra.
collect_ignore = [] if find_spec("ipi") else ["geozoo/engines/ipi_driver.py"]


@pytest.fixture(autouse=True)
def _names_of_doctests(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace["torch"] = torch
