"""A continued run is the uninterrupted one, bit for bit on the CPU."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from run_comparison import assert_equal, assert_same_run, read_last, read_rows
from tiny_configs import TINY, last_of_each

Train = Callable[..., int]


class _Killed(RuntimeError):
    """Stands for a crash of the machine."""


@pytest.fixture
def killed_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Let runs of this process die at a batch of an epoch."""
    from geozoo.tasks import GraphTask

    whole = GraphTask.training_step

    def arm(epoch: int, batch: int) -> None:
        def dying(self: GraphTask, graphs: Any, batch_idx: int) -> torch.Tensor:
            if (self.current_epoch, batch_idx) == (epoch, batch):
                raise _Killed
            return whole(self, graphs, batch_idx)

        monkeypatch.setattr(GraphTask, "training_step", dying)

    return arm


@pytest.mark.thorough
@pytest.mark.parametrize("dataset", ["tiny", "tiny_energy"])
@pytest.mark.parametrize("averaging", ["ema_decay=null", "ema_decay=0.8"])
def test_two_halves_are_the_whole(
    dataset: str, averaging: str, geozoo_train: Train, tmp_path: Path,
    killed_in: Callable[[int, int], None],
) -> None:  # fmt: skip
    words = (*TINY, f"dataset={dataset}", averaging, "schedule.warmup_epochs=2",
             "trainer.check_val_every_n_epoch=2")  # fmt: skip
    assert geozoo_train(*words, "run_dir=whole") == 0
    killed_in(2, 1)
    assert geozoo_train(*words, "run_dir=halves") == 1
    assert read_last(tmp_path / "halves")["epoch"] == 1
    killed_in(-1, -1)
    assert geozoo_train(f"resume={tmp_path / 'halves'}") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "halves")


@pytest.mark.thorough
def test_a_run_in_double_precision_goes_on_and_is_tested_in_it(
    geozoo_train: Train, tmp_path: Path, killed_in: Callable[[int, int], None]
) -> None:
    from geozoo.runs.trained import trained_model

    words = (*TINY, "trainer.precision=64-true", "trainer.check_val_every_n_epoch=2")
    assert geozoo_train(*words, "run_dir=whole") == 0
    killed_in(2, 1)
    assert geozoo_train(*words, "run_dir=halves") == 1
    killed_in(-1, -1)
    assert geozoo_train(f"resume={tmp_path / 'halves'}") == 0
    assert_same_run(tmp_path / "whole", tmp_path / "halves")
    model = trained_model(str(tmp_path / "whole"))
    assert model.dtype == torch.float64 and model.description.precision == "float64"
    state = read_last(tmp_path / "whole", "best")["state_dict"]
    for name, value in model.task.state_dict().items():
        assert torch.equal(value, state[name]), name


@pytest.mark.thorough
def test_averaged_weights_are_validated_saved_and_tested(
    geozoo_train: Train, tmp_path: Path
) -> None:
    from geozoo.runs.build import build_datamodule, build_task
    from geozoo.runs.checkpoints import read_checkpoint
    from geozoo.runs.folder import RunFolder

    assert geozoo_train(*TINY, "ema_decay=0.8", "run_dir=ema") == 0
    folder = RunFolder(tmp_path / "ema")
    content = torch.load(folder.best, weights_only=True)
    averaged, current = content["state_dict"], content["current_model_state"]
    assert not torch.equal(averaged["model.first.weight"], current["model.first.weight"])
    cfg = folder.read_config()
    data = build_datamodule(cfg)
    task = build_task(cfg, data)
    read_checkpoint(folder.best).load_into(task)
    for part, expected in (("val", content["geozoo"]["metrics"]["val/position_mse"]),
                           ("test", _result(folder.path, "position_mse"))):  # fmt: skip
        batch = data.store.gather(data.splits[part])
        error = (task.predict(batch)["position"] - batch.y).double().square().mean()
        assert float(error) == pytest.approx(expected, rel=1e-5)


def _result(folder: Path, metric: str) -> float:
    rows = read_rows(folder, "result.csv")
    return next(float(row["value"]) for row in rows if row["metric"] == metric)


@pytest.mark.thorough
def test_a_moved_run_folder_keeps_its_best(
    geozoo_train: Train, tmp_path: Path, killed_in: Callable[[int, int], None]
) -> None:
    killed_in(2, 0)
    assert geozoo_train(*TINY, "run_dir=old") == 1
    shutil.move(tmp_path / "old", tmp_path / "new")
    killed_in(-1, -1)
    assert geozoo_train(f"resume={tmp_path / 'new'}") == 0
    assert not (tmp_path / "old").exists()
    states = read_last(tmp_path / "new")["callbacks"]
    best = next(state for name, state in states.items() if "val/position_mse" in name)
    values = [float(row["val/position_mse"]) for row in read_rows(tmp_path / "new")]
    assert float(best["best_model_score"]) == pytest.approx(min(values))


