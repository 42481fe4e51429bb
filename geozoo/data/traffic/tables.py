"""Traffic data in plain tables: Los-loop, and user-supplied tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from geozoo.data.loader import LoaderOptions
from geozoo.data.traffic._table_cells import TableForm
from geozoo.data.traffic.base import RoadGraphs, Traffic
from geozoo.data.traffic.protocol import ForecastProtocol
from geozoo.data.traffic.sensor_table import AbsentRows, read_sensor_table
from geozoo.data.traffic.series import TrafficSeries
from geozoo.files.download import fetch, remote_files
from geozoo.files.folders import data_folder
from geozoo.options import grouped


class LosLoop(Traffic):
    """One week of speeds of 207 loop detectors in Los Angeles, and their adjacency matrix.

    The subset of METR-LA published with T-GCN (Zhao et al. 2019, arXiv 1811.05320):
    ``los_speed.csv`` and ``los_adj.csv``, 2012-03-01 to 2012-03-07, 5-minute steps, mph. Its
    authors linearly interpolated missing readings, so nothing is marked as missing.

    ======== ================ =========================================
    field    shape            meaning
    ======== ================ =========================================
    ``x``    ``[B,T,207,1]``  speed, mph
    ``y``    ``[B,H,207]``    speed, mph
    ======== ================ =========================================

    Args:
        loader: batch sizes, shuffling and device placement.
        protocol: see `Traffic`.
        graphs: see `Traffic`.
        root: folder of all datasets; the files are in its subfolder ``los_loop``.
        download: whether missing files may be downloaded.
    """

    name = "los_loop"
    folder: Path

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        protocol: ForecastProtocol,
        graphs: RoadGraphs,
        root: str | Path | None = None,
        download: bool = True,
    ) -> None:
        super().__init__(loader, protocol=protocol, graphs=graphs)
        self.folder, self.download = data_folder(self.name, root), download

    def prepare_data(self) -> None:
        """Download missing files."""
        for file in remote_files(self.name).values():
            fetch(file, self.folder, download=self.download)

    def read(self) -> TrafficSeries:
        """Read both tables."""
        return read_sensor_table(
            self.folder / "los_speed.csv",
            start="2012-03-01",
            interval=5,
            feature="speed",
            unit="mph",
            adjacency=self.folder / "los_adj.csv",
        )


@dataclass(frozen=True)
class RoadFiles:
    """Files that define the sensor graph of a table.

    Attributes:
        adjacency: CSV of weights, or None.
        edges: CSV of roads ``from,to,cost``, or None.
        coordinates: CSV of ``sensor_id,latitude,longitude``, or None.
    """

    adjacency: str | Path | None = None
    edges: str | Path | None = None
    coordinates: str | Path | None = None


class TrafficCSV(Traffic):
    """A user-supplied table: rows are steps, columns are sensors.

    Steps without a row are unobserved, and windows without any observed input or any observed
    target are excluded from all splits.

    Args:
        path: the CSV file, see `geozoo.data.read_sensor_table` for its format.
        loader: batch sizes, shuffling and device placement.
        protocol: see `Traffic`.
        graphs: see `Traffic`.
        interval: minutes between rows; None: from the time column.
        start: local time of the first row, for a table without times.
        feature: name of the measured quantity.
        unit: its unit.
        zero_is_missing: whether 0 denotes a missing reading.
        missing: further sentinel values of missing readings, such as -9999.
        absent_rows: ``"unobserved"``: a step without a row is unobserved; ``"closed"``: rows count
            as consecutive steps, regardless of the time between them.
        form: separator, decimal mark, columns and times of the table.
        roads: files that define the sensor graph.
    """

    name = "traffic_csv"

    @grouped("form", "roads")
    def __init__(
        self,
        *,
        path: str | Path,
        loader: LoaderOptions,
        protocol: ForecastProtocol,
        graphs: RoadGraphs,
        interval: int | None = None,
        start: str | None = None,
        feature: str = "value",
        unit: str = "1",
        zero_is_missing: bool = False,
        missing: Sequence[float] = (),
        absent_rows: AbsentRows = "unobserved",
        form: TableForm = TableForm(),  # noqa: B008
        roads: RoadFiles = RoadFiles(),  # noqa: B008
    ) -> None:
        super().__init__(loader, protocol=protocol, graphs=graphs)
        self.path = Path(path)
        self.options: dict[str, Any] = {
            "interval": interval, "start": start, "feature": feature, "unit": unit,
            "zero_is_missing": zero_is_missing, "missing": tuple(missing),
            "absent_rows": absent_rows,
            "form": form, **asdict(roads),
        }  # fmt: skip
        self.leaves_out_blind_windows = absent_rows == "unobserved"

    def read(self) -> TrafficSeries:
        """Read the table and the files of its sensor graph."""
        return read_sensor_table(self.path, **self.options)
