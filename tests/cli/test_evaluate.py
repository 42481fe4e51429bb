from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path

import pytest

from geozoo.config import ConfigError
from geozoo.runs.errors import RunError
from geozoo.runs.evaluation import evaluation


def _result(folder: Path) -> dict[str, float]:
    with (folder / "result.csv").open(newline="") as file:
        return {row["metric"]: float(row["value"]) for row in csv.DictReader(file)}


def test_the_best_checkpoint_gives_the_recorded_numbers(tiny_run: Path) -> None:
    assert evaluation(str(tiny_run), []).tested.metrics == pytest.approx(_result(tiny_run))


def test_a_checkpoint_alone_is_enough(tiny_run: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_run / "checkpoints" / "best.ckpt", tmp_path / "weights.ckpt")
    expected = _result(tiny_run)
    shutil.rmtree(tiny_run)
    outcome = evaluation(f"{tmp_path / 'weights.ckpt'}", [])
    assert outcome.tested.metrics == pytest.approx(expected)


def test_data_and_task_may_change(tiny_run: Path) -> None:
    other = evaluation(str(tiny_run), ["dataset.seed=5", "task.test_rotations=2"])
    assert other.cfg.dataset.seed == 5 and other.task.test_rotations == 2
    assert other.tested.metrics["position_mse"] != pytest.approx(_result(tiny_run)["position_mse"])


def test_the_model_may_not(tiny_run: Path) -> None:
    with pytest.raises(RunError, match="keeps the model"):
        evaluation(str(tiny_run), ["model.width=3"])
    with pytest.raises(ConfigError, match="task.test_rotation: unknown key"):
        evaluation(str(tiny_run), ["task.test_rotation=3"])


def test_a_run_folder_is_a_trained_model(tiny_run: Path) -> None:
    import torch

    import geozoo
    from geozoo.hub import Ensemble, ModelFileError
    from geozoo.runs.trained import trained_model

    expected = trained_model(str(tiny_run))
    batch = evaluation(str(tiny_run), []).datamodule.calibration_batch()
    for path in (tiny_run, str(tiny_run), tiny_run / "checkpoints" / "best.ckpt"):
        model = geozoo.load(path, trusted=["tiny_graphs"])
        assert model.name == tiny_run.name and model.units == {"position": "length"}
        found = model.predict(batch)["position"]
        assert torch.equal(found, expected.predict(batch)["position"])
    with pytest.raises(ModelFileError, match="trusted="):
        geozoo.load(tiny_run)
    shutil.copytree(tiny_run, tiny_run.parent / "several" / "a")
    shutil.copytree(tiny_run, tiny_run.parent / "several" / "b")
    both = geozoo.load(tiny_run.parent / "several", trusted=["tiny_graphs"])
    assert isinstance(both, Ensemble) and len(both.members) == 2


