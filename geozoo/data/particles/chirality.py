"""Chirality: a classification task whose label flips under reflection only."""

from __future__ import annotations

import numpy as np
import torch

from geozoo.checks import check_seed
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.loader import LoaderOptions
from geozoo.data.record import DataRecord
from geozoo.data.spec import GeometricSpec
from geozoo.data.splits import split_hash
from geozoo.data.store import GraphStore

_KINDS = 4
_EVALUATION = 1000
#: Smallest volume of the parallelepiped, so that rounding cannot change a label.
_LEAST_VOLUME = 0.5
_VERSION = 1


class Chirality(GraphDataModule):
    r"""Four distinct points; the label is the sign of :math:`\det(p_1-p_0, p_2-p_0, p_3-p_0)`.

    Positions are normally distributed around the origin; nearly coplanar examples are redrawn.
    Distances and angles do not determine the label: a model whose scalar outputs are invariant
    under reflections has chance accuracy.

    ======= ========== ======= ==================================
    field   shape      dtype   meaning
    ======= ========== ======= ==================================
    ``pos`` ``[N, 3]`` float32 position (dimensionless)
    ``x``   ``[N, 4]`` float32 one-hot index of the point
    ``y``   ``[G]``    int64   0: left-handed, 1: right-handed
    ======= ========== ======= ==================================

    Args:
        loader: batch sizes, shuffling and device placement.
        num_train: training examples; there are 1000 validation and 1000 test examples.
        seed: random seed of the examples.

    Raises:
        ValueError: If ``num_train`` is below 1, or the seed is negative.
    """

    def __init__(self, *, loader: LoaderOptions, num_train: int = 2000, seed: int = 0) -> None:
        super().__init__(loader)
        if num_train < 1:
            raise ValueError(f"num_train must be at least 1, got {num_train!r}")
        self.num_train, self.seed = num_train, check_seed(seed)

    def load(self) -> LoadedData:
        """Draw the examples of all splits, each from its own random stream."""
        sizes = {"train": self.num_train, "val": _EVALUATION, "test": _EVALUATION}
        pos = np.concatenate(
            [_draw(count, (self.seed, part)) for part, count in enumerate(sizes.values())]
        )
        label = torch.from_numpy(_volume(pos) > 0).long()
        node = {
            "pos": torch.from_numpy(pos.astype(np.float32)).flatten(0, 1),
            "x": torch.eye(_KINDS).repeat(len(pos), 1),
        }
        store = GraphStore(torch.full((len(pos),), _KINDS), node, {"y": label})
        parts = torch.arange(len(pos)).split(list(sizes.values()))
        splits = self.limited(dict(zip(sizes, parts, strict=True)))
        record = DataRecord(
            dataset="chirality",
            source=f"generated v{_VERSION}, seed {self.seed}",
            split="in order",
            split_hash=split_hash(splits),
            sizes={part: len(index) for part, index in splits.items()},
        )
        spec = GeometricSpec(
            level="graph", dim=3, in_channels=_KINDS, out_channels=2, vector_fields=("pos",),
            units={"pos": "length", "x": "1", "y": "1"},
            statistics={"classes": ["left", "right"]}, record=record,
        )  # fmt: skip
        return LoadedData(store, splits, spec)


def _draw(count: int, seed: tuple[int, ...]) -> np.ndarray:
    """``[count, 4, 3]`` float64."""
    rng = np.random.default_rng(seed)
    pos = rng.normal(size=(count, _KINDS, 3))
    while (flat := np.abs(_volume(pos)) < _LEAST_VOLUME).any():
        pos[flat] = rng.normal(size=(int(flat.sum()), _KINDS, 3))
    return pos


def _volume(pos: np.ndarray) -> np.ndarray:
    return np.linalg.det(pos[:, 1:] - pos[:, :1])
