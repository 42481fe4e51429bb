"""Second derivatives of a potential with respect to positions: products of its Hessian."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from geozoo.data import GraphBatch
from geozoo.tasks._derivatives import energy_gradient
from geozoo.tasks._terms import as_network

if TYPE_CHECKING:
    from geozoo.tasks.potential import Potential


def hessian_products(task: Potential, batch: GraphBatch) -> Callable[[Tensor], Tensor]:
    r"""Products of the Hessian of each graph with directions, in the units of the dataset.

    The gradient :math:`g = \partial E / \partial r` is computed once. A product is the derivative
    of :math:`g \cdot v`, exact for any network whose training on forces is exact, since that needs
    the same derivatives. Graphs of a batch do not interact, so copies of a structure with a
    direction each give as many products at once.

    Args:
        task: the potential, with its physical terms.
        batch: the graphs.

    Returns:
        A function of directions ``[N, dim]`` that returns the products ``[N, dim]`` in float64.

    Raises:
        ValueError: If the energies do not depend on the positions.
    """
    network = energy_gradient(task.model, task.inputs(batch), readout=task.readout)
    parts = [(*network, float(task.energy_scale))]
    if task.terms is not None:
        system = task.terms.system(batch)
        for term in task.terms.each():
            parts.append((*energy_gradient(*as_network(term, system, term.pairs(system))), 1.0))

    def products(directions: Tensor) -> Tensor:
        return torch.stack(
            [scale * _product(pos, gradient, directions) for pos, gradient, scale in parts]
        ).sum(0)

    return products


def _product(pos: Tensor, gradient: Tensor, directions: Tensor) -> Tensor:
    if not gradient.requires_grad:  # of atoms without neighbours
        return torch.zeros_like(directions, dtype=torch.float64)
    (found,) = torch.autograd.grad(
        gradient, pos, directions.to(gradient.dtype), retain_graph=True, allow_unused=True
    )
    return torch.zeros_like(pos).double() if found is None else found.double()
