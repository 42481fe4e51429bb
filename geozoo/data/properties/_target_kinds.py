"""What kind of target a column holds, and its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np

from geozoo.data.properties._molecule_files import MoleculeFile, listed, number_of_atoms
from geozoo.data.spec import Level

Kind = Literal["scalar", "vector", "atoms", "classes", "labels"]
#: What each kind is, for messages.
MEANING = {
    "scalar": "one number per molecule",
    "vector": "one vector per molecule",
    "atoms": "one number per atom",
    "classes": "one class per molecule",
    "labels": "one label, true or false, per molecule",
}


@dataclass(frozen=True)
class Targets:
    """The targets of some molecules.

    Attributes:
        kinds: by name; only numbers and vectors occur together, numbers first.
        values: by name: numbers, class indices or labels 0 and 1 ``[R]``, or vectors ``[R, dim]``,
            with a row per graph or node; float64, NaN where missing.
        classes: names of the classes; empty for other kinds.
        level: what has a row.
    """

    kinds: Mapping[str, Kind]
    values: dict[str, np.ndarray]
    classes: list[str]
    level: Level

    def __post_init__(self) -> None:
        """Refuse kinds that one network does not learn together."""
        check_mixture(self.kinds)

    @property
    def kind(self) -> Kind:
        """The kind of the first target: that of all, unless numbers precede vectors."""
        return next(iter(self.kinds.values()))

    @property
    def vectors(self) -> list[str]:
        """The targets that are vectors."""
        return [name for name, kind in self.kinds.items() if kind == "vector"]

    @property
    def out_channels(self) -> int:
        """Number of scalar outputs of a network: one per class, label or number."""
        return len(self.classes) or len(self.kinds) - len(self.vectors)


def check_mixture(kinds: Mapping[str, Kind]) -> None:
    """Check that one network can learn targets of some kinds.

    Args:
        kinds: kind of each target.

    Raises:
        ValueError: If the kinds are others than numbers and vectors, or all the same; or if there
            are several columns of classes.
    """
    found = set(kinds.values())
    if len(found) > 1 and found != {"scalar", "vector"}:
        shown = ", ".join(f"{name} is {MEANING[each]}" for name, each in kinds.items())
        raise ValueError(
            "targets must be of one kind, or numbers and vectors per molecule, got a mixture: "
            f"{shown}. Train one model for each, or set dataset.kind"
        )
    if found == {"classes"} and len(kinds) > 1:
        raise ValueError(
            f"targets: only one column of classes can be a target, got {', '.join(kinds)}. "
            "Train one model for each, set dataset.kind=labels for columns of 0 and 1, or "
            "dataset.kind=scalar for numbers"
        )


def targets_of(
    file: MoleculeFile, columns: Sequence[str], *, kind: Kind | Mapping[str, Kind] | None,
    classes: Sequence[str] | None, missing: str,
) -> tuple[Targets, dict[str, str]]:  # fmt: skip
    """The targets in some columns, and why they are of their kinds.

    Args:
        file: the molecules.
        columns: names of the targets.
        kind: their kind, for all or by name; None: that of the data.
        classes: names of the classes in the order of the outputs; None: those that occur, sorted.
        missing: ``"refuse"`` or ``"mask"`` missing values.

    Raises:
        ValueError: If kinds do not go together or differ from the given one, or a value is missing,
            infinite, or of another kind than the others; the message lists the molecules.
    """
    raw = {name: [_parsed(each) for each in file.columns[name]] for name in columns}
    given = kind if isinstance(kind, Mapping) else dict.fromkeys(columns, kind)
    found = {name: _kind_of(name, rows, file, given.get(name)) for name, rows in raw.items()}
    kinds = _together({name: each for name, (each, _) in found.items()}, raw)
    reasons = {name: why for name, (_, why) in found.items()}
    if kinds[columns[0]] == "classes" and len(columns) == 1:
        labels, names = _labels(columns[0], raw[columns[0]], file, classes)
        return Targets(kinds, {columns[0]: labels}, names, "graph"), reasons
    check_mixture(kinds)
    if classes is not None:
        raise ValueError(f"classes: the targets are no classes, but {MEANING[kinds[columns[0]]]}")
    order = sorted(columns, key=lambda name: kinds[name] == "vector")
    arrays = {name: _array(name, raw[name], file, kinds[name]) for name in order}
    for name, array in arrays.items():
        _check_values(name, array, file, kinds[name], missing)
    level: Level = "node" if "atoms" in kinds.values() else "graph"
    return Targets({name: kinds[name] for name in order}, arrays, [], level), reasons


def _together(kinds: dict[str, Kind], raw: Mapping[str, Sequence[Any]]) -> dict[str, Kind]:
    """The kinds; several columns of classes that are all 0 and 1, or true and false, are labels."""
    if set(kinds.values()) != {"classes"} or len(kinds) == 1:
        return kinds
    if all(_truth(each) is not None for rows in raw.values() for each in rows if each is not None):
        return dict.fromkeys(kinds, "labels")
    return kinds


def _truth(value: Any) -> float | None:
    """0 or 1 for a label; None for another value."""
    known = {"false": 0.0, "true": 1.0, "0": 0.0, "1": 1.0}
    if isinstance(value, str):
        return known.get(value.lower())
    return float(value) if isinstance(value, float) and value in (0.0, 1.0) else None


def _parsed(value: Any) -> Any:
    """A number, an array, a text, or None if it is missing."""
    if value is None or isinstance(value, bool | np.bool_):
        return None if value is None else str(bool(value))
    if isinstance(value, str):
        return _number_or_text(value)
    array = np.asarray(value)
    if array.dtype.kind == "b":
        return str(bool(array)) if array.ndim == 0 else array.astype(np.float64)
    if array.dtype.kind not in "fiu":
        return str(value) if array.ndim == 0 else array
    return float(array) if array.ndim == 0 else array.astype(np.float64)


def _number_or_text(text: str) -> Any:
    """``"0.1 0.2"``, ``"[0.1, 0.2]"`` and ``"0.1"`` as numbers; other text as it is."""
    words = text.strip().strip("[]()").replace(",", " ").replace(";", " ").split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return text.strip()
    if not numbers:
        return None
    return numbers[0] if len(numbers) == 1 else np.array(numbers)


def _kind_of(
    name: str, values: Sequence[Any], file: MoleculeFile, given: Kind | None
) -> tuple[Kind, str]:
    """The kind of a target, and why."""
    if given is not None:
        return given, "dataset.kind"
    known = [each for each in values if each is not None]
    if not known:
        raise ValueError(f"targets: no molecule has a value of {name}")
    texts = [each for each in known if isinstance(each, str)]
    arrays = [each for each in known if isinstance(each, np.ndarray)]
    if texts:
        if len(texts) < len(known):
            odd = [n for n, v in zip(file.names, values, strict=True) if isinstance(v, str)]
            raise ValueError(
                f"targets: {name} has numbers and texts; texts ({listed(map(repr, texts), 3)}) in "
                f"{listed(odd)}. Correct them, or set dataset.kind=classes"
            )
        return "classes", "its values are names"
    if arrays:
        return _kind_of_arrays(name, values, file), "its shape"
    distinct = sorted(set(known))
    if len(distinct) == 2 and all(each == round(each) for each in distinct):
        shown = " and ".join(f"{each:g}" for each in distinct)
        return "classes", f"its only values are {shown}; dataset.kind=scalar for numbers"
    return "scalar", "its values are numbers"


def _kind_of_arrays(name: str, values: Sequence[Any], file: MoleculeFile) -> Kind:
    sizes = number_of_atoms(file)
    rows = [(i, each) for i, each in enumerate(values) if each is not None]
    is_atoms = all(np.shape(each) == (sizes[i],) for i, each in rows)
    is_vector = all(np.shape(each) == (3,) for _, each in rows)
    if is_atoms and is_vector:
        raise ValueError(
            f"targets: {name} has 3 numbers in molecules of 3 atoms; set dataset.kind to vector or "
            "atoms"
        )
    if is_atoms or is_vector:
        return "atoms" if is_atoms else "vector"
    odd = next(i for i, each in rows if np.shape(each) not in ((3,), (sizes[i],)))
    _refuse_shape(name, values[odd], file, odd, "one number, 3 numbers or one number per atom")


def _refuse_shape(name: str, value: Any, file: MoleculeFile, row: int, wanted: str) -> NoReturn:
    shape = list(np.shape(value))
    advice = "; use dataset=extxyz for forces" if len(shape) == 2 and shape[1] == 3 else ""
    raise ValueError(
        f"targets: {name} must be {wanted}, got shape {shape} for {file.names[row]} with "
        f"{len(file.structures[row].numbers)} atoms{advice}"
    )


def _labels(
    name: str, values: Sequence[Any], file: MoleculeFile, classes: Sequence[str] | None
) -> tuple[np.ndarray, list[str]]:
    """Class indices ``[S]`` and class names."""
    if arrays := [i for i, each in enumerate(values) if isinstance(each, np.ndarray)]:
        _refuse_shape(name, values[arrays[0]], file, arrays[0], "one class per molecule")
    is_missing = [_is_missing(each) for each in values]
    if any(is_missing):
        rows = [n for n, lacks in zip(file.names, is_missing, strict=True) if lacks]
        raise ValueError(
            f"targets: {len(rows)} molecules have no class {name}: {listed(rows)}. Remove them, or "
            "set dataset.kind=labels and dataset.reading.missing=mask for a column of 0 and 1"
        )
    texts = [each if isinstance(each, str) else f"{each:g}" for each in values]
    numbers = all(isinstance(each, float) for each in values)
    found = sorted(set(texts), key=float if numbers else str)
    names = found if classes is None else [str(each) for each in classes]
    if unknown := [each for each in found if each not in names]:
        raise ValueError(f"classes must contain all that occur, {found}; missing: {unknown}")
    if len(names) < 2:
        raise ValueError(f"targets: {name} has one class only, {names[0]!r}")
    column = {each: i for i, each in enumerate(names)}
    return np.array([column[each] for each in texts], dtype=np.float64), names


def _array(name: str, values: Sequence[Any], file: MoleculeFile, kind: Kind) -> np.ndarray:
    """All values of a target, NaN where missing."""
    sizes = number_of_atoms(file)
    rows = []
    for i, value in enumerate(values):
        if kind == "labels" and not _is_missing(value):
            value = _label(name, value, file.names[i])
        if isinstance(value, str):
            raise ValueError(
                f"targets: {name} must be {MEANING[kind]}, got {value!r} for {file.names[i]}"
            )
        shape = {"vector": (3,), "atoms": (int(sizes[i]),)}.get(kind, ())
        if value is None:
            rows.append(np.full(shape or (1,), np.nan))
            continue
        array = np.asarray(value, dtype=np.float64)
        if array.size == 1 and np.prod(shape) == 1:
            array = array.reshape(shape)
        if array.shape != shape:
            _refuse_shape(name, value, file, i, MEANING[kind])
        rows.append(array.reshape(shape or (1,)))
    return np.stack(rows) if kind == "vector" else np.concatenate(rows)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124  (NaN)


def _label(name: str, value: Any, where: str) -> float:
    truth = _truth(value)
    if truth is None:
        raise ValueError(
            f"targets: labels of {name} must be 0 and 1, or true and false, got {value!r} for "
            f"{where}"
        )
    return truth


def _check_values(
    name: str, array: np.ndarray, file: MoleculeFile, kind: Kind, missing: str
) -> None:
    if np.isinf(array).any():
        rows = _rows_where(np.isinf(array), file, kind)
        raise ValueError(f"targets: {name} is infinite in {listed(rows)}")
    lacks = np.isnan(array)
    if lacks.all():
        raise ValueError(f"targets: no molecule has a value of {name}")
    if missing == "refuse" and lacks.any():
        rows = _rows_where(lacks, file, kind)
        raise ValueError(
            f"targets: {name} is missing in {len(rows)} of {len(file)} molecules: {listed(rows)}. "
            "Remove them, or set dataset.reading.missing=mask, so that missing values do not count"
        )


def column_array(column: str, file: MoleculeFile, kind: Kind) -> np.ndarray:
    """The values of a column as numbers of a kind, NaN where missing.

    Raises:
        ValueError: If a value is of another kind.
    """
    return _array(column, [_parsed(each) for each in file.columns[column]], file, kind)


def _rows_where(is_odd: np.ndarray, file: MoleculeFile, kind: Kind) -> list[str]:
    if kind == "atoms":
        ends = np.cumsum(number_of_atoms(file))[:-1]
        per_row: Any = [bool(part.any()) for part in np.split(is_odd, ends)]
    else:
        per_row = is_odd.reshape(len(file), -1).any(1)
    return [name for name, odd in zip(file.names, per_row, strict=True) if odd]


def field_names(columns: Sequence[str], taken: Mapping[str, Any] | set[str]) -> dict[str, str]:
    """A name of a batch field for each column: letters, digits and underscores.

    Args:
        columns: the columns, of which two must not have the same name.
        taken: names that are in use.

    Raises:
        ValueError: If two columns give the same name.

    >>> field_names(["log S (mol/L)", "x"], {"x"})
    {'log S (mol/L)': 'log_S_mol_L', 'x': 'x_value'}
    """
    import re

    found: dict[str, str] = {}
    for column in columns:
        name = re.sub(r"\W+", "_", column, flags=re.ASCII).strip("_") or "target"
        name = f"target_{name}" if name[0].isdigit() else name
        name = f"{name}_value" if name in taken else name
        if name in found.values():
            raise ValueError(f"targets: two columns would both be called {name}: {list(columns)}")
        found[column] = name
    return found
