"""Whether two runs are the same, bit for bit."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import torch

#: What a checkpoint says of the clock, the machine and the words that were typed.
_OF_THE_MACHINE = ("Timer", "Hardware", "ModelCheckpoint")


def read_last(folder: Path, name: str = "last") -> dict[str, Any]:
    """A checkpoint of a run folder."""
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def read_rows(folder: Path, name: str = "metrics.csv") -> list[dict[str, str]]:
    """The rows of a table of a run folder."""
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def assert_equal(value: Any, other: Any, where: str = "") -> None:
    """Compare nested plain data with tensors exactly."""
    assert type(value) is type(other), where
    if isinstance(value, dict):
        assert value.keys() == other.keys(), where
        for key in value:
            assert_equal(value[key], other[key], f"{where}.{key}")
    elif isinstance(value, torch.Tensor):
        assert torch.equal(value, other), where
    elif isinstance(value, (list, tuple)):
        assert len(value) == len(other), where
        for i, (item, its) in enumerate(zip(value, other, strict=True)):
            assert_equal(item, its, f"{where}[{i}]")
    else:
        assert value == other or (value != value and other != other), where


def assert_same_run(one: Path, other: Path) -> None:
    """Weights, averages, optimiser, schedule, callbacks, metrics and results are equal."""
    for name in ("last", "best"):
        both = [read_last(folder, name) for folder in (one, other)]
        assert both[0].keys() == both[1].keys()
        for part in both[0].keys() - {"geozoo", "callbacks", "loops", "hparams_name"}:
            assert_equal(both[0][part], both[1][part], f"{name}: {part}")
        callbacks = [
            {key: state for key, state in each["callbacks"].items()
             if not key.startswith(_OF_THE_MACHINE)}
            for each in both
        ]  # fmt: skip
        assert_equal(*callbacks, f"{name}: callbacks")
        assert_equal(both[0]["geozoo"]["metrics"], both[1]["geozoo"]["metrics"], "metrics")
    assert read_rows(one) == read_rows(other)
    results = [
        [(row["metric"], row["value"], row["baseline"]) for row in read_rows(folder, "result.csv")]
        for folder in (one, other)
    ]
    assert results[0] == results[1]
