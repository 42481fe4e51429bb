"""Allegro against its equations, written for one pair of atoms at a time, and its locality."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from e3nn import o3
from test_steerable_networks import fade, harmonics
from torch import Tensor

from geozoo.models import Allegro
from geozoo.models._allegro_options import tensor_kinds
from geozoo.nn import PairProduct

COUNT = 4
SMALL = {
    "in_vectors": 2, "out_vectors": 1, "hidden_channels": 5, "tensor_channels": 3, "num_basis": 3,
    "num_neighbors": 2.5, "radius": 2.5,
}  # fmt: skip


def mlp(block: torch.nn.Sequential, x: Tensor) -> Tensor:
    """Linear maps without biases, SiLU between them."""
    maps = [part for part in block if isinstance(part, torch.nn.Linear)]
    for number, part in enumerate(maps):
        assert part.bias is None
        x = part.weight @ (x * torch.sigmoid(x) if number else x)
    return x


def of_degree(y: Tensor, degree: int) -> Tensor:
    return y[degree**2 : (degree + 1) ** 2]


def product(layer: PairProduct, tensor: dict[str, Tensor], around: list[Tensor]) -> dict:
    """Every path by its Clebsch-Gordan coefficients; features by irrep, ``[2 l + 1, C]``."""
    paths: dict[str, list[Tensor]] = {kind: [] for kind in layer.kinds_out}
    for name, value in tensor.items():
        for degree, other in enumerate(around):
            for kind in o3.Irrep(name) * o3.Irrep(degree, (-1) ** degree):
                if str(kind) in paths:
                    clebsch = o3.wigner_3j(o3.Irrep(name).l, degree, kind.l, dtype=torch.float64)
                    path = torch.einsum("abc,au,bu->cu", clebsch, value, other)
                    paths[str(kind)].append(path * math.sqrt(kind.dim))
    out = {}
    for weight, (kind, parts) in zip(layer.weights, paths.items(), strict=True):
        if layer.mixing == "full":
            out[kind] = torch.cat(parts, 1) @ weight
        else:
            out[kind] = sum(part * scale for part, scale in zip(parts, weight, strict=True))
    return out


def first(model: Allegro, pos: Tensor, x: Tensor, vec: Tensor, i: int, j: int) -> tuple:
    """Cutoff function, harmonics, first scalars and first tensors of a pair."""
    options, radius, count = model.options, model.radius, model.tensor_channels
    arm = pos[j] - pos[i]
    d = arm.norm()
    u, y = fade(d, radius), harmonics(arm, model.degree)
    order = model.basis.order if options.trainable_basis else torch.arange(1, 4)
    basis = math.sqrt(2 / radius) * torch.sin(order * math.pi * d / radius) / d
    one, other = (torch.cat([x[k], vec[k].norm(dim=-1)]) for k in (i, j))
    if options.two_body == "product":
        ends = [model.nodes["receiver"](one), model.nodes["sender"](other)]
        s = mlp(model.two_body, mlp(model.nodes["basis"], basis * u) * torch.cat(ends))
    else:
        s = mlp(model.two_body, torch.cat([one, other, basis])) * u
    weights = mlp(model.start, s).split(count)
    t = {
        kind: of_degree(y, degree)[:, None] * weights[degree]
        for degree, kind in enumerate(["0e", "1o", "2e"][: model.degree + 1])
    }
    a, b = model.vectors.weight.chunk(2)
    t["1o"] = t["1o"] + weights[-2] * (vec[i].T @ a.T) + weights[-1] * (vec[j].T @ b.T)
    return u, y, s, t


def environments(model: Allegro, y: dict, weight: dict) -> dict[int, list[Tensor]]:
    """Weighted harmonics summed over the neighbours of every atom, by degree."""
    found: dict[int, list[Tensor]] = {}
    for i, k in y:
        parts = weight[i, k].split(model.tensor_channels)
        new = [of_degree(y[i, k], degree)[:, None] * part for degree, part in enumerate(parts)]
        found[i] = [a + b for a, b in zip(found[i], new, strict=True)] if i in found else new
    return {i: [part / math.sqrt(2.5) for part in parts] for i, parts in found.items()}


def textbook(model: Allegro, pos: Tensor, x: Tensor, vec: Tensor) -> tuple[Tensor, Tensor]:
    options, window, y, s, t, weight = model.options, {}, {}, {}, {}, {}
    for i, j in permutations(range(COUNT), 2):
        if (pos[j] - pos[i]).norm() < model.radius:
            window[i, j], y[i, j], s[i, j], t[i, j] = first(model, pos, x, vec, i, j)
    assert len(y) < COUNT * (COUNT - 1)
    for pair in y if options.latent == "dense" else ():
        s[pair], weight[pair] = mlp(model.environments[0], s[pair]).tensor_split([5])
    for step, (layer, latent) in enumerate(zip(model.products, model.latents, strict=True)):
        if options.latent == "residual":
            weight = {pair: mlp(model.environments[step], s[pair]) for pair in y}
        around = environments(model, y, weight)
        for i, j in y:
            t[i, j] = product(layer, t[i, j], around[i])
            new = mlp(latent, torch.cat([s[i, j], t[i, j]["0e"][0]]))
            if options.latent == "dense":
                s[i, j], weight[i, j] = torch.cat([s[i, j], new[:5]]), new[5:]
            else:
                alpha = options.mixing_weight
                s[i, j] = (s[i, j] + alpha * window[i, j] * new) / math.sqrt(1 + alpha**2)
    scalar, vector = torch.zeros(COUNT, 3), torch.zeros(COUNT, 3)
    for i, j in y:
        scalar[i] = scalar[i] + mlp(model.readout, s[i, j]) / math.sqrt(2.5)
        arrow = t[i, j]["1o"] * mlp(model.arrows["gate"], s[i, j])
        vector[i] = vector[i] + (arrow @ model.arrows["map"][0].weight.T)[:, 0] / math.sqrt(2.5)
    if model.scaling is not None:
        scalar = scalar * (1 + x @ model.scaling.scale) + x @ model.scaling.shift
    return scalar, vector


@pytest.mark.parametrize(
    ("degree", "layers", "options"),
    [
        (1, 2, {}),
        (2, 1, {"mixing_weight": 2.0, "two_body_layers": 1, "latent_layers": 2}),
        (1, 2, {"two_body": "product", "latent": "dense", "mixing": "channelwise",
                "trainable_basis": True, "element_scaling": True, "readout_layers": 0}),
    ],
    ids=["paper", "depths", "package"],
)  # fmt: skip
def test_values_and_derivatives_are_those_of_the_equations(degree, layers, options):
    torch.manual_seed(0)
    model = Allegro(
        2, 3, level="node", degree=degree, num_layers=layers, options=options, **SMALL
    ).double()  # fmt: skip
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    pos = torch.randn(COUNT, 3).double().requires_grad_()
    x, vec = torch.randn(COUNT, 2).double(), torch.randn(COUNT, 2, 3).double()
    found = model(pos, x, torch.zeros(COUNT, dtype=torch.long), vec=vec)
    torch.set_default_dtype(torch.float64)
    try:
        wanted = textbook(model, pos, x, vec)
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(found.scalar, wanted[0])
    torch.testing.assert_close(found.vector[:, 0], wanted[1])
    weights = torch.randn(2, COUNT, 3).double()
    sums = [(weights[0] * a).sum() + (weights[1] * b.reshape(COUNT, 3)).sum() for a, b in
            ((found.scalar, found.vector), wanted)]  # fmt: skip
    forces = [torch.autograd.grad(each, pos, create_graph=True)[0] for each in sums]
    torch.testing.assert_close(*forces)
    leaves = [pos, *model.parameters()]
    second = [
        torch.autograd.grad(force.square().sum(), leaves, allow_unused=True) for force in forces
    ]
    for one, other in zip(*second, strict=True):
        both = [torch.zeros(()).double() if part is None else part for part in (one, other)]
        torch.testing.assert_close(*both, rtol=1e-6, atol=1e-9)


def test_an_atom_is_not_affected_by_atoms_beyond_its_cutoff() -> None:
    """Messages would carry what the neighbour sees; Allegro's range is one cutoff."""
    torch.manual_seed(0)
    model = Allegro(1, 1, level="node", degree=1, hidden_channels=8, radius=2.0).double()
    pos = torch.tensor([[0.0, 0, 0], [1.5, 0, 0], [3.0, 0.3, 0]]).double()
    batch, x = torch.zeros(3, dtype=torch.long), torch.ones(3, 1).double()
    moved = pos + torch.tensor([[0.0] * 3, [0.0] * 3, [0.2] * 3]).double()
    one, other = (model(each, x, batch).scalar.detach() for each in (pos, moved))
    assert float(one[0]) == pytest.approx(float(other[0]), abs=1e-12) and float(one[0])
    assert abs(float(one[1] - other[1])) > 1e-6


