"""NequIP and Allegro against the packages nequip and nequip-allegro, with the same weights.

    python3 -m venv other && . other/bin/activate
    pip install torch==2.13.0
    pip install nequip==0.19.1 nequip-allegro==0.8.3 jaxtyping numba
    python -m benchmarks.nequip_parity

Networks of these packages with random weights are evaluated in float64 on ethanol and on a
displaced crystal cell smaller than the cutoff; their weights are copied by name into ours.
Printed are the largest deviations of energies, forces and virials, relative to the largest of each.
"""

from __future__ import annotations

from typing import Any

import torch
from ase import Atoms
from ase.build import bulk, molecule
from torch import Tensor

from geozoo.models import NequIP
from geozoo.tasks._derivatives import energy_derivatives

TYPES = ("H", "C", "O", "Si")
RADIUS = 4.0
SMALL: dict[str, Any] = {
    "seed": 1, "model_dtype": "float64", "r_max": RADIUS, "type_names": TYPES, "num_layers": 3,
    "l_max": 2, "num_features": [8, 4, 3], "type_embed_num_features": 6, "num_bessels": 5,
    "radial_mlp_depth": 2, "radial_mlp_width": 16, "avg_num_neighbors": 7.0,
    "per_type_energy_scales": dict(zip(TYPES, (1.5, 2.0, 0.5, 0.7), strict=True)),
    "per_type_energy_shifts": dict(zip(TYPES, (-0.1, 0.2, 0.3, -0.4), strict=True)),
}  # fmt: skip
#: Arguments of nequip's network beyond the small ones, and what they are called here.
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "parity=False": ({"parity": False}, {"irreps": "8x0e+4x1o+3x2e"}),
    "parity=True": ({"parity": True, "num_layers": 4}, {"irreps": "8x0e+8x0o+4x1e+4x1o+3x2e+3x2o"}),
    "bessel_trainable=True": (
        {"parity": False, "bessel_trainable": True},
        {"irreps": "8x0e+4x1o+3x2e", "trainable_basis": True},
    ),
    "polynomial_cutoff_p=9, radial_mlp_depth=1": (
        {"parity": False, "polynomial_cutoff_p": 9, "radial_mlp_depth": 1},
        {"irreps": "8x0e+4x1o+3x2e", "window_power": 9, "radial_layers": 1},
    ),
    "num_features=8, type embedding of that size": (
        {"parity": True, "num_features": 8, "type_embed_num_features": None, "l_max": 1},
        {"embedding_channels": None},
    ),
}


def structures() -> dict[str, Atoms]:
    """A molecule, and a cell smaller than the cutoff whose atoms are displaced."""
    crystal = bulk("Si") * (2, 1, 1)
    crystal.set_chemical_symbols(["Si", "C", "Si", "O"])
    crystal.set_cell(crystal.cell @ [[0.7, 0.02, 0.0], [0.0, 0.66, 0.1], [0.03, 0.0, 0.72]], True)
    crystal.rattle(0.1, seed=2)
    return {"ethanol": molecule("CH3CH2OH"), "crystal": crystal}


def reference(model: Any, atoms: Atoms) -> dict[str, Tensor]:
    """Energy, forces and virial of a model of nequip."""
    from nequip.data import compute_neighborlist_, from_ase

    data = compute_neighborlist_(from_ase(atoms), r_max=RADIUS)
    data["atom_types"] = torch.tensor([TYPES.index(each) for each in atoms.symbols])
    out = model(data)
    found = {"energy": out["total_energy"].flatten(), "force": out["forces"]}
    if atoms.pbc.any():
        found["virial"] = out["virial"]
    return {name: value.detach() for name, value in found.items()}


def ours(model: Any, atoms: Atoms) -> dict[str, Tensor]:
    """The same of a model of geozoo."""
    pos = torch.tensor(atoms.positions)
    types = torch.tensor([TYPES.index(each) for each in atoms.symbols])
    batch = torch.zeros(len(atoms), dtype=torch.int64)
    edges = model.neighbors(
        pos, batch, num_graphs=1, cell=torch.tensor(atoms.cell.array)[None],
        pbc=torch.tensor(atoms.pbc)[None],
    )  # fmt: skip
    inputs = {
        "pos": pos, "batch": batch, "edge_index": edges, "num_graphs": 1,
        "x": torch.nn.functional.one_hot(types, len(TYPES)).double(),
    }  # fmt: skip
    found = energy_derivatives(model, inputs, create_graph=False, with_virial=True)
    return {"energy": found.energy.flatten(), "force": found.force, "virial": found.virial}


