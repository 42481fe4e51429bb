"""A run that is killed again and again is the run that nobody touched."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from killed_pairs import PAIRS, command
from killed_runs import DyingRun
from run_comparison import assert_same_run

pytest.importorskip("rdkit")
#: In every test run, with a few kills; the others at night.
QUICK = "stid-forecasting"


def begin_or_resume(pair: str, folder: Path) -> list[str]:
    """What a person types after a crash: the run again, or its continuation."""
    if (folder / "checkpoints" / "last.ckpt").is_file():
        return [f"resume={folder}"]
    if folder.is_dir():  # killed before its first checkpoint: nothing to continue
        folder.rename(folder.with_name(f"lost_{time.monotonic_ns()}"))
    return [*command(pair), f"run_dir={folder}"]


def kill_again_and_again(pair: str, place: Path, *, times: int, seconds: float) -> int:
    """Kill during writes of checkpoints and at random moments; return how many kills there were."""
    folder, draw, kills = place / "killed", random.Random(pair), 0
    for number in range(times):
        words = begin_or_resume(pair, folder)
        # The best and the last checkpoint take turns, each half written and whole.
        run = DyingRun(words, place, die_at=3 - number % 2, whole=number % 4 > 1)
        kills += run.finish() == -9
    for _ in range(times):
        run = DyingRun(begin_or_resume(pair, folder), place)
        kills += run.kill_within(seconds, draw) == -9
    assert DyingRun(begin_or_resume(pair, folder), place).finish() == 0, (
        place / "log.txt"
    ).read_text()[-2000:]
    return kills


@pytest.mark.parametrize(
    "pair", [pytest.param(name, marks=() if name == QUICK else pytest.mark.slow) for name in PAIRS]
)
def test_a_killed_run_ends_as_the_untouched_one(pair: str, place: Path) -> None:
    start = time.monotonic()
    whole = DyingRun([*command(pair), f"run_dir={place / 'whole'}"], place)
    assert whole.finish() == 0, (place / "log.txt").read_text()[-2000:]
    seconds = time.monotonic() - start
    times = 2 if pair == QUICK else 5
    kills = kill_again_and_again(pair, place, times=times, seconds=seconds)
    assert kills >= times
    assert_same_run(place / "whole", place / "killed")
    left = [path.name for path in (place / "killed" / "checkpoints").iterdir()]
    assert sorted(left) == ["best.ckpt", "last.ckpt"]
    print(f"{pair}: {kills} kills survived")
