"""Which targets of a batch are known."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from geozoo.data import GraphBatch
from geozoo.data.loader import Store
from geozoo.data.molecules.atom_energies import count_elements
from geozoo.tasks._shares import graphs_of, nodes_of

#: Prefix of the fields that tell which values are known.
_KNOWN = "has_"


def known_rows(batch: GraphBatch, names: Sequence[str]) -> list[Bool[Tensor, " R"]]:
    """Which values are known, of each target: the field ``has_<target>``, or all.

    Args:
        batch: the graphs.
        names: the targets.
    """
    found = []
    for name in names:
        known = batch.get(_KNOWN + name)
        if known is None:
            value = getattr(batch, name)
            known = torch.ones(len(value), dtype=torch.bool, device=value.device)
        found.append(known)
    return found


def known_counts(store: Store, names: Sequence[str], level: str) -> Tensor:
    """Number of known values of each graph ``[S]``, over all targets.

    Args:
        store: the graphs.
        names: the targets.
        level: ``"graph"`` or ``"node"``, what has values.
    """
    graphs = graphs_of(store)
    counts = torch.zeros(len(graphs))
    for name in names:
        if level == "graph":
            counts += graphs.graph.get(_KNOWN + name, torch.ones(len(graphs))).cpu().float()
        elif (known := graphs.node.get(_KNOWN + name)) is None:
            counts += nodes_of(graphs)
        else:
            owner = torch.repeat_interleave(torch.arange(len(graphs)), graphs.num_nodes)
            counts += count_elements(known.cpu()[:, None], owner, len(graphs))[:, 0].float()
    return counts
