import pytest
import torch

from geozoo import geometry as geo
from geozoo.geometry import graphs

#: Graph sizes of each batch; trailing empty graphs are known only from num_graphs.
RAGGED = [[3, 1, 4], [0, 2, 0, 3, 0], [1], [], [0], [5]]


def cloud(sizes, dim=3):
    batch = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes).long())
    generator = torch.Generator().manual_seed(sum(sizes))
    return torch.randn(len(batch), dim, generator=generator, dtype=torch.float64), batch


def ordered_pairs(batch):
    same = batch[:, None] == batch[None, :]
    return {(j, i) for i in range(len(batch)) for j in range(len(batch)) if same[i, j]}


def as_set(edge_index):
    edges = list(zip(*edge_index.tolist(), strict=True)) if edge_index.numel() else []
    assert len(edges) == len(set(edges)), "an edge is listed twice"
    return set(edges)


@pytest.mark.parametrize("sizes", RAGGED, ids=str)
def test_complete_graph_equals_brute_force(sizes):
    _, batch = cloud(sizes)
    every = ordered_pairs(batch)
    edges = geo.complete_graph(batch, len(sizes))
    assert as_set(edges) == every
    assert edges[1].tolist() == sorted(edges[1].tolist())
    without = {(j, i) for j, i in every if j != i}
    assert as_set(geo.complete_graph(batch, len(sizes), self_loops=False)) == without
    pairs = geo.complete_pairs(batch, len(sizes))
    assert as_set(pairs) == {(j, i) for j, i in every if j < i}
    assert as_set(geo.directed_edges(pairs, len(batch))) == every
    assert as_set(geo.directed_edges(pairs, len(batch), self_loops=False)) == without


