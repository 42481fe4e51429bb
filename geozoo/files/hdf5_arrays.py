"""Reading arrays of HDF5 files from outside: no links, no other files, no more than is stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

#: Deflate, the strongest filter bundled with h5py, compresses by a factor of at most about 1000.
_LARGEST_RATIO = 1100


def hdf5_library() -> ModuleType:
    """The package h5py.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "h5 files need h5py: pip install 'geozoo[traffic]' or 'geozoo[molecules]'"
        ) from error
    return h5py


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """The open file; errors in it become a ValueError.

    Raises:
        ImportError: If h5py is not installed.
        ValueError: If the file is corrupt.
    """
    h5py = hdf5_library()
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"it is not a complete HDF5 file: {error}") from error


def is_link(group: Any, name: str) -> bool:
    """Whether an entry of a group is a link, perhaps to another file; nothing is opened."""
    return group.get(name, getclass=True, getlink=True) is not hdf5_library().HardLink


def stored_groups(group: Any) -> Iterator[tuple[str, Any]]:
    """Names and groups in a group, without links, which are not followed."""
    kind = hdf5_library().Group
    for name in group:
        if not is_link(group, name) and isinstance(node := group[name], kind):
            yield name, node


def stored_dataset(group: Any, name: str) -> Any:
    """A dataset of the group that is stored in this file and is about as large as it declares.

    Raises:
        ValueError: If there is none, it is a link, or it declares more than the file stores.
    """
    h5py = hdf5_library()
    if name not in group:
        raise ValueError(f"{group.name} has no {name}")
    if is_link(group, name):
        raise ValueError(f"{group.name}/{name} is a link")
    node = group[name]
    if not isinstance(node, h5py.Dataset):
        raise ValueError(f"{node.name} is not an array")
    if node.is_virtual or node.external:
        raise ValueError(f"{node.name} is stored in another file")
    if node.nbytes > _LARGEST_RATIO * max(node.id.get_storage_size(), 1):
        raise ValueError(
            f"{node.name} declares {node.nbytes} bytes, but the file stores "
            f"{node.id.get_storage_size()}"
        )
    return node
