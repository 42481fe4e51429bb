"""Adjacency matrices of sensor networks."""

import csv

import numpy as np
import pytest
import torch

from geozoo.data.traffic import (
    distances_from_coordinates,
    distances_from_edges,
    released_gaussian_adjacency,
    semantic_adjacency,
    threshold_gaussian_adjacency,
)
from geozoo.geometry import (
    normalized_adjacency,
    random_walk_adjacency,
    scaled_laplacian,
    symmetrized,
)

INF = float("inf")


def roads():
    """Symmetric distances of five sensors, the last one isolated."""
    edges = torch.tensor([[0, 1, 2, 0], [1, 2, 3, 3]])
    lengths = torch.tensor([1.0, 2.0, 4.0, 40.0], dtype=torch.float64)
    return symmetrized(distances_from_edges(edges, lengths, 5), how="min")


def test_edges_fill_the_matrix_in_the_listed_direction():
    edges = torch.tensor([[0, 2, 2], [1, 0, 0]])
    found = distances_from_edges(edges, torch.tensor([3.0, 7.0, 5.0]), 3)
    assert found.tolist() == [[INF, 3, INF], [INF, INF, INF], [5, INF, INF]]
    assert (
        distances_from_edges(torch.zeros(2, 0, dtype=torch.long), torch.zeros(0), 2).isinf().all()
    )


@pytest.mark.parametrize(
    ("edges", "lengths", "message"),
    [
        ([[0], [3]], [1.0], r"indices in 0\.\.2"),
        ([[-1], [0]], [1.0], r"indices in 0\.\.2"),
        ([[0], [1]], [-1.0], "^costs must not be negative or NaN"),
        ([[0], [1]], [float("nan")], "^costs must not be negative or NaN"),
    ],
)
def test_bad_edges_are_rejected(edges, lengths, message):
    with pytest.raises(ValueError, match=message):
        distances_from_edges(torch.tensor(edges), torch.tensor(lengths), 3)


def test_distances_on_the_globe():
    places = torch.tensor([[0.0, 0.0], [0.0, 90.0], [90.0, 0.0], [0.0, 180.0]], dtype=torch.float64)
    quarter = torch.pi / 2 * 6371.0088
    found = distances_from_coordinates(places)
    expected = torch.tensor([0, quarter, quarter, 2 * quarter], dtype=torch.float64)
    torch.testing.assert_close(found[0], expected)
    torch.testing.assert_close(found, found.T)
    for bad in ([[91.0, 0.0]], [[0.0, float("nan")]]):
        with pytest.raises(ValueError, match="^coordinates must be degrees"):
            distances_from_coordinates(torch.tensor(bad))
    with pytest.raises(ValueError, match=r"shape \[N, 2\]"):
        distances_from_coordinates(torch.zeros(3, 3))


def test_distances_of_any_places_are_angles_between_directions():
    generator = torch.Generator().manual_seed(0)
    places = (2 * torch.rand(6, 2, generator=generator, dtype=torch.float64) - 1) * torch.tensor(
        [90.0, 180.0], dtype=torch.float64
    )
    latitude, longitude = torch.deg2rad(places).T
    level = torch.cos(latitude)
    arrows = torch.stack(
        [level * torch.cos(longitude), level * torch.sin(longitude), torch.sin(latitude)], -1
    )
    angles = torch.arccos((arrows @ arrows.T).clamp(-1, 1))
    found = distances_from_coordinates(places)
    torch.testing.assert_close(found, 6371.0088 * angles, rtol=1e-9, atol=1e-3)
    with pytest.raises(ValueError, match="longitude within 180"):
        distances_from_coordinates(torch.tensor([[0.0, 180.5]]))


