"""A few training steps, which show that a model learns."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from geozoo.testing.findings import Skipped

_STEPS = 60


def train(model: nn.Module, outputs: Callable[[], list[Tensor]]) -> None:
    if not list(model.parameters()):
        raise Skipped("it has no parameters")
    generator = torch.Generator().manual_seed(1)
    targets = [
        torch.randn(value.shape, generator=generator, dtype=value.dtype) for value in outputs()
    ]

    def loss() -> Tensor:
        pairs = zip(outputs(), targets, strict=True)
        return torch.stack([(value - target).square().mean() for value, target in pairs]).sum()

    optimizer, losses = torch.optim.Adam(model.parameters(), lr=1e-2), []
    for step in range(_STEPS):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        losses.append(value.item())
        if step == 0:
            _check_gradients(model)
        optimizer.step()
    if not losses[-1] < 0.9 * losses[0]:
        raise AssertionError(
            f"the loss on random targets is {losses[0]:.3g} before and {losses[-1]:.3g} after "
            f"{_STEPS} steps of Adam"
        )


def _check_gradients(model: nn.Module) -> None:
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    if idle := [name for name, value in parameters.items() if value.grad is None]:
        raise AssertionError(f"these parameters are not used: {', '.join(idle)}")
    if bad := [n for n, p in parameters.items() if not bool(torch.isfinite(_gradient(p)).all())]:
        raise AssertionError(f"the gradients of {', '.join(bad)} are NaN or infinite")


def _gradient(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad
