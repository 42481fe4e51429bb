#!/usr/bin/env bash
# i-PI 3.3.1 (package ipi) with ASE 3.29.0, Python 3.11, Linux x86-64.
#
# ASEDriver, the base of i-PI's drivers of ASE calculators, has the option has_stress=False for calculators
# that compute no stress. It then puts nine zeros in its place and refuses these itself: only 3 x 3 or six
# numbers are accepted. So calculators without stress, and structures for which a calculator rightly
# refuses one, cannot be run; the driver has to return a stress of zeros instead. With a stress, the
# virial is -volume * stress, in hartree.
#
# Expected: energy, forces and a virial of zeros.
#
# Observed output:
#   with stress: virial 0.117490 0.117490 0.117490
#   without stress: The stress tensor should have shape (3,3) but it has shape (9,).
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q ipi==3.3.1 ase==3.29.0 numpy==2.4.6
env/bin/python -W ignore - <<'PYTHON'
import ase.io
import ase.units
import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from ipi.pes._ase import ASEDriver


class Driver(ASEDriver):
    def check_parameters(self):
        super().check_parameters()
        self.ase_calculator = EMT()


copper = bulk("Cu", cubic=True, a=3.5)
ase.io.write("copper.extxyz", copper)
given = copper.cell.array.T / ase.units.Bohr, copper.positions / ase.units.Bohr
copper.calc = EMT()
expected = -copper.get_volume() * copper.get_stress(voigt=False) / ase.units.Hartree
energy, forces, virial, _ = Driver(template="copper.extxyz").compute_structure(*given)
print("with stress: virial", " ".join(f"{x:.6f}" for x in np.reshape(virial, (3, 3)).diagonal()))
assert np.allclose(np.reshape(virial, (3, 3)), expected, rtol=1e-5, atol=1e-8)
try:
    Driver(template="copper.extxyz", has_stress=False).compute_structure(*given)
    message = ""
except ValueError as error:
    message = str(error)
print("without stress:", message)
assert message == "The stress tensor should have shape (3,3) but it has shape (9,)."
PYTHON
