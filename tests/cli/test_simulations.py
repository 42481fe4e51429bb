"""``geozoo relax``, ``md`` and ``vibrations``: files, messages and exit codes."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ase")
import ase.io as ase_io
from ase import Atoms
from ase.build import bulk, molecule
from ase.constraints import FixAtoms
from ase.vibrations import VibrationsData
from screens import exit_code
from test_predict import written

sys.path.insert(0, str(Path(__file__).parents[1] / "engines"))
from test_evaluator import potential
from trained_samples import SIZES as OTHER_SIZES
from trained_samples import dynamics as other_task

Run = Callable[..., tuple[int, str]]
SIZES = {
    "in_channels": 3, "out_channels": 1, "hidden_channels": 8, "num_layers": 2, "num_basis": 6,
    "radius": 3.5,
}  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A potential for hydrogen, oxygen and silicon."""
    return Path(written(potential(), tmp_path / "potential", **SIZES))


@pytest.fixture
def geozoo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, model: Path
) -> Run:
    """Run ``geozoo`` with the potential in an empty folder; gives exit code and what was said."""
    monkeypatch.chdir(tmp_path)

    def run(command: str, *words: str) -> tuple[int, str]:
        given = [] if any(word.startswith("checkpoint=") for word in words) else [str(model)]
        options = [] if "any_composition=false" in words else ["any_composition=true"]
        words = tuple(word for word in words if word != "any_composition=false")
        code = exit_code(monkeypatch, 200, command, *given, *options, *words)
        return code, " ".join("".join(capsys.readouterr()).split())

    return run


def write(path: str, *frames: Atoms) -> None:
    ase_io.write(path, frames, format="extxyz")


def water() -> Atoms:
    return molecule("H2O")


def silicon() -> Atoms:
    atoms = bulk("Si", a=4.8).repeat((2, 1, 1))
    atoms.rattle(0.05, seed=0)
    return atoms


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_structures_are_relaxed_one_after_another(geozoo: Run, tmp_path: Path) -> None:
    slab = silicon()
    slab.set_constraint(FixAtoms([0]))
    slab.pbc = [True, True, False]
    write("in.xyz", silicon(), slab)
    code, said = geozoo("relax", "input=in.xyz", "fmax=0.02", "steps=200", "out=done")
    assert code == 0 and "relaxed" in said, said
    folder = tmp_path / "done"
    found = ase_io.read(folder / "relaxed.xyz", ":")
    assert len(found) == 2
    for atoms in found:
        assert np.linalg.norm(atoms.get_forces(), axis=1).max() <= 0.0201
    np.testing.assert_allclose(found[1].positions[0], slab.positions[0], atol=1e-7)
    log = rows(folder / "log.csv")
    path = ase_io.read(folder / "trajectory.xyz", ":")
    assert len(log) == len(path)
    assert {row["structure"] for row in log} == {"0", "1"}
    assert float(log[0]["energy [eV]"]) == pytest.approx(path[0].get_potential_energy(), abs=1e-6)
    assert log[0]["pressure [GPa]"] and not log[-1]["pressure [GPa]"]
    page = (folder / "report.html").read_text()
    assert "Si4" in page and "data:image/png" in page and (folder / "energy.png").is_file()
    code, said = geozoo("relax", "input=in.xyz", "out=done")
    assert code == 1 and "done exists and is not an empty folder" in said


