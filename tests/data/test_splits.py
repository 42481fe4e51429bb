"""Dataset splits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from geozoo.data import check_split, every_nth, random_split, read_index_file, split_hash


def test_random_split_is_seeded_disjoint_and_complete() -> None:
    sizes = {"train": 6, "val": 2, "test": 2}
    torch.manual_seed(0)
    first = random_split(10, sizes, seed=3)
    torch.manual_seed(1)
    second = random_split(10, sizes, seed=3)
    assert {part: len(index) for part, index in first.items()} == sizes
    assert sorted(torch.cat(list(first.values())).tolist()) == list(range(10))
    assert all(torch.equal(first[part], second[part]) for part in sizes)
    assert split_hash(random_split(10, sizes, seed=4)) != split_hash(first)


@pytest.mark.parametrize(
    ("num_graphs", "sizes", "expected"),
    [
        (10, {"train": 0.8, "val": 0.1, "test": 0.1}, [8, 1, 1]),
        (7, {"train": 0.5, "val": 0.25, "test": 0.25}, [3, 1, 3]),  # the last takes the rest
        (10, {"train": 0.5, "val": 0.2}, [5, 2]),  # fractions below 1 leave graphs out
        (10, {"train": 3, "val": 2}, [3, 2]),
    ],
)
def test_sizes_of_parts(num_graphs: int, sizes: dict, expected: list[int]) -> None:
    assert [len(part) for part in random_split(num_graphs, sizes, seed=0).values()] == expected


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"train": 8, "val": 3}, "exceed the 10 available graphs"),
        ({"train": 0.8, "val": 0.3}, "exceed the 10 available graphs"),
        ({"train": 8, "val": 0.1}, "must all be whole numbers or all be fractions"),
        ({}, "must all be whole numbers"),
        ({"train": -1, "val": 2}, "must not be negative"),
        ({"train": 0.9, "val": 0.05}, r"leave \['val'\] empty"),
    ],
)
def test_impossible_sizes_are_rejected(sizes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        random_split(10, sizes, seed=0)


def test_every_nth() -> None:
    assert every_nth(10, 4).tolist() == [0, 4, 8]
    assert every_nth(10, 4, offset=3).tolist() == [3, 7]
    with pytest.raises(ValueError, match="step must be at least 1"):
        every_nth(10, 0)
    with pytest.raises(ValueError, match="0 <= offset < step"):
        every_nth(10, 4, offset=4)


def test_index_file(tmp_path: Path) -> None:
    path = tmp_path / "index.csv"
    path.write_text("3\n0\n12\n")
    assert read_index_file(path).tolist() == [3, 0, 12]
    path.write_text("3\n0.5\n")
    with pytest.raises(ValueError, match="must hold one whole number per line"):
        read_index_file(path)
    path.write_text("\n")
    with pytest.raises(ValueError, match="index.csv is empty"):
        read_index_file(path)
    with pytest.raises(FileNotFoundError, match="there is no index file"):
        read_index_file(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"train": [0, 1], "val": [2, 1]}, "1 indices are both in 'train' and in 'val'"),
        ({"train": [0, 1], "val": [5]}, "'val' has indices from 5 to 5; .* has 5 graphs"),
        ({"train": [-1, 1]}, "'train' has indices from -1"),
        ({"train": [2, 2]}, "'train' contains an index twice"),
        ({"train": []}, "the part 'train' is empty"),
    ],
)
def test_wrong_splits_are_rejected(split: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_split({part: torch.tensor(index).long() for part, index in split.items()}, 5)


def test_hash_names_which_graphs_are_where() -> None:
    split = {"train": torch.tensor([0, 2]), "val": torch.tensor([1])}
    name = split_hash(split)
    assert len(name) == 12
    assert split_hash({"val": torch.tensor([1]), "train": torch.tensor([2, 0])}) == name
    assert split_hash({"train": torch.tensor([0, 1]), "val": torch.tensor([2])}) != name
    assert split_hash({"train": torch.tensor([0]), "val": torch.tensor([1, 2])}) != name
