"""Check that the graphs of a batch do not influence each other."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor

from geozoo.testing._run import Inputs, Outputs, call, compare
from geozoo.testing.tolerances import Tolerance


def assert_batch_independent(
    module: Callable[..., Any],
    inputs: Inputs,
    *,
    level: str,
    node_inputs: Collection[str] = ("pos", "x", "vec"),
    tolerance: Tolerance | None = None,
) -> None:
    """Check that a batch of graphs gives the same outputs as the individual graphs.

    In addition, the floating-point inputs of each graph in turn are changed, which must not change
    the outputs of the other graphs.

    Args:
        module: a geometric model: ``batch``, ``num_graphs`` and, if present, ``edge_index`` are
            passed by keyword.
        inputs: a batch of several graphs, with ``num_graphs``; some may be empty.
        level: ``"graph"`` for outputs with a row per graph, ``"node"`` for a row per node.
        node_inputs: names of the inputs with a row per node.
        tolerance: allowed deviation; None: that of the dtype.

    Raises:
        AssertionError: If the output of a graph depends on the other graphs of the batch.
        ValueError: If there are fewer than two graphs, or ``level`` is unknown.
    """
    if level not in ("graph", "node"):
        raise ValueError(f'level must be "graph" or "node", got {level!r}')
    num_graphs = int(inputs["num_graphs"])
    if num_graphs < 2:
        raise ValueError(f"num_graphs must be at least 2 for this check, got {num_graphs!r}")
    together = call(module, inputs)
    for graph in range(num_graphs):
        alone = call(module, _one_graph(inputs, graph, node_inputs))
        mine = _rows(together, inputs["batch"], graph, level)
        compare(alone, mine, f"of graph {graph} alone differs from that in the batch", tolerance)
    for graph in range(num_graphs):
        changed = call(module, _with_changed_graph(inputs, graph, node_inputs))
        for other in (g for g in range(num_graphs) if g != graph):
            compare(
                _rows(changed, inputs["batch"], other, level),
                _rows(together, inputs["batch"], other, level),
                f"of graph {other} depends on the inputs of graph {graph}",
                tolerance,
            )


def _rows(outputs: Outputs, batch: Tensor, graph: int, level: str) -> Outputs:
    index = slice(graph, graph + 1) if level == "graph" else batch == graph
    return {name: value[index] for name, value in outputs.items()}


def _one_graph(inputs: Inputs, graph: int, node_inputs: Collection[str]) -> dict[str, Any]:
    mine = inputs["batch"] == graph
    alone = dict(inputs)
    for name in node_inputs:
        if inputs.get(name) is not None:
            alone[name] = inputs[name][mine]
    alone["batch"] = torch.zeros_like(inputs["batch"][mine])
    alone["num_graphs"] = 1
    if inputs.get("edge_index") is not None:
        edges = inputs["edge_index"]
        new_index = mine.long().cumsum(0) - 1
        alone["edge_index"] = new_index[edges[:, mine[edges[0]]]]
    return alone


def _with_changed_graph(inputs: Inputs, graph: int, node_inputs: Collection[str]) -> dict[str, Any]:
    mine = inputs["batch"] == graph
    changed = dict(inputs)
    for name in node_inputs:
        value = inputs.get(name)
        if value is not None and value.is_floating_point():
            row = mine.view(-1, *([1] * (value.dim() - 1)))
            changed[name] = torch.where(row, 1.3 * value + 0.7, value)
    return changed
