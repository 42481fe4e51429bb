"""Too little memory or disk is said, with what helps, and nothing is lost."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from run_comparison import read_last
from tiny_configs import TINY

Train = Callable[..., int]


@pytest.fixture
def fails_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, BaseException], None]:
    """Let the training step of an epoch raise something."""
    from geozoo.tasks import GraphTask

    whole = GraphTask.training_step

    def arm(epoch: int, error: BaseException) -> None:
        def failing(self: GraphTask, graphs: Any, batch_idx: int) -> torch.Tensor:
            if self.current_epoch == epoch:
                raise error
            return whole(self, graphs, batch_idx)

        monkeypatch.setattr(GraphTask, "training_step", failing)

    return arm


def _said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join("".join(capsys.readouterr()).split())


@pytest.mark.thorough
@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory. Tried to"), MemoryError()],
)
def test_what_helps_against_a_lack_of_memory_is_said(
    error: BaseException, geozoo_train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    fails_in: Callable[[int, BaseException], None],
) -> None:  # fmt: skip
    fails_in(2, error)
    assert geozoo_train(*TINY, "run_dir=run") == 1
    said = _said(capsys)
    assert "out of memory: " in said
    assert "dataset.loader.batch_size=2 trainer.accumulate_grad_batches=2" in said
    assert f"geozoo-train resume={tmp_path / 'run'}" in said
    fails_in(-1, error)
    assert geozoo_train(f"resume={tmp_path / 'run'}", "dataset.loader.eval_batch_size=2") == 0
    assert read_last(tmp_path / "run")["epoch"] == 3


@pytest.mark.thorough
def test_a_real_lack_of_main_memory_is_recognised(
    geozoo_train: Train, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from geozoo.tasks import GraphTask

    monkeypatch.setattr(GraphTask, "training_step", lambda *_: torch.empty(1 << 50))
    assert geozoo_train(*TINY, "run_dir=run") == 1
    said = _said(capsys)
    assert "out of memory: " in said
    assert "No epoch was completed" in said


@pytest.mark.thorough
def test_a_full_disk_leaves_the_checkpoint_before(
    geozoo_train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    writes, sync = 0, os.fsync

    def full(file: int) -> None:
        nonlocal writes
        writes += 1
        if writes > 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert geozoo_train(*TINY, "run_dir=run") == 1
    said = _said(capsys)
    assert "cannot write: " in said and "No space left" in said
    assert f"geozoo-train resume={tmp_path / 'run'}" in said
    left = {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert left == {"best.ckpt", "last.ckpt"}
    assert geozoo_train(f"resume={tmp_path / 'run'}") == 0
    assert read_last(tmp_path / "run")["epoch"] == 3


def test_a_folder_that_cannot_be_made_is_named(
    geozoo_train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert geozoo_train(*TINY, "run_dir=file/run") == 1
    assert "run_dir: the folder cannot be created" in _said(capsys)
