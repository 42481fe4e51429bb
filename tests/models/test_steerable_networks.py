"""NequIP and SEGNN against their equations, written with sums over Clebsch-Gordan coefficients."""

from __future__ import annotations

import math

import pytest
import torch
from e3nn import o3
from torch import Tensor

from geozoo import ops
from geozoo.models import SEGNN, NequIP, NequIPOptions
from geozoo.nn.steerable import SteerableLinear, TensorProductConv
from geozoo.nn.steerable.depthwise_product import depthwise_product
from geozoo.nn.steerable.irreps import every_irrep

COUNT = 4


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


def harmonics(arm: Tensor, degree: int) -> Tensor:
    """Real harmonics of mean square 1, written out to degree 2 in the library's order."""
    x, y, z = arm / arm.norm()
    one = torch.ones_like(x)
    parts = [one, *(math.sqrt(3) * torch.stack([x, y, z]))]
    if degree > 1:
        parts += list(
            math.sqrt(15)
            * torch.stack(
                [x * z, x * y, (y * y - (x * x + z * z) / 2) / math.sqrt(3), y * z,
                 (z * z - x * x) / 2]
            )
        )  # fmt: skip
    return torch.stack(parts)


def blocks(irreps: o3.Irreps, features: Tensor) -> list[tuple[o3.Irrep, Tensor]]:
    """Parts of a feature, each ``[channels, 2 l + 1]``."""
    irreps = o3.Irreps(irreps)
    return [
        (kind, features[where].reshape(count, kind.dim))
        for where, (count, kind) in zip(irreps.slices(), irreps, strict=True)
    ]


def linear(layer: o3.Linear, features: Tensor) -> Tensor:
    """Channels of a kind mix among themselves; weights are scaled by how many they are."""
    weights = {
        (at.i_in, at.i_out): weight
        for (_, at, weight) in layer.weight_views(yield_instruction=True)
    }
    total = {}
    for (i, o), weight in weights.items():
        total.setdefault(o, []).append((i, weight))
    parts = blocks(layer.irreps_in, features)
    out = []
    for o, (count, kind) in enumerate(layer.irreps_out):
        terms = total.get(o, [])
        fan = sum(len(parts[i][1]) for i, _ in terms)
        summed = sum(weight.T @ parts[i][1] for i, weight in terms) if terms else None
        out.append(
            features.new_zeros(count * kind.dim) if summed is None
            else (summed / math.sqrt(fan)).flatten()
        )  # fmt: skip
    return torch.cat(out)


def fully_connected(layer: o3.FullyConnectedTensorProduct, left: Tensor, right: Tensor) -> Tensor:
    """Every product of two features that an output can have."""
    a, b = blocks(layer.irreps_in1, left), blocks(layer.irreps_in2, right)
    out = [torch.zeros(count, kind.dim) for count, kind in layer.irreps_out]
    fans = [0] * len(out)
    for _, at, weight in layer.weight_views(yield_instruction=True):
        (one, x), (two, y), kind = a[at.i_in1], b[at.i_in2], layer.irreps_out[at.i_out].ir
        clebsch = o3.wigner_3j(one.l, two.l, kind.l) * math.sqrt(kind.dim)
        out[at.i_out] = out[at.i_out] + torch.einsum("uvw,ui,vj,ijk->wk", weight, x, y, clebsch)
        fans[at.i_out] += len(x) * len(y)
    return torch.cat(
        [(part / math.sqrt(max(fan, 1))).flatten() for part, fan in zip(out, fans, strict=True)]
    )


