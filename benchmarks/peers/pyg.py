"""SchNet of PyTorch Geometric: the same function and weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from torch import Tensor

from benchmarks.peers._neighbors import listed
from benchmarks.peers._ours import array, side, trained
from benchmarks.peers._pair import CASES, Pair, Side, Step

_NUMBERS = (1, 6, 7, 8, 9, 29)
PAIRS = [
    Pair(f"schnet_pyg_{name}", "pyg", "pyg", "SchNet against PyTorch Geometric", system, work,
         {"radius": 10.0 if name == "qm9" else 5.0}, with_stress=False)
    for name, system, work in CASES
]  # fmt: skip
_STORED = "pyg.pt"


def theirs(pair: Pair, folder: Path) -> Side:
    """The network of the package; its weights are stored in the folder."""
    from torch_geometric.nn.models import SchNet

    edges: list[Tensor] = []

    def graph(pos: Tensor, batch: Tensor) -> tuple[Tensor, Tensor]:
        sender, receiver, shift = edges
        vectors = pos[sender] - pos[receiver] + shift
        return torch.stack([sender, receiver]), vectors.norm(dim=-1)

    model = SchNet(cutoff=pair.network["radius"], interaction_graph=graph)
    torch.save(model.state_dict(), folder / _STORED)
    training = pair.work != "evaluation"
    model.train(training).requires_grad_(training)

    def prepare(frames: Sequence[Atoms]) -> Step:
        given = listed(frames, pair.network["radius"])

        def step() -> dict[str, np.ndarray]:
            edges[:] = given.sender, given.receiver, given.shift
            model.zero_grad()
            pos = given.pos.clone().requires_grad_(pair.work != "property")
            energy = model(given.numbers, pos, given.batch).flatten()
            found = {"energy": array(energy)}
            if pair.work != "property":
                (slope,) = torch.autograd.grad(energy.sum(), pos, create_graph=training)
                found["forces"] = -array(slope)
            if training:
                forces = -slope if pair.work == "step" else None
                found["loss"] = trained(energy, forces)
            return found

        return step

    return prepare


def ours(pair: Pair, folder: Path) -> Side:
    """Our network with the stored weights."""
    from geozoo.models import SchNet

    model = SchNet(len(_NUMBERS), 1, radius=pair.network["radius"])
    state = torch.load(folder / _STORED, weights_only=True)
    names = {
        "conv.lin1": "linear_1", "conv.lin2": "linear_2", "lin": "linear_3",
        "mlp.0": "conv.linear_1", "mlp.2": "conv.linear_2",
    }  # fmt: skip
    layers = {
        f"interactions.{layer}.{there}": f"blocks.{layer}.{here}"
        for layer in range(6)
        for there, here in names.items()
    }
    new = {
        f"{here}.{name}": state[f"{there}.{name}"]
        for there, here in {**layers, "lin1": "readout_1", "lin2": "readout_2"}.items()
        for name in ("weight", "bias")
        if f"{there}.{name}" in state
    }
    new["embedding.weight"] = state["embedding.weight"][list(_NUMBERS)].T
    new["basis.centers"] = model.get_buffer("basis.centers")
    model.load_state_dict(new)
    return side(model, pair, _NUMBERS)