def test_atoms_without_neighbours_have_no_energy_and_neighbours_leave_smoothly() -> None:
    torch.manual_seed(0)
    for options in ({}, {"two_body": "product", "latent": "dense"}):
        model = Allegro(1, 1, degree=1, hidden_channels=8, radius=2.0, options=options).double()

        def energy(distance: float, model: Allegro = model) -> tuple[float, float]:
            pos = torch.tensor([[0.0, 0, 0], [distance, 0, 0]]).double().requires_grad_()
            out = model(pos, pos.new_ones(2, 1), torch.zeros(2, dtype=torch.long)).scalar.sum()
            return out.item(), float(torch.autograd.grad(out, pos)[0].abs().max())

        assert energy(2.5)[0] == 0
        value, force = energy(2.0 - 1e-4)
        assert abs(value) < 1e-8 and force < 1e-4 and abs(energy(1.0)[0]) > 1e-4


def test_tensors_are_those_that_outputs_depend_on() -> None:
    assert tensor_kinds(2, 1, parity=True, vectors=False) == [["0e", "1o"], ["0e", "1o"], ["0e"]]
    assert tensor_kinds(3, 1, parity=True, vectors=False)[1] == ["0e", "1o", "1e"]
    assert tensor_kinds(3, 1, parity=False, vectors=True)[1:] == [["0e", "1o"]] * 3
    with pytest.raises(ValueError, match="^kinds_out must share an irrep with the product of"):
        PairProduct(["0e"], ["1o"], channels=2, degree=0)
    with pytest.raises(ValueError, match="num_neighbors must be positive, got 0"):
        PairProduct(["0e"], ["0e"], channels=2, degree=0, num_neighbors=0)
    unreached = PairProduct(["0e"], ["0e", "2e"], channels=2, degree=1)
    edges = torch.tensor([[0], [1]])
    out = unreached(torch.ones(1, 2), torch.ones(1, 4), torch.ones(1, 4), edges, 2)
    assert out[:, :2].all() and out.shape == (1, 12) and not out[:, 2:].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"two_body": "sum"}, "two_body must be one of concatenated, product; got 'sum'"),
        ({"latent": "x"}, "latent must be one of residual, dense"),
        ({"mixing": "x"}, "mixing must be one of full, channelwise"),
        ({"two_body_layers": -1}, "two_body_layers must be at least 0"),
        ({"latent_channels": 0}, "latent_channels must be at least 1"),
        ({"readout_channels": 0}, "readout_channels must be at least 1"),
        ({"mixing_weight": 0.0}, "mixing_weight must be positive, got 0.0"),
        ({"window_power": 1}, "power must be at least 2"),
    ],
)
def test_invalid_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Allegro(1, 1, options=options)


def test_sizes_are_checked() -> None:
    with pytest.raises(ValueError, match="dim must be 3"):
        Allegro(1, 1, dim=2)
    for name in ("hidden_channels", "tensor_channels", "degree", "num_layers"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1"):
            Allegro(1, 1, **{name: 0})
    for name in ("num_neighbors", "radius"):
        with pytest.raises(ValueError, match=f"{name} must be positive"):
            Allegro(1, 1, **{name: 0.0})
