"""QM9 models on molecules from files: same inputs and predictions as for the dataset."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
import torch
from trained_samples import SIZES, trained

from geozoo.data import GeometricSpec, GraphStore, Structure, read_structures
from geozoo.hub import TrainedModel, load
from geozoo.hub.structures import predict_store, structure_store
from geozoo.models import Ponita
from geozoo.options import in_groups
from geozoo.tasks import Regression

sys.path.insert(0, str(Path(__file__).parents[1]))
from qm9_samples import MOLECULES, qm9, write_qm9


def regression(spec: GeometricSpec) -> TrainedModel:
    torch.manual_seed(0)
    return trained(Regression(Ponita(**in_groups(Ponita, spec.model_arguments() | SIZES)), spec))


def xyz(path: Path, store: GraphStore, index: torch.Tensor) -> Path:
    """Graphs of a store, translated."""
    batch = store.gather(index)
    frames = [
        ase.Atoms(each["z"].numpy(), each["pos"].double().numpy() + 3.0)
        for each in batch.graphs()
    ]  # fmt: skip
    ase.io.write(path, frames, format="extxyz")
    return path


def sdf(path: Path, store: GraphStore, index: torch.Tensor, smiles: list[str]) -> Path:
    """The same, with bonds that RDKit derives from SMILES and one bond for each hydrogen."""
    chem = pytest.importorskip("rdkit.Chem")
    writer = chem.SDWriter(str(path))
    for each, text in zip(store.gather(index).graphs(), smiles, strict=True):
        z, pos = each["z"].numpy(), each["pos"].double().numpy()
        skeleton = chem.MolFromSmiles(text)
        chem.Kekulize(skeleton, clearAromaticFlags=True)
        heavy = np.flatnonzero(z > 1)
        made = chem.RWMol()
        for number in z.tolist():
            made.AddAtom(chem.Atom(number))
        for atom in skeleton.GetAtoms():
            place = int(heavy[atom.GetIdx()])
            made.GetAtomWithIdx(place).SetFormalCharge(atom.GetFormalCharge())
        for bond in skeleton.GetBonds():
            ends = (int(heavy[bond.GetBeginAtomIdx()]), int(heavy[bond.GetEndAtomIdx()]))
            made.AddBond(*ends, bond.GetBondType())
        for place in np.flatnonzero(z == 1).tolist():
            nearest = heavy[np.linalg.norm(pos[heavy] - pos[place], axis=1).argmin()]
            made.AddBond(place, int(nearest), chem.BondType.SINGLE)
        conformer = chem.Conformer(len(z))
        conformer.SetPositions(pos)
        made.AddConformer(conformer)
        writer.write(made)
    writer.close()
    return path


CASES = [
    ("pyg", "complete", "rdkit", "xyz"), ("pyg", "complete", "rdkit", "sdf"),
    ("pyg", "bonds", "rdkit", "sdf"), ("chemistry", "bonds", "rdkit", "sdf"),
    ("chemistry", "complete", "rdkit", "sdf"), ("elements", "complete", "rdkit", "xyz"),
    ("pyg", "bonds", "distance", "xyz"), ("elements", "bonds", "distance", "sdf"),
]  # fmt: skip


@pytest.mark.parametrize(("features", "edges", "bonds", "kind"), CASES)
def test_file_molecules_have_same_inputs_as_dataset(features, edges, bonds, kind, tmp_path):
    pytest.importorskip("rdkit")
    write_qm9(tmp_path)
    data = qm9(tmp_path, target="homo", features=features, edges=edges, bonds=bonds)
    index = torch.arange(len(data.store))
    numbers = data.store.graph["number"].tolist()
    if kind == "xyz":
        path = xyz(tmp_path / "in.xyz", data.store, index)
    else:
        smiles = [MOLECULES[number % 4][2] for number in numbers]
        path = sdf(tmp_path / "in.sdf", data.store, index, smiles)
    model = regression(data.spec)
    store = structure_store(model.spec, read_structures(path))
    mine, theirs = store.gather(index), data.store.gather(index)
    assert torch.equal(mine.x, theirs.x)
    assert ("edge_index" in mine) == (edges == "bonds")
    if edges == "bonds":
        pairs = [set(map(tuple, each.edge_index.T.tolist())) for each in (mine, theirs)]
        assert pairs[0] == pairs[1] and len(pairs[0]) == theirs.edge_index.shape[1]
    found = predict_store(model, store)["homo"]
    torch.testing.assert_close(found, predict_store(model, data.store)["homo"], rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("features", "edges", "message"),
    [
        ("chemistry", "complete", "trained on RDKit's hybridisation and aromaticity"),
        ("pyg", "bonds", "trained on bonds as edges .*Use an SDF file"),
    ],
)
def test_required_bonds_raise_if_not_given(features, edges, message, tmp_path):
    pytest.importorskip("rdkit")
    write_qm9(tmp_path)
    data = qm9(tmp_path, features=features, edges=edges, bonds="rdkit")
    path = xyz(tmp_path / "in.xyz", data.store, torch.arange(3))
    with pytest.raises(ValueError, match=f"molecule 0 has no bonds: the model was {message}"):
        structure_store(data.spec, read_structures(path))


def test_element_outside_qm9_raises() -> None:
    spec = load("ponita-qm9_homo").spec
    thiol = Structure(np.array([16, 1, 1]), np.array([[0.0, 0, 0], [1.3, 0, 0], [0, 1.3, 0]]))
    with pytest.raises(ValueError, match=r"molecule 0 has the atomic numbers 16 \(S\).*9 \(F\)"):
        structure_store(spec, [thiol])


def test_hydrogens_without_bonds_are_reported() -> None:
    spec = load("ponita-qm9_homo").spec
    far = Structure(np.array([8, 1, 1]), np.array([[0.0, 0, 0], [0.96, 0, 0], [0, 2.5, 0]]))
    with pytest.warns(
        UserWarning, match="hydrogen counts by nearest heavy atom and by bond length"
    ):
        assert structure_store(spec, [far]).node["x"][:, -1].tolist() == [2, 0, 0]


def test_hydrogens_without_positions_are_reported(tmp_path: Path) -> None:
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import AllChem

    molecule = chem.AddHs(chem.MolFromSmiles("CO"))
    AllChem.EmbedMolecule(molecule, randomSeed=0)
    with chem.SDWriter(str(tmp_path / "in.sdf")) as writer:
        writer.write(chem.RemoveHs(molecule))
    with pytest.warns(UserWarning, match="molecules have implicit hydrogens"):
        assert read_structures(tmp_path / "in.sdf")[0].numbers.tolist() == [6, 8]


def test_two_dimensional_drawing_raises(tmp_path: Path) -> None:
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import AllChem

    water = chem.AddHs(chem.MolFromSmiles("O"))
    for flat in (True, False):
        if flat:
            AllChem.Compute2DCoords(water)
        else:  # flat in space
            conformer = chem.Conformer(3)
            conformer.SetPositions(np.array([[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]))
            water.RemoveAllConformers()
            water.AddConformer(conformer)
        with chem.SDWriter(str(tmp_path / f"{flat}.sdf")) as writer:
            writer.write(water)
    with pytest.raises(ValueError, match=r"molecule 0 of .*True.sdf is a 2D drawing"):
        read_structures(tmp_path / "True.sdf")
    assert len(read_structures(tmp_path / "False.sdf")[0].numbers) == 3


@pytest.mark.thorough
def test_shipped_model_predicts_same_for_files_and_dataset(
    shared_folder: Path, tmp_path: Path
) -> None:
    tool = shared_folder / "tools" / "official_layouts.py"
    words = ["--out", str(tmp_path), "qm9", "--qm9-limit", "300"]
    subprocess.run([sys.executable, str(tool), *words], check=True, capture_output=True)
    data = qm9(tmp_path, target="homo", bonds="distance")
    model = load("ponita-qm9_homo")
    expected = predict_store(model, data.store)["homo"]
    index = torch.arange(len(data.store))
    source, table = xyz(tmp_path / "in.xyz", data.store, index), tmp_path / "out.csv"
    words = ["checkpoint=ponita-qm9_homo", f"input={source}", f"out={table}"]
    subprocess.run([sys.executable, "-m", "geozoo.cli.main", "predict", *words], check=True)
    rows = csv.DictReader(table.read_text().splitlines())
    found = torch.tensor([float(row["homo [meV]"]) for row in rows], dtype=torch.float64)
    torch.testing.assert_close(found, expected.double(), rtol=1e-5, atol=0)
    if pytest.importorskip("rdkit"):
        smiles = _smiles(shared_folder, len(data.store))
        path = sdf(tmp_path / "in.sdf", data.store, index, smiles)
        found = predict_store(model, structure_store(model.spec, read_structures(path)))["homo"]
        # an SDF file holds four decimals of an angstrom
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=0)


def _smiles(shared_folder: Path, count: int) -> list[str]:
    import gzip

    path = shared_folder / "data" / "molecules" / "qm9" / "qm9_smiles.txt.gz"
    with gzip.open(path, "rt") as file:
        return [next(file).strip() for _ in range(count)]
