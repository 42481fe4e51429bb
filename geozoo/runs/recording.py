"""Recording of run folders in the results of a model."""

from __future__ import annotations

import csv
import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from geozoo.config import entries, zoo_folder
from geozoo.results.published import all_published, with_published
from geozoo.results.reproduction import stages
from geozoo.results.rows import (
    Result,
    add_results,
    over_seeds,
    read_results,
)
from geozoo.runs.checkpoints import refuse_ensemble
from geozoo.runs.errors import RunError
from geozoo.runs.folder import RunFolder
from geozoo.runs.metrics_file import read_metrics
from geozoo.runs.result import CUT

#: Maximum number of epochs in a curve file: enough for a plot, small enough for a repository.
_MAX_ROWS = 200
#: Maximum length of a curve's name; with seed and extension below the 255 of file systems.
_MAX_NAME = 230
#: Keys whose value is only a path on one machine.
_PLACES = r"\+*(?:runs|run_dir|dataset\.root)="
#: An absolute path: of a home folder, from the root (but no address of the web), or of Windows.
_PATH = re.compile(r"""(?<![\w./:~-])(?:~|[A-Za-z]:(?=[\\/]))?[\\/](?![/\\])[^,;\]})'"]*"""
                   r"""|(?<=:)/(?!/)[^,;\]})'"]*""")  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """The files that recording has written.

    Attributes:
        path: the results file.
        rows: the rows, one per metric.
        curves: the curve files.
    """

    path: Path
    rows: Sequence[Result]
    curves: Sequence[Path]


def record_runs(runs: Sequence[Path], *, force: bool = False) -> Recorded:
    """Append runs to ``models/<model>/results.csv``, with a curve for each.

    Args:
        runs: run folders that differ only in the seed.
        force: accept runs of uncommitted code.

    Raises:
        ValueError: If a folder has no result or one of a partial test set, its model is not in the
            zoo, its code is not committed, or the runs differ in more than the seed.
        RunError: If geozoo is an installed package rather than a checkout.
    """
    check_checkout()
    for run in runs:
        refuse_ensemble(str(run))
    folders = [RunFolder(run) for run in runs]
    tables = [_results(folder) for folder in folders]
    _check_alike(folders, tables)
    if not force:
        _check_commits(folders, tables)
    home = _model_folder(folders[0])
    published = all_published()
    by_metric = zip(*tables, strict=True)
    rows = [with_published(over_seeds(list(row)), home.name, published) for row in by_metric]
    curves = [
        _write_curve(folder, table[0], home) for folder, table in zip(folders, tables, strict=True)
    ]
    rows = [replace(row, curve=" ".join(curves)) for row in rows]
    add_results(home / "results.csv", rows)
    return Recorded(home / "results.csv", rows, [home / name for name in curves if name])


def _check_commits(folders: Sequence[RunFolder], tables: Sequence[Sequence[Result]]) -> None:
    """Check that the code of every run is committed."""
    for folder, rows in zip(folders, tables, strict=True):
        commit = rows[0].commit
        if not commit or commit.endswith("-dirty"):
            raise ValueError(
                f"{folder.path} is a run of uncommitted code (commit {commit!r}), so its results "
                "cannot be reproduced: commit and rerun it, or accept it with geozoo record ... "
                "force=true"
            )


def _check_alike(folders: Sequence[RunFolder], tables: Sequence[Sequence[Result]]) -> None:
    """Check that continuations and tests are the same for all seeds."""
    later = [stages(rows[0].command)[1:] for rows in tables]
    for folder, own in zip(folders, later, strict=True):
        if own != later[0]:
            names = ["; ".join(each) or "nothing" for each in (later[0], own)]
            raise ValueError(
                "runs to be averaged must have the same continuations and tests, since one command "
                f"is recorded for all: after its training {folders[0].path} has {names[0]}, "
                f"{folder.path} has {names[1]}"
            )


