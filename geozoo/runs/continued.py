"""What a run takes over from a trained model besides its weights: architecture and energies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from geozoo.data import GraphDataModule
from geozoo.hub import TrainedModel
from geozoo.runs.errors import RunError
from geozoo.tasks import GraphTask, Potential, continue_energies

_MAX_NAMED = 8


def lay_out_architecture(
    cfg: DictConfig, source: TrainedModel, overrides: Sequence[str]
) -> str | None:
    """Use the hyperparameters of a trained model of the same class, unless they are overridden.

    They become part of the config, so that a resumed run has the same network.

    Args:
        cfg: the config.
        source: the trained model.
        overrides: overrides of the command line.

    Returns:
        A line for the log; None if nothing changes.
    """
    given = source.description.model
    if given.get("_target_") != cfg.model.get("_target_"):
        return None
    kept = {each.partition("=")[0].lstrip("+") for each in overrides}
    changed = _taken(cfg.model, given, kept, "model")
    if not changed:
        return None
    named = ", ".join(changed[:_MAX_NAMED]) + (", ..." if len(changed) > _MAX_NAMED else "")
    return f"hyperparameters of {source.name}: {named}"


def _taken(node: DictConfig, given: Mapping[str, Any], kept: set[str], path: str) -> list[str]:
    """Copy values into a node of the config; return the changes, for the log."""
    changed = []
    for key in list(node):
        name = f"{path}.{key}"
        if key not in given or key == "_target_" or name in kept or OmegaConf.is_missing(node, key):
            continue
        value = given[key]
        if isinstance(value, Mapping) and isinstance(node[key], DictConfig):
            changed += _taken(node[key], value, kept, name)
        elif node[key] != value:
            node[key] = value
            changed.append(f"{name}={value}")
    return changed


def continued_energies(
    mode: str | None, task: GraphTask, source: TrainedModel, datamodule: GraphDataModule
) -> str | None:
    """Take over the energies of a trained potential, if ``init_energies`` says so.

    Args:
        mode: ``"fitted"``, ``"data"``, or None: fitted if the trained potential is universal.
        task: the new task, with the weights of the trained one.
        source: the trained model.
        datamodule: the data.

    Returns:
        A line for the log; None if shift and scale remain those of the data.

    Raises:
        RunError: If that is not possible.
    """
    is_universal = source.description.weights.package is not None
    if mode == "data" or (mode is None and not is_universal):
        return None
    if not isinstance(task, Potential) or not isinstance(source.task, Potential):
        raise RunError("init_energies=fitted requires task=potential and a trained potential")
    try:
        left = continue_energies(task, source.task, datamodule)
    except ValueError as error:
        raise RunError(f"init_energies=fitted: {error}") from error
    return (
        f"energy scale of {source.name}, with energies of atoms fitted to the training split; "
        f"remaining: {left:.4g} {task.spec.units.get('energy', '')}/atom (root mean square)"
    )
