"""Sums over edges of steerable features times harmonics and weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from geozoo.ops._textbook import is_textbook
from geozoo.ops._tracing import is_traced
from geozoo.ops.scatter import scatter
from geozoo.ops.steerable._compiled import has_numba, kernels_of
from geozoo.ops.steerable.paths import SteerablePaths, coupling

Backend = Literal["auto", "numba", "torch"]


class EdgeRows(NamedTuple):
    """Directed edges, of which both directions of a pair may share a row of values.

    Attributes:
        sender: ``[E]`` sending node of each edge.
        receiver: ``[E]`` receiving node.
        rows: ``[E]`` row of harmonics and weights of each edge.
        is_reverse: ``[E]`` whether the edge is the reverse of the one whose harmonics are in its
            row, so that odd degrees change sign.
        order: ``[E]`` edges sorted by receiver.
        num_rows: number R of rows.
    """

    sender: Int[Tensor, " E"]
    receiver: Int[Tensor, " E"]
    rows: Int[Tensor, " E"]
    is_reverse: Bool[Tensor, " E"]
    order: Int[Tensor, " E"]
    num_rows: int

    @classmethod
    def of(cls, sender: Int[Tensor, " E"], receiver: Int[Tensor, " E"]) -> EdgeRows:
        """Edges with a row each."""
        rows = torch.arange(sender.shape[0], device=sender.device)
        none = torch.zeros_like(rows, dtype=torch.bool)
        order = receiver.argsort(stable=True)
        return cls(sender, receiver, rows, none, order, sender.shape[0])

    @classmethod
    def of_pairs(cls, pairs: Int[Tensor, "2 P"]) -> EdgeRows:
        """Both directions of each pair, which share its row.

        Args:
            pairs: senders and receivers of the listed direction.
        """
        rows = torch.arange(pairs.shape[1], device=pairs.device)
        sender, receiver = torch.cat([pairs, pairs.flip(0)], 1)
        is_reverse = torch.cat([torch.zeros_like(rows), torch.ones_like(rows)]).bool()
        order = receiver.argsort(stable=True)
        return cls(sender, receiver, rows.repeat(2), is_reverse, order, pairs.shape[1])


def steerable_sum(
    x: Float[Tensor, "N X"],
    y: Float[Tensor, "R Y"],
    w: Float[Tensor, "R W"],
    edges: EdgeRows,
    paths: SteerablePaths,
    *,
    num_nodes: int | None = None,
    backend: Backend = "auto",
) -> Float[Tensor, "M out"]:
    r"""Sum features times harmonics times weights over the edges of each receiver.

    .. math:: z_{i, c u} = \sum_{j \to i} \sum_p w_{ij, p u} \sum_{a b} C^p_{a b c}\,
        x_{j, a u}\, y_{ij, b}

    One compiled kernel gathers, multiplies and adds, so that nothing of the size of all messages is
    stored; its gradients, and the gradients of these, are such kernels too. Third and higher
    derivatives are evaluated in plain PyTorch.

    Args:
        x: features of the nodes, channels-last blocks (`Path`).
        y: harmonics of each row of the edges.
        w: weights of each row.
        edges: the edges.
        paths: the paths.
        num_nodes: number M of receivers; None: that of ``x``.
        backend: ``"numba"``: compiled kernels on the CPU; ``"torch"``: the equation as written;
            ``"auto"``: compiled kernels if numba is installed, the tensors are on the CPU, and
            nothing is traced, see also `geozoo.ops.textbook`.

    Raises:
        ValueError: If a tensor has the wrong width, or ``backend`` is unknown.
        ImportError: If ``backend="numba"`` and numba is not installed.
    """
    _check(x, y, w, paths, backend)
    count = x.shape[0] if num_nodes is None else num_nodes
    if not _is_compiled(x, backend):
        return _as_written(x, y, w, edges, paths, count)
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), w.dtype)
    given = [part.to(dtype).contiguous() for part in (x, y, w)]
    return _Sum.apply(*given, edges, paths, count)


def _check(x: Tensor, y: Tensor, w: Tensor, paths: SteerablePaths, backend: str) -> None:
    for name, value, width in (
        ("x", x, paths.x_width), ("y", y, paths.y_width), ("w", w, paths.w_width),
    ):  # fmt: skip
        if value.ndim != 2 or value.shape[1] != width:
            raise ValueError(f"{name} must have shape (rows, {width}), got {tuple(value.shape)}")
    if y.shape[0] != w.shape[0]:
        raise ValueError(
            f"y and w must have the same number of rows, got {y.shape[0]} and {w.shape[0]}"
        )
    if backend not in get_args(Backend):
        raise ValueError(f"backend must be one of {get_args(Backend)}, got {backend!r}")


def _is_compiled(x: Tensor, backend: str) -> bool:
    if backend == "numba":
        if not has_numba():
            raise ImportError('backend="numba" requires numba: pip install "geozoo[train]"')
        return True
    if backend == "torch" or is_textbook() or is_traced():
        return False
    fits = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)
    return fits and has_numba() and not torch.is_autocast_enabled("cpu")


def _as_written(
    x: Tensor, y: Tensor, w: Tensor, edges: EdgeRows, paths: SteerablePaths, count: int
) -> Tensor:
    """The equation as written: messages of all edges, then their sum."""
    sent, rows = x.index_select(0, edges.sender), edges.rows
    harmonics, weights = y.index_select(0, rows), w.index_select(0, rows)
    sign = 1 - 2 * edges.is_reverse.to(y.dtype).unsqueeze(1)
    columns: list[Tensor] = []
    products: list[Tensor] = []
    for path in paths.paths:
        a, b, c = path.dims
        block = sent.index_select(1, _columns(path.x, a, path.x_stride, path.channels, sent))
        of_path = harmonics[:, path.y : path.y + b]
        if path.degrees[1] % 2:
            of_path = of_path * sign
        coefficients = path.scale * coupling(path.degrees).to(x)
        mixed = torch.einsum("abc,eb->eac", coefficients, of_path)
        product = torch.einsum("eac,eau->ecu", mixed, block.unflatten(1, (a, -1)))
        product = product * weights[:, path.w : path.w + path.channels].unsqueeze(1)
        products.append(product.flatten(1))
        columns.append(_columns(path.out, c, path.out_stride, path.channels, sent))
    message = sent.new_zeros(len(sent), paths.out_width)
    if products:
        message = message.index_add(1, torch.cat(columns), torch.cat(products, 1))
    return scatter(message, edges.receiver, count)


def _columns(start: int, components: int, stride: int, channels: int, like: Tensor) -> Tensor:
    """Columns of a block, component by component."""
    steps = torch.arange(components, device=like.device).unsqueeze(1) * stride
    return (start + steps + torch.arange(channels, device=like.device)).flatten()


def _arrays(edges: EdgeRows, dtype: torch.dtype) -> list[Any]:
    signs = 1 - 2 * edges.is_reverse.to(dtype)
    parts = (edges.sender, edges.receiver, edges.rows, signs, edges.order)
    return [part.contiguous().numpy() for part in parts]


def _run(kind: int, paths: SteerablePaths, edges: EdgeRows, *tensors: Tensor) -> None:
    """Run a kernel over all edges."""
    dtype = tensors[0].dtype
    kernel = kernels_of(paths, str(dtype).removeprefix("torch."))[kind]
    arrays = [tensor.detach().numpy() for tensor in tensors]
    kernel(*arrays, *_arrays(edges, dtype), 0, edges.sender.shape[0])


class _Sum(torch.autograd.Function):
    """The sum."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, y: Tensor, w: Tensor, edges: EdgeRows, paths: SteerablePaths,
        count: int,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(x, y, w)
        ctx.edges, ctx.paths = edges, paths
        out = x.new_zeros(count, paths.out_width)
        _run(0, paths, edges, x, y, w, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        found = _Gradients.apply(*ctx.saved_tensors, grad.contiguous(), ctx.edges, ctx.paths)
        return (*found, None, None, None)


class _Gradients(torch.autograd.Function):
    """Gradients of the sum with respect to features, harmonics and weights."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, y: Tensor, w: Tensor, g: Tensor, edges: EdgeRows,
        paths: SteerablePaths,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        ctx.save_for_backward(x, y, w, g)
        ctx.edges, ctx.paths = edges, paths
        found = torch.zeros_like(x), torch.zeros_like(y), torch.zeros_like(w)
        _run(1, paths, edges, x, y, w, g, *found)
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        given = [grad.contiguous() for grad in grads]
        found = _Second.apply(*ctx.saved_tensors, *given, ctx.edges, ctx.paths)
        return (*found, None, None)


class _Second(torch.autograd.Function):
    """Gradients of the gradients."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, y: Tensor, w: Tensor, g: Tensor, hx: Tensor, hy: Tensor, hw: Tensor,
        edges: EdgeRows, paths: SteerablePaths,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        ctx.save_for_backward(x, y, w, g, hx, hy, hw)
        ctx.edges, ctx.paths = edges, paths
        found = tuple(torch.zeros_like(each) for each in (x, y, w, g))
        _run(2, paths, edges, x, y, w, g, hx, hy, hw, *found)
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
        saved, edges, paths = ctx.saved_tensors, ctx.edges, ctx.paths
        with torch.enable_grad():
            x, y, w, g, *hs = inputs = [each.detach().requires_grad_() for each in saved]
            total = (_as_written(x, y, w, edges, paths, len(g)) * g).sum()
            first = torch.autograd.grad(total, (x, y, w), create_graph=True)
            inner = _inner(first, hs)
            second = torch.autograd.grad(inner, (x, y, w, g), create_graph=True)
            outer = _inner(second, grads)
            third = torch.autograd.grad(outer, inputs, allow_unused=True)
        return (*third, None, None)


def _inner(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """Sum of products of all entries."""
    return torch.stack([(a * b).sum() for a, b in zip(one, other, strict=True)]).sum()
