"""A self-contained HTML report of a run."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from omegaconf import OmegaConf

from geozoo.figures import Figure, split_panels
from geozoo.report.literature import Literature, literature
from geozoo.report.summary import metric_rows, part_rows, run_facts, title
from geozoo.report.usage import usage
from geozoo.runs.outcome import RunOutcome


def write_page(outcome: RunOutcome, figures: Sequence[Figure]) -> Path:
    """Write the page of a finished run into its folder, and return its path.

    Args:
        outcome: the run.
        figures: the figures in its folder, in the order of the page.
    """
    record, published = outcome.task.record, literature(outcome)
    assert outcome.folder is not None
    folder = str(outcome.folder.path.absolute())
    page = template("report.html").render(
        title=title(outcome),
        about=record["command"],
        metrics=[_row(*row, outcome, published) for row in metric_rows(outcome)],
        parts=part_rows(outcome),
        chosen_by=outcome.task.monitor,
        published=published,
        facts=[*_when_and_where(folder, outcome), *run_facts(outcome)],
        usage=usage(outcome.task, folder, is_tested=outcome.is_tested),
        pictures=pictures(outcome.folder.path, figures),
        config=OmegaConf.to_yaml(outcome.cfg, resolve=True),
        versions=json.dumps(record["versions"], indent=2),
    )
    outcome.folder.page.write_text(page, encoding="utf-8")
    return outcome.folder.page


def template(name: str) -> Template:
    """A template of this package."""
    environment = Environment(
        loader=PackageLoader("geozoo.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(name)


def _when_and_where(folder: str, outcome: RunOutcome) -> list[tuple[str, str]]:
    """The time of the page (end of the test, or of training without a test), and the run folder."""
    end = "test" if outcome.is_tested else "training"
    now = datetime.now().astimezone()
    return [
        ("date", now.strftime("%Y-%m-%d %H:%M %Z").strip() + f", end of the {end}"),
        ("folder", folder),
    ]


def _row(
    name: str, test: str, val: str, baseline: str, unit: str, outcome: RunOutcome,
    published: Literature,
) -> dict[str, Any]:  # fmt: skip
    units = outcome.task.metric_units()
    return {
        "name": name, "test": test, "val": val, "baseline": baseline, "unit": unit,
        # A second row of a metric has another unit than publications.
        "published": published.values.get(name, "") if unit == units[name] else "",
        "is_chosen": outcome.task.monitor == f"val/{name}",
    }  # fmt: skip


def pictures(folder: Path, figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """All figures for a template, each split into its panels."""
    return [
        {
            "name": figure.name,
            "caption": figure.caption,
            "panels": [
                {"title": title, "content": base64.b64encode(content).decode("ascii")}
                for title, content in split_panels(folder / figure.file_name)
            ],
        }
        for figure in figures
    ]
