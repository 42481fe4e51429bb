"""One Euler step of the edge ODE and its projection, without a tensor over sensor pairs."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def factorised_edge_step(
    signal: Float[Tensor, "B N T"],
    graph: Float[Tensor, "N N"],
    left: Float[Tensor, "T T"],
    right: Float[Tensor, "T T"],
    rate: Float[Tensor, " N"],
    weight: Float[Tensor, "C N"],
    bias: Float[Tensor, " C"],
    *,
    detach_initial: bool,
) -> Float[Tensor, "B N T C"]:
    r"""Return the output of `geozoo.nn.EdgeODE` for one unit Euler step, in factorised form.

    The initial state is :math:`e_{ij} = m_i + m_j`, so for a fixed first sensor i the result is
    affine in :math:`m_j`. With the scores :math:`S_i [T, T]` of `_pair_scores`, the rates r and the
    row sums :math:`g_i` of the graph,

    .. math::
        e_{ij}(1) = r_i\, (G m)_i + m_i S_i + m_j\, (r_i g_i + S_i)

    and the projection F over i leaves :math:`y_j = P + m_j Q` with ``P [T, C]`` and ``Q [T, T, C]``
    for each window. Cost and memory scale as ``B N T T C`` and ``B N T (T + C)``.

    In the forward pass, the terms e - e - e + e(0) of the equation cancel. If e(0) is detached, its
    gradient does not: the term :math:`u_i + u_j` with ``u = detach(m) - m`` is zero and has that
    gradient.

    Args:
        signal: the time series m.
        graph: the matrix G = A + M.
        left: weights w3.
        right: weights w4.
        rate: half of sigmoid(alpha).
        weight: projection F.
        bias: bias of the projection.
        detach_initial: treat e(0) as a constant in the backward pass.
    """
    scores = _pair_scores(signal, left, right)
    own = (signal.unsqueeze(2) @ scores).squeeze(2)
    constant = torch.addcmul(own, rate.unsqueeze(-1), torch.einsum("ij,bjt->bit", graph, signal))
    step_matrix = torch.einsum("bits,ci->btsc", scores, weight)
    same_step = torch.eye(signal.shape[2], dtype=signal.dtype, device=signal.device).unsqueeze(-1)
    step_matrix = step_matrix + same_step * (weight @ (rate * graph.sum(1)))
    if detach_initial:
        silent = signal.detach() - signal
        constant = constant + silent
        signal = torch.cat([signal, silent], -1)
        silent_matrix = (same_step * weight.sum(1)).expand_as(step_matrix)
        step_matrix = torch.cat([step_matrix, silent_matrix], 1)
    constant = torch.einsum("bit,ci->btc", constant, weight) + bias
    mapped = torch.baddbmm(constant.flatten(1).unsqueeze(1), signal, step_matrix.flatten(2))
    return mapped.unflatten(-1, constant.shape[1:])


def _pair_scores(signal: Tensor, left: Tensor, right: Tensor) -> Tensor:
    r"""Return the temporal attention scores ``[B, N, T, T]`` over the pairs of each sensor.

    With x = m w3, y = m w4 and their sums over sensors :math:`\bar x, \bar y`,

    .. math::
        \sum_j (x_i + x_j)^T (y_i + y_j) = (x_i + \bar x / N)^T (N y_i + \bar y)
        - \bar x^T \bar y / N + \sum_j x_j^T y_j
    """
    first, second = signal @ left, signal @ right
    mean, total = first.mean(1, keepdim=True), second.sum(1, keepdim=True)
    # The last two terms as one centred covariance, which avoids cancellation.
    shared = (first - mean).mT @ second
    outer = (first + mean).unsqueeze(-1), (signal.shape[1] * second + total).unsqueeze(-2)
    return torch.sigmoid(torch.addcmul(shared.unsqueeze(1), *outer))
