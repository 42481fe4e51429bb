"""Means over seeds, and which of them differ by more than chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Literal

#: Two means are taken as different if chance alone gives such a difference this rarely.
_CHANCE = 0.05


def differ(first: Sequence[float], second: Sequence[float]) -> bool | None:
    """Whether two means differ by more than the spread over seeds explains (Welch's t-test).

    Args:
        first: values of one method, one per seed.
        second: values of the other.

    Returns:
        None if one of them has a single value, so that its spread is unknown.

    >>> differ([1.0, 1.1, 0.9], [2.0, 2.1, 1.9]), differ([1.0, 2.0], [1.5, 2.1]), differ([1], [2])
    (True, False, None)
    """
    from scipy.stats import ttest_ind

    if min(len(first), len(second)) < 2:
        return None
    if stdev(first) == stdev(second) == 0:
        return mean(first) != mean(second)
    return bool(ttest_ind(first, second, equal_var=False).pvalue < _CHANCE)


def shown(values: Sequence[float], digits: int = 3) -> str:
    """Mean and, for several values, standard deviation.

    >>> shown([1.0, 1.1]), shown([1234.5]), shown([])
    ('1.05 ± 0.071', '1230', '-')
    """
    if not values:
        return "-"
    text = _plain(mean(values), digits)
    return text if len(values) < 2 else f"{text} ± {_plain(stdev(values), 2)}"


def _plain(value: float, digits: int) -> str:
    if not math.isfinite(value):
        return str(value)
    rounded = f"{float(f'{value:.{digits}g}'):.15g}"
    return f"{value:.{digits}g}" if "e" in rounded else rounded


def answer(
    errors: Mapping[str, Sequence[float]], *, metric: str, unit: str, baseline: float | None,
    direction: Literal["min", "max"] = "min", budget: str,
) -> str:  # fmt: skip
    """One sentence that says which method is best, or that this is open.

    Args:
        errors: test metric of every method, one value per seed.
        metric: name of the metric.
        unit: its unit.
        baseline: the metric of the trivial baseline.
        direction: whether smaller or larger values are better.
        budget: what the methods were given, such as ``"10 minutes each"``.
    """
    kept = {name: list(values) for name, values in errors.items() if values}
    if not kept:
        return "No model finished: see the errors in the table."
    sign = 1 if direction == "min" else -1
    order = sorted(kept, key=lambda name: sign * mean(kept[name]))
    best, *others = order
    value = f"{metric} {shown(kept[best])} {unit}".strip()
    if baseline is not None and sign * mean(kept[best]) >= sign * baseline:
        return (
            f"No model beats the trivial baseline ({_plain(baseline, 3)} {unit}) with {budget}; "
            f"the best is {best} ({value}). More time, or other settings, are needed to tell."
        )
    if not others:
        return f"{best} reaches {value} with {budget}; it was compared with the baseline only."
    results = {name: differ(kept[best], kept[name]) for name in others}
    if any(each is None for each in results.values()):
        return (
            f"{best} has the best {value} with {budget}, ahead of {others[0]} "
            f"({shown(kept[others[0]])}); the spread over seeds is unknown, as not all have two "
            "seeds, so small differences mean nothing."
        )
    level = [name for name, is_other in results.items() if not is_other]
    if not level:
        return (
            f"{best} is the best with {budget}: {value}, ahead of {others[0]} "
            f"({shown(kept[others[0]])}) by more than the spread over seeds."
        )
    listed = ", ".join(f"{name} ({shown(kept[name])})" for name in level)
    return (
        f"{best} has the best {value} with {budget}, but the difference to {listed} is within "
        "the spread over seeds: the comparison does not tell which is better."
    )
