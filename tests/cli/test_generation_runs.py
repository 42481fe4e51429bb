"""Generating molecules through the command lines."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from qm9_samples import write_qm9

from geozoo.cli.sample import main as sample_main
from geozoo.cli.train import main as train_main
from geozoo.tasks import Generation, SampledMolecules

pytest.importorskip("rdkit")
WORDS = (
    "model=ponita", "dataset=qm9_generation", "dataset.split=random", "recipe=none",
    "model.hidden_channels=8", "model.kernel.basis_channels=8", "model.num_layers=1",
    "model.orientations.num_orientations=4", "model.kernel.condition_channels=1",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=2", "task.test_samples=6", "task.val_samples=3", "task.sample_every=2",
)  # fmt: skip


def run(main: object, *words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["program", *words])
    main()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_qm9(tmp_path)
    monkeypatch.setenv("GEOZOO_DATA", str(tmp_path))
    words = [*WORDS, "task.process.num_steps=3", f"run_dir={tmp_path / 'run'}"]
    run(train_main, *words, monkeypatch=monkeypatch)
    return tmp_path / "run"


def test_run_leaves_scores_and_a_picture_and_can_be_drawn_from(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with (folder / "result.csv").open() as file:
        rows = {row["metric"]: row for row in csv.DictReader(file)}
    assert rows["molecule_stability"]["unit"] == "%"
    assert float(rows["molecule_stability"]["baseline"]) == 100.0
    assert {"validity", "uniqueness", "novelty", "loss"} <= rows.keys()
    assert (folder / "samples.png").read_bytes().startswith(b"\x89PNG")
    with (folder / "metrics.csv").open() as file:
        drawn = [row["val/molecule_stability"] for row in csv.DictReader(file)]
    assert [bool(value) for value in drawn] == [False, True]

    capsys.readouterr()
    for out in ("a.sdf", "b.sdf", "c.xyz"):
        words = [f"checkpoint={folder}", "n=5", f"out={tmp_path / out}", "seed=1"]
        run(sample_main, *words, monkeypatch=monkeypatch)
    assert (tmp_path / "a.sdf").read_text() == (tmp_path / "b.sdf").read_text()
    assert (tmp_path / "a.sdf").read_text().count("$$$$") == 5
    assert (tmp_path / "c.xyz").read_text().count("Properties") == 5
    assert "molecule stability" in capsys.readouterr().out


@pytest.mark.thorough
def test_validation_draws_with_the_weights_that_are_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_qm9(tmp_path)
    monkeypatch.setenv("GEOZOO_DATA", str(tmp_path))
    seen: list[torch.Tensor] = []
    draw = Generation.sample

    def recording(task: Generation, *args: Any, **options: Any) -> SampledMolecules:
        seen.append(task.model.embedding.weight.detach().clone())
        return draw(task, *args, **options)

    monkeypatch.setattr(Generation, "sample", recording)
    words = [*WORDS, "task.process.num_steps=3", "ema_decay=0.9", "optimizer.lr=0.1", "test=false"]
    folder = tmp_path / "run"
    run(train_main, *words, f"run_dir={folder}", monkeypatch=monkeypatch)
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    (drawn,) = seen
    torch.testing.assert_close(drawn, saved["state_dict"]["model.embedding.weight"])
    trained = saved["current_model_state"]
    key = next(key for key in trained if key.endswith("model.embedding.weight"))
    assert (drawn - trained[key]).abs().max() > 1e-4


def test_molecules_with_double_bonds_are_drawn(tmp_path: Path) -> None:
    from geozoo.figures import plot_molecules

    x, y = 0.667, 1.23
    ethene = torch.tensor(
        [[x, 0, 0], [-x, 0, 0], [y, 0.92, 0], [y, -0.92, 0], [-y, 0.92, 0], [-y, -0.92, 0]]
    )
    z = torch.tensor([6, 6, 1, 1, 1, 1])
    plot_molecules(ethene, z, torch.tensor([6]), tmp_path / "ethene.png")
    assert (tmp_path / "ethene.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_a_file_that_is_no_checkpoint_is_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = tmp_path / "other.ckpt"
    if content is None:
        torch.save({"weights": torch.zeros(1)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(SystemExit):
        run(sample_main, f"checkpoint={path}", f"out={tmp_path / 'a.sdf'}", monkeypatch=monkeypatch)
    assert re.search(r"other\.ckpt is not a checkpoint of a run", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["n=0"], r"n must be a whole number in 1\.\.1000000, got '0'"),
        (["n=2000000"], "n must be a whole number"),
        (["out=/nowhere/a.sdf"], "out: there is no folder /nowhere"),
        (["n=3", "n=4"], "given more than once: n"),
        (["out=a.pdb"], r"out must end in \.sdf or \.xyz"),
        (["what=1"], "unknown key 'what'"),
    ],
)
def test_faults_are_told_before_anything_is_loaded(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(SystemExit) as stopped:
        run(sample_main, "checkpoint=nowhere.ckpt", *words, monkeypatch=monkeypatch)
    assert stopped.value.code not in (0, None)
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.thorough
def test_molecules_of_a_model_that_comes_with_the_zoo(tmp_path, monkeypatch, capsys):
    from geozoo.cli.main import main

    out = tmp_path / "m.sdf"
    words = ["checkpoint=ponita-qm9_generation", "n=3", f"out={out}", "seed=1"]
    monkeypatch.setattr(sys, "argv", ["geozoo", "sample", *words])
    main()
    assert out.read_text().count("$$$$") == 3
    assert "atom stability" in capsys.readouterr().out
