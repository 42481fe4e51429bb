"""Traffic that is simulated on the spot: the data set that needs no files."""

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

    See `geozoo.data.simulate_traffic` for what is simulated and how much each part carries.

    ======== ==================== ======================
    field    shape                meaning
    ======== ==================== ======================
    ``x``    ``[B, T, N, 1]``     flow (vehicles / 5 min)
    ``y``    ``[B, H, N]``        flow
    ======== ==================== ======================

    Args:
        loader: batch sizes, order and residence.
        protocol: see `Traffic`.
        graphs: see `Traffic`.
        num_sensors: sensors of the network.
        num_days: days, of which a day has 288 steps.
        seed: of the network and everything on it.
        root: folder of all data sets, for the distances of the semantic graph.

    Raises:
        ValueError: for options that describe no traffic.
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
        """Simulate; the same numbers for the same options."""
        return simulate_traffic(self.options)
