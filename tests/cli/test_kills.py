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


def kill_again_and_again(pair: str, place: Path, *, kills: int, seconds: float) -> None:
    """Kill a run so many times, in turn while it writes a checkpoint and at a random moment.

    A run that reaches its end before that is compared with the untouched one, and another begins.
    """
    folder, draw, died, attempts = place / "killed", random.Random(pair), 0, 0
    while died < kills:
        words = begin_or_resume(pair, folder)
        if attempts % 2:
            status = DyingRun(words, place).kill_within(seconds, draw)
        else:
            # The best and the last checkpoint take turns, each half written and whole.
            die_at, whole = 3 - attempts // 2 % 2, attempts // 4 % 2 == 1
            status = DyingRun(words, place, die_at=die_at, whole=whole).finish()
        assert status in {0, -9}, (place / "log.txt").read_text()[-2000:]
        died, attempts = died + (status == -9), attempts + 1
        if status == 0:
            assert_same_run(place / "whole", folder)
            folder.rename(place / f"ended_{attempts}")
    if DyingRun(begin_or_resume(pair, folder), place).finish() != 0:
        raise AssertionError((place / "log.txt").read_text()[-2000:])


@pytest.mark.thorough
@pytest.mark.parametrize(
    "pair", [pytest.param(name, marks=() if name == QUICK else pytest.mark.slow) for name in PAIRS]
)
def test_a_killed_run_ends_as_the_untouched_one(pair: str, place: Path) -> None:
    start = time.monotonic()
    whole = DyingRun([*command(pair), f"run_dir={place / 'whole'}"], place)
    assert whole.finish() == 0, (place / "log.txt").read_text()[-2000:]
    seconds = time.monotonic() - start
    kills = 3 if pair == QUICK else 10
    kill_again_and_again(pair, place, kills=kills, seconds=seconds)
    assert_same_run(place / "whole", place / "killed")
    left = [path.name for path in (place / "killed" / "checkpoints").iterdir()]
    assert sorted(left) == ["best.ckpt", "last.ckpt"]
    print(f"{pair}: {kills} kills survived")
