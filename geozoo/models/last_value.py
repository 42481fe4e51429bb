"""The forecast that nothing changes."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn

from geozoo.checks import check_positive


class LastValue(nn.Module):
    """Repeat the newest value of every sensor for all steps ahead.

    Without parameters. It shows how far persistence goes: far at 15 minutes, not at 60. A missing
    newest value counts as the scaled input has it, as the mean.

    Args:
        horizon: steps ahead, ``H``.

    Raises:
        ValueError: for a horizon below 1.

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
        """The forecast from the first feature of the last step."""
        return x[:, -1:, :, 0].expand(-1, self.horizon, -1)
