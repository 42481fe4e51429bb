"""Evaluation of generated molecules."""

import pytest
import torch

from geozoo.metrics import WeightedMeans, generation_scores, molecule_bonds, molecule_smiles

METHANE = (
    [6, 1, 1, 1, 1],
    [[0, 0, 0], [0.629, 0.629, 0.629], [-0.629, -0.629, 0.629], [-0.629, 0.629, -0.629],
     [0.629, -0.629, -0.629]],
)  # fmt: skip
METHYL = (METHANE[0][:4], METHANE[1][:4])
CYANIDE = ([6, 7, 1], [[0, 0, 0], [0, 0, 1.153], [0, 0, -1.065]])
#: Methane and a fluorine molecule, far apart in one sample.
PIECES = ([*METHANE[0], 9, 9], [*METHANE[1], [9, 9, 9], [9, 9, 10.41]])
#: A carbon with five neighbours.
CROWDED = ([6, 1, 1, 1, 1, 1], [*METHANE[1], [0, 0, 1.09]])


def batch_of(*molecules):
    z = torch.tensor([number for numbers, _ in molecules for number in numbers])
    pos = torch.tensor([row for _, rows in molecules for row in rows], dtype=torch.float64)
    sizes = torch.tensor([len(numbers) for numbers, _ in molecules])
    return pos, z, torch.repeat_interleave(torch.arange(len(molecules)), sizes), len(molecules)


def test_stability_of_atoms_and_molecules():
    bonds = molecule_bonds(*batch_of(METHANE, METHYL, CYANIDE))
    assert bonds.stable.tolist() == [True, False, True]
    assert bonds.stable_atoms.tolist() == [True] * 5 + [False, True, True, True] + [True] * 3
    assert sorted(bonds.order.tolist()) == [1] * 8 + [3]


def test_no_bonds_between_molecules():
    alone = molecule_bonds(*batch_of(METHANE))
    twice = molecule_bonds(*batch_of(METHANE, METHANE))
    assert twice.pairs.shape[1] == 2 * alone.pairs.shape[1]
    assert twice.stable.all()


def test_smiles_of_valid_molecules_are_canonical():
    pytest.importorskip("rdkit")
    found = molecule_smiles(*batch_of(METHANE, CYANIDE, CROWDED))
    assert found == ["C", "C#N", None]


def test_smiles_use_largest_fragment():
    pytest.importorskip("rdkit")
    assert molecule_smiles(*batch_of(PIECES)) == ["C"]


def test_scores():
    scores = generation_scores(["C", "C", None, "O", "N"], {"O", "F"})
    assert scores == {
        "validity": 80.0,
        "uniqueness": 75.0,
        "valid_unique": 60.0,
        "novelty": pytest.approx(100 * 2 / 3),
    }
    assert generation_scores([None], set()) == dict.fromkeys(scores, 0.0)
    assert "novelty" not in generation_scores(["C"], None)


def test_stability_of_qm9_matches_published_values(shared_folder):
    """Stability of QM9 itself: 99.0 % of the atoms and 95.2 % of the molecules."""
    import numpy as np

    folder = shared_folder / "data" / "molecules" / "qm9"
    with np.load(folder / "qm9_geometry.npz") as file:
        sizes = torch.from_numpy(file["n_atoms"].astype(np.int64))
        z = torch.from_numpy(file["atomic_numbers"].astype(np.int64))
        pos = torch.from_numpy(file["pos_e6"] * 1e-6)
    chosen = torch.arange(0, len(sizes), 20)
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])[chosen]
    rows = torch.cat([torch.arange(s, s + n) for s, n in zip(starts, sizes[chosen], strict=True)])
    batch = torch.repeat_interleave(torch.arange(len(chosen)), sizes[chosen])
    bonds = molecule_bonds(pos[rows], z[rows], batch, len(chosen))
    assert 100 * bonds.stable.double().mean().item() == pytest.approx(95.2, abs=0.6)
    assert 100 * bonds.stable_atoms.double().mean().item() == pytest.approx(99.2, abs=0.4)


def test_weighted_means_and_reset():
    means = WeightedMeans(["a", "b"])
    means.update({"a": torch.tensor([1.0, 4.0])}, {"a": torch.tensor([3.0, 1.0])})
    means.update({"a": torch.tensor([10.0])}, {"a": torch.tensor([4.0])})
    assert means.compute() == {"a": pytest.approx(47 / 8)}
    means.reset()
    assert means.compute() == {}
    with pytest.raises(KeyError):
        means.update({"c": torch.ones(1)}, {"c": torch.ones(1)})
