"""Options of PONITA and the choices they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from torch import Tensor

from geozoo.checks import check_not_negative, check_positive
from geozoo.nn.representation import (
    BundleRepresentation,
    EdgeLiftedRepresentation,
    FrameRepresentation,
    PositionRepresentation,
)
from geozoo.nn.representation._base import Representation

Backend = Literal["auto", "lattice", "shared", "fused", "triton", "textbook"]


class Form(NamedTuple):
    """How kernels are evaluated; all forms give the same results.

    Attributes:
        on_lattice: one row per lattice offset, if positions need no gradients.
        pairs_found: one row for both directions of the pairs that the model constructs.
        pairs_given: the same for given edges, if each has its reverse edge.
        sorts: sort the edges, for fused evaluation and summation of kernels.
        as_written: evaluate every equation as written.
        tabulated: backend of the model after tabulation of its kernels.
    """

    on_lattice: bool = False
    pairs_found: bool = False
    pairs_given: bool = False
    sorts: bool = False
    as_written: bool = False
    tabulated: str = "fused"


#: The form of each value of the argument ``backend``.
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


@dataclass(frozen=True)
class PonitaOrientations:
    """Orientations of PONITA.

    Attributes:
        num_orientations: number of orientations of the bundle, or of frames (12, 24 or 60); unused
            by the other representations.
        grid: kind of grid on the sphere (`geozoo.geometry.sphere_grid`) or unit vectors
            ``[num_orientations, dim]``. Antipodal grids run about twice as fast.
        orientation_kind: invariants of a pair of orientations, ``"published"`` or, in 2D, ``"se2"``
            (complete for SE(2)).
        interaction: which lifted edges interact, ``"edges"`` or ``"complete"``, see
            `geozoo.nn.EdgeLiftedRepresentation`.
    """

    num_orientations: int = 20
    grid: str | Tensor = "repulsion_antipodal"
    orientation_kind: Literal["published", "se2"] = "published"
    interaction: Literal["edges", "complete"] = "edges"


@dataclass(frozen=True)
class PonitaKernel:
    """Kernels of PONITA and their evaluation backend.

    Attributes:
        basis_channels: number K of basis functions, shared by all layers.
        degree: degree of the polynomial features of the invariants.
        depthwise: one kernel weight per channel instead of a full matrix.
        condition_channels: number of conditioning features per graph on which all kernels depend,
            such as the noise level of a diffusion model; passed to `forward` as ``condition``.
        backend: ``"lattice"``: one kernel row per lattice offset, as a dense convolution;
            ``"shared"``: one row for both directions of a pair, if graph and grid allow it;
            ``"fused"``: one row per directed edge; ``"auto"``: the first of these that is
            available. None of them stores messages or gathered features. ``"triton"``: as
            ``"fused"``, with fused evaluation and summation of kernels on a GPU with Triton
            (`geozoo.ops.kernel_sum`). ``"textbook"``: every equation as written. All backends give
            the same results. If gradients with respect to the positions of a lattice are needed,
            ``"fused"`` is used. On the CPU, given edges share kernels with their reverse edges.

    Raises:
        ValueError: If a size is below 1, or ``backend`` is unknown.
    """

    basis_channels: int = 256
    degree: int = 3
    depthwise: bool = True
    condition_channels: int = 0
    backend: Backend = "auto"

    def __post_init__(self) -> None:
        """Check the options."""
        check_positive(basis_channels=self.basis_channels, degree=self.degree)
        check_not_negative(condition_channels=self.condition_channels)
        if self.backend not in get_args(Backend):
            raise ValueError(
                'backend must be "auto", "lattice", "shared", "fused", "triton" or "textbook", '
                f"got {self.backend!r}"
            )


@dataclass(frozen=True)
class PonitaBlocks:
    """ConvNeXt blocks and readouts of PONITA.

    Attributes:
        widening: expansion factor of a block's MLP.
        layer_scale: initial layer scale of a block; None: no layer scale.
        multiple_readouts: average one readout per block, instead of a single one after the last.
        recompute: activation checkpointing: recompute each block in the backward pass, a fraction
            of the memory for about a third more time. Same results.

    Raises:
        ValueError: If ``widening`` is below 1.
    """

    widening: int = 4
    layer_scale: float | None = None
    multiple_readouts: bool = True
    recompute: bool = False

    def __post_init__(self) -> None:
        """Check the options."""
        check_positive(widening=self.widening)


def make_representation(
    name: str,
    dim: int,
    orientations: PonitaOrientations,
    kernel: PonitaKernel,
    hidden_channels: int,
    radius: float | None,
) -> Representation:
    """Return the representation of that name.

    Args:
        name: ``"bundle"``, ``"bundle_full"``, ``"frames"``, ``"edges"`` or ``"position"``.
        dim: spatial dimension.
        orientations: options of the orientations.
        kernel: options of the kernels.
        hidden_channels: width of the features.
        radius: cutoff, or None.

    Raises:
        ValueError: If ``name`` is unknown, or the representation does not support ``dim``.
    """
    kind = orientations.orientation_kind
    sizes: dict[str, Any] = {
        "hidden_channels": hidden_channels, "basis_channels": kernel.basis_channels,
        "degree": kernel.degree, "radius": radius,
        "condition_channels": kernel.condition_channels,
    }  # fmt: skip
    if name in ("bundle", "bundle_full"):
        return BundleRepresentation(
            dim, num_orientations=orientations.num_orientations, grid=orientations.grid,
            orientation_kind=kind, separable=name == "bundle", **sizes,
        )  # fmt: skip
    if name == "frames":
        if dim != 3:
            raise ValueError(f'dim must be 3 for representation "frames", got {dim!r}')
        return FrameRepresentation(orientations.num_orientations, **sizes)
    if name == "edges":
        return EdgeLiftedRepresentation(
            dim, orientation_kind=kind, interaction=orientations.interaction, **sizes
        )
    if name == "position":
        return PositionRepresentation(dim, **sizes)
    raise ValueError(
        'representation must be "bundle", "bundle_full", "frames", "edges" or "position", '
        f"got {name!r}"
    )


def resolve_backend(
    backend: Backend, representation: Representation, lattice: tuple[int, ...] | None
) -> str:
    """Return the backend, with ``"auto"`` resolved.

    Raises:
        ValueError: If the model does not support the backend.
    """
    possible = {
        "lattice": lattice is not None and representation.on_lattice,
        "shared": representation.shares_pairs,
        "fused": True,
        "textbook": True,
        # Never chosen by "auto": not benchmarked yet.
        "triton": representation.on_lattice,
    }
    if backend == "auto":
        return next(name for name, available in possible.items() if available)
    if not possible[backend]:
        raise ValueError(f'backend "{backend}" needs {_NEEDS[backend]}')
    return backend
