"""Networks on points against their equations written slowly, and against PyTorch Geometric."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from geozoo.models import EGNN, PaiNN, SchNet, TensorNet
from geozoo.nn import EGNNConv
from geozoo.nn.conv.continuous_filter_conv import shifted_softplus

COUNT = 5


def points(*sizes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*size, generator=generator, dtype=torch.float64) for size in sizes]


def drawn(model: torch.nn.Module) -> torch.nn.Module:
    """The model in float64, no weight so small that nobody would notice it."""
    torch.manual_seed(1)
    model = model.double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def others(i: int) -> list[int]:
    return [j for j in range(COUNT) if j != i]


def perceptron(block: torch.nn.Sequential, x: Tensor, maps: int = 2, end: bool = False) -> Tensor:
    """So many linear maps with an activation between them, and at the end if so."""
    linear = [part for part in block if isinstance(part, torch.nn.Linear)]
    assert len(linear) == maps
    for number, part in enumerate(linear):
        x = part.weight @ x if part.bias is None else part.weight @ x + part.bias
        if end or number < maps - 1:
            x = x * torch.sigmoid(x)
    return x


def textbook_egnn(model: EGNN, pos: Tensor, x: Tensor, vec: Tensor) -> tuple[Tensor, Tensor | None]:
    def weight(i: int, j: int) -> Tensor:
        distance = (pos[i] - pos[j]).norm()
        return torch.ones_like(distance) if model.window is None else model.window(distance)

    h = [model.embedding(torch.cat([x[i], vec[i].norm(dim=-1)])) for i in range(COUNT)]
    place = list(pos)
    for layer in model.layers:
        message = {}
        for i in range(COUNT):
            for j in others(i):
                square = (place[i] - place[j]).square().sum()[None]
                edge = torch.cat([h[i], h[j], square, x[i] * x[j]])
                edge = perceptron(layer.message, edge, end=True)
                if layer.attention is not None:
                    edge = edge * torch.sigmoid(layer.attention(edge))
                message[i, j] = edge * weight(i, j)
        moved = list(place)
        for i in range(COUNT if model.out_vectors else 0):
            near = sum(weight(i, j) for j in others(i)).clamp_min(1)
            for j in others(i):
                length = perceptron(layer.displacement, message[i, j]) * weight(i, j)
                moved[i] = moved[i] + (place[i] - place[j]) * length / near
            drift = perceptron(layer.drift, h[i])
            moved[i] = moved[i] + sum(drift[k] * vec[i, k] for k in range(vec.shape[1]))
        total = [sum(message[i, j] for j in others(i)) for i in range(COUNT)]
        h = [h[i] + perceptron(layer.update, torch.cat([h[i], total[i]])) for i in range(COUNT)]
        place = moved
    scalar = sum(perceptron(model.readout, each) for each in h)
    moves = sum(place[i] - pos[i] for i in range(COUNT)) if model.out_vectors else None
    return scalar, moves


def textbook_painn(model: PaiNN, pos: Tensor, x: Tensor, vec: Tensor) -> tuple[Tensor, Tensor]:
    radius, count = model.radius, len(model.basis.order)
    s = [model.embedding(x[i]) for i in range(COUNT)]
    v = [model.vectors(vec[i].T) for i in range(COUNT)]  # [3, C]
    for layer in model.layers:
        new_s, new_v = list(s), list(v)
        for i in range(COUNT):
            for j in others(i):
                arm = pos[j] - pos[i]
                d = arm.norm()
                if d >= radius:
                    continue
                order = torch.arange(1, count + 1, dtype=d.dtype)
                basis = math.sqrt(2 / radius) * torch.sin(order * math.pi * d / radius) / d
                fade = 0.5 * (torch.cos(math.pi * d / radius) + 1)
                a, b, c = (perceptron(layer.message, s[j]) * layer.filter(basis) * fade).chunk(3)
                new_s[i] = new_s[i] + a
                new_v[i] = new_v[i] + b * v[j] + c * (arm / d)[:, None]
        for i in range(COUNT):
            left, right = (new_v[i] @ part.T for part in layer.mix.weight.chunk(2))
            lengths = right.norm(dim=0)
            a, b, c = perceptron(layer.update, torch.cat([new_s[i], lengths])).chunk(3)
            new_s[i] = new_s[i] + a + b * (left * right).sum(0)
            new_v[i] = new_v[i] + c * left
        s, v = new_s, new_v
    vectors = []
    for i in range(COUNT):
        scalar, arrow = s[i], v[i]
        for block in model.gates:
            length = (arrow @ block.lengths.weight.T).norm(dim=0)
            both = perceptron(block.scalars, torch.cat([scalar, length]))
            scalar, gate = both.split(block.sizes)
            scalar, arrow = (
                torch.nn.functional.silu(scalar),
                gate * (arrow @ block.vectors.weight.T),
            )
        vectors.append(arrow.T)
    return sum(model.readout(each) for each in s), sum(vectors)[0]


def parts(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Multiple of the identity, antisymmetric and rest of matrices [C, 3, 3]."""
    trace = matrix.diagonal(dim1=-2, dim2=-1).sum(-1)[:, None, None]
    identity = trace / 3 * torch.eye(3, dtype=matrix.dtype)
    return identity, 0.5 * (matrix - matrix.mT), 0.5 * (matrix + matrix.mT) - identity


