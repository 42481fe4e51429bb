"""Potentials in i-PI: its output in its units equals the direct evaluation."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trained_samples import trained

pytest.importorskip("ipi")
pytest.importorskip("ase")
import ase.io as ase_io
from ase import Atoms
from ase.build import bulk, molecule

from geozoo.data import GeometricSpec
from geozoo.engines import PotentialEvaluator
from geozoo.hub.publishing import write_model
from geozoo.models import PaiNN
from geozoo.tasks import Potential

DRIVER = Path(__file__).resolve().parents[2] / "geozoo/engines/ipi_driver.py"
#: Exact enough for the comparison (CODATA 2018).
HARTREE, BOHR = 27.211386245988, 0.529177210903
SIZES: dict[str, Any] = {"hidden_channels": 8, "num_layers": 2, "num_basis": 6, "radius": 3.5}

INPUT = """<simulation verbosity="low" floatformat="%23.15e">
  <output prefix="out">
    <properties filename="properties" stride="1">
      [ step, conserved, potential, kinetic_md, virial_cv ]
    </properties>
    <trajectory filename="pos" format="ase" stride="1"> positions </trajectory>
    <trajectory filename="force" format="xyz" stride="1"> forces </trajectory>
  </output>
  <total_steps>{steps}</total_steps>
  {forcefield}
  <system>
    <initialize nbeads="1">
      <file mode="ase"> init.extxyz </file>
      <velocities mode="thermal" units="kelvin"> 300 </velocities>
    </initialize>
    <forces> <force forcefield="geozoo"/> </forces>
    <motion mode="dynamics">
      <dynamics mode="{ensemble}"> <timestep units="femtosecond"> 0.5 </timestep> {more} </dynamics>
    </motion>
    <ensemble> <temperature units="kelvin"> 300 </temperature> {pressure} </ensemble>
  </system>
</simulation>
"""
DIRECT = """<ffdirect name="geozoo">
    <pes> custom </pes> <pes_path> {driver} </pes_path>
    <parameters> {{ template: init.extxyz, model: {model}, dtype: float64 }} </parameters>
  </ffdirect>"""
SOCKET = """<ffsocket name="geozoo" mode="unix"> <address> {address} </address> </ffsocket>"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    spec = GeometricSpec(
        level="graph", dim=3, in_channels=3, out_channels=1, elements=(1, 8, 14), target="energy",
        units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={"energy_shift": 0.0, "energy_scale": 2000.0},
    )  # fmt: skip
    task = trained(Potential(PaiNN(3, 1, **SIZES), spec, any_composition=True)).task
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_model(
        folder, name="tiny", state=task.state_dict(), data=spec.to_dict(),
        model={"_target_": "geozoo.models.PaiNN", "in_channels": 3, "out_channels": 1} | SIZES,
        task={"_target_": "geozoo.tasks.Potential", "any_composition": True},
    )  # fmt: skip
    return folder


def crystal() -> Atoms:
    atoms = bulk("Si", a=4.8)
    atoms.set_cell(atoms.cell @ [[1.02, 0.0, 0.0], [0.03, 1.0, 0.0], [0.0, 0.02, 0.99]], True)
    atoms.positions[1] += 0.1
    return atoms


