"""Runs on point clouds and predictions for files of points, by the commands."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from screens import exit_code

SMALL = (
    "trainer=debug", "trainer.detect_anomaly=false", "trainer.max_epochs=1",
    "trainer.accelerator=cpu", "run_dir=run", "dataset.num_neighbors=4",
    "dataset.loader.batch_size=6",
)  # fmt: skip
SOLIDS = (
    "dataset=solids", "dataset.num_train=18", "dataset.num_eval=6", "dataset.num_points=16",
)  # fmt: skip
MODELS = {
    "ponita": ("model.hidden_channels=8", "model.kernel.basis_channels=8"),
    "rapidash": ("model.hidden_channels=8", "model.kernel.basis_channels=8"),
    "platonic": ("model.hidden_channels=4", "model.attention.heads=2"),
}
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def geozoo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command in an empty folder; gives exit code and what was said."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        code = exit_code(monkeypatch, 200, *words)
        return code, " ".join("".join(capsys.readouterr()).split())

    return run


def table(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).read_text().splitlines()))


@pytest.mark.parametrize("target", ["class", "parts"])
@pytest.mark.parametrize("model", MODELS)
def test_training_ends_with_finite_figures(geozoo: Run, model: str, target: str) -> None:
    words = (f"model={model}", *MODELS[model], *SOLIDS, f"dataset.target={target}", *SMALL)
    code, said = geozoo("train", *words, "dataset.normals=true")
    assert code == 0, said
    assert f"{target} SO3/SO3" in said and "rotated_error" in said
    assert ("mean_iou" in said) == (target == "parts")
    losses = [float(row["train/loss"]) for row in table("run/metrics.csv")]
    errors = [float(r["value"]) for r in table("run/result.csv") if r["metric"] == "error"]
    assert errors and losses and np.isfinite(losses).all()
    assert 0 <= errors[0] <= 100


def test_rotations_that_undo_the_protocol_are_refused(geozoo: Run) -> None:
    words = ("model=ponita", *MODELS["ponita"], *SOLIDS, *SMALL, "dataset.rotation.train=z")
    code, said = geozoo("train", *words)
    assert code == 1 and "set task.augment=false" in said, said
    words = tuple(word for word in words if word != "run_dir=run")
    code, said = geozoo("train", *words, "task.augment=false", "run_dir=other")
    assert code == 0 and "class z/SO3" in said, said


def test_own_clouds_from_files_to_a_class(geozoo: Run) -> None:
    rng = np.random.default_rng(0)
    for kind, stretch in (("disc", [1, 1, 0.1]), ("rod", [0.1, 0.1, 1])):
        Path("clouds", kind).mkdir(parents=True)
        for number in range(10):
            np.savetxt(f"clouds/{kind}/{number}.xyz", rng.normal(size=(20, 3)) * stretch)
    words = ("dataset=point_clouds", "dataset.path=clouds", "dataset.num_points=12")
    code, said = geozoo("train", "model=ponita", *MODELS["ponita"], *words, *SMALL)
    assert code == 0, said
    code, said = geozoo("predict", "checkpoint=run", "input=clouds/rod/0.xyz", "out=out.csv")
    assert code == 0 and "0.xyz: 12 points; scale: unit_sphere" in said, said
    (row,) = table("out.csv")
    assert row["class"] in ("disc", "rod") and "class_disc [1]" in row
    again = geozoo("predict", "checkpoint=run", "input=clouds/rod/0.xyz", "out=again.csv")
    assert again[0] == 0 and table("again.csv") == [row]  # the same points
    for key, message in (
        ("out=out.xyz", "must end with .npz or .csv"), ("length_unit=bohr", "cannot be given for"),
        ("frames=3", "frames cannot be given for point clouds"),
    ):  # fmt: skip
        words = [key] if key.startswith("out") else [key, "out=out.csv"]
        code, said = geozoo("predict", "checkpoint=run", "input=clouds/rod/0.xyz", *words)
        assert code in (1, 2) and message in said, said


def test_parts_of_a_file_are_written_with_their_points(geozoo: Run) -> None:
    words = (*SOLIDS, *SMALL, "dataset.target=parts", "dataset.kinds=[bolt,gear]")
    code, said = geozoo("train", "model=ponita", *MODELS["ponita"], *words)
    assert code == 0, said
    points = 7 + 3 * np.random.default_rng(0).normal(size=(10, 3))
    np.save("new.npy", points)
    code, said = geozoo("predict", "checkpoint=run", "input=new.npy", "out=out.csv")
    assert code == 0 and "10 points, fewer than the 16 of training" in said, said
    rows = table("out.csv")
    assert {row["class"] for row in rows} <= {
        "bolt head", "bolt shank", "bolt tip", "gear rim", "gear hub",
    }  # fmt: skip
    found = np.array([[float(row[f"point_{axis}"]) for axis in range(3)] for row in rows])
    assert np.allclose(found, points, atol=1e-4)


def test_a_model_without_vectors_says_that_normals_are_not_used(geozoo: Run) -> None:
    words = ("model=schnet", "model.radius=1.0", *SOLIDS, *SMALL)
    code, said = geozoo("train", *words, "dataset.normals=true")
    assert code == 0 and "SchNet takes no vectors: 1 of each node" in said, said
