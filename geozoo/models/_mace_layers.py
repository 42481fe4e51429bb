"""Layers and readouts of MACE."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.models._mace_options import MACEBlocks
from geozoo.nn.steerable import AtomicBasis, DegreewiseLinear, SymmetricContraction
from geozoo.nn.steerable.atomic_basis import SIGMOID_RMS, SILU_RMS
from geozoo.ops.steerable import EdgeRows


class Widths(NamedTuple):
    """Sizes of a layer: channels, attributes, degrees of features, atomic basis and output."""

    channels: int
    attributes: int
    before: int
    degree: int
    after: int


class MACELayer(nn.Module):
    """Atomic basis, symmetric contraction and update of `MACE`.

    Args:
        widths: sizes.
        correlation: maximum number of factors of the contraction.
        num_neighbors: average number of neighbours.
        blocks: options of the radial functions.
        skips: whether the features before the layer are added.
    """

    def __init__(
        self, widths: Widths, correlation: int, num_neighbors: float, blocks: MACEBlocks, *,
        skips: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        channels, attributes, before, degree, after = widths
        self.atomic_basis = AtomicBasis(
            channels, before, degree, basis_channels=blocks.num_basis,
            radial_channels=tuple(blocks.radial_channels), num_neighbors=num_neighbors,
        )  # fmt: skip
        self.skips, self.kept = skips, min(before, after)
        self.skip = DegreewiseLinear(
            channels, channels, self.kept if skips else degree, attributes=attributes
        )
        self.contraction = SymmetricContraction(
            channels, degree, after, correlation=correlation, attributes=attributes
        )
        self.linear = DegreewiseLinear(channels, channels, after)

    def forward(
        self,
        h: Float[Tensor, "N D C"],
        harmonics: Float[Tensor, "E S"],
        basis: Float[Tensor, "E K"],
        window: Float[Tensor, " E"],
        rows: EdgeRows,
        attribute: Float[Tensor, "N S"],
    ) -> Float[Tensor, "N D_out C"]:
        """Return the updated features; arguments as of `AtomicBasis` and `SymmetricContraction`."""
        a = self.atomic_basis(h, harmonics, basis, window, rows)
        if not self.skips:
            a = self.skip(a, attribute)
        out = self.linear(self.contraction(a, attribute))
        if not self.skips:
            return out
        skip = self.skip(h, attribute)
        return out + functional.pad(skip, (0, 0, 0, out.shape[1] - skip.shape[1]))


class LinearReadout(nn.Module):
    """Outputs of a layer as linear maps of scalars and vectors.

    Args:
        channels: channels of the features.
        scalars: scalar outputs.
        vectors: vector outputs.
    """

    def __init__(self, channels: int, scalars: int, vectors: int) -> None:
        super().__init__()
        self.scalar = DegreewiseLinear(channels, scalars, 0) if scalars else None
        self.vector = nn.Parameter(torch.randn(channels, vectors)) if vectors else None

    def forward(self, h: Float[Tensor, "N D C"]) -> tuple[Tensor | None, Tensor | None]:
        """Return ``[N, scalars]`` and ``[N, vectors, 3]``, or None where there are no outputs."""
        scalar = None if self.scalar is None else self.scalar(h)[:, 0]
        if self.vector is None:
            return scalar, None
        weight = self.vector * h.shape[2] ** -0.5
        return scalar, (h[:, 1:4] @ weight).transpose(1, 2)


class GatedReadout(nn.Module):
    """Outputs of the last layer through one hidden layer: SiLU of scalars, gated vectors.

    Args:
        channels: channels of the features.
        hidden: hidden scalars, and hidden vectors.
        scalars: scalar outputs.
        vectors: vector outputs.
    """

    def __init__(self, channels: int, hidden: int, scalars: int, vectors: int) -> None:
        super().__init__()
        self.scalar_1 = DegreewiseLinear(channels, hidden, 0) if scalars else None
        self.gate = DegreewiseLinear(channels, hidden, 0) if vectors else None
        self.vector_1 = nn.Parameter(torch.randn(channels, hidden)) if vectors else None
        self.outputs = LinearReadout(hidden, scalars, vectors)

    def forward(self, h: Float[Tensor, "N D C"]) -> tuple[Tensor | None, Tensor | None]:
        """Return ``[N, scalars]`` and ``[N, vectors, 3]``, or None where there are no outputs."""
        parts = []
        if self.scalar_1 is not None:
            parts.append(functional.silu(self.scalar_1(h)) / SILU_RMS)
        if self.vector_1 is not None and self.gate is not None:
            gate = torch.sigmoid(self.gate(h)) / SIGMOID_RMS
            vectors = h[:, 1:4] @ (self.vector_1 * h.shape[2] ** -0.5)
            parts = parts or [torch.zeros_like(gate)]
            parts.append(gate * vectors)
        return self.outputs(torch.cat(parts, 1))
