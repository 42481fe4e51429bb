"""Sums of steerable features: the kernels against the equation as written, to third derivatives."""

import pytest
import torch

from geozoo.nn.edges import PairedEdges
from geozoo.nn.steerable import TensorProductConv, as_edge_rows
from geozoo.nn.steerable.channels_last import (
    blocks_from_channels_last,
    blocks_to_channels_last,
    sizes_of,
)
from geozoo.nn.steerable.depthwise_product import depthwise_product
from geozoo.ops import scatter, textbook
from geozoo.ops.steerable import EdgeRows, Path, SteerablePaths, _compiled, steerable_sum

pytest.importorskip("e3nn")
needs_numba = pytest.mark.skipif(not _compiled.has_numba(), reason="numba is not installed")
# Two paths share the first output block, and the second has channels that no path fills.
PATHS = SteerablePaths(
    (
        Path((0, 0, 0), x=0, y=0, w=0, out=0, channels=3, x_stride=3, out_stride=5, scale=0.5),
        Path((1, 1, 0), x=3, y=1, w=3, out=3, channels=2, x_stride=2, out_stride=5, scale=-1.5),
        Path((1, 1, 1), x=3, y=1, w=5, out=6, channels=2, x_stride=2, out_stride=3, scale=2.0),
    ),
    x_width=9, y_width=4, w_width=7, out_width=15,
)  # fmt: skip


def given(edges: EdgeRows, nodes: int = 4) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = (nodes, PATHS.x_width), (edges.num_rows, PATHS.y_width), (edges.num_rows, 7)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in shapes
    ]


def made(kind: str) -> EdgeRows:
    pairs = torch.tensor([[0, 0, 1, 2, 2, 3], [1, 2, 1, 0, 3, 3]])  # with self-images, repeated
    return EdgeRows.of_pairs(pairs) if kind == "pairs" else EdgeRows.of(*pairs)


def derivatives(edges: EdgeRows, backend: str) -> list[torch.Tensor]:
    """Value and derivatives to third order, along fixed directions."""
    inputs = given(edges)
    value = steerable_sum(*inputs, edges, PATHS, num_nodes=5, backend=backend)
    found, total = [value], value.square().sum()
    for _ in range(3):
        grads = torch.autograd.grad(total, inputs, create_graph=True)
        found += grads
        total = sum(((grad + 0.1) * grad.detach().roll(1, 0)).square().sum() for grad in grads)
    return found


@needs_numba
@pytest.mark.parametrize("kind", ["edges", "pairs"])
def test_kernels_give_the_equation_and_its_derivatives(kind):
    edges = made(kind)
    for one, other in zip(derivatives(edges, "numba"), derivatives(edges, "torch"), strict=True):
        torch.testing.assert_close(
            one, other, rtol=1e-9, atol=1e-9 * float(other.detach().abs().max())
        )


def test_the_equation_is_that_of_the_paths():
    edges = made("edges")
    x, y, w = (each.detach() for each in given(edges))
    out = steerable_sum(x, y, w, edges, PATHS, num_nodes=5, backend="torch")
    expected = torch.zeros(5, 15, dtype=torch.float64)
    for edge, (sender, receiver) in enumerate(zip(edges.sender, edges.receiver, strict=True)):
        vectors = x[sender, 3:].view(3, 2)  # components (y, z, x) of two channels
        expected[receiver, :3] += 0.5 * x[sender, :3] * y[edge, 0] * w[edge, :3]
        inner = (vectors * y[edge, 1:, None]).sum(0) / 3**0.5
        expected[receiver, 3:5] += -1.5 * inner * w[edge, 3:5]
        across = torch.linalg.cross(vectors, y[edge, 1:, None].expand(3, 2), dim=0) / 6**0.5
        expected[receiver, 6:].view(3, 3)[:, :2] += 2.0 * across * w[edge, 5:]
    torch.testing.assert_close(out.abs(), expected.abs())  # the sign of e3nn's cross product
    torch.testing.assert_close(out[:, :6], expected[:, :6])


def test_pairs_are_their_two_directions():
    pairs = torch.tensor([[0, 0, 1, 2], [1, 2, 1, 3]])
    shared = EdgeRows.of_pairs(pairs)
    x, y, w = given(shared)
    sign = torch.tensor([1, -1, -1, -1.0]).double()
    both = EdgeRows.of(*torch.cat([pairs, pairs.flip(0)], 1))
    expected = steerable_sum(x, torch.cat([y, y * sign]), w.repeat(2, 1), both, PATHS)
    torch.testing.assert_close(steerable_sum(x, y, w, shared, PATHS), expected)


