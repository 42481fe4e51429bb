"""CPU time of training steps now, next to an earlier commit.

    python -m benchmarks.earlier 1e23d0a~1 "model=ponita dataset=nbody" "model=agcrn dataset=pems08"
    python -m benchmarks.earlier HEAD~10 "model=painn dataset=rmd17" --rounds 9 --record

The words are those of ``train.py``. The earlier commit is checked out into a temporary folder. Both
sides are processes that live as long as the measurement and work in turn (A B A B ...) on the same
batches after a warm-up, with one thread; the figures are CPU times and medians of their ratio in a
round. Losses of the first step are compared, since both begin with the same weights. ``--record``
appends to ``benchmarks/results/earlier.jsonl``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks._record import record
from benchmarks._worker import Worker
from benchmarks.peers._measure import timed

_ROOT = Path(__file__).parents[1]
_STEPS = Path(__file__).with_name("_training_worker.py")


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """The files of a commit in a temporary folder.

    Raises:
        ValueError: If there is no such commit.
    """
    found = _git("rev-parse", "--verify", f"{commit}^{{commit}}")
    with tempfile.TemporaryDirectory() as made:
        packed, folder = Path(made) / "commit.tar", Path(made) / "commit"
        _git("archive", "--output", str(packed), found)
        shutil.unpack_archive(packed, folder, filter="data")
        yield folder


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],  # noqa: S607
        capture_output=True, text=True, check=False, cwd=_ROOT,
    )  # fmt: skip
    if done.returncode:
        raise ValueError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def measure(words: str, earlier: Path, *, rounds: int, threads: int) -> dict[str, Any]:
    """CPU time of both sides and their first losses.

    Args:
        words: of ``train.py``.
        earlier: checkout of the earlier commit.
        rounds: alternating steps that count.
        threads: threads of each operation.
    """
    with ExitStack() as stack:
        sides = {}
        for side, root in (("theirs", earlier), ("ours", _ROOT)):
            worker = Worker([sys.executable, str(_STEPS), *words.split()], root, threads)
            stack.callback(worker.close)
            sides[side] = worker
        losses = {side: worker.ask("loss")["loss"] for side, worker in sides.items()}
        found = timed(sides, rounds)
    for side, loss in losses.items():
        found[side]["loss"] = loss
    found |= {"earlier": found.pop("theirs"), "now": found.pop("ours")}
    return {"words": words, "rounds": rounds, "threads": threads, **found}


def main(arguments: list[str] | None = None) -> None:
    """Measure all words against a commit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("commit")
    parser.add_argument("words", nargs="+", help="of train.py, in quotes: one argument per case")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="keep the figures")
    options = parser.parse_args(arguments)
    commit = _git("rev-parse", "--short", options.commit)
    with checkout(options.commit) as earlier:
        for words in options.words:
            found = measure(words, earlier, rounds=options.rounds, threads=options.threads)
            low, high = found["times_faster_range"]
            before, now = found["earlier"], found["now"]
            sys.stdout.write(
                f"{words}: {found['times_faster']:.2f} times faster than {commit} "
                f"({low:.2f} to {high:.2f}); {1000 * before['cpu_seconds']:.1f} and "
                f"{1000 * now['cpu_seconds']:.1f} ms; losses {before['loss']:.6g} and "
                f"{now['loss']:.6g}\n"
            )
            sys.stdout.flush()
            if options.record:
                record("earlier", {"earlier_commit": commit, **found})


if __name__ == "__main__":
    main()
