"""Gated activations of steerable features."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from geozoo.ops._ranges import check_rows
from geozoo.ops.scatter import scatter
from geozoo.ops.steerable._compiled import generated
from geozoo.ops.steerable._gate_source import gate_source
from geozoo.ops.steerable.product import Target
from geozoo.ops.steerable.sum import Backend, is_compiled

GateActivation = Literal["sigmoid", "silu"]


class Gating(NamedTuple):
    """Sizes of gated features.

    Attributes:
        scalars: number of scalars.
        blocks: components and channels of each other block.
        scalar_scale: factor of the activated scalars.
        gate_scale: factor of the gates.
        gate: activation of the gates.
    """

    scalars: int
    blocks: tuple[tuple[int, int], ...] = ()
    scalar_scale: float = 1.0
    gate_scale: float = 1.0
    gate: GateActivation = "sigmoid"

    @property
    def widths(self) -> tuple[int, ...]:
        """Columns of the scalars with the gates, and of every block."""
        gates = sum(channels for _, channels in self.blocks)
        return self.scalars + gates, *(count * channels for count, channels in self.blocks)


def gated(
    x: Float[Tensor, "R S"],
    blocks: Sequence[Tensor],
    gating: Gating,
    *,
    window: Float[Tensor, "R 1"] | None = None,
    target: Target | None = None,
    backend: Backend = "auto",
) -> list[Tensor]:
    r"""SiLU of scalars, and all other features times an activated scalar per channel.

    .. math:: s'_u = \alpha\, s_u\, \sigma(s_u), \qquad v'_{m u} = \beta\, a(g_u)\, v_{m u}

    The activation a of the gates is the sigmoid or SiLU.

    With a window and a target, rows are multiplied by the window and summed at their targets. In
    compiled kernels values, first and second derivatives each take one pass over the features.

    Args:
        x: scalars, then the gates of all blocks.
        blocks: other features, channels last.
        gating: their sizes.
        window: weight of each row, with ``target``.
        target: where to sum.
        backend: see `geozoo.ops.steerable_sum`.

    Returns:
        The scalars and the blocks.

    Raises:
        ValueError: If a tensor has the wrong shape, or a window has no target.

    >>> gated(torch.zeros(1, 2), [torch.ones(1, 3)], Gating(1, ((3, 1),)))
    [tensor([[0.]]), tensor([[0.5000, 0.5000, 0.5000]])]
    """
    given = [x, *blocks]
    for number, (part, width) in enumerate(zip(given, gating.widths, strict=True)):
        if part.shape != (x.shape[0], width):
            raise ValueError(
                f"part {number} must have shape ({x.shape[0]}, {width}), got {tuple(part.shape)}"
            )
    if (window is None) != (target is None):
        raise ValueError("window and target must be given together")
    if window is not None:
        if window.shape != (x.shape[0], 1):
            raise ValueError(f"window must have shape ({x.shape[0]}, 1), got {tuple(window.shape)}")
        given.append(window)
    place = _Place(gating, target)
    if not is_compiled(x, backend):
        return _as_written(place, *given)
    if target is not None:
        check_rows("rows of the target", target.rows, target.size)
    return list(_Gated.apply(place, *(each.to(x.dtype).contiguous() for each in given)))


class _Place(NamedTuple):
    """Sizes of the features, and where they are summed."""

    gating: Gating
    target: Target | None

    def results(self, like: Tensor) -> list[Tensor]:
        """Tensors for the result."""
        widths = self.gating.scalars, *self.gating.widths[1:]
        if self.target is None:
            return [like.new_empty(len(like), width) for width in widths]
        return [like.new_zeros(self.target.size, width) for width in widths]


def _as_written(place: _Place, x: Tensor, *given: Tensor) -> list[Tensor]:
    gating, target = place
    scalars, *gates = x.split([gating.scalars, *(channels for _, channels in gating.blocks)], 1)
    parts = [gating.scalar_scale * functional.silu(scalars)]
    for block, gate, sizes in zip(given, gates, gating.blocks, strict=False):
        active = functional.silu(gate) if gating.gate == "silu" else gate.sigmoid()
        weight = gating.gate_scale * active.unsqueeze(1)
        parts.append((weight * block.unflatten(1, sizes)).flatten(1))
    if target is None:
        return parts
    return [scatter(part * given[-1], target.rows, target.size) for part in parts]


def _run(loop: str, place: _Place, sigmoid: Tensor, *tensors: Tensor) -> None:
    """Run a loop; the arrays of each kind have the window last."""
    kernels = _kernels(
        place.gating, place.target is not None, str(sigmoid.dtype).removeprefix("torch.")
    )
    getattr(kernels, loop)(sigmoid.numpy(), *(each.detach().numpy() for each in tensors))


@lru_cache(maxsize=64)
def _kernels(gating: Gating, has_window: bool, dtype: str) -> ModuleType:
    return generated(gate_source(gating, has_window, dtype), f"gate_{dtype}")


def _windows(place: _Place, *kinds: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The tensors of all kinds without windows; and the first window, target and other windows."""
    if place.target is None:
        return [each for kind in kinds for each in kind], []
    count = len(place.gating.widths)
    windows = [kind[count] for kind in kinds if len(kind) > count]
    index = place.target.rows.to(torch.int64).contiguous()
    parts = [each for kind in kinds for each in kind[:count]]
    return parts, [windows[0], index, *windows[1:]]


