"""Inputs of a model with one value per graph, and the range of their training values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from geozoo.data.spec import GeometricSpec

#: Sums of partial charges are rounded to three decimals.
_ROUNDING = 5e-3


def range_statistics(
    values: Mapping[str, Float[Tensor, " S"]], names: Sequence[str]
) -> dict[str, list[float]]:
    """The statistics ``<name>_range``, smallest and largest value of the training split.

    Args:
        values: values of the training graphs by name.
        names: names of the inputs.
    """
    return {
        f"{name}_range": [float(values[name].min()), float(values[name].max())] for name in names
    }


def check_ranges(
    spec: GeometricSpec, values: Mapping[str, Float[Tensor, " G"]], where: str
) -> None:
    """Reject inputs outside the range of the training split.

    Args:
        spec: the spec of the training data; inputs without a statistic ``<name>_range`` pass.
        values: values of all ``spec.graph_inputs`` by name.
        where: what messages call a graph, before its number.

    Raises:
        ValueError: If a value is outside; the message names the first graph.
    """
    for name in spec.graph_inputs:
        low, high = spec.statistics.get(f"{name}_range", (-torch.inf, torch.inf))
        value = values[name]
        odd = ~((value >= low - _ROUNDING) & (value <= high + _ROUNDING))
        if bool(odd.any()):
            first = int(torch.nonzero(odd)[0, 0])
            count = int(odd.sum()) - 1
            more = f", and {count} more are outside as well" if count else ""
            known = f"only {low:g}" if low == high else f"{low:g} to {high:g}"
            raise ValueError(
                f"{where} {first} has a {name} of {float(value[first]):g}{more}; the training "
                f"split has a {name} of {known}, and a model does not extrapolate it"
            )
