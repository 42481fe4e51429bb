"""One HTML file with everything that there is to see of a run; it needs no other file."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from omegaconf import OmegaConf

from geozoo.report.literature import Literature, literature
from geozoo.report.panels import split_panels
from geozoo.report.summary import metric_rows, run_facts, title
from geozoo.report.usage import usage
from geozoo.runs.folder import RunFolder
from geozoo.runs.outcome import RunOutcome

#: Pictures in the order in which they are looked at, with what they show.
_CAPTIONS = {
    "loss.png": "Training loss and validation errors by epoch, counted from 1",
    "parity.png": "Prediction against target, on the test part",
    "errors.png": "How the errors of the test part are distributed",
    "horizon.png": "Error by time ahead",
    "forecast.png": "Forecast and target of some sensors",
    "error_map.png": "Where the sensors with the large errors are",
    "confusion.png": "Which class is predicted as which",
    "samples.png": "Molecules that the model drew",
    "worst.png": "The largest errors of the test part, largest first",
}


def write_page(outcome: RunOutcome) -> Path:
    """Write the page of a finished run into its folder, and return where it is.

    Args:
        outcome: the run, whose pictures lie in its folder.
    """
    environment = Environment(
        loader=PackageLoader("geozoo.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    record, published = outcome.task.record, literature(outcome)
    assert outcome.folder is not None
    folder = str(outcome.folder.path.absolute())
    page = environment.get_template("report.html").render(
        title=title(outcome),
        about=record["command"],
        metrics=[_row(*row, outcome, published) for row in metric_rows(outcome)],
        chosen_by=outcome.task.monitor,
        published=published,
        facts=[*_when_and_where(folder, outcome), *run_facts(outcome)],
        usage=usage(outcome.task, folder, is_tested=bool(outcome.tested.metrics)),
        pictures=_pictures(outcome.folder),
        config=OmegaConf.to_yaml(outcome.cfg, resolve=True),
        versions=json.dumps(record["versions"], indent=2),
    )
    outcome.folder.page.write_text(page, encoding="utf-8")
    return outcome.folder.page


def _when_and_where(folder: str, outcome: RunOutcome) -> list[tuple[str, str]]:
    """The time of this page, which is that of the test if there was one, and the run folder."""
    end = "test" if outcome.tested.metrics else "training"
    now = datetime.now().astimezone()
    return [
        ("date", now.strftime("%Y-%m-%d %H:%M %Z").strip() + f", end of the {end}"),
        ("folder", folder),
    ]


def _row(
    name: str, test: str, val: str, baseline: str, unit: str, outcome: RunOutcome,
    published: Literature,
) -> dict[str, Any]:  # fmt: skip
    return {
        "name": name, "test": test, "val": val, "baseline": baseline, "unit": unit,
        "published": published.values.get(name, ""),
        "is_chosen": outcome.task.monitor == f"val/{name}",
    }  # fmt: skip


def _pictures(folder: RunFolder) -> list[dict[str, Any]]:
    """Every picture that there is, with its panels one by one."""
    found = [(folder.path / name, caption) for name, caption in _CAPTIONS.items()]
    return [
        {
            "name": path.stem,
            "caption": caption,
            "panels": [
                {"title": title, "content": base64.b64encode(content).decode("ascii")}
                for title, content in split_panels(path)
            ],
        }
        for path, caption in found
        if path.is_file()
    ]
