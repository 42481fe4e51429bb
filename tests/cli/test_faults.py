"""What a user is told when something is wrong."""

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


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("model=tinny", "no model called 'tinny'. Did you mean tiny?"),
        ("dataset=nbdoy", "Did you mean nbody?"),
        ("recipe=ponita-nbdoy", "Did you mean ponita-nbody?"),
        ("trainer=quik", "Did you mean quick?"),
        ("modle=ponita", "Did you mean model?"),
        (
            "model.widht=3",
            "model.widht: unknown key of tiny_graphs.TinyModel; "
            "did you mean width (int)? [command line]",
        ),
        ("model.width=wide", "model.width: expected int, got str 'wide' [command line]"),
        (
            "optimizer.lr=fast",
            "optimizer.lr: expected float or Tensor, got str 'fast' [command line]",
        ),
        ("dataset.loader.batch_size=1.5", "dataset.loader.batch_size: expected int, got float 1.5"),
        ("trainer.max_epoch=3", "did you mean max_epochs"),
        ("+nonsense=1", "nonsense: unknown key of the top level"),
        ("trainer.callbacks=[]", "trainer.callbacks: is set by the program"),
        ("model._target_=tiny_graphs.Tiny", "model._target_: cannot import 'tiny_graphs.Tiny'"),
        ("seed=-1", "seed: must be in 0..4294967295, got -1 [command line]"),
        ("optimizer.lr=-1", "optimizer: Invalid learning rate: -1"),
        ("optimizer.lr=nan", "optimizer: Invalid learning rate: nan"),
        ("optimizer.betas=[2,0.9]", "optimizer: Invalid beta parameter at index 0: 2"),
        ("optimizer.eps=0", "optimizer.eps: must not be 0, got 0 [command line]"),
        ("seed=4294967296", "seed: must be in 0..4294967295, got 4294967296 [command line]"),
        ("ema_decay=2.0", "ema_decay: must be in [0, 1)"),
        ("early_stopping_patience=0", "early_stopping_patience: must be at least 1"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_named_before_data_is_touched(
    word: str, message: str, geozoo_train: Train, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    import tiny_graphs

    monkeypatch.setattr(tiny_graphs.TinyData, "load", _never)
    assert geozoo_train(*TINY, word) == 2
    assert message in _said(capsys)
    assert not (tmp_path / "runs").exists()


def _never(*_: object) -> None:
    raise AssertionError("the data was touched")


def test_a_wrong_key_in_a_recipe_names_the_file(
    geozoo_train: Train, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = "# @package _global_\nmodel:\n  widht: 5\ntrainer:\n  max_epochs: many\n"
    (configs / "recipe" / "faulty.yaml").write_text(recipe)
    words = [word for word in TINY if not word.startswith("trainer.max_epochs")]
    assert geozoo_train(*words, "recipe=faulty") == 2
    said = _said(capsys)
    assert "model.widht: unknown key" in said and "did you mean width" in said
    assert "trainer.max_epochs: expected int or null, got str 'many'" in said
    assert said.count("my_configs/recipe/faulty.yaml") == 2


def test_values_that_a_constructor_refuses_are_named(
    geozoo_train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train(*TINY, "task.monitor=val/energy_mae") == 2
    assert "task: monitor must be one of val/position_mse" in _said(capsys)


def test_a_model_argument_that_the_data_cannot_tell(
    geozoo_train: Train, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = configs / "model" / "tiny.yaml"
    path.write_text(path.read_text().replace("width: 8", "width: ???"))
    assert geozoo_train(*TINY) == 2
    assert "the data set cannot tell model.width" in _said(capsys)


def test_a_run_folder_that_exists(
    tiny_run: Path, geozoo_train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train(*TINY, "run_dir=done") == 1
    assert f"exists already. To continue that run: resume={tiny_run}" in _said(capsys)


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
    assert "No epoch was finished" in said
    assert not list((tmp_path / "broken").glob("checkpoints/*"))


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
    assert "the training loss is inf at step 8 (epoch 3, batch 0 of it" in said
    folder = tmp_path / "endless"
    assert f"geozoo-train resume={folder}" in said
    last = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["epoch"] == 1
    assert all(torch.isfinite(value).all() for value in last["state_dict"].values())
    assert len((folder / "metrics.csv").read_text().splitlines()) == 3
