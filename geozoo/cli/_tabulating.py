"""``geozoo predict tabulate=true``: a PONITA that reads its kernels from tables."""

from __future__ import annotations

import torch

from geozoo.data import GraphStore
from geozoo.hub import Ensemble, TrainedModel
from geozoo.models import Ponita, tabulate
from geozoo.runs.errors import RunError

#: Cells of a table along each axis: the first of these that gives every kernel to `_TOLERANCE` of
#: its root mean square, otherwise the last.
_CELLS, _TOLERANCE = (128, 256), 1e-3
#: Graphs on which the outputs with and without tables are compared.
_COMPARED = 8


def check_tabulates(model: TrainedModel | Ensemble) -> None:
    """Raise an error unless every network is a PONITA.

    Raises:
        RunError: names the model and its network.
    """
    for member in model.members:
        _ponita(member)


def use_tables(model: TrainedModel | Ensemble, store: GraphStore) -> str:
    """Replace the kernels of every network by tables that cover the pairs of these graphs.

    Args:
        model: of PONITA networks; changed in place.
        store: the graphs to predict for.

    Returns:
        A sentence on the tables, with the measured deviation from the exact network.

    Raises:
        ValueError: for a PONITA whose kernels depend on more than two numbers.
    """
    first = store.gather(torch.arange(min(_COMPARED, len(store)))).to(model.device)
    exact, made = model.predict(first), []
    for member in model.members:
        network = _ponita(member)
        # A graph without given edges has no pairs beyond the network's radius.
        is_bounded = network.radius is not None and store.edge_index is None
        limit = network.radius if is_bounded else 1.001 * _largest_distance(store) or 1.0
        for cells in _CELLS:
            try:
                found = tabulate(network, max_distance=limit, points=cells)
            except ValueError as error:
                raise ValueError(f"tabulate=true: {member.name}: {error}") from error
            if found.error < _TOLERANCE:
                break
        member.task.model = found.model
        unit = model.spec.units.get("pos", "")
        made.append(f"{cells} cells up to a distance of {limit:.3g} {unit}".rstrip())
    tabulated = model.predict(first)
    deviations = []
    for name, values in exact.items():
        unit = model.units.get(name, "1")
        largest = float((tabulated[name] - values).abs().max())
        deviations.append(f"{name} {largest:.2g}" + (f" {unit}" if unit != "1" else ""))
    return (
        f"kernels are read from tables ({', '.join(dict.fromkeys(made))}); largest deviation from "
        f"the exact network in the first {first.num_graphs} graphs: {', '.join(deviations)}"
    )


def _ponita(model: TrainedModel) -> Ponita:
    if not isinstance(model.model, Ponita):
        raise RunError(
            "tabulate=true replaces the kernels of a PONITA by tables; the network of "
            f"{model.name} is {type(model.model).__name__}"
        )
    return model.model


def _largest_distance(store: GraphStore) -> float:
    """The largest distance of two nodes of one graph."""
    pos, largest = store.node["pos"].double(), 0.0
    for nodes in pos.split(store.num_nodes.tolist()):
        if len(nodes) > 1:
            largest = max(largest, float(torch.cdist(nodes, nodes).max()))
    return largest
