"""Linear regression of every sensor on the past of all."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive


class VectorAutoregression(nn.Module):
    r"""VAR: :math:`x_t = c + \sum_{p=1}^{P} A_p x_{t-p}`, iterated over the horizon.

    Fitted in closed form by ridge regression to the training part (missing entries at the mean, as
    in the inputs); without trained parameters. With ``penalty`` 0 it is the ordinary least squares
    of a textbook VAR, which needs more steps than ``num_nodes * order + 1``.

    Args:
        num_nodes: sensors ``N``.
        horizon: steps ahead, ``H``.
        order: steps back, ``P``; at most the steps of an input window.
        penalty: ridge penalty per training step, in scaled units squared.

    Raises:
        ValueError: for a size below 1 or a negative penalty; by :meth:`fit`, for a series without
            enough steps; in ``forward`` for a window shorter than the order.
    """

    coefficients: Tensor

    def __init__(
        self, num_nodes: int, horizon: int, *, order: int = 3, penalty: float = 1.0e-3
    ) -> None:
        super().__init__()
        check_positive(num_nodes=num_nodes, horizon=horizon, order=order)
        if penalty < 0:
            raise ValueError(f"penalty must not be negative, got {penalty}")
        self.horizon, self.order, self.penalty = horizon, order, penalty
        size = (num_nodes * order + 1, num_nodes)
        self.register_buffer("coefficients", torch.zeros(size, dtype=torch.float64))

    @torch.no_grad()
    def fit(
        self,
        targets: Float[Tensor, "S N"],
        *,
        observed: Bool[Tensor, "S N"],
        time: Int[Tensor, "S 2"],
    ) -> None:
        """Solve the normal equations of a scaled series; its clock does not matter.

        A step at which no sensor was observed is neither predicted nor looked back on.
        """
        count, order = targets.shape[0], self.order
        seen = observed.any(1).unfold(0, order + 1, 1).all(1)
        if int(seen.sum()) <= self.coefficients.shape[0] and self.penalty == 0:
            steps = order + int(seen.sum())
            raise ValueError(
                f"order: {steps} training steps cannot determine {self.coefficients.shape[0]} "
                "coefficients a sensor; take a smaller order or a penalty"
            )
        values = targets.double()
        past = [values[order - lag - 1 : count - lag - 1] for lag in range(order)]
        design = torch.cat([*past, values.new_ones(count - order, 1)], 1)
        target = values[order:]
        if seen.any() and not seen.all():
            design, target = design[seen], target[seen]
        gram = design.T @ design
        gram.diagonal()[:-1] += self.penalty * len(design)
        self.coefficients.copy_(torch.linalg.solve(gram, design.T @ target))

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"] | None = None
    ) -> Float[Tensor, "B H N"]:
        """Iterate the regression from the newest steps of the first feature."""
        if x.shape[1] < self.order:
            raise ValueError(f"x must have at least {self.order} steps, got {x.shape[1]}")
        past = [x[:, -1 - lag, :, 0].double() for lag in range(self.order)]
        matrix = self.coefficients.double()  # whatever precision a trainer has given to it
        ahead = []
        for _ in range(self.horizon):
            ahead.append(torch.cat(past, 1) @ matrix[:-1] + matrix[-1])
            past = [ahead[-1], *past[:-1]]
        return torch.stack(ahead, 1).to(x.dtype)
