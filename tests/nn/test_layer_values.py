"""Exact values of small layers, and what they refuse."""

import pytest
import torch
from layer_cases import CASES, SIZES, random, seeded, units

import geozoo.nn as layers
from geozoo.geometry import circle_grid, sphere_grid
from geozoo.ops import textbook


@pytest.mark.parametrize("grid", [sphere_grid(6, "platonic"), sphere_grid(20, "platonic"),
                                  circle_grid(5)], ids=len)  # fmt: skip
def test_lifted_vectors_come_back_divided_by_the_dimension(grid):
    dim = grid.shape[1]
    x, vec = random(4, 2), random(4, 3, dim, seed=1)
    lifted = layers.lift_to_orientations(x, vec, grid)
    assert lifted.shape == (4, len(grid), 5)
    scalar, vector = layers.project_from_orientations(lifted, grid, 2)
    torch.testing.assert_close(scalar, x)
    torch.testing.assert_close(vector, vec / dim)


def test_lift_takes_either_and_not_neither():
    grid = units(6, 3)
    assert layers.lift_to_orientations(random(4, 2), None, grid).shape == (4, 6, 2)
    assert layers.lift_to_orientations(None, random(4, 1, 3), grid).shape == (4, 6, 1)
    with pytest.raises(ValueError, match="x or vec must be given"):
        layers.lift_to_orientations(None, None, grid)


