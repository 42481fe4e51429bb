#!/usr/bin/env bash
# sevenn 0.13.0 with torch 2.13.0 (CPU) and ASE 3.29.0, Python 3.11, Linux x86-64.
#
# With compute_atomic_virial=True, SevenNetCalculator returns get_stresses(), ASE's stress per atom, whose
# sum is the stress. It holds virials instead: in eV, of the opposite sign, and in the order xx yy zz xy
# yz zx, whereas its get_stress() follows ASE (eV/A^3, xx yy zz yz xz xy). Besides, get_stress() of a
# molecule without a cell raises no error: the volume is taken as 0.001 A^3.
#
# Expected: stresses of atoms that sum to the stress, and an error for the molecule.
#
# Observed output:
#   stress:                     -0.0613   -0.0570   -0.0525    0.0055    0.0189    0.0121
#   sum of stresses of atoms:    9.2425    8.5816    7.9030   -1.8269   -0.8303   -2.8456
#   -volume * stress:            9.2425    8.5816    7.9030   -0.8303   -2.8456   -1.8269
#   stress of water:             0.0000 -162.6646  -92.0769    0.0000    0.0000    0.0000
#   virial of water:             0.0000    0.1627    0.0921    0.0000    0.0000    0.0000
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q torch==2.13.0
env/bin/pip install -q torch==2.13.0 sevenn==0.13.0 e3nn==0.6.0 torch-geometric==2.8.1 numpy==2.4.6 ase==3.29.0
env/bin/python -W ignore - <<'PYTHON'
import numpy as np
from ase.build import bulk, molecule
from sevenn.calculator import SevenNetCalculator


def shown(values):
    return " ".join(f"{value:9.4f}" for value in values)


calculator = SevenNetCalculator("7net-0", device="cpu", compute_atomic_virial=True)
atoms = bulk("Si", cubic=True)
strained = atoms.cell.array @ [[0.97, 0.02, 0.03], [0.0, 0.98, 0.01], [0.0, 0.0, 0.99]]
atoms.set_cell(strained, scale_atoms=True)
atoms.calc = calculator
stress, total = atoms.get_stress(), atoms.get_stresses().sum(0)
print("stress:                  ", shown(stress))
print("sum of stresses of atoms:", shown(total))
print("-volume * stress:        ", shown(-atoms.get_volume() * stress))
water = molecule("H2O")
water.calc = calculator
molecular, virial = water.get_stress(), water.get_stresses().sum(0)
print("stress of water:         ", shown(molecular))
print("virial of water:         ", shown(virial))
# Its place of xy, yz, zx among ASE's yz, xz, xy:
assert np.allclose(total, -atoms.get_volume() * stress[[0, 1, 2, 5, 3, 4]], atol=1e-3)
assert not np.allclose(total, -atoms.get_volume() * stress, atol=0.1)
assert np.allclose(molecular[:3], -virial[:3] / 1e-3, rtol=1e-3, atol=1e-2)
PYTHON