def test_weak_roads_are_walked_too():
    weights = torch.tensor([[0.0, 0.1, 0.3], [0.2, 0.0, 0.0], [0.0, 0.0, 0.0]])
    expected = torch.tensor([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(random_walk_adjacency(weights), expected)


def test_symmetrized_takes_both_directions():
    matrix = torch.tensor([[0.0, 1.0], [3.0, 0.0]])
    assert [symmetrized(matrix, how=how)[0, 1].item() for how in ("min", "max", "mean")] == [
        1,
        3,
        2,
    ]
    with pytest.raises(ValueError, match="how must be"):
        symmetrized(matrix, how="sum")
    with pytest.raises(ValueError, match="^matrix must be a square"):
        symmetrized(torch.ones(2, 3), how="min")


def test_released_rule_against_its_formula():
    distances = roads()
    known = np.array([1, 2, 4, 40.0])
    z = (known - known.mean()) / known.std()
    found = released_gaussian_adjacency(distances)
    expected = np.exp(-np.square(z) / 100)
    np.testing.assert_allclose(found[[0, 1, 2, 0], [1, 2, 3, 3]], expected, rtol=1e-12)
    assert (found > 0).sum() == 8 and not found[4].any()
    torch.testing.assert_close(found, found.T)
    # The longest road is further from the mean than the shortest: it falls out first.
    narrow = released_gaussian_adjacency(distances, sigma=1.5, threshold=0.5)
    assert narrow[0, 3] == 0 and narrow[0, 1] > 0.5


def test_released_rule_without_roads_or_with_equal_ones():
    assert not released_gaussian_adjacency(torch.full((2, 2), INF)).any()
    assert released_gaussian_adjacency(torch.tensor([[INF, 3.0], [3.0, INF]])).tolist() == [
        [0, 1],
        [1, 0],
    ]


def test_released_rule_of_roads_that_are_nearly_equal():
    distances = torch.tensor([[INF, 3.0, 3.2], [3.0, INF, 3.4], [3.2, 3.4, INF]]).double()
    known = np.array([3, 3.2, 3.4])
    expected = np.exp(-np.square((known - known.mean()) / known.std()))
    found = released_gaussian_adjacency(distances, sigma=1.0, threshold=0.0)
    np.testing.assert_allclose(found[[0, 0, 1], [1, 2, 2]], expected, rtol=1e-12)


def test_the_least_weight_of_an_edge_is_an_edge():
    distances = torch.tensor([[0.0, 0.0], [0.0, 2.0]]).double()
    for rule in (released_gaussian_adjacency, threshold_gaussian_adjacency):
        least = rule(distances, threshold=0.0).min().item()
        assert 0 < least < 1
        assert rule(distances, threshold=least).min().item() == least
        assert rule(distances, threshold=least * 1.001).min() == 0


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_scaled_laplacian_against_its_formula(scale):
    adjacency = symmetrized(torch.rand(5, 5, generator=torch.Generator().manual_seed(0)), how="max")
    adjacency = scale * adjacency.double()
    adjacency[2], adjacency[:, 2] = 0, 0
    kept = [0, 1, 3, 4]
    roads = adjacency[kept][:, kept].numpy()
    root = np.diag(1 / np.sqrt(roads.sum(1)))
    laplacian = np.eye(4) - root @ roads @ root
    expected = -np.eye(5)
    expected[np.ix_(kept, kept)] = 2 / np.linalg.eigvalsh(laplacian)[-1] * laplacian - np.eye(4)
    found = scaled_laplacian(adjacency)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert torch.linalg.eigvalsh(found).abs().max() <= 1 + 1e-12


def test_scaled_laplacian_of_lone_sensors_and_of_one_way_roads():
    assert not scaled_laplacian(torch.zeros(3, 3)).any()
    with pytest.raises(ValueError, match="^adjacency must be symmetric"):
        scaled_laplacian(torch.tensor([[0.0, 1.0], [2.0, 0.0]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_matrices_keep_their_type(dtype):
    matrix = symmetrized(torch.rand(4, 4, dtype=dtype), how="mean")
    makers = (
        symmetrized, released_gaussian_adjacency, threshold_gaussian_adjacency, semantic_adjacency,
        normalized_adjacency, scaled_laplacian, random_walk_adjacency,
    )  # fmt: skip
    options = {symmetrized: {"how": "min"}}
    for maker in makers:
        assert maker(matrix, **options.get(maker, {})).dtype == dtype, maker
    assert semantic_adjacency(matrix, rule="released").dtype == dtype


def test_threshold_rule_against_its_formula():
    directed = distances_from_edges(
        torch.tensor([[0, 1, 2, 0], [0, 0, 1, 2]]), torch.tensor([0.0, 1.0, 2.0, 9.0]), 3
    )
    scale = np.std([0, 1, 2, 9.0])
    found = threshold_gaussian_adjacency(directed)
    assert found[0, 0] == 1 and found[0, 1] == 0 and found[0, 2] == 0
    assert found[1, 0].item() == pytest.approx(np.exp(-((1 / scale) ** 2)))
    with pytest.raises(ValueError, match="^distances are all equal"):
        threshold_gaussian_adjacency(torch.ones(2, 2))
    lone = torch.full((2, 2), INF, dtype=torch.float64)
    assert torch.equal(threshold_gaussian_adjacency(lone), torch.zeros_like(lone))


def test_threshold_rule_makes_the_published_graph(shared_folder):
    folder = shared_folder / "data" / "traffic" / "sensor_graphs"
    with np.load(folder / "PEMS-BAY_adj_mx.npz") as file:
        ids, published = file["sensor_ids"].tolist(), file["adjacency"]
    with (folder / "PEMS-BAY_distances_2017.csv").open() as file:
        rows = list(csv.reader(file))
    place = {name: i for i, name in enumerate(ids)}
    edges = torch.tensor([[place[row[0]] for row in rows], [place[row[1]] for row in rows]])
    lengths = torch.tensor([float(row[2]) for row in rows], dtype=torch.float64)
    found = threshold_gaussian_adjacency(distances_from_edges(edges, lengths, len(ids)))
    np.testing.assert_allclose(found, published, atol=2e-7)


@pytest.mark.parametrize("rule", [released_gaussian_adjacency, threshold_gaussian_adjacency])
@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (torch.ones(2, 3), "^distances must be a square"),
        (torch.ones(3), "^distances must be a square"),
        (torch.tensor([[0.0, -1.0], [1.0, 0.0]]), "^distances must not be negative or NaN"),
        (torch.tensor([[0.0, float("nan")], [1.0, 0.0]]), "^distances must not be negative or NaN"),
    ],
)
def test_bad_distances_are_rejected(rule, matrix, message):
    with pytest.raises(ValueError, match=message):
        rule(matrix)


def test_normalized_adjacency_against_its_formula():
    adjacency = torch.rand(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    adjacency = symmetrized(adjacency, how="mean")
    adjacency[2], adjacency[:, 2] = 0, 0
    scale = np.diag(1 / np.sqrt(np.maximum(adjacency.sum(1).numpy(), 1e-4)))
    expected = 0.4 * (np.eye(6) + scale @ adjacency.numpy() @ scale)
    found = normalized_adjacency(adjacency)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # Weak roads are normalised like strong ones.
    np.testing.assert_allclose(normalized_adjacency(0.01 * adjacency), expected, rtol=1e-12)
    assert torch.linalg.eigvalsh(found).abs().max() <= 0.8 + 1e-12
    assert found[2, 2] == 0.4


def test_random_walk_rows_sum_to_one_or_stay_empty():
    found = random_walk_adjacency(torch.tensor([[0.0, 1, 3], [0, 0, 0], [2, 0, 0]]))
    assert found.tolist() == [[0, 0.25, 0.75], [0, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize("rule", [normalized_adjacency, random_walk_adjacency])
@pytest.mark.parametrize("bad", [-1.0, INF, float("nan")])
def test_bad_weights_are_rejected(rule, bad):
    with pytest.raises(ValueError, match="^adjacency must have finite, non-negative weights"):
        rule(torch.tensor([[0.0, bad], [1.0, 0.0]]))
    with pytest.raises(ValueError, match="^adjacency must be a square matrix"):
        rule(torch.ones(2, 3))


def similar_days(sensors=30):
    """Distances between points on a line, symmetric and without ties."""
    places = torch.rand(sensors, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return (places[:, None] - places).abs()


def test_closest_rule_links_the_nearest_in_both_directions():
    distances = similar_days()
    found = semantic_adjacency(distances, neighbors=4)
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(found, found.T) and not found.diagonal().any()
    assert (found.sum(1) >= 4).all()
    for sensor, row in enumerate(distances):
        nearest = [other for other in row.argsort().tolist() if other != sensor][:4]
        assert found[sensor, nearest].all()
    assert 30 * 4 <= found.sum() <= 2 * 30 * 4


def test_closest_rule_may_link_one_and_links_ten_unasked():
    distances = similar_days()
    assert (semantic_adjacency(distances, neighbors=1).sum(1) >= 1).all()
    assert torch.equal(semantic_adjacency(distances), semantic_adjacency(distances, neighbors=10))
    few = semantic_adjacency(distances).sum(), semantic_adjacency(distances, neighbors=11).sum()
    assert few[0] < few[1]


def test_closest_rule_takes_all_of_a_small_network():
    assert semantic_adjacency(similar_days(4), neighbors=10).sum() == 12
    assert semantic_adjacency(torch.zeros(1, 1)).sum() == 0


def test_released_rule_links_pairs_at_the_mean_distance():
    distances = similar_days()
    z = (distances.numpy() - distances.numpy().mean()) / distances.numpy().std()
    found = semantic_adjacency(distances, rule="released")
    assert np.array_equal(found.numpy(), (np.exp(-np.square(z) / 0.01) > 0.6).astype(float))
    linked = distances[found > 0]
    assert (linked - distances.mean()).abs().max() < 0.0715 * distances.std(correction=0)
    assert not semantic_adjacency(torch.zeros(3, 3), rule="released").any()


def test_released_rule_spreads_as_numpy_does():
    for last in np.linspace(0.5, 1.5, 2001):
        distances = np.array([[0, 1, 2], [1, 0, last], [2, last, 0]])
        z = (distances - distances.mean()) / distances.std()
        found = semantic_adjacency(torch.tensor(distances), rule="released")
        assert np.array_equal(found.numpy(), np.exp(-np.square(z) / 0.01) > 0.6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distances": torch.tensor([[0.0, 1.0], [2.0, 0.0]])}, "^distances must be symmetric"),
        ({"distances": torch.tensor([[0.0, INF], [INF, 0.0]])}, "^distances must be finite"),
        ({"distances": torch.tensor([[0.0, -1.0], [-1.0, 0.0]])}, "negative or NaN"),
        ({"distances": torch.ones(2, 3)}, "square"),
        ({"rule": "nearest"}, "rule must be closest or released"),
        ({"neighbors": 0}, "neighbors must be at least 1"),
    ],
)
def test_bad_input_of_semantic_graph_is_rejected(changes, message):
    with pytest.raises(ValueError, match=message):
        semantic_adjacency(**{"distances": similar_days(), **changes})
