"""A self-contained HTML page of a simulation or a sweep: results, figures, settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from geozoo.figures import Figure
from geozoo.report.page import pictures, template
from geozoo.report.sheet import Sheet


@dataclass(frozen=True)
class SimulationPage:
    """The contents of a page.

    Attributes:
        title: heading.
        command: the command line.
        results: a table.
        facts: settings by name.
        versions: versions of the software.
        figures: figures; they are drawn into the folder of the page.
        warnings: what the reader should know first.
        answer: the result in words; empty: only the table.
    """

    title: str
    command: str
    results: Sheet
    facts: Mapping[str, str]
    versions: Mapping[str, str]
    figures: Sequence[Figure] = ()
    warnings: Sequence[str] = ()
    answer: str = ""

    def write(self, folder: Path) -> Path:
        """Draw the figures and write ``report.html`` into a folder; returns its path."""
        for figure in self.figures:
            figure.draw(folder / figure.file_name)
        page = template("simulation.html").render(
            title=self.title, command=self.command, answer=self.answer,
            warnings=self.warnings,
            head=[column.name for column in self.results.columns], rows=self.results.rows,
            pictures=pictures(folder, self.figures), facts=list(self.facts.items()),
            versions=json.dumps(dict(self.versions), indent=2),
        )  # fmt: skip
        path = folder / "report.html"
        path.write_text(page, encoding="utf-8")
        return path
