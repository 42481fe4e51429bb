"""One HTML file with everything that there is to see of a run; it needs no other file."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from omegaconf import OmegaConf

from geozoo.cli._folder import RunFolder
from geozoo.cli._summary import metric_rows, run_facts, title
from geozoo.cli._training import Outcome

#: Pictures in the order in which they are looked at, with what they show.
_CAPTIONS = {
    "loss.png": "Training loss and validation errors by epoch",
    "parity.png": "Prediction against truth, on the test part",
    "errors.png": "How the errors of the test part are distributed",
    "horizon.png": "Error by time ahead",
    "forecast.png": "Forecast and truth of some sensors",
    "error_map.png": "Where the sensors with the large errors are",
    "confusion.png": "Which class is taken for which",
    "samples.png": "Molecules that the model drew",
    "worst.png": "The worst of the test part, worst first",
}


def write_page(outcome: Outcome) -> Path:
    """Write the page of a finished run into its folder, and return where it is.

    Args:
        outcome: the run, whose pictures lie in its folder.
    """
    environment = Environment(
        loader=PackageLoader("geozoo.cli"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    record = outcome.task.record
    page = environment.get_template("report.html").render(
        title=title(outcome),
        about=record["command"],
        metrics=[_row(*row, outcome=outcome) for row in metric_rows(outcome)],
        facts=run_facts(outcome),
        pictures=_pictures(outcome.folder),
        config=OmegaConf.to_yaml(outcome.cfg, resolve=True),
        versions=json.dumps(record["versions"], indent=2),
    )
    outcome.folder.page.write_text(page, encoding="utf-8")
    return outcome.folder.page


def _row(name: str, test: str, val: str, baseline: str, unit: str, *, outcome: Outcome) -> Any:
    is_chosen = outcome.task.monitor == f"val/{name}"
    return {
        "name": name, "test": test, "val": val, "baseline": baseline, "unit": unit,
        "is_chosen": is_chosen,
    }  # fmt: skip


def _pictures(folder: RunFolder) -> list[dict[str, str]]:
    found = [(folder.path / name, caption) for name, caption in _CAPTIONS.items()]
    return [
        {
            "name": path.stem,
            "caption": caption,
            "content": base64.b64encode(path.read_bytes()).decode("ascii"),
        }
        for path, caption in found
        if path.is_file()
    ]
