"""TensorNet of the package torchmd-net, with its Warp kernels: the same function and weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from torch import Tensor, nn

from benchmarks.peers._ours import array, side, trained
from benchmarks.peers._pair import CASES, Pair, Side, Step

#: Where their radial basis is the one of ours.
_RADIUS = 5.0
_NUMBERS = (1, 6, 7, 8, 9, 29)
_TITLE = "TensorNet against torchmd-net"
PAIRS = [
    Pair(f"tensornet_{name}", "torchmd", "torchmd", _TITLE, system, work,
         with_stress=False, searches=True)
    for name, system, work in CASES
]  # fmt: skip
_STORED = "tensornet.pt"


def theirs(pair: Pair, folder: Path) -> Side:
    """The network of the package; its weights are stored in the folder."""
    from torchmdnet.models.model import TorchMD_Net
    from torchmdnet.models.output_modules import Scalar
    from torchmdnet.models.tensornet import TensorNet

    network = TensorNet(cutoff_upper=_RADIUS, static_shapes=False)
    model = TorchMD_Net(network, Scalar(128, num_layers=0), derivative=pair.work != "property")
    torch.save(model.state_dict(), folder / _STORED)
    training = pair.work != "evaluation"
    model.train(training).requires_grad_(training)

    def prepare(frames: Sequence[Atoms]) -> Step:
        numbers = torch.from_numpy(np.concatenate([atoms.numbers for atoms in frames]))
        pos = torch.from_numpy(np.concatenate([atoms.positions for atoms in frames])).float()
        sizes = torch.tensor([len(atoms) for atoms in frames])
        batch = torch.arange(len(frames)).repeat_interleave(sizes)
        periodic = frames[0].pbc.any()
        box = torch.from_numpy(frames[0].cell.array).float() if periodic else None

        def step() -> dict[str, np.ndarray]:
            model.zero_grad()
            energy, force = model(numbers, pos.clone(), batch, box=box)
            energy = energy.flatten()
            found = {"energy": array(energy)}
            if pair.work != "property":
                found["forces"] = array(force)
            if training:
                forces = force if pair.work == "step" else None
                found["loss"] = trained(energy, forces)
            return found

        return step

    return prepare


def ours(pair: Pair, folder: Path) -> Side:
    """Our network with the stored weights."""
    from geozoo.models import TensorNet

    model = TensorNet(len(_NUMBERS), 1, radius=_RADIUS, self_loops=True, window_on_basis=True)
    copy(torch.load(folder / _STORED, weights_only=True), model)
    return side(model, pair, _NUMBERS)


def copy(state: dict[str, Tensor], model: nn.Module) -> None:
    """Copy their weights, by the names of layers and the shapes of weights."""
    first, body = "representation_model.tensor_embedding", "representation_model"
    new: dict[str, Tensor] = {
        "embedding.weight": state[f"{first}.emb.weight"][list(_NUMBERS)].T,
        "basis.centers": model.get_buffer("basis.centers"),
    }

    def take(here: str, there: str) -> None:
        for name in ("weight", "bias"):
            if f"{there}.{name}" in state:
                new[f"{here}.{name}"] = state[f"{there}.{name}"]

    for name in ("weight", "bias"):
        parts = [state[f"{first}.distance_proj{part}.{name}"] for part in (1, 2, 3)]
        new[f"filter.{name}"] = torch.cat(parts)
    take("pair", f"{first}.emb2")
    take("norm", f"{first}.init_norm")
    take("weights.0", f"{first}.linears_scalar.0")
    take("weights.2", f"{first}.linears_scalar.1")
    for part in range(3):
        take(f"mix.maps.{part}", f"{first}.linears_tensor.{part}")
    for layer in range(2):
        here, there = f"layers.{layer}", f"{body}.layers.{layer}"
        take(f"{here}.filter.0", f"{there}.linears_scalar.0")
        take(f"{here}.filter.2", f"{there}.linears_scalar.1")
        take(f"{here}.filter.4", f"{there}.linears_scalar.2")
        for part in range(3):
            take(f"{here}.before.maps.{part}", f"{there}.linears_tensor.{part}")
            take(f"{here}.after.maps.{part}", f"{there}.linears_tensor.{part + 3}")
    take("last_norm", f"{body}.out_norm")
    take("lengths.0", f"{body}.linear")
    take("readout.0", "output_model.output_network.layers.0")
    take("readout.2", "output_model.output_network.layers.2")
    model.load_state_dict(new)
