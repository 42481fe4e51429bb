"""``geozoo reproduce``: a recorded run once more, from its own command."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from geozoo.machine.provenance import commit, device_name
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet
from geozoo.results.ledger import Run, find_run
from geozoo.results.reproduction import Comparison, commands_of, compare, stages, tolerance_of
from geozoo.results.rows import over_seeds, read_results
from geozoo.runs.checkpoints import read_checkpoint
from geozoo.runs.durations import duration
from geozoo.runs.errors import RunError
from geozoo.runs.folder import RunFolder
from geozoo.runs.recording import without_places

#: What a repeated run prints is about the verdict, which alone was asked for.
_STANDARD_ERROR = 2


def reproduce(name: str, runs: Path, screen: Screen, *, dry_run: bool = False) -> bool:
    """Run a record's command for each of its seeds and compare the numbers.

    A run that was interrupted goes on where it was; a finished one is not repeated.

    Args:
        name: id of the record.
        runs: folder of the new run folders.
        screen: where to say what is done.
        dry_run: say what would be done, and do nothing.

    Returns:
        Whether all metrics agree.

    Raises:
        ValueError: for an unknown id.
        RunError: when a command fails.
    """
    run = find_run(name)
    _announce(run, screen.result if dry_run else screen.note)
    if dry_run:
        return True
    seeds = [int(seed) for seed in run.first.seeds.split()]
    folders = [_made(run, seed, runs.absolute(), screen) for seed in seeds]
    tables = [read_results(folder.result) for folder in folders]
    found = [over_seeds(list(rows)) for rows in zip(*tables, strict=True)]
    comparisons = compare(run, found)
    screen.show(_verdict(comparisons))
    agrees = all(comparison.agrees for comparison in comparisons)
    screen.result("reproduced" if agrees else "NOT reproduced", style="bold")
    return agrees


def _announce(run: Run, say: Callable[..., None]) -> None:
    """Say what will run, for how long, and where that was."""
    first = run.first
    seeds = first.seeds.split()
    say(f"{run.id}: {run.label} on {first.dataset} {first.variant}".rstrip(), style="bold")
    say(f"protocol: {first.split}")
    for seed in seeds:
        lines = [shlex.join(words) for words in commands_of(run, int(seed))]
        say("  " + "; ".join(lines))
    here = device_name()
    seconds = (first.wall_time_s or 0.0) * len(seeds)
    length = f"training took {duration(seconds)} in all" if seconds else "no training time recorded"
    say(
        f"{length} on {first.device} "
        f"(torch {first.torch}, commit {first.commit or 'unknown'}, {first.date}); here: {here}, "
        f"commit {commit() or 'unknown'}"
    )
    for row in run.results:
        within = f"to be met within {tolerance_of(row):.2g}"
        say(f"  {row.metric}: {row.value:.5g} {row.unit}, {within}")


def _made(run: Run, seed: int, runs: Path, screen: Screen) -> RunFolder:
    """The run folder of a seed, made or completed now if need be."""
    folder = RunFolder(runs / f"reproduce-{run.id}_seed{seed}")
    train, *later = commands_of(run, seed)
    continued = [words for words in later if words[0] == "geozoo-train"]
    tests = [words for words in later if words not in continued]
    done = _continuations(folder) if continued else 0
    if folder.result.is_file() and (not continued or _is_whole(folder, done == len(continued))):
        screen.note(f"seed {seed}: finished before, in {folder.path}")
        return folder
    if folder.last.is_file():
        begun = _changes(continued[done - 1]) if done else []
        _call(["train", f"resume={folder.path}", *begun], screen)
    else:
        _call(["train", *train[1:], f"run_dir={folder.path}"], screen)
    for words in continued[done:]:
        _call(["train", f"resume={folder.path}", *_changes(words)], screen)
    for test in tests:
        words = [str(folder.path) if word == "<run>" else word for word in test[1:]]
        _call(["evaluate", *words, "save=true"], screen)
    return folder


def _continuations(folder: RunFolder) -> int:
    """How many continuations with changes a run has begun."""
    if not folder.last.is_file():
        return 0
    later = stages(without_places(read_checkpoint(folder.last).record["command"]))[1:]
    return sum(stage.startswith("geozoo-train ") for stage in later)


def _is_whole(folder: RunFolder, is_last: bool) -> bool:
    """Whether the result is that of the last continuation, not of the training before it."""
    return is_last and folder.result.stat().st_mtime >= folder.last.stat().st_mtime


def _changes(words: Sequence[str]) -> list[str]:
    """What the command of a continuation changes."""
    return [word for word in words[1:] if not word.startswith("resume=")]


def _call(words: Sequence[str], screen: Screen) -> None:
    screen.note(f"$ geozoo {shlex.join(words)}", style="dim")
    command = [sys.executable, "-m", "geozoo.cli.main", *words]
    done = subprocess.run(command, check=False, stdout=_STANDARD_ERROR)
    if done.returncode:
        raise RunError(
            f"`geozoo {shlex.join(words)}` ended with {done.returncode}; the same command of "
            "`geozoo reproduce` goes on from its last checkpoint"
        )


def _verdict(comparisons: Sequence[Comparison]) -> Sheet:
    table = Sheet("metric", "recorded", "now", "difference", "tolerance", "verdict")
    for each in comparisons:
        row, difference = each.recorded, each.found - each.recorded.value
        table.add(
            f"{row.metric} {row.unit}", f"{row.value:.5g}", f"{each.found:.5g}",
            f"{difference:+.2g}", f"{each.tolerance:.2g}", "pass" if each.agrees else "FAIL",
        )  # fmt: skip
    return table
