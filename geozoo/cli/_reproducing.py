"""``geozoo reproduce``: a recorded run, repeated from its own command."""

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

#: Output of the repeated runs goes to standard error: the result is the verdict alone.
_STANDARD_ERROR = 2


def reproduce(name: str, runs: Path, screen: Screen, *, dry_run: bool = False) -> bool:
    """Run the command of a record for each of its seeds and compare the metrics.

    An interrupted run is resumed; a finished one is not repeated.

    Args:
        name: id of the record.
        runs: folder that holds the new run folders.
        screen: screen that prints the progress.
        dry_run: only print what would be done.

    Returns:
        Whether all metrics agree.

    Raises:
        ValueError: If the id is unknown.
        RunError: If a command fails.
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
    """Print what will run, and how long and where it ran before."""
    first = run.first
    seeds = first.seeds.split()
    say(f"{run.id}: {run.label} on {first.dataset} {first.variant}".rstrip(), style="bold")
    say(f"protocol: {first.split}")
    for seed in seeds:
        lines = [shlex.join(command) for command in commands_of(run, int(seed))]
        say("  " + "; ".join(lines))
    here = device_name()
    seconds = (first.wall_time_s or 0.0) * len(seeds)
    length = (
        f"training took {duration(seconds)} in total" if seconds else "no training time recorded"
    )
    say(
        f"{length} on {first.device} "
        f"(torch {first.torch}, commit {first.commit or 'unknown'}, {first.date}); here: {here}, "
        f"commit {commit() or 'unknown'}"
    )
    for row in run.results:
        within = f"tolerance {tolerance_of(row):.2g}"
        say(f"  {row.metric}: {row.value:.5g} {row.unit}, {within}")


def _made(run: Run, seed: int, runs: Path, screen: Screen) -> RunFolder:
    """The run folder of a seed; missing runs are started, unfinished ones resumed."""
    folder = RunFolder(runs / f"reproduce-{run.id}_seed{seed}")
    train, *later = commands_of(run, seed)
    continued = [command for command in later if command[0] == "geozoo-train"]
    tests = [command for command in later if command not in continued]
    done = _continuations(folder) if continued else 0
    if folder.result.is_file() and (not continued or _is_whole(folder, done == len(continued))):
        screen.note(f"seed {seed}: already finished, in {folder.path}")
        return folder
    if folder.last.is_file():
        begun = _changes(continued[done - 1]) if done else []
        _call(["train", f"resume={folder.path}", *begun], screen)
    else:
        _call(["train", *train[1:], f"run_dir={folder.path}"], screen)
    for command in continued[done:]:
        _call(["train", f"resume={folder.path}", *_changes(command)], screen)
    for test in tests:
        arguments = [str(folder.path) if each == "<run>" else each for each in test[1:]]
        _call(["evaluate", *arguments, "save=true"], screen)
    return folder


def _continuations(folder: RunFolder) -> int:
    """How many continuations with changes a run has started."""
    if not folder.last.is_file():
        return 0
    later = stages(without_places(read_checkpoint(folder.last).record["command"]))[1:]
    return sum(stage.startswith("geozoo-train ") for stage in later)


def _is_whole(folder: RunFolder, is_last: bool) -> bool:
    """Whether the result is that of the last continuation, not of an earlier one."""
    return is_last and folder.result.stat().st_mtime >= folder.last.stat().st_mtime


def _changes(command: Sequence[str]) -> list[str]:
    """The overrides of a continuation."""
    return [each for each in command[1:] if not each.startswith("resume=")]


def _call(arguments: Sequence[str], screen: Screen) -> None:
    screen.note(f"$ geozoo {shlex.join(arguments)}", style="dim")
    command = [sys.executable, "-m", "geozoo.cli.main", *arguments]
    done = subprocess.run(command, check=False, stdout=_STANDARD_ERROR)
    if done.returncode:
        raise RunError(
            f"`geozoo {shlex.join(arguments)}` failed with exit code {done.returncode}; run "
            "`geozoo reproduce` again to resume from the last checkpoint"
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