@pytest.mark.parametrize("power", [2, 6])
def test_window_is_flat_at_the_cutoff(power):
    window = layers.PolynomialWindow(2.0, power)
    at = torch.tensor([0.0, 2.0 - 1e-6, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    value = window(at)
    (slope,) = torch.autograd.grad(value.sum(), at, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), at)
    assert value[0] == 1
    assert value[1:].abs().max() < 1e-12
    assert slope[1:].abs().max() < 1e-9
    assert curvature[1:].abs().max() < 1e-3


def test_window_falls_from_one_to_zero():
    value = layers.PolynomialWindow(3.0)(torch.linspace(0, 3, 50).double())
    assert (value.diff() <= 1e-12).all()
    assert value.min() >= -1e-12


def test_without_radius_the_window_is_one():
    far = torch.tensor([0.0, 1e6])
    assert layers.PolynomialWindow(None)(far).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("as_written", [False, True])
def test_kernel_basis_is_a_perceptron_of_polynomials(as_written):
    basis = seeded(lambda: layers.KernelBasis(2, 4, 3, degree=3))
    a = random(6, 2)
    powers = torch.stack([torch.cat([r, torch.kron(r, r), torch.kron(torch.kron(r, r), r)])
                          for r in a])  # fmt: skip
    gelu = torch.nn.functional.gelu
    expected = gelu(basis.linear_2(gelu(basis.linear_1(powers))))
    with textbook(when=as_written):
        torch.testing.assert_close(basis(a), expected)


def test_residual_only_where_widths_agree():
    def block(out):
        return seeded(lambda: layers.ConvNeXtBlock(layers.PointConv(4, out, 3, groups=1), 4, out))

    case = CASES["PointConv"]["full"]()
    for out in (4, 2):
        made = block(out)
        with torch.no_grad():
            made.linear_2.weight.zero_()
            made.linear_2.bias.zero_()
        expected = case.inputs["x"] if out == 4 else torch.zeros(5, 2, dtype=torch.float64)
        torch.testing.assert_close(made(**case.inputs), expected)


def bundle(**options):
    given = {"num_orientations": 4, "grid": "repulsion_antipodal", "separable": True}
    given |= {"orientation_kind": "published", "dim": 3, **SIZES, **options}
    return layers.BundleRepresentation(**given)


def edges(**options):
    given = {"dim": 3, "orientation_kind": "published", **SIZES, **options}
    return layers.EdgeLiftedRepresentation(**given)


REFUSED = [
    (lambda: layers.PolynomialFeatures(0, 2), "in_features must be at least 1, got 0"),
    (lambda: layers.PolynomialFeatures(2, 0), "degree must be at least 1, got 0"),
    (lambda: layers.PolynomialWindow(0.0), "radius must be positive or None, got 0.0"),
    (lambda: layers.XplorWindow(0.0, 0.0), "radius must be positive, got 0.0"),
    (lambda: layers.XplorWindow(1.0, 1.0), "start must be from 0 to below radius=1.0, got 1.0"),
    (lambda: layers.PolynomialWindow(1.0, 1), "power must be at least 2, got 1"),
    (lambda: layers.PointConv(4, 4, 3, groups=2), r"groups must be 1 \(full\) or in_channels=4"),
    (lambda: layers.PointConv(4, 2, 3), "depthwise convolution needs out_channels equal"),
    (lambda: layers.BundleConv(4, 2, 3), "depthwise convolution needs out_channels equal"),
    (lambda: layers.FiberBundleConv(4, 4, 3, groups=3), "groups must be 1"),
    (lambda: bundle(dim=4), "dim must be 2 or 3, got 4"),
    (lambda: bundle(grid="cubic"), "grid must be one of .*'cubic'"),
    (lambda: bundle(num_orientations=5), "num must be an even number"),
    (lambda: bundle(grid=torch.ones(4, 3)), "grid must hold unit vectors"),
    (lambda: bundle(grid=torch.ones(3, 3)), r"grid must have shape \(4, 3\), got \(3, 3\)"),
    (lambda: bundle(orientation_kind="so3"), "kind must be .*'so3'"),
    (lambda: bundle(orientation_kind="se2"), "requires orientations of dimension 2, got 3"),
    (lambda: bundle(radius=-1.0), "radius must be positive or None, got -1.0"),
    (lambda: layers.PaiNNConv(0, 3), "^channels must be at least 1, got 0"),
    (lambda: layers.PaiNNConv(4, 0), "basis_channels must be at least 1, got 0"),
    (lambda: layers.GatedVectors(0, 1, 1), "^channels must be at least 1, got 0"),
    (lambda: layers.GatedVectors(4, 1, 0), "out_vectors must be at least 1, got 0"),
    (lambda: layers.GatedVectors(4, -1, 1), "out_scalars must be at least 0, got -1"),
    (lambda: layers.ContinuousFilterConv(0, 3), "^channels must be at least 1, got 0"),
    (lambda: layers.ContinuousFilterConv(4, 0), "basis_channels must be at least 1, got 0"),
    (lambda: layers.TensorConv(0, 3), "^channels must be at least 1, got 0"),
    (lambda: layers.TensorConv(4, 0), "basis_channels must be at least 1, got 0"),
    (lambda: layers.PartwiseLinear(4, 3)(torch.zeros(5, 9, 4)), "must have shape .N, 10, C=4"),
    (lambda: layers.PartwiseLinear(0, 3), "in_channels must be at least 1, got 0"),
    (lambda: layers.PartwiseLinear(4, 0), "out_channels must be at least 1, got 0"),
    (lambda: layers.EGNNConv(0), "^channels must be at least 1, got 0"),
    (lambda: layers.EGNNConv(4, edge_channels=-1), "edge_channels .*must be at least 0, got -1"),
    (lambda: layers.EGNNConv(4, num_vectors=-1), "num_vectors must be at least 0, got 0 and -1"),
    (lambda: layers.GaussianBasis(1, 3.0), "num_basis must be at least 2, got 1"),
    (lambda: layers.ExponentialBasis(1, 3.0), "num_basis must be at least 2, got 1"),
    (lambda: edges(interaction="all"), 'interaction must be "edges" or "complete", got \'all\''),
]  # fmt: skip


@pytest.mark.parametrize(("build", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_bad_sizes_and_names_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_positions_take_no_vectors():
    position = layers.PositionRepresentation(3, **SIZES)
    for x in (None, random(2, 4)):
        with pytest.raises(
            ValueError, match='^representation "position" needs scalar features x and'
        ):
            position.lift(x, random(2, 1, 3), None)
    features = random(2, 4)
    scalar, vector = position.project(features, 4, None)
    assert scalar is features and vector.shape == (2, 0, 3)
    full = position.make_conv(4, depthwise=False)
    assert (full.groups, position.make_conv(4, depthwise=True).groups) == (1, 4)


def chebyshev(graph: torch.Tensor, order: int) -> list[torch.Tensor]:
    """The polynomials by their angle: T_k(cos a) = cos(k a), on the eigenvalues."""
    values, vectors = torch.linalg.eigh(graph)
    return [
        vectors @ torch.diag(torch.cos(k * torch.arccos(values))) @ vectors.T for k in range(order)
    ]


@pytest.mark.parametrize("order", [1, 2, 4])
def test_chebyshev_polynomials_are_those_of_the_eigenvalues(order):
    layer = layers.ChebyshevConv(2, 3, order=order).double()
    laplacian = random(5, 5, seed=1)
    laplacian = (laplacian + laplacian.T) / 20
    x = random(4, 5, 6, 2)
    mixed = [torch.einsum("ij,bjtc->bitc", part, x) for part in chebyshev(laplacian, order)]
    torch.testing.assert_close(layer(x, laplacian), layer.linear(torch.cat(mixed, -1)))


@pytest.mark.parametrize("order", [1, 2, 4])
def test_adaptive_convolution_has_weights_of_its_own_for_every_sensor(order):
    layer = layers.AdaptiveGraphConv(2, 3, embedding_channels=2, order=order).double()
    embedding, x = random(5, 2, seed=1), random(4, 5, 2)
    rows = (embedding @ embedding.T).relu().exp()
    graph = rows / rows.sum(1, keepdim=True)
    powers = [torch.eye(5).double(), graph, 2 * graph @ graph - torch.eye(5)]
    powers.append(2 * graph @ powers[2] - graph)
    for sensor in range(5):
        weight = sum(embedding[sensor, d] * layer.pool[d] for d in range(2))
        mixed = torch.cat([torch.einsum("j,bjc->bc", p[sensor], x) for p in powers[:order]], -1)
        expected = mixed @ weight + embedding[sensor] @ layer.bias
        torch.testing.assert_close(layer(x, embedding)[:, sensor], expected)


def test_a_gated_convolution_sees_so_many_steps():
    layer = layers.GatedTemporalConv(2, 3, 3, dilation=2).double()
    x = random(2, 4, 7, 2)
    weight, bias = layer.conv.weight.squeeze(2), layer.conv.bias  # [2 out, in, kernel]
    for step in range(3):
        seen = sum(x[:, :, step + 2 * k] @ weight[:, :, k].T for k in range(3)) + bias
        expected = torch.tanh(seen[..., :3]) * torch.sigmoid(seen[..., 3:])
        torch.testing.assert_close(layer(x)[:, :, step], expected)
    assert layer(x[:, :, :5]).shape == (2, 4, 1, 3)
    with pytest.raises(ValueError, match="x must have more than 4 steps, got 4"):
        layer(x[:, :, :4])


def test_egnn_moves_and_pays_no_attention_unasked():
    layer = layers.EGNNConv(4)
    assert layer.attention is None and layer.drift is None and layer.displacement is not None
    assert layer.displacement[-1].bias is None
    assert layer.displacement[-1].weight.abs().max() < 0.01
    assert layers.EGNNConv(4, attention=True).attention.out_features == 1
    still = layers.EGNNConv(4, num_vectors=2, moves=False)
    assert still.displacement is None and still.drift is None
    given = torch.rand(2, 3), torch.tensor([[0], [1]])
    for moves, is_same in ((False, True), (True, False)):
        layer = layers.EGNNConv(4, moves=moves)
        assert torch.equal(layer(torch.rand(2, 4), *given)[1], given[0]) == is_same


def test_egnn_moves_points_by_their_neighbours_alone():
    layer, pos = layers.EGNNConv(4).double(), random(3, 3)
    lone = torch.tensor([[0], [1]])  # nobody sends to points 0 and 2
    moved = layer(random(3, 4, seed=1), pos, lone)[1]
    assert torch.equal(moved[[0, 2]], pos[[0, 2]])
    along = torch.linalg.cross(moved[1] - pos[1], pos[1] - pos[0])
    assert along.abs().max() < 1e-12 and not torch.equal(moved[1], pos[1])


def test_sizes_that_nobody_gave_are_those_of_the_papers():
    assert layers.AdaptiveGraphConv(2, 3, embedding_channels=4).order == 2
    assert layers.DiffusionConv(2, 3, num_graphs=1).num_steps == 2
    assert layers.ChebyshevConv(2, 3).order == 3
    assert layers.TensorODE(3, 2).steps == 12
    assert layers.LearnedGraph(3).senders.shape == (3, 10)


@pytest.mark.parametrize("kind", ["bundle", "edges", "frames", "positions"])
def test_every_kernel_of_a_representation_has_its_degree(kind):
    options = SIZES | {"degree": 1}
    representation = {
        "bundle": lambda: bundle(**options),
        "edges": lambda: edges(**options),
        "frames": lambda: layers.FrameRepresentation(12, **options),
        "positions": lambda: layers.PositionRepresentation(3, **options),
    }[kind]()
    bases = [part for part in representation.modules() if isinstance(part, layers.KernelBasis)]
    for basis in bases:
        assert basis.features.degree == 1


def test_bases_of_two_functions_are_allowed():
    assert layers.BesselBasis(1, 3.0)(torch.ones(2)).shape == (2, 1)
    assert layers.GaussianBasis(2, 3.0).centers.dtype == torch.float64
    assert layers.ExponentialBasis(2, 3.0).centers.dtype == torch.float64


def test_a_diffusion_is_walks_of_every_length():
    layer = layers.DiffusionConv(2, 3, num_graphs=2, num_steps=2).double()
    x, graphs = random(4, 5, 6, 2), [random(5, 5, seed=1), random(5, 5, seed=2)]
    walks = [x]
    for graph in graphs:
        once = torch.einsum("ij,bjtc->bitc", graph, x)
        walks += [once, torch.einsum("ij,bjtc->bitc", graph, once)]
    torch.testing.assert_close(layer(x, graphs), layer.linear(torch.cat(walks, -1)))
    with pytest.raises(ValueError, match="graphs must hold 2 matrices, got 1"):
        layer(x, graphs[:1])
    with pytest.raises(ValueError, match="x must have a last axis of C=2, got"):
        layer(x[..., :1], graphs)
    with pytest.raises(ValueError, match=r"graphs\[1\] must have shape \(N=5, N=5\)"):
        layer(x, [graphs[0], graphs[1][:4]])


def test_a_learned_graph_has_rows_that_sum_to_one():
    layer = layers.LearnedGraph(5, 3).double()
    torch.nn.init.normal_(layer.senders)
    graph = layer()
    torch.testing.assert_close(graph.sum(1), torch.ones(5, dtype=torch.float64))
    expected = torch.softmax(torch.relu(layer.receivers @ layer.senders.T), 1)
    torch.testing.assert_close(graph, expected)


@pytest.mark.parametrize("missing", ["edge_attr", "vec"])
def test_an_input_that_is_missing_is_refused_by_name(missing):
    layer = layers.EGNNConv(4, edge_channels=2, num_vectors=1)
    given = {"edge_attr": torch.ones(3, 2), "vec": torch.ones(3, 1, 2)}
    edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
    del given[missing]
    with pytest.raises(ValueError, match=rf"^{missing} must have shape \(.*\), got None$"):
        layer(torch.ones(3, 4), torch.ones(3, 2), edge_index, **given)
