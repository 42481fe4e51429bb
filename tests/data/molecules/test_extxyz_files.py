"""Several test files of one dataset, and what the record says about files."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from geozoo.config import path_values
from geozoo.data import DataRecord, ExtXYZ, LoaderOptions

pytest.importorskip("ase")
from ase_samples import silicon, structure, waters, write  # noqa: E402

LOADER = LoaderOptions(batch_size=4)


def some(folder: Path, name: str, count: int, first: int = 100) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return write(folder / name, [structure(seed=first + n) for n in range(count)])


def test_several_test_files(tmp_path: Path) -> None:
    train = write(tmp_path / "train.xyz", waters())
    tests = [some(tmp_path, "a.xyz", 2), some(tmp_path, "b.xyz", 3, first=200)]
    data = ExtXYZ(path=train, test_path=OmegaConf.create(list(map(str, tests))), loader=LOADER)
    assert data.splits["test"].tolist() == [10, 11, 12, 13, 14]
    parts = {name: part.tolist() for name, part in data.test_parts.items()}
    assert parts == {"a.xyz": [10, 11], "b.xyz": [12, 13, 14]}
    energy = structure(seed=201).calc.results["energy"]
    assert data.store.graph["energy"][13].item() == pytest.approx(1e3 * energy, rel=1e-8)
    record = data.spec.record
    names = {"train": "train.xyz", "test[0]": "a.xyz", "test[1]": "b.xyz"}
    assert record.structures.files == names
    hashes = record.structures.file_hashes
    assert hashes.keys() == names.keys()
    assert len(set(hashes.values())) == 3
    assert record.sizes == {"train": 8, "val": 2, "test": 5}
    assert DataRecord.from_dict(record.to_dict()) == record
    some(tmp_path, "b.xyz", 3, first=300)
    again = ExtXYZ(path=train, test_path=tests, loader=LOADER).spec.record
    assert again.changed_since(record).startswith("the test[1] file b.xyz has the hash")


def test_one_test_file_has_no_parts(tmp_path: Path) -> None:
    train, test = write(tmp_path / "train.xyz", waters()), some(tmp_path, "a.xyz", 2)
    one = ExtXYZ(path=train, test_path=test, loader=LOADER)
    assert dict(one.test_parts) == {}
    listed = ExtXYZ(path=train, test_path=[test], loader=LOADER)
    assert listed.test_parts.keys() == {"a.xyz"}
    assert one.splits["test"].tolist() == listed.splits["test"].tolist()


def test_test_files_of_the_same_name(tmp_path: Path) -> None:
    train = write(tmp_path / "train.xyz", waters())
    tests = [some(tmp_path / hot / "md", "test.xyz", 2) for hot in ("300K", "600K")]
    tests.append(some(tmp_path, "other.xyz", 1))
    data = ExtXYZ(path=train, test_path=tests, loader=LOADER)
    assert list(data.test_parts) == ["300K/md/test.xyz", "600K/md/test.xyz", "other.xyz"]


def test_wrong_test_files(tmp_path: Path) -> None:
    train, test = write(tmp_path / "train.xyz", waters()), some(tmp_path, "a.xyz", 2)
    with pytest.raises(ValueError, match="must be different files"):
        ExtXYZ(path=train, test_path=[test, test], loader=LOADER)
    with pytest.raises(ValueError, match="test_path must not be an empty list"):
        ExtXYZ(path=train, test_path=[], loader=LOADER)
    with pytest.raises(FileNotFoundError, match="test_path: there is no file .*b.xyz"):
        _ = ExtXYZ(path=train, test_path=[test, tmp_path / "b.xyz"], loader=LOADER).data


def test_paths_of_a_list_are_paths_of_the_config() -> None:
    node = {"_target_": "geozoo.data.ExtXYZ", "path": "a.xyz", "test_path": ["b.xyz", "c.xyz"]}
    assert path_values(OmegaConf.create({"dataset": node})) == {
        "dataset.path": "a.xyz", "dataset.test_path[0]": "b.xyz", "dataset.test_path[1]": "c.xyz",
    }  # fmt: skip


def test_a_record_of_plain_molecules_has_no_counts(tmp_path: Path) -> None:
    stored = ExtXYZ(path=write(tmp_path / "a.xyz", waters()), loader=LOADER).spec.record.to_dict()
    assert stored["label_keys"] == {"energy": "energy", "forces": "forces"}
    counts = {"periodic_structures", "structures_without_forces", "structures_with_stress"}
    assert not counts & stored.keys()
    crystals = [silicon(n, **({"forces": None} if n else {})) for n in range(10)]
    record = ExtXYZ(path=write(tmp_path / "b.xyz", crystals), loader=LOADER).spec.record
    assert {name: record.to_dict()[name] for name in counts} == {
        "periodic_structures": 10, "structures_without_forces": 9, "structures_with_stress": 10,
    }  # fmt: skip
    assert DataRecord.from_dict(record.to_dict()) == record
