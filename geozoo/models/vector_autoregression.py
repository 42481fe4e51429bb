"""Vector autoregression baseline."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive


class VectorAutoregression(nn.Module):
    r"""VAR: :math:`x_t = c + \sum_{p=1}^{P} A_p x_{t-p}`, iterated over the horizon.

    Fitted in closed form by ridge regression to the training split (missing entries replaced by the
    mean, as in the inputs); no trained parameters. With ``penalty`` 0 it is a textbook VAR fitted
    by ordinary least squares, which needs more steps than ``num_nodes * order + 1``.

    Args:
        num_nodes: number ``N`` of sensors.
        horizon: forecast horizon ``H``, in steps.
        order: number ``P`` of lags; at most the lookback window.
        penalty: ridge penalty per training step, in scaled units squared.

    Raises:
        ValueError: If a size is below 1, or ``penalty`` is negative; in :meth:`fit` if the series
            is too short; in ``forward`` if the window is shorter than ``order``.
    """

    coefficients: Tensor

    def __init__(
        self, num_nodes: int, horizon: int, *, order: int = 3, penalty: float = 1.0e-3
    ) -> None:
        super().__init__()
        check_positive(num_nodes=num_nodes, horizon=horizon, order=order)
        if penalty < 0:
            raise ValueError(f"penalty must be at least 0, got {penalty}")
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
        """Solve the normal equations for a scaled series; ``time`` is ignored.

        A step without any observed sensor is used neither as target nor as lag.
        """
        count, order = targets.shape[0], self.order
        complete = observed.any(1).unfold(0, order + 1, 1).all(1)
        if int(complete.sum()) <= self.coefficients.shape[0] and self.penalty == 0:
            steps = order + int(complete.sum())
            raise ValueError(
                f"order must be smaller, or penalty positive: {steps} training steps cannot "
                f"determine {self.coefficients.shape[0]} coefficients per sensor, got order {order}"
            )
        values = targets.double()
        past = [values[order - lag - 1 : count - lag - 1] for lag in range(order)]
        design = torch.cat([*past, values.new_ones(count - order, 1)], 1)
        target = values[order:]
        if complete.any() and not complete.all():
            design, target = design[complete], target[complete]
        gram = design.T @ design
        gram.diagonal()[:-1] += self.penalty * len(design)
        self.coefficients.copy_(torch.linalg.solve(gram, design.T @ target))

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"] | None = None
    ) -> Float[Tensor, "B H N"]:
        """Return the forecast, iterated from the last steps of the first feature."""
        if x.shape[1] < self.order:
            raise ValueError(f"x must have at least {self.order} steps, got {x.shape[1]}")
        past = [x[:, -1 - lag, :, 0].double() for lag in range(self.order)]
        matrix = self.coefficients.double()  # a trainer may have cast the buffer
        ahead = []
        for _ in range(self.horizon):
            ahead.append(torch.cat(past, 1) @ matrix[:-1] + matrix[-1])
            past = [ahead[-1], *past[:-1]]
        return torch.stack(ahead, 1).to(x.dtype)
