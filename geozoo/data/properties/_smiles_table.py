"""Molecules from a CSV file with SMILES."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geozoo.data.molecules._ase_frames import Structure
from geozoo.data.molecules._electronic_states import ElectronicState
from geozoo.data.properties._conformers import Conformer, Failure, conformers_of
from geozoo.data.properties._molecule_files import (
    MoleculeFile,
    ReadingOptions,
    check_columns,
    listed,
    missing_column,
)
from geozoo.files.contents import report_contents
from geozoo.files.errors import read_csv_rows

_LOG = logging.getLogger(__name__)
#: Cells without a value, in lower case.
_EMPTY = ("", "nan", "na", "n/a", "none", "null")


def read_smiles_table(path: Path, wanted: Sequence[str], options: ReadingOptions) -> MoleculeFile:
    """Molecules of a CSV file, with hydrogens and a conformer by RDKit.

    Args:
        path: the file: a header, and one molecule per row.
        wanted: columns to read.
        options: column of the SMILES, seed of the conformers, and what to do with failures.

    Raises:
        ValueError: If a column is missing, or a molecule has no conformer and ``options.failed`` is
            ``"refuse"``; the message lists lines and reasons.
    """
    rows = read_csv_rows(path)
    if len(rows) < 2:
        raise ValueError(f"path: {path} must have a header and at least one molecule")
    header = rows[0][1]
    if double := {name for name in header if header.count(name) > 1}:
        raise ValueError(f"path: {path.name} has two columns called {sorted(double)[0]!r}")
    column = _smiles_column(header, options.smiles, path.name)
    check_columns(wanted, header, path.name)
    body = rows[1:]
    cells = [row for _, row in body]
    smiles = [row[header.index(column)] for row in cells]
    report_contents(path.name, [column, *wanted], set(header) - {column, *wanted})
    found, how = conformers_of(smiles, options.conformer_seed)
    names = [f"{path.name}, line {line}" for line, _ in body]
    kept = [i for i, each in enumerate(found) if isinstance(each, Conformer)]
    failed = [
        f"line {body[i][0]} ({each.reason}: {smiles[i]!r})"
        for i, each in enumerate(found)
        if isinstance(each, Failure)
    ]
    _check_failures(failed, len(found), path.name, options)
    _warn_of_fragments([smiles[i] for i in kept], path.name)
    return MoleculeFile(
        [_structure(each) for each in found if isinstance(each, Conformer)],
        {name: [_cell(cells[i][header.index(name)]) for i in kept] for name in wanted},
        [names[i] for i in kept], [smiles[i] for i in kept], how, failed,
    )  # fmt: skip


def _smiles_column(header: Sequence[str], given: str | None, source: str) -> str:
    if given is not None:
        if given not in header:
            raise ValueError(f"reading.smiles: {missing_column(given, header, source)}")
        return given
    same = [name for name in header if name.lower() == "smiles"]
    found = same or [name for name in header if "smiles" in name.lower()]
    if len(found) != 1:
        several = f"several ({', '.join(found)})" if found else "none"
        raise ValueError(
            f"path: {source} must have one column with 'smiles' in its name, it has {several}; set "
            f"dataset.reading.smiles to one of its columns: {', '.join(header)}"
        )
    return found[0]


def _check_failures(
    failed: Sequence[str], total: int, source: str, options: ReadingOptions
) -> None:
    if not failed:
        return
    text = f"{source}: {len(failed)} of {total} molecules have no conformer: {listed(failed)}"
    if options.failed == "refuse" or len(failed) == total:
        raise ValueError(
            f"path: {text}. Correct or remove these lines; a training leaves them out with "
            "dataset.reading.failed=skip"
        )
    warnings.warn(f"{text}; they are left out", stacklevel=4)


def _warn_of_fragments(smiles: Sequence[str], source: str) -> None:
    count = sum("." in each for each in smiles)
    if count:
        warnings.warn(
            f"{source}: {count} molecules consist of several fragments (such as salts), whose "
            "relative positions in a conformer are arbitrary", stacklevel=4,
        )  # fmt: skip


def _structure(conformer: Conformer) -> Structure:
    charge, free = conformer.charge, conformer.unpaired
    state = ElectronicState(float(charge), 1.0 + free, "formal charges", "unpaired electrons")
    return Structure(conformer.numbers, conformer.pos, state=state)


def _cell(text: str) -> Any:
    """A number if the cell is one, None if it is empty, otherwise the text."""
    if text.lower() in _EMPTY:
        return None
    try:
        return float(text)
    except ValueError:
        return text
