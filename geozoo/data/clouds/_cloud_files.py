"""One point cloud from a file: its columns, and the points that are taken of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from geozoo.data.clouds._cloud_inputs import Cloud
from geozoo.data.clouds._cloud_meshes import MeshFile, on_surface, read_mesh
from geozoo.data.clouds._cloud_text import read_text
from geozoo.data.clouds.cloud_options import CloudReading
from geozoo.files.numpy_arrays import read_npy
from geozoo.geometry import farthest_points

Sampling = Literal["random", "farthest"]
MESHES = (".off", ".ply")
#: Endings of files of points.
SUFFIXES = (*MESHES, ".txt", ".xyz", ".csv", ".npy")
_NORMAL = ("nx", "ny", "nz")
#: Names of the columns of files without a header, by their number.
_COLUMNS = {
    3: ["x", "y", "z"], 4: ["x", "y", "z", "label"], 6: ["x", "y", "z", *_NORMAL],
    7: ["x", "y", "z", *_NORMAL, "label"],
}  # fmt: skip


@dataclass(frozen=True)
class CloudNeeds:
    """What a cloud must have.

    Attributes:
        normals: whether normals are inputs.
        labels: whether every point has a label.
        num_points: points to take; None: all.
        sampling: which points of a cloud are taken; those of a mesh are random.
    """

    normals: bool
    labels: bool
    num_points: int | None
    sampling: Sampling


def read_cloud(
    path: Path, reading: CloudReading, needs: CloudNeeds, rng: np.random.Generator
) -> Cloud:
    """The points of a file that are taken, with what is needed of each.

    Args:
        path: the file.
        reading: its columns.
        needs: what is needed.
        rng: source of randomness.

    Raises:
        ImportError: If trimesh is needed and not installed.
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is corrupt, or lacks a column, or a value is not finite.
    """
    found = read_mesh(path) if path.suffix.lower() in MESHES else _of_columns(path, reading)
    if found.mesh is not None and reading.mesh == "surface":
        return _of_surface(path, found, reading, needs, rng)
    cloud = _cloud(path, found.columns, reading, needs)
    return cloud.taken(_chosen(cloud.points, needs, rng))


def _of_columns(path: Path, reading: CloudReading) -> MeshFile:
    """The columns of a text or npy file by name."""
    if path.suffix.lower() == ".npy":
        array, header = read_npy(path), None
        if array.ndim != 2 or array.shape[1] < 3 or array.dtype.kind not in "fiu":
            raise ValueError(
                f"{path}: points must be numbers of shape [n, 3 or more], got {array.dtype} "
                f"{array.shape}"
            )
    else:
        array, header = read_text(path)
    width = array.shape[1]
    names = list(reading.columns) if reading.columns is not None else header or _COLUMNS.get(width)
    if names is None or len(names) != width:
        given = "are unknown" if names is None else f"are named {names}"
        raise ValueError(
            f"{path}: {width} columns, which {given}; set dataset.reading.columns to {width} "
            "names such as [x,y,z,nx,ny,nz,label]; those of no use may have any name"
        )
    columns = {name.strip().lower(): array[:, i] for i, name in enumerate(names)}
    return MeshFile({key: value.astype(np.float64) for key, value in columns.items()}, None)


def _of_surface(
    path: Path, found: MeshFile, reading: CloudReading, needs: CloudNeeds,
    rng: np.random.Generator,
) -> Cloud:  # fmt: skip
    if needs.num_points is None:
        raise ValueError(f"{path} is a mesh: num_points must be given to sample its surface")
    if needs.labels or reading.features:
        raise ValueError(
            f"{path} is a mesh, whose surface has neither labels nor features of points; set "
            "dataset.reading.mesh=vertices to use its vertices"
        )
    try:
        return on_surface(found.mesh, needs.num_points, rng)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _cloud(
    path: Path, columns: Mapping[str, np.ndarray], reading: CloudReading, needs: CloudNeeds
) -> Cloud:
    points = _stacked(path, columns, ("x", "y", "z"), "positions")
    normals = None
    if needs.normals:
        normals = _stacked(path, columns, _NORMAL, "normals (dataset.normals=true)")
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        if not length.all():
            raise ValueError(f"{path}: the normal of point {int(length.argmin())} is 0")
        normals = normals / length
    features = None
    if reading.features:
        names = tuple(name.lower() for name in reading.features)
        features = _stacked(path, columns, names, "dataset.reading.features")
    labels = None
    if needs.labels:
        key = reading.label.lower()
        labels = _stacked(path, columns, (key,), "labels (dataset.reading.label)")[:, 0]
        if (odd := labels != labels.round()).any() or (odd := labels < 0).any():
            raise ValueError(
                f"{path}: labels must be whole numbers from 0, got {labels[odd][0]:g} for point "
                f"{int(odd.argmax())}"
            )
        labels = labels.astype(np.int64)
    return Cloud(points, normals, labels, features)


def _stacked(
    path: Path, columns: Mapping[str, np.ndarray], names: Sequence[str], what: str
) -> np.ndarray:
    if missing := [name for name in names if name not in columns]:
        raise ValueError(
            f"{path}: {what} need the columns {', '.join(names)}; {', '.join(missing)} are "
            f"missing, there are {', '.join(columns)}"
        )
    array = np.stack([columns[name] for name in names], 1)
    if not (finite := np.isfinite(array).all(1)).all():
        row = int(finite.argmin())
        raise ValueError(f"{path}: {', '.join(names)} of point {row} must be finite")
    return array


def _chosen(points: np.ndarray, needs: CloudNeeds, rng: np.random.Generator) -> np.ndarray:
    """The indices of the points that are taken, ascending; all if there are not more."""
    count = needs.num_points
    if count is None or count >= len(points):
        return np.arange(len(points))
    if needs.sampling == "random":
        return np.sort(rng.permutation(len(points))[:count])
    where = torch.from_numpy(points)
    owner = torch.zeros(len(points), dtype=torch.int64)
    # Points that are equal by a symmetry come together, so there may be more than asked for.
    return farthest_points(where, count / len(points), owner).kept.numpy()[:count]
