"""STGCN, DCRNN, Graph WaveNet, AGCRN and STAEformer against their equations written slowly."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from geozoo.geometry import random_walk_adjacency, scaled_laplacian
from geozoo.models import AGCRN, DCRNN, STGCN, GraphWaveNet, STAEformer

NODES, STEPS, HORIZON, DAY = 4, 10, 3, 24


def roads() -> Tensor:
    return torch.rand(NODES, NODES, generator=torch.Generator().manual_seed(3)).double()


def window() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, STEPS, NODES, 2, generator=generator).double()
    slots = torch.arange(5, 5 + STEPS + HORIZON)
    time = torch.stack([slots % DAY, slots // DAY], -1).expand(2, -1, -1)
    return x, time


def drawn(model: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(1)
    model = model.double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    for name, buffer in model.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
        if name.endswith("running_mean"):
            buffer.normal_(std=0.2)
    return model


def clocked(x: Tensor, time: Tensor) -> Tensor:
    share = (time[:, :STEPS, 0].double() / DAY)[:, :, None, None].expand(*x.shape[:3], 1)
    return torch.cat([x, share], -1)


def diffused(conv: torch.nn.Module, x: Tensor, graphs: list[Tensor]) -> Tensor:
    """Sum over graphs and powers, each power as a matrix."""
    width = conv.in_channels
    blocks = conv.linear.weight.split(width, 1)
    total = x @ blocks[0].T + conv.linear.bias
    for number, graph in enumerate(graphs):
        for step in range(1, conv.num_steps + 1):
            weight = blocks[1 + number * conv.num_steps + step - 1]
            total = total + torch.linalg.matrix_power(graph, step) @ x @ weight.T
    return total


def textbook_dcrnn(model: DCRNN, x: Tensor, time: Tensor) -> Tensor:
    walks = [random_walk_adjacency(roads()), random_walk_adjacency(roads().T)]

    def cell(layer, x, h):
        gates = torch.sigmoid(diffused(layer.gates, torch.cat([x, h], -1), walks))
        reset, update = gates[..., : h.shape[-1]], gates[..., h.shape[-1] :]
        new = torch.tanh(diffused(layer.candidate, torch.cat([x, reset * h], -1), walks))
        return update * h + (1 - update) * new

    lower = upper = torch.zeros(2, NODES, model.hidden_channels, dtype=x.dtype)
    seen = clocked(x, time)
    for step in range(STEPS):
        lower = cell(model.encoder[0], seen[:, step], lower)
        upper = cell(model.encoder[1], lower, upper)
    given, forecast = torch.zeros(2, NODES, 1, dtype=x.dtype), []
    for _ in range(HORIZON):
        lower = cell(model.decoder[0], given, lower)
        upper = cell(model.decoder[1], lower, upper)
        given = model.readout(upper)
        forecast.append(given[..., 0])
    return torch.stack(forecast, 1)


def textbook_agcrn(model: AGCRN, x: Tensor, time: Tensor) -> Tensor:
    sensor = model.sensor
    graph = torch.softmax(torch.relu(sensor @ sensor.T), 1)

    def conv(layer, x):
        width, rows = layer.in_channels, []
        powers = [torch.eye(NODES, dtype=x.dtype), graph]
        for i in range(NODES):
            weight = sum(sensor[i, d] * layer.pool[d] for d in range(len(layer.pool)))
            bias = sum(sensor[i, d] * layer.bias[d] for d in range(len(layer.bias)))
            parts = [
                (powers[k][i] @ x) @ weight[k * width : (k + 1) * width] for k in range(layer.order)
            ]
            rows.append(sum(parts) + bias)
        return torch.stack(rows, 1)

    steps = list(x.unbind(1))
    for cell in model.cells:
        h, states = torch.zeros(2, NODES, model.hidden_channels, dtype=x.dtype), []
        for step in steps:
            gates = torch.sigmoid(conv(cell.gates, torch.cat([step, h], -1)))
            z, r = gates[..., : h.shape[-1]], gates[..., h.shape[-1] :]
            new = torch.tanh(conv(cell.candidate, torch.cat([step, z * h], -1)))
            h = r * h + (1 - r) * new
            states.append(h)
        steps = states
    return model.readout(steps[-1]).transpose(1, 2)


def gated(conv: torch.nn.Module, x: Tensor, dilation: int = 1) -> Tensor:
    """Step by step, sensor by sensor: ``x [B, N, T, C]``."""
    weight, bias = conv.conv.weight[:, :, 0], conv.conv.bias  # [2 out, C, kernel]
    size = weight.shape[-1]
    steps = []
    for end in range((size - 1) * dilation, x.shape[2]):
        places = [end - (size - 1 - k) * dilation for k in range(size)]
        value = sum(x[:, :, place] @ weight[..., k].T for k, place in enumerate(places)) + bias
        half = value.shape[-1] // 2
        kept = value[..., :half]
        kept = torch.tanh(kept) if conv.activation == "tanh" else kept
        steps.append(kept / (1 + torch.exp(-value[..., half:])))
    return torch.stack(steps, 2)


def textbook_stgcn(model: STGCN, x: Tensor, time: Tensor) -> Tensor:
    both = torch.maximum(roads(), roads().T)
    degree = both.sum(1)
    laplacian = torch.eye(NODES).double() - both / torch.sqrt(degree[:, None] * degree)
    scaled = 2 * laplacian / torch.linalg.eigvalsh(laplacian).max() - torch.eye(NODES).double()
    h = x.transpose(1, 2)
    for block in model.blocks:
        h = gated(block.before, h)
        polynomials = [torch.eye(NODES).double(), scaled, 2 * scaled @ scaled - torch.eye(NODES)]
        weights = block.graph.linear.weight.split(block.graph.in_channels, 1)
        mixed = sum(
            torch.einsum("ij,bjtc,oc->bito", t, h, w)
            for t, w in zip(polynomials, weights, strict=True)
        )
        h = gated(block.after, torch.relu(mixed + block.graph.linear.bias))
        mean = h.mean((1, 3), keepdim=True)
        spread = torch.sqrt(h.var((1, 3), unbiased=False, keepdim=True) + block.norm.eps)
        h = (h - mean) / spread * block.norm.weight[:, None] + block.norm.bias[:, None]
    return model.readout(gated(model.last, h)[:, :, 0]).transpose(1, 2)


def textbook_graph_wavenet(model: GraphWaveNet, x: Tensor, time: Tensor) -> Tensor:
    learned = torch.softmax(
        torch.relu(model.learned_graph.receivers @ model.learned_graph.senders.T), 1
    )
    graphs = [random_walk_adjacency(roads()), random_walk_adjacency(roads().T), learned]
    seen = clocked(x, time)
    missing = 1 + 2 * (1 + 2) * 2 - STEPS
    past = torch.zeros(2, max(0, missing), NODES, seen.shape[-1], dtype=x.dtype)
    h = model.embedding(torch.cat([past, seen], 1)).transpose(1, 2)
    told = 0.0
    for number, layer in enumerate(model.layers):
        y = gated(layer.conv, h, 2 ** (number % 2))
        told = told + layer.skip(y[:, :, -1])
        if layer.diffusion is not None:
            mixed = torch.stack(
                [diffused(layer.diffusion, y[:, :, t], graphs) for t in range(y.shape[2])], 2
            )
            z = mixed + h[:, :, -y.shape[2] :]
            norm = layer.norm
            h = (z - norm.running_mean) / torch.sqrt(norm.running_var + norm.eps)
            h = h * norm.weight + norm.bias
    return model.readout_2(torch.relu(model.readout_1(torch.relu(told)))).transpose(1, 2)


def textbook_staeformer(model: STAEformer, x: Tensor, time: Tensor) -> Tensor:
    def attended(layer, rows):  # [L, C] -> [L, C]
        heads, width = layer.self_attn.num_heads, rows.shape[-1]
        weight, bias = layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias
        q, k, v = (rows @ weight.T + bias).chunk(3, -1)
        size, parts = width // heads, []
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            score = torch.softmax(q[:, part] @ k[:, part].T / math.sqrt(size), -1)
            parts.append(score @ v[:, part])
        rows = layer.norm1(rows + layer.self_attn.out_proj(torch.cat(parts, -1)))
        return layer.norm2(rows + layer.linear2(torch.relu(layer.linear1(rows))))

    h = torch.stack([
        torch.stack([
            torch.stack([
                torch.cat([
                    model.embedding(x[b, t, n]), model.slot.weight[time[b, t, 0]],
                    model.day.weight[time[b, t, 1]], model.adaptive[t, n],
                ]) for n in range(NODES)
            ]) for t in range(STEPS)
        ]) for b in range(2)
    ])  # fmt: skip
    for layer in model.along_time:
        h = torch.stack([
            torch.stack([attended(layer, h[b, :, n]) for n in range(NODES)], 1) for b in range(2)
        ])  # fmt: skip
    for layer in model.over_sensors:
        h = torch.stack([
            torch.stack([attended(layer, h[b, t]) for t in range(STEPS)]) for b in range(2)
        ])  # fmt: skip
    return torch.stack([
        torch.stack([model.readout(h[b, :, n].flatten()) for n in range(NODES)], 1)
        for b in range(2)
    ])  # fmt: skip


CASES = {
    "dcrnn": (
        lambda: DCRNN(roads(), 2, STEPS, HORIZON, DAY, hidden_channels=5), textbook_dcrnn
    ),
    "agcrn": (
        lambda: AGCRN(NODES, 2, STEPS, HORIZON, hidden_channels=5, embedding_channels=3),
        textbook_agcrn,
    ),
    "stgcn": (
        lambda: STGCN(roads(), 2, STEPS, HORIZON, hidden_channels=6, bottleneck_channels=4),
        textbook_stgcn,
    ),
    "graph_wavenet": (
        lambda: GraphWaveNet(
            roads(), 2, STEPS, HORIZON, DAY, hidden_channels=5, skip_channels=6,
            readout_channels=7, num_blocks=2, learned_graph_channels=3,
        ),
        textbook_graph_wavenet,
    ),
    "staeformer": (
        lambda: STAEformer(
            NODES, 2, STEPS, HORIZON, DAY, feature_channels=4, time_channels=3,
            adaptive_channels=6, feedforward_channels=9, num_heads=2, num_layers=2,
        ),
        textbook_staeformer,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives_are_those_of_the_equations(name):
    make, textbook = CASES[name]
    model, (x, time) = drawn(make()), window()
    x.requires_grad_()
    found, wanted = model(x, time=time), textbook(model, x, time)
    torch.testing.assert_close(found, wanted)
    given = [x, *model.parameters()]
    first = [torch.autograd.grad(part.square().sum(), given) for part in (found, wanted)]
    for one, other in zip(*first, strict=True):
        torch.testing.assert_close(one, other)


def test_the_scaled_laplacian_has_eigenvalues_within_one():
    both = torch.maximum(roads(), roads().T)
    values = torch.linalg.eigvalsh(scaled_laplacian(both))
    assert values.max() == pytest.approx(1.0) and values.min() >= -1.0 - 1e-12
    assert torch.equal(scaled_laplacian(torch.zeros(3, 3)), torch.zeros(3, 3))
    with pytest.raises(ValueError, match="adjacency must be symmetric"):
        scaled_laplacian(roads())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: STGCN(roads(), 1, 8, 3), "input_steps must be more than 8"),
        (
            lambda: DCRNN(-roads(), 1, 12, 3, DAY),
            "adjacency must have finite, non-neg",
        ),
        (lambda: GraphWaveNet(roads()[:2], 1, 12, 3, DAY), "road_adjacency must have shape"),
        (lambda: STAEformer(4, 1, 12, 3, DAY, num_heads=5), "must divide the token width"),
        (lambda: AGCRN(0, 1, 12, 3), "num_nodes must be at least 1"),
        (
            lambda: GraphWaveNet(roads(), 1, 12, 3, 288, learned_graph_channels=0),
            "learned_graph_channels must be at least 1",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("shape", [(2, 24), (2, 11, 2), (3, 24, 2), (2, 24, 3)])
def test_a_clock_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    from geozoo.models import Stid

    model = Stid(in_channels=1, num_nodes=3, input_steps=12, horizon=12, steps_per_day=288)
    with pytest.raises(ValueError, match=r"time must have shape \(B=2, T=12 or more, 2\)"):
        model(torch.randn(2, 12, 3, 1), time=torch.zeros(shape, dtype=torch.long))