def test_data_that_are_gone_are_named(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tiny_graphs import TinyData

    def load(self: TinyData) -> None:
        raise FileNotFoundError("path: there is no file gone.xyz")

    monkeypatch.setattr(TinyData, "load", load)
    with pytest.raises(RunError, match="dataset: path: there is no file gone.xyz"):
        evaluation(str(tiny_run), [])


def test_a_change_below_a_number_is_named(tiny_run: Path) -> None:
    with pytest.raises((RunError, ConfigError), match="dataset.seed"):
        evaluation(str(tiny_run), ["dataset.seed.more=3"])


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no checkpoint .*nothing"):
        evaluation(str(tmp_path / "nothing"), [])


@pytest.mark.parametrize("prefix", ["", "checkpoint="])
def test_the_command_prints_the_summary(
    prefix: str, tiny_run: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from geozoo.cli.evaluate import main

    before = (tiny_run / "summary.txt").read_text()
    monkeypatch.setattr(sys, "argv", ["geozoo-evaluate", f"{prefix}{tiny_run}"])
    capsys.readouterr()
    main()
    said = capsys.readouterr().out
    row = next(line for line in before.splitlines() if "position_mse" in line)
    assert " ".join(row.split()[1:-1]) in " ".join(said.split())
    assert (tiny_run / "summary.txt").read_text() == before


def test_a_test_that_was_left_out_is_made_good(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geozoo.cli.evaluate import main

    before = (tiny_run / "result.csv").read_text()
    for name in ("result.csv", "summary.txt", "parity.png"):
        (tiny_run / name).unlink()
    monkeypatch.setattr(sys, "argv", ["geozoo-evaluate", "save=true", str(tiny_run)])
    main()
    after = (tiny_run / "result.csv").read_text()
    assert float(next(csv.DictReader(after.splitlines()))["peak_memory_mb"]) > 0
    columns = ("value", "baseline", "commit", "checkpoint")
    old, new = (list(csv.DictReader(text.splitlines())) for text in (before, after))
    # The checkpoint was written a moment before the run ended.
    times = [[float(row["wall_time_s"]) for row in rows] for rows in (old, new)]
    assert times[1] == pytest.approx(times[0], abs=0.3)
    assert [[row[c] for c in columns] for row in old] == [[row[c] for c in columns] for row in new]
    assert (tiny_run / "summary.txt").is_file() and (tiny_run / "parity.png").is_file()


def test_a_saved_test_tells_its_changes(tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from geozoo.cli.evaluate import main

    words = ["geozoo-evaluate", "save=true", str(tiny_run), "task.test_rotations=2"]
    monkeypatch.setattr(sys, "argv", words)
    before = (tiny_run / "result.csv").read_text()
    main()
    row = next(csv.DictReader((tiny_run / "result.csv").read_text().splitlines()))
    old = next(csv.DictReader(before.splitlines()))
    assert row["recipe"] == f"{old['recipe']}, task.test_rotations=2"
    first, again = row["command"].split("; ")
    assert first.startswith("geozoo-train") and first.endswith("run_dir=done")
    assert again == "geozoo-evaluate '<run>' task.test_rotations=2"
    assert row["value"] != old["value"] and row["baseline"] == old["baseline"]


def test_a_checkpoint_has_no_record_to_complete(
    tiny_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from geozoo.cli.evaluate import main

    monkeypatch.setattr(
        sys, "argv", ["geozoo-evaluate", "save=true", str(tiny_run / "checkpoints" / "best.ckpt")]
    )
    with pytest.raises(SystemExit):
        main()
    assert "save=true completes the record of a run" in capsys.readouterr().err


def test_the_command_explains_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from geozoo.cli.evaluate import main

    monkeypatch.setattr(sys, "argv", ["geozoo-evaluate", str(tmp_path / "nothing")])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    assert "geozoo evaluate: there is no checkpoint" in capsys.readouterr().err


@pytest.mark.thorough
def test_the_record_of_a_continued_run_has_every_command(geozoo_train, tmp_path: Path) -> None:
    """Also where the continuation found no better epoch, and left the best checkpoint as it was."""
    from tiny_configs import TINY

    from geozoo.cli.main import run_command
    from geozoo.results.rows import read_results

    run = tmp_path / "run"
    assert geozoo_train(*TINY, "trainer.max_epochs=1", "run_dir=run") == 0
    best = (run / "checkpoints" / "best.ckpt").read_bytes()
    assert geozoo_train("resume=run", "trainer.max_epochs=3") == 0
    own = read_results(run / "result.csv")[0]
    assert own.command.endswith("; geozoo-train resume=run trainer.max_epochs=3")
    (run / "checkpoints" / "best.ckpt").write_bytes(best)
    run_command("evaluate", [str(run), "save=true"])
    again = read_results(run / "result.csv")[0]
    assert again.command == own.command and again.recipe == own.recipe
    assert again.checkpoint == "best.ckpt, epoch 1"
    run_command("evaluate", [str(run), "save=true", "task.test_rotations=2"])
    changed = read_results(run / "result.csv")[0]
    assert changed.command == f"{own.command}; geozoo-evaluate '<run>' task.test_rotations=2"
