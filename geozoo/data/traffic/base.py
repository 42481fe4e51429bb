"""Common base of the traffic datasets: splits, windows, statistics and sensor graphs."""

from __future__ import annotations

import hashlib
import logging
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from geozoo.contracts import Lagged
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.loader import LoaderOptions
from geozoo.data.record import DataRecord, SeriesRecord
from geozoo.data.spec import ForecastSpec
from geozoo.data.splits import split_hash
from geozoo.data.traffic._missing_readings import SUSPECT
from geozoo.data.traffic._series_statistics import part_statistics
from geozoo.data.traffic.protocol import PARTS, ForecastProtocol
from geozoo.data.traffic.semantic_graph import dtw_distances, mean_day
from geozoo.data.traffic.sensor_graphs import (
    distances_from_coordinates,
    released_gaussian_adjacency,
    semantic_adjacency,
    threshold_gaussian_adjacency,
)
from geozoo.data.traffic.series import TrafficSeries
from geozoo.data.traffic.windows import SeriesStore
from geozoo.geometry import normalized_adjacency, symmetrized

_LOG = logging.getLogger(__name__)
Spatial = Literal["auto", "given", "gaussian", "threshold", "coordinates", "none"]
Semantic = Literal["closest", "released"]


@dataclass(frozen=True)
class RoadGraphs:
    """How the sensor graphs are built; both are then normalised as 0.4 (I + D^-1/2 A D^-1/2).

    Attributes:
        spatial: ``"given"``: weights of the source; from road distances, the ``"gaussian"`` rule of
            the released GRAM-ODE code or the ``"threshold"`` kernel of DCRNN; ``"coordinates"``:
            that kernel on great-circle distances; ``"none"``: no edges; ``"auto"``: the first that
            the data allow, in the order gaussian, given, coordinates.
        semantic: which sensors are linked by the dynamic time warping distance of their mean days:
            the ``"closest"``, or those of the ``"released"`` rule.
        neighbors: number of neighbours of each sensor for ``"closest"``.

    Raises:
        ValueError: If a rule is unknown, or ``neighbors`` is below 1.
    """

    spatial: Spatial = "auto"
    semantic: Semantic = "closest"
    neighbors: int = 10

    def __post_init__(self) -> None:
        """Validate the options."""
        for name, allowed in (("spatial", get_args(Spatial)), ("semantic", get_args(Semantic))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        if self.neighbors < 1:
            raise ValueError(f"neighbors must be at least 1, got {self.neighbors}")


class Traffic(GraphDataModule):
    """Windows of a time series on the sensors of a road network.

    A dataset derives from this class and implements :meth:`read`. The series is stored once on the
    training device; windows are gathered from it by index. Statistics and the semantic graph come
    from the training split, unless the protocol specifies otherwise.

    A batch is a `geozoo.data.WindowBatch`; ``dataset.protocol`` defines splits and error metrics.

    Args:
        loader: batch sizes, shuffling and device placement.
        protocol: the protocol, see `geozoo.data.forecast_protocol`.
        graphs: how the sensor graphs are built.

    Raises:
        TypeError: If the protocol or graphs have the wrong type.
    """

    is_series = True
    #: Name of the dataset in records, and of its folder.
    name = "traffic"
    #: Folder of its files and cached dynamic time warping distances; None: no cache.
    folder: Path | None = None
    #: Whether windows without any observed input or any observed target are excluded from all
    #: splits. The benchmarks of the literature keep them, as their protocols require.
    leaves_out_blind_windows: bool = False

    def __init__(
        self, loader: LoaderOptions, *, protocol: ForecastProtocol, graphs: RoadGraphs
    ) -> None:
        super().__init__(loader)
        for key, value, kind in (
            ("protocol", protocol, ForecastProtocol),
            ("graphs", graphs, RoadGraphs),
        ):
            if not isinstance(value, kind):
                raise TypeError(f"{key} must be a {kind.__name__}, got {type(value).__name__}")
        self.protocol, self.graphs = protocol, graphs
        self._series: TrafficSeries | None = None
        self._lags: tuple[int, ...] = ()

    @abstractmethod
    def read(self) -> TrafficSeries:
        """Read or generate the series; called once."""

    def bounds(self, num_steps: int) -> tuple[int, int] | None:
        """First steps of validation and test, for subsets of a dataset; None: by the ratios."""
        return None

    @property
    def series(self) -> TrafficSeries:
        """The series with its sensors, times and roads; loaded on first access."""
        _ = self.data
        assert self._series is not None
        return self._series

    def load(self) -> LoadedData:
        """Split the series into windows and compute the statistics."""
        self._series = series = self.read()
        for note in series.notes:
            level = logging.WARNING if note.startswith(SUSPECT) else logging.INFO
            _LOG.log(level, "%s: %s", self.name, note)
        rules = self.protocol
        num_steps, num_nodes, num_features = series.values.shape
        splits = rules.window_parts(num_steps, self.bounds(num_steps))
        part = torch.zeros(num_steps - rules.input_steps - rules.horizon + 1, dtype=torch.int64)
        for number, name in enumerate(PARTS):
            part[splits[name]] = number
        if self.leaves_out_blind_windows:
            splits = self._seeing(series, splits)
        splits = self.limited(splits)
        clock = np.stack([series.slot_of_day(), series.day_of_week()], 1)
        store = SeriesStore(
            torch.from_numpy(series.values),
            torch.from_numpy(series.observed),
            torch.from_numpy(clock),
            part,
            input_steps=rules.input_steps,
            horizon=rules.horizon,
        )
        spec = ForecastSpec(
            num_nodes=num_nodes,
            in_channels=num_features,
            input_steps=rules.input_steps,
            horizon=rules.horizon,
            interval=series.interval,
            target=series.features[0],
            units={"y": series.units[0], **dict(zip(series.features, series.units, strict=True))},
            statistics=part_statistics(series, splits, rules),
            record=self._record(series, splits),
        )
        return LoadedData(store, splits, spec)

    def _seeing(self, series: TrafficSeries, splits: dict[str, Tensor]) -> dict[str, Tensor]:
        """The windows with at least one observed input and one observed target."""
        rules = self.protocol
        seen = torch.from_numpy(series.observed.any(1)).long()
        before = torch.cat([seen.new_zeros(1), seen.cumsum(0)])
        ends = before[rules.input_steps :]
        inputs = (ends - before[: len(ends)])[: -rules.horizon]
        targets = ends[rules.horizon :] - ends[: -rules.horizon]
        sees = (inputs > 0) & (targets > 0)
        kept = {name: starts[sees[starts]] for name, starts in splits.items()}
        if blind := [name for name, starts in kept.items() if not len(starts)]:
            raise ValueError(
                f"{series.source}: no window of the splits {blind} has an observed input and an "
                "observed target; splits are contiguous in time, so a long gap may fill one"
            )
        total = sum(len(starts) for starts in splits.values())
        if left_out := total - sum(len(starts) for starts in kept.values()):
            _LOG.info(
                "%s: %d of %d windows are excluded: they have no observed input or no observed "
                "target", self.name, left_out, total,
            )  # fmt: skip
        return kept

    def serve(self, model: nn.Module) -> None:
        """Add the lagged targets to batches that a model requests by its attribute ``lags``."""
        self._lags = tuple(model.lags) if isinstance(model, Lagged) else ()
        self._placed.clear()

    @property
    def store(self) -> SeriesStore:
        """The series, on the host."""
        store = self.data.store
        assert isinstance(store, SeriesStore)
        return store.with_lags(self._lags)

    def training_series(self) -> tuple[Tensor, Tensor, Tensor]:
        """Values ``[S, N, F]``, mask ``[S, N]`` and time index ``[S, 2]`` of the training split."""
        store, span = self.store, self.protocol.span_of(self.splits["train"])
        return store.values[span], store.observed[span], store.time[span]

    def model_tensors(self) -> dict[str, Callable[[], Tensor]]:
        """Adjacency matrices of the sensors ``[N, N]``.

        ``spatial_adjacency`` and ``semantic_adjacency`` are normalised; ``road_adjacency`` is the
        spatial one before normalisation.
        """
        return {
            "road_adjacency": self.spatial_graph,
            "spatial_adjacency": lambda: normalized_adjacency(self.spatial_graph()),
            "semantic_adjacency": lambda: normalized_adjacency(self.semantic_graph()),
        }

    def spatial_graph(self) -> Float[Tensor, "N N"]:
        """The spatial adjacency matrix, not normalised.

        Raises:
            ValueError: If the data lack what the rule requires; the message lists possible rules.
        """
        series = self.series
        has = {
            "gaussian": series.distances, "threshold": series.distances,
            "given": series.adjacency, "coordinates": series.coordinates,
        }  # fmt: skip
        rule = self.graphs.spatial
        if rule == "auto":
            order: tuple[Spatial, ...] = ("gaussian", "given", "coordinates")
            rule = next((name for name in order if has[name] is not None), "none")
            _LOG.info("%s: spatial graph by the rule %r", self.name, rule)
            if rule == "none":
                _LOG.warning(
                    "%s: the spatial graph has no edges, since the data have no distances, "
                    "adjacency or coordinates, so the model cannot exchange information between "
                    "sensors on it; set dataset.graphs.spatial=none if this is intended", self.name,
                )  # fmt: skip
        if rule == "none":
            return torch.zeros(len(series.sensor_ids), len(series.sensor_ids))
        if has[rule] is None:
            known = [name for name, value in has.items() if value is not None]
            raise ValueError(
                f"graphs.spatial={rule!r} requires data that {self.name} does not have; possible: "
                f"{', '.join([*known, 'none'])}"
            )
        given = torch.from_numpy(np.asarray(has[rule], dtype=np.float64))
        if rule == "gaussian":
            return released_gaussian_adjacency(symmetrized(given, how="min"))
        if rule == "threshold":
            return threshold_gaussian_adjacency(given)
        if rule == "coordinates":
            return threshold_gaussian_adjacency(distances_from_coordinates(given))
        return symmetrized(given, how="max")

    def semantic_graph(self) -> Float[Tensor, "N N"]:
        """The semantic adjacency matrix, not normalised; distances are cached by content."""
        distances = torch.from_numpy(dtw_distances(self.mean_day(), folder=self.folder))
        return semantic_adjacency(
            distances, rule=self.graphs.semantic, neighbors=self.graphs.neighbors
        )

    def mean_day(self) -> Float[np.ndarray, "slots N"]:
        """Mean daily profile of the target per sensor, over the steps that the protocol allows."""
        series = self.series
        everything = slice(0, len(series.times))
        is_clean = self.protocol.semantic == "train"
        span = self.protocol.span_of(self.splits["train"]) if is_clean else everything
        return mean_day(
            series.values[span, :, 0],
            series.slot_of_day()[span],
            series.steps_per_day,
            observed=series.observed[span],
        )

    def _record(self, series: TrafficSeries, splits: dict[str, Tensor]) -> DataRecord:
        digest = hashlib.sha256(series.values.tobytes() + series.observed.tobytes())
        record = SeriesRecord(
            rules=self.protocol.to_dict(),
            graphs={"spatial": self.graphs.spatial, "semantic": self.graphs.semantic},
            steps=len(series.times),
            first=str(series.times[0]),
            sensors=list(series.sensor_ids),
            notes=list(series.notes),
            reading=dict(series.reading),
        )
        return DataRecord(
            dataset=self.name,
            source=series.source,
            split=self.protocol.describe(),
            split_hash=split_hash(splits),
            data_hash=digest.hexdigest()[:12],
            series=record,
            sizes={part: len(index) for part, index in splits.items()},
        )
