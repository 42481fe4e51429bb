"""Layers that merge the branches of a multi-ODE block."""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from geozoo.checks import check_positive, check_shape
from geozoo.ops import is_textbook, rowwise


class MessageFilter(nn.Module):
    r"""Clamp a state to a band around another one: :math:`|f - g| \le c` with a learned scalar c.

    Where the state is clamped, the gradient goes to the limits (g and c) instead of the state.

    Args:
        signed: use c with its sign, as the published code does. For a negative c, applying both
            limits in turn gives g - c everywhere. False: use :math:`|c|`.

    Reference:
        Liu et al., TMLR 2023, arXiv:2305.18687, section 4 (message filtering; standard normal start
        as in the published code).
    """

    def __init__(self, *, signed: bool = False) -> None:
        super().__init__()
        self.signed = signed
        self.clip = nn.Parameter(torch.randn(1))

    def forward(
        self, state: Float[Tensor, "B N T C"], center: Float[Tensor, "B N T C"]
    ) -> Float[Tensor, "B N T C"]:
        """Return the clamped state.

        Args:
            state: state f to clamp.
            center: centre g of the band.

        Raises:
            ValueError: If the shapes differ.
        """
        check_shape("state", state, "B N T C", None, None, None, None)
        check_shape("center", center, "B N T C", *state.shape)
        width = self.clip if self.signed else self.clip.abs()
        return rowwise(_limited, state, center, shared=(width,), gradients=_limited_gradients)


class GatedAggregation(nn.Module):
    r"""Merge the branches: mutual gating, or a plain sum.

    .. math::
        y = \frac{1}{n (n - 1)} \sum_{p \ne q} x_p \odot \sigma(x_q)

    over the n given branches (6 terms for all three).

    Args:
        mode: ``"gated"`` or ``"sum"``.

    Raises:
        ValueError: If ``mode`` is unknown.

    Reference:
        Liu et al., TMLR 2023, arXiv:2305.18687, section 4 (aggregation layer).
    """

    def __init__(self, mode: Literal["gated", "sum"] = "gated") -> None:
        super().__init__()
        if mode not in ("gated", "sum"):
            raise ValueError(f'mode must be "gated" or "sum", got {mode!r}')
        self.mode = mode

    def forward(
        self,
        global_state: Float[Tensor, "B N T C"] | None = None,
        local_state: Float[Tensor, "B N T C"] | None = None,
        edge_state: Float[Tensor, "B N T C"] | None = None,
    ) -> Float[Tensor, "B N T C"]:
        """Return the merged branches; None for an absent branch.

        Raises:
            ValueError: If shapes differ or too few branches are given (gated: 2, sum: 1).
        """
        every = (global_state, local_state, edge_state)
        branches = [branch for branch in every if branch is not None]
        least = 2 if self.mode == "gated" else 1
        if len(branches) < least:
            raise ValueError(
                f'mode "{self.mode}" needs at least {least} branch states, got {len(branches)}'
            )
        check_shape("every branch", branches[0], "B N T C", None, None, None, None)
        for branch in branches[1:]:
            check_shape("every branch", branch, "B N T C", *branches[0].shape)
        if self.mode == "sum":
            return sum(branches[1:], start=branches[0])
        if is_textbook():
            terms = [p * torch.sigmoid(q) for p, q in itertools.permutations(branches, 2)]
            return sum(terms[1:], start=terms[0]) / len(terms)
        return rowwise(_gated, *branches, gradients=_gated_gradients)


