"""Composition baseline: linear regression on the composition of a molecule."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.models._inputs import check_channels, check_graphs, check_level, count_graphs
from geozoo.models._outputs import GeometricOutput
from geozoo.ops import scatter


class Composition(nn.Module):
    r"""Linear in the summed node features, :math:`y = w \cdot \sum_i x_i + c`; ignores geometry.

    With one-hot elements as features, this is linear regression on the composition. No trained
    parameters: :meth:`fit` solves for the weights, which are buffers. A baseline that shows how
    much of a property the composition explains; geometric models should improve on it.

    Args:
        in_channels: number ``F`` of features per node.
        out_channels: scalar outputs.
        level: ``"graph"``: one output per graph; ``"node"``: per node, from its own features.

    Raises:
        ValueError: If a size is below 1, or ``level`` is unknown.

    >>> model = Composition(1, 1)
    >>> x, batch = torch.ones(3, 1), torch.tensor([0, 0, 1])
    >>> model.fit(torch.tensor([[5.0], [3.0]]), x=x, batch=batch)
    >>> model(torch.zeros(3, 3), x, batch).scalar.round(decimals=4).flatten().tolist()
    [5.0, 3.0]
    """

    #: Whether outputs depend on the positions.
    sees_positions: ClassVar[bool] = False
    weight: Tensor
    bias: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, *, level: Literal["node", "graph"] = "graph"
    ) -> None:
        super().__init__()
        check_channels(in_channels, 0, out_channels, 0)
        check_level(level)
        self.in_channels, self.level = in_channels, level
        self.register_buffer("weight", torch.zeros(in_channels, out_channels))
        self.register_buffer("bias", torch.zeros(out_channels))

    @torch.no_grad()
    def fit(
        self, targets: Float[Tensor, "S out"], *, x: Float[Tensor, "N F"], batch: Int[Tensor, " N"]
    ) -> None:
        """Fit by linear least squares in float64; the minimum-norm solution if not unique.

        Args:
            targets: one row per graph, or per node for ``level="node"``.
            x: node features of the training split.
            batch: graph of each node.
        """
        counts = self._counts(x.double(), batch, len(targets))
        ones = counts.new_ones(len(counts), 1)
        design = torch.cat([counts, ones], 1)
        solution = torch.linalg.lstsq(design, targets.double(), driver="gelsd").solution
        self.weight.copy_(solution[:-1])
        self.bias.copy_(solution[-1])

    def forward(
        self,
        pos: Float[Tensor, "N dim"],
        x: Float[Tensor, "N F"],
        batch: Int[Tensor, " N"],
        edge_index: Int[Tensor, "2 E"] | None = None,
        *,
        vec: Float[Tensor, "N V dim"] | None = None,
        num_graphs: int | None = None,
    ) -> GeometricOutput:
        """Return the scalar outputs, without vectors; depends on ``x`` and ``batch`` only.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_graphs(
            pos, x, batch, None, None, dim=pos.shape[-1], in_channels=self.in_channels, in_vectors=0
        )
        counts = self._counts(x, batch, count_graphs(batch, num_graphs))
        return GeometricOutput(counts @ self.weight.to(x.dtype) + self.bias.to(x.dtype), None)

    def _counts(self, x: Tensor, batch: Tensor, num_graphs: int) -> Tensor:
        return scatter(x, batch, num_graphs) if self.level == "graph" else x
