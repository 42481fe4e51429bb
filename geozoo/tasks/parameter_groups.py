"""Parameter groups with and without weight decay."""

from __future__ import annotations

from typing import Any

from torch import nn


def parameter_groups(module: nn.Module, **decayed: Any) -> list[dict[str, Any]]:
    """Split parameters into weights of linear layers and all others, which do not decay.

    Biases, normalisation weights and layer scales have no weight decay, as in the authors' code of
    PONITA. The optimizer's ``weight_decay`` applies to the first group.

    Args:
        module: the model.
        decayed: options of the first group that override those of the optimizer, such as
            ``weight_decay``.

    Returns:
        Parameter groups for an optimizer, without empty groups.

    >>> [len(group["params"]) for group in parameter_groups(nn.Linear(2, 2))]
    [1, 1]
    """
    linear = {id(layer.weight) for layer in module.modules() if isinstance(layer, nn.Linear)}
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if id(p) in linear], **decayed},
        {"params": [p for p in trained if id(p) not in linear], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
