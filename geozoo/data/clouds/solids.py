"""Solids and mechanical parts as point clouds, made from analytic surfaces."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, get_args

import numpy as np
import torch

from geozoo.checks import check_choice, check_positive, check_seed
from geozoo.data.clouds._assemblies import outer_points
from geozoo.data.clouds._cloud_inputs import Cloud, cloud_spec, cloud_store, scaled, turned
from geozoo.data.clouds._kinds_of_solids import KINDS, part_names
from geozoo.data.clouds.cloud_options import CloudRotation, CloudTarget
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.loader import LoaderOptions
from geozoo.data.record import DataRecord
from geozoo.data.spec import GeometricSpec
from geozoo.data.splits import Split, split_hash
from geozoo.data.store import GraphStore
from geozoo.options import grouped

_VERSION = 1


class Solids(GraphDataModule):
    r"""Clouds of points on solids; the target is the kind of each, or the part of each point.

    Points are uniform by area on the outer surface of a union of solids, whose proportions are
    random. Clouds are relative to the mean of their points, the farthest of which is at distance
    1; then noise is added, and clouds are rotated.

    ============== ============= ======= ==========================================
    field          shape         dtype   meaning
    ============== ============= ======= ==========================================
    ``pos``        ``[N, 3]``    float32 position
    ``x``          ``[N, F]``    float32 ones; with ``given_kind`` one-hot kinds, too
    ``vec``        ``[N, 1, 3]`` float32 outward unit normal, if chosen
    ``edge_index`` ``[2, E]``    int64   edges from the nearest points, if chosen
    ``y``          ``[G]``       int64   kind of the solid, for ``target="class"``
    ``part``       ``[N]``       int64   part of each point, for ``target="parts"``
    ============== ============= ======= ==========================================

    Args:
        loader: batch sizes, shuffling and device placement.
        target: ``class`` (of each cloud) or ``parts`` (of each point).
        kinds: the kinds of solids; None: all, or all with several parts for ``parts``.
        num_points: points of each cloud.
        num_train: training clouds; kinds are equally frequent.
        num_eval: validation clouds, and test clouds.
        noise: standard deviation of the noise of each coordinate, in radii of the unit sphere.
        normals: whether outward normals are inputs.
        given_kind: whether the kind is an input, for ``parts`` only.
        num_neighbors: nearest points of each point from which it gets edges; None: no edges.
        rotation: random rotations of training and of test clouds.
        seed: random seed of the clouds and their rotations.

    Raises:
        ValueError: If a choice is unknown or a number out of range.
    """

    dim: ClassVar[int | None] = 3

    @grouped("rotation")
    def __init__(
        self,
        *,
        loader: LoaderOptions,
        target: CloudTarget = "class",
        kinds: Sequence[str] | None = None,
        num_points: int = 128,
        num_train: int = 1200,
        num_eval: int = 300,
        noise: float = 0.01,
        normals: bool = False,
        given_kind: bool = False,
        num_neighbors: int | None = 10,
        rotation: CloudRotation = CloudRotation(),  # noqa: B008
        seed: int = 0,
    ) -> None:
        super().__init__(loader)
        check_choice("target", target, get_args(CloudTarget))
        check_positive(num_points=num_points, num_train=num_train, num_eval=num_eval)
        if num_neighbors is not None:
            check_positive(num_neighbors=num_neighbors)
        if not 0.0 <= noise < 1.0:
            raise ValueError(f"noise must be at least 0 and below 1, got {noise!r}")
        if given_kind and target == "class":
            raise ValueError("given_kind=true would give the target of target=class as an input")
        self.target, self.kinds = target, _checked_kinds(kinds, target)
        self.num_points, self.num_train, self.num_eval = num_points, num_train, num_eval
        self.noise, self.normals, self.given_kind = float(noise), normals, given_kind
        self.num_neighbors, self.seed = num_neighbors, check_seed(seed)
        self.rotation = rotation
        of_parts = [name for kind in self.kinds for name in part_names(kind)]
        self.classes = list(self.kinds) if target == "class" else of_parts

    @property
    def augmentation_conflict(self) -> str | None:
        """See `GraphDataModule.augmentation_conflict`."""
        return self.rotation.conflict

    def load(self) -> LoadedData:
        """Draw all clouds, each from its own random stream."""
        sizes = {"train": self.num_train, "val": self.num_eval, "test": self.num_eval}
        clouds, kinds = [], []
        for number, (part, count) in enumerate(sizes.items()):
            for index in range(count):
                kinds.append(index % len(self.kinds))
                seed = (self.seed, number, index)
                cloud = self._cloud(self.kinds[kinds[-1]], np.random.default_rng(seed))
                clouds.append(turned(cloud, self.rotation.of(part), (*seed, 1)))
        store = self._store(clouds, torch.tensor(kinds))
        parts = torch.arange(len(clouds)).split(list(sizes.values()))
        splits = self.limited(dict(zip(sizes, parts, strict=True)))
        return LoadedData(store, splits, self._spec(store, splits))

    def _cloud(self, kind: str, rng: np.random.Generator) -> Cloud:
        solids = KINDS[kind](rng)
        found = outer_points(solids, self.num_points, rng)
        labels = None
        if self.target == "parts":
            of_part = np.array([self.classes.index(solid.name) for solid in solids])
            labels = of_part[found.part]
        cloud = scaled(Cloud(found.points, found.normals, labels), "unit_sphere")
        noise = rng.normal(size=cloud.points.shape)
        return replace(cloud, points=cloud.points + self.noise * noise)

    def _store(self, clouds: Sequence[Cloud], kinds: torch.Tensor) -> GraphStore:
        if self.given_kind:
            columns = np.eye(len(self.kinds))[kinds.numpy()]
            clouds = [
                replace(cloud, features=np.repeat(row[None], len(cloud), 0))
                for cloud, row in zip(clouds, columns, strict=True)
            ]
        labels = [cloud.labels for cloud in clouds if cloud.labels is not None]
        return cloud_store(
            clouds, num_neighbors=self.num_neighbors, normals=self.normals,
            graph={"y": kinds} if self.target == "class" else {},
            node={"part": torch.from_numpy(np.concatenate(labels))} if labels else {},
        )  # fmt: skip

    def _spec(self, store: GraphStore, splits: Split) -> GeometricSpec:
        digest = hashlib.sha256(b"".join(t.numpy().tobytes() for t in store.node.values()))
        record = DataRecord(
            dataset="solids", variant=f"{self.target} {self.rotation.protocol}",
            target=self.target, source=f"generated v{_VERSION}, seed {self.seed}",
            split="in order, each cloud from its own random stream", split_hash=split_hash(splits),
            data_hash=digest.hexdigest()[:12],
            sizes={part: len(index) for part, index in splits.items()},
            other={
                "rotation": self.rotation.protocol, "kinds": list(self.kinds),
                "points": self.num_points, "noise": self.noise,
                "scale": "unit_sphere", "neighbors": self.num_neighbors,
                "given_kind": self.given_kind,
            },
        )  # fmt: skip
        return cloud_spec(store, self.target, self.classes, record)


def _checked_kinds(kinds: Sequence[str] | None, target: CloudTarget) -> tuple[str, ...]:
    if kinds is None:
        return tuple(k for k in KINDS if target == "class" or len(part_names(k)) > 1)
    found = tuple(str(kind) for kind in kinds)
    if isinstance(kinds, str) or not found or len(set(found)) < len(found) or set(found) - {*KINDS}:
        raise ValueError(f"kinds must be different names of {tuple(KINDS)}, got {kinds!r}")
    names = sum(len(part_names(kind)) for kind in found)
    if (len(found) if target == "class" else names) < 2:
        raise ValueError(f"kinds must have at least two classes for target={target}, got {found}")
    return found
