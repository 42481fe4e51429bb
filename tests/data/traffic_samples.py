"""Small files in the official layouts of traffic data."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from geozoo.data.traffic.series import TrafficSeries, clock


def series(steps=12, sensors=3, **changes):
    """A valid series; changes replace its fields."""
    values = np.arange(1.0, steps * sensors + 1).reshape(steps, sensors, 1).astype(np.float32)
    fields = {
        "values": values,
        "observed": np.ones((steps, sensors), dtype=bool),
        "times": clock("2024-01-01", steps, 5),
        "interval": 5,
        "features": ("flow",),
        "units": ("vehicles/5 min",),
        "sensor_ids": tuple(f"s{i}" for i in range(sensors)),
        "source": "sample",
    }
    return TrafficSeries(**{**fields, **changes})


def five_minutes(start, steps):
    """Nanosecond times as written by the pandas version that DCRNN used."""
    return np.datetime64(start, "ns") + np.arange(steps) * np.timedelta64(300, "s")


def write_frame(path: Path, key: str, values, times, columns, **attributes):
    """A table in pandas' fixed format: int64 times, columns as numbers, bytes or a pickle."""
    import h5py

    with h5py.File(path, "w") as file:
        group = file.create_group(key)
        group.attrs.update(pandas_type=np.bytes_(b"frame"), nblocks=1, ndim=2)
        for name in ("axis0", "block0_items"):
            if isinstance(columns, bytes):
                node = group.create_dataset(name, (1,), dtype=h5py.vlen_dtype(np.uint8))
                node[0] = np.frombuffer(columns, np.uint8)
                node.attrs.update(CLASS=np.bytes_(b"VLARRAY"), PSEUDOATOM=np.bytes_(b"object"))
            else:
                group[name] = columns
        group["axis1"] = times.astype(np.int64)
        # pandas pickles None; a reader of attributes has to let it through or leave it alone.
        group["axis1"].attrs.update(kind=np.bytes_(b"datetime64"), freq=np.bytes_(b"N."))
        group["axis1"].attrs.update(attributes)
        group["block0_values"] = values
        group["block0_values"].attrs["transposed"] = True
    return path


def write_graph(path: Path, ids, weights, protocol=2):
    """A pickled graph in DCRNN's format."""
    content = [list(ids), {name: i for i, name in enumerate(ids)}, weights]
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def write_lines(path: Path, *lines):
    """A text file."""
    path.write_text("\n".join(lines) + "\n")
    return path
