"""Fourier features of positions, with frequencies that turn with a group."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.checks import check_shape
from geozoo.geometry import FiniteGroup
from geozoo.nn.embedding.rotary import initial_frequencies, turned_angles


class GroupFourier(nn.Module):
    r"""Cosine and sine of :math:`x \cdot (g\, \omega_f)` on each element g of a finite group.

    If positions are turned by the group, the features are permuted in the same way as lifted
    vectors. They are not invariant to translations: give positions relative to a centre.

    Args:
        num_frequencies: number F of learnt frequencies.
        group: the group, see `geozoo.geometry.finite_group`.
        sigma: scale of the initial frequencies, in inverse units of length.
        start: how they start, see `geozoo.nn.embedding.initial_frequencies`.

    Raises:
        ValueError: If a value is invalid.

    >>> from geozoo.geometry import finite_group
    >>> GroupFourier(4, finite_group("cyclic", 2, 6))(torch.randn(5, 2)).shape
    torch.Size([5, 6, 8])
    """

    elements: Tensor

    def __init__(
        self, num_frequencies: int, group: FiniteGroup, *, sigma: float = 1.0, start: str = "normal"
    ) -> None:
        super().__init__()
        dim = group.elements.shape[-1]
        if isinstance(num_frequencies, bool) or num_frequencies < 1:
            raise ValueError(f"num_frequencies must be at least 1, got {num_frequencies!r}")
        frequencies = initial_frequencies(num_frequencies, dim, sigma, start)
        self.frequencies = nn.Parameter(frequencies)
        self.register_buffer("elements", group.elements.clone(), persistent=False)

    def forward(self, pos: Float[Tensor, "N dim"]) -> Float[Tensor, "N G 2F"]:
        """Return the features of each position.

        Args:
            pos: positions, relative to a centre.

        Raises:
            ValueError: If ``pos`` has the wrong shape.
        """
        check_shape("pos", pos, "N dim", None, self.elements.shape[-1])
        angles = turned_angles(pos, self.frequencies, self.elements.to(pos.dtype)).squeeze(2)
        return torch.cat([angles.cos(), angles.sin()], -1)
