"""Options of Rapidash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from geozoo.checks import check_choice, check_not_negative, check_positive
from geozoo.models._ponita_choices import Backend, resolve_backend
from geozoo.nn.representation._base import Representation

Coordinates = Literal["none", "equivariant", "symmetry_breaking"]
Coarsest = Literal["complete", "nearest"]


@dataclass(frozen=True)
class RapidashScales:
    """Scales of Rapidash, each with fewer points than the one before.

    Attributes:
        layers: number of blocks at each scale, the one of all points first. With outputs per node
            as many blocks follow at each scale but the coarsest on the way back.
        ratio: fraction of the points that the next scale keeps, rounded up.
        num_neighbors: nearest neighbours of a point, besides itself.
        coarsest: edges of the coarsest scale, between all points of a graph (``"complete"``) or
            from the nearest ones (``"nearest"``).
        share_basis: one kernel basis for all scales, instead of one for each.

    Raises:
        ValueError: If there is no scale, the coarsest has no blocks, or a value is out of range.
    """

    layers: Sequence[int] = (5,)
    ratio: float = 0.25
    num_neighbors: int = 8
    coarsest: Coarsest = "complete"
    share_basis: bool = True

    def __post_init__(self) -> None:
        """Check the options."""
        if isinstance(self.layers, str) or not isinstance(self.layers, Sequence):
            raise ValueError(f"layers must be a list of integers, got {self.layers!r}")
        layers = tuple(self.layers)
        for each in layers:
            check_not_negative(layers=each)
        if not layers or not layers[-1]:
            raise ValueError(
                "layers must have an entry for each scale, of which the last is at least 1, got "
                f"{list(layers)}"
            )
        object.__setattr__(self, "layers", layers)
        if not 0 < self.ratio < 1:
            raise ValueError(f"ratio must be above 0 and below 1, got {self.ratio!r}")
        check_positive(num_neighbors=self.num_neighbors)
        check_choice("coarsest", self.coarsest, get_args(Coarsest))

    @property
    def has_fixed_edges(self) -> bool:
        """Whether all points of a graph interact, wherever they are."""
        return len(self.layers) == 1 and self.coarsest == "complete"


@dataclass(frozen=True)
class RapidashBlocks:
    """Blocks of Rapidash.

    Attributes:
        attention: multiply messages by attention weights, see `geozoo.nn.AttentiveConv`.
        attention_channels: width of queries and keys on each orientation.
        widening: expansion factor of a block's MLP.
        layer_scale: initial layer scale of a block; None: no layer scale.
        multiple_readouts: average one readout for each (last) block of the scale that is read out,
            instead of a single one after the last block.
        recompute: activation checkpointing: recompute each block in the backward pass. Same
            results.

    Raises:
        ValueError: If a size is below 1.
    """

    attention: bool = True
    attention_channels: int = 128
    widening: int = 4
    layer_scale: float | None = None
    multiple_readouts: bool = True
    recompute: bool = False

    def __post_init__(self) -> None:
        """Check the options."""
        check_positive(attention_channels=self.attention_channels, widening=self.widening)


def check_combination(
    representation: str,
    radius: float | None,
    coordinates: Coordinates,
    scales: RapidashScales,
    blocks: RapidashBlocks,
    *,
    vectors: tuple[int, int],
) -> None:
    """Refuse options that do not go together.

    Args:
        representation: name of the representation.
        radius: cutoff, or None.
        coordinates: positions as further inputs.
        scales: the scales.
        blocks: the blocks.
        vectors: number of vector inputs and outputs.

    Raises:
        ValueError: If they do not.
    """
    check_choice("coordinates", coordinates, get_args(Coordinates))
    if representation == "position" and (any(vectors) or coordinates == "equivariant"):
        raise ValueError(
            'representation "position" has no vectors: in_vectors and out_vectors must be 0 and '
            f'coordinates not "equivariant", got {vectors[0]}, {vectors[1]} and "{coordinates}"'
        )
    if representation in ("edges", "bundle_full") and len(scales.layers) > 1:
        raise ValueError(
            f'representation "{representation}" has one scale: scales.layers must have one entry, '
            f"got {list(scales.layers)}"
        )
    if representation == "bundle_full" and blocks.attention:
        raise ValueError(
            'representation "bundle_full" mixes orientations in a message, which then has no '
            "attention weight of its own: blocks.attention must be false"
        )
    if radius is not None and not scales.has_fixed_edges:
        raise ValueError(
            "radius must be null with several scales or nearest neighbours, of which no cutoff is "
            f"known: set radius to null, or scales.layers to one scale and scales.coarsest to "
            f'"complete"; got radius {radius!r}'
        )
    if radius is not None and coordinates != "none":
        raise ValueError(
            'coordinates must be "none" with a radius: they are relative to the centre of the '
            f'whole graph, which lies beyond the cutoff, got "{coordinates}"'
        )


def choose_backend(backend: Backend, representation: Representation, *, attention: bool) -> str:
    """Return the backend, with ``"auto"`` resolved.

    Raises:
        ValueError: If the model does not support the backend.
    """
    if not attention:
        return resolve_backend(backend, representation, None)
    if backend not in ("auto", "fused", "textbook"):
        raise ValueError(
            f'kernel.backend must be "auto", "fused" or "textbook" with attention, which weighs '
            f'every message, got "{backend}"'
        )
    return "fused" if backend == "auto" else backend