def squares(matrix: Tensor) -> Tensor:
    return matrix.square().sum((-2, -1))


def tamed(matrix: Tensor) -> Tensor:
    return matrix / (squares(matrix) + 1)[:, None, None]


def mixed(linear: torch.nn.Module, matrix: Tensor) -> Tensor:
    maps = zip(linear.maps, parts(matrix), strict=True)
    return sum(torch.einsum("dc,cij->dij", each.weight, part) for each, part in maps)


def weighed(weights: Tensor, matrix: Tensor) -> Tensor:
    each = zip(weights.chunk(3), parts(matrix), strict=True)
    return sum(weight[:, None, None] * part for weight, part in each)


def cross(vectors: Tensor) -> Tensor:
    """Matrices of the cross product with vectors [C, 3]."""
    x, y, z = vectors.unbind(-1)
    rows = [torch.zeros_like(x), -z, y, z, torch.zeros_like(x), -x, -y, x, torch.zeros_like(x)]
    return torch.stack(rows, -1).view(-1, 3, 3)


def fading_gaussians(model: TensorNet, d: Tensor) -> tuple[Tensor, Tensor]:
    """The radial basis and the envelope at a distance."""
    radius, count = model.radius, len(model.basis.centers)
    least = math.exp(-radius)
    centers = torch.linspace(least, 1, count, dtype=d.dtype)
    beta = (2 / count * (1 - least)) ** -2
    spread = torch.exp(-beta * (torch.exp(-d) - centers) ** 2)
    fade = 0.5 * (torch.cos(math.pi * d / radius) + 1) * (d < radius)
    return spread * fade if model.window_on_basis else spread, fade


def textbook_tensornet(
    model: TensorNet, pos: Tensor, x: Tensor, vec: Tensor
) -> tuple[Tensor, Tensor]:
    width, eye = model.hidden_channels, torch.eye(3, dtype=pos.dtype)
    spread, fades, arrows = {}, {}, {}

    def near(i: int) -> list[int]:
        return [*others(i), i] if model.self_loops else others(i)

    pairs = [(i, j) for i in range(COUNT) for j in near(i)]
    for i, j in pairs:
        d = (pos[j] - pos[i]).norm() if i != j else pos.new_zeros(())
        spread[i, j], fades[i, j] = fading_gaussians(model, d)
        arrows[i, j] = (pos[j] - pos[i]) / d
    h = [model.embedding(x[i]) for i in range(COUNT)]
    tensor = []
    for i in range(COUNT):
        total = cross(model.vectors.weight @ vec[i])
        for j in near(i):
            r = arrows[i, j]
            start = eye + cross(r[None])[0] + torch.outer(r, r) - eye / 3 if i != j else eye
            pair = model.pair(torch.cat([h[i], h[j]])) * fades[i, j]
            part = weighed(model.filter(spread[i, j]), start.expand(width, 3, 3))
            total = total + pair[:, None, None] * part
        tensor.append(weighed(model.weights(model.norm(squares(total))), mixed(model.mix, total)))
    for layer in model.layers:
        small = [tamed(each) for each in tensor]
        y = [mixed(layer.before, each) for each in small]
        for i in range(COUNT):
            heard = 0
            for j in near(i):
                weights = perceptron(layer.filter, spread[i, j], maps=3, end=True) * fades[i, j]
                heard = heard + weighed(weights, y[j])
            change = mixed(layer.after, tamed(y[i] @ heard + heard @ y[i]))
            tensor[i] = small[i] + change + change @ change
    scalar, vector = 0, 0
    for i in range(COUNT):
        lengths = torch.cat([squares(part) for part in parts(tensor[i])])
        s = model.lengths(model.last_norm(lengths))
        anti = parts(tensor[i])[1]
        arrow = torch.stack([anti[:, 2, 1], anti[:, 0, 2], anti[:, 1, 0]], -1)
        scalar = scalar + model.readout(s)
        vector = vector + model.arrows.weight @ (model.gate(s)[:, None] * arrow)
    return scalar, vector[0]


