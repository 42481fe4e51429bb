"""What differs between two trained models: settings, data, weights and predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from geozoo.hub.loading import TrainedModel

#: Of a description, what identifies its files; the weights themselves are compared.
_NOT_COMPARED = ("weights",)


@dataclass(frozen=True)
class SettingDifference:
    """A setting that differs.

    Attributes:
        name: its place in the description, such as ``model.hidden_channels``.
        first: value of the first model; None if there is none.
        second: value of the second model; None if there is none.
    """

    name: str
    first: Any
    second: Any


@dataclass(frozen=True)
class WeightDifference:
    """A weight or a buffer that differs.

    Attributes:
        name: its name in the state of the task, such as ``model.readout.weight``.
        first: shape in the first model; None if it has no such weight.
        second: shape in the second model; None if it has no such weight.
        relative: root mean square of the difference divided by that of the first model's values;
            None if the shapes differ or a model lacks the weight.
        largest: largest absolute difference; None as for `relative`.
    """

    name: str
    first: tuple[int, ...] | None
    second: tuple[int, ...] | None
    relative: float | None = None
    largest: float | None = None


@dataclass(frozen=True)
class ModelDifferences:
    """What differs between two trained models.

    Attributes:
        settings: settings that differ, in the order of the description.
        weights: weights that differ: first those that only one model has or whose shapes differ,
            then by decreasing `WeightDifference.relative`.
        num_weights: number of different names of weights.
    """

    settings: tuple[SettingDifference, ...]
    weights: tuple[WeightDifference, ...]
    num_weights: int

    @property
    def is_empty(self) -> bool:
        """Whether the models are equal."""
        return not self.settings and not self.weights


def model_differences(first: TrainedModel, second: TrainedModel) -> ModelDifferences:
    """Compare the descriptions and the weights of two models.

    Names, checksums and places of files are not compared. Weights are compared bit by bit, in the
    precisions in which they are stored.

    Args:
        first: a trained model.
        second: another one.
    """
    states = [model.task.state_dict() for model in (first, second)]
    names = list(dict.fromkeys([*states[0], *states[1]]))
    found = [_weight(name, states[0].get(name), states[1].get(name)) for name in names]
    weights = sorted(
        (each for each in found if each is not None),
        key=lambda each: -float("inf") if each.relative is None else -each.relative,
    )
    return ModelDifferences(tuple(_settings(first, second)), tuple(weights), len(names))


def _settings(first: TrainedModel, second: TrainedModel) -> Iterator[SettingDifference]:
    one, other = (dict(_flat(_described(model))) for model in (first, second))
    for name in dict.fromkeys([*one, *other]):
        if one.get(name) != other.get(name):
            yield SettingDifference(name, one.get(name), other.get(name))


def _described(model: TrainedModel) -> dict[str, Any]:
    content = asdict(model.description)
    kept = {key: value for key, value in content.items() if key not in _NOT_COMPARED}
    return {**kept, "uncertainty": "none" if model.uncertainty is None else "computed"}


def _flat(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested mappings by their dotted names."""
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", list(value) if isinstance(value, tuple) else value


def _weight(name: str, first: Tensor | None, second: Tensor | None) -> WeightDifference | None:
    """The difference of a weight; None if there is none."""
    one, other = _shape(first), _shape(second)
    if first is None or second is None or one != other:
        return WeightDifference(name, one, other)
    if first.dtype == second.dtype and first.equal(second):
        return None
    change = (second.double() - first.double()).abs()
    if not change.numel():
        return None
    size = first.double().square().mean().sqrt().item()
    moved = change.square().mean().sqrt().item()
    relative = moved / size if size else float("inf") if moved else 0.0
    return WeightDifference(name, one, other, relative, change.max().item())


def _shape(tensor: Tensor | None) -> tuple[int, ...] | None:
    return None if tensor is None else tuple(tensor.shape)