def environment() -> dict[str, str]:
    root = str(DRIVER.parents[2])
    return os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def run(folder: Path, atoms: Atoms, forcefield: str, **options: Any) -> subprocess.Popen[str]:
    """Start i-PI."""
    ase_io.write(folder / "init.extxyz", atoms)
    values = {"steps": 4, "ensemble": "nve", "more": "", "pressure": ""} | options
    (folder / "input.xml").write_text(INPUT.format(forcefield=forcefield, **values))
    command = [str(Path(sys.executable).parent / "i-pi"), "input.xml"]
    return subprocess.Popen(
        command, cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip


def check(folder: Path, model: Path, like: Atoms) -> np.ndarray:
    """Compare i-PI's files with the model; returns the properties."""
    properties = np.loadtxt(folder / "out.properties")
    frames = ase_io.read(next(folder.glob("out.pos_0*")), ":")
    lines = next(folder.glob("out.force_0*")).read_text().splitlines()
    rows = len(like) + 2
    evaluator = PotentialEvaluator(model, dtype="float64")
    for frame, row in zip(frames, properties, strict=True):
        cell, pbc = (frame.cell, True) if like.pbc.any() else (None, None)
        found = evaluator.evaluate(frame.positions, like.numbers, cell, pbc)
        assert row[2] * HARTREE == pytest.approx(found.energy, rel=1e-6)  # digits of files
        mine, lines = lines[2:rows], lines[rows:]
        forces = np.array([line.split()[1:] for line in mine], dtype=float) * HARTREE / BOHR
        np.testing.assert_allclose(forces, found.forces, atol=5e-6 * abs(found.forces).max())
        if found.stress is not None:
            # The virial by volume, positive under compression: xx, yy, zz, xy, xz, yz.
            rows_of, columns_of = [0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]
            virial = row[4:] * HARTREE / BOHR**3
            wanted = -found.stress[rows_of, columns_of]
            np.testing.assert_allclose(virial, wanted, atol=1e-6 * abs(wanted).max())
    return properties


def finished(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out[-3000:]
    return out


@pytest.mark.parametrize("pbc", [True, [True, True, False], False])
def test_the_driver_has_the_units_of_ipi(tmp_path: Path, model: Path, pbc: Any) -> None:
    from geozoo.engines.ipi_driver import GeozooDriver

    atoms = crystal()
    atoms.pbc = pbc
    ase_io.write(tmp_path / "atoms.traj", atoms)
    driver = GeozooDriver(str(tmp_path / "atoms.traj"), str(model), dtype="float64")
    energy, forces, virial, _ = driver(atoms.cell.array.T / BOHR, atoms.positions / BOHR)
    given = (atoms.cell, atoms.pbc) if np.any(pbc) else (None, None)
    found = PotentialEvaluator(model, dtype="float64").evaluate(
        atoms.positions, atoms.numbers, *given
    )
    assert energy * HARTREE == pytest.approx(found.energy, rel=1e-6)
    np.testing.assert_allclose(forces * HARTREE / BOHR, found.forces, rtol=1e-6)
    np.testing.assert_allclose(virial * HARTREE, found.virial, rtol=1e-5, atol=1e-8)
    with pytest.raises(ValueError, match="template must have the atoms of i-PI, got 2 and 1"):
        driver(atoms.cell.array.T / BOHR, atoms.positions[:1] / BOHR)


@pytest.mark.thorough
def test_a_crystal_inside_of_ipi(tmp_path: Path, model: Path) -> None:
    forcefield = DIRECT.format(driver=DRIVER, model=model)
    finished(run(tmp_path, crystal(), forcefield))
    properties = check(tmp_path, model, crystal())
    assert len(properties) == 5
    conserved, kinetic = properties[:, 1], properties[:, 3]
    assert np.ptp(conserved) < 0.05 * np.ptp(kinetic)


@pytest.mark.thorough
def test_a_crystal_at_constant_pressure(tmp_path: Path, model: Path) -> None:
    forcefield = DIRECT.format(driver=DRIVER, model=model)
    thermostat = '<thermostat mode="langevin"> <tau units="femtosecond"> 100 </tau> </thermostat>'
    barostat = f'<barostat mode="isotropic"> <tau units="femtosecond"> 200 </tau> {thermostat}'
    more = f"{barostat} </barostat> {thermostat}"
    pressure = '<pressure units="megapascal"> 100 </pressure>'
    options = {"ensemble": "npt", "more": more, "pressure": pressure}
    finished(run(tmp_path, crystal(), forcefield, **options))
    check(tmp_path, model, crystal())


@pytest.mark.thorough
@pytest.mark.parametrize("atoms", [crystal(), molecule("H2O", vacuum=6.0)], ids=["Si", "H2O"])
def test_a_driver_over_a_socket(tmp_path: Path, model: Path, atoms: Atoms) -> None:
    address = f"geozoo_{os.getpid()}_{len(atoms)}"
    process = run(tmp_path, atoms, SOCKET.format(address=address))
    while not Path(f"/tmp/ipi_{address}").exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    driver = str(Path(sys.executable).parent / "i-pi-driver-py")
    parameters = f"template=init.extxyz,model={model},dtype=float64"
    words = ["-u", "-a", address, "-m", "custom", "-P", str(DRIVER), "-o", parameters]
    subprocess.run(
        [sys.executable, driver, *words], cwd=tmp_path, env=environment(), timeout=300, check=True
    )
    finished(process)
    check(tmp_path, model, atoms)


@pytest.mark.thorough
def test_errors_stop_ipi_with_their_reason(tmp_path: Path, model: Path) -> None:
    forcefield = DIRECT.format(driver=DRIVER, model=model)
    process = run(tmp_path, bulk("Ge", a=5.6), forcefield)
    out, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    assert "Ge" in out or "32" in out


@pytest.mark.thorough
def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    section = (DRIVER.parents[2] / "docs/engines.md").read_text().split("## i-PI", 1)[1]
    example = section.split("```bash\n")[2].split("```")[0]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-ec", example], cwd=tmp_path, env=environment() | {"PATH": path}, check=True,
        timeout=300,
    )  # fmt: skip
    evaluator = PotentialEvaluator("ponita-rmd17_ethanol")
    numbers = molecule("CH3CH2OH").numbers
    beads = [ase_io.read(file, ":") for file in sorted(tmp_path.glob("ethanol.frames_*"))]
    properties = np.loadtxt(tmp_path / "ethanol.properties")
    assert len(beads) == 4 and len(properties) == 11
    for row, images in zip(properties, zip(*beads, strict=True), strict=True):
        energies = [evaluator.evaluate(image.positions, numbers).energy for image in images]
        assert row[2] == pytest.approx(np.mean(energies), rel=1e-6)
