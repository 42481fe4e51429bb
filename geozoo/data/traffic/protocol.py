"""Forecast protocols: what must agree for two forecasting results to be comparable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

import torch
from jaxtyping import Int
from torch import Tensor

from geozoo.checks import check_whole

Cut = Literal["within", "across"]
StatisticsOf = Literal["train", "own_part"]
StatisticsFeature = Literal["each", "last"]
StatisticsOver = Literal["steps", "windows"]
SemanticFrom = Literal["train", "all"]
Mask = Literal["observed", "nonzero"]
Aggregation = Literal["global", "batch"]
PARTS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class ForecastProtocol:
    """How a series is split, cut into windows, normalised, masked and evaluated.

    A window starting at step ``s`` of the series has the inputs ``s .. s + input_steps - 1`` (the
    lookback window) and the following ``horizon`` steps as targets.

    Attributes:
        name: name of the protocol.
        ratios: relative sizes of the training, validation and test splits, in temporal order.
        input_steps: length of the lookback window, ``T``.
        horizon: number of forecast steps, ``H``.
        windows: ``"within"``: the series is split first, and each window lies within one split.
            ``"across"``: windows are made first and then divided by position, so that windows of
            adjacent splits share steps.
        statistics: which mean and standard deviation normalise inputs and denormalise forecasts:
            those of the ``"train"`` split, or (a leak) of each split itself, ``"own_part"``.
        statistics_feature: those of ``"each"`` feature, or (an error in published code) of the
            ``"last"`` one for all.
        statistics_over: over the ``"steps"`` of a split, or over its ``"windows"``, which weights
            the ends less.
        semantic: whether the semantic graph is computed from the ``"train"`` split or (a leak)
            from ``"all"`` steps.
        masks: which entries ``mae``, ``rmse`` and ``mape`` include: ``"observed"`` or ``"nonzero"``
            ones (observed and not 0).
        aggregation: ``"global"`` sums, or the mean of the values of every ``"batch"``.
        reported_minutes: horizons that are reported in addition to the mean over all.

    Raises:
        ValueError: If a size is below 1 or an option is unknown.

    >>> forecast_protocol("stsgcn").bounds(100)
    (60, 80)
    """

    name: str
    ratios: tuple[int, int, int] = (6, 2, 2)
    input_steps: int = 12
    horizon: int = 12
    windows: Cut = "within"
    statistics: StatisticsOf = "train"
    statistics_feature: StatisticsFeature = "each"
    statistics_over: StatisticsOver = "steps"
    semantic: SemanticFrom = "train"
    masks: Mapping[str, Mask] = field(
        default_factory=lambda: {"mae": "observed", "rmse": "observed", "mape": "nonzero"}
    )
    aggregation: Aggregation = "global"
    reported_minutes: tuple[int, ...] = (15, 30, 60)

    def __post_init__(self) -> None:
        """Validate the fields."""
        for key in ("input_steps", "horizon"):
            check_whole(key, getattr(self, key), 1)
        if len(self.ratios) != 3:
            raise ValueError(f"ratios must be three sizes, got {self.ratios}")
        for size in self.ratios:
            check_whole("ratios", size, 1)
        options = {
            "windows": Cut, "statistics": StatisticsOf, "statistics_feature": StatisticsFeature,
            "statistics_over": StatisticsOver, "semantic": SemanticFrom, "aggregation": Aggregation,
        }  # fmt: skip
        for key, allowed in options.items():
            if getattr(self, key) not in get_args(allowed):
                raise ValueError(
                    f"{key} must be one of {get_args(allowed)}, got {getattr(self, key)!r}"
                )

    def bounds(self, num_steps: int) -> tuple[int, int]:
        """First steps of the validation and the test split, by the ratios."""
        total = sum(self.ratios)
        first = num_steps * self.ratios[0] // total
        return first, num_steps * (self.ratios[0] + self.ratios[1]) // total

    def window_parts(
        self, num_steps: int, bounds: tuple[int, int] | None = None
    ) -> dict[str, Int[Tensor, " part"]]:
        """The start steps of the windows of each split.

        Args:
            num_steps: length of the series.
            bounds: first steps of validation and test, if the dataset prescribes them; None: by
                the ratios.

        Raises:
            ValueError: If a split is shorter than one window.
        """
        span = self.input_steps + self.horizon
        if self.windows == "across" and bounds is None:
            count = max(num_steps - span + 1, 0)
            total = sum(self.ratios)
            num_test = round(count * self.ratios[2] / total)
            num_train = round(count * self.ratios[0] / total)
            edges = [0, num_train, count - num_test, count]
            starts = [(edges[i], edges[i + 1]) for i in range(3)]
        else:
            first, second = bounds or self.bounds(num_steps)
            steps = ((0, first), (first, second), (second, num_steps))
            starts = [(low, high - span + 1) for low, high in steps]
        short = [part for part, (low, high) in zip(PARTS, starts, strict=True) if high <= low]
        if short:
            raise ValueError(
                f"protocol {self.name}: the splits {short} of {num_steps} steps are shorter than "
                f"one window of {self.input_steps} + {self.horizon} steps"
            )
        return {
            part: torch.arange(low, high) for part, (low, high) in zip(PARTS, starts, strict=True)
        }

    def span_of(self, starts: Int[Tensor, " part"]) -> slice:
        """The steps that the windows of a split cover."""
        return slice(int(starts[0]), int(starts[-1]) + self.input_steps + self.horizon)

    def describe(self) -> str:
        """Name and settings in one line, for tables of results."""
        ratios = ":".join(str(size) for size in self.ratios)
        masks = ", ".join(f"{measure} over {rule}" for measure, rule in self.masks.items())
        parts = [
            f"{self.name}: {ratios} in time",
            f"windows {self.windows} parts",
            f"{self.input_steps} to {self.horizon} steps",
            f"statistics of {self.statistics}",
            masks,
            "sums over the whole part" if self.aggregation == "global" else "mean of batch values",
        ]
        leaks = self.leaks()
        return "; ".join(parts) + (f"; leaks: {', '.join(leaks)}" if leaks else "")

    def leaks(self) -> list[str]:
        """The settings that leak test data into training or bias the evaluation."""
        clean = ForecastProtocol(name="clean")
        keys = (
            "statistics", "statistics_feature", "statistics_over", "semantic", "aggregation",
        )  # fmt: skip
        return [
            f"{key}={getattr(self, key)}"
            for key in keys
            if getattr(self, key) != getattr(clean, key)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a record."""
        plain = {**asdict(self), "masks": dict(self.masks)}
        return {key: list(v) if isinstance(v, tuple) else v for key, v in plain.items()}


