"""Crystal properties: known values of EMT, and a trained model next to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ase")
from ase.build import bulk  # noqa: E402
from ase.calculators.emt import EMT  # noqa: E402

from benchmarks import periodic_quality as quality  # noqa: E402
from benchmarks.periodic_quality import CRYSTALS, measure, options_of, table  # noqa: E402
from geozoo.data import CopperEMT, LoaderOptions  # noqa: E402
from geozoo.data.molecules import copper_simulator  # noqa: E402
from geozoo.data.molecules.crystal_frames import CrystalPath, strained  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SHORT = ["picoseconds=0.02", "repeat=1", "femtoseconds=2"]


def test_unknown_options_and_teachers_are_refused() -> None:
    assert options_of(["kelvin=600"]).kelvin == 600
    with pytest.raises(ValueError, match=r"unknown arguments \['tempreature'\]; known: .*kelvin"):
        options_of(["tempreature=600"])
    with pytest.raises(ValueError, match="teacher must be emt, sevennet-0 or none, got 'mace'"):
        quality.teacher_calculator("mace")


def test_degenerate_vibrations_share_a_row() -> None:
    student = {"C11 [GPa]": 5.0, "vibration 1 [THz]": 5.0, "vibration 2 [THz]": 5.01,
               "vibration 3 [THz]": 8.0, "steps": 8.0}  # fmt: skip
    teacher = {**student, "vibration 1 [THz]": 5.5, "vibration 2 [THz]": 5.51}
    rows = table(student, teacher).rows
    assert [row[0] for row in rows] == [
        "C11 [GPa]", "vibrations 1-2 [THz]", "vibration 3 [THz]", "steps",
    ]  # fmt: skip
    assert rows[1][1:] == ("5.005", "5.505", "-0.5")
    assert table(student, {}).rows[0][1:] == ("5", "", "")


@pytest.mark.thorough
def test_emt_has_its_known_properties() -> None:
    """Values of ASE's EMT for copper that are independent of this script."""
    found = measure(EMT(), CRYSTALS["copper_emt"], options_of(SHORT))
    assert found["lattice constant [angstrom]"] == pytest.approx(3.59, abs=0.005)
    for name, value in (("C11", 172.7), ("C12", 115.5), ("C44", 90.0), ("bulk modulus", 134.4)):
        assert found[f"{name} [GPa]"] == pytest.approx(value, rel=0.01)
    mean = (found["C11 [GPa]"] + 2 * found["C12 [GPa]"]) / 3
    assert found["bulk modulus [GPa]"] == pytest.approx(mean, rel=0.01)
    frequencies = [value for name, value in found.items() if name.startswith("vibration")]
    assert len(frequencies) == 9
    crystal = bulk("Cu", a=found["lattice constant [angstrom]"], cubic=True)
    assert found["volume at 300 K [angstrom^3/atom]"] == pytest.approx(
        crystal.get_volume() / 4, rel=0.05
    )
    assert abs(found["relaxation, energy above the crystal [meV/atom]"]) < 0.1
    assert abs(found["relaxation, volume change [%]"]) < 0.2
    assert found["largest energy deviation [meV/atom]"] < 1.0


def _write_few_structures(folder: Path) -> None:
    def paths(seed: int) -> list[CrystalPath]:
        crystal = bulk("Cu", a=3.6, cubic=True)
        starts = [strained(crystal, size * np.eye(3)) for size in np.linspace(-0.06, 0.06, 12)]
        return [CrystalPath("cubic", each, 600.0, frames=4, steps=6) for each in starts]

    before = copper_simulator.copper_paths
    copper_simulator.copper_paths = paths
    try:
        CopperEMT(loader=LoaderOptions(batch_size=4), root=folder, seed=7).prepare_data()
    finally:
        copper_simulator.copper_paths = before


@pytest.mark.slow
def test_a_trained_model_next_to_its_teacher(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_few_structures(tmp_path / "data")
    words = ["model=painn", "dataset=copper_emt", "dataset.seed=7", "trainer.max_epochs=40",
             "trainer.check_val_every_n_epoch=20", "model.hidden_channels=16", "run_dir=run",
             "trainer.accelerator=cpu", "optimizer.lr=3e-3"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", "from geozoo.cli.train import main; main()", *words],
        cwd=tmp_path, text=True, capture_output=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GEOZOO_DATA": str(tmp_path / "data"),
             "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "stress_mae" in done.stdout
    monkeypatch.setattr(sys, "argv", ["periodic_quality", str(tmp_path / "run"), *SHORT])
    monkeypatch.setitem(quality.OPTIONS, "record", False)
    quality.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["property", "student", "teacher", "difference"]
    (constant,) = [line.split() for line in lines if line.startswith("lattice constant")]
    assert float(constant[3]) == pytest.approx(3.6, abs=0.3)
    assert float(constant[4]) == pytest.approx(3.59, abs=0.005)
