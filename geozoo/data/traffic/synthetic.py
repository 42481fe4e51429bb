"""Synthetic traffic: a dataset that needs no files."""

from __future__ import annotations

from pathlib import Path

from geozoo.data.loader import LoaderOptions
from geozoo.data.traffic.base import RoadGraphs, Traffic
from geozoo.data.traffic.protocol import ForecastProtocol
from geozoo.data.traffic.series import TrafficSeries
from geozoo.data.traffic.simulator import TrafficOptions, simulate_traffic
from geozoo.files.folders import data_folder


class TrafficSynthetic(Traffic):
    """A generated road network with daily and weekly rhythm, travelling waves and incidents.

    See `geozoo.data.simulate_traffic` for the components and their shares of the variance.

    ======== ==================== ======================
    field    shape                meaning
    ======== ==================== ======================
    ``x``    ``[B, T, N, 1]``     flow (vehicles / 5 min)
    ``y``    ``[B, H, N]``        flow
    ======== ==================== ======================

    Args:
        loader: batch sizes, shuffling and device placement.
        protocol: see `Traffic`.
        graphs: see `Traffic`.
        num_sensors: number of sensors.
        num_days: number of days of 288 steps.
        seed: random seed of network and traffic.
        root: folder of all datasets, for the cached distances of the semantic graph.

    Raises:
        ValueError: If an option is out of range.
    """

    name = "traffic_synthetic"

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        protocol: ForecastProtocol,
        graphs: RoadGraphs,
        num_sensors: int = 40,
        num_days: int = 28,
        seed: int = 0,
        root: str | Path | None = None,
    ) -> None:
        super().__init__(loader, protocol=protocol, graphs=graphs)
        self.options = TrafficOptions(num_sensors=num_sensors, num_days=num_days, seed=seed)
        self.folder = data_folder(self.name, root)

    def read(self) -> TrafficSeries:
        """Simulate the readings, reproducibly for given options."""
        return simulate_traffic(self.options)
