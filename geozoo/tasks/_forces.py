"""Energies of a network and the forces that follow from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def energy_and_force(
    network: Callable[..., Any], inputs: dict[str, Any], *, create_graph: bool
) -> tuple[Tensor, Tensor]:
    """Return a network's energies ``[G]`` and their negative gradient ``[N, dim]``.

    Args:
        network: a geometric model with one scalar output for each graph.
        inputs: its arguments by name.
        create_graph: whether the force shall be differentiable, for training.

    Raises:
        ValueError: for a network that does not look at positions.
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
            "model must have energies that depend on the positions, for forces, got "
            f"{type(network).__name__}, whose energies do not"
        )
    return energy, -gradient
