"""Two processes train as one with twice the batch does."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
# 23 systems in batches of 8: the last one leaves one process with a graph less than the other.
WORDS = (
    "model=ponita dataset=nbody recipe=none dataset.source=generate dataset.num_train=23 "
    "model.hidden_channels=8 model.basis_channels=8 model.num_layers=2 model.num_orientations=8 "
    "trainer.max_epochs=3 trainer.accelerator=cpu trainer.precision=64-true test=false"
).split()


def trained(folder: Path, *words: str) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    """The curves by epoch and the last weights of a run."""
    command = [sys.executable, str(ROOT / "train.py"), *WORDS, f"run_dir={folder}", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        rows = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return rows, content["state_dict"]


@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="torch has no gloo")
def test_two_processes_have_the_curve_of_one_with_twice_the_batch(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("GEOZOO_DATA", str(tmp_path / "data"))
    one, weights = trained(tmp_path / "one", "dataset.loader.batch_size=8")
    two, others = trained(
        tmp_path / "two", "dataset.loader.batch_size=4", "trainer.devices=2",
        "trainer.strategy=ddp",
    )  # fmt: skip
    assert len(one) == len(two) == 3
    for row, other in zip(one, two, strict=True):
        assert row.keys() == other.keys() >= {"train/loss", "val/position_mse"}
        for key, value in row.items():
            assert other[key] == pytest.approx(value, rel=1e-6), key  # logged in float32
    for name, value in weights.items():
        torch.testing.assert_close(others[name], value, rtol=1e-7, atol=1e-9)
