"""Molecules with properties in files of one's own: formats, kinds, splits, and refusals."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from geozoo.data import DataRecord, DataSpec, LoaderOptions, Molecules

pytest.importorskip("ase")
from property_samples import (  # noqa: E402
    OF_ELEMENT,
    molecules,
    write_esol,
    write_flat,
    write_qm7,
    write_sdf,
    write_xyz,
)

LOADER = LoaderOptions(batch_size=4)
SOLUBILITY = "measured log solubility in mols per litre"


def data_of(path: Path, targets: object, **options: object) -> Molecules:
    return Molecules(path=path, targets=targets, loader=LOADER, **options)


def refusal(path: Path, targets: object, **options: object) -> str:
    with pytest.raises(ValueError) as error:
        data_of(path, targets, **options).setup()
    return str(error.value)


def test_several_numbers_of_an_xyz_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    data = data_of(write_xyz(tmp_path), ["u0", "gap"], units={"gap": "eV"})
    spec, store = data.spec, data.store
    assert (spec.out_channels, spec.out_vectors, spec.level) == (2, 0, "graph")
    assert spec.targets == ("u0", "gap") and spec.target == "u0"
    assert (spec.units["u0"], spec.units["gap"]) == ("1", "eV")
    frames = molecules()
    assert store.graph["gap"].tolist() == pytest.approx([a.info["gap"] for a in frames])
    assert store.node["z"].tolist() == [z for a in frames for z in a.numbers]
    # The total of elements is found, a number that does not depend on them is not.
    assert "gap_references" not in spec.statistics
    fitted = dict(zip(spec.elements, spec.statistics["u0_references"], strict=True))
    water = 2 * fitted[1] + fitted[8] + spec.statistics["u0_shift"]
    assert water == pytest.approx(2 * OF_ELEMENT[1] + OF_ELEMENT[8], abs=0.2)
    assert 0.05 < spec.statistics["u0_scale"] < 0.2
    assert "targets: one number per molecule" in caplog.text
    assert "u0: the composition explains 99.9 % of the variance" in caplog.text
    assert "targets without a unit: u0" in caplog.text
    assert DataSpec.from_dict(spec.to_dict()) == spec
    assert DataRecord.from_dict(spec.record.to_dict()) == spec.record


def test_references_can_be_chosen(tmp_path: Path) -> None:
    path = write_xyz(tmp_path)
    statistics = data_of(path, "u0", references="none").spec.statistics
    assert "u0_references" not in statistics and statistics["u0_scale"] > 3
    assert "gap_references" in data_of(path, "gap", references="atoms").spec.statistics


def test_vectors_and_atoms_and_classes_are_told_by_the_data(tmp_path: Path) -> None:
    path = write_xyz(tmp_path)
    vector, atoms, classes = (data_of(path, name) for name in ("mu", "q", "colour"))
    assert (vector.spec.out_channels, vector.spec.out_vectors) == (0, 1)
    assert "mu" in vector.spec.vector_fields and vector.store.graph["mu"].shape == (30, 3)
    assert (atoms.spec.level, atoms.spec.out_channels) == ("node", 1)
    assert atoms.store.node["q"].shape == (sum(map(len, molecules())),)
    assert classes.spec.statistics["classes"] == ["blue", "red"]
    assert classes.store.graph["colour"].tolist() == [n % 2 == 0 for n in range(30)]
    kinds = [each.spec.record.properties.target_kind for each in (vector, atoms, classes)]
    assert kinds == ["vector", "atoms", "classes"]


def test_layouts_of_arrays(tmp_path: Path) -> None:
    padded = data_of(write_qm7(tmp_path), ["T"], reading={"length_unit": "bohr"})
    flat = data_of(write_flat(tmp_path), ["u0"])
    assert padded.store.graph["T"].tolist() == pytest.approx(flat.store.graph["u0"].tolist())
    assert torch.allclose(padded.store.node["pos"], flat.store.node["pos"], atol=1e-5)
    assert torch.equal(padded.store.num_nodes, flat.store.num_nodes)
    bohr = {"length_unit": "bohr"}
    of_atoms = [
        data_of(tmp_path / "qm7.npz", "q", reading=bohr),
        data_of(tmp_path / "flat.npz", "q"),
    ]
    assert torch.equal(of_atoms[0].store.node["q"], of_atoms[1].store.node["q"])
    assert data_of(tmp_path / "flat.npz", "mu").spec.out_vectors == 1


def test_a_wrong_unit_of_length_causes_a_warning(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"are the positions in bohr.*reading\.length_unit"):
        data_of(write_qm7(tmp_path), "T").setup()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data_of(tmp_path / "qm7.npz", "T", reading={"length_unit": "bohr"}).setup()


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    odd = np.array([{"a": 1}] * 30, dtype=object)
    assert "odd" in refusal(write_qm7(tmp_path, odd=odd), ["odd"])


def test_smiles(tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    data = data_of(write_esol(tmp_path), [SOLUBILITY])
    name = SOLUBILITY.replace(" ", "_")
    assert data.spec.targets == (name,)
    assert data.spec.record.structures.label_keys == {name: SOLUBILITY}
    assert data.store.num_nodes[:2].tolist() == [9, 12]  # with hydrogens
    assert data.spec.record.properties.conformers.startswith("rdkit")
    again = data_of(tmp_path / "esol.csv", [SOLUBILITY])
    assert torch.equal(again.store.node["pos"], data.store.node["pos"])
    other = data_of(tmp_path / "esol.csv", [SOLUBILITY], reading={"conformer_seed": 1})
    assert not torch.equal(other.store.node["pos"], data.store.node["pos"])


def test_two_whole_numbers_are_classes_unless_told_otherwise(tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    path = write_esol(tmp_path)
    assert data_of(path, "toxic").spec.statistics["classes"] == ["0", "1"]
    assert data_of(path, "toxic", kind="scalar").spec.out_channels == 1
    laid_out = data_of(path, "toxic", classes=["1", "0"])
    assert laid_out.store.graph["toxic"].tolist() == [1 - n % 2 for n in range(16)]
    assert "missing: ['1']" in refusal(path, "toxic", classes=["0", "2"])


def test_bad_smiles_are_listed_by_line(tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    path = write_esol(tmp_path, "bad,1.0,0,c1ccc", "star,1.0,0,*C")
    found = refusal(path, SOLUBILITY)
    assert "2 of 18 molecules" in found and "line 18 (invalid SMILES: 'c1ccc')" in found
    with pytest.warns(UserWarning, match="2 of 18 molecules"):
        data = data_of(path, SOLUBILITY, reading={"failed": "skip"})
        assert len(data.store) == 16
    assert data.spec.record.properties.failed == 2


def test_data_fields_of_an_sdf_file(tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    path = write_sdf(tmp_path)
    assert data_of(path, "logp").store.graph["logp"][:3].tolist() == pytest.approx([0, 0.1, 0.2])
    assert data_of(path, "dipole").store.graph["dipole"][2].tolist() == [2, 0.5, -1]


def test_a_cheaper_method(tmp_path: Path) -> None:
    data = data_of(write_xyz(tmp_path), "u0", baseline="u0_cheap")
    assert data.store.graph["baseline_u0"].tolist() == pytest.approx(
        [atoms.info["u0_cheap"] for atoms in molecules()]
    )
    assert data.spec.statistics["u0_shift"] == pytest.approx(0.3, abs=0.02)
    assert data.spec.record.properties.baselines == {"u0": "u0_cheap"}
    path = tmp_path / "mine.xyz"
    assert "no 'u0_cheep'. Did you mean u0_cheap" in refusal(path, "u0", baseline="u0_cheep")
    assert "classes have no differences" in refusal(path, "colour", baseline="u0_cheap")
    with pytest.raises(ValueError, match="must be given by target"):
        data_of(path, ["u0", "gap"], baseline="u0_cheap")


def test_missing_values_are_refused_or_masked(tmp_path: Path) -> None:
    path = write_xyz(tmp_path, gap=float("nan"))
    assert "gap is missing in 1 of 30 molecules: mine.xyz, structure 3" in refusal(path, "gap")
    data = data_of(path, ["gap", "u0"], reading={"missing": "mask"})
    assert data.store.graph["has_gap"].tolist() == [n != 3 for n in range(30)]
    assert "has_u0" not in data.store.graph
    assert "is infinite" in refusal(write_xyz(tmp_path, gap=float("inf")), "gap")


def test_kinds_are_not_mixed(tmp_path: Path) -> None:
    path = write_xyz(tmp_path)
    found = refusal(path, ["gap", "q"])
    assert "gap is one number per molecule, q is one number per atom" in found
    assert "only one column of classes" in refusal(path, ["colour", "split"])
    assert "colour is one class per molecule" in refusal(path, ["gap", "colour"])
    assert "q is one number per atom" in refusal(path, ["mu", "q"])
    assert "kind must name targets (gap), got 'mu'" in kind_refusal(path, {"mu": "vector"})
    assert "must be one vector per molecule" in refusal(path, "gap", kind="vector")
    assert "has numbers and texts" in refusal(write_xyz(tmp_path, gap="n.d."), "gap")


def kind_refusal(path: Path, kind: object) -> str:
    with pytest.raises(ValueError) as error:
        data_of(path, "gap", kind=kind)
    return str(error.value)


def test_numbers_and_vectors_are_learned_together(tmp_path: Path) -> None:
    data = data_of(write_xyz(tmp_path), ["mu", "gap"], units={"mu": "D", "gap": "eV"})
    spec = data.spec
    assert (spec.out_channels, spec.out_vectors, spec.targets) == (1, 1, ("gap", "mu"))
    assert spec.vector_fields == ("pos", "mu") and spec.units["mu"] == "D"
    properties = spec.record.properties
    assert (properties.kind_of("mu"), properties.kind_of("gap")) == ("vector", "scalar")
    assert DataRecord.from_dict(spec.record.to_dict()) == spec.record


def labelled(folder: Path, *, blanks: bool = True, odd: str = "1") -> Path:
    """A table of three columns of labels, with a blank in each, and one that is always 1."""
    rows = ["smiles,NR-AR,SR-p53,flag,same,batch"]
    for n in range(1, 21):
        cells = [str(n % 2), str(int(n > 9)), "true" if n % 3 else "false", "1"]
        if blanks and n <= 3:
            cells[n - 1] = ""
        rows.append(f"{'C' * n},{','.join(cells)},{'abcd'[n % 4]}")
    rows[8] = rows[8].replace(",0,", f",{odd},", 1)
    (folder / "tox.csv").write_text("\n".join(rows) + "\n")
    return folder / "tox.csv"


def test_several_labels_with_blanks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("rdkit")
    caplog.set_level(logging.INFO)
    path, names = labelled(tmp_path), ["NR-AR", "SR-p53", "flag"]
    assert "NR-AR is missing in 1 of 20 molecules: tox.csv, line 2" in refusal(path, names)
    mask = {"missing": "mask"}
    data = data_of(path, names, reading=mask)
    spec, store = data.spec, data.store
    assert spec.targets == ("NR_AR", "SR_p53", "flag") and spec.out_channels == 3
    assert spec.record.properties.target_kind == "labels"
    assert store.graph["has_NR_AR"].tolist() == [n != 1 for n in range(1, 21)]
    assert store.graph["flag"][3:6].tolist() == [1.0, 1.0, 0.0]
    train = data.splits["train"]
    known = store.graph["has_NR_AR"][train]
    share = store.graph["NR_AR"][train][known].mean()
    assert spec.statistics["labels"][0] == pytest.approx(float(share))
    assert f"of {int(known.sum())} known labels of the training split are positive" in caplog.text
    assert "same is 1 everywhere in the training split" in refusal(
        path, [*names, "same"], reading=mask, kind="labels"
    )
    alone = data_of(path, "NR-AR", reading=mask, kind="labels")
    assert alone.spec.targets == ("NR_AR",) and "labels" in alone.spec.statistics
    assert "labels of NR-AR must be 0 and 1, or true and false, got 2.0 for tox.csv, line 9" in (
        refusal(labelled(tmp_path, odd="2"), names, reading=mask, kind="labels")
    )


def test_groups_are_in_one_part(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("rdkit")
    caplog.set_level(logging.INFO)
    path = labelled(tmp_path, blanks=False)
    split = {"by": "group", "column": "batch", "fractions": {"train": 2, "val": 1, "test": 1}}
    data = data_of(path, "flag", split=split)
    letters = ["abcd"[n % 4] for n in range(1, 21)]
    owners = {letters[row]: part for part, rows in data.splits.items() for row in rows.tolist()}
    for part, rows in data.splits.items():
        assert {owners[letters[row]] for row in rows.tolist()} == {part}
    assert sum(len(rows) for rows in data.splits.values()) == 20
    assert data.spec.record.split == "groups of batch, seed 0"
    assert "split by groups, none of which is in two parts: train 10 of 2 groups" in caplog.text
    (tmp_path / "b").mkdir()
    other = labelled(tmp_path / "b", blanks=False)
    assert "is in the train and in the test split" in refusal(
        path, "flag", split=split, test_path=other
    )
    assert "would leave a part empty" in refusal(path, "flag", split={**split, "column": "same"})


def test_wrong_names_are_refused(tmp_path: Path) -> None:
    path = write_xyz(tmp_path)
    assert "has no 'Gap'. Did you mean gap? It has: colour, gap, " in refusal(path, ["Gap"])
    with pytest.raises(ValueError, match=r"units must name targets \(gap\), got 'gpa'"):
        data_of(path, ["gap"], units={"gpa": "eV"})
    with pytest.raises(ValueError, match=r"got mine\.smi: add a header"):
        data_of(tmp_path / "mine.smi", ["gap"])
    with pytest.raises(ValueError, match="different columns"):
        data_of(path, ["gap", "gap"])
    with pytest.raises(ValueError, match="scaffold needs bonds"):
        data_of(path, ["gap"], split={"by": "scaffold"})
    with pytest.raises(FileNotFoundError, match="no file"):
        data_of(tmp_path / "other.xyz", "gap").setup()


def test_smiles_have_no_vectors(tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    path = tmp_path / "mine.csv"
    path.write_text("smiles,mu\n" + "\n".join(f'{"C" * n},"0 1 {n}"' for n in range(1, 12)))
    assert "SMILES define no direction" in refusal(path, "mu")


def test_a_scaffold_is_in_one_part(tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    fractions = {"train": 0.6, "val": 0.2, "test": 0.2}
    for path, target in ((write_esol(tmp_path), SOLUBILITY), (write_sdf(tmp_path), "logp")):
        data = data_of(path, target, split={"by": "scaffold", "fractions": fractions})
        parts = {name: set(rows.tolist()) for name, rows in data.splits.items()}
        # The acyclic molecules, and those with a ring of benzene, cyclohexane and pyridine.
        for group in ({0, 3, 4, 7, 8, 9, 12, 14, 15}, {1, 2, 10}, {5, 11}, {6, 13}):
            assert sum(bool(group & rows) for rows in parts.values()) == 1
        assert {0, 3} <= parts["train"]
        assert data.spec.record.split == "scaffold"


def test_strata_are_divided_evenly(tmp_path: Path) -> None:
    data = data_of(write_xyz(tmp_path, count=60), "colour", split={"by": "stratified", "seed": 3})
    for rows in data.splits.values():
        red = data.store.graph["colour"][rows].double().mean()
        assert red == pytest.approx(0.5, abs=0.2)
    assert data.spec.record.split == "stratified, seed 3"
    gaps = data_of(tmp_path / "mine.xyz", "gap", split={"by": "stratified"})
    ranks = gaps.store.graph["gap"].argsort().argsort() // 6
    assert ranks[gaps.splits["train"]].bincount().tolist() == pytest.approx([4.8] * 10, abs=1.3)
    assert "needs numbers or classes" in refusal(
        tmp_path / "mine.xyz", "mu", split={"by": "stratified"}
    )


def test_a_column_and_files_give_splits(tmp_path: Path) -> None:
    path = write_xyz(tmp_path)
    data = data_of(path, "gap", split={"by": "column", "column": "split"})
    assert data.splits["train"].tolist() == list(range(20))
    assert data.splits["test"].tolist() == list(range(21, 30, 2))
    assert data.spec.record.split == "column split"
    odd = write_xyz(tmp_path, split="maybe")
    options = {"by": "column", "column": "split"}
    assert "got 'maybe' in mine.xyz, structure 3" in refusal(odd, "gap", split=options)
    (tmp_path / "b").mkdir()
    other = write_xyz(tmp_path / "b", count=4)
    data = data_of(path, "gap", test_path=other)
    assert data.splits["test"].tolist() == [30, 31, 32, 33]
    assert len(data.splits["train"]) + len(data.splits["val"]) == 30
