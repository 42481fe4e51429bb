"""Molecules that a model was trained on are never novel."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from qm9_samples import write_qm9

from geozoo.data import LoaderOptions, QM9Generation, data_folder, rotate_batch
from geozoo.metrics import WeightedMeans, generation_scores, molecule_smiles
from geozoo.tasks._sampled_scores import SAMPLED_MEASURES, add_scores, training_smiles

pytest.importorskip("rdkit")


def data_of(root: Path, **loader: int) -> QM9Generation:
    data = QM9Generation(
        root=root, split="random", loader=LoaderOptions(batch_size=4, **loader), download=False
    )
    data.prepare_data()
    data.setup("fit")
    return data


def given_otherwise(data: QM9Generation, part: torch.Tensor) -> tuple:
    """Molecules with their atoms in another order, turned and moved."""
    generator = torch.Generator().manual_seed(1)
    batch = data.store.gather(part)
    turns = torch.linalg.qr(torch.randn(len(part), 3, 3, generator=generator)).Q
    pos = rotate_batch(batch, turns, ["pos"]).pos + 10 * torch.rand(3, generator=generator)
    keys = batch.batch + torch.rand(len(pos), generator=generator)
    order = keys.argsort()
    return pos[order], batch.z[order], batch.batch, len(part)


def test_training_molecules_are_known(tmp_path: Path) -> None:
    write_qm9(tmp_path)
    data = data_of(tmp_path)
    means = WeightedMeans(SAMPLED_MEASURES)
    known = training_smiles(data)
    add_scores(means, molecule_smiles(*given_otherwise(data, data.splits["train"])), known)
    assert means.compute()["novelty"] == 0.0
    assert means.compute()["validity"] == 100.0


def test_the_reference_is_what_num_train_leaves(tmp_path: Path) -> None:
    write_qm9(tmp_path)
    whole, one = training_smiles(data_of(tmp_path)), training_smiles(data_of(tmp_path, num_train=1))
    assert len(one) == 1 and one < whole


def test_fragments_of_equal_size_do_not_depend_on_the_order_of_atoms() -> None:
    water = [[0, 0, 0.1173], [0, 0.7572, -0.4692], [0, -0.7572, -0.4692]]
    cyanide = [[9, 0, 0], [9, 0, 1.153], [9, 0, -1.065]]
    pos = torch.tensor(water + cyanide)
    z = torch.tensor([8, 1, 1, 6, 7, 1])
    batch = torch.zeros(6, dtype=torch.int64)
    turned = torch.tensor([3, 4, 5, 0, 1, 2])
    assert molecule_smiles(pos, z, batch, 1) == molecule_smiles(pos[turned], z[turned], batch, 1)


def test_invalid_training_molecules_make_nothing_novel_or_known() -> None:
    assert generation_scores([None, "C"], {"C"})["novelty"] == 0.0


@pytest.mark.thorough
def test_training_molecules_of_qm9_are_known() -> None:
    if not (data_folder("qm9") / "dsgdb9nsd.xyz.tar.bz2").is_file():
        pytest.skip("needs QM9")
    data = QM9Generation(loader=LoaderOptions(batch_size=4), download=False)
    data.prepare_data()
    data.setup("fit")
    part = data.splits["train"][:2000]
    batch = data.store.gather(part)
    known = set(molecule_smiles(batch.pos, batch.z, batch.batch, len(part)))
    scores = generation_scores(molecule_smiles(*given_otherwise(data, part)), known)
    assert scores["novelty"] == 0.0 and scores["validity"] > 95.0
