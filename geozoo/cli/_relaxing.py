"""``geozoo relax``: structures at the minimum of their energy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from geozoo.cli import _simulation as common
from geozoo.cli._simulation_arguments import Relax
from geozoo.figures import Figure, StepPanel, plot_steps
from geozoo.files.progress import progress_bar
from geozoo.report.screen import Screen
from geozoo.report.sheet import Column, Sheet
from geozoo.report.simulation import SimulationPage
from geozoo.runs.errors import RunError

if TYPE_CHECKING:
    from ase import Atoms

    from geozoo.engines.relaxation import RelaxationOptions, RelaxationStep

_COLUMNS = (
    "structure", "step", "energy [eV]", "largest force [eV/angstrom]", "pressure [GPa]",
    "volume [angstrom^3]",
)  # fmt: skip


class NotRelaxedError(RunError):
    """Forces are still above ``fmax`` after the last step; everything is written."""

    exit_code = 3


@dataclass
class _Path:
    """The steps of one structure, and what ended them."""

    formula: str
    steps: list[RelaxationStep] = field(default_factory=list)
    error: str = ""

    @property
    def outcome(self) -> str:
        if self.error:
            return f"stopped: {self.error}"
        return "relaxed" if self.steps[-1].is_relaxed else "not relaxed"


def relax(options: Relax, screen: Screen) -> None:
    """Relax all structures of a file and write results, trajectory, log and page.

    Raises:
        NotRelaxedError: If forces are still above ``fmax`` somewhere; exit code 3.
        RunError: If the input is refused, or a relaxation went astray; exit code 1.
    """
    from geozoo.engines.relaxation import RelaxationOptions

    settings = RelaxationOptions(
        options.optimizer, options.cell, options.pressure, options.fmax, options.steps
    )
    structures = common.read_input(options.input)
    _check_cells(structures, options)
    calculator = common.calculator_for(options, structures, screen)
    folder = common.output_folder(options, "relaxed")
    paths = []
    log = common.Log(folder / "log.csv", _COLUMNS)
    with progress_bar("Relaxing", len(structures) * max(options.steps, 1)) as advance:
        for number, atoms in enumerate(structures):
            atoms.calc = calculator
            paths.append(_relax(number, atoms, settings, folder, log, advance))
            advance(max(options.steps, 1) - max(len(paths[-1].steps) - 1, 0))
    table = _table(paths)
    screen.show(table)
    page = SimulationPage(
        f"Relaxation of {options.input.name}", common.command_line(), table,
        {**common.facts_of(calculator, options), "optimizer": options.optimizer,
         "limit": f"{options.fmax:g} eV/angstrom in {options.steps} steps",
         "cell": f"relaxed at {options.pressure:g} GPa" if options.cell else "as given"},
        common.software(), [_figure(paths)],
    )  # fmt: skip
    page.write(folder)
    for name in ("relaxed.xyz", "trajectory.xyz", "log.csv", "report.html"):
        if (folder / name).is_file():
            screen.result(folder / name)
    _raise_if_unfinished(paths, options)


def _check_cells(structures: Sequence[Atoms], options: Relax) -> None:
    for number, atoms in enumerate(structures):
        if options.cell and not atoms.pbc.all():
            raise RunError(
                f"cell=true needs structures that are periodic in three directions, but frame "
                f"{number} of {options.input} has pbc {atoms.pbc.tolist()}"
            )


def _relax(
    number: int, atoms: Atoms, settings: RelaxationOptions, folder: Path, log: common.Log,
    advance: Callable[[int], None],
) -> _Path:  # fmt: skip
    from geozoo.engines.relaxation import relaxation

    path = _Path(atoms.get_chemical_formula())
    atoms.arrays.pop("momenta", None)
    try:
        for step in relaxation(atoms, settings):
            path.steps.append(step)
            volume = atoms.get_volume() if atoms.pbc.all() else float("nan")
            log.add(number, step.number, step.energy, step.fmax, step.pressure, volume)
            common.append_frame(
                folder / "trajectory.xyz", atoms, structure=number, step=step.number
            )
            advance(int(step.number > 0))
    except ValueError as error:  # of the calculator, where atoms came too close
        path.error = f"after step {len(path.steps) - 1}, {error}"
        return path
    common.append_frame(
        folder / "relaxed.xyz", atoms, structure=number, relaxed=path.steps[-1].is_relaxed
    )
    return path


def _table(paths: Sequence[_Path]) -> Sheet:
    table = Sheet(
        "structure", "formula", "steps", "energy [eV]", "change [eV]",
        "largest force [eV/angstrom]", Column("outcome", "text"),
    )  # fmt: skip
    for number, path in enumerate(paths):
        cells = ["", "", "", ""]
        if path.steps:
            first, last = path.steps[0], path.steps[-1]
            change = last.energy - first.energy
            cells = [str(last.number), f"{last.energy:.6f}", f"{change:.6f}", f"{last.fmax:.3g}"]
        table.add(str(number), path.formula, *cells, path.outcome)
    return table


def _figure(paths: Sequence[_Path]) -> Figure:
    """Energy above the lowest and largest force, for each structure."""
    energies, forces = {}, {}
    for number, path in enumerate(paths):
        steps = [float(step.number) for step in path.steps]
        lowest = min((step.energy for step in path.steps), default=0.0)
        energies[str(number)] = steps, [step.energy - lowest for step in path.steps]
        forces[str(number)] = steps, [step.fmax for step in path.steps]
    panels = {
        "energy above the lowest": StepPanel("eV", energies),
        "largest force": StepPanel("eV/angstrom", forces, is_logarithmic=True),
    }
    caption = "Energy above its lowest value, and largest force, by step."
    return Figure("energy", caption, lambda file: plot_steps(panels, file, along="step"))


def _raise_if_unfinished(paths: Sequence[_Path], options: Relax) -> None:
    stopped = {number: path.error for number, path in enumerate(paths) if path.error}
    if stopped:
        named = "; ".join(f"structure {number}: {error}" for number, error in stopped.items())
        raise RunError(f"{len(stopped)} of {len(paths)} relaxations stopped: {named}")
    far = [str(number) for number, path in enumerate(paths) if not path.steps[-1].is_relaxed]
    if far:
        raise NotRelaxedError(
            f"{len(far)} of {len(paths)} structures are not relaxed to fmax={options.fmax:g} "
            f"eV/angstrom in {options.steps} steps: {', '.join(far)}; set steps, or start from "
            "relaxed.xyz"
        )
