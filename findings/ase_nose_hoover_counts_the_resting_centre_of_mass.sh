#!/usr/bin/env bash
# ASE 3.29.0 (ase.md.nose_hoover_chain), numpy 2.4.6
#
# NoseHooverChainNVT and MTKNPT thermostat the kinetic energy to 3 N / 2 kT. Forces sum to zero and the thermostat
# scales momenta, so a centre of mass that rests in the beginning rests for ever, and 3 N - 3 degrees of freedom share
# that energy: their temperature is N / (N - 1) times the one that was asked for. For a primitive cell this is not
# small, and atoms.get_temperature(), which also divides by 3 N, does not show it.
#
# Seen, 4 atoms of copper (EMT), 300 K asked for, temperature from 3 N - 3 degrees of freedom, and of get_temperature:
#   NoseHooverChainNVT 394 K, get_temperature 295 K, centre of mass at rest
#   MTKNPT 401 K, get_temperature 301 K, centre of mass at rest
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install -q ase==3.29.0 numpy==2.4.6
"$work/env/bin/python" - << 'PY'
import numpy as np
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.nose_hoover_chain import MTKNPT, NoseHooverChainNVT

ASKED, STEPS, FIRST = 300.0, 30000, 3000
shared = {"timestep": 5 * units.fs, "temperature_K": ASKED, "tdamp": 100 * units.fs}
seen = {}
for name in ("NoseHooverChainNVT", "MTKNPT"):
    atoms = bulk("Cu", cubic=True)
    atoms.calc = EMT()
    rng = np.random.default_rng(0)
    momenta = rng.normal(size=(len(atoms), 3)) * np.sqrt(atoms.get_masses()[:, None] * units.kB * ASKED)
    atoms.set_momenta(momenta - momenta.mean(0))
    if name == "MTKNPT":
        dynamics = MTKNPT(atoms, pressure_au=0.0, pdamp=1000 * units.fs, **shared)
    else:
        dynamics = NoseHooverChainNVT(atoms, **shared)
    kinetic, shown, drift = [], [], 0.0
    for step, _ in enumerate(dynamics.irun(STEPS)):
        if step > FIRST:
            kinetic.append(atoms.get_kinetic_energy())
            shown.append(atoms.get_temperature())
            drift = max(drift, abs(atoms.get_momenta().sum(0)).max())
    count = 3 * len(atoms) - 3
    seen[name] = 2 * np.mean(kinetic) / (count * units.kB), np.mean(shown), drift
    print(f"{name} {seen[name][0]:.0f} K, get_temperature {seen[name][1]:.0f} K, "
          f"centre of mass {'at rest' if drift < 1e-6 else 'moves'}")
for temperature, shown, drift in seen.values():
    assert drift < 1e-6, "the centre of mass moves"
    assert 375 < temperature < 425, "the temperature of 3 N - 3 degrees of freedom is no longer 4/3 of the asked"
    assert 280 < shown < 320
PY
echo "as described"
