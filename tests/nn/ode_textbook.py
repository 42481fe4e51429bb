"""The equations of the multi-ODE block, written one window, channel and sensor at a time."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

import geozoo.nn as layers


def temporal_attention(h: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """``h [B, N, T, C]``: for each window and channel, scores from the sensors' inner products."""
    windows = []
    for window in h:
        channels = []
        for c in range(h.shape[-1]):
            steps = window[..., c].T  # [T, N]
            scores = torch.sigmoid((left.T @ steps) @ (right.T @ steps).T)
            channels.append((scores @ steps).T)
        windows.append(torch.stack(channels, -1))
    return torch.stack(windows)


def channel_matrix(weight: Tensor, diagonal: Tensor) -> Tensor:
    matrix = weight @ torch.diag(diagonal.clamp(0, 1)) @ weight.T
    return 1.6 * matrix - 0.6 * matrix @ matrix.T @ matrix


def node_derivative(
    h: Tensor, start: Tensor, graph: Tensor, left: Tensor, right: Tensor,
    alpha: Tensor, weight: Tensor, diagonal: Tensor,
) -> Tensor:  # fmt: skip
    spread = torch.stack(
        [sum(graph[i, j] * h[:, j] for j in range(len(graph))) for i in range(len(graph))], 1
    )
    rate = torch.sigmoid(alpha).view(1, -1, 1, 1)
    mixed = temporal_attention(h, left, right)
    return rate / 2 * spread - h + mixed - h + h @ channel_matrix(weight, diagonal) - h + start


def node_states(h: Tensor, times: int, detach: bool, *weights: Tensor) -> list[Tensor]:
    start = h.detach() if detach else h
    states = []
    for _ in range(times):
        h = h + node_derivative(h, start, *weights)
        states.append(h)
    return states


def node_ode(
    module: layers.NodeODE, h: Tensor, graph: Tensor, left: Tensor, right: Tensor
) -> tuple[Tensor, ...]:
    """`NodeODE` group by group."""
    size, groups = h.shape[2] // module.groups, []
    for g in range(module.groups):
        part = h[:, :, g * size : (g + 1) * size]
        own = [each if each.dim() == 2 else each[g] for each in (graph, left, right)]
        weights = (module.alpha[g], module.weight[g], module.diagonal[g])
        times = len(module.times) - 1
        groups.append(node_states(part, times, module.detach_initial, *own, *weights))
    return tuple(torch.cat(states, 2) for states in zip(*groups, strict=True))


def edge_ode(
    module: layers.EdgeODE, signal: Tensor, graph: Tensor, left: Tensor, right: Tensor
) -> Tensor:
    """`EdgeODE` pair by pair: one unit step of Euler, then the map over the first sensor."""
    nodes = range(len(graph))
    windows = []
    for m in signal:
        pairs = torch.stack([torch.stack([m[i] + m[j] for j in nodes]) for i in nodes])
        start = pairs.detach() if module.detach_initial else pairs
        rows = []
        for i in nodes:
            spread = sum(graph[i, k] * pairs[k] for k in nodes)
            scores = torch.sigmoid((pairs[i] @ left).T @ (pairs[i] @ right))
            rate = torch.sigmoid(module.alpha[i]) / 2
            change = rate * spread - pairs[i] + pairs[i] @ scores - pairs[i] + start[i]
            rows.append(pairs[i] + change)
        projected = torch.einsum("ci,ijt->jtc", module.projection.weight, torch.stack(rows))
        windows.append(projected + module.projection.bias)
    return torch.stack(windows)


def sensor_attention(module: layers.SensorAttention, x: Tensor) -> Tensor:
    query, key, value = module.query(x), module.key(x), module.value(x)
    heads = []
    for q, k, v in zip(
        *(part.chunk(module.heads, -1) for part in (query, key, value)), strict=True
    ):
        scores = torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]), -1)
        heads.append(scores @ v)
    return torch.cat(heads, -1)


def local_ode(
    module: layers.LocalODE, x: Tensor, graph: Tensor, left: Tensor, right: Tensor
) -> Tensor:
    summaries = sensor_attention(module.attention, x.flatten(2))
    summaries = summaries.unflatten(-1, (module.pieces, module.channels))
    states = node_ode(module.ode, summaries, graph, left, right)
    steps = [(piece, step) for piece in range(module.pieces) for step in range(len(states))]
    if module.order == "step":
        steps.sort(key=lambda place: place[1])
    return torch.stack([states[step][:, :, piece] for piece, step in steps], 2)


def multi_ode_block(block: layers.MultiODEBlock, x: Tensor, adjacency: Tensor) -> Tensor:
    """A block with all its modules and shared weights."""
    graph = adjacency + block.masks["shared"].mask
    long, short = block.attentions["shared"], block.attentions["local"]
    (center,) = node_ode(block.global_ode, x, graph, long.left, long.right)
    edges = edge_ode(block.edge_ode, x.mean(-1), graph, long.left, long.right)
    local = local_ode(block.local_ode, x, graph, short.left, short.right)
    clip = block.filter.clip if block.filter.signed else block.filter.clip.abs()
    local = torch.where(local > center + clip, center + clip, local)
    local = torch.where(local < center - clip, center - clip, local)
    g, l, e = block.global_map(center), block.local_map(local), edges  # noqa: E741
    s = torch.sigmoid
    merged = (g * s(l) + g * s(e) + l * s(e) + l * s(g) + e * s(l) + e * s(g)) / 6
    first, second = block.update.scales
    return torch.relu(first * s(block.update.gate(x)) + second * merged)


def tensor_ode(module: layers.TensorODE, x: Tensor, adjacency: Tensor) -> Tensor:
    """`TensorODE` by Euler, one axis of the state after the other."""
    time = module.time_weight @ torch.diag(module.time_diagonal.clamp(0, 1)) @ module.time_weight.T
    weight, diagonal = module.channel_weight, module.channel_diagonal
    channel = weight @ torch.diag(diagonal.clamp(0, 1)) @ weight.T
    rate, h = torch.sigmoid(module.alpha) / 2, x
    for start, end in itertools.pairwise(module.times):
        spread = torch.stack([
            rate[i] * sum(adjacency[i, j] * h[:, j] for j in range(len(adjacency)))
            for i in range(len(adjacency))
        ], 1)  # fmt: skip
        along_time = torch.stack(
            [sum(time[s, t] * h[:, :, t] for t in range(len(time))) for s in range(len(time))], 2
        )
        h = h + (end - start) * (spread - h + along_time - h + h @ channel - h + x)
    return torch.relu(h)