_NONZERO: Mapping[str, Mask] = MappingProxyType(
    {"mae": "nonzero", "rmse": "nonzero", "mape": "nonzero"}
)
#: The named protocols.
PROTOCOLS: Mapping[str, ForecastProtocol] = MappingProxyType(
    {
        each.name: each
        for each in (
            ForecastProtocol(name="stsgcn"),
            ForecastProtocol(
                name="dcrnn", ratios=(7, 1, 2), windows="across", masks=dict(_NONZERO)
            ),
            ForecastProtocol(
                name="gram_ode_released",
                statistics="own_part",
                statistics_feature="last",
                statistics_over="windows",
                semantic="all",
                masks=dict(_NONZERO),
                aggregation="batch",
            ),
        )
    }
)


def forecast_protocol(
    name: str = "stsgcn",
    *,
    input_steps: int | None = None,
    horizon: int | None = None,
    windows: Cut | None = None,
    statistics: StatisticsOf | None = None,
    statistics_feature: StatisticsFeature | None = None,
    statistics_over: StatisticsOver | None = None,
    semantic: SemanticFrom | None = None,
    aggregation: Aggregation | None = None,
) -> ForecastProtocol:
    """A named protocol, optionally with changed settings, which become part of its name.

    Args:
        name: ``"stsgcn"`` (6:2:2, PEMS03/04/07/08), ``"dcrnn"`` (7:1:2, masked, METR-LA and
            PEMS-BAY) or ``"gram_ode_released"`` (with the leaks of the released code, only for
            comparison with its published numbers).
        input_steps: see `ForecastProtocol`; for this and all others, None keeps the protocol's
            setting.
        horizon: see `ForecastProtocol`.
        windows: see `ForecastProtocol`.
        statistics: see `ForecastProtocol`.
        statistics_feature: see `ForecastProtocol`.
        statistics_over: see `ForecastProtocol`.
        semantic: see `ForecastProtocol`.
        aggregation: see `ForecastProtocol`.

    Raises:
        ValueError: If the name is unknown; the message lists the known ones.

    >>> forecast_protocol("stsgcn", horizon=6).name
    'stsgcn, horizon=6'
    """
    if name not in PROTOCOLS:
        raise ValueError(f"protocol name must be one of {tuple(PROTOCOLS)}, got {name!r}")
    given = {
        "input_steps": input_steps, "horizon": horizon, "windows": windows,
        "statistics": statistics, "statistics_feature": statistics_feature,
        "statistics_over": statistics_over, "semantic": semantic, "aggregation": aggregation,
    }  # fmt: skip
    base = PROTOCOLS[name]
    changes: dict[str, Any] = {
        k: v for k, v in given.items() if v is not None and v != getattr(base, k)
    }
    full_name = ", ".join([name, *(f"{key}={value}" for key, value in changes.items())])
    return replace(base, name=full_name, **changes)
