"""Your own point clouds and meshes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np
import torch

from geozoo.checks import check_choice, check_positive, check_seed
from geozoo.data.clouds._cloud_files import CloudNeeds, Sampling, read_cloud
from geozoo.data.clouds._cloud_folder import CloudFile, find_clouds, splits_of
from geozoo.data.clouds._cloud_inputs import Cloud, cloud_spec, cloud_store, scaled, turned
from geozoo.data.clouds.cloud_options import CloudReading, CloudRotation, CloudTarget, Scale
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.loader import LoaderOptions
from geozoo.data.record import DataRecord
from geozoo.data.spec import GeometricSpec
from geozoo.data.splits import PARTS, Split, split_hash
from geozoo.data.store import GraphStore
from geozoo.files.checksums import file_sha256
from geozoo.files.progress import progress_bar
from geozoo.options import grouped

_LOG = logging.getLogger(__name__)


class PointClouds(GraphDataModule):
    """Clouds of points from files; the target is the class of each, or the label of each point.

    ============== ============= ======= ======================================================
    field          shape         dtype   meaning
    ============== ============= ======= ======================================================
    ``pos``        ``[N, 3]``    float32 position, scaled by ``scale``
    ``x``          ``[N, F]``    float32 ones, then the columns ``reading.features``
    ``vec``        ``[N, 1, 3]`` float32 unit normal, if chosen
    ``edge_index`` ``[2, E]``    int64   edges from the nearest points, if chosen
    ``y``          ``[G]``       int64   class of the cloud, for ``target="class"``
    ``part``       ``[N]``       int64   label of each point, for ``target="parts"``
    ============== ============= ======= ======================================================

    Args:
        path: a folder with a folder of files per class, with or without folders ``train``, ``val``
            and ``test`` in these; or an index, a CSV file with the columns ``file``, ``label`` and
            optionally ``split``. Files are OFF and PLY (by trimesh), TXT, XYZ, CSV and NPY.
            Nothing is unpickled.
        loader: batch sizes, shuffling and device placement.
        target: ``class`` (of each cloud) or ``parts`` (of each point).
        classes: names of the labels of points in the order of their numbers; None: the numbers.
        num_points: points of each cloud, or of the surface of a mesh; None: all points of clouds.
        sampling: which points of a cloud with more are taken, ``random`` or ``farthest``.
        normals: whether normals are inputs: columns of clouds, or of the faces of meshes.
        num_neighbors: nearest points of each point from which it gets edges; None: no edges.
        scale: ``unit_sphere``: relative to the mean of the points, the farthest at distance 1;
            ``centre``: relative to the mean; ``none``: as in the files.
        rotation: random rotations of training and of test clouds, about the mean of the points.
        reading: how files are read.
        fractions: shares of training, validation and test clouds, where the files state no splits.
        split_seed: seed of these splits.
        seed: seed of the points that are taken and of rotations.

    Raises:
        ValueError: If a choice is unknown or a number out of range.
    """

    dim: ClassVar[int | None] = 3
    standard_task: ClassVar[str | None] = "classification"

    @grouped("rotation", "reading")
    def __init__(
        self,
        *,
        path: str | Path,
        loader: LoaderOptions,
        target: CloudTarget = "class",
        classes: Sequence[str] | None = None,
        num_points: int | None = 1024,
        sampling: Sampling = "random",
        normals: bool = False,
        num_neighbors: int | None = 16,
        scale: Scale = "unit_sphere",
        rotation: CloudRotation = CloudRotation(test="none"),  # noqa: B008
        reading: CloudReading = CloudReading(),  # noqa: B008
        fractions: Sequence[float] = (0.8, 0.1, 0.1),
        split_seed: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(loader)
        for name, value, known in (
            ("target", target, CloudTarget), ("sampling", sampling, Sampling),
            ("scale", scale, Scale),
        ):  # fmt: skip
            check_choice(name, value, get_args(known))
        for name, size in (("num_points", num_points), ("num_neighbors", num_neighbors)):
            if size is not None:
                check_positive(**{name: size})
        if len(fractions) != len(PARTS) or not all(0 < share < np.inf for share in fractions):
            raise ValueError(f"fractions must be positive, those of {PARTS}, got {fractions}")
        if classes is not None and target == "class":
            raise ValueError("classes are names of labels of points; those of clouds are folders")
        if scale == "none" and (rotation.train, rotation.test) != ("none", "none"):
            _LOG.info("clouds are rotated about the origin of their files, as scale=none")
        self.path, self.target = Path(path).expanduser(), target
        self.classes = None if classes is None else [str(each) for each in classes]
        self.needs = CloudNeeds(normals, target == "parts", num_points, sampling)
        self.num_neighbors, self.scale = num_neighbors, scale
        self.rotation, self.reading = rotation, reading
        self.fractions = dict(zip(PARTS, (float(each) for each in fractions), strict=True))
        self.split_seed, self.seed = check_seed(split_seed, "split_seed"), check_seed(seed)

    @property
    def augmentation_conflict(self) -> str | None:
        """See `GraphDataModule.augmentation_conflict`."""
        return self.rotation.conflict

    def load(self) -> LoadedData:
        """Read all files.

        Raises:
            ImportError: If a file needs trimesh, which is not installed.
            FileNotFoundError: If a file does not exist.
            ValueError: If a file is corrupt or lacks a column, or there are fewer than two classes.
        """
        files = find_clouds(self.path, has_classes=self.target == "class")
        splits, made = splits_of(files, self.fractions, self.split_seed)
        part_of = {row: part for part, rows in splits.items() for row in rows.tolist()}
        clouds, digest = [], hashlib.sha256()
        with progress_bar("Reading clouds", len(files)) as advance:
            for row, file in enumerate(files):
                clouds.append(self._cloud(file, row, part_of[row]))
                digest.update(f"{file.name}:{file_sha256(file.path)};".encode())
                advance(1)
        self._report(files, clouds)
        if self.target == "class":
            names = sorted({file.kind for file in files})
            labels = torch.tensor([names.index(file.kind) for file in files])
        else:
            names, labels = _parts(clouds, self.classes)
        if len(names) < 2:
            raise ValueError(f"path: {self.path} has one class only, {names[0]}; two are needed")
        of_class = self.target == "class"
        store = cloud_store(
            clouds, num_neighbors=self.num_neighbors, normals=self.needs.normals,
            graph={"y": labels} if of_class else {}, node={} if of_class else {"part": labels},
        )  # fmt: skip
        splits = self.limited(splits)
        spec = self._spec(store, splits, names, made, digest.hexdigest()[:16])
        return LoadedData(store, splits, spec)

    def _cloud(self, file: CloudFile, row: int, part: str) -> Cloud:
        rng = np.random.default_rng((self.seed, row))
        cloud = read_cloud(file.path, self.reading, self.needs, rng)
        try:
            cloud = scaled(cloud, self.scale)
        except ValueError as error:
            raise ValueError(f"{file.path}: {error}") from error
        return turned(cloud, self.rotation.of(part), (self.seed, row, 1))

    def _report(self, files: Sequence[CloudFile], clouds: Sequence[Cloud]) -> None:
        sizes = [len(cloud) for cloud in clouds]
        _LOG.info(
            "%s: %d clouds of %d to %d points", self.path.name, len(files), min(sizes), max(sizes)
        )
        count = self.needs.num_points
        if count is not None and (few := sum(size < count for size in sizes)):
            _LOG.info("%d clouds have fewer than %d points, of which all are used", few, count)

    def _spec(
        self, store: GraphStore, splits: Split, names: list[str], made: str, digest: str
    ) -> GeometricSpec:
        record = DataRecord(
            dataset="point_clouds", variant=f"{self.target} {self.rotation.protocol}",
            target=self.target, source=self.path.name, source_hash=digest, split=made,
            split_hash=split_hash(splits),
            sizes={part: len(index) for part, index in splits.items()},
            other=self._inputs(),
        )  # fmt: skip
        return cloud_spec(store, self.target, names, record)

    def _inputs(self) -> dict[str, Any]:
        """How inputs were made, for the record and for predictions."""
        reading = asdict(self.reading)
        columns = reading["columns"]
        reading |= {
            "columns": None if columns is None else list(columns),
            "features": list(reading["features"]),
        }
        return {
            "rotation": self.rotation.protocol, "points": self.needs.num_points,
            "sampling": self.needs.sampling, "scale": self.scale,
            "neighbors": self.num_neighbors, "cloud_reading": reading,
        }  # fmt: skip


def _parts(
    clouds: Sequence[Cloud], classes: Sequence[str] | None
) -> tuple[list[str], torch.Tensor]:
    """The names of the labels that occur, or those given, and the index of each point's label."""
    labels = np.concatenate([cloud.labels for cloud in clouds if cloud.labels is not None])
    if classes is None:
        found, index = np.unique(labels, return_inverse=True)
        return [str(each) for each in found.tolist()], torch.from_numpy(index.reshape(-1))
    if labels.max(initial=0) >= len(classes) or len(set(classes)) < len(classes):
        raise ValueError(
            f"classes must be different names of all labels, 0 to {labels.max()}, got "
            f"{list(classes)}"
        )
    return list(classes), torch.from_numpy(labels)


def needs_of(record: Mapping[str, Any], *, normals: bool) -> CloudNeeds:
    """What a cloud must have for predictions.

    Args:
        record: the entries `DataRecord.other` of the training data.
        normals: whether normals are inputs.
    """
    return CloudNeeds(normals, False, record["points"], record.get("sampling", "random"))
