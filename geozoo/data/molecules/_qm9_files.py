"""The original files of QM9: the archive of molecules, the excluded numbers, the free atoms."""

from __future__ import annotations

import math
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geozoo.files.errors import damage_named
from geozoo.files.progress import progress_bar

#: Molecules of the archive, and of these the ones whose geometry passed its authors' check.
NUM_MOLECULES, NUM_CHARACTERISED = 133_885, 130_831
#: Numbers of a molecule's second line, in this order.
PROPERTIES = (
    "a", "b", "c", "mu", "alpha", "homo", "lumo", "gap", "r2", "zpve", "u0", "u", "h", "g", "cv",
)  # fmt: skip
#: Atomic number of the elements that occur.
ELEMENTS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}
#: Energies in hartree of the free atoms at the same level of theory: u0, u, h, g (atomref.txt).
FREE_ATOMS = {
    1: (-0.500273, -0.498857, -0.497912, -0.510927),
    6: (-37.846772, -37.845355, -37.844411, -37.861317),
    7: (-54.583861, -54.582445, -54.581501, -54.598897),
    8: (-75.064579, -75.063163, -75.062219, -75.079532),
    9: (-99.718730, -99.717314, -99.716370, -99.733544),
}
_MEMBER = re.compile(r"(?:.*/)?dsgdb9nsd_(\d{6})\.xyz")
#: A molecule of 29 atoms takes 3 kB; a member beyond this is none.
_MAX_BYTES = 1 << 16


@dataclass(frozen=True, eq=False)
class Molecule:
    """One file of the archive.

    Attributes:
        number: its number in QM9, from 1.
        z: atomic numbers ``[n]``, uint8.
        pos: positions ``[n, 3]`` in angstrom, float64.
        properties: the 15 numbers of ``PROPERTIES`` in the units of the file: GHz, debye, bohr^3,
            hartree (energies), bohr^2, cal/(mol K).
        smiles: of the relaxed geometry; empty where the file has none.
    """

    number: int
    z: np.ndarray
    pos: np.ndarray
    properties: np.ndarray
    smiles: str


def read_archive(path: Path, excluded: frozenset[int]) -> list[Molecule]:
    """Every molecule of the archive that is not excluded, by its number.

    Nothing is unpacked to disk.

    Args:
        path: ``dsgdb9nsd.xyz.tar.bz2``.
        excluded: numbers to leave out.

    Raises:
        ValueError: for a damaged or truncated archive, a member that is no molecule, or none.
    """
    found: dict[int, Molecule] = {}
    try:
        for name, content in _members(path):
            molecule = parse_molecule(content, name)
            if molecule.number in found:
                raise ValueError(f"{path}: molecule {molecule.number} is there twice ({name})")
            if molecule.number not in excluded:
                found[molecule.number] = molecule
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{path} is damaged or truncated: {error}") from error
    if not found:
        raise ValueError(f"{path} holds no molecule named dsgdb9nsd_NNNNNN.xyz")
    return [found[number] for number in sorted(found)]


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each molecule, while a bar follows the compressed bytes."""
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
                raise ValueError(f"{path}: {member.name} has {member.size} bytes, too many")
            yield member.name, archive.extractfile(member).read()
            if raw.tell() != done:
                advance(raw.tell() - done)
                done = raw.tell()


def parse_molecule(content: bytes, name: str) -> Molecule:
    """Read one file: number of atoms, properties, atoms, frequencies, SMILES, InChI.

    Raises:
        ValueError: naming the file, for anything else, or a number that is not finite.
    """
    try:
        lines = content.decode("ascii").split("\n")
        count = int(lines[0])
        head, atoms, texts = lines[1].split(), lines[2 : count + 2], lines[count + 3].split()
        properties = [_number(word) for word in head[2:]]
        rows = [line.split() for line in atoms]
        if head[0] != "gdb" or len(properties) != len(PROPERTIES):
            raise ValueError(f"the second line must be 'gdb', a number and {len(PROPERTIES)} more")
        if count < 1 or {len(row) for row in rows} != {5} or len(rows) != count:
            raise ValueError(f"{count} lines with symbol, position and charge were expected")
        unknown = sorted({row[0] for row in rows} - ELEMENTS.keys())
        if unknown:
            raise ValueError(f"element {', '.join(unknown)} is none of {', '.join(ELEMENTS)}")
        pos = np.array([[_number(word) for word in row[1:4]] for row in rows])
        z = np.array([ELEMENTS[row[0]] for row in rows], dtype=np.uint8)
        smiles = texts[-1] if texts else ""
        return Molecule(int(head[1]), z, pos, np.array(properties), smiles)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{name} is no molecule of QM9: {error}") from error


def _number(word: str) -> float:
    """A number of the files, which write 6.3e-6 as ``6.3*^-6``."""
    value = float(word.replace("*^", "e"))
    if not math.isfinite(value):
        raise ValueError(f"{word!r} is not a finite number")
    return value


def read_excluded(path: Path) -> frozenset[int]:
    """The numbers of ``uncharacterized.txt``, 3054 in the published file.

    Raises:
        ValueError: for a file without such a list.
    """
    words = [line.split() for line in path.read_text(errors="replace").splitlines()]
    # Above and below the list are a title and rules of '='.
    numbers = [int(row[0]) for row in words if len(row) == 5 and row[0].isdigit()]
    if not numbers or len(set(numbers)) != len(numbers) or max(numbers) > NUM_MOLECULES:
        raise ValueError(
            f"{path} must list numbers in 1..{NUM_MOLECULES}, each once, in lines of five columns; "
            f"found {len(numbers)}"
        )
    return frozenset(numbers)


def check_free_atoms(path: Path) -> None:
    """Compare ``atomref.txt``, where it is there, with the energies that are used.

    Raises:
        ValueError: for other energies.
    """
    if not path.is_file():
        return
    rows = [line.split() for line in path.read_text(errors="replace").splitlines()]
    # Columns: symbol, zpve, u0, u, h, g, and for some elements a heat capacity.
    found = {ELEMENTS[row[0]]: row[2:6] for row in rows if len(row) >= 6 and row[0] in ELEMENTS}
    with damage_named(path, "no list of free atoms"):
        numbers = {z: [_number(word) for word in words] for z, words in found.items()}
    for z, energies in FREE_ATOMS.items():
        if z not in numbers or not np.allclose(numbers[z], energies, atol=1e-9):
            raise ValueError(f"{path}: the row of element {z} must hold u0, u, h, g = {energies}")
