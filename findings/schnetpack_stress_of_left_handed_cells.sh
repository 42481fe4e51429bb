#!/usr/bin/env bash
# SchNetPack 2.2.0 with torch 2.13.0 (CPU), Python 3.11, Linux x86-64.
#
# The stress is divided by the triple product of the lattice vectors, without its absolute value: for a
# left-handed cell it has the opposite sign, with the same energy and forces. Exchanging two lattice
# vectors, which describes the same crystal, turns tension into compression. ASE and structure files
# allow such cells.
#
# Expected: equal stresses (here only axes of equal length are exchanged).
#
# Observed output:
#   right-handed: energy -3.864293, stress 0.159679 0.165263 0.159858
#   left-handed: energy -3.864293, stress -0.159679 -0.165263 -0.159858
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q torch==2.13.0
env/bin/pip install -q torch==2.13.0 numpy==2.4.6 ase==3.29.0 vesin==0.6.2 matscipy==1.3.1 \
    pytorch-lightning==2.6.6 torchmetrics==1.9.0 hydra-core==1.3.8 hydra-colorlog==1.2.0 \
    rich==15.0.0 fasteners==0.20 dirsync==2.2.6 torch-ema==0.3 h5py==3.16.0 progressbar==2.5 \
    tensorboard==2.21.0 tensorboardX==2.6.5 PyYAML==6.0.4 tqdm==4.70.1
# Its networks also run with Python 3.11, which its metadata do not declare.
env/bin/pip install -q --no-deps --ignore-requires-python schnetpack==2.2.0
env/bin/python -W ignore - <<'PYTHON'
import schnetpack as spk
import torch
from ase.build import bulk
from schnetpack.interfaces import AtomsConverter
from schnetpack.nn import BesselRBF, CosineCutoff
from schnetpack.transform import ASENeighborList

torch.manual_seed(0)
radius = 4.0
network = spk.representation.PaiNN(16, 2, BesselRBF(8, radius), CosineCutoff(radius))
model = spk.model.NeuralNetworkPotential(
    network,
    [spk.atomistic.Strain(), spk.atomistic.PairwiseDistances()],
    [spk.atomistic.Atomwise(16, output_key="energy"), spk.atomistic.Forces(calc_stress=True)],
).double()
convert = AtomsConverter(ASENeighborList(radius), dtype=torch.float64)
right = bulk("Cu", cubic=True)
right.rattle(0.1, seed=0)
left = right.copy()
left.set_cell(right.cell[[1, 0, 2]])  # the same crystal
found = {}
for name, atoms in (("right-handed", right), ("left-handed", left)):
    out = model(convert(atoms))
    found[name] = float(out["energy"]), out["stress"].detach().reshape(3, 3)
    diagonal = " ".join(f"{value:.6f}" for value in found[name][1].diagonal().tolist())
    print(f"{name}: energy {found[name][0]:.6f}, stress {diagonal}")
assert abs(found["left-handed"][0] - found["right-handed"][0]) < 1e-9
assert torch.allclose(found["left-handed"][1], -found["right-handed"][1], atol=1e-9)
PYTHON
