"""How a layer is run: forward, with activation checkpointing, or calibrated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from geozoo.ops import recomputed, saves_memory

#: Run a layer with the keyword arguments of its convolution.
Step = Callable[[Any, Tensor, Mapping[str, Any]], Tensor]


def forward_step(layer: nn.Module, features: Tensor, neighborhood: Mapping[str, Any]) -> Tensor:
    """Return the output of the layer."""
    out: Tensor = layer(features, **neighborhood)
    return out


def checkpointed_step(
    layer: nn.Module, features: Tensor, neighborhood: Mapping[str, Any]
) -> Tensor:
    """As `forward_step`, with activation checkpointing."""
    return recomputed(forward_step, layer, features, neighborhood, keeps_random=False)


def calibrated_step(layer: Any, features: Tensor, neighborhood: Mapping[str, Any]) -> Tensor:
    """Calibrate the layer and return the output before."""
    out: Tensor = layer.calibrate(features, **neighborhood)
    return out


def saving_step(
    step: Step, always: bool, neighborhood: Mapping[str, Any], weights: Iterable[Tensor]
) -> Step:
    """Replace `forward_step` by `checkpointed_step`, always or for large graphs.

    Args:
        step: the step chosen.
        always: whether layers are recomputed for graphs of any size.
        neighborhood: arguments of the convolutions.
        weights: parameters of the layers.
    """
    if step is not forward_step or not torch.is_grad_enabled():
        return step
    basis = neighborhood["basis"]
    if not always and isinstance(basis, Tensor):
        always = saves_memory(basis, basis.numel, weights)
    return checkpointed_step if always else step
