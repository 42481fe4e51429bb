"""The output type of the geometric models."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class GeometricOutput(NamedTuple):
    """Outputs of a geometric model; None for a part without channels.

    Attributes:
        scalar: ``[G, out_channels]`` of graphs or ``[N, out_channels]`` of nodes.
        vector: ``[G, out_vectors, dim]`` of graphs or ``[N, out_vectors, dim]`` of nodes.
    """

    scalar: Tensor | None
    vector: Tensor | None
