#!/usr/bin/env bash
# matscipy 1.3.1 with ASE 3.29.0, Python 3.11, Linux x86-64.
#
# neighbour_list documents its default cell as "shrink wrapped". This box has no extent normal to a
# planar molecule whose plane is parallel to a coordinate plane, and the search inverts its matrix: ammonia
# is found, water and benzene raise "Singular matrix". Given as Atoms without a cell, every molecule does.
#
# Expected: the neighbours within 1.2 angstrom, as ase.neighborlist finds them.
#
# Observed output:
#   NH3, ASE: 6, positions: 6, atoms: Singular matrix
#   H2O, ASE: 4, positions: Singular matrix, atoms: Singular matrix
#   C6H6, ASE: 12, positions: Singular matrix, atoms: Singular matrix
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q matscipy==1.3.1 ase==3.29.0 numpy==2.4.6
env/bin/python -W ignore - <<'PYTHON'
import ase.neighborlist
import numpy as np
from ase.build import molecule
from matscipy.neighbours import neighbour_list

found = {}
for name in ("NH3", "H2O", "C6H6"):
    atoms = molecule(name)
    found[name, "ASE"] = len(ase.neighborlist.neighbor_list("i", atoms, 1.2))
    for given in ({"positions": atoms.positions}, {"atoms": atoms}):
        try:
            result = len(neighbour_list("i", cutoff=1.2, **given))
        except np.linalg.LinAlgError as error:
            result = str(error)
        found[name, next(iter(given))] = result
    print(name, *(f"{how}: {result}" for (of, how), result in found.items() if of == name), sep=", ")
assert found["NH3", "positions"] == found["NH3", "ASE"] == 6
for name, how in (("NH3", "atoms"), ("H2O", "positions"), ("H2O", "atoms"), ("C6H6", "positions")):
    assert found[name, how] == "Singular matrix"
PYTHON
