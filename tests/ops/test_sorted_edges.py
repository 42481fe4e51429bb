"""Edges sorted by source and by target."""

import torch

from geozoo.ops import sort_edges


def test_edges_are_sorted_by_either_end():
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(6, (2, 40), generator=generator)
    edges = sort_edges(edge_index, 7)
    assert edges.num_nodes == 7
    for ends, order in ((edge_index[1], edges.by_target), (edge_index[0], edges.by_source)):
        expected = sorted(range(40), key=lambda e: (int(ends[e]), e))
        assert order.edges.tolist() == expected
        for node in range(7):
            members = order.edges[order.ptr[node] : order.ptr[node + 1]]
            assert ends[members].tolist() == [node] * int((ends == node).sum())
    assert torch.equal(torch.stack([edges.source, edges.target]), edge_index)


def test_reversed_exchanges_source_and_target():
    edge_index = torch.tensor([[0, 2, 1], [1, 1, 0]])
    back, wanted = sort_edges(edge_index, 3).reversed(), sort_edges(edge_index.flip(0), 3)
    assert torch.equal(back.source, wanted.source)
    assert torch.equal(back.target, wanted.target)
    assert torch.equal(back.by_target.edges, wanted.by_target.edges)
    assert torch.equal(back.by_source.ptr, wanted.by_source.ptr)
