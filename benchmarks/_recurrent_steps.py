"""Training steps of the forecasters with recurrent layers and graph convolutions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from benchmarks._case import Built, Case, size
from geozoo.models import AGCRN, DCRNN, STGCN, GraphWaveNet
from geozoo.ops import textbook

SENSORS, WINDOWS, NEIGHBORS = 207, 8, 8


def roads(sensors: int) -> torch.Tensor:
    """A directed graph of the nearest of random points, each with a loop."""
    pos = torch.rand(sensors, 2)
    nearest = torch.cdist(pos, pos).argsort(1)[:, : min(NEIGHBORS + 1, sensors)]
    return torch.zeros(sensors, sensors).scatter_(1, nearest, torch.rand(nearest.shape))


NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "agcrn": lambda sensors: AGCRN(sensors, 1, 12, 12),
    "dcrnn": lambda sensors: DCRNN(roads(sensors), 1, 12, 12, 288, use_time=False),
    "stgcn": lambda sensors: STGCN(roads(sensors), 1, 12, 12),
    "graph_wavenet": lambda sensors: GraphWaveNet(
        roads(sensors), 1, 12, 12, 288, use_time=False, dropout=0.0
    ),
}


def step_of(name: str, as_written: bool, device: torch.device) -> Built:
    """Mean absolute error of some windows."""
    torch.manual_seed(0)
    sensors, windows = size(SENSORS, 6), size(WINDOWS, 2)
    model = NETWORKS[name](sensors).to(device)
    x = torch.randn(windows, 12, sensors, 1, device=device)
    target = torch.randn(windows, 12, sensors, device=device)

    def step() -> torch.Tensor:
        model.zero_grad()
        with textbook(when=as_written):
            loss = (model(x) - target).abs().mean()
            loss.backward()
        return loss.detach()

    return Built(step, model)


def _case(name: str) -> Case:
    variants = {"textbook": partial(step_of, name, True), "default": partial(step_of, name, False)}
    about = f"{name}, published size, {WINDOWS} windows of {SENSORS} sensors"
    return Case(f"{name}_{SENSORS}", about, variants, WINDOWS)


CASES = [_case(name) for name in NETWORKS]
