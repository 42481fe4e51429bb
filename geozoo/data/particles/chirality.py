"""Left or right: a task whose answer changes under reflection and nothing else."""

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
#: Least volume of the parallelepiped, so that no example is a matter of rounding.
_LEAST_VOLUME = 0.5
_VERSION = 1


class Chirality(GraphDataModule):
    r"""Four different points; the label is the sign of :math:`\det(p_1-p_0, p_2-p_0, p_3-p_0)`.

    Positions are normal around the origin; flat examples are drawn anew. Distances and angles do
    not tell the label: a model whose scalars are invariant under reflections is right by chance,
    however it is trained.

    ======= ========== ======= ==================================
    field   shape      dtype   meaning
    ======= ========== ======= ==================================
    ``pos`` ``[N, 3]`` float32 position (no unit)
    ``x``   ``[N, 4]`` float32 which of the four points it is
    ``y``   ``[G]``    int64   0: left-handed, 1: right-handed
    ======= ========== ======= ==================================

    Args:
        loader: batch sizes, order and residence.
        num_train: examples to train on; 1000 validate, 1000 test.
        seed: seed of the examples.

    Raises:
        ValueError: for fewer than one example, or a negative seed.
    """

    def __init__(self, *, loader: LoaderOptions, num_train: int = 2000, seed: int = 0) -> None:
        super().__init__(loader)
        if num_train < 1:
            raise ValueError(f"num_train must be at least 1, got {num_train!r}")
        self.num_train, self.seed = num_train, check_seed(seed)

    def load(self) -> LoadedData:
        """Draw the examples of all parts, each from a stream of its own."""
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
        splits = dict(zip(sizes, parts, strict=True))
        record = DataRecord(
            dataset="chirality",
            source=f"generated v{_VERSION}, seed {self.seed}",
            split="in order",
            split_hash=split_hash(splits),
            sizes=sizes,
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
