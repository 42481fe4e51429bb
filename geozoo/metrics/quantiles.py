"""Evaluation of quantile forecasts: coverage, width and pinball loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from geozoo.metrics.errors import ErrorMeasures
from geozoo.metrics.forecast import ForecastErrors
from geozoo.metrics.means import WeightedMeans

#: Suffix of a quantity's name for its quantiles ``[B, Q, H, N]``.
QUANTILES = "_quantiles"


def pinball(
    quantiles: Float[Tensor, "B Q H N"], truth: Float[Tensor, "B H N"], levels: Sequence[float]
) -> Float[Tensor, "B H N"]:
    r"""Pinball loss, averaged over levels.

    .. math:: \frac1Q \sum_\tau \max\bigl(\tau (y - q_\tau), (\tau - 1)(y - q_\tau)\bigr)

    Its expectation is minimal if each :math:`q_\tau` is the quantile of level :math:`\tau`
    (Koenker and Bassett 1978). For the median alone it is half the absolute error.

    Args:
        quantiles: the quantile forecast.
        truth: the ground truth.
        levels: levels of the quantiles, in (0, 1).

    >>> pinball(torch.tensor([[[[1.0]], [[3.0]]]]), torch.tensor([[[2.0]]]), [0.1, 0.9])
    tensor([[[0.1000]]])
    """
    tau = torch.tensor(levels, dtype=quantiles.dtype, device=quantiles.device)[:, None, None]
    error = truth.unsqueeze(1) - quantiles
    return torch.maximum(tau * error, (tau - 1) * error).mean(1)


class QuantileErrors(ErrorMeasures):
    """Errors of the median, coverage and width of the prediction interval, and pinball loss.

    ``<quantity>_coverage_80`` is the percentage of targets between the lowest and the highest
    quantile, whose nominal value is 80; ``<quantity>_width`` is the mean width of this interval;
    ``<quantity>_pinball`` is the mean of `pinball`.

    Args:
        errors: measures of the median.
        levels: levels of the quantiles, in ascending order.
        mask: targets that count: ``"observed"`` or ``"nonzero"`` ones.
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
        """The measures of the median first, then those of the quantiles."""
        return (*self.errors.names, *self.own)

    def update(self, predictions: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> None:
        """Add a batch: the median ``[B, H, N]``, the quantiles, and targets with NaN if missing."""
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
        """Clear the accumulated batches."""
        self.errors.reset()
        self.means.reset()