@pytest.mark.parametrize("sizes", RAGGED, ids=str)
@pytest.mark.parametrize("build", [geo.complete_pairs, geo.complete_graph])
def test_known_number_of_pairs_gives_same_edges(build, sizes):
    _, batch = cloud(sizes)
    count = sum(size * (size - 1) // 2 for size in sizes)
    expected = build(batch, len(sizes))
    assert build(batch, len(sizes), num_pairs=count).tolist() == expected.tolist()
    # The meta device holds no values: any synchronisation would raise an error.
    assert build(batch.to("meta"), len(sizes), num_pairs=count).shape == expected.shape


@pytest.mark.parametrize("sizes", RAGGED, ids=str)
@pytest.mark.parametrize("radius", [1.5, 1e-3, 100.0])
def test_radius_graph_equals_brute_force(sizes, radius):
    pos, batch = cloud(sizes)
    near = {(j, i) for j, i in ordered_pairs(batch) if (pos[j] - pos[i]).norm() < radius}
    assert as_set(geo.radius_graph(pos, radius, batch, len(sizes))) == near
    without = {(j, i) for j, i in near if j != i}
    edges = geo.radius_graph(pos, radius, batch, len(sizes), self_loops=False)
    assert as_set(edges) == without
    pairs = geo.radius_pairs(pos, radius, batch, len(sizes))
    assert as_set(pairs) == {(j, i) for j, i in near if j < i}


@pytest.mark.parametrize("sizes", RAGGED, ids=str)
@pytest.mark.parametrize("num", [1, 2, 10])
def test_knn_graph_equals_brute_force(sizes, num):
    pos, batch = cloud(sizes, dim=2)
    expected = set()
    for i in range(len(batch)):
        others = [j for j in range(len(batch)) if batch[j] == batch[i] and j != i]
        others.sort(key=lambda j, i=i: float((pos[j] - pos[i]).square().sum()))
        expected |= {(j, i) for j in others[:num]}
    assert as_set(geo.knn_graph(pos, num, batch, len(sizes))) == expected


def test_knn_breaks_ties_by_lowest_index():
    pos = torch.tensor([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    edges = geo.knn_graph(pos, 2, torch.zeros(4, dtype=torch.int64))
    assert edges[0, edges[1] == 0].tolist() == [1, 2]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("dim", [1, 2, 3, 4])
@pytest.mark.parametrize("num", [1, 7])
def test_knn_graph_of_large_graphs_equals_test_of_all_pairs(dim, dtype, num, monkeypatch):
    """Ties on a lattice, an outlier, a cluster of coincident nodes, and graphs of other sizes."""
    generator = torch.Generator().manual_seed(dim)
    pos = torch.randn(1300, dim, generator=generator, dtype=torch.float64).to(dtype)
    pos[:600] = pos[:600].mul(2).round()
    pos[600:602], pos[1000:1015] = 1e4, 0
    batch = torch.arange(4).repeat_interleave(torch.tensor([700, 0, 3, 597]))
    found = geo.knn_graph(pos, num, batch, 5)
    monkeypatch.setattr(graphs, "_TESTED_NODES", 1300)
    assert torch.equal(found, geo.knn_graph(pos, num, batch, 5))


def test_knn_graph_of_one_point_many_times():
    batch = torch.zeros(600, dtype=torch.int64)
    assert geo.knn_graph(torch.zeros(600, 3), 2, batch)[0, :4].tolist() == [1, 2, 0, 2]


def test_coincident_nodes_are_neighbours():
    pos, batch = torch.zeros(3, 3), torch.zeros(3, dtype=torch.int64)
    assert geo.radius_pairs(pos, 0.1, batch).shape == (2, 3)
    assert geo.knn_graph(pos, 1, batch).shape == (2, 3)


def test_cutoff_is_exclusive():
    pos, batch = torch.tensor([[0.0], [2.0]]), torch.zeros(2, dtype=torch.int64)
    assert geo.radius_pairs(pos, 2.0, batch).numel() == 0


UNSORTED = torch.tensor([0, 1, 0])
POS = torch.zeros(3, 3)


@pytest.mark.parametrize(
    "build",
    [
        lambda: geo.complete_graph(UNSORTED),
        lambda: geo.complete_pairs(UNSORTED),
        lambda: geo.radius_pairs(POS, 1.0, UNSORTED),
        lambda: geo.radius_graph(POS, 1.0, UNSORTED),
        lambda: geo.knn_graph(POS, 1, UNSORTED),
    ],
)
def test_unsorted_batch_raises(build):
    with pytest.raises(ValueError, match="batch must be sorted"):
        build()


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan")])
@pytest.mark.parametrize("function", [geo.radius_pairs, geo.radius_graph])
def test_radius_must_be_positive(function, radius):
    with pytest.raises(ValueError, match="radius must be positive, got"):
        function(POS, radius, torch.zeros(3, dtype=torch.int64))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("function", [geo.radius_pairs, geo.radius_graph, geo.knn_graph])
def test_positions_must_be_finite(function, value):
    pos = torch.tensor([[0.0, 0, 0], [1.0, value, 0], [2.0, 0, 0]])
    with pytest.raises(ValueError, match="pos must be finite, got NaN or infinite"):
        function(pos, 1, torch.zeros(3, dtype=torch.int64))


def test_number_of_neighbours_must_be_positive():
    with pytest.raises(ValueError, match="num_neighbors must be at least 1, got 0"):
        geo.knn_graph(POS, 0, torch.zeros(3, dtype=torch.int64))


def test_paired_edges_contain_all_edges():
    generator = torch.Generator().manual_seed(0)
    chosen = torch.rand(6, 6, generator=generator) < 0.5
    edges = chosen.nonzero().T[:, torch.randperm(int(chosen.sum()), generator=generator)]
    paired = geo.pair_edges(edges, 6)
    again = torch.zeros(6, 6, dtype=torch.bool)
    again[paired.pairs[0], paired.pairs[1]] = True
    mutual = paired.pairs[:, : paired.num_mutual]
    again[mutual[1], mutual[0]] = True
    assert torch.equal(again | torch.diag(paired.has_loop), chosen)
    low, high = paired.pairs.sort(0).values
    assert len((low * 6 + high).unique()) == paired.pairs.shape[1]
    assert 0 < paired.num_mutual < paired.pairs.shape[1]


@pytest.mark.parametrize("edges", [[[0, 0], [1, 1]], [[2, 2], [2, 2]], [[0, 1, 0], [1, 0, 1]]])
def test_duplicate_edges_give_none(edges):
    assert geo.pair_edges(torch.tensor(edges), 3) is None
