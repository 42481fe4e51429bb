"""The output type of the geometric models."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from geozoo.ops import scatter


class GeometricOutput(NamedTuple):
    """Outputs of a geometric model; None for a part without channels.

    Attributes:
        scalar: ``[G, out_channels]`` of graphs or ``[N, out_channels]`` of nodes.
        vector: ``[G, out_vectors, dim]`` of graphs or ``[N, out_vectors, dim]`` of nodes.
    """

    scalar: Tensor | None
    vector: Tensor | None


def graph_output(
    parts: tuple[Tensor | None, Tensor | None], batch: Tensor, num_graphs: int, network: Any
) -> GeometricOutput:
    """The output of a network from scalars and vectors of nodes.

    Args:
        parts: scalars ``[N, out_channels]`` and vectors ``[N, out_vectors, dim]``.
        batch: graph of each node.
        num_graphs: number of graphs.
        network: the network; of ``level="graph"``, parts are summed over the nodes of each graph.
            A part of which it has no channels becomes None.
    """
    scalar, vector = (
        None if part is None or not channels
        else scatter(part, batch, num_graphs) if network.level == "graph" else part
        for part, channels in zip(parts, (network.out_channels, network.out_vectors), strict=True)
    )  # fmt: skip
    return GeometricOutput(scalar, vector)
