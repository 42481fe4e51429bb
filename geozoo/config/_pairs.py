"""Which models fit which datasets, from their classes and configs, before any data is read."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Collection, Mapping
from typing import Any

from geozoo.config._check import ConfigError
from geozoo.config._entries import Entry, all_entries, configs_folder, standard_task
from geozoo.contracts import Fitted, family_of
from geozoo.contracts.families import lacking_outputs

_TAKES = {"geometric": "takes graphs with positions", "forecasting": "forecasts time series"}
_HOLDS = {"geometric": "holds graphs with positions", "forecasting": "holds time series of sensors"}


def check_pair(
    model: Mapping[str, Any], dataset: Mapping[str, Any], task: Mapping[str, Any], *,
    names: tuple[str, str],
) -> None:  # fmt: skip
    """Reject a model that cannot learn the task of a dataset, before any data is read.

    Args:
        model: config node of the model.
        dataset: config node of the dataset.
        task: config node of the task.
        names: names of model and dataset on the command line.

    Raises:
        ConfigError: If they do not fit; the message gives the reason, the models that fit the
            dataset and the datasets that fit the model.
    """
    reason = misfit(model, dataset, task, names=names)
    if reason is None:
        return
    own = [
        e.name for e in all_entries("model") if misfit(_node(e), dataset, task, names=names) is None
    ]
    data = [
        entry.name
        for entry in all_entries("dataset")
        if misfit(model, _node(entry), _task_of(entry), names=(names[0], entry.name)) is None
    ]
    raise ConfigError(
        f"{reason}. Models that fit dataset={names[1]}: {_listed(own)}; "
        f"datasets that fit model={names[0]}: {_listed(data)}"
    )


def misfit(
    model: Mapping[str, Any], dataset: Mapping[str, Any], task: Mapping[str, Any], *,
    names: tuple[str, str],
) -> str | None:  # fmt: skip
    """Why a model cannot learn the task of a dataset; None if no reason is known.

    Args:
        model: config node of the model.
        dataset: config node of the dataset.
        task: config node of the task.
        names: names of model and dataset, for the message.
    """
    of_model, of_data = f"model={names[0]}", f"dataset={names[1]}"
    network, module, kind = (_target(node) for node in (model, dataset, task))
    own, data, wanted = _family_of_model(network), _family_of_data(names[1]), _known(kind, "family")
    if own and (data or wanted) and own != (data or wanted):
        return f"{of_model} {_TAKES[own]}; {of_data} {_HOLDS[data or wanted]}"
    what = getattr(kind, "__name__", "")
    if data and wanted and data != wanted:
        return f"task {what} {_TAKES[wanted]}; {of_data} {_HOLDS[data]}"
    keys = {str(key) for key in model.keys()}  # noqa: SIM118  (a DictConfig denies missing ones)
    if lacking := lacking_outputs(keys, _known(kind, "outputs") or ()):
        return f"{of_model} has no {lacking} outputs; {of_data} (task {what}) requires them"
    if _known(kind, "needs_positions") and _known(network, "sees_positions") is False:
        return f"{of_model} does not use positions; {of_data} (task {what}) needs forces"
    if _is_fitted(network) and _known(kind, "fits_models") is False:
        return f"{of_model} is fitted, not trained; {of_data} (task {what}) needs a trained model"
    dims, dim = _known(network, "dims"), _known(module, "dim")
    if dims and dim and dim not in dims:
        return f"{of_model} needs positions in {dims[0]} dimensions; {of_data} has {dim}"
    return None


def _is_fitted(network: Callable[..., Any] | None) -> bool:
    return isinstance(network, type) and issubclass(network, Fitted)


def _family_of_model(network: Callable[..., Any] | None) -> str | None:
    """The family of a model class; None if it declares none, and its task decides."""
    try:
        return family_of(network) if isinstance(network, type) else None
    except (AttributeError, TypeError):
        return None


def _family_of_data(name: str) -> str | None:
    """The family of an entry's standard task; None for a dataset that is not an entry."""
    for entry in all_entries("dataset"):
        if entry.name == name:
            return _known(_target(_task_of(entry)), "family")
    return None


def _known(target: Any, name: str) -> Any:
    return getattr(target, name, None)


def _target(node: Mapping[str, Any]) -> Callable[..., Any] | None:
    """The class of a node; None if it cannot be imported."""
    try:
        found: Callable[..., Any] = pkgutil.resolve_name(str(node.get("_target_")))
    except (ImportError, ValueError, AttributeError):
        return None
    return found


def _node(entry: Entry) -> Mapping[str, Any]:
    return _parsed(entry.text, entry.name)


def _task_of(entry: Entry) -> Mapping[str, Any]:
    path = configs_folder() / "task" / f"{standard_task(entry)}.yaml"
    return _parsed(path.read_text(encoding="utf-8"), path.name) if path.is_file() else {}


def _parsed(text: str, name: str) -> Mapping[str, Any]:
    from omegaconf import DictConfig, OmegaConf

    parsed = OmegaConf.create(text)
    if not isinstance(parsed, DictConfig):
        raise ConfigError(f"the config of {name} must hold a mapping")
    return parsed


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "none in the zoo"
