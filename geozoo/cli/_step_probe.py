"""Measures the cost of a run per step; a process of its own for `geozoo.cli._comparing`."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Literal, cast

from geozoo.cli._console import configure_logging
from geozoo.cli._errors import errors_shown
from geozoo.report.screen import Screen
from geozoo.runs.prepare import compose_run
from geozoo.runs.probe import measure_steps


def main(out: str, seconds: str, clock: str, *words: str) -> None:
    """Write the measured `geozoo.runs.probe.StepTime` to a JSON file.

    Args:
        out: the file; a folder next to it is used and removed.
        seconds: time to spend.
        clock: ``auto``, ``cpu`` or ``wall``.
        words: arguments of ``geozoo train``.
    """
    configure_logging(Screen())
    with errors_shown("geozoo train"):
        path = Path(out)
        folder = path.with_suffix(".run")
        shutil.rmtree(folder, ignore_errors=True)
        cfg, invocation = compose_run(words, folder)
        chosen = cast(Literal["auto", "cpu", "wall"], clock)
        found = measure_steps(
            cfg, folder, invocation=invocation, seconds=float(seconds), clock=chosen
        )
        path.write_text(json.dumps(found.to_dict(), indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
