"""Beginning from the weights of another run, and keeping some of them as they are."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from geozoo.cli._options import RunError
from geozoo.hub import TrainedModel
from geozoo.tasks import GraphTask

_MAX_NAMED = 6


def take_weights(task: GraphTask, source: TrainedModel) -> str:
    """Give a new network the weights of a trained one, as far as name and shape agree.

    Shift and scale of the new data stay: the trained network continues in scaled units.

    Args:
        task: the new task.
        source: the trained model.

    Returns:
        What was taken and what is new, for the log.

    Raises:
        RunError: if nothing fits, or a column of the input stands for another element.
    """
    _check_elements(task, source)
    own, given = task.model.state_dict(), source.model.state_dict()
    fitting = {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
    trained = {name for name, _ in task.model.named_parameters()}
    if not trained & fitting.keys():
        raise RunError(
            f"init_from: no weights of {source.name} ({type(source.model).__name__}) fit into "
            f"{type(task.model).__name__}: names or shapes differ"
        )
    task.model.load_state_dict({**own, **fitting})
    new = sorted(own.keys() - fitting.keys())
    told = f"{len(fitting)} of {len(own)} tensors from {source.name}"
    return told + (f"; new: {_listed(new)}" if new else "")


def freeze(model: nn.Module, patterns: Sequence[str]) -> str | None:
    """Keep the parameters with some names as they are.

    Args:
        model: the network.
        patterns: of names, with ``*`` and ``?``: ``blocks.0.*``.

    Returns:
        How much stays, for the log; None without patterns.

    Raises:
        RunError: for a pattern that no parameter has, or when nothing is left to train.
    """
    if not patterns:
        return None
    parameters = dict(model.named_parameters())
    for pattern in patterns:
        matching = [name for name in parameters if fnmatchcase(name, pattern)]
        if not matching:
            known = sorted({".".join(name.split(".")[:2]) for name in parameters})
            raise RunError(
                f"freeze: no parameter is called {pattern!r}; there are {_listed(known)}"
            )
        for name in matching:
            parameters[name].requires_grad_(False)
    kept = sum(p.numel() for p in parameters.values() if not p.requires_grad)
    total = sum(p.numel() for p in parameters.values())
    if kept == total:
        raise RunError("freeze: no parameter is left to train")
    return f"{kept:,} of {total:,} parameters stay as they are"


def _check_elements(task: GraphTask, source: TrainedModel) -> None:
    """Refuse weights that know another element by the same column."""
    pairs = zip(
        getattr(source.spec, "elements", ()), getattr(task.spec, "elements", ()), strict=False
    )
    for column, (theirs, ours) in enumerate(pairs):
        if theirs and ours and theirs != ours:
            raise RunError(
                f"init_from: column {column} of x is atomic number {theirs} in {source.name} and "
                f"{ours} here; give the data the same order of elements (dataset.species)"
            )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
