"""Sums over edges of steerable features times harmonics and weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from geozoo.ops._textbook import is_textbook
from geozoo.ops._tracing import is_traced
from geozoo.ops.scatter import scatter
from geozoo.ops.steerable._compiled import has_numba
from geozoo.ops.steerable._run import run_kernel
from geozoo.ops.steerable.paths import SteerablePaths, coupling

Backend = Literal["auto", "numba", "torch"]
SumBackend = Literal["auto", "numba", "triton", "torch"]


class EdgeRows(NamedTuple):
    """Directed edges, of which both directions of a pair may share a row of values.

    Attributes:
        sender: ``[E]`` sending node of each edge.
        receiver: ``[E]`` receiving node.
        rows: ``[E]`` row of harmonics and weights of each edge; 0, 1, ... unless rows are shared.
        is_reverse: ``[E]`` whether the edge is the reverse of the one whose harmonics are in its
            row, so that odd degrees change sign.
        order: ``[E]`` order of the edges in compiled kernels, by receiver.
        num_rows: number R of rows.
    """

    sender: Int[Tensor, " E"]
    receiver: Int[Tensor, " E"]
    rows: Int[Tensor, " E"]
    is_reverse: Bool[Tensor, " E"]
    order: Int[Tensor, " E"]
    num_rows: int

    @property
    def has_shared_rows(self) -> bool:
        """Whether both directions of a pair share a row."""
        return self.sender.shape[0] != self.num_rows

    @classmethod
    def of(cls, sender: Int[Tensor, " E"], receiver: Int[Tensor, " E"]) -> EdgeRows:
        """Edges with a row each."""
        rows = torch.arange(sender.shape[0], device=sender.device)
        none = torch.zeros_like(rows, dtype=torch.bool)
        return cls(sender, receiver, rows, none, _order(receiver), sender.shape[0])

    @classmethod
    def of_pairs(cls, pairs: Int[Tensor, "2 P"]) -> EdgeRows:
        """Both directions of each pair, which share its row.

        Args:
            pairs: senders and receivers of the listed direction.
        """
        rows = torch.arange(pairs.shape[1], device=pairs.device)
        sender, receiver = torch.cat([pairs, pairs.flip(0)], 1)
        is_reverse = torch.cat([torch.zeros_like(rows), torch.ones_like(rows)]).bool()
        order = _order(receiver)
        return cls(sender, receiver, rows.repeat(2), is_reverse, order, pairs.shape[1])

    def blocks(self, size: int) -> list[tuple[int, int, EdgeRows]]:
        """First row, end and edges of every block of consecutive rows.

        Args:
            size: number of rows of a block; the last one may be smaller.
        """
        by_row = self.rows.argsort(stable=True)
        starts = torch.arange(0, self.num_rows, size, device=self.rows.device)
        splits = torch.searchsorted(self.rows[by_row], starts)[1:].tolist()
        found = []
        for begin, chosen in zip(starts.tolist(), by_row.tensor_split(splits), strict=True):
            end = min(begin + size, self.num_rows)
            receiver = self.receiver[chosen]
            part = EdgeRows(
                self.sender[chosen], receiver, self.rows[chosen] - begin, self.is_reverse[chosen],
                _order(receiver), end - begin,
            )  # fmt: skip
            found.append((begin, end, part))
        return found


def _order(receiver: Tensor) -> Tensor:
    """Edges sorted by receiver, where the compiled kernels run; else as they are."""
    if receiver.device.type == "cpu" and not is_traced():
        return receiver.argsort(stable=True)
    return torch.arange(receiver.shape[0], device=receiver.device)


def steerable_sum(
    x: Float[Tensor, "N X"],
    y: Float[Tensor, "R Y"],
    w: Float[Tensor, "R W"],
    edges: EdgeRows,
    paths: SteerablePaths,
    *,
    num_nodes: int | None = None,
    backend: SumBackend = "auto",
) -> Float[Tensor, "M out"]:
    r"""Sum features times harmonics times weights over the edges of each receiver.

    .. math:: z_{i, c u} = \sum_{j \to i} \sum_p w_{ij, p u} \sum_{a b} C^p_{a b c}\,
        x_{j, a u}\, y_{ij, b}

    One compiled kernel gathers, multiplies and adds, so that nothing of the size of all messages is
    stored; its gradients, and the gradients of these, are such kernels too. Third and higher
    derivatives are evaluated in plain PyTorch, and in kernels if ``backend="triton"``.

    Args:
        x: features of the nodes, channels-last blocks (`Path`).
        y: harmonics of each row of the edges.
        w: weights of each row.
        edges: the edges.
        paths: the paths.
        num_nodes: number M of receivers; None: that of ``x``.
        backend: ``"numba"``: compiled kernels on the CPU; ``"torch"``: the equation as written;
            ``"auto"``: compiled kernels if numba is installed, the tensors are on the CPU, and
            nothing is traced, see also `geozoo.ops.textbook`. ``"triton"``: compiled kernels on a
            GPU, in float32 or float64, deterministic. ``"auto"`` does not choose them: they
            have been run in Triton's interpreter and compiled for a GPU, but not yet run or timed
            on one (``python -m benchmarks.gpu steerable``).

    Raises:
        ValueError: If a tensor has the wrong width, ``backend`` is unknown, or ``"triton"`` is
            demanded of tensors on the CPU or of a traced program.
        ImportError: If ``backend="numba"`` and numba is not installed, or ``"triton"`` and Triton.
        TypeError: If ``backend="triton"`` and the dtype is neither float32 nor float64.
        IndexError: If a kernel runs on the CPU and an edge names a node or row that does not exist.
    """
    _check(x, y, w, paths, backend)
    count = x.shape[0] if num_nodes is None else num_nodes
    if backend == "triton":
        from geozoo.ops.steerable._triton_sum import triton_sum

        return triton_sum(x, y, w, edges, paths, count)
    if not is_compiled(x, backend):
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
    if backend not in get_args(SumBackend):
        raise ValueError(f"backend must be one of {get_args(SumBackend)}, got {backend!r}")


def is_compiled(x: Tensor, backend: str) -> bool:
    """Whether the sum of features x runs in a compiled kernel.

    Raises:
        ImportError: If that is demanded and numba is not installed.
    """
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
    sent = x.index_select(0, edges.sender)
    if edges.has_shared_rows:
        y, w = y.index_select(0, edges.rows), w.index_select(0, edges.rows)
    sign = 1 - 2 * edges.is_reverse.to(y.dtype).unsqueeze(1)
    blocks: dict[tuple[int, int, int], Tensor] = {}  # of the message: column, components, channels
    for path in paths.paths:
        a, b, c = path.dims
        weight = path.scale * w[:, path.w : path.w + path.channels].unsqueeze(1)
        block = _block(sent, path.x, a, path.channels, path.x_stride)
        harmonic = None
        if path.y is not None:
            harmonic = y[:, path.y : path.y + b]
            harmonic = harmonic * sign if path.changes_sign else harmonic
        product = _coupled(block, harmonic, path.degrees) * weight
        if path.out_stride != path.channels:
            product = functional.pad(product, (0, path.out_stride - path.channels))
        place = path.out, c, path.out_stride
        blocks[place] = blocks[place] + product if place in blocks else product
    return scatter(_joined(sent, blocks, paths.out_width), edges.receiver, count)


def _block(x: Tensor, start: int, components: int, channels: int, stride: int) -> Tensor:
    """A block ``[E, components, channels]`` of columns."""
    if stride == channels or components == 1:
        return x[:, start : start + components * channels].unflatten(1, (components, channels))
    parts = [x[:, start + i * stride : start + i * stride + channels] for i in range(components)]
    return torch.stack(parts, 1)


def _coupled(x: Tensor, y: Tensor | None, degrees: tuple[int, int, int]) -> Tensor:
    """Coupling of ``x [E, 2 l1 + 1, U]`` and ``y [E, 2 l2 + 1]`` to ``[E, 2 l3 + 1, U]``."""
    first, second, third = degrees
    factor = (2 * max(degrees) + 1) ** -0.5
    if second == 0 and first == third:
        return factor * x if y is None else x * (factor * y).unsqueeze(2)
    assert y is not None
    if first == 0 and second == third:
        return x * (factor * y).unsqueeze(2)
    mixed = torch.einsum("abc,eb->eac", coupling(degrees).to(x), y)
    return torch.einsum("eac,eau->ecu", mixed, x)


def _joined(like: Tensor, blocks: dict[tuple[int, int, int], Tensor], width: int) -> Tensor:
    """Blocks side by side, or added to each other where they share columns."""
    ordered, end = [], 0
    for (start, components, stride), block in sorted(blocks.items(), key=lambda item: item[0]):
        if start != end:
            break
        ordered.append(block.flatten(1))
        end += components * stride
    else:
        if end == width and ordered:
            return torch.cat(ordered, 1)
    message = like.new_zeros(like.shape[0], width)
    for (start, components, stride), block in blocks.items():
        columns = torch.arange(components * stride, device=like.device) + start
        # The last component of a block within a wider one ends before its stride.
        fits = columns < width
        message = message.index_add(1, columns[fits], block.flatten(1)[:, fits])
    return message


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
        run_kernel("forward", paths, edges, x, y, w, out)
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
        run_kernel("backward", paths, edges, x, y, w, g, *found)
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
        run_kernel("double", paths, edges, x, y, w, g, hx, hy, hw, *found)
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
