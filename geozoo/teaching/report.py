"""What was distilled, as Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from geozoo.files.folders import atomic_path
from geozoo.teaching.comparison import SetErrors
from geozoo.teaching.references import References
from geozoo.teaching.timing import StepTime


@dataclass(frozen=True)
class Distillation:
    """A student next to its teacher.

    Attributes:
        teacher: name of the teacher.
        student: name of the student's architecture.
        weights: number of weights of teacher and student.
        counts: number of structures of each kind in each part.
        duplicates: near duplicates that were left out.
        close: structures that were left out because two atoms are too close.
        references: origin of the reference energies.
        errors: errors on each held-out set.
        times: times of teacher and student.
        run: run folder of the student.
    """

    teacher: str
    student: str
    weights: tuple[int, int]
    counts: dict[str, dict[str, int]]
    duplicates: int
    close: int
    references: References
    errors: Sequence[SetErrors]
    times: Sequence[StepTime]
    run: Path

    def write(self, folder: Path) -> list[Path]:
        """Write ``distillation.md`` and ``distillation.json``; returns their paths."""
        texts = {"distillation.md": self.markdown(), "distillation.json": self.json()}
        for name, text in texts.items():
            with atomic_path(folder / name) as partial:
                partial.write_text(text, encoding="utf-8")
        return [folder / name for name in texts]

    def json(self) -> str:
        """All numbers as JSON."""
        values: dict[str, Any] = {
            "teacher": self.teacher, "student": self.student, "weights": self.weights,
            "structures": self.counts, "duplicates": self.duplicates, "too_close": self.close,
            "references": self.references._asdict(), "run": str(self.run),
            "errors": [asdict(each) for each in self.errors],
            "times": [asdict(each) for each in self.times],
        }  # fmt: skip
        return json.dumps(values, indent=1) + "\n"

    def markdown(self) -> str:
        """All numbers as a page."""
        head, *rows = self.error_rows()
        lines = [
            f"# {self.student} taught by {self.teacher}", "",
            f"Weights: {self.weights[1]:,} (teacher: {self.weights[0]:,}). Reference energies: "
            f"{self.references.reason}. Run folder: `{self.run}`.", "",
            "| structures | train | val | test |", "|---|---|---|---|",
            *(_row(kind, *map(str, counts.values())) for kind, counts in self.counts.items()), "",
            f"Left out: {self.duplicates} near duplicates, {self.close} with atoms too close. No "
            "trajectory is in two parts, and the given structures are in the test set only.", "",
            "Mean absolute errors against the teacher; in brackets those of the baseline: energies "
            "per element fitted to the training set, zero forces and stress.", "",
            _row(*head), "|" + "---|" * len(head), *(_row(*row) for row in rows), "",
            *(["| potential | CPU time (ms) | elapsed (ms) | atoms |", "|---|---|---|---|"]
              + [_row(*row) for row in self.time_rows()]),
        ]  # fmt: skip
        return "\n".join(lines) + "\n"

    def error_rows(self) -> list[tuple[str, ...]]:
        """A table of errors with those of the baseline in brackets; the first row is its head."""
        has_stress = any(each.stress is not None for each in self.errors)
        stress = ("stress (GPa)",) if has_stress else ()
        rows: list[tuple[str, ...]] = [
            ("held-out set", "structures", "energy (meV/atom)", "force (meV/angstrom)", *stress)
        ]
        for each in self.errors:
            cells = [
                each.name, str(each.structures), _pair(each.energy, each.baseline_energy),
                _pair(each.force, each.baseline_force),
            ]  # fmt: skip
            if has_stress:
                cells.append(_pair(each.stress, each.baseline_stress))
            rows.append(tuple(cells))
        return rows

    def time_rows(self) -> list[tuple[str, ...]]:
        """Time per step of each potential."""
        return [
            (each.name, f"{1e3 * each.cpu:.3g}", f"{1e3 * each.wall:.3g}", str(each.atoms))
            for each in self.times
        ]


def _pair(value: float | None, baseline: float | None) -> str:
    return "-" if value is None or baseline is None else f"{value:.3g} ({baseline:.3g})"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
