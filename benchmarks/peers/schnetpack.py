"""SchNet and PaiNN of SchNetPack: the same functions and weights."""

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
_WIDTH, _BASIS, _LAYERS = 128, {"schnet": 50, "painn": 20}, {"schnet": 6, "painn": 3}
PAIRS = [
    Pair(f"{network}_{name}", "schnetpack", "schnetpack", f"{title} against SchNetPack", system,
         work, {"kind": network, "radius": 10.0 if (network, name) == ("schnet", "qm9") else 5.0})
    for network, title in (("schnet", "SchNet"), ("painn", "PaiNN"))
    for name, system, work in CASES
]  # fmt: skip
_STORED = "schnetpack.pt"


def theirs(pair: Pair, folder: Path) -> Side:
    """The network of the package; its weights are stored in the folder."""
    import schnetpack as spk
    from schnetpack import properties as names
    from schnetpack.nn import BesselRBF, CosineCutoff, GaussianRBF, shifted_softplus

    kind, radius = pair.network["kind"], pair.network["radius"]
    activation = torch.nn.functional.silu
    if kind == "schnet":
        activation = shifted_softplus
        basis = GaussianRBF(_BASIS[kind], radius)
        network = spk.representation.SchNet(_WIDTH, _LAYERS[kind], basis, CosineCutoff(radius))
    else:
        basis = BesselRBF(_BASIS[kind], radius)
        network = spk.representation.PaiNN(_WIDTH, _LAYERS[kind], basis, CosineCutoff(radius))
    with_stress = pair.work == "evaluation"
    before = [spk.atomistic.Strain()] if with_stress else []
    after = [spk.atomistic.Atomwise(_WIDTH, activation=activation, output_key="energy")]
    if pair.work != "property":
        after.append(spk.atomistic.Forces(calc_stress=with_stress))
    model = spk.model.NeuralNetworkPotential(
        network, [*before, spk.atomistic.PairwiseDistances()], after
    )
    torch.save(model.state_dict(), folder / _STORED)
    training = pair.work != "evaluation"
    model.train(training).requires_grad_(training)

    def prepare(frames: Sequence[Atoms]) -> Step:
        given = listed(frames, radius)
        inputs = {
            names.Z: given.numbers, names.R: given.pos, names.idx_m: given.batch,
            names.idx_i: given.receiver, names.idx_j: given.sender, names.offsets: given.shift,
            names.n_atoms: given.batch.bincount(),
            names.cell: torch.from_numpy(np.stack([a.cell.array for a in frames])).float(),
            names.pbc: torch.from_numpy(np.stack([a.pbc for a in frames])),
        }  # fmt: skip

        def step() -> dict[str, np.ndarray]:
            model.zero_grad()
            out = model({name: value.clone() for name, value in inputs.items()})
            energy = out["energy"]
            found = {"energy": array(energy)}
            if pair.work != "property":
                found["forces"] = array(out["forces"])
            if with_stress and frames[0].pbc.any():
                found["stress"] = array(out["stress"])
            if training:
                forces = out["forces"] if pair.work == "step" else None
                found["loss"] = trained(energy, forces)
            return found

        return step

    return prepare


def ours(pair: Pair, folder: Path) -> Side:
    """Our network with the stored weights."""
    from geozoo.models import PaiNN, SchNet

    kind, radius = pair.network["kind"], pair.network["radius"]
    sizes = {
        "hidden_channels": _WIDTH, "num_layers": _LAYERS[kind], "num_basis": _BASIS[kind],
        "radius": radius,
    }  # fmt: skip
    model = (SchNet if kind == "schnet" else PaiNN)(len(_NUMBERS), 1, **sizes)
    state = torch.load(folder / _STORED, weights_only=True)
    new = schnet_weights(state) if kind == "schnet" else painn_weights(state, radius)
    missing, unexpected = model.load_state_dict(new, strict=False)
    lacking = [name for name in missing if name in dict(model.named_parameters())]
    if lacking or unexpected:
        raise ValueError(f"weights do not match: lacking {lacking}, left over {unexpected}")
    return side(model, pair, _NUMBERS)


def schnet_weights(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Their weights under our names."""
    names = {
        "in2f": "linear_1", "filter_network.0": "conv.linear_1",
        "filter_network.1": "conv.linear_2", "f2out.0": "linear_2", "f2out.1": "linear_3",
    }  # fmt: skip
    new = {"embedding.weight": state["representation.embedding.weight"][list(_NUMBERS)].T}
    for layer in range(_LAYERS["schnet"]):
        block = f"representation.interactions.{layer}"
        for there, here in names.items():
            _take(state, f"{block}.{there}", new, f"blocks.{layer}.{here}")
    _take(state, "output_modules.0.outnet.0", new, "readout_1")
    _take(state, "output_modules.0.outnet.1", new, "readout_2")
    return new


def painn_weights(state: dict[str, Tensor], radius: float) -> dict[str, Tensor]:
    """Their weights under our names, whose outputs have another order in some layers.

    Our Bessel functions have the factor sqrt(2 / radius).
    """
    names = {
        "interactions.{}.interatomic_context_net.0": "message.0",
        "interactions.{}.interatomic_context_net.1": "message.2",
        "mixing.{}.intraatomic_context_net.0": "update.0",
        "mixing.{}.intraatomic_context_net.1": "update.2",
        "mixing.{}.mu_channel_mix": "mix",
    }
    new = {"embedding.weight": state["representation.embedding.weight"][list(_NUMBERS)].T}
    for layer in range(_LAYERS["painn"]):
        for there, here in names.items():
            _take(state, f"representation.{there.format(layer)}", new, f"layers.{layer}.{here}")
    for name, factor in (("weight", (radius / 2) ** 0.5), ("bias", 1.0)):
        filters = state[f"representation.filter_net.{name}"].chunk(_LAYERS["painn"])
        for layer, given in enumerate(filters):
            new[f"layers.{layer}.filter.{name}"] = given * factor
    for name, value in new.items():
        if ".message.2." in name or ".filter." in name or ".update.2." in name:
            new[name] = value.unflatten(0, (3, -1))[[0, 2, 1]].flatten(0, 1)
        elif ".mix." in name:
            new[name] = value.unflatten(0, (2, -1)).flip(0).flatten(0, 1)
    _take(state, "output_modules.0.outnet.0", new, "readout.0")
    _take(state, "output_modules.0.outnet.1", new, "readout.2")
    return new


def _take(state: dict[str, Tensor], there: str, new: dict[str, Tensor], here: str) -> None:
    for name in ("weight", "bias"):
        if f"{there}.{name}" in state:
            new[f"{here}.{name}"] = state[f"{there}.{name}"]