class _Gated(torch.autograd.Function):
    """The activation."""

    @staticmethod
    def forward(ctx: Any, place: _Place, *given: Tensor) -> tuple[Tensor, ...]:
        sigmoid = given[0].detach().sigmoid()
        ctx.place = place
        ctx.save_for_backward(sigmoid, *given)
        outs = place.results(sigmoid)
        parts, windows = _windows(place, given, outs)
        _run("forward", place, sigmoid, *parts, *windows)
        return tuple(outs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        tight = [grad.contiguous() for grad in grads]
        return None, *_Gradients.apply(ctx.place, *ctx.saved_tensors, *tight)


class _Gradients(torch.autograd.Function):
    """Its gradients."""

    @staticmethod
    def forward(ctx: Any, place: _Place, sigmoid: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        ctx.place = place
        ctx.save_for_backward(sigmoid, *given)
        count = len(given) - len(place.gating.widths)
        xs, gs = given[:count], given[count:]
        found = [torch.empty_like(each) for each in xs]
        parts, windows = _windows(place, xs, gs, found)
        _run("backward", place, sigmoid, *parts, *windows)
        return tuple(found)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        tight = [grad.contiguous() for grad in grads]
        return None, None, *_Second.apply(ctx.place, *ctx.saved_tensors, *tight)


class _Second(torch.autograd.Function):
    """Gradients of the gradients; those of higher order are evaluated in plain PyTorch."""

    @staticmethod
    def forward(ctx: Any, place: _Place, sigmoid: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        ctx.place = place
        ctx.save_for_backward(*given)
        xs, gs, hs = _kinds(place, given)
        of_xs, of_gs = [torch.empty_like(each) for each in xs], place.results(sigmoid)
        parts, windows = _windows(place, xs, gs, hs, of_xs, of_gs)
        _run("double", place, sigmoid, *parts, *windows)
        return (*of_xs, *of_gs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        with torch.enable_grad():
            given = [each.detach().requires_grad_() for each in ctx.saved_tensors]
            xs, gs, hs = _kinds(ctx.place, given)
            outs = _as_written(ctx.place, *xs)
            first = torch.autograd.grad(outs, xs, gs, create_graph=True)
            second = torch.autograd.grad(first, [*xs, *gs], hs, create_graph=True)
            third = torch.autograd.grad(second, given, grads, allow_unused=True)
        return None, None, *third


def _kinds(place: _Place, given: Sequence[Tensor]) -> tuple[Sequence[Tensor], ...]:
    """Features, gradients of the result, and directions of the features."""
    results = len(place.gating.widths)
    features = (len(given) - results) // 2
    return given[:features], given[features : features + results], given[features + results :]
