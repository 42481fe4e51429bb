"""``geozoo distil``: from a few structures to a student next to its teacher."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from screens import exit_code

ase_io = pytest.importorskip("ase.io")
from tiny_teachers import silicon, water, written  # noqa: E402

from geozoo.cli._student import training_arguments  # noqa: E402
from geozoo.engines import PotentialEvaluator  # noqa: E402
from geozoo.hub import load  # noqa: E402
from geozoo.teaching import SamplingPlan, reference_energies  # noqa: E402
from geozoo.teaching.dataset import StudentData, student_data  # noqa: E402

Command = Callable[..., tuple[int, str]]
WORDS = (
    "teacher=teacher", "data=mine.xyz", "student=painn", "out=d", "rattled=10", "strained=5",
    "temperatures=[5]", "trajectories=3", "frames=3", "steps=2", "timestep=25", "closest=0.3",
    "model.hidden_channels=8", "model.num_layers=1", "model.num_basis=4", "model.radius=3.5",
    "trainer.accelerator=cpu", "schedule=constant", "ema_decay=null",
)  # fmt: skip
PLAN = SamplingPlan(
    rattled=10,
    strained=5,
    temperatures=(5.0,),
    trajectories=3,
    frames=3,
    steps=5,
    timestep=10.0,
    closest=0.3,
)


@pytest.fixture
def distil(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run the command in a folder with a teacher and two structures."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "teacher")
    ase_io.write("mine.xyz", [silicon(), silicon(1), silicon(2), water()])

    def run(*words: str) -> tuple[int, str]:
        keys = {word.partition("=")[0] for word in words}
        kept = [word for word in WORDS if word.partition("=")[0] not in keys]
        code = exit_code(monkeypatch, 200, "distil", *kept, *words)
        return code, " ".join("".join(capsys.readouterr()).split())

    return run


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("data=none.xyz", "data: there is no file"),
        ("student=pain", "unknown model 'pain'"),
        ("trajectories=2", "trajectories must be at least 3"),
        ("model.hiden_channels=3", "hiden_channels"),
        ("dataset.path=mine.xyz", "dataset.path is set by the distillation itself"),
        ("reference=guess", "reference"),
        ("run_dir=x", "run_dir"),
    ],
)
def test_wrong_arguments_are_named_before_any_work(
    word: str, expected: str, distil: Command, tmp_path: Path
) -> None:
    code, said = distil(word)
    assert code != 0 and expected in said and "Traceback" not in said, said
    assert not (tmp_path / "d").exists()


def data_of(folder: Path, plan: SamplingPlan = PLAN) -> tuple[PotentialEvaluator, StudentData]:
    teacher = PotentialEvaluator(load("teacher"))
    return teacher, student_data(Path("mine.xyz"), teacher, plan, folder, duplicate=0.001)


def test_the_data_are_held_out_honestly(distil: Command, tmp_path: Path) -> None:
    _, data = data_of(tmp_path / "d")
    paths = {
        part: {atoms.info["path"] for atoms in frames}
        for part, frames in {
            "train": data.train, "val": data.val,
            "test": [a for name, each in data.tests.items() if "given" not in name for a in each],
        }.items()
    }  # fmt: skip
    assert not paths["train"] & paths["val"] and not (paths["train"] | paths["val"]) & paths["test"]
    assert len(data.tests["given structures"]) == 4
    assert {"md 5 K", "rattled", "strained", "given structures"} == set(data.tests)
    assert sum(data.counts()["md 5 K"].values()) == 9
    assert all(data.path(name).is_file() for name in ("train", "val", *data.tests))


def test_other_settings_in_the_same_folder_are_refused(distil: Command, tmp_path: Path) -> None:
    data_of(tmp_path / "d")
    code, said = distil("rattled=11")
    assert code == 1 and "rattled was 10, is 11" in said, said


def test_what_is_given_replaces_what_is_set(distil: Command, tmp_path: Path) -> None:
    teacher, data = data_of(tmp_path / "d")
    references = reference_energies(teacher, data.train, "isolated")
    words = training_arguments(
        "painn", data, references, inputs=("charge",), seed=3,
        changes=("optimizer.lr=0.1", "dataset.loader.batch_size=2"),
    )  # fmt: skip
    assert "optimizer.lr=0.1" in words and "optimizer.lr=1.0e-3" not in words
    assert "seed=3" in words and "dataset.inputs=[charge]" in words
    (energies,) = [word for word in words if word.startswith("dataset.atom_energies=")]
    assert {"H:", "O:", "Si:"} <= {
        part[: part.index(":") + 1] for part in energies[23:-1].split(",")
    }
    own = training_arguments("ponita", data, references, inputs=(), seed=0, changes=())
    assert "task.energy_per_atom=true" not in own  # it has a recipe


@pytest.mark.thorough
def test_a_student_learns_and_a_second_call_continues(distil: Command, tmp_path: Path) -> None:
    code, said = distil("trainer.max_epochs=20", "optimizer.lr=0.01", "rattled=60")
    assert code == 0, said
    folder = tmp_path / "d"
    result = json.loads((folder / "distillation.json").read_text())
    (rattled,) = [each for each in result["errors"] if each["name"] == "rattled"]
    assert rattled["force"] < 0.5 * rattled["baseline_force"]
    assert {each["name"] for each in result["errors"]} >= {"strained", "md 5 K"}
    assert "| given structures | 0 | 0 | 4 |" in (folder / "distillation.md").read_text()
    assert len(result["times"]) == 2 and result["times"][0]["cpu"] > 0
    assert (folder / "run" / "result.csv").is_file()

    labelled = (folder / "labelled.xyz").read_bytes()
    code, said = distil("trainer.max_epochs=20", "optimizer.lr=0.01", "rattled=60")
    assert code == 0 and "is trained" in said and "5 of 5 parts of the sampling are done" in said
    assert json.loads((folder / "distillation.json").read_text())["errors"] == result["errors"]

    code, said = distil("trainer.max_epochs=21", "optimizer.lr=0.01", "rattled=60")
    assert code == 0 and "continuing the training" in said, said
    code, said = distil("trainer.max_epochs=21", "optimizer.lr=0.02", "rattled=60")
    assert code == 1 and "optimizer.lr=0.02" in said and "trained otherwise" in said
    shutil.rmtree(folder / "run")  # a training that was killed before its first checkpoint
    (folder / "run").mkdir()
    code, said = distil("trainer.max_epochs=1", "optimizer.lr=0.02", "rattled=60")
    assert code == 0 and "no finished epoch" in said, said
    assert (folder / "labelled.xyz").read_bytes() == labelled
