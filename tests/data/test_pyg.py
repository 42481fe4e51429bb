"""Conversion to and from PyTorch Geometric."""

from __future__ import annotations

import pytest
import torch
from graph_samples import make_store, random_graphs
from torch_geometric.data import Batch, Data

from geozoo.data import GraphStore

SIZES = [3, 1, 5]


def as_data(graph: dict) -> Data:
    fields = {name: value for name, value in graph.items() if name != "num_nodes"}
    fields["energy"], fields["dipole"] = graph["energy"][None], graph["dipole"][None]
    return Data(**fields)


def test_gather_equals_collate_of_pyg() -> None:
    data = [as_data(graph) for graph in random_graphs(SIZES)]
    ours = GraphStore.from_pyg(data).gather([2, 0, 1])
    theirs = Batch.from_data_list([data[i] for i in (2, 0, 1)])
    for name in ("pos", "z", "weight", "energy", "dipole", "edge_index", "batch", "ptr"):
        torch.testing.assert_close(getattr(ours, name), theirs[name], atol=0, rtol=0, msg=name)


@pytest.mark.parametrize("source", [list, iter, Batch.from_data_list])
def test_store_from_lists_iterators_and_batches(source) -> None:
    store = GraphStore.from_pyg(source([as_data(graph) for graph in random_graphs(SIZES)]))
    assert set(store.node) == {"pos", "z"}
    assert set(store.edge) == {"weight"}
    assert set(store.graph) == {"energy", "dipole"}


def test_store_from_a_dataset_of_pyg() -> None:
    from torch_geometric.datasets import FakeDataset

    dataset = FakeDataset(num_graphs=6, avg_num_nodes=8, task="graph")
    store = GraphStore.from_pyg(dataset)
    assert len(store) == 6
    batch = store.gather([3])
    torch.testing.assert_close(batch.x, dataset[3].x)
    torch.testing.assert_close(batch.edge_index, dataset[3].edge_index)
    torch.testing.assert_close(batch.y, dataset[3].y)


def test_batch_to_pyg_and_back() -> None:
    store = make_store(SIZES)
    batch = store.gather([1, 2, 0])
    converted = batch.to_pyg()
    torch.testing.assert_close(converted.batch, batch.batch)
    torch.testing.assert_close(converted.edge_index, batch.edge_index)
    pieces = converted.to_data_list()
    torch.testing.assert_close(pieces[2].pos, store.gather([0]).pos)
    torch.testing.assert_close(pieces[2].edge_index, store.gather([0]).edge_index)
    again = GraphStore.from_pyg(converted).gather([0, 1, 2])
    for name in ("pos", "weight", "dipole", "energy", "edge_index"):
        torch.testing.assert_close(getattr(again, name), getattr(batch, name), msg=name)


def test_store_to_list() -> None:
    data = make_store([2, 0, 3], with_edges=False).to_pyg_list()
    assert [piece.num_nodes for piece in data] == [2, 0, 3]
    assert data[0].dipole.shape == (1, 3)


def test_batch_without_graphs_is_rejected_by_name() -> None:
    with pytest.raises(ValueError, match="to_pyg needs at least one graph"):
        make_store(SIZES).gather([]).to_pyg()


def test_size_ambiguous_in_one_graph_is_settled_by_the_others() -> None:
    # y has one row, like the nodes of the first graph; the second graph tells it is per graph.
    # bond has as many rows as nodes in the first graph; the second tells it is per edge.
    ring = torch.tensor([[0], [0]])
    first = Data(pos=torch.zeros(1, 3), edge_index=ring, y=torch.ones(1, 2), bond=torch.ones(1))
    second = Data(
        pos=torch.zeros(3, 3),
        edge_index=torch.tensor([[0, 1], [1, 2]]),
        y=torch.zeros(1, 2),
        bond=torch.zeros(2),
    )
    store = GraphStore.from_pyg([first, second])
    assert (set(store.node), set(store.edge), set(store.graph)) == ({"pos"}, {"bond"}, {"y"})
    assert store.gather([0, 1]).y.shape == (2, 2)


def test_numbers_become_graph_fields() -> None:
    graphs = [Data(pos=torch.zeros(n, 3), label=n, weight=0.5) for n in (2, 3)]
    batch = GraphStore.from_pyg(graphs).gather([1, 0])
    assert batch.label.tolist() == [3, 2]
    assert batch.weight.dtype == torch.float32


def test_wrong_sources_are_rejected() -> None:
    pos = torch.zeros(2, 3)
    with pytest.raises(TypeError, match="element 1 must be a torch_geometric.data.Data, got dict"):
        GraphStore.from_pyg([Data(pos=pos), {"pos": pos}])
    with pytest.raises(ValueError, match="graph 1 and graph 0 .* only one of them has y"):
        GraphStore.from_pyg([Data(pos=pos), Data(pos=pos, y=torch.zeros(1))])
    with pytest.raises(ValueError, match="only one of them has edge_index"):
        GraphStore.from_pyg([Data(pos=pos), Data(pos=pos, edge_index=torch.zeros(2, 1).long())])
    with pytest.raises(ValueError, match="graphs is empty"):
        GraphStore.from_pyg([])