#: The library scales activations by their root mean square over these.
NORMAL = torch.randn(1_000_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def activated(function, x: Tensor) -> Tensor:
    return function(x) / function(NORMAL).square().mean().sqrt()


def gated(gate, features: Tensor, activation=torch.sigmoid) -> Tensor:
    """Scalars through an activation, others times the sigmoid of a scalar of their own."""
    parts = dict(blocks(gate.irreps_in, features))
    out, gates = [], []
    for count, kind in gate.irreps_out:
        if kind.l == 0:
            function = torch.nn.functional.silu if kind.p == 1 else torch.tanh
            out.append(activated(function, parts[kind][:count]))
            gates = parts[kind][count:] if kind.p == 1 else gates
        else:
            here, gates = gates[:count], gates[count:]
            out.append(activated(activation, here) * parts[kind])
    assert not len(gates)
    return torch.cat([part.flatten() for part in out])


def radial(layer: TensorProductConv, basis: Tensor) -> Tensor:
    """Hidden layers and a linear map without bias."""
    *hidden, last = (part for part in layer.radial if isinstance(part, torch.nn.Linear))
    for part in hidden:
        basis = part.weight @ basis + (0 if part.bias is None else part.bias)
        basis = basis * torch.sigmoid(basis)
    assert last.bias is None
    return last.weight @ basis


def convolve(layer: TensorProductConv, h: list[Tensor], edges: dict) -> list[Tensor]:
    """The sum over paths of R(d) (h_j x Y), path by path; edges: (j, i) -> (Y, basis, window)."""
    before = layer.linear_1.irreps_out
    product = depthwise_product(before, layer.harmonics, layer.linear_2.irreps_out)
    total = [torch.zeros(product.irreps_out.dim) for _ in h]
    for (j, i), (attribute, basis, window) in edges.items():
        left = blocks(before, linear(layer.linear_1, h[j]))
        right = blocks(layer.harmonics, attribute)
        out = [torch.zeros(count, kind.dim) for count, kind in product.irreps_out]
        weights = radial(layer, basis) * window
        for at in product.instructions:
            (one, x), (two, y) = left[at.i_in1], right[at.i_in2]
            kind = product.irreps_out[at.i_out].ir
            here, weights = weights[: len(x)], weights[len(x) :]
            clebsch = o3.wigner_3j(one.l, two.l, kind.l) * math.sqrt(kind.dim)
            out[at.i_out] = torch.einsum("u,ui,j,ijk->uk", here, x, y[0], clebsch)
        assert not len(weights)
        total[i] = total[i] + torch.cat([part.flatten() for part in out]) * layer.scale
    return [linear(layer.linear_2, each) for each in total]


def steered(layer: SteerableLinear, x: Tensor, attribute: Tensor) -> Tensor:
    out = fully_connected(layer.product, x, attribute)
    out = out + torch.zeros_like(out).index_copy(0, layer.scalars, layer.bias)
    return out if layer.gate is None else gated(layer.gate, out)


def near(pos: Tensor, radius: float) -> list[tuple[int, int, Tensor]]:
    """Sender, receiver and the arm from the latter."""
    pairs = [(j, i) for i in range(COUNT) for j in range(COUNT) if i != j]
    arms = [(j, i, pos[j] - pos[i]) for j, i in pairs]
    return [(j, i, arm) for j, i, arm in arms if arm.norm() < radius]


def fade(distance: Tensor, radius: float) -> Tensor:
    u = distance / radius
    return 1 - 28 * u**6 + 48 * u**7 - 21 * u**8


def switched(d: Tensor, radius: float, start: float) -> Tensor:
    if d < start:
        return torch.ones_like(d)
    a, b, c = radius**2, start**2, d**2
    return (a - c) ** 2 * (a + 2 * c - 3 * b) / (a - b) ** 3


def textbook_nequip(model: NequIP, pos: Tensor, x: Tensor, vec: Tensor) -> Tensor:
    edges, options = {}, model.options
    order = model.basis.order if options.trainable_basis else torch.arange(1, 4)
    for j, i, arm in near(pos, model.radius):
        d = arm.norm()
        bessel = math.sqrt(2 / model.radius) * torch.sin(order * math.pi * d / model.radius) / d
        window = fade(d, model.radius)
        if options.window_start is not None:
            window = switched(d, model.radius, options.window_start)
        if options.window_place == "basis":
            bessel, window = bessel * window, 1
        edges[j, i] = harmonics(arm, model.degree), bessel, window
    h = [linear(model.embedding, torch.cat([x[i], vec[i].flatten()])) for i in range(COUNT)]
    species = [each / ((1 + each @ each) / 2).sqrt() for each in x]
    if options.self_connection == "embedding":
        species = [each[: model.embedding.irreps_out[0].mul] for each in h]
    activation = torch.nn.functional.silu if options.gate == "silu" else torch.sigmoid
    for conv, connect, gate in zip(model.convolutions, model.connections, model.gates, strict=True):
        met = convolve(conv, h, edges)
        for i in range(COUNT):
            if isinstance(connect, o3.Linear):
                met[i] = met[i] + linear(connect, h[i])
            elif not isinstance(connect, torch.nn.Identity):
                met[i] = met[i] + fully_connected(connect, h[i], species[i])
        h = [gated(gate, each, activation) for each in met]
    out = [linear(model.readout, each) for each in h]
    if options.element_scaling:
        count = model.out_channels
        scale, shift = model.scaling.scale, model.scaling.shift
        out = [
            torch.cat([y[:count] * (1 + scale.T @ x[i]) + shift.T @ x[i], y[count:]])
            for i, y in enumerate(out)
        ]
    return sum(out)


def textbook_segnn(model: SEGNN, pos: Tensor, x: Tensor, vec: Tensor) -> Tensor:
    degree, radius = model.attribute_degree, model.radius
    edges = {(j, i): (harmonics(arm, degree), arm.norm()) for j, i, arm in near(pos, radius)}
    node = []
    for i in range(COUNT):
        total, weight = torch.eye((degree + 1) ** 2)[0] * 1e-3, 1e-3
        for (_, receiver), (attribute, d) in edges.items():
            if receiver == i:
                total, weight = total + fade(d, radius) * attribute, weight + fade(d, radius)
        node.append(total / weight + sum(harmonics(each, degree) for each in vec[i]))
    h = [
        steered(model.embedding, torch.cat([x[i], vec[i].norm(dim=-1), vec[i].flatten()]), node[i])
        for i in range(COUNT)
    ]
    for message, update in zip(model.messages, model.updates, strict=True):
        total = [torch.zeros_like(each) for each in h]
        for (j, i), (attribute, d) in edges.items():
            m = torch.cat([h[i], h[j], d.square()[None], x[i] * x[j]])
            for part in message:
                m = steered(part, m, attribute)
            total[i] = total[i] + fade(d, radius) * m
        for i in range(COUNT):
            change = torch.cat([h[i], total[i]])
            for part in update:
                change = steered(part, change, node[i])
            h[i] = h[i] + change
    for part in model.readout:
        h = [steered(part, each, node[i]) for i, each in enumerate(h)]
    return sum(h)


NEIGHBORS = 5.0
AS_NEQUIP = {
    "irreps": "4x0e+3x1o+2x2e", "embedding_channels": 5, "self_connection": "embedding",
    "first_self_connection": False, "gate": "silu", "radial_layers": 1, "radial_bias": False,
    "trainable_basis": True, "window_place": "basis", "element_scaling": True,
}  # fmt: skip
AS_SEVENNET = {
    "irreps": "4x0e+3x1e+2x2e", "parity": False, "self_connection": "linear", "gate": "silu",
    "radial_bias": False, "window_start": 1.5, "window_place": "basis",
    "denominator": 3.0, "element_scaling": True,
}  # fmt: skip
SMALL = {"in_vectors": 2, "out_vectors": 1, "hidden_channels": 3, "num_layers": 2, "radius": 2.5}


@pytest.mark.parametrize(
    ("make", "textbook"),
    [
        (lambda: NequIP(2, 3, degree=2, num_basis=3, radial_channels=5, num_neighbors=NEIGHBORS,
                        **SMALL), textbook_nequip),
        (lambda: NequIP(2, 3, degree=2, num_basis=3, radial_channels=5, num_neighbors=NEIGHBORS,
                        options=AS_NEQUIP, **SMALL), textbook_nequip),
        (lambda: NequIP(2, 3, degree=2, num_basis=3, radial_channels=5,
                        options=AS_SEVENNET, **SMALL), textbook_nequip),
        (lambda: SEGNN(2, 3, degree=1, attribute_degree=2, **SMALL), textbook_segnn),
        (lambda: SEGNN(2, 3, degree=2, attribute_degree=1, **SMALL), textbook_segnn),
    ],
    ids=["nequip", "nequip-0.19", "sevennet", "segnn", "segnn-higher"],
)  # fmt: skip
def test_values_and_derivatives_are_those_of_the_equations(make, textbook):
    model = make()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    pos = torch.randn(COUNT, 3).requires_grad_()
    x, vec = torch.randn(COUNT, 2), torch.randn(COUNT, 2, 3)
    # Compiling a kernel takes up to a minute; its values are tested elsewhere.
    with ops.textbook(getattr(model, "options", None) not in (None, NequIPOptions())):
        out = model(pos, x, torch.zeros(COUNT, dtype=torch.long), vec=vec)
    found, wanted = torch.cat([out.scalar[0], out.vector.flatten()]), textbook(model, pos, x, vec)
    assert len(near(pos, 2.5)) < COUNT * (COUNT - 1), "the cutoff has something to cut"
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
    small = 1e-9 * float(forces[0].detach().abs().max()) ** 2
    for one, other in zip(*second, strict=True):
        both = [torch.zeros(()) if part is None else part for part in (one, other)]
        torch.testing.assert_close(*both, rtol=1e-6, atol=small)


@pytest.mark.parametrize(
    "make",
    [
        lambda: NequIP(1, 1, hidden_channels=4, num_layers=2, radius=2.0),
        lambda: SEGNN(1, 1, hidden_channels=4, num_layers=2, radius=2.0),
    ],
    ids=["nequip", "segnn"],
)
def test_a_neighbour_leaves_smoothly(make):
    model = make()

    def energy(distance: float) -> tuple[float, Tensor]:
        pos = torch.tensor([[0.0, 0, 0], [1.0, 0.5, 0], [-distance, 0, 0]], requires_grad=True)
        out = model(pos, torch.ones(3, 1), torch.zeros(3, dtype=torch.long)).scalar.sum()
        return out.item(), torch.autograd.grad(out, pos)[0]

    (inside, force), (outside, still) = energy(2.0 - 1e-4), energy(2.0 + 1e-4)
    assert inside == pytest.approx(outside, abs=1e-6)
    torch.testing.assert_close(force, still, atol=1e-3, rtol=0)
    assert energy(1.0)[0] != pytest.approx(outside, abs=1e-3)


@pytest.mark.thorough
def test_two_points_at_one_place_have_finite_forces():
    for model in (NequIP(1, 1, hidden_channels=4), SEGNN(1, 1, hidden_channels=4, degree=2)):
        pos = torch.zeros(2, 3, requires_grad=True)
        out = model(pos, torch.ones(2, 1), torch.zeros(2, dtype=torch.long)).scalar.sum()
        assert torch.autograd.grad(out, pos)[0].isfinite().all()


def test_a_gate_leaves_out_what_no_product_reaches():
    gated = SteerableLinear("4x0e", "1x0e", "3x0e+1x1o")
    assert (
        str(gated.irreps_out) == "3x0e" and gated(torch.rand(2, 4), torch.ones(2, 1)).shape[1] == 3
    )
    plain = SteerableLinear("4x0e", "1x0e", "3x0e+1x1o", gated=False, gain=0.1)
    assert plain.irreps_out == o3.Irreps("3x0e+1x1o") and plain.gate is None
    assert 0.05 < plain.product.weight.abs().max() <= 0.1
    out = plain(torch.rand(2, 4), torch.ones(2, 1))
    assert out[:, :3].all() and not out[:, 3:].any()
    assert set(plain.state_dict()) == {"bias", "product.weight", "product.output_mask"}


def test_every_irrep_up_to_a_degree():
    assert every_irrep(8, 1) == "8x0e+8x0o+8x1e+8x1o"


def test_a_number_of_neighbors_must_be_positive():
    with pytest.raises(ValueError, match="num_neighbors must be positive, got 0"):
        TensorProductConv("4x0e", "4x0e", degree=1, basis_channels=3, num_neighbors=0)


@pytest.mark.parametrize("kind", [NequIP, SEGNN])
def test_what_does_not_fit_is_refused(kind):
    with pytest.raises(ValueError, match="dim must be 3"):
        kind(1, 1, dim=2)
    with pytest.raises(ValueError, match="degree must be at least 1"):
        kind(1, 1, degree=0)


def test_biases_of_a_steered_map_are_those_of_its_scalars():
    layer = SteerableLinear("2x0e+1x1o", "0e+1o", "2x1o+3x0e+1x1o+2x0e", gated=False)
    assert 0.9 < layer.product.weight.abs().max() <= 1
    assert layer.irreps_out == o3.Irreps("2x1o+3x0e+1x1o+2x0e")
    torch.nn.init.zeros_(layer.product.weight)
    torch.nn.init.constant_(layer.bias, 7.0)
    out = layer(torch.randn(2, 5), torch.randn(2, 4))
    expected = torch.tensor([0.0] * 6 + [7.0] * 3 + [0.0] * 3 + [7.0] * 2)
    torch.testing.assert_close(out, expected.expand(2, -1))
    without = SteerableLinear("1o", "1x0e", "1o", gated=False)
    assert without.bias.numel() == 0
    gated = SteerableLinear("2x0e+1x1o", "0e+1o", "2x0e+1x1o", gain=0.01)
    assert gated.irreps_out == o3.Irreps("2x0e+1x1o") and gated.product.weight.abs().max() < 0.01
    assert gated(torch.randn(2, 5), torch.randn(2, 4)).shape == (2, 5)


def test_a_convolution_has_weights_for_every_edge_alone():
    layer = TensorProductConv("2x0e+1x1o", "2x0e+1x1o", degree=1, basis_channels=3)
    assert layer.scale == 1
    assert [part.out_features for part in layer.radial[::2]] == [64, 64, layer.paths.w_width]
    with pytest.raises(
        ValueError, match="^irreps_out must share an irrep .* irreps_in 1x0e .* degree 0, got 1x1o"
    ):
        TensorProductConv("1x0e", "1o", degree=0, basis_channels=3)


def test_steered_inputs_of_another_shape_are_named():
    layer = SteerableLinear("2x0e", "0e+1o", "2x0e", gated=False)
    for attribute in (torch.zeros(2, 4), torch.zeros(3, 3)):
        with pytest.raises(ValueError, match=r"^attribute must have shape \(N=3, A=4\), got"):
            layer(torch.zeros(3, 2), attribute)
    conv = TensorProductConv("2x0e", "2x0e", degree=1, basis_channels=3)
    edges = torch.tensor([[0, 1], [1, 0]])
    for harmonic in (torch.zeros(3, 4), torch.zeros(2, 1)):
        with pytest.raises(ValueError, match=r"^harmonics must have shape \(E=2, S=4\), got"):
            conv(torch.zeros(2, 2), harmonic, torch.zeros(2, 3), torch.ones(2), edges)
