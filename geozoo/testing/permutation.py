"""Check equivariance under permutations of the nodes within their graphs and of the edges."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor

from geozoo.testing._run import Inputs, call, compare
from geozoo.testing.tolerances import Tolerance


def assert_permutation_equivariant(
    module: Callable[..., Any],
    inputs: Inputs,
    *,
    batch: Tensor,
    node_inputs: Collection[str] = ("pos", "x", "vec"),
    edge_inputs: Collection[str] = (),
    node_outputs: Collection[str] = (),
    seed: int = 0,
    tolerance: Tolerance | None = None,
) -> None:
    """Check that node outputs follow a permutation of the nodes and other outputs are unchanged.

    Args:
        module: called with the inputs as keyword arguments.
        inputs: its inputs by name; ``edge_index``, if present, is relabelled and shuffled.
        batch: graph of each node ``[N]``, sorted; nodes are permuted within their graphs only.
        node_inputs: names of the inputs with a row per node.
        edge_inputs: names of the inputs with a row per edge.
        node_outputs: names of the outputs with a row per node.
        seed: seed of the permutation.
        tolerance: allowed deviation; None: that of the dtype.

    Raises:
        AssertionError: If the result depends on the order of nodes or edges.
    """
    generator = torch.Generator().manual_seed(seed)
    order = _order_inside_graphs(batch, generator)
    changed = dict(inputs)
    for name in node_inputs:
        if inputs.get(name) is not None:
            changed[name] = inputs[name][order]
    if inputs.get("edge_index") is not None:
        edges = inputs["edge_index"]
        shuffle = torch.randperm(edges.shape[1], generator=generator).to(edges.device)
        changed["edge_index"] = order.argsort()[edges[:, shuffle]]
        changed |= {name: inputs[name][shuffle] for name in edge_inputs}
    expected = {
        name: value[order] if name in node_outputs else value
        for name, value in call(module, inputs).items()
    }
    compare(call(module, changed), expected, "depends on the order of nodes or edges", tolerance)


def _order_inside_graphs(batch: Tensor, generator: torch.Generator) -> Tensor:
    shuffle = torch.randperm(batch.numel(), generator=generator).to(batch.device)
    return shuffle[batch[shuffle].argsort(stable=True)]
