"""The comparison with an earlier commit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import earlier
from benchmarks._worker import Worker

ROOT = Path(__file__).parents[2]


def test_a_commit_is_checked_out() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a repository")
    with earlier.checkout("HEAD") as folder:
        assert (folder / "geozoo" / "__init__.py").is_file()
    assert not folder.exists()
    with pytest.raises(ValueError, match="no-such-commit"), earlier.checkout("no-such-commit"):
        pass


def test_a_worker_that_ends_says_why() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such thing')"]
    with pytest.raises(RuntimeError, match="no such thing"):
        Worker(command, ROOT, 1)


@pytest.mark.slow
def test_both_sides_begin_with_the_same_loss() -> None:
    words = "model=egnn dataset=chirality dataset.num_train=200 model.hidden_channels=4"
    found = earlier.measure(words, ROOT, rounds=1, threads=1)
    assert found["earlier"]["loss"] == found["now"]["loss"]
    assert found["times_faster"] > 0
    assert found["times_faster_wall"] > 0


def test_words_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        earlier.main(["HEAD"])
    assert "words" in capsys.readouterr().err


def test_the_worker_is_run_by_its_path() -> None:
    source = (ROOT / "benchmarks" / "_training_worker.py").read_text(encoding="utf-8")
    assert "from benchmarks" not in source
    command = [sys.executable, str(earlier._STEPS), "model=no_such_model"]
    done = subprocess.run(command, capture_output=True, check=False, text=True, cwd=ROOT)
    assert done.returncode != 0
    assert "no_such_model" in done.stderr
