"""The convolutions against loops over edges, orientations and channels, as the equations stand."""

import pytest
import torch
from layer_cases import CASES, EDGES, random, seeded

import geozoo.nn as layers
from geozoo.geometry import sphere_grid
from geozoo.nn import BundleConv, FiberBundleConv, PointConv, PolynomialFeatures
from geozoo.nn.conv import Stencil
from geozoo.ops import sort_edges, textbook

NODES = 5


def kernel_matrix(row, c_in, full):
    """A kernel row as the matrix it stands for."""
    return row.view(-1, c_in) if full else torch.diag(row)


def loop_point(conv, x, basis, edge_index):
    out = conv.bias.repeat(NODES, 1)
    for e, (j, i) in enumerate(edge_index.T.tolist()):
        row = conv.kernel.weight @ basis[e]
        out[i] += kernel_matrix(row, x.shape[-1], conv.groups == 1) @ x[j]
    return out


def loop_bundle(conv, x, basis, edge_index):
    size = x.shape[1]
    out = conv.bias.repeat(NODES, size, 1)
    for e, (j, i) in enumerate(edge_index.T.tolist()):
        for o in range(size):
            for p in range(size):
                row = conv.kernel.weight @ basis[e, o, p]
                out[i, o] += kernel_matrix(row, x.shape[-1], conv.groups == 1) @ x[j, p] / size
    return out


def loop_fiber(conv, x, basis, edge_index, fiber_basis):
    size = x.shape[1]
    y = torch.zeros_like(x)
    for e, (j, i) in enumerate(edge_index.T.tolist()):
        for o in range(size):
            y[i, o] += (conv.kernel.weight @ basis[e, o]) * x[j, o]
    out = conv.bias.repeat(NODES, size, 1)
    for p in range(size):
        for o in range(size):
            row = conv.fiber_kernel.weight @ fiber_basis[o, p]
            matrix = kernel_matrix(row, x.shape[-1], conv.groups == 1)
            out[:, p] += y[:, o] @ matrix.T / size
    return out


LOOPS = {"PointConv": loop_point, "BundleConv": loop_bundle, "FiberBundleConv": loop_fiber}


@pytest.mark.parametrize("variant", ["depthwise", "full"])
@pytest.mark.parametrize("name", LOOPS)
def test_layer_equals_loop(name, variant):
    case = CASES[name][variant]()
    layer = seeded(case.build)
    with torch.no_grad():
        expected = LOOPS[name](layer, **case.inputs)
        torch.testing.assert_close(layer(**case.inputs), expected)


def test_bundle_conv_with_a_factorised_kernel_equals_the_separable_one():
    """Basis products b_k c_l in the general layer, weights W_s[c, k] W_f[c, l]."""
    case = CASES["FiberBundleConv"]["depthwise"]()
    separable, inputs = seeded(case.build), case.inputs
    general = BundleConv(4, 4, 9).double()
    spatial, fiber = inputs["basis"], inputs["fiber_basis"]
    # Axes of the fibre basis: sending, receiving; the spatial step acts on the sending side.
    product = torch.einsum("epk,pol->eopkl", spatial, fiber)
    with torch.no_grad():
        weight = torch.einsum("ck,cl->ckl", separable.kernel.weight, separable.fiber_kernel.weight)
        general.kernel.weight.copy_(weight.flatten(1))
        general.bias.copy_(separable.bias)
    out = general(inputs["x"], product.flatten(-2), EDGES)
    torch.testing.assert_close(out, separable(**inputs))


PAIRS = torch.tensor([[0, 0, 1, 2], [1, 3, 2, 3]])


def directed(pairs):
    loops = torch.arange(NODES).expand(2, -1)
    return torch.cat([pairs, pairs.flip(0), loops], 1)


@pytest.mark.parametrize("groups", [4, 1])
def test_pairs_of_points_equal_both_directions(groups):
    conv = seeded(lambda: PointConv(4, 4, 3, groups=groups))
    x, basis, loop = random(NODES, 4), random(4, 3, seed=1), random(1, 3, seed=2)
    both = torch.cat([basis, basis, loop.expand(NODES, -1)])
    expected = conv(x, both, directed(PAIRS))
    torch.testing.assert_close(conv(x, basis, PAIRS, loop_basis=loop), expected)


