"""Input checks of the geometric models."""

from __future__ import annotations

from torch import Tensor

from geozoo.nn.edges import Edges, GivenEdges, as_edges
from geozoo.ops import is_traced


def check_channels(in_channels: int, in_vectors: int, out_channels: int, out_vectors: int) -> None:
    """Check that a model has an input and an output.

    Raises:
        ValueError: If a number is negative, or there is no input or no output.
    """
    for side, channels, vectors in (
        ("in", in_channels, in_vectors),
        ("out", out_channels, out_vectors),
    ):
        if min(channels, vectors) < 0 or channels + vectors < 1:
            raise ValueError(
                f"{side}_channels and {side}_vectors must be at least 0 and not both 0, got "
                f"{channels!r} and {vectors!r}"
            )


def check_level(level: str) -> None:
    """Check that outputs are per node or per graph.

    Raises:
        ValueError: If the level is another one.
    """
    if level not in ("node", "graph"):
        raise ValueError(f'level must be "node" or "graph", got {level!r}')


def count_graphs(batch: Tensor, num_graphs: int | None) -> int:
    """The number of graphs; from the last entry of ``batch`` if it is not given."""
    if num_graphs is not None:
        return num_graphs
    return int(batch[-1]) + 1 if batch.numel() else 0


def check_condition(condition: Tensor | None, num_graphs: int, channels: int) -> None:
    """Check that a condition is given exactly if the model has condition channels.

    Raises:
        ValueError: If the condition is missing, unexpected or of the wrong shape.
    """
    if condition is None and channels:
        raise ValueError(f"condition must have shape ({num_graphs}, {channels}), got None")
    if condition is not None and condition.shape != (num_graphs, channels):
        wanted = f"have shape ({num_graphs}, {channels})" if channels else "be None for this model"
        raise ValueError(f"condition must {wanted}, got shape {tuple(condition.shape)}")


def check_graphs(
    pos: Tensor, x: Tensor | None, batch: Tensor, edge_index: GivenEdges | None,
    vec: Tensor | None,
    *, dim: int, in_channels: int, in_vectors: int,
) -> Edges | None:  # fmt: skip
    """Check the shapes of a batch of graphs, and on the CPU also its node indices.

    Return the edges, or None if ``edge_index`` is None.

    Args:
        pos: positions ``[N, dim]``.
        x: scalar features ``[N, in_channels]``; ignored if ``in_channels`` is 0.
        batch: graph of each node ``[N]``.
        edge_index: senders and receivers ``[2, E]``, or edges of `geozoo.nn.edges`, or None.
        vec: vector features ``[N, in_vectors, dim]``; ignored if ``in_vectors`` is 0.
        dim: spatial dimension.
        in_channels: number of scalar features.
        in_vectors: number of vector features.

    Raises:
        ValueError: If a tensor has the wrong shape.
        IndexError: If ``edge_index`` contains an invalid node index.
    """
    num_nodes = pos.shape[0]
    _check_shape("pos", pos, (num_nodes, dim))
    _check_shape("batch", batch, (num_nodes,))
    if in_channels:
        _check_shape("x", x, (num_nodes, in_channels))
    if in_vectors:
        _check_shape("vec", vec, (num_nodes, in_vectors, dim))
    if edge_index is None:
        return None
    edges = as_edges(edge_index)
    _check_nodes(edges, num_nodes)
    return edges


def _check_nodes(edges: Edges, num_nodes: int) -> None:
    # On an accelerator this check would synchronise; there the gather itself raises.
    every = [ends for ends in edges.ends if ends.device.type == "cpu" and ends.numel()]
    if is_traced() or not every:
        return
    least = min(int(ends.min()) for ends in every)
    most = max(int(ends.max()) for ends in every)
    if least < 0 or most >= num_nodes:
        raise IndexError(f"edge_index must be in 0..{num_nodes - 1}, got {least} to {most}")


def _check_shape(name: str, tensor: Tensor | None, shape: tuple[int, ...]) -> None:
    if tensor is None or tuple(tensor.shape) != shape:
        got = None if tensor is None else tuple(tensor.shape)
        raise ValueError(f"{name} must have shape {shape}, got {got}")
