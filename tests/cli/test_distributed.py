"""Two processes on the CPU: one run folder, shared metrics, the same test result."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_configs import TINY, last_of_each

ROOT = Path(__file__).resolve().parents[2]


def _train(configs: Path, folder: Path, *words: str) -> str:
    command = [
        sys.executable, "-c", "from geozoo.cli.train import main; main()",
        f"--config-dir={configs}", *last_of_each([*TINY, "trainer.max_epochs=2", *words]),
    ]  # fmt: skip
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    # Lightning starts the second process from the script's path.
    script = folder / "run.py"
    script.write_text("from geozoo.cli.train import main\n\nmain()\n")
    command[1:3] = [str(script)]
    done = subprocess.run(
        command, cwd=folder, text=True, capture_output=True, timeout=240,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.thorough
@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="needs gloo")
def test_two_processes_make_one_run(configs: Path, tmp_path: Path) -> None:
    words = ("dataset=tiny_energy", "ema_decay=0.5", "task.test_rotations=2")
    said = _train(
        configs, tmp_path, *words, "trainer.devices=2", "trainer.strategy=ddp",
        "dataset.loader.batch_size=5",
    )  # fmt: skip
    (folder,) = (tmp_path / "runs" / "tiny-tiny_energy").iterdir()
    assert said.count("run folder:") == 1
    last = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 4  # 20 graphs, 2 x 5 in a step, 2 epochs
    with (folder / "result.csv").open(newline="") as file:
        tested = {row["metric"]: float(row["value"]) for row in csv.DictReader(file)}
    from geozoo.runs.evaluation import evaluation

    single = evaluation(str(folder), ["trainer.devices=1", "trainer.strategy=auto"])
    assert single.tested.metrics == pytest.approx(tested, rel=1e-6)