@pytest.mark.thorough
@pytest.mark.parametrize("word", ["link/old", "real/../real/old"])
def test_a_run_under_another_name_keeps_its_best(
    geozoo_train: Train, tmp_path: Path, killed_in: Callable[[int, int], None], word: str
) -> None:
    killed_in(2, 0)
    assert geozoo_train(*TINY, "run_dir=real/old") == 1
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    before = torch.load(tmp_path / "real/old/checkpoints/last.ckpt", weights_only=True)
    killed_in(-1, -1)
    assert geozoo_train(f"resume={word}") == 0
    states = read_last(tmp_path / "real" / "old")["callbacks"]
    best = next(state for name, state in states.items() if "val/position_mse" in name)
    former = next(s for name, s in before["callbacks"].items() if "val/position_mse" in name)
    assert best["dirpath"] == former["dirpath"] == str(tmp_path / "real" / "old" / "checkpoints")
    values = [float(row["val/position_mse"]) for row in read_rows(tmp_path / "real" / "old")]
    assert float(best["best_model_score"]) == pytest.approx(min(values))


def test_a_longer_run_may_be_asked_for(tiny_run: Path, geozoo_train: Train) -> None:
    assert geozoo_train(f"resume={tiny_run}", "trainer.max_epochs=6") == 0
    assert [int(row["epoch"]) for row in read_rows(tiny_run)] == list(range(1, 7))
    assert "; geozoo-train" in read_last(tiny_run)["geozoo"]["command"]


@pytest.mark.thorough
@pytest.mark.parametrize("steps", ["trainer.captured_steps=null", "trainer.captured_steps=3"])
def test_the_schedule_of_a_longer_run_holds_from_its_first_step(
    steps: str, geozoo_train: Train, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert geozoo_train(*TINY, steps, "run_dir=r") == 0
    caplog.clear()
    assert geozoo_train("resume=r", "trainer.max_epochs=8") == 0
    said = " ".join(caplog.messages)
    assert "the schedule now has 8 epochs: the learning rate of epoch 5 is 0.005" in said
    rates = [float(row["train/lr"]) for row in read_rows(tmp_path / "r") if row["train/lr"]]
    wanted = [
        0.005 * (1 + math.cos(math.pi * epoch / length))
        for length, epochs in ((4, range(4)), (8, range(4, 8)))
        for epoch in epochs
    ]
    assert rates == pytest.approx(wanted, rel=1e-5)


@pytest.mark.thorough
def test_a_continuation_that_died_goes_on_with_its_own_changes(
    geozoo_train: Train, tmp_path: Path, killed_in: Callable[[int, int], None],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert geozoo_train(*TINY, "run_dir=r") == 0
    killed_in(5, 0)
    assert geozoo_train("resume=r", "trainer.max_epochs=7") == 1
    assert "_Killed" in capsys.readouterr().err
    killed_in(-1, -1)
    assert geozoo_train("resume=r") == 0
    assert read_last(tmp_path / "r")["epoch"] == 6
    row = read_rows(tmp_path / "r", "result.csv")[0]
    assert row["recipe"].endswith("trainer.max_epochs=4, optimizer.lr=1.0e-2, trainer.max_epochs=7")
    capsys.readouterr()
    assert geozoo_train("resume=r", "trainer.max_epochs=3") == 1
    said = " ".join("".join(capsys.readouterr()).split())
    assert "trainer.max_epochs must be at least 7, the completed epochs of" in said


@pytest.mark.thorough
@pytest.mark.parametrize("steps", ["trainer.captured_steps=null", "trainer.captured_steps=3"])
def test_a_finished_run_says_so(
    steps: str, geozoo_train: Train, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert geozoo_train(*TINY, steps, "run_dir=r") == 0
    rows, before = read_rows(tmp_path / "r"), read_last(tmp_path / "r")["state_dict"]
    caplog.clear()
    assert geozoo_train("resume=r") == 0
    said = " ".join(caplog.messages)
    assert "this run is already finished: 4 of 4 epochs are done" in said
    assert f"resume={tmp_path / 'r'} trainer.max_epochs=8" in said
    assert "the schedule now has" not in said
    assert read_rows(tmp_path / "r") == rows
    assert_equal(before, read_last(tmp_path / "r")["state_dict"])


def test_another_experiment_may_not(
    tiny_run: Path, geozoo_train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    assert geozoo_train(f"resume={tiny_run}", "model.width=3") == 1
    assert "'model.width=3' cannot be given here" in capsys.readouterr().err
    assert geozoo_train(f"resume={tiny_run}", "trainer.max_epoch=9") == 2
    assert "did you mean max_epochs" in capsys.readouterr().err


@pytest.mark.parametrize(("made", "message"), [(False, "is not a run folder"), (True, "last.ckpt")])
def test_a_folder_without_a_run(
    made: bool, message: str, geozoo_train: Train, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "empty").mkdir()
    if made:
        (tmp_path / "empty" / "config.yaml").write_text("seed: 0\n")
    assert geozoo_train("resume=empty") == 1
    assert message in capsys.readouterr().err


@pytest.mark.thorough
def test_an_interrupt_tells_how_to_continue(configs: Path, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    paths = os.pathsep.join([str(root), str(root / "tests")])
    # A process that a shell starts in the background inherits that interrupts are ignored.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from geozoo.cli.train import main; main()"
    )
    command = [
        sys.executable, "-c", program,
        f"--config-dir={configs}", *last_of_each([*TINY, "trainer.max_epochs=100000"]),
        "run_dir=cut",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    _wait_for(tmp_path / "cut" / "checkpoints" / "last.ckpt", process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"geozoo-train resume={tmp_path / 'cut'}" in " ".join(said.split())
    assert "Traceback" not in said
    assert read_rows(tmp_path / "cut")


def _wait_for(path: Path, process: subprocess.Popen) -> None:
    for _ in range(1200):
        if path.is_file():
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"{path} did not appear")
