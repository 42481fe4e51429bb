"""A few molecules in the layout of QM9's archive."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np

from geozoo.data import QM9, LoaderOptions

LOADER = LoaderOptions(batch_size=4)
#: Symbols, positions in angstrom and SMILES: methane, water, hydrogen cyanide, fluoromethane.
MOLECULES = (
    ("CHHHH", [[0, 0, 0], [0.629, 0.629, 0.629], [-0.629, -0.629, 0.629], [-0.629, 0.629, -0.629],
               [0.629, -0.629, -0.629]], "C"),
    ("OHH", [[0, 0, 0.1173], [0, 0.7572, -0.4692], [0, -0.7572, -0.4692]], "O"),
    ("CNH", [[0, 0, 0], [0, 0, 1.153], [0, 0, -1.065]], "C#N"),
    ("CFHHH", [[0, 0, 0], [0, 0, 1.383], [1.03, 0, -0.36], [-0.515, 0.892, -0.36],
               [-0.515, -0.892, -0.36]], "CF"),
)  # fmt: skip
EXCLUDED = (3, 6)
#: Hartree of the free atoms: H, C, N, O, F.
U0_OF_ATOMS = {"H": -0.500273, "C": -37.846772, "N": -54.583861, "O": -75.064579, "F": -99.718730}


def properties(number: int) -> np.ndarray:
    """The 15 numbers of a molecule; homo is 6.3e-6 for number 1, which the files write oddly."""
    values = np.random.default_rng(number).uniform(-1.0, 1.0, 15).round(6)
    if number == 1:
        values[5] = 6.3e-6
    return values


def content(number: int) -> str:
    """The text of a molecule's file."""
    symbols, pos, smiles = MOLECULES[number % len(MOLECULES)]
    numbers = "\t".join(_written(value) for value in properties(number))
    atoms = [
        "\t".join([symbol, *map(_written, row), _written(0.1)])
        for symbol, row in zip(symbols, pos, strict=True)
    ]
    modes = "\t".join(["0."] * (3 * len(symbols) - 6))
    lines = [str(len(symbols)), f"gdb {number}\t{numbers}\t", *atoms, modes]
    return "\n".join([*lines, f"{smiles}\t{smiles}\t", "\t", ""])


def write_archive(path: Path, numbers: range, changed: dict[int, str] | None = None) -> None:
    """An archive of these molecules; ``changed`` replaces the text of some."""
    with tarfile.open(path, "w:bz2") as archive:
        for number in numbers:
            text = (changed or {}).get(number, content(number)).encode()
            member = tarfile.TarInfo(f"dsgdb9nsd_{number:06d}.xyz")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))


def write_qm9(
    root: Path, count: int = 22, changed: dict[int, str] | None = None, excluded: tuple = EXCLUDED
) -> Path:
    """The files of QM9 with molecules 1 to ``count``; returns their folder."""
    folder = root / "qm9"
    folder.mkdir(parents=True, exist_ok=True)
    write_archive(folder / "dsgdb9nsd.xyz.tar.bz2", range(1, count + 1), changed)
    rule = "=" * 158
    rows = [f"{number:>8} smiles smiles smiles 0.3" for number in excluded]
    head = ["", "List of 3054 molecules", "", "", "", "", rule, "#  Index", rule]
    (folder / "uncharacterized.txt").write_text("\n".join([*head, *rows, rule, ""]))
    return folder


def qm9(root: Path, **options: object) -> QM9:
    return QM9(**{"loader": LOADER, "root": root, "split": "random", **options})


def _written(value: float) -> str:
    """A number as the files write it."""
    if 0 < abs(value) < 1e-5:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa}*^{int(exponent)}"
    return f"{value:.6f}".rstrip("0")
