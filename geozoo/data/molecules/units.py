"""Conversion factors to internal units: meV for energies, angstrom for lengths."""

from __future__ import annotations

from geozoo.checks import check_choice

# Exact since the SI of 2019.
_AVOGADRO = 6.02214076e23  # 1/mol
_ELEMENTARY_CHARGE = 1.602176634e-19  # C, so also J/eV
# The thermochemical calorie is 4.184 J by definition.
_JOULE_PER_KCAL = 4184.0
# CODATA 2022, measured.
_EV_PER_HARTREE = 27.211386245981
_ANGSTROM_PER_BOHR = 0.529177210544

#: Exact: 43.3641...; published code also uses 43.3634.
KCAL_MOL_TO_MEV = 1e3 * _JOULE_PER_KCAL / (_AVOGADRO * _ELEMENTARY_CHARGE)
#: meV in one unit of energy.
ENERGY_TO_MEV = {
    "meV": 1.0,
    "eV": 1e3,
    "kcal/mol": KCAL_MOL_TO_MEV,
    "kJ/mol": KCAL_MOL_TO_MEV / 4.184,
    "hartree": 1e3 * _EV_PER_HARTREE,
}
#: Angstroms in one unit of length.
LENGTH_TO_ANGSTROM = {"angstrom": 1.0, "bohr": _ANGSTROM_PER_BOHR}
#: Other spellings in files. MeV and meV cannot be told apart without case: neither is known.
_SPELLINGS = {"hartrees": "hartree", "angstroms": "angstrom", "ang": "angstrom"}


def energy_factor(unit: str) -> float:
    """Energy in meV of one ``unit``; case is ignored (``Hartree``), except that ``MeV`` is unknown.

    Raises:
        ValueError: If the unit is unknown.

    >>> round(energy_factor("kcal/mol"), 6)
    43.364104
    """
    return _look_up("energy_unit", unit, ENERGY_TO_MEV)


def length_factor(unit: str) -> float:
    """Length in angstrom of one ``unit``; case is ignored.

    Raises:
        ValueError: If the unit is unknown.
    """
    return _look_up("length_unit", unit, LENGTH_TO_ANGSTROM)


def stated_unit(text: str) -> str | None:
    """The unit that a file states, in our spelling; None: unknown.

    >>> stated_unit("Ang"), stated_unit("Hartree"), stated_unit("furlong")
    ('angstrom', 'hartree', None)
    """
    plain = text.strip().lower()
    known = {unit.lower(): unit for unit in (*ENERGY_TO_MEV, *LENGTH_TO_ANGSTROM) if unit != "meV"}
    return (known | _SPELLINGS).get(plain)


def _look_up(argument: str, unit: str, factors: dict[str, float]) -> float:
    return factors[_canonical(argument, unit, factors)]


def _canonical(argument: str, unit: str, factors: dict[str, float]) -> str:
    """The canonical spelling of a unit, ignoring case; but ``MeV`` is not ``meV``."""
    same = [known for known in factors if str(unit).lower() == known.lower()]
    if same and (same[0][:1] != "m" or unit[:1] == "m"):
        return same[0]
    check_choice(argument, unit, tuple(factors))
    return unit
