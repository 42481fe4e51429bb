"""The charged N-body benchmark, from the official files or the built-in simulator."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from geozoo.checks import check_seed
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.loader import LoaderOptions
from geozoo.data.particles._nbody_files import (
    PARTS,
    generate_part,
    generated_path,
    has_official_files,
    read_generated,
    read_official,
)
from geozoo.data.particles.nbody_simulator import SIMULATOR_VERSION, NBodyState
from geozoo.data.record import DataRecord
from geozoo.data.spec import GeometricSpec
from geozoo.data.splits import split_hash
from geozoo.data.store import GraphStore
from geozoo.files.folders import check_writable, data_folder

_LOG = logging.getLogger(__name__)
Variant = Literal["nbody_small", "nbody_small_out_dist"]
Source = Literal["auto", "official", "generate"]
#: Input and target frame of each variant.
FRAMES: Mapping[str, tuple[int, int]] = {
    "nbody_small": (30, 40),
    "nbody_small_out_dist": (20, 30),
}
_MAX_TRAIN = 10_000
#: Trajectories in each of the validation and test splits.
_NUM_EVALUATION = 2000


class NBody(GraphDataModule):
    """Five charged particles in free space: predict their positions ten frames later.

    The dataset of Satorras, Hoogeboom and Welling 2021 (arXiv 2102.09844, section 5.1) in its
    "small" version: 3000 trajectories for training, 2000 for validation and 2000 for testing.
    Every pair interacts, so a batch has no ``edge_index`` (a complete graph).

    ========= ============= ======= ====================================================
    field     shape         dtype   meaning (units of the simulation)
    ========= ============= ======= ====================================================
    ``pos``   ``[N, 3]``    float32 position at the input frame
    ``x``     ``[N, 1]``    float32 charge, -1 or 1
    ``vec``   ``[N, 1, 3]`` float32 velocity at the input frame
    ``y``     ``[N, 3]``    float32 position at the target frame
    ========= ============= ======= ====================================================

    Args:
        loader: batch sizes, shuffling and device placement.
        variant: ``"nbody_small"`` (frame 30 to 40) or ``"nbody_small_out_dist"`` (20 to 30).
        source: ``"official"`` reads the files of the published generator
            (``loc_train_charged5_initvel1small.npy``, ...) from the data folder; ``"generate"``
            simulates; ``"auto"`` reads the files if any exists and simulates otherwise. Results
            on the two sources are not comparable to the last digit; the data record states the
            source.
        num_train: number of training trajectories, taken from the start of the training split.
        seed: seed of the simulated trajectories.
        root: folder of all datasets, see :func:`geozoo.data.data_folder`; the files are in its
            subfolder ``nbody``.

    Raises:
        ValueError: If the variant or source is unknown, or ``num_train`` is not in 1..10000.
    """

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        variant: Variant = "nbody_small",
        source: Source = "auto",
        num_train: int = 3000,
        seed: int = 43,
        root: str | Path | None = None,
    ) -> None:
        super().__init__(loader)
        if variant not in FRAMES:
            raise ValueError(f"variant must be one of {tuple(FRAMES)}, got {variant!r}")
        if source not in get_args(Source):
            raise ValueError(f"source must be one of {get_args(Source)}, got {source!r}")
        if not isinstance(num_train, int) or not 1 <= num_train <= _MAX_TRAIN:
            raise ValueError(
                f"num_train must be a whole number in 1..{_MAX_TRAIN}, got {num_train!r}"
            )
        self.variant, self.source = variant, source
        self.num_train, self.seed = num_train, check_seed(seed)
        self.folder = data_folder("nbody", root)

    @property
    def is_official(self) -> bool:
        """Whether the official files are used rather than generated ones."""
        if self.source == "auto":
            return has_official_files(self.folder)
        return self.source == "official"

    def prepare_data(self) -> None:
        """Simulate the trajectories that are not cached yet."""
        if self.is_official:
            return
        for part, count in self._counts().items():
            path = generated_path(self.folder, part, count=count, seed=self.seed)
            if not path.is_file():
                check_writable(self.folder)
                generate_part(path, part, count=count, seed=self.seed)

    def load(self) -> LoadedData:
        """Read both frames of all trajectories."""
        counts = self._counts()
        states = [self._read(part, count) for part, count in counts.items()]
        store = _make_store(states)
        ends = np.cumsum(list(counts.values())).tolist()
        splits = self.limited({
            part: torch.arange(end - count, end)
            for (part, count), end in zip(counts.items(), ends, strict=True)
        })  # fmt: skip
        spec = GeometricSpec(
            level="node",
            dim=3,
            in_channels=1,
            in_vectors=1,
            out_vectors=1,
            vector_fields=("pos", "vec", "y"),
            units={"pos": "length", "x": "charge", "vec": "length/time", "y": "length"},
            record=self._record(store, splits),
        )
        _LOG.info("n-body data: %s", spec.record.source)
        return LoadedData(store, splits, spec)

    def _counts(self) -> dict[str, int]:
        sizes = {"train": self.num_train, "val": _NUM_EVALUATION, "test": _NUM_EVALUATION}
        return {part: sizes[part] for part in PARTS}

    def _read(self, part: str, count: int) -> NBodyState:
        frames = FRAMES[self.variant]
        if self.is_official:
            return read_official(self.folder, part, count=count, frames=frames)
        path = generated_path(self.folder, part, count=count, seed=self.seed)
        return read_generated(path, count=count, frames=frames)

    def _record(self, store: GraphStore, splits: Mapping[str, Tensor]) -> DataRecord:
        generated = f"generated, seed {self.seed}, simulator v{SIMULATOR_VERSION}"
        digest = hashlib.sha256(b"".join(t.numpy().tobytes() for t in store.node.values()))
        return DataRecord(
            dataset="nbody",
            variant=self.variant,
            source="official" if self.is_official else generated,
            split="the parts of the generator, each from its first trajectory on",
            split_hash=split_hash(splits),
            data_hash=digest.hexdigest()[:12],
            sizes={part: len(index) for part, index in splits.items()},
            other={"frames": list(FRAMES[self.variant])},
        )


def _make_store(states: list[NBodyState]) -> GraphStore:
    pos = np.concatenate([state.pos for state in states])
    vel = np.concatenate([state.vel for state in states])
    charge = np.concatenate([state.charge for state in states])
    num_systems, _, num_particles, _ = pos.shape

    def rows(values: np.ndarray, *shape: int) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).reshape(-1, *shape)

    node = {
        "pos": rows(pos[:, 0], 3),
        "x": rows(charge, 1),
        "vec": rows(vel[:, 0], 1, 3),
        "y": rows(pos[:, 1], 3),
    }
    return GraphStore(torch.full((num_systems,), num_particles), node=node)
