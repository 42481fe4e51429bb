"""Derivatives of a potential's energies and forces with respect to its last weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from geozoo.contracts import last_weight_names
from geozoo.data import GraphBatch
from geozoo.tasks._derivatives import Derivatives, derivatives_of, energy_graph

if TYPE_CHECKING:
    from geozoo.tasks.potential import Potential

#: Relative deviation from a linear function that float32 rounding explains.
_NONLINEAR = 1e-2


class FeaturePass:
    r"""One forward pass of a potential that also gives the features of its last layers.

    The energy of a graph is linear in the weights w of the last layers, so its derivative
    :math:`f = \partial \hat E / \partial w` is the sum of the features of its atoms, with all
    factors between the last layer and the energy. Features of forces are
    :math:`-\partial f / \partial x`.

    Args:
        task: the potential, whose network is `geozoo.contracts.LinearlyRead`.
        batch: the graphs.

    Raises:
        ValueError: If the network does not declare its last weights.
    """

    def __init__(self, task: Potential, batch: GraphBatch) -> None:
        names = last_weight_names(task.model)
        own = dict(task.model.named_parameters())
        self.weights = [own[name].detach().requires_grad_(True) for name in names]
        weights = dict(zip(names, self.weights, strict=True))
        self._graph = energy_graph(
            partial(_called, task.model, weights), task.inputs(batch), with_virial="cell" in batch,
            readout=task.readout, name=type(task.model).__name__,
        )  # fmt: skip

    @property
    def energy(self) -> Tensor:
        """Energies ``[G]`` in normalised units."""
        return self._graph.energy.detach()

    def derivatives(self) -> Derivatives:
        """Energies, forces and virials, as `Potential.scaled_derivatives` gives them."""
        return derivatives_of(self._graph, create_graph=False, retain_graph=True)

    def of_energies(self) -> Tensor:
        """Features of the energies ``[G, P]`` in float64."""
        rows = [self._features(each, create_graph=False) for each in self._graph.energy]
        return torch.stack(rows).double()

    def of_forces(self, directions: Tensor) -> Iterator[Tensor]:
        """Features of the force components times each of K directions: K times ``[N, dim]``.

        Each is one backward pass.

        Args:
            directions: ``[P, K]`` in float64.
        """
        # Graphs do not interact: the derivative of the sum is that of each graph's own features.
        total = self._features(self._graph.energy.sum(), create_graph=True)
        for column in directions.T:
            with torch.enable_grad():
                projected = total.double() @ column
            found: tuple[Tensor | None, ...] = (None,)
            if projected.requires_grad:
                found = torch.autograd.grad(
                    projected, self._graph.pos, retain_graph=True, allow_unused=True
                )
            yield -(torch.zeros_like(self._graph.pos) if found[0] is None else found[0]).double()

    def _features(self, energy: Tensor, *, create_graph: bool) -> Tensor:
        with torch.enable_grad():
            found = torch.autograd.grad(
                energy, self.weights, create_graph=create_graph, retain_graph=True,
                allow_unused=True,
            )  # fmt: skip
            parts = [
                torch.zeros_like(weight) if each is None else each
                for each, weight in zip(found, self.weights, strict=True)
            ]
            return torch.cat([each.flatten() for each in parts])


def _called(model: nn.Module, weights: dict[str, Tensor], **inputs: Any) -> Any:
    return functional_call(model, weights, kwargs=inputs)


def check_linear(task: Potential, batch: GraphBatch) -> None:
    """Check that the energies are linear in the weights that the network declares.

    Raises:
        ValueError: If they are not, or do not depend on them.
    """
    names = last_weight_names(task.model)
    first = FeaturePass(task, batch)
    features = first.of_energies()
    steps = _steps(first.weights)
    own = dict(task.model.named_parameters())
    moved = {
        name: own[name].detach() + step.to(own[name].dtype)
        for name, step in zip(names, steps, strict=True)
    }
    second = energy_graph(
        partial(_called, task.model, moved), task.inputs(batch), readout=task.readout
    )
    expected = features @ torch.cat([step.flatten() for step in steps])
    found = second.energy.detach().double() - first.energy.double()
    size = expected.abs().max() + 1e-6 * first.energy.double().abs().max()
    if not bool(features.any()) or bool((found - expected).abs().max() > _NONLINEAR * size):
        raise ValueError(
            f"the energies of {type(task.model).__name__} must be linear in the weights "
            f"{', '.join(names)}, but they are not: uncertainties need a network that ends in a "
            "linear layer, declared in last_weights"
        )


def _steps(weights: Sequence[Tensor]) -> list[Tensor]:
    """Random changes of the weights, of their own size, the same in every call."""
    generator = torch.Generator().manual_seed(0)
    return [
        (torch.randn(each.shape, generator=generator, dtype=torch.float64)).to(each.device)
        * (each.double().square().mean().sqrt() + 0.1)
        for each in weights
    ]
