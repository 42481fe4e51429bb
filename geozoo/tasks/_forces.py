"""Conservative forces: the negative gradient of a network's energy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def energy_and_force(
    network: Callable[..., Any], inputs: dict[str, Any], *, create_graph: bool
) -> tuple[Tensor, Tensor]:
    """Compute energies ``[G]`` and forces ``[N, dim]``, the negative position gradient.

    Args:
        network: a geometric model with one scalar output per graph.
        inputs: its keyword arguments.
        create_graph: whether the forces are differentiable, as training requires.

    Raises:
        ValueError: If the energies do not depend on the positions.
    """
    pos = inputs["pos"].detach().requires_grad_(True)
    with torch.enable_grad():
        energy = network(**{**inputs, "pos": pos}).scalar[:, 0]
        gradient = None
        if energy.requires_grad:
            (gradient,) = torch.autograd.grad(
                energy.sum(), pos, create_graph=create_graph, allow_unused=True
            )
    if gradient is None:
        raise ValueError(
            "model must predict energies that depend on the positions, so that forces exist, got "
            f"{type(network).__name__}, whose energies do not"
        )
    return energy, -gradient
