"""From a file of one's own molecules to predictions, by the commands."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from screens import exit_code

pytest.importorskip("ase")
sys.path[:0] = [str(Path(__file__).parents[1] / "data" / part) for part in ("", "molecules")]
from property_samples import molecules, write_esol, write_qm7, write_xyz  # noqa: E402

SMALL = (
    "model=painn", "model.hidden_channels=8", "model.num_layers=1", "dataset=molecules",
    "trainer.accelerator=cpu", "trainer.max_epochs=1", "dataset.loader.batch_size=8",
    "run_dir=run",
)  # fmt: skip


@pytest.fixture
def geozoo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run a command in an empty folder; gives exit code and what was said."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        code = exit_code(monkeypatch, 200, *words)
        return code, " ".join("".join(capsys.readouterr()).split())

    return run


def table(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def test_several_targets_and_a_cheaper_method(
    geozoo: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    write_xyz(tmp_path)
    words = ("dataset.path=mine.xyz", "dataset.targets=[u0, gap]", "dataset.units={gap: eV}")
    code, said = geozoo("train", *SMALL, *words, "dataset.baseline={u0: u0_cheap}")
    assert code == 0, said
    assert "u0_mae" in said and "gap_rmse" in said and "baseline" in said
    code, said = geozoo("predict", "checkpoint=run", "input=mine.xyz", "out=out.csv")
    assert code == 0, said
    rows = table("out.csv")
    assert list(rows[0]) == ["graph", "u0 [1]", "gap [eV]"]
    for row, atoms in zip(rows, molecules(), strict=True):
        assert float(row["u0 [1]"]) == pytest.approx(atoms.info["u0"], abs=1.0)
    write_xyz(tmp_path)
    text = Path("mine.xyz").read_text().replace("u0_cheap", "u0_dear")
    Path("other.xyz").write_text(text)
    code, said = geozoo("predict", "checkpoint=run", "input=other.xyz", "out=out.csv")
    assert code == 1
    assert "no 'u0_cheap'" in said and "the difference to a cheaper method" in said


def test_classes_of_smiles(geozoo: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    write_esol(tmp_path)
    code, said = geozoo("train", *SMALL, "dataset.path=esol.csv", "dataset.targets=[toxic]")
    assert code == 0, said
    assert "one class per molecule" in said and "error" in said
    Path("new.csv").write_text("SMILES\nCCO\nCCCN\n")
    code, said = geozoo("predict", "checkpoint=run", "input=new.csv", "out=out.csv")
    assert code == 0, said
    rows = table("out.csv")
    assert len(rows) == 2 and {row["class"] for row in rows} <= {"0", "1"}
    assert list(rows[0])[2:] == ["class_0 [1]", "class_1 [1]"]
    Path("few.csv").write_text("smiles,toxic\nCCCCO,1\nCCCCN,1\n")
    code, said = geozoo("evaluate", "run", "dataset.test_path=few.csv")
    assert code == 0, said  # the classes are those of the training
    code, said = geozoo(
        "train", "model=composition", "dataset=molecules", "dataset.path=esol.csv",
        "dataset.targets=[toxic]", "run_dir=other",
    )  # fmt: skip
    assert code == 2 and "is fitted, not trained" in said


def test_arrays_are_read_as_in_training(
    geozoo: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    write_qm7(tmp_path)
    words = ("dataset.path=qm7.npz", "dataset.targets=[T]", "dataset.reading.length_unit=bohr")
    code, said = geozoo("train", *SMALL, *words)
    assert code == 0, said
    code, said = geozoo("predict", "checkpoint=run", "input=qm7.npz", "out=out.csv")
    assert code == 0, said
    assert "positions are read in bohr" in said
    assert len(table("out.csv")) == 30


@pytest.mark.thorough
def test_labels_with_blanks(geozoo: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    rows = [f"{'C' * (n % 9 + 1)}{'O' * (n % 2)},{n % 2},{'' if n % 5 == 0 else n % 3 // 2}"
            for n in range(40)]  # fmt: skip
    Path("tox.csv").write_text("\n".join(["smiles,polar,odd", *rows]) + "\n")
    words = ("dataset.path=tox.csv", "dataset.targets=[polar,odd]", "dataset.reading.missing=mask")
    code, said = geozoo(
        "train", *SMALL, *words, "dataset.split.fractions={train: 2, val: 1, test: 1}"
    )
    assert code == 0, said
    assert "mean_auroc" in said and "polar_auroc" in said and "odd_auroc" in said
    code, said = geozoo("evaluate", "run")
    assert code == 0 and "mean_auroc" in said, said
    code, said = geozoo("predict", "checkpoint=run", "input=tox.csv", "out=out.csv")
    assert code == 0, said
    found = table("out.csv")
    assert len(found) == 40 and all(0 < float(row["polar [1]"]) < 1 for row in found)


def test_parts_of_point_clouds(geozoo: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez("parts.npz", pos=rng.normal(size=(20, 6, 3)), part=rng.integers(0, 3, (20, 6)))
    small = [word for word in SMALL if "dataset=" not in word]
    words = ("dataset=graphs", "dataset.path=parts.npz", "dataset.targets=part")
    code, said = geozoo("train", *small, *words, "dataset.classes=[leg,seat,back]")
    assert code == 0, said
    assert "mean_iou" in said and "class_accuracy" in said and "rotated_error" in said
    code, said = geozoo("predict", "checkpoint=run", "input=parts.npz", "out=out.csv")
    assert code == 0, said
    rows = table("out.csv")
    assert len(rows) == 120 and {row["class"] for row in rows} <= {"leg", "seat", "back"}
    assert list(rows[0])[:3] == ["graph", "class", "class_leg [1]"]
