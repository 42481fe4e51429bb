"""Factories for the convolutions over sensors and along time of recurrent and gated networks."""

from __future__ import annotations

import torch
from layer_cases import Case, random
from sensor_layer_cases import CHANNELS, NODES, WINDOWS, case, graph, signal
from torch import nn

import geozoo.nn as layers


class OnTwoGraphs(nn.Module):
    """A diffusion whose graphs are inputs of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = layers.DiffusionConv(CHANNELS, 3, num_graphs=2)

    def forward(self, x, graph, other):
        return self.conv(x, [graph, other])


def nodes(seed: int = 0) -> torch.Tensor:
    return random(WINDOWS, NODES, CHANNELS, seed=seed)


def diffusion() -> Case:
    return case(OnTwoGraphs, {"x": nodes(), "graph": graph(), "other": graph().mT.contiguous()})


def chebyshev(order: int) -> Case:
    inputs = {"x": nodes(), "laplacian": graph()}
    return case(lambda: layers.ChebyshevConv(CHANNELS, 3, order=order), inputs)


def adaptive(order: int) -> Case:
    inputs = {"x": nodes(), "embedding": random(NODES, 3, seed=1)}
    return case(
        lambda: layers.AdaptiveGraphConv(CHANNELS, 3, embedding_channels=3, order=order), inputs
    )


def gated(**options: object) -> Case:
    return case(lambda: layers.GatedTemporalConv(CHANNELS, 3, 2, **options), {"x": signal()})


GRAPH_CASES = {
    "DiffusionConv": {"two": diffusion},
    "ChebyshevConv": {"one": lambda: chebyshev(1), "three": lambda: chebyshev(3)},
    "AdaptiveGraphConv": {"two": lambda: adaptive(2), "three": lambda: adaptive(3)},
    "GatedTemporalConv": {
        "tanh": gated,
        "dilated": lambda: gated(dilation=3),
        "linear": lambda: gated(activation="linear"),
    },
}
