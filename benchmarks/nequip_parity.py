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

import math
import re
from typing import Any

import torch
from ase import Atoms
from ase.build import bulk, molecule
from e3nn import o3
from torch import Tensor

from geozoo.models import Allegro, NequIP
from geozoo.nn import PairProduct
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


EMBED = {"_target_": "allegro.nn.TwoBodyBesselScalarEmbed", "num_bessels": 5}
SMALL_ALLEGRO: dict[str, Any] = {
    **{key: SMALL[key] for key in ("seed", "model_dtype", "r_max", "type_names", "l_max",
       "avg_num_neighbors", "per_type_energy_scales", "per_type_energy_shifts")},
    "radial_chemical_embed": EMBED, "num_layers": 2, "parity": True,
    "num_scalar_features": 16, "num_tensor_features": 4,
    "scalar_embed_mlp_hidden_layers_depth": 1, "scalar_embed_mlp_hidden_layers_width": 24,
    "allegro_mlp_hidden_layers_depth": 1, "allegro_mlp_hidden_layers_width": 20,
    "readout_mlp_hidden_layers_depth": 1, "readout_mlp_hidden_layers_width": 10,
}  # fmt: skip
ALLEGRO_VARIANTS: dict[str, dict[str, Any]] = {
    "num_layers=2": {},
    "num_layers=1, l_max=1": {"num_layers": 1, "l_max": 1},
    "num_layers=3": {"num_layers": 3},
    "num_layers=3, parity=False": {"num_layers": 3, "parity": False},
    "tp_path_channel_coupling=False, other depths": {
        "tp_path_channel_coupling": False, "scalar_embed_mlp_hidden_layers_depth": 2,
        "allegro_mlp_hidden_layers_depth": 0, "readout_mlp_hidden_layers_depth": 0,
    },
    "bessel_trainable=True, polynomial_cutoff_p=9": {
        "radial_chemical_embed": {**EMBED, "bessel_trainable": True, "polynomial_cutoff_p": 9}
    },
}  # fmt: skip


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
        len(theirs["type_names"]), 1, degree=theirs["l_max"], num_layers=theirs["num_layers"],
        hidden_channels=features if isinstance(features, int) else features[0],
        num_basis=theirs["num_bessels"], radial_channels=theirs["radial_mlp_width"],
        num_neighbors=theirs["avg_num_neighbors"], radius=theirs["r_max"],
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
        "embedding.weight": state["type_embed.embed_module.weight"].flatten()
        * model.in_channels**0.5,
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
            factor = alpha if at else alpha * (2 / model.radius) ** 0.5
            weight = state[f"{there}.edge_mlp.mlp.{at}.weight"]
            new[f"{here}.radial.{at}.weight"] = factor * weight.T
    load(model, new)


def load(model: torch.nn.Module, new: dict[str, Tensor]) -> None:
    """Load weights; all trained ones must be given."""
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


def matching_allegro(theirs: dict[str, Any]) -> Allegro:
    """Our network with the options that make it that of nequip-allegro."""
    return Allegro(
        len(theirs["type_names"]), 1, degree=theirs["l_max"], num_layers=theirs["num_layers"],
        hidden_channels=theirs["num_scalar_features"],
        tensor_channels=theirs["num_tensor_features"],
        num_basis=theirs["radial_chemical_embed"]["num_bessels"],
        num_neighbors=theirs["avg_num_neighbors"], radius=theirs["r_max"],
        options={
            "two_body": "product", "latent": "dense", "mixing": "channelwise",
            "two_body_layers": theirs["scalar_embed_mlp_hidden_layers_depth"],
            "two_body_channels": theirs["scalar_embed_mlp_hidden_layers_width"],
            "latent_layers": theirs["allegro_mlp_hidden_layers_depth"],
            "latent_channels": theirs["allegro_mlp_hidden_layers_width"],
            "readout_layers": theirs["readout_mlp_hidden_layers_depth"],
            "readout_channels": theirs["readout_mlp_hidden_layers_width"],
            "parity": theirs["parity"], "element_scaling": True,
            "trainable_basis": theirs["radial_chemical_embed"].get("bessel_trainable", False),
            "window_power": theirs["radial_chemical_embed"].get("polynomial_cutoff_p", 6),
        },
    ).double()  # fmt: skip


