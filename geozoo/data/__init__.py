"""Data sets of graphs: stores, batches, splits, statistics and Lightning data modules."""

from geozoo.data._folders import data_folder
from geozoo.data.augmentation import rotate_batch
from geozoo.data.batch import GraphBatch
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.download import RemoteFile, fetch, is_offline, remote_files
from geozoo.data.extxyz import ExtXYZ
from geozoo.data.loader import GraphDataset, GraphLoader, LoaderOptions
from geozoo.data.nbody import NBody
from geozoo.data.nbody_simulator import (
    SIMULATOR_VERSION,
    NBodyOptions,
    NBodyState,
    initial_state,
    simulate,
    total_energy,
)
from geozoo.data.rmd17 import RMD17
from geozoo.data.sampler import EpochBatchSampler
from geozoo.data.scalers import energy_force_statistics, mean_and_std
from geozoo.data.spec import DataSpec, ForecastSpec, GeometricSpec
from geozoo.data.splits import check_split, every_nth, random_split, read_index_file, split_hash
from geozoo.data.store import GraphStore
from geozoo.data.units import KCAL_MOL_TO_MEV, energy_factor, length_factor

__all__ = [
    "KCAL_MOL_TO_MEV",
    "RMD17",
    "SIMULATOR_VERSION",
    "DataSpec",
    "ForecastSpec",
    "GeometricSpec",
    "EpochBatchSampler",
    "ExtXYZ",
    "GraphBatch",
    "GraphDataModule",
    "GraphDataset",
    "GraphLoader",
    "GraphStore",
    "LoadedData",
    "LoaderOptions",
    "NBody",
    "NBodyOptions",
    "NBodyState",
    "RemoteFile",
    "check_split",
    "data_folder",
    "energy_factor",
    "energy_force_statistics",
    "every_nth",
    "fetch",
    "initial_state",
    "is_offline",
    "length_factor",
    "mean_and_std",
    "random_split",
    "read_index_file",
    "remote_files",
    "rotate_batch",
    "simulate",
    "split_hash",
    "total_energy",
]
