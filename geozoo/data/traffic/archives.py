"""Traffic benchmarks of the literature in their official file layouts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geozoo.data.loader import LoaderOptions
from geozoo.data.traffic._dcrnn_files import find_dcrnn, read_dcrnn
from geozoo.data.traffic._pems_files import find_pems, read_pems
from geozoo.data.traffic.base import RoadGraphs, Traffic
from geozoo.data.traffic.protocol import ForecastProtocol
from geozoo.data.traffic.series import TrafficSeries
from geozoo.files.folders import data_folder


@dataclass(frozen=True)
class Extent:
    """Expected size of a dataset, or of a known subset.

    Attributes:
        folder: subfolder of the data folder that contains the files.
        steps: number of steps.
        sensors: number of sensors.
        start: local time of the first step, if the files do not contain it.
        bounds: first steps of validation and test, for a subset; None: by the protocol.
        whole: name of the full dataset of a subset; empty for a full dataset.
    """

    folder: str
    steps: int
    sensors: int
    start: str = ""
    bounds: tuple[int, int] | None = None
    whole: str = ""


#: The official test split of PEMS08 starts at step 14284; the tail starts at step 10700.
_PEMS08_TAIL = (2688, 3584)
PEMS = {
    "pems03": Extent("pems03", 26208, 358, "2018-09-01"),
    "pems04": Extent("pems04", 16992, 307, "2018-01-01"),
    "pems07": Extent("pems07", 28224, 883, "2017-05-01"),
    "pems08": Extent("pems08", 17856, 170, "2016-07-01"),
    "pems08_tail": Extent(
        "pems08", 7156, 170, "2016-08-07T03:40", bounds=_PEMS08_TAIL, whole="pems08"
    ),
}
LOOPS = {
    "metr_la": Extent("metr_la", 34272, 207),
    "pems_bay": Extent("pems_bay", 52116, 325),
    "metr_la_29": Extent("metr_la", 34272, 29, whole="metr_la"),
    "pems_bay_67": Extent("pems_bay", 52116, 67, whole="pems_bay"),
}


class _Archive(Traffic):
    """A dataset whose files must have a known size."""

    extents: dict[str, Extent] = {}
    folder: Path

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        protocol: ForecastProtocol,
        graphs: RoadGraphs,
        variant: str,
        root: str | Path | None = None,
        check_extent: bool = True,
    ) -> None:
        super().__init__(loader, protocol=protocol, graphs=graphs)
        if variant not in self.extents:
            raise ValueError(f"variant must be one of {tuple(self.extents)}, got {variant!r}")
        self.name, self.extent = variant, self.extents[variant]
        self.check_extent = check_extent
        self.folder = data_folder(self.extent.folder, root)

    def bounds(self, num_steps: int) -> tuple[int, int] | None:
        """Bounds of a subset, chosen such that its test windows are the official ones."""
        return self.extent.bounds if num_steps == self.extent.steps else None

    def checked(self, series: TrafficSeries) -> TrafficSeries:
        """The series, if it has the expected number of steps and sensors.

        Raises:
            ValueError: If it does not; the message names the dataset that fits, if there is one.
        """
        found = (len(series.times), len(series.sensor_ids))
        if not self.check_extent or found == (self.extent.steps, self.extent.sensors):
            return series
        fitting = [
            name for name, each in self.extents.items() if (each.steps, each.sensors) == found
        ]
        hint = f"; dataset={fitting[0]} is for these files" if fitting else ""
        raise ValueError(
            f"{self.folder / series.source}: {self.name} must have {self.extent.steps} steps of "
            f"{self.extent.sensors} sensors, got {found[0]} steps of {found[1]}{hint} "
            "(check_extent=false disables this check)"
        )


class Pems(_Archive):
    """Flows of PEMS03, PEMS04, PEMS07 and PEMS08: Californian freeways in 5-minute steps.

    The files of ASTGCN and STSGCN: ``PEMS08.npz`` with ``data [S, N, F]`` and ``PEMS08.csv`` with
    roads, or ``pems08.npz`` and ``distance.csv``; for PEMS03 also ``PEMS03.txt`` with the station
    ids. Zeros count as readings; which of them denote missing readings is unknown.

    ======== =================== ===================================================
    field    shape               meaning
    ======== =================== ===================================================
    ``x``    ``[B, T, N, F]``    flow (vehicles / 5 min), occupancy, speed (mph)
    ``y``    ``[B, H, N]``       flow
    ======== =================== ===================================================

    Args:
        loader: batch sizes, shuffling and device placement.
        protocol: see `Traffic`.
        graphs: see `Traffic`.
        variant: ``"pems03"``, ``"pems04"``, ``"pems07"``, ``"pems08"``, or ``"pems08_tail"``: the
            last 7156 steps of PEMS08, tested on the official test windows and trained on the 2688
            steps from 2016-08-07 03:40, which are *not* the official training split.
        root: folder of all datasets.
        check_extent: reject files with another number of steps or sensors.

    Raises:
        ValueError: If the variant is unknown; on reading, if the files have another size.
        FileNotFoundError: On reading, if a file is missing.
    """

    extents = PEMS

    def read(self) -> TrafficSeries:
        """Read flows and roads."""
        official = (self.extent.whole or self.name).upper()
        paths = find_pems(self.folder, official, has_station_ids=official == "PEMS03")
        return self.checked(
            read_pems(
                paths.series,
                start=self.extent.start,
                edges=paths.edges,
                sensor_ids=paths.sensor_ids,
            )
        )


class LoopSpeeds(_Archive):
    """Speeds of METR-LA and PEMS-BAY: loop detectors in 5-minute steps, zero means missing.

    The files of DCRNN: ``metr-la.h5`` or ``pems-bay.h5`` (pandas tables), ``adj_mx.pkl`` or
    ``adj_mx_bay.pkl``, and optionally the lists of distances and locations. The pickle is parsed
    as plain data: anything but arrays, strings, numbers, lists and dicts is rejected.

    ======== =================== ============
    field    shape               meaning
    ======== =================== ============
    ``x``    ``[B, T, N, 1]``    speed, mph
    ``y``    ``[B, H, N]``       speed, mph
    ======== =================== ============

    Args:
        loader: batch sizes, shuffling and device placement.
        protocol: see `Traffic`.
        graphs: see `Traffic`.
        variant: ``"metr_la"`` (207 sensors), ``"pems_bay"`` (325), or the subsets ``"metr_la_29"``
            and ``"pems_bay_67"`` over the whole period.
        root: folder of all datasets.
        check_extent: reject files with another number of steps or sensors.

    Raises:
        ValueError: If the variant is unknown; on reading, if the files have another size.
        FileNotFoundError: On reading, if a file is missing.
    """

    extents = LOOPS

    def read(self) -> TrafficSeries:
        """Read speeds, graph and lists."""
        paths = find_dcrnn(self.folder, self.extent.whole or self.name)
        return self.checked(
            read_dcrnn(
                paths.series,
                adjacency=paths.adjacency,
                distances=paths.distances,
                locations=paths.locations,
            )
        )
