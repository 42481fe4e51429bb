"""A model trained on explicit edges predicts with explicit edges, never with all pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_graphs import tiny_data
from trained_samples import SIZES, molecule, potential, trained

from geozoo.data import GeometricSpec, GraphStore, LoadedData, Structure
from geozoo.hub import load
from geozoo.hub.arrays import read_arrays
from geozoo.hub.structures import predict_store, structure_store
from geozoo.models import Ponita
from geozoo.options import in_groups
from geozoo.tasks import Classification


def classifier():
    """Three classes of planar points with explicit edges."""
    torch.manual_seed(0)
    spec = GeometricSpec(
        level="graph", dim=2, in_channels=1, out_channels=3, vector_fields=("pos",),
        statistics={"classes": ["a", "b", "c"]}, has_edges=True,
    )  # fmt: skip
    return trained(
        Classification(Ponita(**in_groups(Ponita, spec.model_arguments() | SIZES)), spec)
    )


def graphs(seed: int = 0) -> dict[str, np.ndarray]:
    """Four graphs of five points, each receiving from three."""
    rng = np.random.default_rng(seed)
    sender = np.stack([rng.permutation(5)[:3] for _ in range(20)]).reshape(4, 15)
    receiver = np.tile(np.repeat(np.arange(5), 3), (4, 1))
    return {
        "pos": rng.normal(size=(4, 5, 2)), "x": rng.random((4, 5, 1)),
        "edge_index": np.stack([sender, receiver], 1),
    }  # fmt: skip


def predicted(model, path, arrays: dict[str, np.ndarray]) -> torch.Tensor:
    np.savez(path, **arrays)
    (values,) = predict_store(model, read_arrays(path, model.spec)).values()
    return values


def test_prediction_uses_edges_from_file(tmp_path):
    model, arrays = classifier(), graphs()
    found = predicted(model, tmp_path / "a.npz", arrays)
    store = GraphStore(
        torch.full((4,), 5),
        node={name: torch.from_numpy(arrays[name]).float().flatten(0, 1) for name in ("pos", "x")},
        edge_index=torch.from_numpy(arrays["edge_index"].transpose(1, 0, 2).reshape(2, -1)),
        num_edges=torch.full((4,), 15),
    )
    batch = store.gather(torch.arange(4))
    torch.testing.assert_close(found, next(iter(model.predict(batch).values())))
    scores = model.task(batch).scalar
    every_pair = GraphStore(store.num_nodes, node=store.node).gather(torch.arange(4))
    assert (scores - model.task(every_pair).scalar).abs().max() > 1e-3
    flat = {
        **arrays, "edge_index": arrays["edge_index"].transpose(1, 0, 2).reshape(2, -1),
        "num_edges": np.full(4, 15),
    }  # fmt: skip
    assert torch.equal(predicted(model, tmp_path / "b.npz", flat), found)


def test_missing_or_invalid_edges_raise(tmp_path):
    model, arrays = classifier(), graphs()
    without = {name: array for name, array in arrays.items() if name != "edge_index"}
    with pytest.raises(ValueError, match="lacks edge_index: this model was trained on graphs with"):
        predicted(model, tmp_path / "a.npz", without)
    with pytest.raises(ValueError, match="edge_index must be an integer array, got float64"):
        predicted(model, tmp_path / "b.npz", {**without, "edge_index": np.zeros((4, 2, 3))})
    with pytest.raises(ValueError, match=r"or \[2, total edges\] with num_edges"):
        wrong = np.zeros((2, 3), dtype=int)
        predicted(model, tmp_path / "c.npz", {**without, "edge_index": wrong})
    with pytest.raises(ValueError, match="numbers? .*node|numbered|nodes"):
        predicted(model, tmp_path / "d.npz", {**without, "edge_index": np.full((4, 2, 3), 7)})


def test_edges_raise_for_all_pairs_model(tmp_path):
    spec = load("ponita-nbody_small").spec
    assert spec.has_edges is False
    arrays = {
        "pos": np.zeros((1, 2, 3)), "x": np.ones((1, 2, 1)), "vec": np.zeros((1, 2, 1, 3)),
        "edge_index": np.zeros((1, 2, 1), dtype=int),
    }  # fmt: skip
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match="without explicit edges and uses all pairs"):
        read_arrays(tmp_path / "a.npz", spec)


def test_structures_raise_for_model_with_explicit_edges():
    from dataclasses import replace

    numbers, pos = molecule()
    spec = replace(potential().spec, has_edges=True)
    with pytest.raises(ValueError, match="trained on graphs with explicit edges"):
        structure_store(spec, [Structure(numbers, pos)])


def test_spec_records_explicit_edges():
    data = tiny_data()
    assert data.spec.has_edges is False
    again = tiny_data()
    made = again.load()
    edges = torch.tensor([[0], [1]]).repeat(1, len(made.store))
    store = GraphStore(
        made.store.num_nodes, node=made.store.node, edge_index=edges,
        num_edges=torch.ones(len(made.store), dtype=torch.int64),
    )  # fmt: skip
    again.load = lambda: LoadedData(store, made.splits, made.spec)
    assert again.spec.has_edges is True


def test_shipped_digit_model_requires_edges(tmp_path):
    model = load("ponita-mnist_superpixels_slic")
    np.savez(tmp_path / "a.npz", pos=np.zeros((1, 3, 2)), x=np.zeros((1, 3, 1)))
    with pytest.raises(ValueError, match="lacks edge_index"):
        read_arrays(tmp_path / "a.npz", model.spec)
