"""Runs that fail: what is said, and what is left of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_configs import TINY

Train = Callable[..., int]


def _said(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())


def test_a_run_folder_that_exists(
    tiny_run: Path, geozoo_train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train(*TINY, "run_dir=done") == 1
    assert f"already exists. To resume that run: resume={tiny_run}" in _said(capsys)


@pytest.mark.thorough
def test_a_failed_data_set_leaves_no_folder(
    geozoo_train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    import tiny_graphs

    def fail(*_: object) -> None:
        raise FileNotFoundError("frames.npz is missing in /data")

    monkeypatch.setattr(tiny_graphs.TinyData, "load", fail)
    assert geozoo_train(*TINY) == 1
    assert "dataset: frames.npz is missing in /data" in _said(capsys)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("dataset", ["tiny", "tiny_energy"])
def test_an_infinite_loss_stops_with_step_and_batch(
    dataset: str, geozoo_train: Train, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert geozoo_train(*TINY, f"dataset={dataset}", "dataset.broken=true", "run_dir=broken") == 1
    said = _said(capsys)
    assert "the training loss is inf at step" in said
    assert "epoch 1, batch" in said and "graphs" in said
    assert "No epoch was completed" in said
    assert not list((tmp_path / "broken").glob("checkpoints/*"))


@pytest.mark.thorough
def test_the_last_good_checkpoint_survives_a_loss_that_overflows(
    geozoo_train: Train, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from geozoo.tasks import Dynamics

    whole = Dynamics.loss

    def poisoned(self: Dynamics, batch: object) -> dict[str, torch.Tensor]:
        parts = whole(self, batch)
        bad = self.current_epoch == 2
        return {"loss": parts["loss"] * (float("inf") if bad else 1.0)}

    monkeypatch.setattr(Dynamics, "loss", poisoned)
    assert geozoo_train(*TINY, "run_dir=endless") == 1
    said = _said(capsys)
    assert "the training loss is inf at step 8 (epoch 3, batch 0 of the epoch" in said
    folder = tmp_path / "endless"
    assert f"geozoo-train resume={folder}" in said
    last = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["epoch"] == 1
    assert all(torch.isfinite(value).all() for value in last["state_dict"].values())
    assert len((folder / "metrics.csv").read_text().splitlines()) == 3
