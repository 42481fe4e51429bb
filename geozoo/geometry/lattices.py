"""Regular lattices, such as the pixels of an image: points, lattice vectors and neighbourhoods.

Points are in row-major order: the index along the last axis runs fastest.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

#: Largest deviation of a point from its lattice site, relative to the shortest lattice vector.
_TOLERANCE = 1e-3


def lattice_indices(shape: Sequence[int]) -> Int[Tensor, "n dim"]:
    """Return the index of each point along each axis.

    >>> lattice_indices([2, 2]).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    axes = [torch.arange(size) for size in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)


def check_lattice(shape: Sequence[int], dim: int) -> tuple[int, ...]:
    """Return the shape of a lattice as integers.

    Raises:
        ValueError: Unless there are ``dim`` sizes of at least 2.
    """
    sizes = tuple(shape)
    if len(sizes) != dim or any(size != int(size) or size < 2 for size in sizes):
        raise ValueError(f"lattice must be {dim} integers of at least 2, got {list(sizes)}")
    return tuple(int(size) for size in sizes)


def lattice_steps(
    pos: Float[Tensor, "N dim"], shape: Sequence[int], num_graphs: int
) -> Float[Tensor, "G dim dim"]:
    """Return the lattice vectors of a batch of lattices, which may be rotated or stretched.

    Args:
        pos: positions of the points of all lattices.
        shape: points along each axis, at least 2.
        num_graphs: number of lattices.

    Returns:
        Row k: the vector from a point to the next along axis k.

    Raises:
        ValueError: If the number of points does not match, or they do not form such lattices.
    """
    index = lattice_indices(shape).to(pos)
    if len(pos) != num_graphs * len(index):
        raise ValueError(
            f"pos must have {num_graphs} x {len(index)} points for the lattice {list(shape)}, "
            f"got {len(pos)}"
        )
    grid = pos.view(num_graphs, *shape, pos.shape[-1])
    origin = pos.view(num_graphs, len(index), pos.shape[-1])[:, 0]
    # From the first to the last point of each axis: the longest vector has the least rounding.
    ends = torch.diag(torch.tensor(shape) - 1).tolist()
    vectors = [
        (grid[(slice(None), *end)] - origin) / (size - 1)
        for end, size in zip(ends, shape, strict=True)
    ]
    steps = torch.stack(vectors, 1)
    expected = origin.unsqueeze(1) + index @ steps
    deviation = (pos.view_as(expected) - expected).norm(dim=-1)
    allowed = _TOLERANCE * steps.norm(dim=-1).amin(-1, keepdim=True)
    # Written so that NaN raises the error too.
    if num_graphs and not bool((deviation.detach() <= allowed.detach()).all()):
        raise ValueError(f"pos must form a lattice of {list(shape)} points in row-major order")
    return steps


def lattice_reach(
    steps: Float[Tensor, "G dim dim"], shape: Sequence[int], radius: float | None
) -> tuple[int, ...]:
    """Return the largest number of steps along each axis that stays within a cutoff.

    Args:
        steps: lattice vectors.
        shape: points along each axis, which limit the reach.
        radius: cutoff in the unit of the lattice vectors; None: the whole lattice.
    """
    whole = tuple(size - 1 for size in shape)
    if radius is None or not len(steps):
        return whole
    # |n_k| = |d B^-1|_k <= |d| times the length of column k of the inverse.
    reach = radius * torch.linalg.inv(steps.detach().double()).norm(dim=1).amax(0)
    return tuple(min(int(far), most) for far, most in zip(reach.tolist(), whole, strict=True))


def stencil_offsets(reach: Sequence[int]) -> Int[Tensor, "D dim"]:
    """Return all offsets ``-reach..reach`` in row-major order; the middle one is zero."""
    return lattice_indices([2 * size + 1 for size in reach]) - torch.tensor(reach)
