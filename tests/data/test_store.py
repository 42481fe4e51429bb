"""The graph store and its batches."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from graph_samples import make_store, random_graphs

from geozoo.data import GraphBatch, GraphStore

RAGGED = [3, 1, 0, 5, 2]
EQUAL = [4, 4, 4, 4, 4]


def gather_slowly(graphs: list[dict], index: list[int]) -> dict[str, torch.Tensor]:
    """Reference implementation of batching: a loop over graphs."""
    picked = [graphs[i] for i in index]
    sizes = [graph["num_nodes"] for graph in picked]
    starts = np.cumsum([0, *sizes]).tolist()
    fields = {name: torch.cat([g[name] for g in picked]) for name in ("pos", "z", "weight")}
    fields |= {name: torch.stack([g[name] for g in picked]) for name in ("energy", "dipole")}
    shifted = [g["edge_index"] + start for g, start in zip(picked, starts, strict=False)]
    fields["edge_index"] = torch.cat(shifted, dim=1)
    fields["batch"] = torch.tensor([k for k, size in enumerate(sizes) for _ in range(size)]).long()
    fields["ptr"] = torch.tensor(starts)
    fields["index"] = torch.tensor(index)
    return fields


@pytest.mark.parametrize("sizes", [RAGGED, EQUAL])
@pytest.mark.parametrize("index", [[0, 1, 2, 3, 4], [3], [4, 0, 4], [2], [1, 2, 3]])
def test_gather_equals_a_loop_over_graphs(sizes: list[int], index: list[int]) -> None:
    batch = make_store(sizes).gather(index)
    for name, expected in gather_slowly(random_graphs(sizes), index).items():
        torch.testing.assert_close(getattr(batch, name), expected, atol=0, rtol=0, msg=name)
    assert batch.num_graphs == len(index)
    assert batch.num_pairs == sum(sizes[i] * (sizes[i] - 1) // 2 for i in index)


@pytest.mark.parametrize("sizes", [RAGGED, EQUAL, [0, 0]])
def test_gather_of_no_graph_is_an_empty_batch(sizes: list[int]) -> None:
    batch = make_store(sizes).gather([])
    assert batch.num_graphs == 0
    assert batch.pos.shape == (0, 3)
    assert batch.ptr.tolist() == [0]
    assert batch.edge_index.shape == (2, 0)


def test_graphs_without_nodes_are_legitimate() -> None:
    batch = make_store([0, 0, 0]).gather([2, 1])
    assert batch.ptr.tolist() == [0, 0, 0]
    assert batch.dipole.shape == (2, 3)


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor, lambda x: torch.tensor(x).int()])
def test_index_may_be_a_list_an_array_or_a_tensor(kind) -> None:
    assert make_store(RAGGED).gather(kind([1, 3])).ptr.tolist() == [0, 1, 6]


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        ([5], IndexError, "index 5 is out of range for a store of 5 graphs"),
        ([0, -1], IndexError, "index -1 is out of range"),
        ([0.0, 1.0], TypeError, "index must hold whole numbers, got torch.float64"),
        ([True, False], TypeError, "index must hold whole numbers, got torch.bool"),
        ([[0, 1]], ValueError, r"index must have shape \[graphs\], got \(1, 2\)"),
    ],
)
def test_wrong_index_is_rejected(index: list, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_store(RAGGED).gather(index)


def test_gathered_fields_do_not_alias_the_store() -> None:
    store = make_store(EQUAL)
    before = store.node["pos"].clone()
    store.gather([0, 1, 2, 3, 4]).pos.zero_()
    torch.testing.assert_close(store.node["pos"], before)


@pytest.mark.parametrize("mmap", [True, False])
def test_file_round_trip(tmp_path: Path, mmap: bool) -> None:
    store = make_store(RAGGED)
    store.save(tmp_path / "graphs.safetensors", metadata={"source": "test"})
    loaded = GraphStore.load(tmp_path / "graphs.safetensors", mmap=mmap)
    first, second = store.gather([4, 3, 2]), loaded.gather([4, 3, 2])
    assert set(first) == set(second)
    for name in first:
        torch.testing.assert_close(getattr(first, name), getattr(second, name), atol=0, rtol=0)
    assert list(tmp_path.iterdir()) == [tmp_path / "graphs.safetensors"]


def test_loading_something_else_is_rejected(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.ones(2)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="not a graph store"):
        GraphStore.load(tmp_path / "model.safetensors")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        GraphStore.load(tmp_path / "nothing.safetensors")


def test_nbytes_counts_all_fields() -> None:
    store = GraphStore(torch.tensor([2, 1]), {"pos": torch.zeros(3, 3)}, {"y": torch.zeros(2)})
    assert store.nbytes == 9 * 4 + 2 * 4


def counts(*values: int) -> torch.Tensor:
    return torch.tensor(values)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"num_nodes": torch.tensor([1.0])}, TypeError, "num_nodes must be a tensor of whole"),
        ({"num_nodes": [1, 2]}, TypeError, "num_nodes must be a tensor of whole numbers, got list"),
        ({"num_nodes": counts(-1)}, ValueError, "num_nodes must not be negative"),
        ({"num_nodes": torch.ones(1, 1).long()}, ValueError, r"num_nodes must have shape"),
        ({"node": {"x": torch.zeros(2)}}, ValueError, r"node field 'x' must have 3 rows"),
        ({"graph": {"y": torch.zeros(3)}}, ValueError, r"graph field 'y' must have 2 rows"),
        ({"graph": {"y": torch.zeros(())}}, ValueError, r"graph field 'y' must have 2 rows"),
        ({"graph": {"y": [0.0, 1.0]}}, TypeError, "graph field 'y' must be a tensor, got list"),
        ({"node": {"x": torch.tensor([0, torch.nan, 1])}}, ValueError, "'x' contains NaN"),
        (
            {"node": {"x": torch.full((3, 2), torch.inf)}},
            ValueError,
            "infinite values .in at least 3",
        ),
        ({"node": {"ptr": torch.zeros(3)}}, ValueError, "'ptr': this name is reserved"),
        ({"node": {"_x": torch.zeros(3)}}, ValueError, "must be a Python identifier"),
        ({"edge": {"w": torch.zeros(2)}}, ValueError, "edge fields w need edge_index"),
        ({"num_edges": counts(1, 0)}, ValueError, "must be given together"),
        (
            {"num_edges": counts(1), "edge_index": torch.zeros(2, 1).long()},
            ValueError,
            "num_edges has 1 graphs, num_nodes has 2",
        ),
        (
            {"num_edges": counts(1, 0), "edge_index": torch.zeros(2, 2).long()},
            ValueError,
            r"edge_index must hold whole numbers with shape \(2, 1\)",
        ),
        (
            {"num_edges": counts(0, 1), "edge_index": counts(0, 2)[:, None]},
            ValueError,
            r"edge 0 connects \[0, 2\], but its graph has 1 nodes",
        ),
        (
            {
                "node": {"x": torch.zeros(3)},
                "graph": {"x": torch.zeros(2)},
            },
            ValueError,
            "'x': this name is reserved or used twice",
        ),
    ],
)
def test_wrong_arrays_are_rejected(arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        GraphStore(**{"num_nodes": counts(2, 1), **arguments})


def test_graphs_that_do_not_fit_together_are_rejected() -> None:
    first, second = random_graphs([2, 3])
    with pytest.raises(ValueError, match="graph 1 has no field energy"):
        GraphStore.from_graphs([first, {"pos": second["pos"]}], node=["pos"], graph=["energy"])
    with pytest.raises(ValueError, match="graph 0: field 'z' must have 2 rows, got 3"):
        GraphStore.from_graphs([{**first, "z": second["z"]}], node=["pos", "z"])
    with pytest.raises(ValueError, match="field 'pos' has incompatible shapes"):
        GraphStore.from_graphs([first, {**second, "pos": torch.zeros(3, 2)}], node=["pos"])
    with pytest.raises(ValueError, match="graphs is empty"):
        GraphStore.from_graphs([])
    with pytest.raises(ValueError, match="needs 'num_nodes'"):
        GraphStore.from_graphs([{"y": torch.zeros(())}], graph=["y"])


def test_batch_replace_keeps_the_original() -> None:
    batch = make_store(RAGGED).gather([0, 3])
    moved = batch.replace(pos=batch.pos + 1)
    torch.testing.assert_close(moved.pos, batch.pos + 1)
    torch.testing.assert_close(moved.energy, batch.energy)
    with pytest.raises(ValueError, match="'ptr' cannot be replaced"):
        batch.replace(ptr=batch.ptr)
    with pytest.raises(ValueError, match="'pos' must have 8 rows"):
        batch.replace(pos=batch.pos[1:])


def test_batch_reads_like_a_mapping() -> None:
    batch = make_store(RAGGED).gather([0, 1])
    assert "pos" in batch
    assert "vec" not in batch
    assert batch.get("vec") is None
    assert batch.get("pos") is batch.pos
    assert batch.num_nodes == 4
    assert batch.level("pos") == "node"
    assert batch.level("edge_index") == "structure"
    assert "num_graphs=2" in repr(batch)
    with pytest.raises(AttributeError, match="this batch has no field 'vec'; available: batch"):
        _ = batch.vec
    with pytest.raises(ValueError, match="name must be one of"):
        batch.level("vec")


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda b: pickle.loads(pickle.dumps(b))]
)
def test_batch_can_be_copied_and_sent_to_another_process(clone) -> None:
    batch = make_store(RAGGED).gather([0, 1])
    again = clone(batch)
    assert isinstance(again, GraphBatch)
    assert (again.num_graphs, again.num_pairs) == (2, batch.num_pairs)
    torch.testing.assert_close(again.pos, batch.pos)


def test_moving_changes_the_device_of_everything() -> None:
    store = make_store(RAGGED)
    assert store.to("cpu") is store
    moved = store.to("meta")
    assert moved.device.type == "meta"
    assert moved.num_nodes.tolist() == RAGGED  # sizes stay where Python can read them
    assert store.gather([0, 1]).to("meta").num_pairs == store.gather([0, 1]).num_pairs
    batch = store.gather([0, 1]).to("meta")
    assert {getattr(batch, name).device.type for name in batch} == {"meta"}


def test_gather_on_another_device_needs_no_answer_from_it() -> None:
    # The meta device holds no values: any step that asked for one would raise.
    batch = make_store(RAGGED).to("meta").gather([4, 3])
    assert batch.pos.shape == (7, 3)
    assert batch.edge_index.shape == (2, 14)


@pytest.mark.gpu
@pytest.mark.parametrize("sizes", [RAGGED, EQUAL])
def test_gather_on_a_gpu_equals_the_cpu_and_does_not_wait(sizes: list[int]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    store = make_store(sizes)
    index = torch.tensor([4, 3, 0])
    resident = store.to("cuda")
    resident.gather(index)  # the first call loads kernels
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        batch = resident.gather(index)
    finally:
        torch.cuda.set_sync_debug_mode(mode)
    expected = store.gather(index)
    for name in expected:
        torch.testing.assert_close(getattr(batch, name).cpu(), getattr(expected, name), msg=name)
    again = resident.gather(index.cuda())
    torch.testing.assert_close(again.pos.cpu(), expected.pos)
