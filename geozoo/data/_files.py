"""Names of `geozoo.files` that are part of the interface of `geozoo.data`."""

from geozoo.files.download import RemoteFile, fetch, is_offline, remote_files
from geozoo.files.errors import corrupt_file_errors, damage_named, read_csv_rows, read_tensors
from geozoo.files.folders import atomic_path, data_folder
from geozoo.files.numpy_arrays import read_npy, read_npz
from geozoo.files.progress import progress_bar

__all__ = [
    "RemoteFile",
    "atomic_path",
    "corrupt_file_errors",
    "damage_named",
    "data_folder",
    "fetch",
    "is_offline",
    "progress_bar",
    "read_csv_rows",
    "read_npy",
    "read_npz",
    "read_tensors",
    "remote_files",
]
