"""QM9 for molecule generation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from qm9_samples import LOADER, write_qm9

from geozoo.data import QM9Generation


def molecules(root: Path, **options: object) -> QM9Generation:
    return QM9Generation(**{"loader": LOADER, "root": root, "split": "random", **options})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_qm9(tmp_path)
    return tmp_path


def test_fields_and_description(root: Path) -> None:
    pytest.importorskip("rdkit")
    module = molecules(root)
    batch = module.store.gather([1])  # C N H
    assert batch.x.tolist() == [[0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
    spec = module.spec
    assert (spec.in_channels, spec.out_channels, spec.out_vectors) == (7, 6, 1)
    assert spec.statistics["elements"] == [1, 6, 7, 8, 9]


def test_sizes_are_counted_in_the_training_part(root: Path) -> None:
    module = molecules(root, number="atomic_number")
    sizes = module.store.num_nodes[module.splits["train"]]
    assert module.spec.statistics["sizes"] == torch.bincount(sizes).tolist()


def test_number_behind_the_element(root: Path) -> None:
    numbers = molecules(root, number="atomic_number").store.gather([1]).x
    assert numbers[:, 5].tolist() == [6, 7, 1]
    assert molecules(root, number="none").store.gather([1]).x.shape == (3, 5)


def test_formal_charges_need_rdkit(root: Path) -> None:
    with pytest.raises(ValueError, match="number=formal_charge requires bonds=rdkit"):
        molecules(root, bonds="distance")
    with pytest.raises(ValueError, match="number must be one of formal_charge, atomic_number"):
        molecules(root, number="mass")
