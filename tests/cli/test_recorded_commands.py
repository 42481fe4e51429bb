"""The command that is recorded makes the run that was recorded."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from run_comparison import assert_same_run, read_last
from tiny_configs import TINY

from geozoo.cli._arguments import Evaluate
from geozoo.cli._grammar import read
from geozoo.config.arguments import wrong_argument
from geozoo.results.ledger import read_ledger
from geozoo.results.reproduction import commands_of, stages
from geozoo.runs.recording import _check_alike, _results, without_places

Train = Callable[..., int]


def test_every_recorded_command_can_be_run_again() -> None:
    for run in read_ledger():
        for seed in map(int, run.first.seeds.split()):
            train, *later = commands_of(run, seed)
            assert train[0] == "geozoo-train" and f"seed={seed}" in train, run.id
            assert not any(word.startswith("resume=") for word in train), run.id
            for words in later:
                wanted = {"geozoo-train": "resume=<run>", "geozoo-evaluate": "<run>"}[words[0]]
                assert words[1] == wanted and len(words) > 2, run.id


def test_every_recorded_command_is_read_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    """As `geozoo reproduce` starts it: nothing is refused, and no spelling is a former one."""
    for run in read_ledger():
        train, *later = commands_of(run, 0)
        assert wrong_argument([*train[1:], "run_dir=again"]) is None, run.id
        for words in later:
            if words[0] == "geozoo-evaluate":
                read(Evaluate, [*words[1:], "save=true"], "geozoo evaluate")
            else:
                assert wrong_argument(words[1:]) is None, run.id
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("word", ["dataset.path=a; b.xyz", "note=it's; geozoo-train x", "a=; "])
def test_a_word_with_a_semicolon_is_no_command_of_its_own(word: str) -> None:
    command = shlex.join(["geozoo-train", word]) + "; geozoo-train resume=/r/1 trainer.max_epochs=9"
    train, later = stages(without_places(command))
    assert shlex.split(train) == ["geozoo-train", word]
    assert shlex.split(later) == ["geozoo-train", "resume=<run>", "trainer.max_epochs=9"]


STOPPED = (*TINY, "early_stopping_patience=1", "optimizer.lr=0", "trainer.max_epochs=10")


@pytest.mark.thorough
def test_a_run_ended_by_early_stopping_is_not_trained_on(
    geozoo_train: Train, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert geozoo_train(*STOPPED, "run_dir=untouched") == 0
    assert geozoo_train(*STOPPED, "run_dir=continued") == 0
    assert geozoo_train("resume=continued") == 0
    assert "early stopping ended it after epoch 2, so nothing is trained" in caplog.text
    last = read_last(tmp_path / "continued")
    assert last["epoch"] == 1
    # The key under which Lightning's own class keeps its state, and older checkpoints have it.
    assert "EarlyStopping{'monitor': 'val/position_mse', 'mode': 'min'}" in last["callbacks"]
    assert_same_run(tmp_path / "untouched", tmp_path / "continued")
    row = _results_of(tmp_path / "continued")[0]
    assert "resume" not in row.command and "ended after 2 of 10 epochs" in row.checkpoint
    assert geozoo_train("resume=continued", "trainer.max_epochs=12") == 0
    assert read_last(tmp_path / "continued")["epoch"] == 2
    command = _results_of(tmp_path / "continued")[0].command
    assert command.endswith("; geozoo-train 'resume=<run>' trainer.max_epochs=12")


@pytest.mark.thorough
def test_a_run_ended_by_its_time_counts_all_its_epochs(geozoo_train: Train, tmp_path: Path) -> None:
    words = ("trainer.max_epochs=100000", "+trainer.max_time=00:00:00:01")
    assert geozoo_train(*TINY, *words, "run_dir=timed") == 0
    before = _results_of(tmp_path / "timed")[0]
    assert geozoo_train("resume=timed") == 0
    after = _results_of(tmp_path / "timed")[0]
    assert (after.checkpoint, after.value) == (before.checkpoint, before.value)
    done = read_last(tmp_path / "timed")["epoch"] + 1
    assert f"ended after {done} of 100000 epochs" in after.checkpoint


@pytest.mark.thorough
def test_seeds_that_were_continued_otherwise_are_not_averaged(
    geozoo_train: Train, tmp_path: Path
) -> None:
    from geozoo.runs.folder import RunFolder

    folders = [RunFolder(tmp_path / name) for name in ("a", "b")]
    for seed, folder in enumerate(folders):
        words = (*TINY, "trainer.max_epochs=1", f"seed={seed}", f"run_dir={folder.path}")
        assert geozoo_train(*words) == 0
        assert geozoo_train(f"resume={folder.path}") == 0
    _check_alike(folders, [_results(folder) for folder in folders])
    assert geozoo_train(f"resume={folders[1].path}", "trainer.accelerator=auto") == 0
    with pytest.raises(ValueError, match=r"a has nothing, .*b has geozoo-train 'resume=<run>'"):
        _check_alike(folders, [_results(folder) for folder in folders])


def _results_of(folder: Path) -> list:
    from geozoo.runs.folder import RunFolder

    return _results(RunFolder(folder))
