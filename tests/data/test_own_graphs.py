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
    one, other = made(path=folder, targets=target), made(path=file, targets=target)
    for name in ("pos", "x", target, "edge_index"):
        assert torch.equal(*(getattr(each.store.gather([3, 0]), name) for each in (one, other)))
    assert one.spec.record.split_hash == other.spec.record.split_hash
    assert one.spec.elements == (6, 7) and one.spec.has_edges


def test_targets_have_level_and_kind(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        specs = {name: made(path=folder, targets=name).spec for name in ("y", "charge", "kind")}
    assert {name: (spec.level, spec.out_channels) for name, spec in specs.items()} == {
        "y": ("graph", 1), "charge": ("node", 1), "kind": ("graph", 3),
    }  # fmt: skip
    assert "targets: one number per node (values are numbers)" in caplog.text
    assert "targets: one class per graph (values are whole numbers" in caplog.text
    assert "kind: shares of the graphs of the training split: " in caplog.text
    assert set(specs["y"].statistics) == {"targets", "y_shift", "y_scale"}


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
    np.savez(tmp_path / "shares.npz", train=[0.5, 1.5], val=[3], test=[4])
    data = made(path=file, split_file=tmp_path / "shares.npz")
    with pytest.raises(ValueError, match="whole numbers for each part, got train .* float64"):
        data.setup()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "must be given"),
        ({"path": "nowhere"}, "there is no file or folder nowhere"),
        ({"path": "F", "targets": "energy"}, "lacks energy"),
        ({"path": "F", "targets": "pos"}, "'pos' is not a field to predict"),
        ({"path": "F", "targets": "y", "kind": "classes"}, "must hold indices from 0 for classes"),
        ({"path": "F", "targets": "kind", "classes": ["a", "b"]}, "names of all 3 classes"),
        ({"path": "F", "targets": "y", "classes": ["a", "b"]}, "the targets are no classes"),
        ({"path": "F", "targets": ["y", "charge"]}, "charge have a row per node, y a row per"),
        ({"path": "F", "targets": ["y", "kind"]}, "got a mixture: y is one number"),
        ({"path": "F", "kind": "vector"}, r"vectors must have shape \[rows, 3\]"),
        ({"path": "F", "kind": {"z": "vector"}}, r"kind must name targets \(y\), got 'z'"),
        ({"path": "F", "targets": "kind", "units": {"kind": "eV"}}, "have no unit"),
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
    data = made(graphs=graphs, columns=4)
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.warns(UserWarning, match="features of edges are not read: edge_attr"),
    ):
        assert data.spec.targets == ("y_4",)
    assert float(data.store.gather([2]).y_4) == pytest.approx(float(graphs[2].y[0, 4]))
    with pytest.warns(UserWarning, match="left out|not read"):
        whole = made(graphs=graphs, units={"y": "eV"}).spec
    assert whole.out_channels == 19 and whole.targets[18] == "y_18" and whole.units["y_7"] == "eV"
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=r"columns must be in 0\.\.18"):
        made(graphs=graphs, columns=[3, 19]).spec  # noqa: B018


def test_meshes_and_parts_of_pyg_are_read() -> None:
    """The attributes of ``ModelNet`` and ``ShapeNet``."""
    meshes = [
        Data(pos=torch.randn(5 + i, 3), face=torch.zeros(3, 4, dtype=torch.long),
             y=torch.tensor([i % 2])) for i in range(10)
    ]  # fmt: skip
    with pytest.warns(UserWarning, match="face left out"):
        assert made(graphs=meshes).spec.out_channels == 2
    parts = [
        Data(pos=torch.randn(5 + i, 3), x=torch.randn(5 + i, 3), y=torch.arange(5 + i) % 4,
             category=torch.tensor([i % 2])) for i in range(10)
    ]  # fmt: skip
    assert made(graphs=parts, targets="category").spec.out_channels == 2
    spec = made(graphs=parts).spec
    assert (spec.level, spec.out_channels, spec.statistics["classes"]) == ("node", 4, list("0123"))
    named = made(graphs=parts, classes=["leg", "seat", "back", "arm", "other"])
    with pytest.warns(UserWarning, match="no node of 1 of 5 classes of y: other"):
        assert named.spec.out_channels == 5


def with_targets(count: int = 12) -> list[Data]:
    """Vectors of graphs and of nodes, and labels."""
    generator = torch.Generator().manual_seed(0)
    return [
        Data(
            pos=torch.randn(3 + i % 3, 3, generator=generator), y=torch.tensor([0.1 * i]),
            dipole=torch.randn(1, 3, generator=generator), both=torch.randn(1, 2, 3),
            force=torch.randn(3 + i % 3, 3, generator=generator),
            labels=torch.tensor([[i % 2, i // 6]]),
        ) for i in range(count)
    ]  # fmt: skip


def test_vectors_and_numbers_are_learned_together() -> None:
    data = made(graphs=with_targets(), targets=["dipole", "y"], units={"dipole": "D"})
    spec = data.spec
    assert (spec.out_channels, spec.out_vectors, spec.targets) == (1, 1, ("y", "dipole"))
    assert spec.vector_fields == ("pos", "dipole") and spec.units["dipole"] == "D"
    of_nodes = made(graphs=with_targets(), targets="force").spec
    assert (of_nodes.level, of_nodes.out_vectors) == ("node", 1)
    assert made(graphs=with_targets(), targets="both").spec.targets == ("both_0", "both_1")
    assert made(graphs=with_targets(), targets="dipole", kind="scalar").spec.out_channels == 3


def test_columns_of_zeros_and_ones_are_labels() -> None:
    spec = made(graphs=with_targets(), targets="labels").spec
    assert spec.targets == ("labels_0", "labels_1") and len(spec.statistics["labels"]) == 2
    assert made(graphs=with_targets(), targets="labels", kind="scalar").spec.out_channels == 2


def test_a_dataset_of_pyg_needs_positions() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fake = FakeDataset(num_graphs=10, avg_num_nodes=8, task="graph")
    with pytest.raises(ValueError, match="must have positions pos"):
        made(graphs=fake).spec  # noqa: B018
    graphs = [Data(**each.to_dict(), pos=torch.randn(each.num_nodes, 2)) for each in fake]
    with pytest.warns(UserWarning, match="the training split has no graph of"):
        assert made(graphs=graphs).spec.dim == 2
