"""From clouds of points to graphs: scale, rotation, neighbours and fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geozoo.data.clouds.cloud_options import CloudTarget, Rotation, Scale
from geozoo.data.record import DataRecord
from geozoo.data.spec import GeometricSpec
from geozoo.data.store import GraphStore
from geozoo.geometry import nearest_graph, random_rotations

#: Points whose neighbours are found at once.
_AT_ONCE = 4096


@dataclass(frozen=True)
class Cloud:
    """A point cloud.

    Attributes:
        points: ``[n, 3]`` float64.
        normals: unit normals ``[n, 3]``, if known.
        labels: ``[n]`` index of the part of each point, if known.
        features: further columns ``[n, F]``, if any.
    """

    points: np.ndarray
    normals: np.ndarray | None = None
    labels: np.ndarray | None = None
    features: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of points."""
        return len(self.points)

    def taken(self, index: np.ndarray) -> Cloud:
        """The cloud of some of the points."""
        rows: dict[str, Any] = {
            name: None if value is None else value[index] for name, value in vars(self).items()
        }
        return Cloud(**rows)


def scaled(cloud: Cloud, scale: Scale) -> Cloud:
    """A cloud relative to the mean of its points, and with its farthest point at distance 1.

    Args:
        cloud: the cloud.
        scale: ``unit_sphere`` (both), ``centre`` (mean only) or ``none``.

    Raises:
        ValueError: If all points coincide, so that there is no unit sphere.
    """
    if scale == "none":
        return cloud
    points = cloud.points - cloud.points.mean(0)
    if scale == "unit_sphere":
        radius = float(np.linalg.norm(points, axis=1).max(initial=0.0))
        if radius == 0.0:
            raise ValueError("all points coincide, so the cloud cannot be scaled to a unit sphere")
        points = points / radius
    return replace(cloud, points=points)


def turned(cloud: Cloud, rotation: Rotation, seed: Sequence[int]) -> Cloud:
    """A cloud rotated at random about the origin.

    Args:
        cloud: the cloud.
        rotation: ``none``, ``z`` or ``all``.
        seed: numbers that determine the rotation.
    """
    if rotation == "none":
        return cloud
    state = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    generator = torch.Generator().manual_seed(int(state[0] >> 1))
    matrix = np.eye(3)
    dim = 2 if rotation == "z" else 3
    drawn = random_rotations(1, dim, generator=generator, dtype=torch.float64)
    matrix[:dim, :dim] = drawn[0].numpy()
    normals = None if cloud.normals is None else cloud.normals @ matrix.T
    return replace(cloud, points=cloud.points @ matrix.T, normals=normals)


def cloud_store(
    clouds: Sequence[Cloud], *, num_neighbors: int | None, normals: bool,
    graph: dict[str, Tensor] | None = None, node: dict[str, Tensor] | None = None,
) -> GraphStore:  # fmt: skip
    """The clouds as graphs, with a column of ones and further features as ``x``.

    Args:
        clouds: the clouds.
        num_neighbors: neighbours of each point whose edges are stored; None: no edges.
        normals: whether normals are inputs, ``vec``.
        graph: fields of graphs.
        node: further fields of nodes.
    """
    sizes = torch.tensor([len(cloud) for cloud in clouds])
    pos = _rows([cloud.points for cloud in clouds])
    x = [torch.ones(len(pos), 1)]
    if clouds and clouds[0].features is not None:
        x.append(_rows([cloud.features for cloud in clouds if cloud.features is not None]))
    fields = {"pos": pos, "x": torch.cat(x, 1), **(node or {})}
    if normals:
        given = [cloud.normals for cloud in clouds if cloud.normals is not None]
        fields["vec"] = _rows(given)[:, None]
    if num_neighbors is None:
        return GraphStore(sizes, node=fields, graph=graph)
    edge_index, num_edges = nearest_edges(pos, sizes, num_neighbors)
    return GraphStore(
        sizes, node=fields, graph=graph, edge_index=edge_index, num_edges=num_edges
    )  # fmt: skip


def cloud_spec(
    store: GraphStore, target: CloudTarget, classes: Sequence[str], record: DataRecord
) -> GeometricSpec:
    """The spec of clouds, or of their points, to be classified.

    Args:
        store: the clouds, see `cloud_store`.
        target: ``class`` (field ``y``) or ``parts`` (field ``part``).
        classes: names of the classes.
        record: how the data were made.
    """
    field, has_normals = "y" if target == "class" else "part", "vec" in store.node
    return GeometricSpec(
        level="graph" if target == "class" else "node", dim=3,
        in_channels=store.node["x"].shape[1], in_vectors=int(has_normals),
        out_channels=len(classes), target=field,
        vector_fields=("pos", "vec") if has_normals else ("pos",),
        units={"pos": "length", "x": "1", field: "1", **({"vec": "1"} if has_normals else {})},
        statistics={"classes": list(classes)}, record=record,
    )  # fmt: skip


def nearest_edges(pos: Tensor, sizes: Tensor, num_neighbors: int) -> tuple[Tensor, Tensor]:
    """Edges from the nearest points, numbered within each cloud, and their number per cloud.

    Args:
        pos: ``[N, 3]`` points of all clouds.
        sizes: ``[S]`` points of each cloud.
        num_neighbors: neighbours of each point; of equally near ones all are taken.
    """
    edges, counts = [torch.empty(2, 0, dtype=torch.int64)], [sizes[:0]]
    ends = sizes.cumsum(0)
    group = (ends - 1) // _AT_ONCE
    for number in group.unique().tolist():
        rows = (group == number).nonzero()[:, 0]
        start, end = int(ends[rows[0]] - sizes[rows[0]]), int(ends[rows[-1]])
        owner = torch.repeat_interleave(torch.arange(len(rows)), sizes[rows])
        found = nearest_graph(pos[start:end], num_neighbors, owner, len(rows))
        first = ends[rows] - sizes[rows] - start
        cloud = owner[found[1]]
        edges.append(found - first[cloud])
        counts.append(torch.bincount(cloud, minlength=len(rows)))
    return torch.cat(edges, 1), torch.cat(counts)


def _rows(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.concatenate(arrays).astype(np.float32))