@pytest.mark.parametrize(
    ("make", "textbook"),
    [
        (lambda: EGNN(2, 3, in_vectors=2, out_vectors=1, hidden_channels=6, num_layers=2,
                      attention=True), textbook_egnn),
        (lambda: EGNN(2, 3, in_vectors=2, out_vectors=1, hidden_channels=6, num_layers=2,
                      radius=2.5), textbook_egnn),
        (lambda: EGNN(2, 3, in_vectors=2, hidden_channels=6, num_layers=2), textbook_egnn),
        (lambda: PaiNN(2, 3, in_vectors=2, out_vectors=1, hidden_channels=6, num_layers=2,
                       num_basis=4, radius=2.5), textbook_painn),
        (lambda: TensorNet(2, 3, in_vectors=2, out_vectors=1, hidden_channels=6, num_layers=2,
                           num_basis=4, radius=2.5), textbook_tensornet),
        (lambda: TensorNet(2, 3, in_vectors=2, out_vectors=1, hidden_channels=6, num_layers=2,
                           num_basis=4, radius=2.5, self_loops=True, window_on_basis=True),
         textbook_tensornet),
    ],
    ids=["egnn", "egnn-cutoff", "egnn-still", "painn", "tensornet", "tensornet-loops"],
)  # fmt: skip
def test_values_and_derivatives_are_those_of_the_equations(make, textbook):
    model = drawn(make())
    pos, x, vec = points((COUNT, 3), (COUNT, 2), (COUNT, 2, 3))
    pos.requires_grad_()
    batch = torch.zeros(COUNT, dtype=torch.long)
    found, wanted = model(pos, x, batch, vec=vec), textbook(model, pos, x, vec)
    torch.testing.assert_close(found.scalar[0], wanted[0])
    if wanted[1] is None:
        assert found.vector is None
    else:
        torch.testing.assert_close(found.vector[0, 0], wanted[1])
    parameters = [pos, *model.parameters()]
    forces = [
        torch.autograd.grad(part.sum(), pos, create_graph=True)[0]
        for part in (found.scalar, wanted[0])
    ]
    torch.testing.assert_close(*forces)
    second = [
        torch.autograd.grad(force.square().sum(), parameters, allow_unused=True) for force in forces
    ]
    for one, other in zip(*second, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other)


def pyg_schnet(model: SchNet, z: Tensor) -> torch.nn.Module:
    """PyTorch Geometric's network with the same weights."""
    nn = pytest.importorskip("torch_geometric.nn")
    layer, width = model.blocks[0], model.embedding.out_features
    other = nn.models.SchNet(
        hidden_channels=width, num_filters=width, num_interactions=len(model.blocks),
        num_gaussians=layer.conv.linear_1.in_features, cutoff=model.radius,
        interaction_graph=lambda pos, batch: _all_pairs(pos),
    ).double()  # fmt: skip
    with torch.no_grad():
        other.embedding.weight[: model.in_channels] = model.embedding.weight.T
        other.lin1.load_state_dict(model.readout_1.state_dict())
        other.lin2.load_state_dict(model.readout_2.state_dict())
        for theirs, ours in zip(other.interactions, model.blocks, strict=True):
            theirs.conv.lin1.load_state_dict(ours.linear_1.state_dict())
            theirs.conv.lin2.load_state_dict(ours.linear_2.state_dict())
            theirs.lin.load_state_dict(ours.linear_3.state_dict())
            theirs.mlp[0].load_state_dict(ours.conv.linear_1.state_dict())
            theirs.mlp[2].load_state_dict(ours.conv.linear_2.state_dict())
    return other


