"""What the commands that run a potential share: structures, calculator, output folder, log."""

from __future__ import annotations

import csv
import io
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from geozoo.cli._console import configure_logging
from geozoo.cli._simulation_arguments import Simulation
from geozoo.data import structure_of
from geozoo.data.molecules._ase_frames import read_atoms
from geozoo.hub.structures import structure_store
from geozoo.machine.provenance import device_name, versions
from geozoo.report.screen import Screen
from geozoo.runs.errors import RunError
from geozoo.runs.trained import trained_models

if TYPE_CHECKING:
    from ase import Atoms

    from geozoo.engines.ase import GeozooCalculator


def read_input(path: Path) -> list[Atoms]:
    """The structures of a file, validated, with their fixed atoms and without results.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If ASE cannot read it, or a structure is invalid.
    """
    if not path.is_file():
        raise FileNotFoundError(f"input: there is no file {path}")
    found = []
    for number, atoms in enumerate(read_atoms(path, called="input")):
        structure_of(atoms, f"{path}, frame {number}")
        atoms.calc = None
        found.append(atoms)
    if not found:
        raise RunError(f"input: {path} contains no structures")
    return found


def read_frame(path: Path, frame: int | None) -> Atoms:
    """One structure of a file, see `read_input`.

    Raises:
        RunError: If the file has several and none is chosen, or fewer than the chosen one.
    """
    found = read_input(path)
    if frame is None and len(found) > 1:
        raise RunError(
            f"input: {path} contains {len(found)} structures: choose one with frame=0 to "
            f"frame={len(found) - 1}"
        )
    if (frame or 0) >= len(found):
        raise RunError(f"frame must be below {len(found)}, the structures of {path}, got {frame}")
    return found[frame or 0]


def calculator_for(
    options: Simulation, structures: Sequence[Atoms], screen: Screen
) -> GeozooCalculator:
    """The potential, after a check that it accepts the structures.

    Raises:
        RunError: If the model does not exist, or does not know an element, a charge or a spin.
        ValueError: If the model is not a potential.
    """
    from geozoo.engines.ase import GeozooCalculator

    configure_logging(screen, has_clock=False)
    dtype = None if options.dtype is None else getattr(torch, options.dtype)
    model = trained_models(options.checkpoint, dtype=dtype)
    screen.note(model)
    found = GeozooCalculator(
        model, device=model.device, dtype=options.dtype, any_composition=options.any_composition
    )
    for number, atoms in enumerate(structures):
        try:
            structure_store(found.evaluator.spec, [structure_of(atoms, "the structure")])
        except ValueError as error:
            raise RunError(f"input: {options.input}, frame {number}: {error}") from error
        if atoms.pbc.any() and found.evaluator.cutoff is None:
            raise RunError(
                f"input: {options.input}, frame {number} is periodic, and {found.evaluator.name} "
                "has no cutoff or does not support cells"
            )
    return found


def output_folder(options: Any, name: str) -> Path:
    """The folder of ``out``, created.

    Args:
        options: arguments with ``out`` and ``input``.
        name: last part of the default name.

    Raises:
        RunError: If it exists and is not empty, or cannot be created.
    """
    folder: Path = options.out or Path(f"{options.input.stem}_{name}").absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"out: {folder} exists and is not an empty folder; choose another one")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise RunError(f"out: {folder} cannot be created: {error.strerror}") from error
    return folder


def append_frame(path: Path, atoms: Atoms, **info: Any) -> None:
    """Append a structure with energy, forces and stress to an extended-XYZ file, in one write.

    Args:
        path: the file.
        atoms: the structure, with momenta if it has any.
        info: further entries of its header.
    """
    import ase.io
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.constraints import FixCom

    frame = atoms.copy()
    frame.set_constraint([each for each in atoms.constraints if not isinstance(each, FixCom)])
    if atoms.calc is not None:
        kept = {k: v for k, v in atoms.calc.results.items() if k in ("energy", "forces", "stress")}
        frame.calc = SinglePointCalculator(frame, **kept)
    frame.info |= info
    text = io.StringIO()
    ase.io.write(text, frame, format="extxyz")
    with path.open("a", encoding="utf-8") as file:
        file.write(text.getvalue())


class Log:
    """A CSV file that is complete after every row.

    Args:
        path: the file; rows are appended if it exists.
        columns: names of the columns, with units.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, tuple(columns)
        if not path.exists():
            self._append(columns)

    def add(self, *values: float | int | str) -> None:
        """Append a row; values that are not known (NaN) stay empty."""
        self._append(["" if each != each else each for each in values])  # noqa: PLR0124

    def rows(self) -> list[dict[str, str]]:
        """All rows by column."""
        with self.path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _append(self, values: Sequence[object]) -> None:
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerow(values)


def command_line() -> str:
    """The command that is running."""
    return shlex.join(["geozoo", *sys.argv[1:]])


def facts_of(calculator: GeozooCalculator, options: Simulation) -> dict[str, str]:
    """Model, precision, device and input, for a page."""
    evaluator = calculator.evaluator
    return {
        "model": evaluator.name, "precision": str(evaluator.dtype).removeprefix("torch."),
        "device": device_name(evaluator.device), "input": str(options.input),
    }  # fmt: skip


def software() -> dict[str, str]:
    """Versions of geozoo, PyTorch and ASE."""
    import ase

    return {**versions(), "ase": ase.__version__}
