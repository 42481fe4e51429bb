"""Structures around a few given ones, near duplicates, and the split by trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ase")
from ase import Atoms
from ase.build import fcc111, molecule
from tiny_teachers import silicon, teacher, water

from geozoo.engines import PotentialEvaluator
from geozoo.teaching import (
    SamplingPlan,
    reference_energies,
    sample_structures,
    screened,
    split_by_path,
)

SMALL = {
    "rattled": 6, "strained": 4, "temperatures": (5.0,), "trajectories": 3, "frames": 2,
    "steps": 2, "timestep": 25.0, "closest": 0.3,
}  # fmt: skip


def plan(**changes: Any) -> SamplingPlan:
    return SamplingPlan(**{**SMALL, **changes})


def sampled(folder: Path, given: list[Atoms] | None = None, **changes: Any) -> list[Atoms]:
    frames = [silicon(), silicon(1)] if given is None else given
    return sample_structures(frames, PotentialEvaluator(teacher()), plan(**changes), folder)


def test_every_kind_is_sampled_as_planned(tmp_path: Path) -> None:
    found = sampled(tmp_path)
    kinds = [atoms.info["sampled"] for atoms in found]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "rattled": 6, "strained": 4, "md 5 K": 3 * 2,
    }  # fmt: skip
    assert len({atoms.info["path"] for atoms in found}) == 6 + 4 + 3
    for atoms in found:
        if atoms.info["sampled"] == "strained":
            assert abs(atoms.get_volume() / silicon().get_volume() - 1) > 1e-5


def test_a_seed_determines_all_and_another_one_changes_all(tmp_path: Path) -> None:
    one, two = sampled(tmp_path / "a"), sampled(tmp_path / "b")
    other = sampled(tmp_path / "c", seed=1)
    for a, b, c in zip(one, two, other, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
        assert np.abs(a.positions - c.positions).max() > 1e-4


def test_an_interrupted_sampling_gives_the_same(tmp_path: Path) -> None:
    before = sampled(tmp_path)
    (tmp_path / "md_5K_1.xyz").unlink()
    kept = (tmp_path / "md_5K_0.xyz").stat().st_mtime_ns
    for a, b in zip(before, sampled(tmp_path), strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
    assert (tmp_path / "md_5K_0.xyz").stat().st_mtime_ns == kept


def test_dynamics_are_hotter_at_a_higher_temperature(tmp_path: Path) -> None:
    found = sampled(
        tmp_path, [silicon()], temperatures=(5.0, 80.0), rattled=0, strained=0, frames=6
    )
    moved = {
        kelvin: np.mean([
            np.square(a.get_distance(0, 1, mic=True) - silicon().get_distance(0, 1, mic=True))
            for a in found if a.info["sampled"] == f"md {kelvin} K"
        ])
        for kelvin in (5, 80)
    }  # fmt: skip
    assert moved[80] > 2 * moved[5]


def test_molecules_are_displaced_and_not_strained(tmp_path: Path) -> None:
    found = sampled(tmp_path, [silicon(), water()], temperatures=())
    sizes = [(atoms.info["sampled"], len(atoms)) for atoms in found]
    assert sizes.count(("rattled", 3)) == 3 and sizes.count(("strained", 2)) == 4


def test_slabs_are_strained_in_their_plane_only(tmp_path: Path) -> None:
    slab = fcc111("Si", (1, 1, 2), a=5.0, vacuum=5.0)
    for atoms in sampled(tmp_path, [slab], temperatures=(), rattle=0.0, rattled=0):
        assert atoms.cell[2] == pytest.approx(slab.cell[2])
        assert np.abs(atoms.cell[:2] - slab.cell[:2]).max() > 1e-3


def test_trajectories_end_where_atoms_come_too_close(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = sampled(tmp_path, [water()], closest=1.5, rattled=3)
    assert found == []
    assert "atoms are closer than closest=1.5" in caplog.text
    assert "3 of 3 structures were given up" in caplog.text


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"trajectories": 2}, "trajectories must be at least 3"),
        ({"rattled": 1}, "rattled must be at least 3"),
        ({"temperatures": (300.0, 300.0)}, "temperatures must differ"),
        ({"temperatures": (0.0,)}, "temperatures must be a number greater than 0"),
        ({"rattle": -0.1}, "rattle must be a number at least 0"),
        ({"rattled": 0, "strained": 0, "temperatures": ()}, "nothing to sample"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        plan(**changes)


def turned(atoms: Atoms) -> Atoms:
    atoms = atoms.copy()
    atoms.rotate(40, (1, 2, 3), rotate_cell=True)
    atoms.positions += 1.7
    return atoms


@pytest.mark.parametrize("atoms", [silicon(), water()], ids=["crystal", "molecule"])
def test_near_duplicates_are_found_however_they_are_turned(atoms: Atoms) -> None:
    near, far = turned(atoms), atoms.copy()
    near.positions[0] += 1e-4
    far.positions[0] += 0.1
    found = screened([atoms, near, far, atoms], duplicate=0.005, closest=0.5)
    assert (found.kept, found.duplicates, found.close) == ([0, 2], 2, 0)
    assert screened([near, far], duplicate=0.005, closest=0.5, before=[atoms]).kept == [1]


def test_close_atoms_are_found_through_the_boundary() -> None:
    atoms = Atoms("Si2", [[0.1, 0, 0], [9.5, 0, 0]], cell=[10, 10, 10], pbc=True)
    assert screened([atoms], duplicate=0, closest=0.6).close == 1
    atoms.pbc = False
    assert screened([atoms], duplicate=0, closest=0.6).close == 0


def paths(counts: dict[str, int], frames: int) -> list[Atoms]:
    return [
        Atoms("H", info={"sampled": kind, "path": f"{kind}{number}"})
        for kind, count in counts.items()
        for number in range(count)
        for _ in range(frames)
    ]


def test_no_trajectory_is_in_two_parts() -> None:
    frames = paths({"md 300 K": 5, "md 600 K": 3, "rattled": 30, "rare": 2}, 4)
    parts = split_by_path(frames, seed=0)
    of: dict[str, set[str]] = {}
    for atoms, part in zip(frames, parts, strict=True):
        of.setdefault(atoms.info["path"], set()).add(part)
    assert all(len(each) == 1 for each in of.values())
    for kind in ("md 300 K", "md 600 K", "rattled"):
        assert set().union(*(of[p] for p in of if p.startswith(kind))) == {"train", "val", "test"}
    assert of["rare0"] == of["rare1"] == {"train"}
    with pytest.raises(ValueError, match="no structures are left for test, val"):
        split_by_path(paths({"md 300 K": 2}, 4), seed=0)


def test_references_follow_from_the_compositions() -> None:
    potential = PotentialEvaluator(teacher())
    assert reference_energies(potential, [silicon()]).energies is None  # one element: a fit does
    found = reference_energies(potential, [water()])
    assert found.energies is not None and "isolated atoms" in found.reason
    alone = potential.evaluate(np.zeros((1, 3)), [8]).energy
    assert found.energies["O"] == pytest.approx(alone)
    assert reference_energies(potential, [water(), molecule("O2")]).energies is None
    assert reference_energies(potential, [silicon()], "isolated").energies is not None
    assert reference_energies(potential, [water()], "fitted").energies is None
