"""Periodic cells of a neighbour search: completed, checked, positions wrapped, images listed."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

#: Smallest height of a cell relative to the vector across it: flatter ones have no volume.
_FLATTEST = 1e-6
#: Allowance for rounding in fractional coordinates; it only lists a few more images.
_TOLERANCE = 1e-6


class Cells(NamedTuple):
    """Cells of a batch in float64, each with three independent vectors.

    Attributes:
        vectors: ``[G, 3, 3]``; vectors of directions that are not periodic are replaced by unit
            vectors perpendicular to all others.
        periodic: ``[G, 3]``.
        heights: ``[G, 3]`` distance between the faces that each vector connects; 1 for a direction
            that is not periodic.
        inverse: ``[G, 3, 3]``: ``pos @ inverse`` are fractional coordinates.
    """

    vectors: Float[Tensor, "G 3 3"]
    periodic: Bool[Tensor, "G 3"]
    heights: Float[Tensor, "G 3"]
    inverse: Float[Tensor, "G 3 3"]


class Wrapped(NamedTuple):
    """Positions moved into their cells.

    Attributes:
        pos: ``[N, 3]`` float64.
        fractional: ``[N, 3]``, from 0 to 1 in periodic directions.
        turns: ``[N, 3]`` lattice vectors subtracted from each position; None: none from any.
    """

    pos: Float[Tensor, "N 3"]
    fractional: Float[Tensor, "N 3"]
    turns: Int[Tensor, "N 3"] | None


class Images(NamedTuple):
    """Periodic images of atoms near their cell.

    Attributes:
        pos: ``[M, 3]`` float64.
        atom: ``[M]`` atom that each is an image of.
        image: ``[M, 3]`` lattice vectors added to the wrapped atom.
    """

    pos: Float[Tensor, "M 3"]
    atom: Int[Tensor, " M"]
    image: Int[Tensor, "M 3"]


def completed_cells(
    cell: Float[Tensor, "G 3 3"], pbc: Bool[Tensor, "G 3"], device: torch.device
) -> Cells:
    """Complete the vectors of directions that are not periodic.

    Args:
        cell: finite lattice vectors in rows; rows of directions that are not periodic are ignored.
        pbc: periodic directions.
        device: where the result is needed.

    Raises:
        ValueError: If the vectors of periodic directions are zero or linearly dependent.
    """
    # Matrices of three rows: faster on the CPU than as many small kernels on a device.
    vectors, periodic = cell.detach().to("cpu", torch.float64), pbc.detach().to("cpu")
    lengths = vectors.norm(dim=-1, keepdim=True)
    rows = torch.where(periodic[..., None] & (lengths > 0), vectors / lengths, 0.0)
    _, spread, across = torch.linalg.svd(rows)
    count = periodic.sum(-1)
    # Singular values fall: that of the last periodic direction is the smallest of them.
    smallest = torch.where(count > 0, spread.gather(1, (count - 1).clamp(min=0)[:, None])[:, 0], 1)
    flat = smallest < _FLATTEST
    if bool(flat.any()):
        graph = int(flat.nonzero()[0])
        raise ValueError(
            "cell must have independent, nonzero vectors in its periodic directions, got "
            f"{cell[graph].tolist()} with pbc {periodic[graph].tolist()} in graph {graph}"
        )
    free = (count[:, None] + (~periodic).cumsum(1) - 1).clamp(0, 2)
    perpendicular = across.gather(1, free[..., None].expand(-1, -1, 3))
    vectors = torch.where(periodic[..., None], vectors, perpendicular)
    inverse = torch.linalg.inv(vectors)
    heights = inverse.norm(dim=1).reciprocal()
    return Cells(*(part.to(device) for part in (vectors, periodic, heights, inverse)))


def wrapped(pos: Float[Tensor, "N 3"], batch: Int[Tensor, " N"], cells: Cells) -> Wrapped:
    """Move positions into their cells along the periodic directions.

    Args:
        pos: positions, float64.
        batch: graph of each atom.
        cells: cells of the batch.
    """
    fractional = per_atom(pos, cells.inverse, batch)
    turns = torch.where(cells.periodic[batch], fractional.floor(), 0.0)
    if not bool(turns.any()):
        return Wrapped(pos, fractional, None)
    inside = pos - per_atom(turns, cells.vectors, batch)
    return Wrapped(inside, fractional - turns, turns.long())


def per_atom(
    rows: Float[Tensor, "P 3"], matrices: Float[Tensor, "G 3 3"], graph: Int[Tensor, " P"]
) -> Float[Tensor, "P 3"]:
    """Multiply each row with the matrix of its graph, in the same order of sums for any batch."""
    if len(matrices) == 1:
        chosen = matrices[0]
        return rows[:, :1] * chosen[0] + rows[:, 1:2] * chosen[1] + rows[:, 2:] * chosen[2]
    product = rows[:, :1] * matrices[:, 0][graph]
    product += rows[:, 1:2] * matrices[:, 1][graph]
    return product.add_(rows[:, 2:] * matrices[:, 2][graph])


def nearby_images(
    atoms: Wrapped,
    batch: Int[Tensor, " N"],
    cells: Cells,
    spans: tuple[Float[Tensor, "G 3"], Float[Tensor, "G 3"]],
    radius: float,
) -> Images:
    """Return the images that may be closer than ``radius`` to an atom of their graph.

    Of an image and the opposite one, only the one whose first nonzero entry is positive is listed:
    each relation between two atoms then appears once, from one of them.

    Args:
        atoms: wrapped positions.
        batch: graph of each atom.
        cells: cells of the batch.
        spans: see `spans_of`.
        radius: cutoff, finite.
    """
    low, high = spans
    margin = radius / cells.heights + _TOLERANCE
    least, most = (low - margin)[batch], (high + margin)[batch]
    first = torch.where(cells.periodic[batch], (least - atoms.fractional).ceil(), 0.0).long()
    last = torch.where(cells.periodic[batch], (most - atoms.fractional).floor(), 0.0).long()
    atom = torch.arange(len(batch), device=batch.device)
    image = torch.zeros(len(batch), 0, dtype=torch.int64, device=batch.device)
    for axis in range(3):
        # While all steps so far are zero, the next one must not be negative; the last not zero.
        leading = (image == 0).all(1)
        start = torch.where(leading, int(axis == 2), first[atom, axis])
        count = (last[atom, axis] - start + 1).clamp(min=0)
        row = torch.arange(len(atom), device=atom.device).repeat_interleave(count)
        within = torch.arange(len(row), device=atom.device) - (count.cumsum(0) - count)[row]
        image = torch.cat([image[row], (start[row] + within)[:, None]], 1)
        atom = atom[row]
    pos = atoms.pos[atom] + per_atom(image.double(), cells.vectors, batch[atom])
    return Images(pos, atom, image)


def spans_of(
    fractional: Float[Tensor, "N dim"], batch: Int[Tensor, " N"], num_graphs: int
) -> tuple[Float[Tensor, "G dim"], Float[Tensor, "G dim"]]:
    """Return the smallest and the largest coordinates of each graph; of an empty one, zeros."""
    index = batch[:, None].expand_as(fractional)
    zeros = fractional.new_zeros(num_graphs, fractional.shape[1])
    low = zeros.scatter_reduce(0, index, fractional, "amin", include_self=False)
    return low, zeros.scatter_reduce(0, index, fractional, "amax", include_self=False)
