"""Convolution by random walks on one or several graphs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_last_axis, check_positive, check_shape
from geozoo.nn.graph._propagate import propagate


class DiffusionConv(nn.Module):
    r"""Mix what random walks of up to K steps bring to a sensor.

    .. math:: y = \Bigl[x,\; P_1 x,\; \dots,\; P_1^K x,\; P_2 x,\; \dots\Bigr] W + b

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        num_graphs: number of graphs.
        num_steps: steps K of the walks.

    Raises:
        ValueError: for sizes below 1.

    Reference:
        Y. Li, R. Yu, C. Shahabi, Y. Liu, DCRNN, ICLR 2018, arXiv:1707.01926, eq. 2.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, num_graphs: int, num_steps: int = 2
    ) -> None:
        super().__init__()
        check_positive(
            in_channels=in_channels, out_channels=out_channels, num_graphs=num_graphs,
            num_steps=num_steps,
        )  # fmt: skip
        self.in_channels, self.num_graphs, self.num_steps = in_channels, num_graphs, num_steps
        self.linear = nn.Linear(in_channels * (1 + num_graphs * num_steps), out_channels)

    def forward(
        self, x: Float[Tensor, "B N *steps C"], graphs: Sequence[Float[Tensor, "N N"]]
    ) -> Float[Tensor, "B N *steps out"]:
        """Return the mixed features.

        Args:
            x: features of the sensors, at one step or at several.
            graphs: transition matrices; the weight of sender j for receiver i stands at ``[i, j]``.

        Raises:
            ValueError: for another number of graphs, or another shape.
        """
        if len(graphs) != self.num_graphs:
            raise ValueError(f"graphs must be {self.num_graphs} matrices, got {len(graphs)}")
        check_last_axis("x", x, "C", self.in_channels)
        num_nodes = x.shape[1]
        parts = [x]
        for number, graph in enumerate(graphs):
            check_shape(f"graphs[{number}]", graph, "N N", num_nodes, num_nodes)
            walked = x
            for _ in range(self.num_steps):
                walked = propagate(graph, walked)
                parts.append(walked)
        return self.linear(torch.cat(parts, -1))
