"""The Hessian of one structure, from copies of it that are differentiated together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from geozoo.tasks import Potential
from geozoo.tasks._curvature import hessian_products

if TYPE_CHECKING:
    from geozoo.data import GraphStore
    from geozoo.hub.ensemble import Ensemble
    from geozoo.hub.loading import TrainedModel


def hessian(
    model: TrainedModel | Ensemble, store: GraphStore, chunk: int, atoms: Sequence[int] | None
) -> np.ndarray:
    """``[3 A, 3 N]`` second derivatives in meV/angstrom^2; of an ensemble, their mean.

    Small graphs cost little more than the calls of their operations, so copies of the graph, each
    with another direction, are differentiated at once.

    Args:
        model: a potential, or several.
        store: one graph.
        chunk: number of atoms of all copies together; at least one copy.
        atoms: the atoms whose rows are computed; None: all.

    Raises:
        ValueError: If ``chunk`` is not positive, an atom does not exist, or a second derivative is
            not finite.
    """
    if chunk < 1:
        raise ValueError(f"chunk must be a positive number of atoms, got {chunk!r}")
    count = int(store.num_nodes[0])
    if atoms is not None and any(int(each) != each for each in atoms):
        raise ValueError(f"atoms must be numbers from 0 to {count - 1}, got {atoms!r}")
    chosen = torch.arange(count) if atoms is None else torch.tensor(list(atoms), dtype=torch.int64)
    if not len(chosen) or int(chosen.min()) < 0 or int(chosen.max()) >= count:
        raise ValueError(f"atoms must be numbers from 0 to {count - 1}, got {atoms!r}")
    rows = (3 * chosen[:, None] + torch.arange(3)).flatten()
    copies = max(1, min(len(rows), chunk // count))
    batch = store.gather(torch.zeros(copies, dtype=torch.int64)).to(model.device)
    total = torch.zeros(len(rows), 3 * count, dtype=torch.float64)
    for member in model.members:
        assert isinstance(member.task, Potential)
        products = hessian_products(member.task, batch)
        for first in range(0, len(rows), copies):
            part = rows[first : first + copies]
            directions = torch.zeros(copies, 3 * count, dtype=torch.float64)
            directions[torch.arange(len(part)), part] = 1.0
            found = products(directions.to(model.device).view(-1, 3)).view(copies, -1)
            total[first : first + copies] += found[: len(part)].cpu()
    if not bool(total.isfinite().all()):
        row, column = (int(each) for each in (~total.isfinite()).nonzero()[0])
        raise ValueError(
            f"the second derivative of atoms {int(rows[row]) // 3} and {column // 3} is not "
            f"finite: {model.name} cannot be differentiated twice at these positions"
        )
    return (total / len(model.members)).numpy()
