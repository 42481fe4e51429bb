"""QM9: archive, units, targets, features, splits, the prepared file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from qm9_samples import EXCLUDED, MOLECULES, U0_OF_ATOMS, content, properties, qm9, write_qm9
from safetensors.torch import load_file

from geozoo.data import QM9, QM9_TARGETS
from geozoo.data.molecules import _qm9_store
from geozoo.data.molecules._qm9_store import COLUMNS
from geozoo.data.molecules.units import energy_factor

NUMBERS = [number for number in range(1, 23) if number not in EXCLUDED]
EV = 27.211386246


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_qm9(tmp_path)
    return tmp_path


@pytest.mark.parametrize("bonds", ["rdkit", "distance"])
def test_fields(root: Path, bonds: str) -> None:
    module = qm9(root, bonds=bonds)
    batch = module.store.gather([0, 1])  # numbers 1 and 2: water, hydrogen cyanide
    assert batch.number.tolist() == [1, 2]
    assert batch.z.tolist() == [8, 1, 1, 6, 7, 1]
    assert batch.alpha.dtype == torch.float64
    assert batch.alpha.tolist() == [properties(1)[4], properties(2)[4]]
    pos = np.array(MOLECULES[1][1], dtype=float)
    np.testing.assert_allclose(batch.pos[:3].numpy(), pos - pos.mean(0), atol=1e-6)
    assert "edge_index" not in batch
    assert len(module.store) == len(NUMBERS)


def test_excluded_molecules_are_excluded(root: Path) -> None:
    assert qm9(root).store.graph["number"].tolist() == NUMBERS


def test_energies_are_ev_in_the_file_and_mev_in_a_batch(root: Path) -> None:
    homo = qm9(root, target="homo")
    value = homo.store.gather([0]).homo.item()
    assert value == pytest.approx(6.3e-6 * 1e3 * EV, rel=1e-9)
    assert homo.spec.units["homo"] == "meV"
    kept = load_file(homo.source.prepared)["graph.properties"]
    assert kept[0, COLUMNS.index("homo")].item() == pytest.approx(6.3e-6 * EV, rel=1e-9)


def test_atomisation_energy_is_less_the_free_atoms(root: Path) -> None:
    batch = qm9(root, target="u0_atom").store.gather([0, 3])
    for place, number in enumerate(batch.number.tolist()):
        atoms = sum(U0_OF_ATOMS[symbol] for symbol in MOLECULES[number % 4][0])
        hartree = properties(number)[10] - atoms
        assert batch.u0_atom[place].item() == pytest.approx(1e3 * EV * hartree, rel=1e-9)
    total = qm9(root, target="u0").store.gather([0]).u0.item()
    assert total == pytest.approx(1e3 * EV * properties(1)[10], rel=1e-9)


@pytest.mark.parametrize("target", QM9_TARGETS)
def test_every_target_has_a_unit_and_statistics_of_the_training_part(
    root: Path, target: str
) -> None:
    module = qm9(root, target=target)
    values = module.store.gather(module.splits["train"]).get(target)
    assert module.spec.statistics[f"{target}_shift"] == pytest.approx(values.mean().item())
    assert module.spec.target == target
    assert module.spec.units[target] == QM9_TARGETS[target]


def test_features_of_pyg_leave_four_columns_empty(root: Path) -> None:
    x = qm9(root, bonds="rdkit").store.gather([1]).x  # C N H, HCN
    assert x.tolist() == [
        [0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 1],
        [0, 0, 1, 0, 0, 7, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
    ]


def test_features_of_rdkit_fill_them(root: Path) -> None:
    x = qm9(root, bonds="rdkit", features="chemistry").store.gather([1]).x
    assert x[:, 6:10].tolist() == [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    methane = qm9(root, bonds="rdkit", features="chemistry").store.gather([2]).x
    assert methane[0].tolist() == [0, 1, 0, 0, 0, 6, 0, 0, 0, 1, 4]


def test_features_of_elements(root: Path) -> None:
    module = qm9(root, features="elements")
    assert module.spec.in_channels == 5
    assert module.store.gather([1]).x.argmax(1).tolist() == [1, 2, 0]


@pytest.mark.parametrize("bonds", ["rdkit", "distance"])
def test_bonds_are_edges_in_both_directions(root: Path, bonds: str) -> None:
    module = qm9(root, edges="bonds", bonds=bonds)
    batch = module.store.gather([1, 0])  # H-C#N, then water
    assert sorted(map(tuple, batch.edge_index.T.tolist())) == [
        (0, 1), (0, 2), (1, 0), (2, 0), (3, 4), (3, 5), (4, 3), (5, 3),
    ]  # fmt: skip
    known = {"rdkit": "rdkit ", "distance": "distances"}
    assert module.spec.record.inputs.bonds.startswith(known[bonds])


def test_distances_decide_where_smiles_and_geometry_disagree(tmp_path: Path) -> None:
    write_qm9(tmp_path, changed={1: content(1).replace("O\tO\t\n", "N\tN\t\n")})
    module = qm9(tmp_path, bonds="rdkit", edges="bonds")
    assert module.spec.record.inputs.bonds.endswith("distances for 1")
    assert module.store.gather([0]).edge_index.shape == (2, 4)


def test_named_splits_need_the_whole_dataset(root: Path) -> None:
    for split in ("dimenet", "edm"):
        with pytest.raises(
            ValueError, match=f"split={split} requires 130831 .* has 20.* split=random"
        ):
            _ = qm9(root, split=split).splits


@pytest.mark.parametrize(
    ("split", "seed", "sizes"),
    [("dimenet", 42, (110000, 10000, 10831)), ("edm", 0, (100000, 17748, 13083))],
)
def test_named_splits_are_the_published_permutations(
    tmp_path: Path, split: str, seed: int, sizes: tuple
) -> None:
    parts = qm9(tmp_path).source.splits(split, 130831, seed=0)
    assert tuple(len(part) for part in parts.values()) == sizes
    order = np.random.RandomState(seed).permutation(130831)
    assert torch.cat(list(parts.values())).tolist() == order.tolist()


def test_split_hash_does_not_depend_on_the_order_of_the_archive(root: Path) -> None:
    before = qm9(root).spec.record
    assert qm9(root).spec.record == before
    assert qm9(root, split_seed=1).spec.record.split_hash != before.split_hash


def test_prepared_file_is_made_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    qm9(root).prepare_data()
    monkeypatch.setattr(_qm9_store, "read_archive", lambda *_: pytest.fail("read again"))
    assert len(qm9(root).store) == 20
    (root / "qm9" / "dsgdb9nsd.xyz.tar.bz2").unlink()
    assert len(qm9(root).store) == 20


def test_prepared_file_follows_its_archive(root: Path) -> None:
    assert len(qm9(root).store) == 20
    write_qm9(root, count=30)
    assert len(qm9(root).store) == 28


@pytest.mark.parametrize("kept", [0, 7, 500, -1])
def test_corrupt_prepared_file_is_made_again(root: Path, kept: int) -> None:
    module = qm9(root)
    module.prepare_data()
    content = module.source.prepared.read_bytes()
    module.source.prepared.write_bytes(content[:kept])
    assert len(qm9(root).store) == 20
    assert len(module.source.prepared.read_bytes()) == len(content)


def test_interrupted_preparation_leaves_nothing_behind(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(tensors: object, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("geozoo.files.safetensors_file.save_file", interrupted)
        qm9(root).prepare_data()
    left = {path.name for path in (root / "qm9").iterdir()}
    assert left == {"dsgdb9nsd.xyz.tar.bz2", "uncharacterized.txt"}
    assert len(qm9(root).store) == 20


@pytest.mark.parametrize("part", [0.2, 0.6, 0.95])
def test_truncated_archive_is_reported(root: Path, part: float) -> None:
    path = root / "qm9" / "dsgdb9nsd.xyz.tar.bz2"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(ValueError, match=r"dsgdb9nsd\.xyz\.tar\.bz2 is corrupt or truncated"):
        qm9(root).prepare_data()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("C\t", "S\t", "among H, C, N, O, F, got S"),
        ("gdb 4", "gdb 4\t1.0", "and 15 properties"),
        (f"{properties(4)[4]:.6f}".rstrip("0"), "nan", "not a finite number"),
        ("0.629", "0.6x29", "could not convert"),
        ("5\n", "6\n", "expected 6 lines"),
    ],
)
def test_bad_molecule_is_reported(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = content(4)
    assert old in text
    write_qm9(tmp_path, changed={4: text.replace(old, new, 1)})
    with pytest.raises(
        ValueError, match=rf"dsgdb9nsd_000004\.xyz is not a QM9 molecule.*{message}"
    ):
        qm9(tmp_path).prepare_data()


def test_molecule_twice_and_no_molecule(tmp_path: Path) -> None:
    write_qm9(tmp_path, changed={4: content(5)})
    with pytest.raises(ValueError, match="molecule 5 occurs twice"):
        qm9(tmp_path).prepare_data()
    write_qm9(tmp_path, count=0)
    with pytest.raises(ValueError, match="contains no molecule"):
        qm9(tmp_path).prepare_data()


def test_list_of_excluded_numbers_is_checked(tmp_path: Path) -> None:
    write_qm9(tmp_path, excluded=())
    with pytest.raises(ValueError, match=r"uncharacterized\.txt must list distinct"):
        qm9(tmp_path).prepare_data()


def test_free_atoms_of_another_level_are_rejected(root: Path) -> None:
    path = root / "qm9" / "atomref.txt"
    rows = [
        " H 0.000000 -0.500273 -0.498857 -0.497912 -0.510927 2.981",
        " C 0.000000 -37.846772 -37.845355 -37.844411 -37.861317 2.981",
        " N 0.000000 -54.583861 -54.582445 -54.581501 -54.598897 2.981",
        " O 0.000000 -75.064579 -75.063163 -75.062219 -75.079532 2.981",
        " F 0.000000 -99.718730 -99.717314 -99.716370 -99.733544 2.981",
    ]
    path.write_text("\n".join(["Element ZPVE U (0 K) ...", *rows]))
    qm9(root).prepare_data()
    write_qm9(root, count=30)
    path.write_text("\n".join(rows).replace("-0.500273", "-0.5"))
    with pytest.raises(ValueError, match=r"atomref\.txt: the row of element 1"):
        qm9(root).prepare_data()


def test_missing_files_are_reported_with_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError, match=r"dsgdb9nsd\.xyz\.tar\.bz2 is missing .*figshare"):
        qm9(tmp_path, download=False).prepare_data()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "dipole"}, "target must be one of a, b, c, mu, .*got 'dipole'"),
        ({"split": "cormorant"}, "split must be one of dimenet, edm, random"),
        ({"features": "all"}, "features must be one of pyg, chemistry, elements"),
        ({"edges": "radius"}, "edges must be one of complete, bonds"),
        ({"bonds": "sdf"}, "bonds must be one of auto, rdkit, distance"),
        ({"features": "chemistry", "bonds": "distance"}, "features=chemistry requires bonds=rdkit"),
    ],
)
def test_unknown_words_are_rejected(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QM9(**{"loader": qm9(tmp_path).loader, **options})


def test_shared_official_files(shared_folder: Path, tmp_path: Path) -> None:
    tool = shared_folder / "tools" / "official_layouts.py"
    words = ["--out", str(tmp_path), "qm9", "--qm9-limit", "400"]
    subprocess.run([sys.executable, str(tool), *words], check=True, capture_output=True)
    module = qm9(tmp_path, target="u0_atom", features="elements")
    assert len(module.store) == 400
    methane = module.store.gather([0])
    assert methane.z.tolist() == [6, 1, 1, 1, 1]
    assert methane.u0_atom.item() == pytest.approx(-0.631066 * 1e3 * EV, abs=0.02)
    assert module.spec.record.inputs.bonds.startswith(("rdkit", "distances"))


def test_units_hold_the_constant_that_the_tables_use() -> None:
    assert energy_factor("hartree") / 1e3 == pytest.approx(EV, rel=1e-10)
