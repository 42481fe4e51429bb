#!/usr/bin/env bash
# OpenMM 8.6.1 with numpy 2.4.6, Python 3.11, Linux x86-64.
#
# If the energy returned to PythonForce is not a number, the potential energy is -1 kJ/mol, without an
# error: the value with which Python's C interface reports a failed conversion. With numpy 2.4 this
# includes the array of one element that most networks give, energy.numpy() for a batch of one; older
# numpy converts it with a warning. Forces are right and dynamics go on. A quantity in electronvolt is
# also accepted and not converted to a molar energy: 1 eV becomes 1.6e-22 kJ/mol instead of 96.5.
#
# Expected: 123 kJ/mol or an error for the array; an error for None; 96.485 kJ/mol or an error for 1 eV.
#
# Observed output:
#   Reference, returned 123.0: 123 kJ/mol
#   CPU, returned 123.0: 123 kJ/mol
#   Reference, returned array(123.0): 123 kJ/mol
#   CPU, returned array(123.0): 123 kJ/mol
#   Reference, returned array([123.0]): -1 kJ/mol
#   CPU, returned array([123.0]): -1 kJ/mol
#   Reference, returned None: -1 kJ/mol
#   CPU, returned None: -1 kJ/mol
#   Reference, returned 1 eV: 1.60218e-22 kJ/mol
#   CPU, returned 1 eV: 1.60218e-22 kJ/mol
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv env
env/bin/pip install -q openmm==8.6.1 numpy==2.4.6
env/bin/python -W ignore - <<'PYTHON'
import numpy as np
import openmm
from openmm import unit

found = {}
returned = {
    "123.0": 123.0,
    "array(123.0)": np.array(123.0),
    "array([123.0])": np.array([123.0]),
    "None": None,
    "1 eV": 1.0 * unit.ev,
}
for name, energy in returned.items():
    for platform in ("Reference", "CPU"):
        system = openmm.System()
        system.addParticle(1.0)
        system.addForce(openmm.PythonForce(lambda state: (energy, np.ones((1, 3)))))
        chosen = openmm.Platform.getPlatformByName(platform)
        context = openmm.Context(system, openmm.VerletIntegrator(0.001), chosen)
        context.setPositions(np.zeros((1, 3)))
        state = context.getState(energy=True, forces=True)
        assert np.array_equal(state.getForces(asNumpy=True)._value, np.ones((1, 3)))
        found[name] = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        print(f"{platform}, returned {name}: {found[name]:.6g} kJ/mol")
assert found["123.0"] == found["array(123.0)"] == 123.0
assert found["array([123.0])"] == found["None"] == -1.0
assert found["1 eV"] < 1e-20
PYTHON
