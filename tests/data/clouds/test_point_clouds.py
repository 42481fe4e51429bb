"""``dataset=point_clouds``: layouts, splits, scale, and how points are taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from geozoo.data import DataSpec, GeometricSpec, LoaderOptions, PointClouds
from geozoo.hub.cloud_files import read_cloud_file

LOADER = LoaderOptions(batch_size=4)


def clouds(path: Path, **options: Any) -> PointClouds:
    return PointClouds(path=path, loader=LOADER, **{"num_neighbors": 4, **options})


def write_classes(root: Path, *, parts: tuple[str, ...] = ("",), count: int = 10) -> Path:
    rng = np.random.default_rng(0)
    for stretch, kind in enumerate(("bean", "pea"), 1):
        for part in parts:
            folder = root / kind / part
            folder.mkdir(parents=True)
            for number in range(count):
                points = rng.normal(size=(30, 3)) * [1, 1, stretch] + 5
                np.savetxt(folder / f"{number}.xyz", points)
    return root


def write_shapes(root: Path, *, categories: tuple[str, ...] = ("chair", "table")) -> Path:
    """Columns x y z nx ny nz label, labels counted over all categories."""
    rng = np.random.default_rng(0)
    for offset, category in enumerate(categories):
        (root / category).mkdir(parents=True)
        for number in range(10):
            pos, normal = rng.normal(size=(2, 20, 3))
            label = (pos[:, 2] > 0) + 2 * offset
            np.savetxt(root / category / f"s{number}.txt", np.c_[pos, 3 * normal, label])
    return root


def test_a_folder_per_class(tmp_path: Path) -> None:
    data = clouds(write_classes(tmp_path), num_points=12)
    assert data.spec.statistics["classes"] == ["bean", "pea"]
    assert {part: len(rows) for part, rows in data.splits.items()} == {
        "train": 16, "val": 2, "test": 2,
    }  # fmt: skip
    for rows in data.splits.values():  # both classes in every part
        assert len(data.store.gather(rows).y.unique()) == 2
    batch = data.store.gather([0])
    assert batch.pos.shape == (12, 3) and batch.edge_index.shape == (2, 48)
    assert batch.pos.norm(dim=1).max() == pytest.approx(1)
    assert batch.pos.mean(0).abs().max() < 1e-6
    record = data.spec.record
    assert record.variant == "class SO3/none" and record.split == "random, seed 0"
    assert record.other["scale"] == "unit_sphere" and record.source == tmp_path.name
    again = clouds(tmp_path, num_points=12)
    assert again.spec == data.spec and torch.equal(again.store.node["pos"], data.store.node["pos"])
    assert not torch.equal(
        clouds(tmp_path, num_points=12, seed=1).store.node["pos"], data.store.node["pos"]
    )
    file = tmp_path / "pea" / "3.xyz"
    file.write_text(file.read_text().replace(file.read_text().split()[0], "4.5"))
    assert clouds(tmp_path, num_points=12).spec.record.source_hash != record.source_hash


def test_train_and_test_folders_are_kept_and_val_comes_from_train(tmp_path: Path) -> None:
    root = write_classes(tmp_path, parts=("train", "test"))
    data = clouds(root, rotation={"train": "none", "test": "none"})
    sizes = {part: len(rows) for part, rows in data.splits.items()}
    assert sizes["test"] == 20 and sizes["train"] + sizes["val"] == 20 and sizes["val"] == 2
    assert data.spec.record.split == "given, val random, seed 0"
    # Files are sorted by class, split and name; all points are used.
    test = data.store.gather(data.splits["test"][:1]).pos
    points = np.loadtxt(root / "bean" / "test" / "0.xyz")
    points -= points.mean(0)
    points /= np.linalg.norm(points, axis=1).max()
    assert np.abs(test.numpy() - points).max() < 1e-5


@pytest.mark.parametrize("target", ["class", "parts"])
def test_folders_of_splits_may_come_first(tmp_path: Path, target: str) -> None:
    for part in ("train", "val", "test"):
        if target == "class":
            write_classes(tmp_path / part, count=3)
            continue
        (tmp_path / part).mkdir()
        for number in range(6):
            rows = np.c_[np.random.default_rng(number).normal(size=(8, 3)), np.arange(8) % 2]
            np.savetxt(tmp_path / part / f"{number}.txt", rows)
    data = clouds(tmp_path, target=target)
    assert data.spec.record.split == "given"
    assert [len(data.splits[part]) for part in ("train", "val", "test")] == [6, 6, 6]
    assert data.spec.statistics["classes"] == (["bean", "pea"] if target == "class" else ["0", "1"])


def test_an_index_with_splits(tmp_path: Path) -> None:
    write_classes(tmp_path / "files")
    lines = ["file;label;split"] + [
        f"files/{kind}/{i}.xyz;{kind} plant;{part}"
        for kind in ("bean", "pea")
        for i, part in enumerate(["train"] * 6 + ["valid"] * 2 + ["test"] * 2)
    ]
    (tmp_path / "index.csv").write_text("\n".join(lines))
    data = clouds(tmp_path / "index.csv", scale="centre")
    assert data.spec.statistics["classes"] == ["bean plant", "pea plant"]
    assert [len(data.splits[part]) for part in ("train", "val", "test")] == [12, 4, 4]
    assert data.spec.record.split == "given"
    assert data.store.gather([0]).pos.norm(dim=1).max() > 1.5


def test_parts_in_the_layout_of_shapenet(tmp_path: Path) -> None:
    root = write_shapes(tmp_path, categories=("02", "03"))
    (root / "synsetoffset2category.txt").write_text("Chair 02\nTable 03\n")
    lists = root / "train_test_split"
    lists.mkdir()
    names = [f"shape_data/{category}/s{i}" for category in ("02", "03") for i in range(10)]
    for part, chosen in (("train", names[:14]), ("val", names[14:17]), ("test", names[17:])):
        (lists / f"shuffled_{part}_file_list.json").write_text(json.dumps(chosen))
    data = clouds(root, target="parts", normals=True, classes=["seat", "back", "leg", "top"])
    batch = data.store.gather(data.splits["test"])
    assert len(batch.pos) == 60 and set(batch.part.tolist()) == {2, 3}
    assert torch.allclose(batch.vec.norm(dim=2), torch.ones(60, 1))
    assert data.spec.out_channels == 4 and data.spec.level == "node"
    (lists / "shuffled_test_file_list.json").write_text(json.dumps(names[18:]))
    with pytest.raises(ValueError, match="1 files are in no list, such as 03/s7.txt"):
        clouds(root, target="parts").store  # noqa: B018


def test_labels_that_do_not_count_from_zero_are_named_by_their_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(10):
        rows = np.c_[rng.normal(size=(8, 3)), [7, 7, 7, 3, 3, 3, 12, 12]]
        np.savetxt(tmp_path / f"{number}.csv", rows, delimiter=",", header="x,y,z,Label")
    data = clouds(tmp_path, target="parts")
    assert data.spec.statistics["classes"] == ["3", "7", "12"]
    assert data.store.gather([0]).part.tolist() == [1, 1, 1, 0, 0, 0, 2, 2]


def test_features_and_columns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
        for number in range(10):
            np.save(tmp_path / kind / f"{number}.npy", rng.random((9, 5)).astype(np.float32))
    reading = {"columns": ["x", "z", "y", "height", "other"], "features": ["height"]}
    data = clouds(
        tmp_path, reading=reading, scale="none", rotation={"train": "none", "test": "none"}
    )
    array, batch = np.load(tmp_path / "a" / "0.npy"), data.store.gather([0])
    assert np.allclose(batch.pos, array[:, [0, 2, 1]]) and np.allclose(batch.x[:, 1], array[:, 3])
    assert data.spec.in_channels == 2
    # Predictions read a file as training did, with the spec that was stored.
    stored = DataSpec.from_dict(data.spec.to_dict())
    assert isinstance(stored, GeometricSpec)
    store, points, note = read_cloud_file(tmp_path / "a" / "0.npy", stored)
    assert torch.equal(store.node["pos"], batch.pos) and torch.equal(store.node["x"], batch.x)
    assert np.allclose(points, batch.pos)
    assert note == "0.npy: 9 points, fewer than the 1024 of training; scale: none"
    with pytest.raises(ValueError, match=r"0.npy: 5 columns, which are unknown; set .*columns"):
        clouds(tmp_path).store  # noqa: B018
    with pytest.raises(ValueError, match="normals .* need the columns nx, ny, nz; nx, ny, nz are"):
        clouds(tmp_path, reading=reading, normals=True).store  # noqa: B018


def test_farthest_points_spread_more_than_random_ones(tmp_path: Path) -> None:
    root = write_classes(tmp_path)

    def nearest(sampling: str) -> float:
        data = clouds(root, num_points=8, sampling=sampling)
        pos = data.store.node["pos"].view(20, 8, 3).double()
        distance = torch.cdist(pos, pos) + 9 * torch.eye(8, dtype=torch.float64)
        return float(distance.amin(2).mean())

    assert nearest("farthest") > 1.15 * nearest("random")


def one(root: Path, text: str, name: str = "1.txt") -> None:
    (root / "pea" / name).write_text(text)


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda r: one(r, "0 0 0\n1 0 x\n"), {}, r"1.txt, line 2: 'x' is not a number"),
        (lambda r: one(r, "0 0 0\n\n1 0\n"), {}, r"1.txt, line 3: 2 columns instead of 3"),
        (lambda r: one(r, "3\nC 0 0 0\n"), {}, r"line 1: a point needs at least three columns"),
        (lambda r: one(r, "0 0 nan\n1 1 1\n"), {}, "x, y, z of point 0 must be finite"),
        (lambda r: one(r, "1 1 1\n1 1 1\n"), {}, "all points coincide"),
        (lambda r: one(r, "# nothing\n"), {}, "there are no points"),
        (lambda r: one(r, "x y\n1 1 1\n"), {}, "header 'x y' has 2 names, and lines have 3"),
        (lambda r: one(r, "1 2 3 4 5\n"), {}, "5 columns, which are unknown"),
        (
            lambda r: (r / "bean" / "0.xyz").write_text("1 2 3 0.5\n"), {"target": "parts"},
            "0.xyz: labels must be whole numbers from 0, got 0.5 for point 0",
        ),
        (lambda r: None, {"target": "parts"}, r"labels .* need the columns label"),
        (lambda r: (r / "pea" / "1.npy").write_bytes(b"\x93NUMPY"), {}, "1.npy is corrupt"),
        (lambda r: one(r, "\xff\xfe"), {}, "'ÿþ' has 1 names|there are no points"),
        (lambda r: None, {"path": "nowhere"}, "there is no file or folder"),
        (lambda r: None, {"path": "pea"}, "has no folders with files of points"),
    ],
)  # fmt: skip
def test_files_that_are_wrong_are_named(
    spoil: Callable[[Path], Any], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    write_classes(tmp_path)
    spoil(tmp_path)
    path = tmp_path / options.pop("path", "")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        clouds(path, **options).store  # noqa: B018


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\na.xyz,pea\n", "line 1: an index needs the columns file, label.*file is"),
        ("file,label\npea/99.xyz,pea\n", "line 2: 'pea/99.xyz' is no file of points"),
        ("file,label\npea/1.xyz,\n", "line 2: the label is empty"),
        ("file,label,split\npea/1.xyz,pea,dev set\n", "line 2: split must be train, val or test"),
        ("file,label\n", "the index has no rows"),
        ("file,label\npea/1.xyz,pea\npea/2.xyz,pea\npea/3.xyz,pea\n", "empty|one class only"),
    ],
)  # fmt: skip
def test_an_index_that_is_wrong_is_refused(text: str, message: str, tmp_path: Path) -> None:
    write_classes(tmp_path)
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        clouds(tmp_path / "index.csv").store  # noqa: B018


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "points"}, "target must be one of class, parts"),
        ({"sampling": "grid"}, "sampling must be one of random, farthest"),
        ({"scale": "box"}, "scale must be one of unit_sphere, centre, none"),
        ({"num_points": 0}, "num_points must be at least 1"),
        ({"fractions": [1, 0, 0]}, "fractions must be positive"),
        ({"classes": ["a", "b"]}, "classes are names of labels of points"),
        ({"reading": {"columns": ["x", "y"]}}, "reading.columns must contain x, y and z"),
        ({"reading": {"mesh": "faces"}}, "reading.mesh must be one of surface, vertices"),
        ({"split_seed": -1}, "split_seed must be .*got -1"),
    ],
)  # fmt: skip
def test_bad_options_of_clouds_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        clouds(Path("anywhere"), **options)
