"""``dataset=graphs``: files of both layouts, PyTorch Geometric, and what is refused."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.datasets import FakeDataset

from geozoo.data import Graphs, GraphStore, LoaderOptions
from geozoo.hub.arrays import read_arrays


def made(**options: Any) -> Graphs:
    return Graphs(loader=LoaderOptions(batch_size=4), **options)


def arrays(count: int = 20) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    graphs = []
    for number in range(count):
        n = int(rng.integers(2, 6))
        graphs.append({
            "pos": rng.normal(size=(n, 3)), "z": rng.integers(6, 8, size=n),
            "edge_index": np.array([[0, 1], [1, 0]]), "y": np.float64(rng.normal()),
            "charge": rng.normal(size=n), "kind": np.int64(number % 3),
        })  # fmt: skip
    return graphs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, graph in enumerate(arrays()):
        np.savez(tmp_path / f"{number:03}.npz", **graph)
    return tmp_path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    graphs = arrays()
    joined = {
        name: np.concatenate([graph[name] for graph in graphs]) for name in ("pos", "z", "charge")
    }
    joined |= {name: np.stack([graph[name] for graph in graphs]) for name in ("y", "kind")}
    joined["edge_index"] = np.concatenate([graph["edge_index"] for graph in graphs], 1)
    joined["num_nodes"] = np.array([len(graph["pos"]) for graph in graphs])
    joined["num_edges"] = np.full(len(graphs), 2)
    (tmp_path / "one").mkdir()
    np.savez(tmp_path / "one" / "all.npz", **joined)
    return tmp_path / "one" / "all.npz"


@pytest.mark.parametrize("target", ["y", "charge", "kind"])
def test_both_layouts_hold_the_same_graphs(folder: Path, file: Path, target: str) -> None:
    one, other = made(path=folder, target=target), made(path=file, target=target)
    for name in ("pos", "x", target, "edge_index"):
        assert torch.equal(*(getattr(each.store.gather([3, 0]), name) for each in (one, other)))
    assert one.spec.record.split_hash == other.spec.record.split_hash
    assert one.spec.elements == (6, 7) and one.spec.has_edges


def test_targets_have_level_and_kind(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        specs = {name: made(path=folder, target=name).spec for name in ("y", "charge", "kind")}
    assert {name: (spec.level, spec.out_channels) for name, spec in specs.items()} == {
        "y": ("graph", 1), "charge": ("node", 1), "kind": ("graph", 3),
    }  # fmt: skip
    assert "target charge: one number per node, for task=regression" in caplog.text
    assert "target kind: 3 classes per graph, for task=classification" in caplog.text
    assert set(specs["y"].statistics) == {"y_shift", "y_scale"}


def test_predictions_read_the_same_files(folder: Path, file: Path) -> None:
    data = made(path=file)
    store = read_arrays(file, data.spec)
    assert torch.equal(store.node["x"], data.store.gather(range(20)).x)
    alone = read_arrays(folder / "003.npz", data.spec)
    torch.testing.assert_close(alone.node["pos"], data.store.gather([3]).pos)
    assert len(alone) == 1


def test_splits_are_random_by_seed_or_given(file: Path, tmp_path: Path) -> None:
    first, again, other = (made(path=file, split_seed=seed).splits for seed in (0, 0, 1))
    assert torch.equal(first["train"], again["train"])
    assert not torch.equal(first["train"], other["train"])
    np.savez(tmp_path / "split.npz", train=[0, 1, 2], val=[3], test=[4, 5])
    given = made(path=file, split_file=tmp_path / "split.npz").splits
    assert {name: part.tolist() for name, part in given.items()} == {
        "train": [0, 1, 2], "val": [3], "test": [4, 5],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "must be given"),
        ({"path": "nowhere"}, "there is no file or folder nowhere"),
        ({"path": "F", "target": "energy"}, "lacks energy"),
        ({"path": "F", "target": "pos"}, "'pos' is not a field to predict"),
        ({"path": "F", "target": "kind", "target_column": 1}, r"target_column must be in 0\.\.0"),
        ({"path": "F", "target": "y", "classes": True}, "must hold whole numbers"),
        ({"path": "F", "fractions": [0.5, 0.5]}, "fractions must be those of"),
    ],
)
def test_wrong_options_are_named(file: Path, options: dict[str, Any], message: str) -> None:
    given = {key: file if value == "F" else value for key, value in options.items()}
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        made(**given).spec  # noqa: B018


def test_wrong_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="has no .npz files"):
        made(path=tmp_path / "empty").spec  # noqa: B018
    np.savez(tmp_path / "a.npz", pos=np.zeros((4, 3)), num_nodes=np.array([2, 3]), y=np.zeros(2))
    with pytest.raises(ValueError, match=r"a\.npz: num_nodes sums to 5, pos has 4 rows"):
        made(path=tmp_path / "a.npz").spec  # noqa: B018
    np.savez(tmp_path / "b.npz", pos=np.zeros((4, 3)), num_nodes=np.array([2, 2]), y=np.zeros(3))
    with pytest.raises(ValueError, match="y has 3 rows, which matches none of 4 nodes, 2 graphs"):
        made(path=tmp_path / "b.npz").spec  # noqa: B018
    np.savez(tmp_path / "c.npz", pos=np.zeros((4, 3)), y=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match=r"c\.npz"):
        made(path=tmp_path / "c.npz").spec  # noqa: B018


def like_qm9(number: int) -> Data:
    """The attributes of `torch_geometric.datasets.QM9`."""
    n = 3 + number % 4
    return Data(
        x=torch.randn(n, 11), edge_index=torch.tensor([[0, 1], [1, 0]]),
        edge_attr=torch.zeros(2, 4), y=torch.randn(1, 19), pos=torch.randn(n, 3),
        z=torch.full((n,), 6), smiles="C" * n, name=f"gdb_{number}", idx=torch.tensor([number]),
    )  # fmt: skip


def test_texts_of_pyg_are_left_out_with_one_warning() -> None:
    graphs = [like_qm9(number) for number in range(10)]
    with pytest.warns(UserWarning, match="name, smiles left out") as caught:
        store = GraphStore.from_pyg(graphs)
    assert len(caught) == 1
    assert set(store.graph) == {"y", "idx"} and set(store.edge) == {"edge_attr"}
    assert "smiles" in graphs[0]  # the user's objects are not changed
    data = made(graphs=graphs, target_column=4)
    with pytest.warns(UserWarning, match="left out"):
        assert data.spec.target == "y_4"
    assert float(data.store.gather([2]).y_4) == pytest.approx(float(graphs[2].y[0, 4]))
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="19 columns"):
        made(graphs=graphs).spec  # noqa: B018


def test_meshes_and_parts_of_pyg_are_read() -> None:
    """The attributes of ``ModelNet`` and ``ShapeNet``."""
    meshes = [
        Data(pos=torch.randn(5 + i, 3), face=torch.zeros(3, 4, dtype=torch.long),
             y=torch.tensor([i % 2])) for i in range(10)
    ]  # fmt: skip
    with pytest.warns(UserWarning, match="face left out"):
        assert made(graphs=meshes).spec.out_channels == 2
    parts = [
        Data(pos=torch.randn(5 + i, 3), x=torch.randn(5 + i, 3), y=torch.arange(5 + i),
             category=torch.tensor([i % 2])) for i in range(10)
    ]  # fmt: skip
    assert made(graphs=parts, target="category").spec.out_channels == 2
    with pytest.raises(ValueError, match="classes of nodes, which no task learns"):
        made(graphs=parts).spec  # noqa: B018


def test_a_dataset_of_pyg_needs_positions() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fake = FakeDataset(num_graphs=10, avg_num_nodes=8, task="graph")
    with pytest.raises(ValueError, match="must have positions pos"):
        made(graphs=fake).spec  # noqa: B018
    graphs = [Data(**each.to_dict(), pos=torch.randn(each.num_nodes, 2)) for each in fake]
    assert made(graphs=graphs).spec.dim == 2
