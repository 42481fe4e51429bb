"""The arguments of the commands that test the user's own classes."""

from __future__ import annotations

from dataclasses import dataclass

from geozoo.cli._grammar import Arguments, key

_SKIP = "names of checks that need not hold, separated by commas"


@dataclass(frozen=True, kw_only=True)
class TestModel(Arguments):
    """Run all checks of the model contract on your own class."""

    target: str = key("the class, my_package:MyModel", place="alone")
    skip: tuple[str, ...] = key(_SKIP, default=())
    changes: tuple[str, ...] = key(
        "plus key=value for any constructor argument of the class", default=(), place="others",
        also=("*",),
    )  # fmt: skip
    examples = (
        "geozoo test-model my_package:MyModel",
        "geozoo test-model geozoo.models:EGNN num_layers=2 attention=true",
    )


@dataclass(frozen=True, kw_only=True)
class TestDataset(Arguments):
    """Run all checks of the dataset contract on your own class."""

    target: str = key("the class, my_package:MyDataset", place="alone")
    skip: tuple[str, ...] = key(_SKIP, default=())
    changes: tuple[str, ...] = key(
        "plus key=value for any constructor argument of the class", default=(), place="others",
        also=("*",),
    )  # fmt: skip
    examples = (
        "geozoo test-dataset my_package:MyDataset",
        "geozoo test-dataset geozoo.data:NBody source=generate num_train=100",
    )
