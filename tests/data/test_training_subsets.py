"""Parts of training sets for learning curves."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from geozoo.data import (
    Chirality,
    LoaderOptions,
    RoadGraphs,
    TrafficSynthetic,
    forecast_protocol,
)
from geozoo.data.splits import Split, with_fewer

SPLITS = {"train": torch.arange(10, 40), "val": torch.arange(5), "test": torch.arange(5, 10)}


def test_parts_are_nested_and_leave_the_other_splits_alone() -> None:
    parts = [with_fewer(SPLITS, size, seed=3) for size in (3, 8, 30)]
    sets = [set(part["train"].tolist()) for part in parts]
    assert [len(each) for each in sets] == [3, 8, 30] and sets[0] < sets[1] < sets[2]
    for part in parts:
        assert part["val"].equal(SPLITS["val"]) and part["test"].equal(SPLITS["test"])
    assert set(with_fewer(SPLITS, 8, seed=4)["train"].tolist()) != sets[1]
    assert with_fewer(SPLITS, None, seed=0)["train"].equal(SPLITS["train"])


def test_windows_of_a_series_are_the_last_ones() -> None:
    part = with_fewer(SPLITS, 4, seed=3, is_series=True)
    assert part["train"].tolist() == [36, 37, 38, 39]


def test_more_samples_than_there_are() -> None:
    with pytest.raises(ValueError, match=r"loader.num_train must be at most 30, .* got 31"):
        with_fewer(SPLITS, 31, seed=0)
    with pytest.raises(ValueError, match="num_train must be a whole number of at least 1"):
        LoaderOptions(batch_size=5, num_train=0)


def test_a_dataset_has_fewer_samples_and_says_so() -> None:
    whole = Chirality(loader=LoaderOptions(batch_size=5), num_train=50)
    part = Chirality(loader=LoaderOptions(batch_size=5, num_train=20, subset_seed=1), num_train=50)
    assert len(part.splits["train"]) == 20 == part.spec.record.sizes["train"]
    assert part.splits["test"].equal(whole.splits["test"])
    assert part.spec.record.split_hash != whole.spec.record.split_hash


def test_statistics_come_from_the_part() -> None:
    def statistics(num_train: int | None) -> str:
        data = TrafficSynthetic(
            loader=LoaderOptions(batch_size=5, num_train=num_train), protocol=forecast_protocol(),
            graphs=RoadGraphs(), num_sensors=4, num_days=7,
        )  # fmt: skip
        return str(data.spec.statistics)

    assert statistics(None) != statistics(30)


class _Own(Chirality):
    """A dataset of a user that does not know of parts."""

    def limited(self, splits: Split) -> dict[str, Tensor]:
        return dict(splits)


def test_a_dataset_that_ignores_the_number_is_refused() -> None:
    own = _Own(loader=LoaderOptions(batch_size=5, num_train=2), num_train=4)
    with pytest.raises(ValueError, match="loader.num_train: _Own.load does not support it"):
        own.setup()
