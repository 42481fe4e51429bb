"""CGENN against its equations, with reflections, and in the plane."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from geozoo import testing
from geozoo.geometry import embed_grade
from geozoo.models import CGENN

COUNT = 5


def built(**options) -> CGENN:
    torch.manual_seed(0)
    model = CGENN(2, 3, in_vectors=2, out_vectors=1, hidden_channels=4, num_layers=2, **options)
    return model.double()


def points(dim: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    sizes = {"pos": (COUNT, dim), "x": (COUNT, 2), "vec": (COUNT, 2, dim)}
    return {
        name: torch.randn(*size, generator=generator, dtype=torch.float64)
        for name, size in sizes.items()
    }


def written(model: CGENN, pos: Tensor, x: Tensor, vec: Tensor) -> tuple[Tensor, Tensor]:
    """Pair by pair; layers as they are, which have tests of their own."""
    pairs = [(j, i) for i in range(COUNT) for j in range(COUNT) if i != j]
    scale = model.radius or 1.0
    arms = torch.stack([(pos[j] - pos[i]) / scale for j, i in pairs])
    attributes = torch.stack(
        [
            torch.cat([arm.square().sum()[None], x[j] * x[i]])
            for (j, i), arm in zip(pairs, arms, strict=True)
        ]
    )
    window = torch.ones(len(pairs), dtype=pos.dtype)
    if model.radius is not None:
        lengths = [(pos[j] - pos[i]).norm() for j, i in pairs]
        window = torch.stack([model.window(length) for length in lengths])
    rows = []
    for i in range(COUNT):
        norms = torch.stack([each.norm() for each in vec[i]])
        scalars = model.scalars(torch.cat([x[i], norms]))[None]
        vectors = torch.stack([model.vectors(vec[i][:, k]) for k in range(pos.shape[1])])
        algebra = model.algebra
        rows.append(embed_grade(scalars, 0, algebra) + embed_grade(vectors, 1, algebra))
    h = torch.stack(rows)
    for layer in model.layers:
        h = layer(h, attributes, arms, window, torch.tensor(pairs).T)
    last = model.block(h)
    scalar = sum(model.readout(last[i, 0]) for i in range(COUNT))
    vector = sum(last[i, 1 : 1 + pos.shape[1]] @ model.arrows.weight[0] for i in range(COUNT))
    return scalar, vector


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("radius", [None, 2.0])
def test_it_is_its_equations(dim, radius):
    model, given = built(dim=dim, radius=radius), points(dim)
    found = model(batch=torch.zeros(COUNT, dtype=torch.int64), **given)
    scalar, vector = written(model, **given)
    torch.testing.assert_close(found.scalar[0], scalar)
    torch.testing.assert_close(found.vector[0, 0], vector)


@pytest.mark.parametrize("dim", [2, 3])
def test_reflections_are_followed(dim):
    given = {**points(dim), "batch": torch.tensor([0, 0, 0, 1, 1])}
    testing.assert_equivariant(built(dim=dim), given, reflect=True)


def test_energies_are_smooth_at_the_cutoff():
    model = built(radius=2.0).requires_grad_(False)
    given = {name: value[:2] for name, value in points(3).items()}
    batch = torch.zeros(2, dtype=torch.int64)

    def forces(distance: float) -> Tensor:
        pos = torch.tensor([[0.0, 0, 0], [distance, 0, 0]], dtype=torch.float64).requires_grad_()
        energy = model(pos, given["x"], batch, vec=given["vec"]).scalar.sum()
        return torch.autograd.grad(energy, pos, allow_unused=True)[0]

    inside, outside = forces(2.0 - 1e-4), forces(2.0 + 1e-4)
    assert outside is None or not outside.any()
    assert inside.abs().max() < 1e-4


def test_vectors_alone_are_enough():
    torch.manual_seed(0)
    model = CGENN(0, 1, in_vectors=2, hidden_channels=4, num_layers=1).double()
    batch, given = torch.zeros(COUNT, dtype=torch.int64), points(3)
    found = [model(k * given["pos"], None, batch, vec=given["vec"]).scalar for k in (1, 2)]
    assert not torch.equal(*found)


def test_other_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"dim must be one of \(2, 3\), got 4"):
        CGENN(1, 1, dim=4)
    with pytest.raises(ValueError, match=r"num_layers must be .*, got 0"):
        CGENN(1, 1, num_layers=0)
