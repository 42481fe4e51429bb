"""NequIP and Allegro of the packages nequip and nequip-allegro: the same function and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers
from torch import Tensor

from benchmarks.peers._ours import array, side, trained
from benchmarks.peers._pair import Pair, Side, Step

_NEQUIP: dict[str, Any] = {
    "num_layers": 4, "num_features": 32, "parity": True, "type_embed_num_features": 32,
    "num_bessels": 8, "radial_mlp_depth": 2, "radial_mlp_width": 64,
}  # fmt: skip
_ALLEGRO: dict[str, Any] = {
    "num_layers": 2, "parity": True, "num_scalar_features": 64, "num_tensor_features": 16,
    "radial_chemical_embed": {
        "_target_": "allegro.nn.TwoBodyBesselScalarEmbed", "num_bessels": 8,
    },
    "scalar_embed_mlp_hidden_layers_depth": 2, "scalar_embed_mlp_hidden_layers_width": 64,
    "allegro_mlp_hidden_layers_depth": 1, "allegro_mlp_hidden_layers_width": 64,
    "readout_mlp_hidden_layers_depth": 1, "readout_mlp_hidden_layers_width": 64,
}  # fmt: skip
_COPPER, _ASPIRIN = (
    {"types": ["Cu"], "neighbors": 42.0},
    {"types": ["H", "C", "O"], "neighbors": 14.0},
)
PAIRS = [
    Pair("nequip_aspirin", "nequip", "nequip", "NequIP against nequip", "5 aspirin", "step",
         {"kind": "nequip", **_ASPIRIN}),
    Pair("nequip_copper", "nequip", "nequip", "NequIP against nequip", "500 Cu", "evaluation",
         {"kind": "nequip", **_COPPER}),
    Pair("allegro_aspirin", "nequip", "nequip", "Allegro against nequip-allegro", "5 aspirin",
         "step", {"kind": "allegro", **_ASPIRIN}),
    Pair("allegro_copper", "nequip", "nequip", "Allegro against nequip-allegro", "500 Cu",
         "evaluation", {"kind": "allegro", **_COPPER}),
]  # fmt: skip
_STORED = "nequip.pt"


def _arguments(pair: Pair) -> dict[str, Any]:
    types = pair.network["types"]
    return {
        "seed": 1, "model_dtype": "float32", "r_max": 5.0, "type_names": types, "l_max": 2,
        "avg_num_neighbors": pair.network["neighbors"],
        "per_type_energy_scales": dict.fromkeys(types, 1.0),
        "per_type_energy_shifts": dict.fromkeys(types, 0.0),
        **(_NEQUIP if pair.network["kind"] == "nequip" else _ALLEGRO),
    }  # fmt: skip


def theirs(pair: Pair, folder: Path) -> Side:
    """The network of the package; its weights are stored in the folder."""
    if pair.network["kind"] == "nequip":
        from nequip.model import NequIPGNNModel as Network
    else:
        from allegro.model import AllegroModel as Network
    from nequip.utils.global_state import set_global_state

    set_global_state()
    model = Network(**_arguments(pair))
    store(model, folder / _STORED)
    training = pair.work == "step"
    model.train(training).requires_grad_(training)

    def prepare(frames: Sequence[Atoms]) -> Step:
        data = _data(frames, pair.network["types"])

        def step() -> dict[str, np.ndarray]:
            model.zero_grad()
            out = model(dict(data))
            energy, force = out["total_energy"].flatten(), out["forces"]
            found = {"energy": array(energy), "forces": array(force)}
            if training:
                found["loss"] = trained(energy, force)
            elif frames[0].pbc.any():
                found["stress"] = array(out["stress"])
            return found

        return step

    return prepare


def _data(frames: Sequence[Atoms], types: list[str]) -> dict[str, Tensor]:
    """A batch with its neighbour list."""
    from nequip.data import AtomicDataDict, compute_neighborlist_, from_ase

    listed = []
    for atoms in frames:
        data = compute_neighborlist_(from_ase(atoms), r_max=5.0)
        data["atom_types"] = torch.tensor([types.index(each) for each in atoms.symbols])
        listed.append(data)
    data = AtomicDataDict.batched_from_list(listed)
    return {
        key: value.float() if torch.is_tensor(value) and value.is_floating_point() else value
        for key, value in data.items()
    }


def store(model: Any, path: Path) -> None:
    """Keep the weights and what they are multiplied with."""
    named = dict(model.named_modules())
    torch.save({
        "state": model.state_dict(),
        "alpha": {
            name: float(part.alpha) for name, part in named.items() if hasattr(part, "alpha")
        },
        "products": {
            name: (str(part), part.w3j.detach(), part.weights.detach())
            for name, part in named.items() if hasattr(part, "w3j") and hasattr(part, "weights")
        },
    }, path)  # fmt: skip


@dataclass(frozen=True)
class _Product:
    """A stored tensor product."""

    text: str
    w3j: Tensor
    weights: Tensor

    def __str__(self) -> str:
        return self.text


class _Stored:
    """A stored network, in float64, as far as its weights are concerned."""

    def __init__(self, path: Path) -> None:
        found = torch.load(path, weights_only=True)
        self.state = {
            name: value.double() if value.is_floating_point() else value
            for name, value in found["state"].items()
        }
        self.parts: dict[str, Any] = {
            name: SimpleNamespace(alpha=value) for name, value in found["alpha"].items()
        }
        for name, (text, w3j, weights) in found["products"].items():
            self.parts[name] = _Product(text, w3j.double(), weights.double())

    def state_dict(self) -> dict[str, Tensor]:
        """Weights by name."""
        return self.state

    def named_modules(self) -> list[tuple[str, Any]]:
        """Modules that have factors."""
        return list(self.parts.items())


def ours(pair: Pair, folder: Path) -> Side:
    """Our network with the stored weights."""
    from benchmarks import nequip_parity as parity

    arguments, stored = _arguments(pair), _Stored(folder / _STORED)
    model: Any
    if pair.network["kind"] == "nequip":
        model = parity.matching_nequip(arguments, {})
        parity.copy_nequip(stored, model)
    else:
        model = parity.matching_allegro(arguments)
        parity.copy_allegro(stored, model)
    numbers = [atomic_numbers[each] for each in arguments["type_names"]]
    return side(model.float(), pair, numbers)
