"""What is written never takes the place of what is read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from screens import exit_code
from test_predict import readings, written

from geozoo.cli.main import run_command
from geozoo.runs.trained import model_files

sys.path.insert(0, str(Path(__file__).parents[1] / "hub"))
from trained_samples import forecaster


@pytest.fixture
def model(tmp_path):
    """The folder of a published model."""
    network = forecaster()
    given = {k: v for k, v in network.spec.model_arguments().items() if k != "adjacency"}
    return written(network, tmp_path / "model", **given, hidden_channels=8)


@pytest.fixture
def run(tmp_path):
    """The names of a run folder, empty."""
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("config.yaml", "metrics.csv", "splits.npz", "checkpoints/best.ckpt"):
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """Run ``geozoo``, which must refuse without a change to any file; gives what was said."""

    def contents():
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def call(*words):
        before = contents()
        assert exit_code(monkeypatch, 500, *words) == 1
        said = " ".join("".join(capsys.readouterr()).split())
        assert "an input, which would be overwritten; choose another file" in said, said
        assert contents() == before
        return said

    return call


def test_an_output_is_never_the_input(model, tmp_path, refused):
    source = readings(tmp_path / "in.csv", change=lambda text: text.replace("missing", ""))
    (tmp_path / "link.csv").symlink_to(source)
    os.link(source, tmp_path / "hard.csv")
    words = "predict", f"checkpoint={model}", f"input={source}"
    for name in ("in.csv", "link.csv", "hard.csv", "model/../in.csv"):
        assert "out: " in refused(*words, f"out={tmp_path / name}")


def test_an_output_is_no_file_of_a_run(run, model, tmp_path, refused):
    source = readings(tmp_path / "in.csv")
    for word in (run, run / "checkpoints" / "best.ckpt", f"{model},{run}", tmp_path):
        for name in ("metrics.csv", "splits.npz"):
            output = f"out={run / name}"
            refused("predict", f"checkpoint={word}", f"input={source}", output)
    refused("export", str(run), f"out={run / 'checkpoints' / 'best.ckpt'}")


def test_a_model_is_not_exported_onto_itself(model, tmp_path, refused):
    for name in ("model.json", "model.safetensors"):
        refused("export", str(model), f"out={model / name}")
    (tmp_path / "program.pt2").symlink_to(model / "model.safetensors")
    refused("export", str(model), f"out={tmp_path / 'program.pt2'}")


def test_molecules_do_not_replace_a_checkpoint(run, monkeypatch, capsys):
    pytest.importorskip("rdkit")
    (run / "drawn.sdf").symlink_to(run / "checkpoints" / "best.ckpt")
    with pytest.raises(SystemExit):
        run_command("sample", [f"checkpoint={run}", f"out={run / 'drawn.sdf'}"])
    assert "out: " in (said := " ".join("".join(capsys.readouterr()).split())), said
    assert "an input, which would be overwritten" in said
    assert (run / "checkpoints" / "best.ckpt").read_text() == "checkpoints/best.ckpt"


def test_what_is_no_model_has_no_files(tmp_path):
    assert model_files("no-model") == []
    assert model_files(f"{tmp_path},") == []
    (tmp_path / "model.json").write_text("{")
    assert model_files(str(tmp_path)) == []
