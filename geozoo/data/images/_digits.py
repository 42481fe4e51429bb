"""Splits and specification shared by all MNIST variants."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from geozoo.data.datamodule import LoadedData
from geozoo.data.images.image_store import ImageStore
from geozoo.data.record import DataRecord
from geozoo.data.spec import GeometricSpec
from geozoo.data.splits import Split, random_split, split_hash
from geozoo.data.store import GraphStore

_VALIDATION = 0.1


def digit_data(
    store: GraphStore | ImageStore, num_train: int, *, name: str, source: str, split_seed: int,
    limited: Callable[[Split], dict[str, Tensor]],
) -> LoadedData:  # fmt: skip
    """Split off a validation set (10 % of the training set) and describe the data.

    Args:
        store: the official training set, followed by the test set.
        num_train: size of the official training set.
        name: name of the dataset.
        source: origin of the graphs.
        split_seed: seed of the validation split.
        limited: see `geozoo.data.GraphDataModule.limited`.
    """
    splits = random_split(
        num_train, {"train": 1 - _VALIDATION, "val": _VALIDATION}, seed=split_seed
    )
    splits = limited({**splits, "test": torch.arange(num_train, len(store))})
    record = DataRecord(
        dataset=name,
        source=source,
        split=f"official test part; a tenth of the rest validates, seed {split_seed}",
        split_hash=split_hash(splits),
        sizes={part: len(index) for part, index in splits.items()},
    )
    spec = GeometricSpec(
        level="graph",
        dim=2,
        in_channels=1,
        out_channels=10,
        vector_fields=("pos",),
        target="y",
        lattice=store.shape if isinstance(store, ImageStore) else None,
        units={"pos": "pixel", "x": "1", "y": "1"},
        statistics={"classes": [str(digit) for digit in range(10)]},
        record=record,
    )
    return LoadedData(store, splits, spec)
