"""Options that name targets, and what the log says of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import get_args

import numpy as np

from geozoo.checks import check_choice
from geozoo.data.properties._molecule_files import MoleculeFile, listed
from geozoo.data.properties._target_kinds import MEANING, Kind, column_array
from geozoo.data.spec import Level

_LOG = logging.getLogger(__name__)


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


def checked_kinds(
    given: Kind | Mapping[str, Kind] | None, targets: Sequence[str]
) -> dict[str, Kind] | None:
    """The option ``kind`` by target; None: those of the data.

    Raises:
        ValueError: If a kind is unknown, or a name is no target.
    """
    if given is None:
        return None
    by_name = dict.fromkeys(targets, given) if isinstance(given, str) else dict(given)
    _check_names("kind", list(by_name), targets)
    for kind in by_name.values():
        check_choice("kind", kind, get_args(Kind))
    return by_name


def report_kinds(
    kinds: Mapping[str, Kind], reasons: Mapping[str, str], level: Level | None = None
) -> None:
    """State the kinds of the targets and why, in one line for each kind.

    Args:
        kinds: kind of each target.
        reasons: why it is of this kind.
        level: what has a target; None: molecules, and atoms for values of atoms.
    """
    for kind in dict.fromkeys(kinds.values()):
        names = [name for name, each in kinds.items() if each == kind]
        why = "; ".join(dict.fromkeys(reasons[name] for name in names))
        which = "" if len(set(kinds.values())) == 1 else f" for {', '.join(names)}"
        meaning = MEANING[kind] if level is None else MEANING[kind].replace("molecule", level)
        _LOG.info("targets: %s%s (%s)", meaning, which, why)


def report_units(targets: Sequence[str], units: Mapping[str, str]) -> None:
    """State which targets have no unit."""
    if lacking := [name for name in targets if name not in units]:
        _LOG.info(
            "targets without a unit: %s; metrics call it 1. Set dataset.units, such as "
            "\"dataset.units={%s: eV}\"", ", ".join(lacking), lacking[0],
        )  # fmt: skip


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
    file: MoleculeFile, columns: Mapping[str, str], kinds: Mapping[str, Kind]
) -> dict[str, np.ndarray]:
    """The values of a cheaper method, by target.

    Args:
        file: the molecules.
        columns: column of each target.
        kinds: kind of each target.

    Raises:
        ValueError: If the targets are classes or labels, or a value is missing or of another kind.
    """
    found = {}
    for target, column in columns.items():
        if kinds[target] in ("classes", "labels"):
            raise ValueError(f"baseline: {kinds[target]} have no differences; remove baseline")
        array = column_array(column, file, kinds[target])
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
