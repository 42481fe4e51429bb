"""How good the quantiles of a forecast are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.metrics.errors import ErrorMeasures
from geozoo.metrics.forecast import ForecastErrors
from geozoo.metrics.means import WeightedMeans

#: Behind the name of a quantity: its quantiles ``[B, Q, H, N]``.
QUANTILES = "_quantiles"


def pinball(
    quantiles: Float[Tensor, "B Q H N"], truth: Float[Tensor, "B H N"], levels: Sequence[float]
) -> Float[Tensor, "B H N"]:
    r"""Mean over levels of :math:`\max(\tau (y - q_\tau), (\tau - 1)(y - q_\tau))`.

    It is least when each :math:`q_\tau` is the quantile of that level (Koenker and Bassett 1978).
    For the median alone it is half the absolute error.

    Args:
        quantiles: the forecast.
        truth: what came.
        levels: of the quantiles, in (0, 1).

    >>> pinball(torch.tensor([[[[1.0]], [[3.0]]]]), torch.tensor([[[2.0]]]), [0.1, 0.9])
    tensor([[[0.1000]]])
    """
    tau = torch.tensor(levels, dtype=quantiles.dtype, device=quantiles.device)[:, None, None]
    error = truth.unsqueeze(1) - quantiles
    return torch.maximum(tau * error, (tau - 1) * error).mean(1)


class QuantileErrors(ErrorMeasures):
    """The errors of the median, and of the outer quantiles coverage and width, and the pinball.

    ``<quantity>_coverage_80`` is the share of truths, in per cent, between the lowest and the
    highest quantile, 80 being what it should be; ``<quantity>_width`` how far these are apart;
    ``<quantity>_pinball`` the mean of `pinball`.

    Args:
        errors: of the median.
        levels: of the quantiles, rising.
        mask: which truths count: ``"observed"`` ones, or ``"nonzero"`` ones.
    """

    def __init__(self, errors: ForecastErrors, levels: Sequence[float], *, mask: str) -> None:
        super().__init__()
        self.errors, self.levels, self.mask = errors, tuple(levels), mask
        nominal = round(100 * (levels[-1] - levels[0]))
        names = (f"coverage_{nominal}", "width", "pinball")
        self.own = tuple(f"{errors.quantity}_{name}" for name in names)
        self.means = WeightedMeans(self.own)

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the median, which come first, and its own."""
        return (*self.errors.names, *self.own)

    def update(self, predictions: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> None:
        """Add a batch: the median ``[B, H, N]``, its quantiles, and truths with NaN for missing."""
        name = self.errors.quantity
        truth, quantiles = targets[name], predictions[f"{name}{QUANTILES}"].double()
        self.errors.update({name: predictions[name]}, {name: truth})
        counted = ~truth.isnan()
        if self.mask == "nonzero":
            counted = counted & (truth != 0)
        low, high = quantiles[:, 0], quantiles[:, -1]
        inside = (truth >= low) & (truth <= high)
        each = (100.0 * inside, high - low, pinball(quantiles, truth.double(), self.levels))
        values = {own: value[counted] for own, value in zip(self.own, each, strict=True)}
        self.means.update(values, {own: torch.ones_like(v) for own, v in values.items()})

    def compute(self) -> dict[str, Tensor]:
        """The value of every measure over all batches and devices."""
        return {**self.errors.compute(), **self.means.compute()}

    def reset(self) -> None:
        """Forget all batches."""
        self.errors.reset()
        self.means.reset()
