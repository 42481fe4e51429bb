"""Model inputs from a file with one point cloud or mesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geozoo.data import CloudReading, GeometricSpec, GraphStore
from geozoo.data.clouds._cloud_files import SUFFIXES, read_cloud
from geozoo.data.clouds._cloud_inputs import cloud_store, scaled
from geozoo.data.clouds.point_clouds import needs_of

#: Seed of the points that are taken of a cloud.
_SEED = 0


def reads_clouds(spec: GeometricSpec, path: Path) -> bool:
    """Whether a file is read as a point cloud: of a model of point clouds, and of such a format.

    Args:
        spec: the spec of the model's training data.
        path: the file.
    """
    return spec.record.dataset in ("point_clouds", "solids") and path.suffix.lower() in SUFFIXES


def read_cloud_file(path: Path, spec: GeometricSpec) -> tuple[GraphStore, Tensor, str]:
    """Read a cloud as in training, and without a rotation.

    Args:
        path: the file.
        spec: the spec of the model's training data.

    Returns:
        The inputs, the points that were taken ``[n, 3]`` as in the file, and a note on what was
        read.

    Raises:
        ValueError: If the model was trained with the kind of each cloud as an input, or the file
            is corrupt or lacks a column.
    """
    made = dict(spec.record.other)
    if made.get("given_kind"):
        raise ValueError(
            f"{path}: this model takes the kind of the solid as an input (given_kind=true), which "
            "a file of points does not state"
        )
    reading = CloudReading(**made.get("cloud_reading", {}))
    needs = needs_of(made, normals=spec.in_vectors > 0)
    cloud = read_cloud(path, reading, needs, np.random.default_rng(_SEED))
    try:
        inputs = scaled(cloud, made["scale"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    store = cloud_store([inputs], num_neighbors=made["neighbors"], normals=needs.normals)
    wanted = needs.num_points
    few = f", fewer than the {wanted} of training" if wanted and len(cloud) < wanted else ""
    note = f"{path.name}: {len(cloud)} points{few}; scale: {made['scale']}"
    return store, torch.from_numpy(cloud.points), note