def deviations(other: Any, model: Any) -> str:
    """The largest deviations of all structures."""
    parts = []
    for name, atoms in structures().items():
        wanted, found = reference(other, atoms), ours(model, atoms)
        for key, value in wanted.items():
            error = (found[key] - value).abs().max() / value.abs().max()
            parts.append(f"{name} {key} {float(error):.1e}")
    return ", ".join(parts)


def matching_nequip(theirs: dict[str, Any], options: dict[str, Any]) -> NequIP:
    """Our network with the options that make it that of nequip."""
    features = theirs["num_features"]
    return NequIP(
        len(TYPES), 1, degree=theirs["l_max"], num_layers=theirs["num_layers"],
        hidden_channels=features if isinstance(features, int) else features[0],
        num_basis=theirs["num_bessels"], radial_channels=theirs["radial_mlp_width"],
        num_neighbors=theirs["avg_num_neighbors"], radius=RADIUS,
        options={
            "embedding_channels": theirs["type_embed_num_features"], "self_connection": "embedding",
            "first_self_connection": False, "gate": "silu", "radial_bias": False,
            "radial_layers": theirs["radial_mlp_depth"], "window_place": "basis",
            "element_scaling": True, **options,
        },
    ).double()  # fmt: skip


def copy_nequip(other: Any, model: NequIP) -> None:
    """Copy the weights of nequip's network, which have other constant factors in front."""
    state = {name.removeprefix("model.func."): value for name, value in other.state_dict().items()}
    named = dict(other.named_modules())
    new: dict[str, Tensor] = {
        # A linear map of one-hot types divides by the root of their number.
        "embedding.weight": state["type_embed.embed_module.weight"].flatten() * len(TYPES) ** 0.5,
        "readout.weight": state["per_atom_energy_readout.mlp_module.mlp.0.weight"].flatten(),
        "scaling.scale": state["per_type_energy_scale_shift.scales"] - 1,
        "scaling.shift": state["per_type_energy_scale_shift.shifts"],
    }
    if model.options.trainable_basis:
        new["basis.order"] = state["bessel_encode.bessel_weights"].flatten()
    for step in range(len(model.convolutions)):
        here, there = f"convolutions.{step}", f"layer{step}_convnet.conv"
        new[f"{here}.linear_1.weight"] = state[f"{there}.linear_1.weight"]
        new[f"{here}.linear_2.weight"] = state[f"{there}.linear_2.weight"]
        if step:
            new[f"connections.{step}.weight"] = state[f"{there}.sc.weight"]
        for at in range(0, 2 * model.options.radial_layers + 1, 2):
            alpha = named[f"model.func.{there}.edge_mlp.mlp.{at}"].alpha
            # Their Bessel functions have the factor 2 / r, ours sqrt(2 / r).
            factor = alpha if at else alpha * (2 / RADIUS) ** 0.5
            weight = state[f"{there}.edge_mlp.mlp.{at}.weight"]
            new[f"{here}.radial.{at}.weight"] = factor * weight.T
    missing, unexpected = model.load_state_dict(new, strict=False)
    trained = {name for name, _ in model.named_parameters()}
    lacking = [name for name in missing if name in trained and model.get_parameter(name).numel()]
    if lacking or unexpected:
        raise ValueError(f"weights do not match: lacking {lacking}, left over {unexpected}")


def compare_nequip() -> None:
    """Print the deviations of every variant of NequIP."""
    from nequip.model import NequIPGNNModel

    for name, (changes, options) in VARIANTS.items():
        theirs = {**SMALL, **changes}
        other = NequIPGNNModel(**theirs)
        model = matching_nequip(theirs, options)
        copy_nequip(other, model)
        print(f"NequIP, {name}: {deviations(other, model)}")


def main() -> None:
    """Compare all networks."""
    from nequip.utils.global_state import set_global_state

    set_global_state()
    compare_nequip()


if __name__ == "__main__":
    main()
