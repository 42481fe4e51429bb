"""A run from the command line to what it leaves behind."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from run_comparison import read_last
from tiny_configs import TINY

from geozoo.config import recipes

Train = Callable[..., int]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_folder_holds_everything(tiny_run: Path) -> None:
    names = {
        path.relative_to(tiny_run).as_posix() for path in tiny_run.rglob("*") if path.is_file()
    }
    assert names == {
        "config.yaml", "run.json", "splits.npz", "metrics.csv",
        "checkpoints/best.ckpt", "checkpoints/last.ckpt", "errors.png", "loss.png",
        "parity.png", "report.html", "result.csv", "summary.txt", "worst.png",
    }  # fmt: skip


def test_the_config_is_resolved_and_complete(tiny_run: Path) -> None:
    config = OmegaConf.load(tiny_run / "config.yaml")
    assert config.model.out_vectors == 1 and config.model.level == "node"
    assert config.task.seed == config.seed == 0
    assert not OmegaConf.missing_keys(config)
    assert "${" not in (tiny_run / "config.yaml").read_text()
    assert "hydra" not in config


def test_command_versions_and_data_are_recorded(tiny_run: Path) -> None:
    info = json.loads((tiny_run / "run.json").read_text())
    assert info["command"].startswith("geozoo-train --config-dir ")
    assert "optimizer.lr=1.0e-2" in info["command"]
    assert info["versions"]["torch"] == torch.__version__
    assert info["data"]["protocol"]["dataset"] == "tiny"
    assert info["choices"]["model"] == "tiny"
    assert info["overrides"][0] == "model=tiny"


def test_split_indices_are_recorded(tiny_run: Path) -> None:
    with np.load(tiny_run / "splits.npz", allow_pickle=False) as splits:
        assert splits["train"].tolist() == list(range(20))
        assert splits["val"].tolist() == list(range(20, 30))
        assert splits["test"].tolist() == list(range(30, 40))


def test_metrics_have_a_row_per_epoch(tiny_run: Path) -> None:
    rows = _rows(tiny_run / "metrics.csv")
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4]
    losses = [float(row["train/loss"]) for row in rows]
    assert losses[-1] < losses[0]
    assert all(float(row["val/position_mse"]) > 0 for row in rows)
    assert float(rows[0]["train/lr"]) == pytest.approx(1e-2)


def test_plots_are_pictures(tiny_run: Path) -> None:
    for name in ("loss.png", "parity.png"):
        content = (tiny_run / name).read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) > 5000


def test_best_is_the_lowest_validation(tiny_run: Path) -> None:
    rows = _rows(tiny_run / "metrics.csv")
    values = [float(row["val/position_mse"]) for row in rows]
    best = torch.load(tiny_run / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == values.index(min(values))
    assert best["geozoo"]["metrics"]["val/position_mse"] == pytest.approx(min(values))


def test_checkpoints_are_plain_and_say_what_they_are(tiny_run: Path) -> None:
    content = torch.load(tiny_run / "checkpoints" / "last.ckpt", weights_only=True)
    record = content["geozoo"]
    assert record["config"]["model"]["_target_"] == "tiny_graphs.TinyModel"
    assert record["data"]["units"] == {"y": "length"}
    assert record["versions"]["torch"] == torch.__version__


def test_the_result_has_units_and_protocol(tiny_run: Path) -> None:
    rows = {row["metric"]: row for row in _rows(tiny_run / "result.csv")}
    assert rows["position_mse"]["unit"] == "length^2"
    assert rows["position_mae"]["unit"] == "length"
    row = rows["position_mse"]
    assert row["split"] == "in order" and row["seeds"] == "0"
    assert row["recipe"] == ("tiny-tiny without recipe, trainer.max_epochs=4, optimizer.lr=1.0e-2")
    assert 0 < float(row["value"]) < 10 and float(row["wall_time_s"]) > 0


@pytest.mark.thorough
def test_the_summary_fits_a_screen_and_is_printed(
    geozoo_train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train(*TINY, "run_dir=seen") == 0
    printed = capsys.readouterr().out
    saved = (tmp_path / "seen" / "summary.txt").read_text()
    assert len(saved.splitlines()) <= 25
    for text in (printed, saved):
        for word in ("position_mse", "length^2", "run folder", "parity.png", "parameters"):
            assert word in text


@pytest.mark.thorough
def test_the_default_folder_names_pair_and_seed(geozoo_train: Train, tmp_path: Path) -> None:
    assert geozoo_train(*TINY, "seed=3", "trainer.max_epochs=1") == 0
    (folder,) = (tmp_path / "runs" / "tiny-tiny").iterdir()
    assert folder.name.endswith("_seed3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my_configs", "runs"]


@pytest.mark.thorough
def test_equal_commands_give_equal_weights_and_seeds_do_not(
    geozoo_train: Train, tmp_path: Path
) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        words = (f"run_dir={name}", f"seed={seed}", "trainer.max_epochs=2", "test=false")
        assert geozoo_train(*TINY, *words) == 0
    a, b, c = (
        torch.load(tmp_path / name / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for name in "abc"
    )
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a["model.first.weight"], c["model.first.weight"])


def test_a_potential_is_trained_and_tested_with_forces(geozoo_train: Train, tmp_path: Path) -> None:
    words = ("dataset=tiny_energy", "task.test_rotations=2", "run_dir=force", "ema_decay=0.5")
    assert geozoo_train(*TINY, *words) == 0
    units = {row["metric"]: row["unit"] for row in _rows(tmp_path / "force" / "result.csv")}
    assert units == {
        "energy_mae": "meV", "energy_rmse": "meV",
        "force_mae": "meV/angstrom", "force_rmse": "meV/angstrom",
    }  # fmt: skip


@pytest.mark.thorough
def test_another_task_of_the_data_set(geozoo_train: Train, tmp_path: Path) -> None:
    words = ("dataset=tiny_energy", "task=regression", "run_dir=r", "trainer.max_epochs=1")
    assert geozoo_train(*TINY, *words) == 0
    assert {row["metric"] for row in _rows(tmp_path / "r" / "result.csv")} == {
        "energy_mae", "energy_rmse",
    }  # fmt: skip


@pytest.mark.thorough
def test_a_sweep_runs_every_seed_and_shows_the_spread(
    geozoo_train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train("-m", *TINY, "seed=0,1,2", "trainer.max_epochs=1") == 0
    names = {path.name[-6:] for path in (tmp_path / "runs" / "tiny-tiny").iterdir()}
    assert names == {"_seed0", "_seed1", "_seed2"}
    assert "mean ± standard deviation" in capsys.readouterr().out


@pytest.mark.thorough
def test_early_stopping_ends_a_run_that_does_not_improve(
    geozoo_train: Train, tmp_path: Path
) -> None:
    words = ("optimizer.lr=0.0", "early_stopping_patience=1", "run_dir=e", "trainer.max_epochs=50")
    assert geozoo_train(*TINY, *words) == 0
    assert len(_rows(tmp_path / "e" / "metrics.csv")) < 5


@pytest.mark.thorough
def test_a_run_ends_when_its_time_is_up_and_can_be_continued(
    geozoo_train: Train, tmp_path: Path
) -> None:
    words = ("trainer.max_epochs=100000", "run_dir=m")
    assert geozoo_train(*TINY, *words, "trainer.max_time={seconds: 1}") == 0
    ended = read_last(tmp_path / "m")["epoch"]
    assert 0 < ended < 10000
    assert (tmp_path / "m" / "result.csv").is_file()
    assert geozoo_train("resume=m", "trainer.max_time={seconds: 3}") == 0
    assert read_last(tmp_path / "m")["epoch"] > ended


@pytest.mark.thorough
def test_a_short_run_is_validated_at_its_end(geozoo_train: Train, tmp_path: Path) -> None:
    words = ("trainer.max_epochs=2", "trainer.check_val_every_n_epoch=5", "run_dir=s")
    assert geozoo_train(*TINY, *words) == 0
    assert _rows(tmp_path / "s" / "metrics.csv")[-1]["val/position_mse"]


@pytest.mark.thorough
@pytest.mark.parametrize("steps", ["trainer.captured_steps=null", "trainer.captured_steps=3"])
@pytest.mark.parametrize("averaging", ["ema_decay=null", "ema_decay=0.8"])
def test_the_last_epoch_can_be_the_best(
    steps: str, averaging: str, geozoo_train: Train, tmp_path: Path
) -> None:
    words = ("trainer.max_epochs=5", "trainer.check_val_every_n_epoch=2", "schedule=constant")
    assert geozoo_train(*TINY, *words, steps, averaging, "run_dir=odd") == 0
    rows = [row for row in _rows(tmp_path / "odd" / "metrics.csv") if row["val/position_mse"]]
    assert [row["epoch"] for row in rows] == ["2", "4", "5"]
    best = min(rows, key=lambda row: float(row["val/position_mse"]))
    assert read_last(tmp_path / "odd", "best")["epoch"] + 1 == int(best["epoch"]) == 5


@pytest.mark.thorough
@pytest.mark.parametrize("steps", ["trainer.captured_steps=null", "trainer.captured_steps=3"])
def test_the_epoch_after_which_the_time_is_up_is_validated(
    steps: str, geozoo_train: Train, tmp_path: Path
) -> None:
    words = ("trainer.max_epochs=100000", "trainer.check_val_every_n_epoch=1000")
    assert geozoo_train(*TINY, *words, steps, "trainer.max_time={seconds: 1}", "run_dir=t") == 0
    last, rows = read_last(tmp_path / "t"), _rows(tmp_path / "t" / "metrics.csv")
    validated = [int(row["epoch"]) for row in rows if row.get("val/position_mse")]
    assert validated[-1] == last["epoch"] + 1
    assert (tmp_path / "t" / "checkpoints" / "best.ckpt").is_file()


@pytest.mark.thorough
def test_a_run_ends_with_its_folder_and_what_to_do_with_it(
    geozoo_train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a_folder_whose_name_is_longer_than_a_terminal_is_wide_" * 3
    assert geozoo_train(*TINY, "trainer.max_epochs=1", f"run_dir={name}") == 0
    wanted = [
        "run folder:", name, "next steps:",
        f"  geozoo evaluate {name}",
        f"  geozoo predict checkpoint={name} input=graphs.npz out=predictions.npz",
        f"  geozoo publish {name}",
    ]  # fmt: skip
    assert capsys.readouterr().out.splitlines()[-6:] == wanted
    assert (tmp_path / name / "summary.txt").read_text().splitlines()[-6:] == wanted


@pytest.mark.thorough
def test_tensorboard_is_written_beside_the_csv(geozoo_train: Train, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    words = ("logger=tensorboard", "run_dir=t", "trainer.max_epochs=1")
    assert geozoo_train(*TINY, *words) == 0
    assert list((tmp_path / "t" / "tensorboard").glob("events.out.*"))
    assert (tmp_path / "t" / "metrics.csv").is_file()


@pytest.mark.thorough
def test_arguments_of_the_trainer_that_no_yaml_lists_are_passed(
    geozoo_train: Train, tmp_path: Path
) -> None:
    assert geozoo_train(*TINY, "trainer.limit_train_batches=1", "run_dir=l") == 0
    last = torch.load(tmp_path / "l" / "checkpoints/last.ckpt", weights_only=True)
    assert last["global_step"] == 4


@pytest.mark.thorough
def test_a_user_recipe_is_taken(geozoo_train: Train, configs: Path, tmp_path: Path) -> None:
    recipe = "# @package _global_\nmodel:\n  width: 5\n"
    (configs / "recipe" / "narrow.yaml").write_text(recipe)
    (configs / "recipe" / "tiny-tiny.yaml").write_text(recipe.replace("5", "6"))
    for word, width in (("recipe=narrow", 5), ("seed=0", 6), ("recipe=none", 8)):
        folder = word.replace("=", "_")
        assert geozoo_train(*TINY, word, f"run_dir={folder}", "trainer.max_epochs=1") == 0
        assert OmegaConf.load(tmp_path / folder / "config.yaml").model.width == width


@pytest.mark.thorough
def test_a_named_recipe_has_its_variant_too(geozoo_train: Train, tmp_path: Path) -> None:
    words = ["model=ponita", "dataset=chirality", "recipe=ponita-chirality", "trainer=quick"]
    short = [f"trainer.limit_{part}_batches=1" for part in ("train", "val", "test")]
    assert geozoo_train(*words, *short, "trainer.accelerator=cpu", "run_dir=q", "test=false") == 0
    cfg = OmegaConf.load(tmp_path / "q" / "config.yaml")
    quick = next(each for each in recipes() if each.name == "ponita-chirality_quick")
    assert cfg.trainer.max_epochs == OmegaConf.load(quick.path).trainer.max_epochs


@pytest.mark.thorough
@pytest.mark.parametrize("value", ["5", "soon", "00:00:00:00", "{weeks: many}"])
def test_a_wrong_time_is_named(
    value: str, geozoo_train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train(*TINY, f"trainer.max_time={value}") == 2
    assert "max_time" in " ".join("".join(capsys.readouterr()).split())
