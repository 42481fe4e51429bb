"""Traffic forecasting: sensor time series, windows, protocols, sensor graphs, simulator."""

from geozoo.data.traffic._missing_readings import outlying_values
from geozoo.data.traffic._table_cells import TableForm
from geozoo.data.traffic.archives import LoopSpeeds, Pems
from geozoo.data.traffic.base import RoadGraphs, Traffic
from geozoo.data.traffic.protocol import PROTOCOLS, ForecastProtocol, forecast_protocol
from geozoo.data.traffic.semantic_graph import dtw_distances, mean_day
from geozoo.data.traffic.sensor_graphs import (
    distances_from_coordinates,
    distances_from_edges,
    released_gaussian_adjacency,
    semantic_adjacency,
    threshold_gaussian_adjacency,
)
from geozoo.data.traffic.sensor_table import read_sensor_table
from geozoo.data.traffic.series import TrafficSeries
from geozoo.data.traffic.simulator import TrafficOptions, simulate_traffic
from geozoo.data.traffic.synthetic import TrafficSynthetic
from geozoo.data.traffic.tables import LosLoop, RoadFiles, TrafficCSV
from geozoo.data.traffic.windows import SeriesStore, WindowBatch

__all__ = [
    "distances_from_coordinates",
    "distances_from_edges",
    "released_gaussian_adjacency",
    "semantic_adjacency",
    "threshold_gaussian_adjacency",
    "ForecastProtocol",
    "LoopSpeeds",
    "LosLoop",
    "PROTOCOLS",
    "Pems",
    "RoadFiles",
    "RoadGraphs",
    "SeriesStore",
    "TableForm",
    "Traffic",
    "TrafficCSV",
    "TrafficOptions",
    "TrafficSeries",
    "TrafficSynthetic",
    "WindowBatch",
    "dtw_distances",
    "forecast_protocol",
    "mean_day",
    "outlying_values",
    "read_sensor_table",
    "simulate_traffic",
]
