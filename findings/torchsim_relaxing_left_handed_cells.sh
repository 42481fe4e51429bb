#!/usr/bin/env bash
# torch-sim-atomistic 0.6.2 with torch 2.13.0 (CPU), Python 3.12, Linux x86-64.
#
# The cell filters multiply the stress by the determinant of the cell, without its absolute value, and
# state.volume is negative for a left-handed cell. Energy, forces and stress of such a cell are right, but
# the lattice is driven uphill: a compressed crystal is compressed further in every step, until the
# neighbours overflow. Exchanging two lattice vectors, which describes the same crystal, is enough.
# ASE and structure files allow such cells, and ase.filters relaxes them.
#
# Expected: both cells expand, by the same volume.
#
# Observed output:
#   right-handed: stress -0.5674, volume 39.304 -> 43.850, energy -11.666 -> -12.903
#   left-handed: stress -0.5674, volume -39.304 -> -34.567, energy -11.666 -> -6.444
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
"${PYTHON:-python3.12}" -m venv env
env/bin/pip install -q torch==2.13.0
env/bin/pip install -q torch==2.13.0 torch-sim-atomistic==0.6.2 ase==3.29.0 numpy==2.4.6
WARP_CACHE_PATH="$place/warp" env/bin/python -W ignore 2> errors - <<'PYTHON' || { cat errors; exit 1; }
import torch
import torch_sim
from ase.build import bulk
from torch_sim.models.lennard_jones import LennardJonesModel

model = LennardJonesModel(
    sigma=2.3, epsilon=0.4, cutoff=6.0, dtype=torch.float64, device=torch.device("cpu"),
    compute_forces=True, compute_stress=True,
)  # fmt: skip
right = bulk("Cu", "fcc", a=3.4, cubic=True)
left = right.copy()
left.set_cell(right.cell[[1, 0, 2]])  # the same crystal
found = {}
for name, atoms in (("right-handed", right), ("left-handed", left)):
    start = torch_sim.io.atoms_to_state(atoms, torch.device("cpu"), torch.float64)
    stress = float(model(start)["stress"][0, 0, 0])
    final = torch_sim.optimize(
        system=atoms, model=model, optimizer=torch_sim.Optimizer.fire, max_steps=2,
        init_kwargs={"cell_filter": torch_sim.CellFilter.frechet},
    )  # fmt: skip
    found[name] = stress, float(start.volume), float(final.volume)
    energies = float(model(start)["energy"]), float(final.energy)
    print(
        f"{name}: stress {stress:.4f}, volume {found[name][1]:.3f} -> {found[name][2]:.3f}, "
        "energy {:.3f} -> {:.3f}".format(*energies)
    )
(stress, before, after), (same, left_before, left_after) = found.values()
assert abs(stress - same) < 1e-9 and left_before == -before < 0
assert after > before and abs(left_after) < before
PYTHON
