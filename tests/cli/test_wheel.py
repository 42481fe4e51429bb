"""The installed wheel works where there is no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel."""
    hatchling = pytest.importorskip("hatchling.builders.wheel")
    target = tmp_path_factory.mktemp("wheel")
    (wheel,) = hatchling.WheelBuilder(str(ROOT)).build(directory=str(target / "dist"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target / "site")
    return target / "site"


def _run(installed: Path, where: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from geozoo.cli.train import main; main()", *words],
        cwd=where, text=True, capture_output=True, timeout=240,
        env={**os.environ, "PYTHONPATH": str(installed), "GEOZOO_DATA": str(where / "data"),
             "GEOZOO_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_one_package_with_configs_and_entries(installed: Path) -> None:
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"geozoo"}
    for name in (
        "configs/train.yaml", "report/templates/report.html", "configs/task/potential.yaml",
        "_zoo/models/ponita/config.yaml",
        "_zoo/models/ponita/recipes/nbody_quick.yaml", "_zoo/datasets/nbody/config.yaml",
        *(
            f"_zoo/datasets/{material}_sevennet/{part}.extxyz.xz"
            for material in ("silicon", "salt")
            for part in ("train", "val", "test")
        ),
    ):  # fmt: skip
        assert (installed / "geozoo" / name).is_file(), name


def test_the_console_scripts_are_declared(installed: Path) -> None:
    (info,) = installed.glob("*.dist-info")
    declared = (info / "entry_points.txt").read_text()
    for line in (
        "geozoo-train = geozoo.cli.train:main", "geozoo-evaluate = geozoo.cli.evaluate:main",
        "geozoo = geozoo.cli.main:main",
    ):  # fmt: skip
        assert line in declared


@pytest.mark.thorough
def test_help_and_config_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    assert "ponita-nbody" in _run(installed, tmp_path, "--help")
    config = _run(installed, tmp_path, "--cfg", "job", "trainer=quick", "dataset=rmd17")
    assert "_target_: geozoo.data.RMD17" in config and "ema_decay: 0.99" in config


@pytest.mark.slow
def test_a_run_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    small = ("model.hidden_channels=8", "model.kernel.basis_channels=8", "model.num_layers=1",
             "model.orientations.num_orientations=6", "dataset.num_train=100")  # fmt: skip
    said = _run(installed, tmp_path, "trainer=debug", "trainer.accelerator=cpu", *small)
    assert "position_mse" in said
    assert list((tmp_path / "runs" / "ponita-nbody").glob("*/result.csv"))