@pytest.mark.parametrize("groups", [4, 1])
def test_pairs_of_bundle_points_equal_both_directions(groups):
    grid = sphere_grid(6, "platonic")
    conv = seeded(lambda: FiberBundleConv(4, 4, 3, groups=groups))
    x, basis, loop = random(NODES, 6, 4), random(4, 6, 3, seed=1), random(1, 3, seed=2)
    opposite = torch.cdist(grid, -grid).argmin(1)
    both = torch.cat([basis, basis[:, opposite], loop.expand(NODES, 6, -1)])
    fiber = random(6, 6, 3, seed=5)
    expected = conv(x, both, directed(PAIRS), fiber)
    torch.testing.assert_close(conv(x, basis, PAIRS, fiber, loop_basis=loop), expected)


@pytest.mark.parametrize(("size", "degree"), [(1, 3), (2, 1), (2, 3), (3, 2), (4, 3)])
def test_distinct_monomials_with_merged_weights_equal_all_powers(size, degree):
    features = PolynomialFeatures(size, degree).double()
    x = random(7, size)
    powers = [torch.ones(7, 1, dtype=torch.float64)]
    for _ in range(degree):
        powers.append(torch.einsum("na,nb->nab", powers[-1], x).flatten(1))
    torch.testing.assert_close(features(x), torch.cat(powers[1:], 1))
    weight = random(5, features.out_features, seed=1)
    merged = features.distinct(x) @ features.merge(weight).T
    torch.testing.assert_close(merged, features(x) @ weight.T, rtol=1e-12, atol=1e-12)
    assert features.distinct(x).shape[1] <= features.out_features


@pytest.mark.parametrize("as_written", [True, False])
@pytest.mark.parametrize(("out", "scale"), [(4, None), (4, 0.5), (2, None), (2, 3.0)])
def test_a_block_is_its_equation(out, scale, as_written):
    conv = layers.PointConv(4, out, 3, groups=1)
    block = seeded(lambda: layers.ConvNeXtBlock(conv, 4, out, layer_scale=scale))
    assert block.linear_1.out_features == 4 * out
    if scale is not None:
        block.layer_scale.data.copy_(torch.linspace(-1, scale, out))
    given = CASES["PointConv"]["full"]().inputs
    normed = torch.nn.functional.layer_norm(
        block.conv(**given), (out,), block.norm.weight, block.norm.bias
    )
    mixed = block.linear_2(torch.nn.functional.gelu(block.linear_1(normed)))
    mixed = mixed if scale is None else torch.linspace(-1, scale, out).double() * mixed
    expected = given["x"] + mixed if out == 4 else mixed
    with textbook(when=as_written):
        torch.testing.assert_close(block(**given), expected)


def test_a_layer_scale_starts_where_it_was_told():
    conv = layers.PointConv(4, 4, 3)
    assert layers.ConvNeXtBlock(conv, 4, 4).layer_scale is None
    scale = layers.ConvNeXtBlock(conv, 4, 4, layer_scale=0.25).layer_scale
    assert torch.equal(scale, torch.full((4,), 0.25))


@pytest.mark.parametrize("groups", [1, 4])
def test_sorted_edges_are_edges(groups):
    layer = seeded(lambda: layers.PointConv(4, 4, 3, groups=groups))
    given = CASES["PointConv"]["depthwise"]().inputs
    edges = sort_edges(given["edge_index"], 5)
    torch.testing.assert_close(layer(**given | {"edge_index": edges}), layer(**given))
    with pytest.raises(ValueError, match=r"^basis must have shape \(E=9, K=3\), got \(1, 3\)"):
        layer(given["x"], given["basis"][:1], edges)


def test_steps_of_a_lattice_are_counted():
    stencil = Stencil((2, 3), (1, 1))
    layer = seeded(lambda: layers.PointConv(4, 4, 3))
    assert layer(random(6, 4), random(1, 9, 3), stencil).shape == (6, 4)
    with pytest.raises(ValueError, match=r"^basis must have shape \(R, D=9, K=3\), got"):
        layer(random(6, 4), random(1, 8, 3), stencil)
