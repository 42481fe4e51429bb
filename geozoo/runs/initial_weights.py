"""Initial weights from another run, for full fine-tuning, frozen layers or low-rank adapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from geozoo.data import DataSpec
from geozoo.hub import TrainedModel
from geozoo.runs.errors import RunError, user_errors_named
from geozoo.tasks import GraphTask
from geozoo.tasks.low_rank import add_low_rank_updates

_MAX_NAMED = 6
_ELEMENT = "atomic number "


def take_weights(task: GraphTask, source: TrainedModel) -> str:
    """Copy the weights of a trained model into a new one, where name and shape match.

    Weights of inputs of whole graphs that are new, such as a charge, begin at zero.

    Shift and scale of the new dataset are kept: the trained network works in scaled units.

    Args:
        task: the new task.
        source: the trained model.

    Returns:
        A line for the log about copied and new weights.

    Raises:
        RunError: If no weights match, or an input column encodes a different element.
    """
    _check_elements(task, source)
    own, given = task.model.state_dict(), source.model.state_dict()
    given = {**given, **_widened(given, own, source.spec, task.spec)}
    fitting = {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
    trained = {name for name, _ in task.model.named_parameters()}
    if not trained & fitting.keys():
        raise RunError(
            f"init_from: no weights of {source.name} ({type(source.model).__name__}) fit into "
            f"{type(task.model).__name__}: names or shapes differ"
        )
    task.model.load_state_dict({**own, **fitting})
    new = sorted(own.keys() - fitting.keys())
    copied = f"{len(fitting)} of {len(own)} tensors from {source.name}"
    copied += f"; new: {_listed(new)}" if new else ""
    terms = [getattr(each, "chosen_terms", None) for each in (source.task, task)]
    if None not in terms and terms[0] != terms[1]:
        copied += (
            f"; its network was trained next to other physical terms (task.terms): {terms[0]}, "
            f"here: {terms[1]}"
        )
    return copied


def freeze(model: nn.Module, patterns: Sequence[str]) -> str | None:
    """Freeze parameters by name.

    Args:
        model: the network.
        patterns: patterns of names, with ``*`` and ``?``: ``blocks.0.*``.

    Returns:
        A line for the log; None without patterns.

    Raises:
        RunError: If a pattern matches no parameter, or no parameter is left to train.
    """
    if not patterns:
        return None
    for parameter in _matching(model, patterns, "freeze"):
        parameter.requires_grad_(False)
    parameters = list(model.parameters())
    kept = sum(p.numel() for p in parameters if not p.requires_grad)
    total = sum(p.numel() for p in parameters)
    if kept == total:
        raise RunError("freeze: no parameter is left to train")
    return f"{kept:,} of {total:,} parameters are frozen"


def add_adapters(
    model: nn.Module, rank: int | None, layers: Sequence[str], trained: Sequence[str]
) -> str | None:
    """Add low-rank adapters to linear layers, and freeze the other weights.

    Args:
        model: the network, with its initial weights.
        rank: rank of the adapters; None: no adapters.
        layers: names of the linear layers that get an adapter, with ``*`` and ``?``.
        trained: names of further parameters to train, such as ``*.bias``.

    Returns:
        A line for the log; None without adapters.

    Raises:
        RunError: If a pattern matches nothing, or the rank is below one.
    """
    if rank is None:
        return None
    also = {id(p) for p in _matching(model, trained, "adapter_trained")}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in also)
    with user_errors_named("adapter_rank, adapter_layers"):
        names = add_low_rank_updates(model, rank, chosen=lambda name: _fits(name, layers))
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return (
        f"{count:,} parameters are trained: adapters of rank {rank} on {len(names)} linear layers"
    )


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _matching(model: nn.Module, patterns: Sequence[str], key: str) -> list[nn.Parameter]:
    """The parameters that match a pattern; every pattern must match at least one."""
    parameters = dict(model.named_parameters())
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in parameters):
            known = sorted({".".join(name.split(".")[:2]) for name in parameters})
            raise RunError(f"{key}: no parameter matches {pattern!r}; available: {_listed(known)}")
    return [parameter for name, parameter in parameters.items() if _fits(name, patterns)]


def _check_elements(task: GraphTask, source: TrainedModel) -> None:
    """Reject weights for which an input column encodes a different element."""
    pairs = zip(_columns(source.spec), _columns(task.spec), strict=False)
    for column, (theirs, ours) in enumerate(pairs):
        if theirs and ours and theirs != ours:
            here = ours.removeprefix(_ELEMENT) if theirs.startswith(_ELEMENT) else ours
            raise RunError(
                f"init_from: column {column} of x is {theirs} in {source.name} and "
                f"{here} here; set the same order of elements with dataset.species, and the same "
                "dataset.inputs"
            )


def _widened(
    given: Mapping[str, Tensor], own: Mapping[str, Tensor], source: DataSpec, target: DataSpec
) -> dict[str, Tensor]:
    """Weights of the scalar inputs, with zeros for inputs of whole graphs that are new.

    The network then starts with the predictions of the trained one, whatever their values.
    """
    sizes = [getattr(spec, "node_channels", None) for spec in (source, target)]
    before, after = (tuple(getattr(spec, "graph_inputs", ())) for spec in (source, target))
    if sizes[0] != sizes[1] or sizes[0] is None or after[: len(before)] != before:
        return {}
    shapes = sizes[0] + len(before), sizes[0] + len(after)
    found = {}
    for name, value in given.items():
        if name not in own or value.ndim != own[name].ndim or before == after:
            continue
        pairs = zip(value.shape, own[name].shape, strict=True)
        apart = [axis for axis, (old, new) in enumerate(pairs) if old != new]
        if len(apart) == 1 and (value.shape[apart[0]], own[name].shape[apart[0]]) == shapes:
            shape = list(value.shape)
            shape[apart[0]] = shapes[1] - shapes[0]
            found[name] = torch.cat([value, value.new_zeros(shape)], apart[0])
    return found


def _columns(spec: DataSpec) -> list[str]:
    """Meaning of each scalar input; empty where unknown."""
    elements = getattr(spec, "elements", ()) or (0,) * getattr(spec, "node_channels", 0)
    inputs = getattr(spec, "graph_inputs", ())
    return [f"{_ELEMENT}{z}" if z else "" for z in elements] + list(inputs)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
