"""Storage of measurements: ``benchmarks/results/<benchmark>.jsonl``, one line each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from geozoo.machine.provenance import device_name, versions

FOLDER = Path(__file__).parent / "results"
#: Versions and commit of the code that measures: earlier records of this process do not change it.
_VERSIONS = versions()


def record(benchmark: str, row: Mapping[str, Any], *, device: str = "cpu") -> None:
    """Append a measurement with the date, the device and the versions.

    Args:
        benchmark: name of the measuring module.
        row: the measurement.
        device: where it ran, in torch's notation.
    """
    FOLDER.mkdir(exist_ok=True)
    day = date.today().isoformat()
    line = {**row, "device": device_name(device), "date": day, "versions": _VERSIONS}
    with (FOLDER / f"{benchmark}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, default=float) + "\n")
