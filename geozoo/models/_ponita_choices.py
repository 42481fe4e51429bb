"""What the words of PONITA's configuration stand for."""

from __future__ import annotations

from typing import NamedTuple

from geozoo.nn.representation import (
    BundleRepresentation,
    EdgeLiftedRepresentation,
    FrameRepresentation,
    PositionRepresentation,
)
from geozoo.nn.representation._base import Representation


class Form(NamedTuple):
    """In which of the equal forms kernels are evaluated.

    Attributes:
        on_lattice: a row for each step of the lattice, where positions need no derivatives.
        pairs_found: a row for both directions of the pairs that a model finds itself.
        pairs_given: the same for edges of the caller, where each has its reversed one.
        sorts: edges are sorted, for kernels that are evaluated while they are summed.
        as_written: every equation as it is written.
        tabulated: the backend of a model whose kernels are read from tables.
    """

    on_lattice: bool = False
    pairs_found: bool = False
    pairs_given: bool = False
    sorts: bool = False
    as_written: bool = False
    tabulated: str = "fused"


#: What the words of the argument ``backend`` stand for.
FORMS = {
    "lattice": Form(on_lattice=True, pairs_given=True),
    "shared": Form(pairs_found=True, pairs_given=True, tabulated="shared"),
    "fused": Form(),
    "textbook": Form(as_written=True, tabulated="textbook"),
    "triton": Form(sorts=True),
}
_NEEDS = {
    "lattice": 'the argument lattice and a representation other than "bundle_full" and "edges"',
    "triton": 'a representation other than "bundle_full" and "edges"',
    "shared": 'the representation "position", or "bundle" with an antipodal grid '
    '(grid="repulsion_antipodal" or "platonic", or an even number on the circle)',
}


def make_representation(
    name: str, dim: int, orientation: dict[str, object], sizes: dict[str, object]
) -> Representation:
    """Return the representation of that name.

    Args:
        name: ``"bundle"``, ``"bundle_full"``, ``"frames"``, ``"edges"`` or ``"position"``.
        dim: dimension of space.
        orientation: arguments that say how a point is oriented.
        sizes: arguments that all representations take.

    Raises:
        ValueError: for another name.
    """
    interaction = orientation.pop("interaction")
    if name in ("bundle", "bundle_full"):
        return BundleRepresentation(dim, separable=name == "bundle", **orientation, **sizes)
    if name == "frames":
        if dim != 3:
            raise ValueError(f'representation "frames" is for dim 3, got {dim!r}')
        return FrameRepresentation(orientation["num_orientations"], **sizes)
    if name == "edges":
        kind = orientation["orientation_kind"]
        return EdgeLiftedRepresentation(
            dim, orientation_kind=kind, interaction=interaction, **sizes
        )
    if name == "position":
        return PositionRepresentation(dim, **sizes)
    raise ValueError(
        'representation must be "bundle", "bundle_full", "frames", "edges" or "position", '
        f"got {name!r}"
    )


def resolve_backend(
    backend: str, representation: Representation, lattice: tuple[int, ...] | None
) -> str:
    """Return the backend that a word stands for.

    Raises:
        ValueError: for an unknown word, or a backend that the model does not have.
    """
    possible = {
        "lattice": lattice is not None and representation.on_lattice,
        "shared": representation.shares_pairs,
        "fused": True,
        "textbook": True,
        # Never by itself: nobody has measured yet where it is faster.
        "triton": representation.on_lattice,
    }
    if backend == "auto":
        return next(name for name, can_be in possible.items() if can_be)
    if backend not in possible:
        raise ValueError(
            'backend must be "auto", "lattice", "shared", "fused", "triton" or "textbook", '
            f"got {backend!r}"
        )
    if not possible[backend]:
        raise ValueError(f'backend "{backend}" needs {_NEEDS[backend]}')
    return backend