class ResidualUpdate(nn.Module):
    r"""Add a gate computed from the block's input to the merged branches.

    .. math::
        z = \mathrm{ReLU}\big(v_0\, \sigma(W r + b) + v_1\, y\big)

    Args:
        channels: number C of channels.
        use_gate: False: ablation with z = ReLU(v_1 y), without W and v_0.

    Raises:
        ValueError: If ``channels`` is below 1.

    Reference:
        Liu et al., TMLR 2023, arXiv:2305.18687, section 4 (update layer; v starts standard normal
        as in the published code).
    """

    def __init__(self, channels: int, *, use_gate: bool = True) -> None:
        super().__init__()
        check_positive(channels=channels)
        self.channels = channels
        self.scales = nn.Parameter(torch.randn(1 + use_gate))
        self.gate = nn.Linear(channels, channels) if use_gate else None

    def forward(
        self, merged: Float[Tensor, "B N T C"], residual: Float[Tensor, "B N T C"]
    ) -> Float[Tensor, "B N T C"]:
        """Return the output of the block.

        Args:
            merged: aggregate y of the branches.
            residual: input r of the block.

        Raises:
            ValueError: If a tensor has the wrong shape.
        """
        check_shape("merged", merged, "B N T C", None, None, None, self.channels)
        check_shape("residual", residual, "B N T C", *merged.shape)
        given = (merged,) if self.gate is None else (merged, self.gate(residual))
        return rowwise(_updated, *given, shared=(self.scales,), gradients=_updated_gradients)


# On a CPU, `where` and `masked_fill` branch on every element and take far longer than a minimum or
# `threshold_backward`, which keeps a gradient where its argument is above a limit.
_kept_above = torch.ops.aten.threshold_backward


def _limited(state: Tensor, center: Tensor, width: Tensor) -> Tensor:
    upper, lower = center + width, center - width
    if not torch.is_grad_enabled():  # the derivatives of a minimum differ where both are equal
        return torch.maximum(torch.minimum(state, upper), lower)
    limited = torch.where(state > upper, upper, state)
    return torch.where(limited < lower, lower, limited)


def _limited_gradients(
    grad: Tensor, state: Tensor, center: Tensor, width: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    upper, lower = center + width, center - width
    below = _kept_above(grad, lower - torch.minimum(state, upper), 0)
    others = grad - below
    above = _kept_above(others, state - upper, 0)
    of_state = others - above
    return of_state, grad - of_state, (above.sum() - below.sum()).view_as(width)


def _gated(*branches: Tensor) -> Tensor:
    gates = [torch.sigmoid(branch) for branch in branches]
    scale = 1 / (len(branches) * (len(branches) - 1))
    total = torch.zeros_like(branches[0])
    for i, branch in enumerate(branches):
        first, *others = gates[:i] + gates[i + 1 :]
        total = torch.addcmul(total, branch, sum(others, start=first), value=scale)
    return total


def _gated_gradients(grad: Tensor, *branches: Tensor) -> tuple[Tensor, ...]:
    gates = [torch.sigmoid(branch) for branch in branches]
    grad = grad * (1 / (len(branches) * (len(branches) - 1)))
    found = []
    for i, gate in enumerate(gates):
        first, *others = gates[:i] + gates[i + 1 :]
        through_value = sum(others, start=first)
        first, *others = branches[:i] + branches[i + 1 :]
        slope = torch.addcmul(gate, gate, gate, value=-1)
        found.append(torch.addcmul(through_value, slope, sum(others, start=first)).mul_(grad))
    return tuple(found)


def _updated(merged: Tensor, *gate_and_scales: Tensor) -> Tensor:
    *gate, scales = gate_and_scales
    update = scales[-1] * merged
    if gate:
        update = torch.addcmul(update, scales[0], torch.sigmoid(gate[0]))
    return functional.relu(update)


def _updated_gradients(
    grad: Tensor, merged: Tensor, *gate_and_scales: Tensor
) -> tuple[Tensor, ...]:
    *gate, scales = gate_and_scales
    update = scales[-1] * merged
    if not gate:
        grad = _kept_above(grad, update, 0)
        return scales[-1] * grad, (grad * merged).sum().view_as(scales)
    opened = torch.sigmoid(gate[0])
    grad = _kept_above(grad, torch.addcmul(update, scales[0], opened), 0)
    of_scales = torch.stack([(grad * opened).sum(), (grad * merged).sum()])
    slope = torch.addcmul(opened, opened, opened, value=-1)
    return scales[-1] * grad, slope.mul_(scales[0]).mul_(grad), of_scales
