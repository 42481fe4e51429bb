"""Persistence baseline."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive


class LastValue(nn.Module):
    """Persistence: repeat the last value of each sensor over the forecast horizon.

    No parameters. A strong baseline at 15 minutes, a weak one at 60. A missing last value is
    replaced by the mean, as in the scaled input.

    Args:
        horizon: forecast horizon ``H``, in steps.

    Raises:
        ValueError: If ``horizon`` is below 1.

    >>> import torch
    >>> LastValue(2)(torch.tensor([[[[1.0]], [[3.0]]]])).flatten().tolist()
    [3.0, 3.0]
    """

    def __init__(self, horizon: int) -> None:
        super().__init__()
        check_positive(horizon=horizon)
        self.horizon = horizon

    def forward(
        self, x: Float[Tensor, "B T N F"], *, time: Int[Tensor, "B T_plus_H 2"] | None = None
    ) -> Float[Tensor, "B H N"]:
        """Return the forecast, from the first feature of the last step."""
        return x[:, -1:, :, 0].expand(-1, self.horizon, -1)
