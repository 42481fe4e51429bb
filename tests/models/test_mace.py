"""MACE against its equations, written with sums over coupling coefficients; isolated atoms."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from e3nn import o3
from test_steerable_networks import COUNT, harmonics, near
from torch import Tensor

from geozoo.models import MACE
from geozoo.nn import AtomicBasis, SymmetricContraction
from geozoo.nn.steerable import equivariant_polynomials
from geozoo.ops import textbook

NEIGHBORS, RADIUS = 5.0, 2.5


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    with textbook():  # without compilation
        yield
    torch.set_default_dtype(torch.float32)


def blocks(x: Tensor) -> list[Tensor]:
    """Components ``[2 l + 1, channels]`` of each degree."""
    return [x[n * n : (n + 1) ** 2] for n in range(math.isqrt(len(x)))]


def linear(weight: Tensor, x: Tensor) -> Tensor:
    pairs = zip(blocks(x), weight, strict=False)
    return torch.cat([part @ matrix / math.sqrt(x.shape[1]) for part, matrix in pairs])


def silu(x: Tensor) -> Tensor:
    """Of unit mean square for normal numbers, by numerical integration."""
    grid = torch.linspace(-12, 12, 20001)
    density = torch.exp(-grid.square() / 2) / math.sqrt(2 * math.pi) * (grid[1] - grid[0])
    square = ((grid * torch.sigmoid(grid)).square() * density).sum()
    return x * torch.sigmoid(x) / square.sqrt()


def density(layer: AtomicBasis, h: list[Tensor], edges: dict) -> list[Tensor]:
    """The atomic basis, path by path; edges: (j, i) -> (Y, radial functions times window)."""
    found = []
    for i in range(COUNT):
        total = {}
        for (j, receiver), (attribute, radial) in edges.items():
            if receiver != i:
                continue
            for number, matrix in enumerate(layer.radial):
                radial = (silu(radial) if number else radial) @ matrix / math.sqrt(len(matrix))
            sent, around = blocks(linear(layer.linear_in.weight, h[j])), blocks(attribute[:, None])
            weights = iter(radial.split(layer.channels))
            for third in range(layer.degree + 1):
                for first, second in itertools.product(range(len(sent)), range(layer.degree + 1)):
                    natural = (first + second + third) % 2 == 0
                    if not natural or not abs(first - second) <= third <= first + second:
                        continue
                    clebsch = o3.wigner_3j(first, second, third) * math.sqrt(2 * third + 1)
                    value = torch.einsum(
                        "abc,au,b,u->cu", clebsch, sent[first], around[second][:, 0], next(weights)
                    )
                    total[third, first, second] = total.get((third, first, second), 0) + value
            assert not list(weights)
        if not total:  # no neighbours
            found.append(torch.zeros((layer.degree + 1) ** 2, layer.channels))
            continue
        out = []
        for third, matrix in enumerate(layer.linear_out):
            side_by_side = torch.cat([total[key] for key in sorted(total) if key[0] == third], 1)
            out.append(side_by_side @ matrix / math.sqrt(len(matrix)) / NEIGHBORS)
        found.append(torch.cat(out))
    return found


def contract(layer: SymmetricContraction, a: Tensor, species: Tensor) -> Tensor:
    """Every entry of every coefficient tensor by itself."""
    weights = iter(torch.einsum("s,skc->kc", species, layer.weight))
    out = []
    for degree in range(layer.degree_out + 1):
        total = torch.zeros(2 * degree + 1, layer.channels)
        for order in range(1, layer.correlation + 1):
            monomials, coefficients = equivariant_polynomials(layer.degree_in, degree, order)
            for of_polynomial in coefficients:
                product = sum(
                    column[:, None] * torch.stack([a[n] for n in row]).prod(0)
                    for row, column in zip(monomials.tolist(), of_polynomial.T, strict=True)
                )
                total = total + product * next(weights)
        out.append(total)
    assert not list(weights)
    return torch.cat(out)


def mixed(skip: torch.nn.Module, x: Tensor, species: Tensor) -> Tensor:
    return linear(torch.einsum("s,lscd->lcd", species, skip.weight), x)


def written_out(model: MACE, pos: Tensor, x: Tensor, vec: Tensor) -> Tensor:
    edges, order = {}, torch.arange(1, 4)
    for j, i, arm in near(pos, RADIUS):
        d = arm.norm()
        u = d / RADIUS
        bessel = math.sqrt(2 / RADIUS) * torch.sin(order * math.pi * u) / d
        edges[j, i] = harmonics(arm, 2), bessel * (1 - 21 * u**5 + 35 * u**6 - 15 * u**7)
    species = [each / ((1 + each**2) / 2).sqrt() for each in x]
    embedding = model.embedding.weight[0, :, 0]
    vectors = model.vector_embedding.weight
    h = [torch.cat([(x[i] @ embedding)[None], (vectors @ vec[i]).T]) for i in range(COUNT)]
    outputs = []
    for number, (layer, readout) in enumerate(zip(model.layers, model.readouts, strict=True)):
        a = density(layer.atomic_basis, h, edges)
        if not layer.skips:
            a = [mixed(layer.skip, each, s) for each, s in zip(a, species, strict=True)]
        new = [
            linear(layer.linear.weight, contract(layer.contraction, each, s))
            for each, s in zip(a, species, strict=True)
        ]
        if layer.skips:
            kept = [mixed(layer.skip, each, s) for each, s in zip(h, species, strict=True)]
            for n, each in zip(new, kept, strict=True):  # the degrees that both have
                n[: len(each)] += each
        h = new
        is_last = number + 1 == len(model.layers)
        outputs += [(gated if is_last else plain)(readout, each) for each in h]
    return sum(outputs)


def plain(readout: torch.nn.Module, h: Tensor) -> Tensor:
    scalar, vector = blocks(h)[:2]
    scalar = scalar @ readout.scalar.weight[0] / math.sqrt(h.shape[1])
    return torch.cat([scalar.flatten(), (vector @ readout.vector / math.sqrt(h.shape[1])).T[0]])


def gated(readout: torch.nn.Module, h: Tensor) -> Tensor:
    scalar, vector = blocks(h)[:2]
    size = math.sqrt(h.shape[1])
    gate = torch.sigmoid(scalar @ readout.gate.weight[0] / size) / 0.5416447506
    hidden = silu(scalar @ readout.scalar_1.weight[0] / size)
    return plain(readout.outputs, torch.cat([hidden, gate * (vector @ readout.vector_1 / size)]))


def small(**options: object) -> MACE:
    blocks = {"num_basis": 3, "radial_channels": [5, 4], "readout_channels": 3}
    blocks |= options.pop("blocks", {})
    sizes = {"hidden_channels": 3, "degree": 2, "radius": RADIUS, "num_neighbors": NEIGHBORS}
    return MACE(2, **{"out_channels": 1, **sizes, **options, "blocks": blocks})


@pytest.mark.parametrize(
    ("residual", "hidden_degree", "correlation"), [("later", 1, 3), ("all", 2, 2), ("none", 1, 1)]
)
def test_values_and_derivatives_are_those_of_the_equations(residual, hidden_degree, correlation):
    model = small(
        out_channels=3, in_vectors=2, out_vectors=1, hidden_degree=hidden_degree,
        correlation=correlation, blocks={"residual": residual},
    )  # fmt: skip
    pos = (1.3 * torch.randn(COUNT, 3)).requires_grad_()
    x, vec = torch.randn(COUNT, 2), torch.randn(COUNT, 2, 3)
    out = model(pos, x, torch.zeros(COUNT, dtype=torch.long), vec=vec)
    found = torch.cat([out.scalar[0], out.vector.flatten()])
    wanted = written_out(model, pos, x, vec)
    assert len(near(pos, RADIUS)) < COUNT * (COUNT - 1), "the cutoff has something to cut"
    torch.testing.assert_close(found, wanted)
    direction = torch.randn(len(found))
    forces = [
        torch.autograd.grad(part @ direction, pos, create_graph=True)[0] for part in (found, wanted)
    ]
    torch.testing.assert_close(*forces)
    leaves = [pos, *model.parameters()]
    second = [
        torch.autograd.grad(force.square().sum(), leaves, allow_unused=True) for force in forces
    ]
    tiny = 1e-9 * float(forces[0].detach().abs().max()) ** 2
    for one, other in zip(*second, strict=True):
        both = [torch.zeros(()) if part is None else part for part in (one, other)]
        torch.testing.assert_close(*both, rtol=1e-6, atol=tiny)


@pytest.mark.parametrize("residual", ["later", "none", "all"])
def test_outputs_of_isolated_atoms(residual):
    model = small(level="node", blocks={"residual": residual})
    pos = torch.tensor([[0.0, 0, 0], [9.0, 0, 0], [0, 9.0, 0], [1.0, 0, 0]])
    species = torch.eye(2)[[0, 1, 1, 0]]
    out = model(pos.requires_grad_(), species, torch.zeros(4, dtype=torch.long)).scalar[:, 0]
    force = torch.autograd.grad(out.sum(), pos)[0]
    assert force.isfinite().all() and not force[1:3].any() and force[0].any()
    if residual == "all":  # a constant of the species
        assert out[1] == out[2] != 0
    else:
        assert out[1] == out[2] == 0
    assert out[0] != 0


def test_a_neighbour_leaves_smoothly():
    model = small(radius=2.0)

    def energy(distance: float) -> tuple[float, Tensor]:
        pos = torch.tensor([[0.0, 0, 0], [1.0, 0.5, 0], [-distance, 0, 0]], requires_grad=True)
        out = model(pos, torch.ones(3, 2), torch.zeros(3, dtype=torch.long)).scalar.sum()
        return out.item(), torch.autograd.grad(out, pos)[0]

    (inside, force), (outside, still) = energy(2.0 - 1e-4), energy(2.0 + 1e-4)
    assert inside == pytest.approx(outside, abs=1e-6)
    torch.testing.assert_close(force, still, atol=1e-3, rtol=0)
    assert energy(1.0)[0] != pytest.approx(outside, abs=1e-3)


def test_two_points_at_one_place_have_finite_forces():
    pos = torch.zeros(2, 3, requires_grad=True)
    out = small()(pos, torch.ones(2, 2), torch.zeros(2, dtype=torch.long)).scalar.sum()
    assert torch.autograd.grad(out, pos)[0].isfinite().all()


def test_scalars_or_vectors_alone_may_be_given_and_returned():
    pos, batch = torch.randn(3, 3), torch.zeros(3, dtype=torch.long)
    vectors = MACE(0, 0, in_vectors=1, out_vectors=2, hidden_channels=2, hidden_degree=0, degree=1)
    out = vectors(pos, None, batch, vec=torch.randn(3, 1, 3))
    assert out.scalar is None and out.vector.shape == (1, 2, 3) and out.vector.any()
    out = MACE(1, 2, hidden_channels=2, num_layers=1, degree=1)(pos, torch.ones(3, 1), batch)
    assert out.vector is None and out.scalar.shape == (1, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_degree": 3}, "hidden_degree must be at most degree = 2, got 3"),
        ({"degree": 0}, "degree must be at least 1"),
        ({"correlation": 0}, "correlation must be at least 1"),
        ({"radius": None}, "radius must be positive"),
        ({"num_neighbors": 0.0}, "num_neighbors must be positive"),
        ({"blocks": {"residual": "first"}}, "residual must be"),
        ({"blocks": {"radial_channels": 64}}, "radial_channels must be a list of widths"),
        ({"blocks": {"radial_channels": [64, 0]}}, "radial_channels must be at least 1"),
        ({"blocks": {"power": 1}}, "power must be at least 2"),
        ({"dim": 2}, "dim must be 3"),
    ],
)
def test_invalid_sizes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)
