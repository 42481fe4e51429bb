"""The YAML of a model or dataset class without a config file, from its signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from geozoo.config._nearest import did_you_mean
from geozoo.contracts.families import DATA_ARGUMENTS, family_of

#: Base class of all datasets, by name: this package does not import it.
_DATASET = "geozoo.data.datamodule.GraphDataModule"
_LOADER = {"_target_": "geozoo.data.LoaderOptions", "batch_size": 32, "eval_batch_size": None}
_PLAIN = (bool, int, float, str, type(None))


class GeneratedConfigError(ValueError):
    """A class cannot serve as a model or dataset."""


def config_text(
    kind: str, name: str, found: Any, target: str, *, tasks: Collection[str] = ()
) -> str:
    """The content of a ``config.yaml`` for a class.

    Arguments that the data determine, and arguments without a default, are ``???``; the others have
    their defaults. Defaults that are not plain YAML values are left to the class.

    Args:
        kind: ``"model"`` or ``"dataset"``.
        name: name of the entry.
        found: the class.
        target: import path of the class.
        tasks: names of all tasks, which the ``standard_task`` of a dataset must be one of.

    Raises:
        GeneratedConfigError: If ``found`` is not a class, or not one of a model or dataset.
    """
    import yaml

    if not isinstance(found, type):
        raise GeneratedConfigError(f"expected a class, got {type(found).__name__}")
    node: dict[str, Any] = {}
    if kind == "dataset":
        node["defaults"] = [{"/task@_global_.task": _task(found, tasks)}]
    node["_target_"] = target
    node |= _arguments(found, _from_data(found) if kind == "model" else ())
    if kind == "dataset" and "loader" in node:
        node["loader"] = _LOADER
    head = f"# Node behind {kind}={name}: {_summary(found)}\n"
    return head + yaml.safe_dump(node, sort_keys=False, default_flow_style=False)


def _task(found: type, tasks: Collection[str]) -> str:
    if not any(f"{base.__module__}.{base.__qualname__}" == _DATASET for base in found.__mro__):
        raise GeneratedConfigError(
            f"{found.__name__} must be a subclass of geozoo.data.GraphDataModule"
        )
    task = getattr(found, "standard_task", None)
    if not isinstance(task, str) or (tasks and task not in tasks):
        hint = did_you_mean(str(task), tasks) if task else ""
        raise GeneratedConfigError(
            f"{found.__name__}.standard_task must name the task of the dataset, one of "
            f"{', '.join(tasks)}; got {task!r}.{hint}"
        )
    return task


def _from_data(found: type) -> Collection[str]:
    """The arguments of a model that the dataset sets."""
    try:
        return DATA_ARGUMENTS[family_of(found)]
    except (AttributeError, TypeError) as error:
        raise GeneratedConfigError(f"{found.__name__} is not a model: {error}") from error


def _arguments(found: Callable[..., Any], from_data: Collection[str]) -> dict[str, Any]:
    node: dict[str, Any] = {}
    for name, parameter in inspect.signature(found).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name in from_data or parameter.default is parameter.empty:
            node[name] = "???"
        elif (value := _plain(parameter.default)) is not _NOT_PLAIN:
            node[name] = value
    return node


_NOT_PLAIN = object()


def _plain(value: Any) -> Any:
    """A default as a YAML value."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        inner = {str(key): _plain(each) for key, each in value.items()}
        return _NOT_PLAIN if _NOT_PLAIN in inner.values() else inner
    if isinstance(value, (list, tuple)):
        values = [_plain(each) for each in value]
        return _NOT_PLAIN if any(each is _NOT_PLAIN for each in values) else values
    return value if isinstance(value, _PLAIN) else _NOT_PLAIN


def _summary(found: type) -> str:
    """The first sentence of the docstring, on one line."""
    text = inspect.cleandoc(found.__doc__ or "").partition("\n")[0].strip()
    return text or found.__name__
