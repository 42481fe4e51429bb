"""The original files of QM9: molecules, excluded molecules, and isolated-atom energies."""

from __future__ import annotations

import math
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geozoo.files.errors import corrupt_file_errors
from geozoo.files.progress import progress_bar

#: Molecules in the archive, and those that passed the authors' consistency check.
NUM_MOLECULES, NUM_CHARACTERISED = 133_885, 130_831
#: Properties on the second line of a molecule file, in this order.
PROPERTIES = (
    "a", "b", "c", "mu", "alpha", "homo", "lumo", "gap", "r2", "zpve", "u0", "u", "h", "g", "cv",
)  # fmt: skip
#: Atomic numbers of the elements that occur.
ELEMENTS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}
#: Isolated-atom energies in hartree at the same level of theory: u0, u, h, g (atomref.txt).
FREE_ATOMS = {
    1: (-0.500273, -0.498857, -0.497912, -0.510927),
    6: (-37.846772, -37.845355, -37.844411, -37.861317),
    7: (-54.583861, -54.582445, -54.581501, -54.598897),
    8: (-75.064579, -75.063163, -75.062219, -75.079532),
    9: (-99.718730, -99.717314, -99.716370, -99.733544),
}
_MEMBER = re.compile(r"(?:.*/)?dsgdb9nsd_(\d{6})\.xyz")
#: A molecule of 29 atoms takes 3 kB; a larger archive member is not a molecule.
_MAX_BYTES = 1 << 16


@dataclass(frozen=True, eq=False)
class Molecule:
    """One file of the archive.

    Attributes:
        number: index in QM9, from 1.
        z: atomic numbers ``[n]``, uint8.
        pos: positions ``[n, 3]`` in angstrom, float64.
        properties: the 15 values of ``PROPERTIES`` in the units of the file: GHz, debye, bohr^3,
            hartree (energies), bohr^2, cal/(mol K).
        smiles: SMILES of the relaxed geometry; empty if the file has none.
    """

    number: int
    z: np.ndarray
    pos: np.ndarray
    properties: np.ndarray
    smiles: str


def read_archive(path: Path, excluded: frozenset[int]) -> list[Molecule]:
    """All molecules of the archive that are not excluded, sorted by index.

    Nothing is unpacked to disk.

    Args:
        path: ``dsgdb9nsd.xyz.tar.bz2``.
        excluded: indices to leave out.

    Raises:
        ValueError: If the archive is corrupt or truncated, a member is not a molecule, or there
            are no molecules.
    """
    found: dict[int, Molecule] = {}
    try:
        for name, content in _members(path):
            molecule = parse_molecule(content, name)
            if molecule.number in found:
                raise ValueError(f"{path}: molecule {molecule.number} occurs twice ({name})")
            if molecule.number not in excluded:
                found[molecule.number] = molecule
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{path} is corrupt or truncated: {error}") from error
    if not found:
        raise ValueError(f"{path} contains no molecule named dsgdb9nsd_NNNNNN.xyz")
    return [found[number] for number in sorted(found)]


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each molecule, with a progress bar over the compressed bytes."""
    with (
        path.open("rb") as raw,
        progress_bar(f"Reading {path.name}", path.stat().st_size) as advance,
        tarfile.open(fileobj=raw, mode="r|bz2") as archive,
    ):
        done = 0
        for member in archive:
            if not member.isfile() or not _MEMBER.fullmatch(member.name):
                continue
            if member.size > _MAX_BYTES:
                raise ValueError(
                    f"{path}: {member.name} must be at most {_MAX_BYTES} bytes, got {member.size}"
                )
            content = archive.extractfile(member)
            assert content is not None  # it is a file
            yield member.name, content.read()
            if raw.tell() != done:
                advance(raw.tell() - done)
                done = raw.tell()


def parse_molecule(content: bytes, name: str) -> Molecule:
    """Parse one file: number of atoms, properties, atoms, frequencies, SMILES, InChI.

    Raises:
        ValueError: If the content is malformed or a number is not finite; the message names the
            file.
    """
    try:
        lines = content.decode("ascii").split("\n")
        count = int(lines[0])
        head, atoms, texts = lines[1].split(), lines[2 : count + 2], lines[count + 3].split()
        properties = [_number(text) for text in head[2:]]
        rows = [line.split() for line in atoms]
        if head[0] != "gdb" or len(properties) != len(PROPERTIES):
            raise ValueError(
                f"the second line must be 'gdb', an index and {len(PROPERTIES)} properties"
            )
        if count < 1 or {len(row) for row in rows} != {5} or len(rows) != count:
            raise ValueError(f"expected {count} lines with symbol, position and charge")
        unknown = sorted({row[0] for row in rows} - ELEMENTS.keys())
        if unknown:
            raise ValueError(
                f"elements must be among {', '.join(ELEMENTS)}, got {', '.join(unknown)}"
            )
        pos = np.array([[_number(text) for text in row[1:4]] for row in rows])
        z = np.array([ELEMENTS[row[0]] for row in rows], dtype=np.uint8)
        smiles = texts[-1] if texts else ""
        return Molecule(int(head[1]), z, pos, np.array(properties), smiles)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{name} is not a QM9 molecule: {error}") from error


def _number(text: str) -> float:
    """Parse a number; the files write 6.3e-6 as ``6.3*^-6``."""
    value = float(text.replace("*^", "e"))
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    return value


def read_excluded(path: Path) -> frozenset[int]:
    """The molecule indices in ``uncharacterized.txt``, 3054 in the published file.

    Raises:
        ValueError: If the file does not contain such a list.
    """
    rows = [line.split() for line in path.read_text(errors="replace").splitlines()]
    # The list is surrounded by a title and lines of '='.
    numbers = [int(row[0]) for row in rows if len(row) == 5 and row[0].isdigit()]
    if not numbers or len(set(numbers)) != len(numbers) or max(numbers) > NUM_MOLECULES:
        raise ValueError(
            f"{path} must list distinct molecule indices in 1..{NUM_MOLECULES}, in rows of five "
            f"columns; found {len(numbers)} rows"
        )
    return frozenset(numbers)


def check_free_atoms(path: Path) -> None:
    """Check that ``atomref.txt``, if present, agrees with `FREE_ATOMS`.

    Raises:
        ValueError: If an energy differs.
    """
    if not path.is_file():
        return
    rows = [line.split() for line in path.read_text(errors="replace").splitlines()]
    # Columns: symbol, zpve, u0, u, h, g, and for some elements a heat capacity.
    found = {ELEMENTS[row[0]]: row[2:6] for row in rows if len(row) >= 6 and row[0] in ELEMENTS}
    with corrupt_file_errors(path, "not a list of isolated-atom energies"):
        numbers = {z: [_number(text) for text in texts] for z, texts in found.items()}
    for z, energies in FREE_ATOMS.items():
        if z not in numbers or not np.allclose(numbers[z], energies, atol=1e-9):
            raise ValueError(f"{path}: the row of element {z} must hold u0, u, h, g = {energies}")