def copy_allegro(other: Any, model: Allegro) -> None:
    """Copy the weights of nequip-allegro's network, in another order and with other factors."""
    state = {name.removeprefix("model.func."): value for name, value in other.state_dict().items()}
    named, width, channels = (
        dict(other.named_modules()),
        model.hidden_channels,
        model.tensor_channels,
    )
    new: dict[str, Tensor] = {}

    def take(here: str, there: str, scalars: int | None = None) -> None:
        """Copy a perceptron; of the last layer, outputs after the scalars are tensor weights."""
        at = 0
        while f"{there}.mlp.{at}.weight" in state:
            alpha = named[f"model.func.{there}.mlp.{at}"].alpha
            new[f"{here}.{at}.weight"] = alpha * state[f"{there}.mlp.{at}.weight"].T
            at += 2
        if scalars is not None:
            kept, weights = new[f"{here}.{at - 2}.weight"].tensor_split([scalars])
            # Theirs are ordered by channel, ours by degree.
            weights = weights.unflatten(0, (channels, -1)).transpose(0, 1).flatten(0, 1)
            new[f"{here}.{at - 2}.weight"] = torch.cat([kept, weights])

    embed = "radial_chemical_embed"
    new["nodes.receiver.weight"] = state[f"{embed}.type_embed.center_embed.weight"].T
    new["nodes.sender.weight"] = state[f"{embed}.type_embed.neighbor_embed.weight"].T
    take("nodes.basis", f"{embed}.type_embed.basis_linear")
    # Their Bessel functions have the factor r / pi, ours sqrt(2 / r).
    new["nodes.basis.0.weight"] *= model.radius / math.pi * (model.radius / 2) ** 0.5
    if model.options.trainable_basis:
        new["basis.order"] = state[f"{embed}.bessel_encode.bessel_weights"].flatten()
    take("two_body", "scalar_embed_mlp.mlp_module")
    take("start", "tensor_embed.env_embed_linear", 0)
    take("environments.0", "allegro.first_layer_env_embed_projection", width)
    for step in range(len(model.products)):
        take(f"latents.{step}", f"allegro.latents.{step}", width)
        for output, weight in enumerate(
            product_weights(named[f"model.func.allegro.tps.{step}"], model.products[step])
        ):
            new[f"products.{step}.weights.{output}"] = weight
    take("readout", "edge_readout.mlp_module")
    last = max(name for name in new if name.startswith("readout."))
    new[last] = new[last] * 0.5**0.5  # they divide sums of energies by the root of 2 n
    new["scaling.scale"] = state["per_type_energy_scale_shift.scales"] - 1
    new["scaling.shift"] = state["per_type_energy_scale_shift.shifts"]
    load(model, new)


def product_weights(theirs: Any, product: PairProduct) -> list[Tensor]:
    """Weights of the paths to each output; their paths are found by their coupling coefficients."""
    before, around, after = (
        o3.Irreps(each) for each in re.findall(r"(?:\d+x\d+[eo]\+?)+", str(theirs))[:3]
    )
    table = (
        theirs.w3j if theirs.w3j.dim() == 4 else by_components(theirs.w3j, before, around, after)
    )
    weights = theirs.weights if theirs.weights.dim() == 2 else theirs.weights.expand(1, -1)
    weights = weights.expand(product.channels, -1)
    found: list[list[Tensor]] = [[] for _ in product.kinds_out]
    for i, j, o in product.triples:
        places = [
            irreps.slices()[[str(kind) for _, kind in irreps].index(kind)]
            for irreps, kind in (
                (before, product.kinds_in[i]), (around, str(around[j].ir)),
                (after, product.kinds_out[o]),
            )
        ]  # fmt: skip
        blocks = table[:, places[0], places[1], places[2]]
        (path,) = blocks.flatten(1).any(1).nonzero()[0]
        ours = o3.wigner_3j(*(irreps.dim // 2 for irreps in (
            before[before.slices().index(places[0])].ir, around[j].ir,
            after[after.slices().index(places[2])].ir)), dtype=torch.float64)  # fmt: skip
        ours = ours * ours.shape[2] ** 0.5
        factor = (blocks[path] * ours).sum() / ours.square().sum()
        torch.testing.assert_close(blocks[path], factor * ours)
        found[o].append(weights[:, path] * factor)
    return [torch.stack(each) for each in found]


def by_components(table: Tensor, before: Any, around: Any, after: Any) -> Tensor:
    """Coefficients to a scalar, stored for equal components only, for all components."""
    full = table.new_zeros(len(table), before.dim, around.dim, after.dim)
    full[:, range(before.dim), range(around.dim)] = table
    return full


def compare_allegro() -> None:
    """Print the deviations of every variant of Allegro."""
    from allegro.model import AllegroModel

    for name, changes in ALLEGRO_VARIANTS.items():
        theirs = {**SMALL_ALLEGRO, **changes}
        other = AllegroModel(**theirs)
        model = matching_allegro(theirs)
        copy_allegro(other, model)
        print(f"Allegro, {name}: {deviations(other, model)}")


def main() -> None:
    """Compare all networks."""
    from nequip.utils.global_state import set_global_state

    set_global_state()
    compare_nequip()
    compare_allegro()


if __name__ == "__main__":
    main()