@needs_numba
def test_single_precision_is_that_of_the_inputs():
    edges = made("pairs")
    x, y, w = (each.detach() for each in given(edges))
    out = steerable_sum(x.float(), y.float(), w.float(), edges, PATHS, backend="numba")
    assert out.dtype == torch.float32
    torch.testing.assert_close(
        out.double(), steerable_sum(x, y, w, edges, PATHS), atol=1e-5, rtol=1e-5
    )


@needs_numba
def test_nan_stays_nan():
    edges = made("edges")
    x, y, w = (each.detach().clone() for each in given(edges))
    w[0] = torch.nan
    assert bool(steerable_sum(x, y, w, edges, PATHS, backend="numba").isnan().any())


def test_programs_and_textbook_evaluate_the_equation():
    edges = made("edges")
    inputs = given(edges)
    expected = steerable_sum(*inputs, edges, PATHS, backend="torch")
    with textbook():
        assert torch.equal(steerable_sum(*inputs, edges, PATHS), expected)
    compiled = torch.compile(
        lambda x, y, w: steerable_sum(x, y, w, edges, PATHS), backend="eager", fullgraph=True
    )
    torch.testing.assert_close(compiled(*inputs), expected)
    torch.compiler.reset()


def test_no_edges_give_zeros():
    none = torch.zeros(0, dtype=torch.int64)
    edges = EdgeRows.of(none, none)
    x, y, w = given(edges)
    out = steerable_sum(x, y, w, edges, PATHS)
    assert out.shape == (4, 15) and not out.any()
    assert not torch.autograd.grad(out.sum(), x)[0].any()


def test_wrong_inputs_are_named():
    edges = made("edges")
    x, y, w = given(edges)
    with pytest.raises(ValueError, match=r"y must have shape \(rows, 4\), got \(6, 3\)"):
        steerable_sum(x, y[:, :3], w, edges, PATHS)
    with pytest.raises(ValueError, match="y and w must have the same number of rows, got 6 and 5"):
        steerable_sum(x, y, w[:5], edges, PATHS)
    with pytest.raises(ValueError, match="backend must be one of"):
        steerable_sum(x, y, w, edges, PATHS, backend="cuda")


def test_without_numba_the_equation_is_evaluated(monkeypatch):
    monkeypatch.setattr("geozoo.ops.steerable.sum.has_numba", lambda: False)
    edges = made("edges")
    inputs = given(edges)
    expected = steerable_sum(*inputs, edges, PATHS, backend="torch")
    assert torch.equal(steerable_sum(*inputs, edges, PATHS), expected)
    with pytest.raises(ImportError, match='backend="numba" requires numba: pip install'):
        steerable_sum(*inputs, edges, PATHS, backend="numba")


@pytest.mark.parametrize("kind", ["edges", "pairs"])
def test_the_convolution_is_that_of_e3nn(kind):
    torch.manual_seed(0)
    conv = TensorProductConv(
        "4x0e+3x1o+2x1e", "4x0e+3x1o+2x1e+2x2e", degree=2, basis_channels=5, radial_channels=8
    ).double()
    pairs = torch.tensor([[0, 0, 1, 2], [1, 2, 3, 3]])
    index = torch.cat([pairs, pairs.flip(0)], 1)
    rows = 4 if kind == "pairs" else 8
    x = torch.randn(4, 19, dtype=torch.float64)
    harmonics = torch.randn(rows, 9, dtype=torch.float64)
    basis, window = torch.randn(rows, 5).double(), torch.rand(rows).double()
    edges = index if kind == "edges" else PairedEdges(pairs, 4, None).without_loops()
    found = conv(x, harmonics, basis, window, as_edge_rows(edges, 4))
    if kind == "pairs":
        sign = torch.tensor([1] + [-1] * 3 + [1] * 5).double()
        harmonics = torch.cat([harmonics, harmonics * sign])
        basis, window = basis.repeat(2, 1), window.repeat(2)
    weight = conv.radial(basis) * window.unsqueeze(1)
    product = depthwise_product(
        conv.linear_1.irreps_out, conv.harmonics, conv.linear_2.irreps_out, compiled=True
    ).double()
    message = product(conv.linear_1(x)[index[0]], harmonics, weight)
    expected = conv.linear_2(conv.scale * scatter(message, index[1], 4))
    # The coefficients of e3nn's module are those of the default dtype, float32.
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_layouts_are_inverse():
    from e3nn import o3

    irreps = o3.Irreps("3x0e+2x1o+4x2e")
    x = torch.randn(5, irreps.dim)
    moved = blocks_to_channels_last(x, sizes_of(irreps))
    assert torch.equal(moved[1].view(5, 3, 2), x[:, 3:9].view(5, 2, 3).transpose(1, 2))
    assert torch.equal(blocks_from_channels_last(moved, sizes_of(irreps)), x)
