"""Where measurements are kept: ``benchmarks/results/<benchmark>.jsonl``, a line for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from geozoo.machine.provenance import device_name, versions

FOLDER = Path(__file__).parent / "results"


def record(benchmark: str, row: Mapping[str, Any], *, device: str = "cpu") -> None:
    """Append a measurement with the day, the device and the versions.

    Args:
        benchmark: name of the module that measures.
        row: what it found.
        device: where it ran, as torch names it.
    """
    FOLDER.mkdir(exist_ok=True)
    day = date.today().isoformat()
    line = {**row, "device": device_name(device), "date": day, "versions": versions()}
    with (FOLDER / f"{benchmark}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
