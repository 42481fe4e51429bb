"""Data sets of graphs: stores, batches, splits, statistics and Lightning data modules."""

from geozoo.data._ase_frames import Structure, read_structures, structure_of
from geozoo.data._folders import atomic_path, data_folder
from geozoo.data._missing_readings import outlying_values
from geozoo.data._progress import progress_bar
from geozoo.data._table_cells import TableForm
from geozoo.data.augmentation import rotate_batch
from geozoo.data.batch import GraphBatch
from geozoo.data.chirality import Chirality
from geozoo.data.damage import damage_named, read_csv_rows, read_tensors
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.download import RemoteFile, fetch, is_offline, remote_files
from geozoo.data.extxyz import ExtXYZ
from geozoo.data.fields import FIELDS, Field
from geozoo.data.image_store import ImageStore, pixel_positions
from geozoo.data.labelled_images import LabelledImages
from geozoo.data.loader import GraphDataset, GraphLoader, LoaderOptions
from geozoo.data.mnist_pixels import MNISTPixels
from geozoo.data.mnist_superpixels import MNISTSlic, MNISTSuperpixels
from geozoo.data.nbody import NBody
from geozoo.data.nbody_simulator import (
    SIMULATOR_VERSION,
    NBodyOptions,
    NBodyState,
    initial_state,
    simulate,
    total_energy,
)
from geozoo.data.numpy_files import read_npy, read_npz
from geozoo.data.protocol import PROTOCOLS, ForecastProtocol, forecast_protocol
from geozoo.data.qm9 import QM9, QM9_TARGETS
from geozoo.data.qm9_generation import QM9Generation
from geozoo.data.record import DataRecord, MoleculeInputs, SeriesRecord, StructureFiles
from geozoo.data.rmd17 import RMD17
from geozoo.data.sampler import EpochBatchSampler
from geozoo.data.scalers import energy_force_statistics, mean_and_std
from geozoo.data.semantic_graph import dtw_distances, mean_day
from geozoo.data.sensor_table import read_sensor_table
from geozoo.data.spec import DataSpec, ForecastSpec, GeometricSpec
from geozoo.data.splits import check_split, every_nth, random_split, read_index_file, split_hash
from geozoo.data.store import GraphStore
from geozoo.data.superpixels import SlicOptions, slic_graphs
from geozoo.data.traffic import RoadGraphs, Traffic
from geozoo.data.traffic_archives import LoopSpeeds, Pems
from geozoo.data.traffic_series import TrafficSeries
from geozoo.data.traffic_simulator import TrafficOptions, simulate_traffic
from geozoo.data.traffic_synthetic import TrafficSynthetic
from geozoo.data.traffic_tables import LosLoop, TrafficCSV
from geozoo.data.units import KCAL_MOL_TO_MEV, energy_factor, length_factor
from geozoo.data.windows import SeriesStore, WindowBatch

__all__ = [
    "FIELDS",
    "Field",
    "Chirality",
    "KCAL_MOL_TO_MEV",
    "PROTOCOLS",
    "Pems",
    "QM9",
    "QM9Generation",
    "QM9_TARGETS",
    "RMD17",
    "SIMULATOR_VERSION",
    "DataRecord",
    "DataSpec",
    "ForecastProtocol",
    "ForecastSpec",
    "GeometricSpec",
    "EpochBatchSampler",
    "ExtXYZ",
    "GraphBatch",
    "GraphDataModule",
    "GraphDataset",
    "GraphLoader",
    "GraphStore",
    "ImageStore",
    "LabelledImages",
    "LoadedData",
    "LoaderOptions",
    "LoopSpeeds",
    "LosLoop",
    "MNISTPixels",
    "MNISTSlic",
    "MNISTSuperpixels",
    "MoleculeInputs",
    "NBody",
    "NBodyOptions",
    "NBodyState",
    "RemoteFile",
    "RoadGraphs",
    "SeriesStore",
    "SlicOptions",
    "Structure",
    "SeriesRecord",
    "StructureFiles",
    "Traffic",
    "TrafficCSV",
    "TrafficOptions",
    "TrafficSeries",
    "TrafficSynthetic",
    "WindowBatch",
    "check_split",
    "atomic_path",
    "damage_named",
    "data_folder",
    "energy_factor",
    "energy_force_statistics",
    "dtw_distances",
    "every_nth",
    "fetch",
    "initial_state",
    "is_offline",
    "length_factor",
    "mean_and_std",
    "mean_day",
    "forecast_protocol",
    "pixel_positions",
    "progress_bar",
    "random_split",
    "read_index_file",
    "read_sensor_table",
    "TableForm",
    "outlying_values",
    "read_structures",
    "remote_files",
    "read_npy",
    "read_csv_rows",
    "read_npz",
    "read_tensors",
    "rotate_batch",
    "simulate",
    "simulate_traffic",
    "slic_graphs",
    "split_hash",
    "structure_of",
    "total_energy",
]