def _all_pairs(pos: Tensor) -> tuple[Tensor, Tensor]:
    pairs = torch.tensor([(j, i) for i in range(len(pos)) for j in range(len(pos)) if i != j]).T
    distance = (pos[pairs[0]] - pos[pairs[1]]).norm(dim=-1)
    near = distance < 3.0
    return pairs[:, near], distance[near]


def test_schnet_is_that_of_pytorch_geometric():
    model = drawn(SchNet(4, 1, hidden_channels=6, num_layers=2, num_basis=5, radius=3.0))
    (pos,) = points((COUNT, 3))
    pos.requires_grad_()
    z = torch.tensor([0, 1, 3, 3, 2])
    x = torch.nn.functional.one_hot(z, 4).double()
    batch = torch.zeros(COUNT, dtype=torch.long)
    ours, theirs = model(pos, x, batch).scalar, pyg_schnet(model, z)(z, pos, batch)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad(value.sum(), pos)[0] for value in (ours, theirs)]
    torch.testing.assert_close(*gradients)


def test_the_activation_is_zero_at_zero():
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    torch.testing.assert_close(shifted_softplus(x), torch.log(0.5 * x.exp() + 0.5))


@pytest.mark.parametrize(
    "make",
    [
        lambda: EGNN(1, 1, hidden_channels=8, radius=2.0),
        lambda: SchNet(1, 1, hidden_channels=8, radius=2.0),
        lambda: PaiNN(1, 1, hidden_channels=8, radius=2.0),
        lambda: TensorNet(1, 1, hidden_channels=8, radius=2.0),
        lambda: TensorNet(1, 1, hidden_channels=8, radius=2.0, self_loops=True),
        lambda: TensorNet(1, 1, hidden_channels=8, radius=2.0, window_on_basis=True),
    ],
    ids=["egnn", "schnet", "painn", "tensornet", "tensornet-loops", "tensornet-window"],
)
def test_a_neighbour_leaves_smoothly(make):
    model = drawn(make())

    def energy(distance: float) -> tuple[float, Tensor]:
        pos = torch.tensor([[0.0, 0, 0], [distance, 0, 0]], dtype=torch.float64, requires_grad=True)
        out = model(pos, pos.new_ones(2, 1), torch.zeros(2, dtype=torch.long)).scalar.sum()
        return out.item(), torch.autograd.grad(out, pos, allow_unused=True)[0]

    (inside, force), (outside, _) = energy(2.0 - 1e-4), energy(2.0 + 1e-4)
    assert inside == pytest.approx(outside, abs=1e-5)
    assert float(force.abs().max()) < 1e-2
    assert energy(1.0)[0] != pytest.approx(outside, abs=1e-4)


@pytest.mark.parametrize("self_loops", [False, True])
def test_an_isolated_atom_depends_on_its_features_with_self_loops(self_loops):
    model = drawn(TensorNet(2, 1, hidden_channels=8, radius=2.0, self_loops=self_loops))
    pos = 9.0 * torch.arange(6, dtype=torch.float64).view(2, 3)
    batch = torch.arange(2)
    energy = model(pos, torch.eye(2).double(), batch).scalar[:, 0]
    assert energy.isfinite().all()
    assert bool(energy[0] == energy[1]) != self_loops


def test_a_node_with_many_neighbours_in_bfloat16():
    """The mean over 2000 equal neighbours is that over one: their number is no 256."""
    torch.manual_seed(0)
    layer = EGNNConv(4).bfloat16()
    moved = {}
    for count in (1, 2000):
        pos = torch.cat([torch.zeros(1, 3), torch.ones(count, 3)]).bfloat16()
        edges = torch.stack([torch.arange(1, count + 1), torch.zeros(count, dtype=torch.int64)])
        moved[count] = layer(torch.ones(count + 1, 4).bfloat16(), pos, edges)[1][0]
    assert moved[1].any()
    torch.testing.assert_close(moved[2000], moved[1], rtol=0.02, atol=0.0)


def test_more_than_one_displacement_is_refused():
    with pytest.raises(ValueError, match="out_vectors must be 0 or 1"):
        EGNN(1, 1, out_vectors=2)
    with pytest.raises(ValueError, match="radius must be positive"):
        SchNet(1, 1, radius=0.0)
    with pytest.raises(ValueError, match="dim must be 3"):
        TensorNet(1, 1, dim=2)