def _results(folder: RunFolder) -> list[Result]:
    rows = read_results(folder.result)
    if not rows:
        raise ValueError(f"{folder.path} has no result.csv: the run is not finished or not tested")
    cut = rows[0].checkpoint.partition(CUT)[2]
    if cut:
        raise ValueError(
            f"{folder.path} was tested on only {cut} (trainer.limit_test_batches): such results "
            "are not recorded. Test it on all of them: geozoo evaluate "
            f"{shlex.quote(str(folder.path))} save=true trainer.limit_test_batches=1.0"
        )
    return [public(row) for row in rows]


def _model_folder(folder: RunFolder) -> Path:
    name = folder.read_info()["choices"]["model"]
    for entry in entries("model"):
        if entry.name == name:
            return entry.folder
    raise ValueError(f"{folder.path} is a run of {name!r}, which is not a model of the zoo")


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


#: Keys of the recipe that only change what is shown.
_SHOWN = r"trainer\.enable_(?:progress_bar|model_summary)"


def _short(name: str) -> str:
    """A name short enough for file systems: a long name is cut and ends with a hash."""
    if len(name) <= _MAX_NAME:
        return name
    digits = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{name[: _MAX_NAME - 7]}_{digits}"


def public(row: Result) -> Result:
    """A result without machine-specific folders in its command and recipe.

    Words of the recipe that only change what is shown, which older runs kept, are left out.
    """
    recipe = re.sub(rf", {_SHOWN}=\w+", "", row.recipe)
    return replace(row, command=without_places(row.command), recipe=_without_folders(recipe))


def without_places(command: str) -> str:
    """A command without machine-specific folders, which do not affect the results.

    Keys that only give a path are left out; of every other absolute path the file name remains.
    A continuation keeps its overrides, and ``<run>`` stands for the run folder. A continuation
    without overrides does not affect the results and is left out.

    >>> without_places("geozoo-train seed=1 runs=/data/runs; geozoo-evaluate '<run>'")
    "geozoo-train seed=1; geozoo-evaluate '<run>'"
    >>> without_places("geozoo-train 'dataset.path=/home/my name/f.xyz' init_from=~/runs/first")
    'geozoo-train dataset.path=f.xyz init_from=first'
    >>> without_places("geozoo-train; geozoo-train resume=/r/1; geozoo-train resume=/r/1 seed=1")
    "geozoo-train; geozoo-train 'resume=<run>' seed=1"
    """
    kept = [_stage_without_places(stage) for stage in stages(command)]
    return "; ".join(stage for stage in kept if stage != "geozoo-train 'resume=<run>'")


def _stage_without_places(stage: str) -> str:
    try:
        words = shlex.split(stage)
    except ValueError:  # an unmatched quote, which no shell would accept
        return _without_folders(re.sub(rf" {_PLACES}[^\s;]+", "", stage))
    kept = [word for word in words if not re.match(_PLACES, word)]
    return shlex.join(
        "resume=<run>" if word.startswith("resume=") else _without_folders(word) for word in kept
    )


def _without_folders(text: str) -> str:
    """The text with every absolute path, alone or in a list, replaced by its file name.

    >>> _without_folders("x, dataset.paths=[/a/b c/d.xyz,~/e.xyz], mirror=https://host/f, unit=a/b")
    'x, dataset.paths=[d.xyz,e.xyz], mirror=https://host/f, unit=a/b'
    """
    return _PATH.sub(lambda found: re.split(r"[/\\]", found[0].rstrip("/\\"))[-1], text)


def check_checkout() -> None:
    """Check that results and cards belong to a checkout.

    Raises:
        RunError: If geozoo is an installed package.
    """
    home = zoo_folder()
    if home.name == "_zoo" or {"site-packages", "dist-packages"} & set(home.parts):
        raise RunError(
            f"results are recorded in a checkout of geozoo; this one is installed in {home}. "
            "Clone the repository and install it with: pip install -e ."
        )


def _shown(row: dict[str, str]) -> list[str]:
    validated = [name for name in row if name.startswith("val/")]
    return ["train/loss", *sorted(validated)]
