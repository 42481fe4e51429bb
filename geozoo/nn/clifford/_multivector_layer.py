"""Base of layers that keep the channels of multivectors."""

from __future__ import annotations

from torch import Tensor, nn

from geozoo.checks import check_positive, check_shape
from geozoo.geometry import clifford_algebra


class MultivectorLayer(nn.Module):
    """A layer with as many channels in its output as in its input.

    Args:
        channels: number C of channels.
        dim: dimension of the space, 2 or 3.

    Raises:
        ValueError: If ``channels`` is below 1, or ``dim`` is not 2 or 3.
    """

    def __init__(self, channels: int, dim: int = 3) -> None:
        super().__init__()
        check_positive(channels=channels)
        self.channels, self.algebra = channels, clifford_algebra(dim)

    def check(self, x: Tensor) -> None:
        """Raise an error unless ``x`` has the shape of multivectors ``[N, B, C]``."""
        check_shape("x", x, "N B C", None, self.algebra.num_blades, self.channels)

    def extra_repr(self) -> str:
        """Return the sizes for ``repr``."""
        return f"{self.channels}, dim={self.algebra.dim}"
