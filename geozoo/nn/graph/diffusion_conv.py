"""Diffusion convolution on one or several graphs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_last_axis, check_positive, check_shape
from geozoo.nn.graph._propagate import propagate


class DiffusionConv(nn.Module):
    r"""Diffusion convolution: features propagated by random walks of up to K steps.

    .. math:: y = \Bigl[x,\; P_1 x,\; \dots,\; P_1^K x,\; P_2 x,\; \dots\Bigr] W + b

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        num_graphs: number of graphs.
        num_steps: number K of diffusion steps.

    Raises:
        ValueError: If a size is below 1.

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
        """Return the convolved features.

        Args:
            x: features of the sensors, of one or several time steps.
            graphs: transition matrices; the weight of j -> i is at ``[i, j]``.

        Raises:
            ValueError: If ``graphs`` has the wrong length, or a tensor has the wrong shape.
        """
        if len(graphs) != self.num_graphs:
            raise ValueError(f"graphs must hold {self.num_graphs} matrices, got {len(graphs)}")
        check_last_axis("x", x, "C", self.in_channels)
        num_nodes = x.shape[1]
        parts = [x]
        for i, graph in enumerate(graphs):
            check_shape(f"graphs[{i}]", graph, "N N", num_nodes, num_nodes)
            diffused = x
            for _ in range(self.num_steps):
                diffused = propagate(graph, diffused)
                parts.append(diffused)
        return self.linear(torch.cat(parts, -1))
