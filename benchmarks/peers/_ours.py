"""Our networks on structures: evaluations and training steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms
from torch import Tensor, nn

from benchmarks.peers._pair import Pair, Side, Step


def side(model: Any, pair: Pair, elements: Sequence[int]) -> Side:
    """The work of a pair with one of our networks.

    Args:
        model: in float32, with one scalar output per graph; inputs are one-hot elements.
        pair: what is done.
        elements: atomic numbers, in the order of the inputs.
    """
    if pair.work == "evaluation":
        model.eval().requires_grad_(False)

    def prepare(frames: Sequence[Atoms]) -> Step:
        inputs, cells = _batch(frames, elements)
        listed: dict[str, Any] = {}

        def given() -> dict[str, Any]:
            if pair.searches or not listed:
                names = ("pos", "batch", "num_graphs")
                edges = model.neighbors(**{name: inputs[name] for name in names}, **cells)
                listed.update({**inputs, "edge_index": edges})
            return listed

        if pair.work == "property":
            return lambda: _property_step(model, given())
        if pair.work == "step":
            return lambda: _force_step(model, given())
        periodic = pair.with_stress and bool(frames[0].pbc.all())
        return lambda: _evaluation(model, given(), frames[0].get_volume() if periodic else None)

    return prepare


def _batch(
    frames: Sequence[Atoms], elements: Sequence[int]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs of the network, and the cells if there are any."""
    numbers = torch.from_numpy(np.concatenate([atoms.numbers for atoms in frames]))
    inputs = {
        "pos": torch.from_numpy(np.concatenate([atoms.positions for atoms in frames])).float(),
        "x": (numbers[:, None] == torch.tensor(elements)).float(),
        "batch": torch.arange(len(frames)).repeat_interleave(
            torch.tensor([len(atoms) for atoms in frames])
        ),
        "num_graphs": len(frames),
    }
    if not frames[0].pbc.any():
        return inputs, {}
    return inputs, {
        "cell": torch.from_numpy(np.stack([atoms.cell.array for atoms in frames])),
        "pbc": torch.from_numpy(np.stack([atoms.pbc for atoms in frames])),
    }


def _evaluation(
    model: nn.Module, inputs: dict[str, Any], volume: float | None
) -> Mapping[str, np.ndarray]:
    from geozoo.tasks._derivatives import energy_derivatives

    found = energy_derivatives(model, inputs, create_graph=False, with_virial=volume is not None)
    results = {"energy": array(found.energy), "forces": array(found.force)}
    if volume is not None and found.virial is not None:
        results["stress"] = -array(found.virial) / volume
    return results


def _force_step(model: nn.Module, inputs: dict[str, Any]) -> Mapping[str, np.ndarray]:
    from geozoo.tasks._derivatives import energy_and_force

    model.zero_grad()
    energy, force = energy_and_force(model, inputs, create_graph=True)
    return {"loss": trained(energy, force), "energy": array(energy), "forces": array(force)}


def _property_step(model: nn.Module, inputs: dict[str, Any]) -> Mapping[str, np.ndarray]:
    model.zero_grad()
    value = model(**inputs).scalar[:, 0]
    return {"loss": trained(value), "energy": array(value)}


def trained(value: Tensor, force: Tensor | None = None) -> np.ndarray:
    """The loss of a training step, after its backward pass.

    Args:
        value: the scalar, or the energy.
        force: the forces; None: a step on a scalar.
    """
    loss = value.square().mean()
    if force is not None:
        loss = loss / 500 + force.square().mean()
    loss.backward()
    return array(loss)


def array(value: Tensor) -> np.ndarray:
    """The values, without their graph."""
    return value.detach().numpy()
