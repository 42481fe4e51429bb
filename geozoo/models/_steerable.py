"""Shared by steerable networks: inputs and outputs as irreps, and spherical harmonics."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.nn.edges import DirectedEdges, PairedEdges
from geozoo.ops import length_and_direction
from geozoo.ops.steerable import solid_harmonics


def check_space(dim: int) -> None:
    """Check that the spatial dimension is 3.

    Raises:
        ValueError: If ``dim`` is not 3.
    """
    if dim != 3:
        raise ValueError(f"dim must be 3 for spherical harmonics, got {dim!r}")


def join_irreps(scalars: int, vectors: int, vector_kind: str = "1o") -> str:
    """Return the irreps of scalars followed by vectors, without empty parts.

    >>> join_irreps(2, 1), join_irreps(0, 1)
    ('2x0e+1x1o', '1x1o')
    """
    parts = [f"{scalars}x0e"] * (scalars > 0) + [f"{vectors}x{vector_kind}"] * (vectors > 0)
    return "+".join(parts)


def join_features(x: Float[Tensor, "N S"] | None, vec: Float[Tensor, "N V 3"] | None) -> Tensor:
    """Concatenate scalars and vectors of nodes as irreps."""
    parts = ([] if x is None else [x]) + ([] if vec is None else [vec.flatten(1)])
    return torch.cat(parts, -1)


def split_outputs(
    features: Float[Tensor, "N F"], scalars: int, vectors: int
) -> tuple[Tensor | None, Tensor | None]:
    """Split irreps into scalars and vectors; the inverse of `join_features`."""
    scalar, vector = features.split([scalars, 3 * vectors], dim=-1)
    return scalar if scalars else None, vector.reshape(-1, vectors, 3) if vectors else None


def edge_harmonics(
    pos: Float[Tensor, "N 3"],
    edges: DirectedEdges | PairedEdges,
    degree: int,
    *,
    solid: bool = False,
) -> tuple[Float[Tensor, " E"], Float[Tensor, "E H"]]:
    """Return lengths and spherical harmonics of the edge vectors.

    For coincident points, all harmonics but the first are 0.

    Args:
        pos: positions.
        edges: the edges.
        degree: maximum degree.
        solid: multiply the harmonics of degree l by the l-th power of the length.
    """
    vectors = edges.vectors(pos)
    distance, direction = length_and_direction(vectors)
    return distance, solid_harmonics(vectors if solid else direction, degree)


def harmonics_of(vector: Float[Tensor, "*batch 3"], degree: int) -> Float[Tensor, "*batch H"]:
    """Return spherical harmonics up to a degree, of mean square 1; (1, 0, 0, ...) for zero."""
    direction = length_and_direction(vector)[1]
    return solid_harmonics(direction.flatten(0, -2), degree).unflatten(0, vector.shape[:-1])
