"""The power law of an error against the number of training samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any


@dataclass(frozen=True)
class PowerLaw:
    r"""The law :math:`E = a N^{-b}`.

    Attributes:
        factor: :math:`a`.
        exponent: :math:`b`; positive if the error falls.
        uncertainty: standard error of the exponent; None with two sizes, which every law fits.
    """

    factor: float
    exponent: float
    uncertainty: float | None

    def at(self, size: float) -> float:
        """The error at a number of samples."""
        return self.factor * size**-self.exponent

    def shown(self) -> str:
        """The exponent with its uncertainty.

        >>> PowerLaw(1.0, 0.8123, 0.0345).shown()
        '0.812 ± 0.035'
        """
        if self.uncertainty is None:
            return f"{self.exponent:.3g}"
        return f"{self.exponent:.3g} ± {self.uncertainty:.2g}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def fit_power_law(errors: Mapping[int, Sequence[float]]) -> PowerLaw | None:
    """Least squares in logarithms, with the mean over the seeds of each size as one point.

    Seeds are no further points: a deviation from the law is common to all seeds of a size.

    Args:
        errors: errors of all seeds by number of samples.

    Returns:
        None with fewer than two sizes, or an error that is not positive.

    >>> law = fit_power_law({100: [1.0], 400: [0.5], 1600: [0.25]})
    >>> round(law.exponent, 6), round(law.factor, 6)
    (0.5, 10.0)
    """
    from scipy.stats import linregress

    means = {size: mean(values) for size, values in errors.items() if values}
    if len(means) < 2 or not all(0 < each < math.inf for each in means.values()):
        return None
    sizes = sorted(means)
    line = linregress([math.log(size) for size in sizes], [math.log(means[size]) for size in sizes])
    uncertainty = float(line.stderr) if len(sizes) > 2 else None
    return PowerLaw(math.exp(float(line.intercept)), -float(line.slope), uncertainty)
