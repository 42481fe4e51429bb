"""The Hessian of one structure, from copies of it that are differentiated together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from geozoo.tasks import Potential
from geozoo.tasks._curvature import hessian_products

if TYPE_CHECKING:
    from geozoo.data import GraphStore
    from geozoo.hub.ensemble import Ensemble
    from geozoo.hub.loading import TrainedModel


def hessian(model: TrainedModel | Ensemble, store: GraphStore, chunk: int) -> np.ndarray:
    """``[3 N, 3 N]`` second derivatives in meV/angstrom^2; of an ensemble, their mean.

    Small graphs cost little more than the calls of their operations, so copies of the graph, each
    with another direction, are differentiated at once.

    Args:
        model: a potential, or several.
        store: one graph.
        chunk: number of atoms of all copies together; at least one copy.

    Raises:
        ValueError: If ``chunk`` is not positive, or a second derivative is not finite.
    """
    if chunk < 1:
        raise ValueError(f"chunk must be a positive number of atoms, got {chunk!r}")
    atoms = int(store.num_nodes[0])
    rows = 3 * atoms
    copies = max(1, min(rows, chunk // atoms))
    batch = store.gather(torch.zeros(copies, dtype=torch.int64)).to(model.device)
    total = torch.zeros(rows, rows, dtype=torch.float64)
    for member in model.members:
        assert isinstance(member.task, Potential)
        products = hessian_products(member.task, batch)
        for first in range(0, rows, copies):
            count = min(copies, rows - first)
            directions = torch.zeros(copies, rows, dtype=torch.float64, device=model.device)
            directions[range(count), range(first, first + count)] = 1.0
            found = products(directions.view(-1, 3)).view(copies, rows)
            total[first : first + count] += found[:count].cpu()
    if not bool(total.isfinite().all()):
        row, column = (int(each) // 3 for each in (~total.isfinite()).nonzero()[0])
        raise ValueError(
            f"the second derivative of atoms {row} and {column} is not finite: {model.name} cannot "
            "be differentiated twice at these positions"
        )
    return (total / len(model.members)).numpy()
