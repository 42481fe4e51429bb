"""Energies, forces and stresses of small models of the published implementation of MACE.

    python3 -m venv mace_env && mace_env/bin/pip install torch==2.13.0
    mace_env/bin/pip install mace-torch==0.3.16
    mace_env/bin/python benchmarks/mace_reference.py mace_reference.npz
    python -m benchmarks.parity_mace mace_reference.npz

Runs in an environment of its own, without geozoo: mace-torch requires e3nn 0.4.4. Weights are
random, structures are three molecules and a triclinic crystal; everything is float64.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import numpy as np
import torch

# The constants of e3nn 0.4.4 contain a slice, which PyTorch does not load by default.
torch.serialization.add_safe_globals([slice])
warnings.filterwarnings("ignore")

RESIDUAL, PLAIN = "RealAgnosticResidualInteractionBlock", "RealAgnosticInteractionBlock"
NUMBERS = [1, 6, 8]
#: Options of each model that differ from `make`'s.
MODELS: dict[str, dict[str, Any]] = {
    "all": {"channels": 8, "hidden_degree": 1, "degree": 3, "correlation": 3},
    "later": {"channels": 6, "hidden_degree": 2, "degree": 3, "correlation": 3, "first": PLAIN},
    "none": {"channels": 4, "hidden_degree": 1, "degree": 2, "correlation": 2, "first": PLAIN,
             "other": PLAIN, "layers": 3},
    "scalars": {"channels": 5, "hidden_degree": 0, "degree": 2, "correlation": 4},
    "tiny": {"channels": 3, "hidden_degree": 1, "degree": 2, "correlation": 3, "widths": [6, 5]},
    "tiny_later": {"channels": 3, "hidden_degree": 1, "degree": 2, "correlation": 3,
                   "widths": [6, 5], "first": PLAIN},
}  # fmt: skip
DEFAULTS: dict[str, Any] = {
    "first": RESIDUAL,
    "other": RESIDUAL,
    "layers": 2,
    "widths": [16, 16, 16],
}
SHARED: dict[str, Any] = {
    "radius": 3.5,
    "num_basis": 6,
    "power": 5,
    "num_neighbors": 7.0,
    "readout": 7,
}


def make(options: dict, *, scaled: bool) -> torch.nn.Module:
    """A model with random weights, some of which `mace` would otherwise set to one constant."""
    from e3nn import o3
    from mace import modules

    torch.manual_seed(0)
    channels, degree = options["channels"], options["hidden_degree"]
    hidden = "+".join(f"{channels}x{n}{'eo'[n % 2]}" for n in range(degree + 1))
    kind = modules.ScaleShiftMACE if scaled else modules.MACE
    scale = {"atomic_inter_scale": 1.7, "atomic_inter_shift": -0.4} if scaled else {}
    return kind(
        r_max=SHARED["radius"], num_bessel=SHARED["num_basis"],
        num_polynomial_cutoff=SHARED["power"], max_ell=options["degree"],
        interaction_cls=modules.interaction_classes[options["other"]],
        interaction_cls_first=modules.interaction_classes[options["first"]],
        num_interactions=options["layers"], num_elements=len(NUMBERS),
        hidden_irreps=o3.Irreps(hidden), MLP_irreps=o3.Irreps(f"{SHARED['readout']}x0e"),
        atomic_energies=np.array([-1.0, 2.0, 0.5]), avg_num_neighbors=SHARED["num_neighbors"],
        atomic_numbers=NUMBERS, correlation=options["correlation"],
        gate=torch.nn.functional.silu, radial_MLP=options["widths"], **scale,
    ).double()  # fmt: skip


def structures() -> list:
    """Ethanol, methane, an isolated atom next to a distant one, and a dense crystal."""
    from ase import Atoms
    from ase.build import molecule

    generator = np.random.default_rng(0)
    made = [molecule("CH3CH2OH"), molecule("CH4"), Atoms("OH", [[0, 0, 0], [9.0, 0, 0]])]
    cell = [[3.1, 0.2, 0.0], [-0.4, 3.4, 0.3], [0.5, 0.0, 2.9]]
    made.append(Atoms("COH", generator.random((3, 3)) @ cell, cell=cell, pbc=True))
    for atoms in made[:2] + made[3:]:
        atoms.positions += 0.1 * generator.normal(size=atoms.positions.shape)
    return made


def outputs(model: torch.nn.Module, atoms: Any) -> dict[str, np.ndarray]:
    """Energy (eV), forces and, for the crystal, stress of a structure."""
    from mace import data
    from mace.tools import AtomicNumberTable, torch_geometric

    config = data.config_from_atoms(atoms)
    entry = data.AtomicData.from_config(
        config, z_table=AtomicNumberTable(NUMBERS), cutoff=SHARED["radius"]
    )
    loader = torch_geometric.dataloader.DataLoader([entry], batch_size=1)
    batch = next(iter(loader)).to_dict()
    found = model(batch, compute_stress=bool(atoms.pbc.all()))
    kept = {name: found[name] for name in ("energy", "forces", "node_energy", "stress")}
    return {n: v.detach().numpy() for n, v in kept.items() if v is not None}


def main(path: str, *names: str) -> None:
    """Write weights, structures and outputs of the models."""
    torch.set_default_dtype(torch.float64)
    arrays: dict[str, Any] = {}
    given = structures()
    for n, atoms in enumerate(given):
        arrays[f"structure.{n}.positions"] = atoms.positions
        arrays[f"structure.{n}.numbers"] = atoms.numbers
        arrays[f"structure.{n}.cell"] = np.asarray(atoms.cell)
    for name in names or MODELS:
        options = DEFAULTS | MODELS[name]
        model = make(options, scaled=name in ("all", "tiny"))
        arrays[f"{name}.options"] = np.array(json.dumps(options | SHARED))
        for key, value in model.state_dict().items():
            if "_compiled_main" not in key:
                arrays[f"{name}.w.{key}"] = value.numpy()
        for n, atoms in enumerate(given):
            for key, value in outputs(model, atoms).items():
                arrays[f"{name}.out.{n}.{key}"] = value
        print(name, float(arrays[f"{name}.out.0.energy"][0]))
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
