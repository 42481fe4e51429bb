"""``geozoo diff``: what differs between two trained models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from geozoo.cli._arguments import Diff
from geozoo.data import GeometricSpec, read_structures
from geozoo.hub import TrainedModel
from geozoo.hub.differences import ModelDifferences, WeightDifference, model_differences
from geozoo.hub.structures import predict_store, structure_store
from geozoo.report.screen import Screen
from geozoo.report.sheet import Column, Sheet
from geozoo.runs.errors import RunError
from geozoo.runs.trained import trained_model

#: Longer values are abbreviated; both are shown in full by their files.
_LENGTH = 60
#: Weights that are listed without ``all=true``.
_SHOWN = 10


def diff(options: Diff, screen: Screen) -> None:
    """Compare two models.

    Args:
        options: the arguments.
        screen: screen that prints the differences.

    Raises:
        RunError: If a model does not exist, or they cannot predict for the same input.
        FileNotFoundError: If the input does not exist.
    """
    if options.input is not None and not options.input.is_file():
        raise FileNotFoundError(f"input: {options.input} does not exist")
    first, second = (trained_model(each) for each in (options.first, options.second))
    found = model_differences(first, second)
    for label, model in (("first", first), ("second", second)):
        screen.note(f"{label}: {model}")
    _show_settings(found, screen)
    _show_weights(found, screen, limit=None if options.all else _SHOWN)
    if options.input is not None:
        _show_predictions(first, second, options.input, screen)


def _show_settings(found: ModelDifferences, screen: Screen) -> None:
    if not found.settings:
        screen.result("all settings are equal")
        return
    sheet = Sheet("setting", Column("first", "text"), Column("second", "text"))
    for each in found.settings:
        sheet.add(each.name, _short(each.first), _short(each.second))
    screen.show(sheet)


def _show_weights(found: ModelDifferences, screen: Screen, *, limit: int | None) -> None:
    screen.result("")
    if not found.weights:
        screen.result(f"all {found.num_weights} weights are equal")
        return
    screen.result(f"{len(found.weights)} of {found.num_weights} weights differ", style="bold")
    sheet = Sheet("weight", "relative change", "largest change", "shape")
    for each in found.weights[:limit]:
        sheet.add(each.name, _number(each.relative), _number(each.largest), _shape(each))
    screen.show(sheet)
    if (left := len(found.weights[limit:]) if limit is not None else 0) > 0:
        screen.result(f"{left} more: all=true")


def _show_predictions(
    first: TrainedModel, second: TrainedModel, source: Path, screen: Screen
) -> None:
    """Compare the predictions for a file of structures, in the units of the models."""
    for model in (first, second):
        if not isinstance(model.spec, GeometricSpec):
            raise RunError(f"input is for models of structures; {model.name} is none")
    shared = [name for name in first.units if name in second.units]
    if not shared:
        raise RunError(
            f"the models have no quantity in common: {first.name} predicts "
            f"{', '.join(first.units) or 'none'}, {second.name} {', '.join(second.units) or 'none'}"
        )
    values = []
    for model in (first, second):
        assert isinstance(model.spec, GeometricSpec)  # checked above
        structures = read_structures(source, inputs=model.spec.graph_inputs)
        values.append(predict_store(model, structure_store(model.spec, structures)))
    screen.result("")
    sheet = Sheet("prediction", "mean difference", "largest difference", "spread of first", "unit")
    for name in shared:
        if name not in values[0] or name not in values[1]:
            continue  # such as the stress of molecules
        one, other = (each[name].double() for each in values)
        unit = first.units[name]
        if one.shape != other.shape or unit != second.units[name]:
            raise RunError(
                f"{name} cannot be compared: {tuple(one.shape)} {unit} and "
                f"{tuple(other.shape)} {second.units[name]}"
            )
        change = (other - one).abs()
        spread = one.std(correction=0).item()
        sheet.add(
            name, _number(change.mean().item()), _number(change.max().item()), _number(spread), unit
        )  # fmt: skip
    screen.show(sheet)


def _short(value: Any) -> str:
    if value is None:
        return "-"
    text = str(value)
    if isinstance(value, list) and len(text) > _LENGTH:
        return f"list of {len(value)}"
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 3]}..."


def _shape(each: WeightDifference) -> str:
    if each.first == each.second:
        return _size(each.first)
    return f"{_size(each.first)} and {_size(each.second)}"


def _size(shape: tuple[int, ...] | None) -> str:
    return "-" if shape is None else f"[{', '.join(map(str, shape))}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
