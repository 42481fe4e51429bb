from ._missing_readings import outlying_values
from ._table_cells import TableForm
from .archives import LoopSpeeds, Pems
from .base import RoadGraphs, Traffic
from .protocol import PROTOCOLS, ForecastProtocol, forecast_protocol
from .semantic_graph import dtw_distances, mean_day
from .sensor_graphs import (
    distances_from_coordinates,
    distances_from_edges,
    released_gaussian_adjacency,
    semantic_adjacency,
    threshold_gaussian_adjacency,
)
from .sensor_table import read_sensor_table
from .series import TrafficSeries
from .simulator import TrafficOptions, simulate_traffic
from .synthetic import TrafficSynthetic
from .tables import LosLoop, RoadFiles, TrafficCSV
from .windows import SeriesStore, WindowBatch

__all__ = [
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
    "distances_from_coordinates",
    "distances_from_edges",
    "dtw_distances",
    "forecast_protocol",
    "mean_day",
    "outlying_values",
    "read_sensor_table",
    "released_gaussian_adjacency",
    "semantic_adjacency",
    "simulate_traffic",
    "threshold_gaussian_adjacency",
]
