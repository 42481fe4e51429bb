"""``geozoo md``: molecular dynamics of a structure."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geozoo.cli import _simulation as common
from geozoo.cli._continuing import check_settings, last_frame, write_settings
from geozoo.cli._simulation_arguments import Dynamics
from geozoo.figures import Figure, StepPanel, plot_steps
from geozoo.files.progress import progress_bar
from geozoo.report.screen import Screen
from geozoo.report.sheet import Sheet
from geozoo.report.simulation import SimulationPage
from geozoo.runs.errors import RunError
from geozoo.teaching._fingerprints import teacher_identity

if TYPE_CHECKING:
    from ase import Atoms

    from geozoo.engines.ase import GeozooCalculator
    from geozoo.engines.dynamics import DynamicsOptions

COLUMNS = (
    "step", "time [fs]", "potential energy [eV]", "kinetic energy [eV]", "total energy [eV]",
    "temperature [K]", "pressure [GPa]", "volume [angstrom^3]",
)  # fmt: skip
_PS_PER_FS = 1e-3
#: Keys that have a meaning in one ensemble only.
_ONLY = {"friction": "nvt", "pressure": "npt", "max_drift": "nve"}


def move(options: Dynamics, screen: Screen) -> None:
    """Run molecular dynamics and write trajectory, log and page.

    Raises:
        DynamicsStop: If the atoms fly apart; the frames before it, log and page are written.
        RunError: If the input is refused, or there is nothing to resume.
    """
    from geozoo.engines.dynamics import DynamicsOptions, DynamicsStop, time_step_warning

    _check_keys(options)
    settings = DynamicsOptions(
        options.ensemble, options.temperature, options.pressure, options.timestep,
        options.friction, options.seed, options.max_temperature, options.max_drift,
    )  # fmt: skip
    given = common.read_frame(options.input, options.frame)
    _check_structure(given, options)
    calculator = common.calculator_for(options, [given], screen)
    kept = _kept_settings(options, calculator)
    if options.resume:
        check_settings(_folder(options), kept)
    atoms, first, folder = _start(given, settings, options)
    if not options.resume:
        write_settings(folder, kept)
    atoms.calc = calculator
    warnings = []
    if warning := time_step_warning(atoms, options.timestep):
        warnings.append(warning)
        screen.note(f"warning: {warning}", style="yellow")
    log = common.Log(folder / "log.csv", COLUMNS)
    started, stop = time.perf_counter(), None
    try:
        _run(atoms, settings, options, first, folder, log)
    except DynamicsStop as error:
        stop = error
        warnings.append(f"Stopped: {error}")
    seconds = time.perf_counter() - started
    table = summary(log.rows(), len(atoms), options.ensemble)
    screen.show(table)
    _write_page(folder, log, table, calculator, options, warnings)
    screen.note(f"{options.steps - first} steps requested, {seconds:.1f} s")
    for name in ("trajectory.xyz", "log.csv", "report.html"):
        if (folder / name).is_file():
            screen.result(folder / name)
    if stop is not None:
        raise DynamicsStop(f"{stop}. {_kept(log, folder)}") from stop


def _kept(log: common.Log, folder: Path) -> str:
    if not (rows := log.rows()):
        return "There is no good frame"
    return f"The last good frame is step {rows[-1]['step']} in {folder / 'trajectory.xyz'}"


def _check_keys(options: Dynamics) -> None:
    """Refuse keys that the ensemble does not have."""
    for name, ensemble in _ONLY.items():
        if name in options.given and options.ensemble != ensemble:
            raise RunError(
                f"{name} needs ensemble={ensemble}, got {getattr(options, name):g} and "
                f"ensemble={options.ensemble}"
            )


def _check_structure(atoms: Atoms, options: Dynamics) -> None:
    if options.ensemble == "npt" and (not atoms.pbc.all() or atoms.constraints):
        raise RunError(
            "ensemble=npt needs a structure that is periodic in three directions and has no fixed "
            f"atoms, got pbc {atoms.pbc.tolist()} and {len(atoms.constraints)} constraints"
        )


def _folder(options: Dynamics) -> Path:
    return options.out or Path(f"{options.input.stem}_md").absolute()


def _kept_settings(options: Dynamics, calculator: GeozooCalculator) -> dict[str, object]:
    """What all parts of a run have in common."""
    own = [name for name, ensemble in _ONLY.items() if ensemble == options.ensemble != "nve"]
    names = ["ensemble", "temperature", *own]
    return {
        **teacher_identity(calculator.evaluator), **{name: getattr(options, name) for name in names}
    }  # fmt: skip


def _start(
    given: Atoms, settings: DynamicsOptions, options: Dynamics
) -> tuple[Atoms, int, Path]:  # fmt: skip
    """The structure with momenta, the number of its step, and the folder."""
    from geozoo.engines.dynamics import set_velocities

    if not options.resume:
        folder = common.output_folder(options, "md")
        set_velocities(given, settings)
        return given, 0, folder
    folder = _folder(options)
    atoms = last_frame(folder)
    if atoms.numbers.tolist() != given.numbers.tolist():
        raise RunError(f"resume: the atoms in {folder} are not those of {options.input}")
    first = int(atoms.info["step"])
    if abs(float(atoms.info["time_fs"]) - first * options.timestep) > 1e-6 * max(first, 1):
        raise RunError(
            f"resume: timestep must be {float(atoms.info['time_fs']) / first:g} as before, got "
            f"{options.timestep:g}"
        )
    if first >= options.steps:
        raise RunError(
            f"resume: {folder} already has {first} steps; set steps to a larger number in total"
        )
    return atoms, first, folder


def _run(
    atoms: Atoms, settings: DynamicsOptions, options: Dynamics, first: int, folder: Path,
    log: common.Log,
) -> None:  # fmt: skip
    from geozoo.engines.dynamics import dynamics

    with progress_bar("Molecular dynamics", options.steps - first) as advance:
        for state in dynamics(atoms, settings, options.steps, first=first):
            if state.number > first:
                advance(1)
            elif first:
                continue
            if state.number % options.every and state.number != options.steps:
                continue
            log.add(
                state.number, round(state.time, 6), state.potential, state.kinetic, state.total,
                state.temperature, state.pressure, state.volume,
            )  # fmt: skip
            common.append_frame(
                folder / "trajectory.xyz", atoms, step=state.number, time_fs=state.time
            )


def summary(rows: Sequence[Mapping[str, str]], atoms: int, ensemble: str) -> Sheet:
    """Mean and standard deviation over the second half of the log, and the drift of the energy."""
    table = Sheet("quantity", "mean", "standard deviation", "unit")
    later = rows[len(rows) // 2 :]
    for column in COLUMNS[2:]:
        name, _, unit = column.rstrip("]").partition(" [")
        values = np.array([float(row[column]) for row in later if row[column]])
        if len(values):
            table.add(name, f"{values.mean():.6g}", f"{values.std():.3g}", unit)
    if ensemble == "nve" and len(rows) > 2:
        times = np.array([float(row["time [fs]"]) for row in rows]) * _PS_PER_FS
        energies = np.array([float(row["total energy [eV]"]) for row in rows])
        slope = np.polyfit(times, 1000 * energies / atoms, 1)[0]
        table.add("drift of the total energy", f"{slope:.3g}", "", "meV/atom/ps")
    return table


def _write_page(
    folder: Path, log: common.Log, table: Sheet, calculator: GeozooCalculator, options: Dynamics,
    warnings: Sequence[str],
) -> None:  # fmt: skip
    thermostat = {
        "nve": "none (velocity Verlet)", "nvt": f"Langevin, friction {options.friction:g}/fs",
        "npt": f"isotropic Martyna-Tobias-Klein at {options.pressure:g} GPa",
    }  # fmt: skip
    facts = {
        **common.facts_of(calculator, options), "ensemble": options.ensemble,
        "temperature": f"{options.temperature:g} K", "thermostat": thermostat[options.ensemble],
        "time step": f"{options.timestep:g} fs", "seed": str(options.seed),
        "means": "over the second half of the log",
    }  # fmt: skip
    figures = [_figure(log.rows())] if log.rows() else []
    title = f"Molecular dynamics of {options.input.name}"
    page = SimulationPage(
        title, common.command_line(), table, facts, common.software(), figures, warnings
    )
    page.write(folder)


def _figure(rows: Sequence[Mapping[str, str]]) -> Figure:
    panels = {}
    for column in COLUMNS[2:]:
        name, _, unit = column.rstrip("]").partition(" [")
        shown = [row for row in rows if row[column]]
        times = [_PS_PER_FS * float(row["time [fs]"]) for row in shown]
        if shown and name != "kinetic energy":
            panels[name] = StepPanel(unit, {name: (times, [float(row[column]) for row in shown])})
    caption = "Energies, temperature and, for crystals, pressure and volume."
    return Figure("energy", caption, lambda file: plot_steps(panels, file, along="time [ps]"))
