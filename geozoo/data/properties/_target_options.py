"""Options that name targets of molecules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import numpy as np

from geozoo.data.properties._molecule_files import MoleculeFile, listed
from geozoo.data.properties._target_kinds import Kind, column_array


def checked_targets(given: Sequence[str] | str) -> list[str]:
    """The option ``targets``.

    Raises:
        ValueError: If it is empty, or names a column twice.
    """
    names = [given] if isinstance(given, str) else [str(each) for each in given]
    if not names or len(set(names)) < len(names) or not all(names):
        raise ValueError(f"targets must be the names of different columns, got {given!r}")
    return names


def checked_units(given: Mapping[str, str] | None, targets: Sequence[str]) -> dict[str, str]:
    """The option ``units``.

    Raises:
        ValueError: If it has a name that is no target, or a unit that is no text.
    """
    units = dict(given or {})
    _check_names("units", list(units), targets)
    for name, unit in units.items():
        if not isinstance(unit, str) or not unit.strip():
            raise ValueError(f"units: the unit of {name} must be a text such as eV, got {unit!r}")
    return {name: unit.strip() for name, unit in units.items()}


def checked_baselines(
    given: str | Mapping[str, str] | None, targets: Sequence[str]
) -> dict[str, str]:
    """The option ``baseline`` as a column for each target that has one.

    Raises:
        ValueError: If it has a name that is no target, one column is given for several targets, or
            a column is a target.
    """
    if given is None:
        return {}
    if isinstance(given, str):
        if len(targets) > 1:
            raise ValueError(
                f"baseline must be given by target, {{{targets[0]}: ...}}, for several targets, "
                f"got {given!r}"
            )
        given = {targets[0]: given}
    _check_names("baseline", list(given), targets)
    if same := [column for column in given.values() if column in targets]:
        raise ValueError(f"baseline: the column {same[0]} is a target itself")
    return dict(given)


def baseline_values(
    file: MoleculeFile, columns: Mapping[str, str], kind: Kind
) -> dict[str, np.ndarray]:
    """The values of a cheaper method, by target.

    Args:
        file: the molecules.
        columns: column of each target.
        kind: kind of the targets.

    Raises:
        ValueError: If the targets are classes, or a value is missing or of another kind.
    """
    if columns and kind == "classes":
        raise ValueError("baseline: classes have no differences; remove baseline")
    found = {}
    for target, column in columns.items():
        array = column_array(column, file, kind)
        lacks = ~np.isfinite(array).reshape(len(array), -1).all(1)
        if lacks.any():
            # One row per molecule, except for values of atoms.
            names = file.names if len(lacks) == len(file) else ["some atoms"]
            rows = [n for n, odd in zip(file.names, lacks, strict=False) if odd]
            raise ValueError(
                f"baseline: {column} is missing or not finite in "
                f"{listed(rows if names is file.names else names)}; every molecule needs it"
            )
        found[target] = array
    return found


def _check_names(option: str, given: Sequence[str], targets: Sequence[str]) -> None:
    for name in given:
        if name not in targets:
            near = get_close_matches(name, targets, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ValueError(
                f"{option} must name targets ({', '.join(targets)}), got {name!r}.{hint}"
            )
