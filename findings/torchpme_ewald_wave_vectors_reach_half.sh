#!/usr/bin/env bash
# torch-pme 0.5.0 with torch 2.13.0 (CPU), Python 3.11, Linux x86-64.
#
# EwaldCalculator documents lr_wavelength as the shortest wavelength of its sum in reciprocal space, so
# that wave vectors would reach 2 pi / lr_wavelength. They reach half of that: the sum runs over the
# frequencies of a grid of this spacing, which end at its Nyquist limit. Here, rock salt at unit
# distance, the first wave vectors that count are pi (1, 1, 1), of length 5.44. A wavelength of
# 2 pi s / 5 with the smearing s = 0.8 should reach 6.25, and the next that count, of length 10.4, are
# negligible. The first are left out.
#
# Expected: an error of about 4e-9 with both wavelengths.
#
# Observed output:
#   wavelength 2 pi s / 5: Madelung constant 1.747793, error 2.3e-04
#   wavelength 2 pi s / 10: Madelung constant 1.747565, error 4.0e-09
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q torch==2.13.0
env/bin/pip install -q torch-pme==0.5.0 vesin==0.6.2 numpy==2.4.6
env/bin/python -W ignore - <<'PYTHON'
import math

import numpy as np
import torch
from torchpme import CoulombPotential, EwaldCalculator
from vesin import NeighborList

MADELUNG = 1.7475645946  # of rock salt, per ion at unit distance
signs = [(i, j, k) for i in range(4) for j in range(4) for k in range(4)]
pos = torch.tensor(signs, dtype=torch.float64)
charges = torch.tensor([[(-1.0) ** sum(at)] for at in signs], dtype=torch.float64)
cell = 4 * torch.eye(3, dtype=torch.float64)
smearing = 0.8
pairs = NeighborList(cutoff=6 * smearing, full_list=False).compute(
    points=pos.numpy(), box=cell.numpy(), periodic=True, quantities="ijd"
)
index = torch.from_numpy(np.stack(pairs[:2], 1).astype(np.int64))
errors = {}
for parts in (5, 10):
    calculator = EwaldCalculator(
        CoulombPotential(smearing=smearing), lr_wavelength=2 * math.pi * smearing / parts
    ).to(torch.float64)
    potential = calculator(charges, cell, pos, index, torch.from_numpy(pairs[2]))
    found = -2 * float((potential * charges).mean())
    errors[parts] = abs(found - MADELUNG)
    print(f"wavelength 2 pi s / {parts}: Madelung constant {found:.6f}, error {errors[parts]:.1e}")
assert errors[5] > 1e-4 and errors[10] < 1e-7
PYTHON