def test_a_cell_is_relaxed(geozoo: Run, tmp_path: Path) -> None:
    write("in.xyz", silicon())
    code, said = geozoo("relax", "input=in.xyz", "cell=true", "steps=5", "fmax=1e-9")
    assert code == 3 and "1 of 1 structures are not relaxed to fmax=1e-09" in said, said
    (found,) = ase_io.read(tmp_path / "in_relaxed" / "relaxed.xyz", ":")
    assert found.get_volume() != pytest.approx(silicon().get_volume(), rel=1e-4)
    assert not found.info["relaxed"]
    write("water.xyz", water())
    code, said = geozoo("relax", "input=water.xyz", "cell=true")
    assert code == 1 and "frame 0 of" in said and "pbc [False, False, False]" in said
    assert not (tmp_path / "water_relaxed").exists()


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt"])
def test_dynamics_writes_frames_log_and_page(geozoo: Run, tmp_path: Path, ensemble: str) -> None:
    write("in.xyz", silicon())
    words = (
        "input=in.xyz", f"ensemble={ensemble}", "temperature=50", "every=4", "out=md",
        "dtype=float64", *(["max_drift=1"] if ensemble == "nve" else []),
    )  # fmt: skip
    code, said = geozoo("md", *words, "steps=10")
    assert code == 0 and "temperature" in said and ("drift" in said) == (ensemble == "nve"), said
    frames = ase_io.read(tmp_path / "md" / "trajectory.xyz", ":")
    log = rows(tmp_path / "md" / "log.csv")
    assert [frame.info["step"] for frame in frames] == [0, 4, 8, 10]
    assert [int(row["step"]) for row in log] == [0, 4, 8, 10]
    assert all(row["pressure [GPa]"] for row in log)
    assert frames[-1].get_potential_energy() == pytest.approx(
        float(log[-1]["potential energy [eV]"]), abs=1e-7
    )
    page = (tmp_path / "md" / "report.html").read_text()
    assert "data:image/png" in page and f"<dd>{ensemble}</dd>" in page
    code, said = geozoo("md", *words, "steps=14", "resume=true")
    assert code == 0, said
    later = rows(tmp_path / "md" / "log.csv")
    assert [int(row["step"]) for row in later] == [0, 4, 8, 10, 12, 14]
    assert later[:4] == log
    if ensemble == "nve":
        totals = [float(row["total energy [eV]"]) for row in later]
        assert np.ptp(totals) < 0.05 * np.ptp([float(r["kinetic energy [eV]"]) for r in later])


def test_a_run_that_was_cut_off_goes_on_from_its_last_whole_frame(
    geozoo: Run, tmp_path: Path
) -> None:
    write("in.xyz", silicon())
    words = "input=in.xyz", "temperature=50", "every=2", "out=md", "ensemble=nve", "max_drift=1"
    assert geozoo("md", *words, "steps=8")[0] == 0
    path, log = tmp_path / "md" / "trajectory.xyz", tmp_path / "md" / "log.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    log.write_text(log.read_text() + "9,")
    code, said = geozoo("md", *words, "steps=10", "resume=true")
    assert code == 0, said
    assert [f.info["step"] for f in ase_io.read(path, ":")] == [0, 2, 4, 6, 8, 10]
    assert [int(row["step"]) for row in rows(log)] == [0, 2, 4, 6, 8, 10]
    assert path.read_bytes()[:500] == whole[:500]
    for change, message in (
        (("steps=10",), "already has 10 steps"),
        (("steps=20", "timestep=0.5"), "timestep must be 1 as before, got 0.5"),
        (("steps=20", "temperature=60"), "was begun with temperature 50.0 (now 60.0)"),
        (("steps=20", "dtype=float64"), "was begun with precision float32 (now float64)"),
    ):
        given = [word for word in words if word.split("=")[0] not in "".join(change)]
        code, said = geozoo("md", *given, "resume=true", *change)
        assert code == 1 and message in said, said
    code, said = geozoo("md", *words[:4], "steps=20", "resume=true")
    assert code == 1 and "was begun with ensemble nve (now nvt)" in said, said
    write("in.xyz", water())
    code, said = geozoo("md", *words, "steps=20", "resume=true")
    assert code == 1 and "are not those of" in said
    code, said = geozoo("md", "input=in.xyz", "out=nothing", "resume=true")
    assert code == 1 and "there is no trajectory.xyz with a log.csv in" in said


def test_atoms_that_fly_apart_end_with_step_and_atom(geozoo: Run, tmp_path: Path) -> None:
    write("in.xyz", silicon())
    words = "input=in.xyz", "temperature=300", "every=1", "out=md", "steps=50"
    code, said = geozoo("md", *words, "max_temperature=250", "ensemble=nve")
    assert code == 1 and "exceeds max_temperature=250" in said, said
    assert "Traceback" not in said
    (tmp_path / "md" / "log.csv").exists()
    code, said = geozoo(
        "md", *words[:-2], "out=hot", "steps=200", "timestep=40", "ensemble=nve", "max_drift=1e-4"
    )  # fmt: skip
    assert code == 1 and "max_drift=0.0001; the fastest is atom" in said, said
    last = ase_io.read(tmp_path / "hot" / "trajectory.xyz", -1)
    assert f"The last good frame is step {last.info['step']} in" in said
    assert np.isfinite(last.positions).all() and (tmp_path / "hot" / "report.html").is_file()


