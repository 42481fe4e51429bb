"""The checks of whole classes, on good classes and on classes with one fault each."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from tiny_graphs import Output, TinyData, TinyModel
from torch import Tensor

from geozoo.data import LoaderOptions
from geozoo.models import EGNN, PerSensorLinear, SeasonalNaive
from geozoo.testing import check_dataset, check_model


def failing(kind: type, **arguments: Any) -> list[str]:
    return [each.name for each in check_model(kind, arguments) if each.verdict == "fails"]


class Plain(TinyModel):
    """Without state outside of its parameters."""

    def calibrate(self, *args: object, **inputs: object) -> None:
        """Nothing."""


class Skewed(Plain):
    """Not equivariant."""

    def forward(self, pos: Tensor, *args: Any, **inputs: Any) -> Output:
        """Scalars times a coordinate."""
        scalar, vector = super().forward(pos * pos.new_tensor([1, 2, 3]), *args, **inputs)
        return Output(scalar, vector)


class Meets(Plain):
    """Lets the graphs of a batch meet."""

    def forward(self, pos: Tensor, x: Tensor, *args: Any, **inputs: Any) -> Output:
        """Inputs relative to the mean of the whole batch."""
        return super().forward(pos, x - x.mean(0), *args, **inputs)


class Rounds(Plain):
    """Loses precision."""

    def forward(self, pos: Tensor, x: Tensor, *args: Any, **inputs: Any) -> Output:
        """Inputs in single precision and back."""
        return super().forward(pos, x.float().to(x.dtype), *args, **inputs)


class Forgets(Plain):
    """Has a state that is not saved."""

    def __init__(self, in_channels: int, out_channels: int, level: Any = "graph") -> None:
        super().__init__(in_channels, out_channels, in_vectors=1, out_vectors=1, level=level)
        self.factor = float(torch.rand(()))

    def forward(self, pos: Tensor, x: Tensor, *args: Any, **inputs: Any) -> Output:
        """Inputs times the factor."""
        return super().forward(pos, self.factor * x, *args, **inputs)


class Writes(Plain):
    """Modifies its inputs."""

    def forward(self, pos: Tensor, x: Tensor, *args: Any, **inputs: Any) -> Output:
        """Inputs plus one, in place."""
        with torch.no_grad():
            x += 1.0
        return super().forward(pos, x, *args, **inputs)


for _kind in (Skewed, Meets, Rounds, Forgets, Writes):
    _kind.forward.__signature__ = inspect.signature(TinyModel.forward)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [(Plain, {}), (EGNN, {"num_layers": 2}), (PerSensorLinear, {}), (SeasonalNaive, {})],
)
def test_good_models_hold_all_checks(kind: type, arguments: dict[str, Any]) -> None:
    found = list(check_model(kind, arguments))
    assert [each for each in found if each.verdict == "fails"] == []
    assert len(found) >= 8


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (Skewed, "it is equivariant under rotations"),
        (Meets, "graphs of a batch are independent"),
        (Rounds, "it keeps float32 and float64"),
        (Forgets, "saved weights give the same outputs"),
        (Writes, "inputs are not modified"),
    ],
)
def test_a_fault_fails_its_check(kind: type, named: str) -> None:
    found = failing(kind)
    assert any(name.startswith(named) for name in found)


def test_a_class_that_cannot_be_built_says_why() -> None:
    (found,) = check_model(TinyModel, {"width": "wide"})
    assert found.verdict == "fails" and "TypeError" in found.reason
    with pytest.raises(ValueError, match="has no argument widht; it has in_channels"):
        list(check_model(TinyModel, {"widht": 3}))


def test_checks_can_be_skipped() -> None:
    name = "it is equivariant under rotations (level=node)"
    found = {each.name: each for each in check_model(Skewed, {}, skip=(name,))}
    assert (found[name].verdict, found[name].reason) == ("skipped", "as requested")


class Unsteady(TinyData):
    """Reads other data each time."""

    count = 0

    def load(self) -> Any:
        """Another seed each time."""
        Unsteady.count += 1
        self.seed = Unsteady.count
        return super().load()


class Wrong(TinyData):
    """Its specification promises other fields."""

    def load(self) -> Any:
        """Without the vectors."""
        data = super().load()
        del data.store.node["vec"]
        return data


def dataset_failures(kind: type[TinyData]) -> list[str]:
    verdicts = check_dataset(lambda: kind(loader=LoaderOptions(batch_size=5)))
    return [each.name for each in verdicts if each.verdict == "fails"]


def test_datasets_are_checked() -> None:
    assert dataset_failures(TinyData) == []
    assert dataset_failures(Unsteady) == ["reading it twice gives the same data"]
    assert dataset_failures(Wrong)[:2] == [
        "fields have the shapes of the specification",
        "vector fields exist and have the dimension of space",
    ]
