"""The adapter layer: what engines ask of a potential."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from trained_samples import trained

pytest.importorskip("ase")
from ase import Atoms
from ase.build import bulk, molecule

import geozoo
from geozoo.data import GeometricSpec, structure_of
from geozoo.engines import PotentialEvaluator
from geozoo.engines._skin import SkinNeighbors
from geozoo.hub import Ensemble, TrainedModel
from geozoo.models import PaiNN
from geozoo.tasks import Potential, Terms


def potential(seed: int = 0, radius: float = 3.5, **options: Any) -> TrainedModel:
    torch.manual_seed(seed)
    spec = GeometricSpec(
        level="graph", dim=3, in_channels=3, out_channels=1, elements=(1, 8, 14), target="energy",
        units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={"energy_shift": 0.0, "energy_scale": 200.0},
    )  # fmt: skip
    model = PaiNN(3, 1, hidden_channels=8, num_layers=2, num_basis=6, radius=radius)
    return trained(Potential(model, spec, any_composition=True, **options))


def evaluator(model: Any = None, **options: Any) -> PotentialEvaluator:
    return PotentialEvaluator(potential() if model is None else model, dtype="float64", **options)


def silicon(pbc: Any = True, seed: int = 0) -> Atoms:
    rng = np.random.default_rng(seed)
    atoms = bulk("Si", a=4.8).repeat((2, 1, 1))
    atoms.positions += 0.1 * rng.normal(size=(len(atoms), 3))
    atoms.pbc = pbc
    return atoms


def water() -> Atoms:
    return molecule("H2O")


def evaluate(potential: PotentialEvaluator, atoms: Atoms) -> Any:
    cell = atoms.cell if atoms.pbc.any() else None
    return potential.evaluate(
        atoms.positions, atoms.numbers, cell, atoms.pbc if atoms.pbc.any() else None
    )


def test_a_potential_describes_itself() -> None:
    found = evaluator()
    assert (found.elements, found.cutoff, found.state_inputs) == ((1, 8, 14), 3.5, ())
    assert (found.dtype, str(found.device)) == (torch.float64, "cpu")


@pytest.mark.parametrize(
    "terms", [Terms(), Terms(zbl=True)], ids=["network", "with repulsion"]
)  # fmt: skip
@pytest.mark.parametrize("pbc", [True, [True, True, False], [False, True, False], False])
def test_the_virial_is_the_derivative_for_all_periodicities(pbc: Any, terms: Terms) -> None:
    found, atoms, step = evaluator(potential(terms=terms)), silicon(pbc), 1e-5
    result = evaluate(found, atoms)
    assert (result.stress is None) == (not np.all(pbc))
    if result.stress is not None:
        np.testing.assert_allclose(result.stress, -result.virial / atoms.get_volume(), atol=1e-14)
    for row, column in ((0, 0), (1, 1), (1, 2), (0, 2)):
        energies = []
        for sign in (1, -1):
            strain = np.zeros((3, 3))
            strain[row, column] += sign * step / 2
            strain[column, row] += sign * step / 2
            bent = atoms.copy()
            bent.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
            energies.append(evaluate(found, bent).energy)
        slope = (energies[0] - energies[1]) / (2 * step)
        assert slope == pytest.approx(-result.virial[row, column], abs=1e-8)


def test_many_structures_equal_one_by_one() -> None:
    found = evaluator(Ensemble([potential(0), potential(1)]))
    frames = [silicon(), water(), silicon([True, True, False], seed=1), silicon(seed=2)]
    together = found.evaluate_many([structure_of(atoms, "frame") for atoms in frames])
    for atoms, many in zip(frames, together, strict=True):
        one = evaluate(found, atoms)
        assert many.energy == pytest.approx(one.energy, abs=1e-12)
        np.testing.assert_allclose(many.forces, one.forces, atol=1e-12)
        np.testing.assert_allclose(many.virial, one.virial, atol=1e-11)
        assert (many.stress is None) == (one.stress is None) == (not atoms.pbc.all())
        np.testing.assert_allclose(many.spread["forces"], one.spread["forces"], atol=1e-12)
        np.testing.assert_allclose(many.spread["energy"], one.spread["energy"], atol=1e-12)


def tensors(frames: list[Atoms]) -> dict[str, torch.Tensor]:
    """Arguments of `evaluate_batch`."""
    return {
        "pos": torch.from_numpy(np.concatenate([atoms.positions for atoms in frames])),
        "numbers": torch.from_numpy(np.concatenate([atoms.numbers for atoms in frames])),
        "sizes": torch.tensor([len(atoms) for atoms in frames]),
        "cell": torch.from_numpy(np.stack([atoms.cell.array for atoms in frames])),
        "pbc": torch.from_numpy(np.stack([atoms.pbc for atoms in frames])),
    }


@pytest.mark.parametrize("all_isolated", [False, True])
def test_tensors_give_the_same_as_structures(all_isolated: bool) -> None:
    found = evaluator(Ensemble([potential(0), potential(1)]))
    frames = [water()] if all_isolated else [silicon(), silicon([True, True, False])]
    frames += [water(), water()]
    batch = found.evaluate_batch(**tensors(frames))
    many = found.evaluate_many([structure_of(atoms, "frame") for atoms in frames])
    ends = np.cumsum([0] + [len(atoms) for atoms in frames])
    assert ("stress" in batch) == (not all_isolated)
    for graph, one in enumerate(many):
        rows = slice(ends[graph], ends[graph + 1])
        np.testing.assert_allclose(batch["energy"][graph], one.energy, rtol=1e-13)
        np.testing.assert_allclose(batch["forces"][rows], one.forces, atol=1e-13)
        np.testing.assert_allclose(batch["forces_std"][rows], one.spread["forces"], atol=1e-13)
        np.testing.assert_allclose(batch["virial"][graph], one.virial, atol=1e-12)
        if one.stress is not None:
            np.testing.assert_allclose(batch["stress"][graph], one.stress, atol=1e-13)
        elif not all_isolated:
            assert batch["stress"][graph].isnan().all()


def test_bad_tensors_are_refused_by_name() -> None:
    found, good = evaluator(), tensors([water(), water()])
    for changes, message in (
        ({"pbc": torch.ones(2, 3, dtype=torch.bool), "cell": None}, "cell must be given"),
        ({"pbc": torch.ones(1, 3, dtype=torch.bool)}, r"pbc must have shape \(2, 3\)"),
        ({"charge": torch.zeros(3)}, r"charge must have shape \(2,\), got \(3,\)"),
        ({"pos": good["pos"] * torch.nan}, "pos must be finite"),
        ({"pos": good["pos"] * 0.01}, r"atoms \d and \d of structure 0 are 0.00\d+ angstrom apart"),
        ({"numbers": good["numbers"] + 1}, r"got \[2, 9\] \(He, F\)"),
        ({"numbers": good["numbers"] - 8}, r"got \[-7, 0\]"),
        ({"sizes": torch.tensor([3, 2])}, "sizes must add up to the 6 atoms of pos, got 5"),
        ({"numbers": good["numbers"][:5]}, r"numbers must have shape \(6,\), got \(5,\)"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            found.evaluate_batch(**{**good, **changes})


def test_arrays_and_atoms_give_the_same() -> None:
    model, atoms = potential(), silicon()
    atoms.calc = geozoo.calculator(model, dtype="float64")
    found = evaluate(evaluator(model), atoms)
    assert atoms.get_potential_energy() == pytest.approx(found.energy, abs=1e-12)
    np.testing.assert_allclose(atoms.get_forces(), found.forces, atol=1e-12)
    np.testing.assert_allclose(atoms.get_stress(voigt=False), found.stress, atol=1e-14)


def test_kept_neighbours_follow_a_cell_that_changes_slowly() -> None:
    kept, fresh, atoms = evaluator(skin=1.0), evaluator(skin=0.0), silicon()
    rng = np.random.default_rng(3)
    for step in range(20):
        strain = np.eye(3) + (0.15 if step == 15 else 0.003) * rng.normal(size=(3, 3))
        atoms.set_cell(atoms.cell @ strain, scale_atoms=True)
        atoms.positions += 0.01 * rng.normal(size=(len(atoms), 3))
        one, two = evaluate(kept, atoms), evaluate(fresh, atoms)
        assert one.energy == pytest.approx(two.energy, abs=1e-11)
        np.testing.assert_allclose(one.virial, two.virial, atol=1e-10)
    assert kept.neighbors is not None and fresh.neighbors is not None
    assert kept.neighbors.searches < 8 < fresh.neighbors.searches


def test_atoms_that_a_program_wraps_keep_their_neighbours() -> None:
    kept, fresh, atoms = evaluator(skin=1.0), evaluator(skin=0.0), silicon()
    rng = np.random.default_rng(4)
    evaluate(kept, atoms)
    for _ in range(6):
        atoms.positions += 0.01 * rng.normal(size=(len(atoms), 3))
        atoms.set_cell(atoms.cell * (1 + 0.001 * rng.normal()), scale_atoms=True)
        atoms.positions += rng.integers(-2, 3, (len(atoms), 3)) @ atoms.cell.array
        one, two = evaluate(kept, atoms), evaluate(fresh, atoms)
        assert one.energy == pytest.approx(two.energy, abs=1e-11)
        np.testing.assert_allclose(one.forces, two.forces, atol=1e-11)
        np.testing.assert_allclose(one.virial, two.virial, atol=1e-10)
    assert kept.neighbors is not None and kept.neighbors.searches == 1


def test_compression_uses_up_the_skin() -> None:
    pos = torch.tensor([[0.0, 0.0, 0.0], [4.6, 0.0, 0.0]]).double()
    cell, pbc = 20 * torch.eye(3).double()[None], torch.ones(1, 3).bool()
    skin = SkinNeighbors(3.5, 1.0)
    skin.table(pos, cell, pbc)
    for scale, searches in ((0.80, 1), (0.77, 2)):
        table = skin.table(pos * scale, cell * scale, pbc)
        assert skin.searches == searches
        assert table.index.shape[1] == (4.6 * scale < 3.5)


def test_bad_input_is_refused_by_name() -> None:
    found, atoms = evaluator(), water()
    with pytest.raises(ValueError, match="cell must be given with periodic directions"):
        found.evaluate(atoms.positions, atoms.numbers, pbc=True)
    with pytest.raises(ValueError, match="pos contains NaN"):
        found.evaluate(atoms.positions * np.nan, atoms.numbers)
    with pytest.raises(ValueError, match=r"got \[6\] \(C\)"):
        found.evaluate(atoms.positions, [6, 1, 1])
    with pytest.raises(ValueError, match=r"zero volume"):
        found.evaluate(atoms.positions, atoms.numbers, np.ones((3, 3)))
    with pytest.raises(ValueError, match="atoms 0 and 1 are 0 angstrom apart"):
        found.evaluate(0 * atoms.positions, atoms.numbers)
    with pytest.raises(ValueError, match='dtype must be "float32"'):
        PotentialEvaluator(potential(), dtype="float16")


def test_results_that_are_not_numbers_are_refused() -> None:
    model = potential()
    with torch.no_grad():
        for weight in model.model.parameters():
            weight.mul_(1e30)
    found, atoms = PotentialEvaluator(model), silicon()
    with pytest.raises(ValueError, match=r"the (energy|force on atom \d+) is not finite"):
        evaluate(found, atoms)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"numbers": [8.5, 1, 1]}, "numbers must be whole atomic numbers, got"),
        ({"numbers": ["O", "H", "H"]}, "numbers must be atomic numbers, got"),
        ({"numbers": [float("nan"), 1, 1]}, "numbers must be whole atomic numbers, got"),
        ({"numbers": [8, 1]}, r"pos must have the shape \(2, 3\) of 2 numbers, got \(3, 3\)"),
        ({"pos": [0.0, 0.0, 1.0]}, r"pos must have the shape \(3, 3\)"),
        ({"pbc": "TTF", "cell": 10 * np.eye(3)}, "pbc must be one truth value or three"),
        ({"pbc": [True, False], "cell": 10 * np.eye(3)}, "pbc must be one truth value or three"),
        ({"pbc": True}, "cell must be given with periodic directions"),
    ],
)
def test_arrays_of_a_structure_are_checked(changes: dict[str, Any], message: str) -> None:
    evaluator, atoms = PotentialEvaluator(potential(), any_composition=True), water()
    given = {"pos": atoms.positions, "numbers": atoms.numbers, **changes}
    for evaluate in (evaluator.evaluate, evaluator.hessian):
        with pytest.raises(ValueError, match=message):
            evaluate(**given)


def test_atoms_of_a_hessian_are_whole_numbers() -> None:
    evaluator, atoms = PotentialEvaluator(potential(), any_composition=True), water()
    with pytest.raises(ValueError, match=r"atoms must be numbers from 0 to 2, got \[1.5\]"):
        evaluator.hessian(atoms.positions, atoms.numbers, atoms=[1.5])
