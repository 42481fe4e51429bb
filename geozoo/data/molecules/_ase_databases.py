"""Databases of ASE: SQLite (``.db``) and LMDB (``.aselmdb``, by the package ase-db-backends)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms


def database_atoms(path: Path) -> Iterator[Atoms]:
    """The structures of a database with the labels, key-value pairs and data of their rows.

    Raises:
        ImportError: If the backend of LMDB is not installed.
        ValueError: If ASE cannot read the database.
    """
    from ase.db import connect

    if path.suffix == ".aselmdb":
        try:
            import ase_db_backends  # noqa: F401
        except ImportError as error:
            raise ImportError(
                ".aselmdb files need ase-db-backends: pip install ase-db-backends"
            ) from error
    for row in connect(str(path)).select():
        atoms = row.toatoms()
        atoms.info |= {**row.key_value_pairs, **row.data}
        yield atoms
