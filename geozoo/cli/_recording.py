"""From run folders to the results of a model."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from geozoo.cli._folder import RunFolder
from geozoo.cli._metrics_file import read_metrics
from geozoo.cli._result import CUT
from geozoo.zoo import entries
from geozoo.zoo.published import all_published, with_published
from geozoo.zoo.results import (
    Result,
    add_results,
    over_seeds,
    read_results,
)

#: Words of a command that name a folder, quoted as a shell needs it.
_PLACE, _CONTINUED = (
    re.compile(rf" (?:'(?:{keys})=[^']*'|(?:{keys})=(?:'[^']*'|[^\s;]+))")
    for keys in (r"runs|run_dir|dataset\.root", "resume")
)
#: Epochs in a curve file at most; enough for a picture, small enough for a repository.
_MAX_ROWS = 200
#: Characters of a curve's name at most; with seed and ending below the 255 of file systems.
_MAX_NAME = 230


def record_runs(runs: Sequence[Path]) -> Path:
    """Append runs to ``models/<model>/results.csv``, with a curve for each.

    Args:
        runs: run folders that differ in the seed alone.

    Returns:
        The results file.

    Raises:
        ValueError: when a folder holds no result or that of a part of the test part, its model is
            not in the zoo, or the runs do not belong together.
    """
    folders = [RunFolder(run) for run in runs]
    tables = [_results(folder) for folder in folders]
    home = _model_folder(folders[0])
    published = all_published()
    by_metric = zip(*tables, strict=True)
    rows = [with_published(over_seeds(list(row)), home.name, published) for row in by_metric]
    curves = [
        _write_curve(folder, table[0], home) for folder, table in zip(folders, tables, strict=True)
    ]
    rows = [
        replace(row, curve=" ".join(curves), command=without_places(row.command)) for row in rows
    ]
    add_results(home / "results.csv", rows)
    return home / "results.csv"


def _results(folder: RunFolder) -> list[Result]:
    rows = read_results(folder.result)
    if not rows:
        raise ValueError(
            f"{folder.path} holds no result.csv: the run is not finished or not tested"
        )
    cut = rows[0].checkpoint.partition(CUT)[2]
    if cut:
        raise ValueError(
            f"{folder.path} was tested on {cut} alone (trainer.limit_test_batches): such numbers "
            "are not recorded. Test it on all of them: geozoo evaluate --save "
            f"{folder.path} trainer.limit_test_batches=1.0"
        )
    return rows


def _model_folder(folder: RunFolder) -> Path:
    name = folder.read_info()["choices"]["model"]
    for entry in entries("model"):
        if entry.name == name:
            return entry.folder
    raise ValueError(f"{folder.path} is a run of {name!r}, which is no model of the zoo")


def _write_curve(folder: RunFolder, row: Result, home: Path) -> str:
    """Write training loss and validation metrics by epoch; the file's name from ``home``."""
    words = _short(re.sub(r"[^\w.=-]+", "_", f"{row.recipe}_{row.variant}"))
    path = home / "curves" / f"{words}_seed{row.seeds}.csv"
    rows = [line for line in read_metrics(folder) if any(line.get(name) for name in _shown(line))]
    if not rows:
        return ""
    step = -(-len(rows) // _MAX_ROWS)
    kept = rows[::-step][::-1]  # with the last epoch
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        names = ["epoch", *_shown(rows[0])]
        writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
    return path.relative_to(home).as_posix()


def _short(name: str) -> str:
    """A name that file systems take: a long one ends in digits that tell it from its like."""
    if len(name) <= _MAX_NAME:
        return name
    digits = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{name[: _MAX_NAME - 7]}_{digits}"


def without_places(command: str) -> str:
    """A command without the folders of one machine, which change no number.

    A continuation keeps its changes, and ``<run>`` stands for the folder; one without changes, of
    a run that was interrupted, leaves no trace in the numbers and none here.

    >>> without_places("geozoo-train seed=1 runs=/data/runs; geozoo-evaluate '<run>'")
    "geozoo-train seed=1; geozoo-evaluate '<run>'"
    >>> without_places("geozoo-train; geozoo-train resume=/r/1; geozoo-train resume=/r/1 seed=1")
    "geozoo-train; geozoo-train 'resume=<run>' seed=1"
    """
    command = _PLACE.sub("", command)
    command = _CONTINUED.sub(" 'resume=<run>'", command)
    return re.sub(r"; geozoo-train 'resume=<run>'(?=;|$)", "", command)


def _shown(row: dict[str, str]) -> list[str]:
    validated = [name for name in row if name.startswith("val/")]
    return ["train/loss", *sorted(validated)]
