"""Rebuild a task and its network from a description, instantiating only classes of geozoo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from geozoo.config import registered_targets
from geozoo.data import DataSpec
from geozoo.hub.description import ModelFileError
from geozoo.options import in_groups
from geozoo.tasks import GraphTask
from geozoo.tasks._precision import match_precision, model_dtype

#: Modules whose public classes a description may name.
PACKAGES = ("geozoo.models", "geozoo.tasks", "geozoo.diffusion")
_MISSING = "???"


def rebuild_task(
    model: Mapping[str, Any],
    task: Mapping[str, Any],
    data: Mapping[str, Any],
    state: Mapping[str, Tensor],
    *,
    trusted: Sequence[str] = (),
    precision: str | None = None,
) -> GraphTask:
    """Return the task of a finished run with its weights, without loading its dataset.

    Args:
        model: config node of the network. Tensors that the dataset provides (``???``) are taken
            from the weights.
        task: config node of the task.
        data: the data spec, as plain data.
        state: the weights.
        trusted: further modules whose classes may be instantiated, such as your own models'.
        precision: of the network, such as ``"float64"``; None: that of the weights.

    Raises:
        ModelFileError: If the nodes name anything but public classes of `PACKAGES` and ``trusted``,
            their values are invalid, or the weights belong to another network.
    """
    given = {key: state.get(f"model.{key}") for key, v in model.items() if v == _MISSING}
    if lacking := [key for key, value in given.items() if value is None]:
        raise ModelFileError(f"the weights lack these tensors of the model: {', '.join(lacking)}")
    built = build_task({**model, **given}, task, data, trusted=trusted)
    _load_state(built, state)
    if precision is not None and model_dtype(built.model) != getattr(torch, precision):
        built.model.to(getattr(torch, precision))
    return built


def build_task(
    model: Mapping[str, Any],
    task: Mapping[str, Any],
    data: Mapping[str, Any],
    *,
    trusted: Sequence[str] = (),
) -> GraphTask:
    """Return a task and its network with initial weights, without loading its dataset.

    Args:
        model: complete config node of the network.
        task: config node of the task.
        data: the data spec, as plain data.
        trusted: further modules whose classes may be instantiated.

    Raises:
        ModelFileError: As for `rebuild_task`.
    """
    packages = (*PACKAGES, *trusted)
    try:
        spec = DataSpec.from_dict(data)
        network = _build(model, "model", packages)
        built: GraphTask = _build(task, "task", packages, model=network, spec=spec)
    except ModelFileError:
        raise
    except (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
        raise ModelFileError(
            f"the description is incompatible with this version of geozoo: {error}"
        ) from error
    return built


def own_modules(nodes: Mapping[str, Any]) -> list[str]:
    """The modules of a network or task that must be trusted to load it.

    Those of geozoo, and classes that an installed package registers as entry points, are trusted.

    Args:
        nodes: the config nodes ``model`` and ``task``.
    """
    targets = {str(nodes[name].get("_target_")) for name in ("model", "task")}
    others = targets - registered_targets().keys()
    return sorted({target.rpartition(".")[0] for target in others} - set(PACKAGES))


def _load_state(task: GraphTask, state: Mapping[str, Tensor]) -> None:
    own = task.state_dict()
    state = {**task.earlier_state(task.spec.to_dict()), **state}
    if own.keys() != state.keys():
        odd = sorted(own.keys() ^ state.keys())
        raise ModelFileError(
            f"the weights belong to another network: {len(odd)} names differ, such as {odd[0]!r}"
        )
    for name, value in state.items():
        if value.shape != own[name].shape:
            raise ModelFileError(
                f"the weights belong to another network: {name!r} must have shape "
                f"{tuple(own[name].shape)}, got {tuple(value.shape)}"
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ModelFileError(f"the weights {name!r} contain NaN or infinite values")
    match_precision(task.model, state)
    task.load_state_dict(state)


def _build(node: Mapping[str, Any], where: str, packages: Sequence[str], **given: Any) -> Any:
    """Instantiate a node with ``_target_``, nested nodes first."""
    arguments = {}
    for key, value in node.items():
        if key == "_target_":
            continue
        if not isinstance(key, str) or not key.isidentifier() or key.startswith("_"):
            raise ModelFileError(f"{where}: {key!r} is not a valid argument name")
        is_node = isinstance(value, Mapping) and "_target_" in value
        arguments[key] = _build(value, f"{where}.{key}", packages) if is_node else value
    kind = _class(node.get("_target_"), where, packages)
    # Files of earlier versions have options outside of the groups of today.
    return kind(**in_groups(kind, arguments), **given)


def _class(target: Any, where: str, packages: Sequence[str]) -> type:
    package, _, name = str(target).rpartition(".")
    if package in packages or str(target) in registered_targets():
        module = _imported(package, where)
        found = getattr(module, name, None)
        if isinstance(found, type) and (package not in PACKAGES or name in module.__all__):
            return found
    _check_installed(package, where)
    raise ModelFileError(
        f"{where}: _target_ must be a public class of {', '.join(packages)}, got {target!r}. If "
        "you trust the source of the file, pass the module of the class: trusted=[...]"
    )


def _imported(module: str, where: str) -> ModuleType:
    """The module of a trusted class.

    Raises:
        ModelFileError: If the module, or one that it needs, is not installed.
    """
    _check_installed(module, where)
    try:
        return import_module(module)
    except ImportError as error:
        raise ModelFileError(
            f"{where}: the module {module!r} of its class cannot be imported: {error}"
        ) from error


def _check_installed(module: str, where: str) -> None:
    """Report a class whose package is not installed; nothing is imported."""
    package = module.partition(".")[0]
    if package.isidentifier() and find_spec(package) is None:
        raise ModelFileError(
            f"{where}: its class is in the package {package!r}, which is not installed here; "
            "install it, or put its folder on PYTHONPATH"
        )
