"""Reading pandas tables in HDF5 (fixed format) with h5py.

pandas and PyTables are avoided: they unpickle attributes and some arrays on opening, so a file
could execute arbitrary code (even the official files hold a pickled ``None``). h5py returns bytes.
Ids that pandas stored as a pickle are read by `geozoo.files.array_pickle`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from geozoo.files.array_pickle import parse_array_pickle
from geozoo.files.contents import report_contents
from geozoo.files.hdf5_arrays import hdf5_library, stored_dataset, stored_groups

_UNITS = {f"datetime64[{unit}]": unit for unit in ("s", "ms", "us", "ns")} | {"datetime64": "ns"}


class Frame(NamedTuple):
    """A table: ``values`` float ``[S, N]``, ``times`` datetime64[s] ``[S]``, column names."""

    values: np.ndarray
    times: np.ndarray
    columns: tuple[str, ...]


def read_fixed_frame(path: str | Path, key: str | None = None) -> Frame:
    """Read a table with a time index and numeric columns.

    Args:
        path: the file.
        key: name of the table; ``None`` if the file has only one.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is corrupt, the key is unknown, the table has another format, the
            index is not of local times, or a column is not numeric.
        ImportError: If h5py is not installed.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    h5py = hdf5_library()
    try:
        with h5py.File(path, "r") as file:
            group = _frame_group(file, key)
            times = _times(group)
            columns = _labels(stored_dataset(group, "axis0"))
            values = _values(group, len(times), columns)
            used, there = group.name.strip("/"), set(file)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as a pandas table: {error}") from error
    report_contents(path.name, [used], there - {used})
    return Frame(values, times, columns)


def _attribute(node: Any, name: str) -> Any:
    value = node.attrs.get(name)
    if not isinstance(value, bytes):
        return value
    if value.endswith(b"."):
        # PyTables pickles values that are neither numbers nor plain text, such as None.
        return parse_array_pickle(value, f"attribute {name} of {node.name}")
    return value.decode("latin1")


def _frame_group(file: Any, key: str | None) -> Any:
    formats = {name: str(_attribute(group, "pandas_type")) for name, group in stored_groups(file)}
    frames = [name for name, kind in formats.items() if kind == "frame"]
    if key is None and len(frames) == 1:
        return file[frames[0]]
    if key is not None and key.strip("/") in frames:
        return file[key.strip("/")]
    wanted = "exactly one table" if key is None else f"a table with the key {key!r}"
    found = ", ".join(f"{name} ({kind})" for name, kind in formats.items()) or "nothing"
    raise ValueError(
        f"it must hold {wanted} in pandas' fixed format (pandas_type 'frame'); it holds {found}"
    )


def _labels(node: Any) -> tuple[str, ...]:
    """Column names, stored as numbers, as fixed-width bytes, or as a pickle."""
    if _attribute(node, "CLASS") == "VLARRAY":
        if node.shape != (1,):
            raise ValueError(f"{node.name} must have shape (1,), got {node.shape}")
        content = np.asarray(node[0], dtype=np.uint8).tobytes()
        entries = parse_array_pickle(content, node.name, allow_texts=True)
        entries = entries.tolist() if isinstance(entries, np.ndarray) else entries
        if not isinstance(entries, list):
            raise ValueError(f"{node.name} must be a list of names, got {type(entries).__name__}")
    elif node.ndim == 1 and node.dtype.kind in "iuS":
        entries = node[:].tolist()
    else:
        raise ValueError(f"{node.name} must hold names, got {node.dtype} of shape {node.shape}")
    return tuple(e.decode("utf-8") if isinstance(e, bytes) else str(e) for e in entries)


def _times(group: Any) -> np.ndarray:
    node = stored_dataset(group, "axis1")
    kind = str(_attribute(node, "kind"))
    if kind not in _UNITS or node.ndim != 1 or node.dtype.kind != "i":
        raise ValueError(
            f"{node.name} must be a time index, got kind {kind!r}, {node.dtype} of shape "
            f"{node.shape}"
        )
    if _attribute(node, "tz") is not None:
        raise ValueError(
            f"{node.name} has a time zone ({_attribute(node, 'tz')}); it must hold local times "
            "without one, since time of day and weekday refer to the local clock"
        )
    return node[:].astype(f"datetime64[{_UNITS[kind]}]").astype("datetime64[s]")


def _values(group: Any, rows: int, columns: tuple[str, ...]) -> np.ndarray:
    """Join the blocks; pandas stores all columns of one dtype as one block."""
    position = {name: number for number, name in enumerate(columns)}
    blocks: list[tuple[tuple[str, ...], Any, bool]] = []
    for number in range(int(_attribute(group, "nblocks") or 0)):
        names = _labels(stored_dataset(group, f"block{number}_items"))
        node = stored_dataset(group, f"block{number}_values")
        transposed = bool(_attribute(node, "transposed"))
        wanted = (rows, len(names)) if transposed else (len(names), rows)
        if node.dtype.kind not in "fiu" or node.shape != wanted:
            raise ValueError(
                f"{node.name} must be numeric with shape {wanted}, got {node.dtype} of shape "
                f"{node.shape}"
            )
        blocks.append((names, node, transposed))
    if sorted(name for names, *_ in blocks for name in names) != sorted(position):
        raise ValueError(f"the blocks of {group.name} do not hold each of its columns once")
    values = np.empty((rows, len(columns)))
    for names, node, transposed in blocks:
        values[:, [position[name] for name in names]] = node[:] if transposed else node[:].T
    return values
