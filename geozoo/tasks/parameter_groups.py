"""Which parameters weight decay acts on."""

from __future__ import annotations

from typing import Any

from torch import nn


def parameter_groups(module: nn.Module, **decayed: Any) -> list[dict[str, Any]]:
    """Two groups for an optimizer: weights of linear layers, and everything else without decay.

    Biases, normalisation weights and layer scales do not decay, as in the released training of
    PONITA. The optimizer's own ``weight_decay`` applies to the first group.

    Args:
        module: the model.
        decayed: options of the first group, such as ``weight_decay``, where they shall differ
            from the optimizer's.

    Returns:
        Groups with ``params``; a group without parameters is left out.

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
