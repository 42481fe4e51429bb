"""LAMMPS stops where a potential of ours cannot give forces, and says why."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("ase")
pytest.importorskip("lammps")
from ase import Atoms
from ase.io import read
from lammps_samples import copper, instances, potential, water
from trained_samples import potential as without_cutoff

from geozoo.engines.lammps import LammpsStopped, attach
from geozoo.engines.lammps import start as start_lammps


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Makes LAMMPS instances, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    yield from instances()


def failing(found: Any, step: int) -> None:
    """Make the evaluation of a step fail."""
    evaluate = found.evaluator.evaluate

    def fail(*args: Any, **options: Any) -> Any:
        if found.evaluations == step:
            raise ValueError("no forces today")
        return evaluate(*args, **options)

    found.evaluator.evaluate = fail


@pytest.mark.parametrize("way", ["command", "commands_string", "file"])
def test_an_error_stops_the_run_in_the_same_step(
    start: Callable[..., Any], way: str, tmp_path: Path
) -> None:
    lmp = start(copper())
    found = attach(lmp, potential(), ["Cu"], keep="last.extxyz")
    failing(found, 5)
    script = "fix move all nve\ndump out all custom 1 dump.txt id x y z\nrun 20\nprint x file after"
    Path("in.script").write_text(script)
    with pytest.raises(LammpsStopped, match="no forces today.*step 4, written to last.extxyz") as e:
        if way == "command":
            for line in script.splitlines():
                lmp.command(line)
        else:
            getattr(lmp, way)("in.script" if way == "file" else script)
    assert isinstance(e.value.__cause__, ValueError)
    assert lmp.extract_global("ntimestep") == 5
    assert not Path("after").exists()
    assert Path("dump.txt").read_text().count("TIMESTEP") == 5
    frame = read("last.extxyz")
    assert isinstance(frame, Atoms)
    assert frame.info["step"] == 4 and found.last_frame is not None
    np.testing.assert_allclose(frame.positions, found.last_frame.pos, atol=1e-7)


def test_an_error_before_the_first_step(start: Callable[..., Any]) -> None:
    lmp = start(copper())
    failing(attach(lmp, potential(), ["Cu"]), 0)
    with pytest.raises(LammpsStopped, match="no forces today .before the first evaluation"):
        lmp.command("run 0")


def test_an_error_during_minimisation(start: Callable[..., Any]) -> None:
    lmp = start(copper())
    failing(attach(lmp, potential(), ["Cu"]), 3)
    with pytest.raises(LammpsStopped, match="no forces today"):
        lmp.command("minimize 0 1e-8 200 1000")


def test_an_interruption_reaches_the_user(start: Callable[..., Any]) -> None:
    lmp = start(copper())
    found = attach(lmp, potential(), ["Cu"])

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    found.evaluator.evaluate = interrupt  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        lmp.command("run 5")


def test_a_run_can_go_on_after_an_error(start: Callable[..., Any]) -> None:
    lmp = start(copper())
    found = attach(lmp, potential(), ["Cu"])
    lmp.command("fix move all nve")
    failing(found, 2)
    with pytest.raises(LammpsStopped):
        lmp.command("run 5")
    found.evaluations = 10
    lmp.command("run 3")
    assert found.evaluations == 14


@pytest.mark.parametrize("lost", [1, 3])
def test_atoms_that_fly_apart(start: Callable[..., Any], lost: int) -> None:
    atoms = water()
    atoms.set_velocities(50.0 * np.ones((3, 3)) * (np.arange(3) < lost)[:, None])
    lmp = start(atoms, boundary="f f f")
    attach(lmp, potential(), ["H", "O"])
    lmp.command("thermo_modify lost ignore")
    lmp.command("fix move all nve")
    with pytest.raises(LammpsStopped, match=f"{lost} of 3 atoms have left the box at step"):
        lmp.command("run 1000")


def test_forces_that_are_not_finite(start: Callable[..., Any]) -> None:
    model = potential()
    with torch.no_grad():
        for weight in model.model.parameters():
            weight.mul_(1e30)
    lmp = start(copper())
    attach(lmp, model, ["Cu"])
    with pytest.raises(LammpsStopped, match="is not finite"):
        lmp.command("run 0")


def test_bad_input_is_refused_by_name(start: Callable[..., Any]) -> None:
    lmp, model = start(copper()), potential()
    with pytest.raises(ValueError, match=r"'Au', an element absent from training.*H O Cu"):
        attach(lmp, model, ["Au"])
    with pytest.raises(ValueError, match="type 1 is 'Kupfer', no chemical symbol"):
        attach(lmp, model, ["Kupfer"])
    with pytest.raises(ValueError, match=r"each of the 1 atom types, got \['Cu', 'O'\]"):
        attach(lmp, model, ["Cu", "O"])
    with pytest.raises(ValueError, match=r"each of the 1 atom types, got 'Cu'"):
        attach(lmp, model, "Cu")
    attach(lmp, model, ["Cu"])
    with pytest.raises(ValueError, match="LAMMPS already has a fix 'geozoo'"):
        attach(lmp, model, ["Cu"])
    with pytest.raises(ValueError, match="units metal or real, got units lj"):
        attach(start(copper(), "lj"), model, ["Cu"])


def test_a_box_and_ids_must_exist() -> None:
    lmp = start_lammps(cmdargs=["-screen", "none", "-log", "none"])
    lmp.command("units metal")
    with pytest.raises(ValueError, match="must have a simulation box"):
        attach(lmp, potential(), ["Cu"])
    lmp.commands_list([
        "atom_modify id no", "region box block 0 9 0 9 0 9", "create_box 1 box",
        "create_atoms 1 single 1 1 1", "mass 1 63.546",
    ])  # fmt: skip
    attach(lmp, potential(), ["Cu"])
    with pytest.raises(LammpsStopped, match="got atom_modify id no"):
        lmp.command("run 0")
    lmp.close()


@pytest.mark.parametrize(
    ("setting", "message"),
    [("world_size", "single MPI rank, got 2"), ("dimension", "got dimension 2")],
)
def test_several_ranks_and_planes_are_refused(
    start: Callable[..., Any], setting: str, message: str
) -> None:
    lmp = start(copper())
    extract = lmp.extract_setting
    lmp.extract_setting = lambda name: 2 if name == setting else extract(name)
    with pytest.raises(ValueError, match=message):
        attach(lmp, potential(), ["Cu"])


def test_a_mass_of_another_element_is_warned_of(start: Callable[..., Any]) -> None:
    lmp = start(water())
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        attach(lmp, potential(), ["O", "H"])
    messages = [str(each.message) for each in found]
    assert "type 1 is O, of mass 16, but has mass 1.008" in messages[0] and len(messages) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attach(start(water()), potential(), ["H", "O"])


def test_a_periodic_box_needs_a_cutoff(start: Callable[..., Any]) -> None:
    lmp = start(water())
    attach(lmp, without_cutoff({"any_composition": True}), ["H", "O"])
    with pytest.raises(LammpsStopped, match="radius must be set for periodic structures"):
        lmp.command("run 0")
