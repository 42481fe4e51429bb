#!/usr/bin/env bash
# mace-torch 0.3.16 with torch 2.13.0 (CPU) and ASE 3.29.0, Python 3.11, Linux x86-64.
#
# In directions that are not periodic, the calculator replaces the lattice vector by one of the length
# 5 cutoff (1 + the largest coordinate), for the search of neighbours, and then also divides by the
# volume of this cell. The stress of a slab therefore changes when the slab is moved along its normal,
# which changes neither energy nor forces, and is not that of the given cell. A relaxation of its
# lattice (FrechetCellFilter with a mask) works with the volume of the given cell, so its gradient is
# scaled by the ratio of both.
# A second observation: an atom without neighbours does not get its entry of atomic_energies; the
# network adds a contribution of the atom alone.
#
# Expected: a stress independent of the position; -3 eV for the atom.
#
# Observed output:
#   moved by 0.0: energy -4.246691, stress xx 2.6022e-04, times length 6.5054e-02
#   moved by 10.0: energy -4.246691, stress xx 1.4456e-04, times length 6.5054e-02
#   atom: energy -1.443123, of atomic_energies -3
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q torch==2.13.0
env/bin/pip install -q torch==2.13.0 mace-torch==0.3.16 e3nn==0.4.4 numpy==2.4.6 ase==3.29.0
env/bin/python -W ignore - <<'PYTHON'
import numpy as np
import torch
from ase import Atoms
from ase.build import fcc100

torch.serialization.add_safe_globals([slice])  # in the constants of e3nn 0.4.4
from e3nn import o3
from mace import modules
from mace.calculators import MACECalculator

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
model = modules.ScaleShiftMACE(
    r_max=4.0, num_bessel=4, num_polynomial_cutoff=5, max_ell=2, interaction_cls=block,
    interaction_cls_first=block, num_interactions=2, num_elements=1,
    hidden_irreps=o3.Irreps("8x0e"), MLP_irreps=o3.Irreps("8x0e"),
    atomic_energies=np.array([-3.0]), avg_num_neighbors=12.0, atomic_numbers=[29], correlation=2,
    gate=torch.nn.functional.silu, radial_MLP=[16], atomic_inter_scale=1.0, atomic_inter_shift=0.0,
)
calculator = MACECalculator(models=[model], device="cpu", default_dtype="float64")
slab = fcc100("Cu", (1, 1, 3), a=3.5, vacuum=8.0)
slab.calc = calculator
found = []
for height in (0.0, 10.0):
    slab.positions[:, 2] += height
    top = slab.positions[:, 2].max()
    found.append((slab.get_potential_energy(), slab.get_stress()[0], 5 * 4.0 * (1 + top)))
    energy, stress, length = found[-1]
    print(f"moved by {height}: energy {energy:.6f}, stress xx {stress:.4e}, times length {stress * length:.4e}")
atom = Atoms("Cu", calculator=calculator)
print(f"atom: energy {atom.get_potential_energy():.6f}, of atomic_energies -3")
assert abs(found[0][0] - found[1][0]) < 1e-9 and found[0][1] > 1.5 * found[1][1]
assert abs(found[0][1] * found[0][2] / (found[1][1] * found[1][2]) - 1) < 1e-6
assert abs(atom.get_potential_energy() + 3) > 0.1
PYTHON
