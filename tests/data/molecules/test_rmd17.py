"""Revised MD17: archive, splits, units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from rmd17_samples import CHARGES, LOADER, NUM_FRAMES, ethanol, make_arrays, write_unpacked

from geozoo.data import RMD17
from geozoo.data.molecules._rmd17_files import every_100th
from geozoo.data.molecules.rmd17 import MOLECULES


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_unpacked(tmp_path / "rmd17", make_arrays())
    return tmp_path


def test_official_split_and_units(root: Path) -> None:
    module, arrays = ethanol(root), make_arrays()
    assert {part: len(index) for part, index in module.splits.items()} == {
        "train": 50,
        "val": 50,
        "test": 100,
    }
    batch = module.store.gather(module.splits["test"][[3]])
    assert batch.frame.tolist() == [103]
    # 4184 J/mol in units of the electron volt per particle, to all digits of a double
    factor = 1e3 * 4184.0 / (6.02214076e23 * 1.602176634e-19)
    assert batch.energy.dtype == torch.float64
    assert batch.energy.item() == pytest.approx(factor * arrays["energies"][103], rel=1e-14)
    forces = torch.from_numpy(factor * arrays["forces"][103]).float()
    torch.testing.assert_close(batch.forces, forces, rtol=1e-6, atol=0)
    assert batch.z.tolist() == CHARGES.tolist()
    assert batch.x.argmax(1).tolist() == CHARGES.tolist()
    assert batch.x.shape == (4, 9)


def test_positions_are_centred_before_rounding(root: Path) -> None:
    module, coords = ethanol(root), make_arrays()["coords"]
    pos = module.store.gather(module.splits["test"][[3]]).pos
    expected = coords[103] - coords[103].mean(0)
    np.testing.assert_allclose(pos.numpy(), expected, rtol=1e-7, atol=1e-7)


def test_official_training_rows_are_divided_by_the_documented_rule(root: Path) -> None:
    module = ethanol(root)
    order = np.random.default_rng(1).permutation(100)
    assert module.store.graph["frame"][module.splits["train"]].tolist() == order[:50].tolist()
    assert module.store.graph["frame"][module.splits["val"]].tolist() == order[50:].tolist()


def test_a_curve_of_data_efficiency_takes_the_first_training_rows(root: Path) -> None:
    whole, part = ethanol(root), ethanol(root, num_train=7)
    frames = {k: m.store.graph["frame"] for k, m in {"whole": whole, "part": part}.items()}
    assert torch.equal(
        frames["part"][part.splits["train"]], frames["whole"][whole.splits["train"]][:7]
    )
    for name in ("val", "test"):
        assert torch.equal(frames["part"][part.splits[name]], frames["whole"][whole.splits[name]])
    assert part.spec.record.sizes["train"] == 7
    assert part.spec.record.split_hash != whole.spec.record.split_hash
    with pytest.raises(ValueError, match="num_train must be at most 50.*got 51"):
        _ = ethanol(root, num_train=51).spec


def test_statistics_come_from_the_training_part_only(root: Path) -> None:
    module = ethanol(root)
    spec = module.spec
    train = module.store.gather(module.splits["train"])
    assert spec.statistics["energy_shift"] == pytest.approx(float(train.energy.mean()), rel=1e-14)
    arrays = make_arrays()
    outside = np.ones(NUM_FRAMES, dtype=bool)
    outside[module.store.graph["frame"][module.splits["train"]].numpy()] = False
    arrays["energies"][outside] += 50.0
    arrays["forces"][outside] *= 3.0
    write_unpacked(root / "rmd17", arrays)
    assert ethanol(root).spec.statistics == spec.statistics


def test_specification(root: Path) -> None:
    spec = ethanol(root).spec
    assert spec.model_arguments() == {
        "level": "graph",
        "dim": 3,
        "in_channels": 9,
        "in_vectors": 0,
        "out_channels": 1,
        "out_vectors": 0,
        "lattice": None,
    }
    assert spec.vector_fields == ("pos", "forces")
    assert spec.units["energy"] == "meV"
    assert spec.units["forces"] == "meV/angstrom"
    assert spec.record.split == "official-01"
    assert spec.record.molecule == "ethanol"


def test_split_hash_names_frames_not_rows(root: Path) -> None:
    before = ethanol(root).spec.record.split_hash
    # the same frames in another order, with index lists that follow
    arrays = make_arrays()
    order = np.random.default_rng(3).permutation(NUM_FRAMES)
    for key in ("coords", "energies", "forces", "old_indices"):
        arrays[key] = arrays[key][order]
    write_unpacked(root / "rmd17", arrays)
    place = np.argsort(order)
    for part, start in (("train", 0), ("test", 100)):
        path = root / "rmd17" / "splits" / f"index_{part}_01.csv"
        np.savetxt(path, place[start : start + 100], fmt="%d")
    assert ethanol(root).spec.record.split_hash == before


def test_every_100th() -> None:
    rows = every_100th(99_988, Path("file"))
    assert {part: len(index) for part, index in rows.items()} == {
        "train": 950,
        "val": 50,
        "test": 98_988,
    }
    assert rows["val"][:2].tolist() == [0, 2000]
    assert rows["train"][:2].tolist() == [100, 200]
    assert sorted(torch.cat(list(rows.values())).tolist()) == list(range(99_988))


def test_every_100_needs_the_complete_file(root: Path) -> None:
    with pytest.raises(ValueError, match="every-100 requires about 100000 frames.* has 300"):
        _ = ethanol(root, split="every-100").spec


def test_every_100_reads_a_complete_file(root: Path) -> None:
    write_unpacked(root / "rmd17", make_arrays(99_950))
    module = ethanol(root, split="every-100")
    assert module.store.graph["frame"][module.splits["val"]].tolist() == list(range(0, 99950, 2000))
    assert module.spec.record.sizes["test"] == 98_950


@pytest.mark.parametrize("name", ["salicylic", "salicylic_acid", "salicylic acid"])
def test_names_of_salicylic_acid(tmp_path: Path, name: str) -> None:
    write_unpacked(tmp_path / "rmd17", make_arrays(), "salicylic")
    assert ethanol(tmp_path, molecule=name).spec.record.molecule == "salicylic"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"molecule": "benzol"}, "molecule must be one of aspirin, azobenzene, .*; got 'benzol'"),
        ({"split": "official-06"}, "split must be one of official-01, .*every-100"),
        ({"num_train": 0}, "num_train must be at least 1, got 0"),
        ({"mirrors": ["http://example.org/rmd17.tar.bz2"]}, "must use https"),
    ],
)
def test_wrong_arguments_are_rejected(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RMD17(loader=LOADER, **options)


def test_missing_split_file_names_file_folder_and_sources(root: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match="index_train_02.csv is missing in .*splits.*figshare.*or https"
    ):
        _ = ethanol(root, split="official-02").spec


def test_missing_molecule_names_file_folder_and_sources(root: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match="rmd17_toluene.npz is missing in .*npz_data.*OFFLINE.*figshare"
    ):
        _ = ethanol(root, molecule="toluene").spec
    with pytest.raises(FileNotFoundError, match="toluene.npz is missing in .*prepare_data"):
        ethanol(root, molecule="toluene").setup()


def write_rows(root: Path, part: str, rows: list[int]) -> None:
    path = root / "rmd17" / "splits" / f"index_{part}_01.csv"
    path.write_text("\n".join(map(str, rows)))


@pytest.mark.parametrize(
    ("part", "rows", "message"),
    [
        ("test", [5], "indices are both in '(train|val)' and in 'test'"),
        ("test", [300], "'test' has indices from 300 to 300; the dataset has 300"),
        ("test", [200, 200], "'test' contains an index twice"),
        ("train", list(range(50)), "must have more than 50 training rows, .* got 50"),
    ],
)
def test_wrong_index_lists_are_rejected(root: Path, part: str, rows: list, message: str) -> None:
    write_rows(root, part, rows)
    with pytest.raises(ValueError, match=message):
        _ = ethanol(root).spec


def test_training_on_many_frames_warns(tmp_path: Path) -> None:
    write_unpacked(tmp_path / "rmd17", make_arrays(1400))
    write_rows(tmp_path, "train", list(range(1100)))
    write_rows(tmp_path, "test", list(range(1100, 1400)))
    with pytest.warns(UserWarning, match="training on 1050 frames of ethanol"):
        _ = ethanol(tmp_path).spec


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("coords", lambda a: a[:, :3], r"coords must have shape \(300, 4, 3\), got \(300, 3, 3\)"),
        ("forces", lambda a: a[:200], r"forces must have shape \(300, 4, 3\)"),
        ("energies", lambda a: a[:, None], r"energies must have shape \(300,\)"),
        ("energies", lambda a: a * np.nan, "energies contains NaN"),
        ("coords", lambda a: np.where(a > 99, a, np.inf), "coords contains NaN or infinite"),
        ("nuclear_charges", lambda a: a + 8, r"nuclear_charges must be in 1..8"),
        ("nuclear_charges", lambda a: a * 0, r"nuclear_charges must be in 1..8"),
    ],
)
def test_wrong_arrays_are_rejected(root: Path, key: str, change, message: str) -> None:
    arrays = make_arrays()
    arrays[key] = change(arrays[key])
    write_unpacked(root / "rmd17", arrays)
    with pytest.raises(ValueError, match=f"rmd17_ethanol.npz.*{message}"):
        _ = ethanol(root).spec


def test_files_of_another_kind_are_rejected(root: Path) -> None:
    path = root / "rmd17" / "npz_data" / "rmd17_ethanol.npz"
    arrays = make_arrays()
    np.savez(path, coords=arrays["coords"])
    with pytest.raises(ValueError, match="is corrupt or not an npz file"):
        _ = ethanol(root).spec
    np.savez(path, **{**arrays, "energies": np.array([None] * NUM_FRAMES)})
    with pytest.raises(ValueError, match="is corrupt or not an npz file"):
        _ = ethanol(root).spec
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match="is corrupt or not an npz file"):
        _ = ethanol(root).spec


@pytest.mark.parametrize("molecule", MOLECULES)
def test_shared_files(official_data: Path, molecule: str) -> None:
    module = RMD17(loader=LOADER, molecule=molecule, root=official_data, download=False)
    train = module.store.gather(module.splits["train"])
    test = module.store.gather(module.splits["test"])
    assert (train.num_graphs, len(module.splits["val"]), test.num_graphs) == (950, 50, 1000)
    # no net force on an isolated molecule
    net = torch.zeros(1000, 3).index_add_(0, test.batch, test.forces)
    assert float(net.abs().max()) < 0.05
    # force RMS stated with the data: 21 to 32 kcal/mol/angstrom
    assert 20 < module.spec.statistics["energy_scale"] / 43.3641 < 33


def test_shared_mean_energy_of_aspirin(official_data: Path) -> None:
    module = RMD17(loader=LOADER, molecule="aspirin", root=official_data, download=False)
    both = torch.cat([module.splits["train"], module.splits["val"]])
    mean = float(module.store.graph["energy"][both].mean())
    assert mean / 43.36410424180094 == pytest.approx(-406274.638, abs=5e-4)