def test_vibrations_of_a_molecule_and_a_crystal(geozoo: Run, tmp_path: Path) -> None:
    write("water.xyz", water())
    write("silicon.xyz", silicon())
    code, said = geozoo("vibrations", "input=water.xyz", "chunk=4")
    assert code == 0 and "zero-point energy" in said and "6 translations and rotations" in said
    assert "warning: the force on atom" in said and "set relax=true" in said
    modes = ase_io.read(tmp_path / "water_vibrations" / "modes.xyz", ":")
    data = VibrationsData.read(tmp_path / "water_vibrations" / "vibrations.json")
    assert len(modes) == 3 and modes[0].arrays["mode"].shape == (3, 3)
    listed = [mode.info["frequency_cm-1"] for mode in modes]
    assert ("imaginary" in said) == (min(listed) < 0)
    both = np.concatenate([data.get_frequencies().real, -data.get_frequencies().imag])
    assert all(np.abs(both - each).min() < 1e-3 for each in listed)
    code, said = geozoo("vibrations", "input=silicon.xyz", "relax=true", "out=crystal")
    assert code == 0 and "3 translations and rotations" in said and "relaxed in" in said
    assert len(ase_io.read(tmp_path / "crystal" / "modes.xyz", ":")) == 9


def test_what_the_commands_refuse(geozoo: Run, tmp_path: Path) -> None:
    write("two.xyz", water(), water())
    write("carbon.xyz", water(), Atoms("CO", [[0, 0, 0], [0, 0, 1.2]]))
    flat = water()
    flat.set_cell([[5, 0, 0], [0, 5, 0], [0, 5, 0]])
    flat.pbc = True
    write("flat.xyz", flat)
    Path("empty.xyz").touch()
    sizes = other_task().spec.model_arguments() | OTHER_SIZES
    task = written(other_task(), tmp_path / "d", **sizes)
    for words, code, message in (
        (("md", "input=no.xyz"), 1, "input: there is no file"),
        (("md", "input=two.xyz"), 1, "contains 2 structures: choose one with frame=0 to frame=1"),
        (("vibrations", "input=two.xyz", "frame=2"), 1, "frame must be below 2"),
        (("relax", "input=carbon.xyz"), 1, "frame 1: atomic numbers must occur in the training"),
        (("relax", "input=flat.xyz"), 1, "volume"),
        (("relax", "input=two.xyz", "pressure=1"), 1, "pressure needs cell=true"),
        (("md", "input=two.xyz", "frame=0", "ensemble=npt"), 1, "periodic in three directions"),
        (("md", "input=two.xyz", "friction=1", "ensemble=nve"), 1, "friction needs ensemble=nvt"),
        (("md", "input=two.xyz", "pressure=1"), 1, "pressure needs ensemble=npt, got 1 and"),
        (("md", "input=two.xyz", "max_drift=1"), 1, "max_drift needs ensemble=nve"),
        (("vibrations", "input=two.xyz", "frame=0", "steps=9"), 1, "steps needs relax=true"),
        (("relax", "input=two.xyz", "fmax=inf"), 1, "fmax must be a positive force in eV/ang"),
        (("relax", "input=empty.xyz"), 1, "input: "),
        (("md", "input=two.xyz", "frame=0", "ensemble=nvx"), 2, "ensemble must be one of nve"),
        (("relax", "input=two.xyz", "optimizer=sgd"), 2, "optimizer must be one of lbfgs"),
        (("relax", "input=two.xyz", "out=no/where"), 1, "cannot be created: No such file"),
        (("relax", "checkpoint=nothing", "input=two.xyz"), 1, "no trained model 'nothing'"),
        (("relax", f"checkpoint={task}", "input=two.xyz"), 1, "model must be a potential"),
        (("relax",), 2, "missing: input="),
    ):
        found, said = geozoo(*words)
        assert found == code and message in said, (words, said)
        assert "Traceback" not in said
    assert not list(tmp_path.glob("*_md")) and not list(tmp_path.glob("*_relaxed"))


def test_a_long_time_step_is_warned_of(geozoo: Run) -> None:
    write("in.xyz", water())
    words = "input=in.xyz", "timestep=3", "steps=1", "temperature=1", "max_temperature=1e9"
    code, said = geozoo("md", *words)
    assert code == 0 and "timestep=3 fs is too long for vibrations of hydrogen" in said, said
