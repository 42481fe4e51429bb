"""A small correct geometric model, and variants with one fault each."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from geozoo.ops import scatter


class Output(NamedTuple):
    scalar: Tensor | None
    vector: Tensor | None


class Toy(nn.Module):
    """Scalars from distances to the centre of the graph, vectors from directions to the centre."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 3)
        self.readout = nn.Linear(3, 1)

    def forward(self, pos, x, batch, edge_index=None, *, vec=None, num_graphs=None):
        features, centred = self.features(pos, x, batch, num_graphs)
        weight = self.readout(features.tanh())
        return Output(
            scatter(weight, batch, num_graphs),
            scatter(weight * centred, batch, num_graphs).unsqueeze(1),
        )

    def features(self, pos, x, batch, num_graphs):
        centred = pos - scatter(pos, batch, num_graphs, "mean")[batch]
        square = centred.square().sum(-1, keepdim=True)
        return self.linear(torch.cat([square, x], -1)), centred


class UsesCoordinates(Toy):
    def features(self, pos, x, batch, num_graphs):
        features, centred = super().features(pos, x, batch, num_graphs)
        return features + centred[:, :1], centred


class UsesOrigin(Toy):
    def features(self, pos, x, batch, num_graphs):
        return super().features(pos, x, batch, num_graphs)[0] + pos.norm(dim=-1)[:, None], pos


class KnowsHandedness(Toy):
    """Invariant to rotations; a reflection flips the sign of a determinant."""

    def features(self, pos, x, batch, num_graphs):
        features, centred = super().features(pos, x, batch, num_graphs)
        second_moment = scatter(x[:, :, None] * pos[:, None], batch, num_graphs)[:, 0]
        other = scatter(x[:, :, None] ** 2 * centred[:, None], batch, num_graphs)[:, 0]
        third = scatter(x[:, :, None] ** 3 * centred[:, None], batch, num_graphs)[:, 0]
        first = second_moment - scatter(x, batch, num_graphs) * scatter(
            pos, batch, num_graphs, "mean"
        )
        volume = torch.linalg.det(torch.stack([first, other, third], 1))
        return features + volume[batch, None], centred


class LeaksBatchMean(Toy):
    def features(self, pos, x, batch, num_graphs):
        features, centred = super().features(pos, x, batch, num_graphs)
        return features - features.mean(0), centred


class DependsOnOrder(Toy):
    def features(self, pos, x, batch, num_graphs):
        features, centred = super().features(pos, x, batch, num_graphs)
        return features * (1 + torch.arange(len(pos)).to(pos)[:, None]), centred


class CastsInside(Toy):
    def features(self, pos, x, batch, num_graphs):
        features, centred = super().features(pos, x, batch, num_graphs)
        return features.float().to(pos.dtype), centred


class KeepsAttribute(Toy):
    """Has a random scale that is not in the state dict."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.rand(()) + 1

    def features(self, pos, x, batch, num_graphs):
        features, centred = super().features(pos, x, batch, num_graphs)
        return features * self.scale, centred


class NormOfZero(Toy):
    """Norm of a zero vector: torch returns NaN only in the second derivative."""

    def features(self, pos, x, batch, num_graphs):
        features, centred = super().features(pos, x, batch, num_graphs)
        return features + (pos - pos[torch.arange(len(pos))]).norm(dim=-1)[:, None], centred


class RootOfZero(Toy):
    """A length as the root of a square: its first derivative at zero is infinite."""

    def features(self, pos, x, batch, num_graphs):
        features, centred = super().features(pos, x, batch, num_graphs)
        return features + centred.square().sum(-1, keepdim=True).sqrt(), centred


class BreaksGraph(Toy):
    def features(self, pos, x, batch, num_graphs):
        features, centred = super().features(pos, x, batch, num_graphs)
        return (features if features.sum().item() > 1e9 else features + 1), centred


class _WrongSecond(torch.autograd.Function):
    """x^3 with the right gradient, which is not differentiable again."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 3 * x.detach() ** 2


class WrongSecondDerivative(Toy):
    def features(self, pos, x, batch, num_graphs):
        features, centred = super().features(pos, x, batch, num_graphs)
        return features + _WrongSecond.apply(centred.square().sum(-1, keepdim=True)), centred


class DetachedDerivative(Toy):
    def features(self, pos, x, batch, num_graphs):
        features, centred = super().features(pos, x, batch, num_graphs)
        return features * features.detach(), centred
