"""Structures around a few given ones: displaced, strained, and along molecular dynamics."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from geozoo.checks import check_seed, check_whole
from geozoo.data.molecules.crystal_frames import (
    CrystalPath,
    random_strain,
    strained,
    trajectory,
)
from geozoo.engines import PotentialEvaluator
from geozoo.files.progress import progress_bar
from geozoo.teaching._frames import plain, read_frames, write_frames
from geozoo.teaching.screening import is_too_close

if TYPE_CHECKING:
    from ase import Atoms

_LOG = logging.getLogger(__name__)
#: Keys of ``info`` in sampled structures: what they sample, and the path that they belong to.
KIND, PATH = "sampled", "path"
#: A split needs a path of each kind for training, validation and testing.
_FEWEST_PATHS = 3
#: Steps before the first structure of a trajectory: twice the relaxation time of the thermostat.
_EQUILIBRATION_FS = 100.0
#: Attempts to draw a displaced or strained structure without atoms that are too close.
_ATTEMPTS = 20
_STEP_FS, _STEP_FS_WITH_HYDROGEN = 2.0, 1.0


@dataclass(frozen=True, kw_only=True)
class SamplingPlan:
    """How many structures of which kind are drawn.

    Attributes:
        rattled: structures with normally distributed displacements of all atoms.
        rattle: largest standard deviation of a displacement, in angstrom; each structure has its
            own, between a fifth of it and all of it.
        strained: structures of periodic systems with a random strain, and half the displacements.
        strain: standard deviation of the strain.
        temperatures: of molecular dynamics, in kelvin; none: no molecular dynamics.
        trajectories: number of trajectories per temperature; they start in turn from the given
            structures, each with its own velocities.
        frames: structures per trajectory.
        steps: steps of molecular dynamics between them.
        timestep: in femtoseconds; None: 2, or 1 with hydrogen.
        closest: fraction of the sum of covalent radii below which two atoms are too close.
        seed: seed of all random numbers.

    Raises:
        ValueError: If a number is out of range, or there are too few structures or trajectories of
            a kind to divide them into training, validation and test.
    """

    rattled: int = 60
    rattle: float = 0.1
    strained: int = 60
    strain: float = 0.03
    temperatures: tuple[float, ...] = (300.0, 600.0)
    trajectories: int = 5
    frames: int = 20
    steps: int = 10
    timestep: float | None = None
    closest: float = 0.6
    seed: int = 0

    def __post_init__(self) -> None:
        """Validate the numbers."""
        for name in ("rattled", "strained"):
            count = getattr(self, name)
            check_whole(name, count, least=0)
            if 0 < count < _FEWEST_PATHS:
                raise ValueError(_too_few(name, count))
        check_whole("trajectories", self.trajectories, least=1)
        if self.temperatures and self.trajectories < _FEWEST_PATHS:
            raise ValueError(_too_few("trajectories", self.trajectories))
        for name in ("frames", "steps"):
            check_whole(name, getattr(self, name), least=1)
        for name in ("rattle", "strain", "closest"):
            _check_size(name, getattr(self, name))
        for kelvin in self.temperatures:
            _check_size("temperatures", kelvin, may_vanish=False)
        if len(set(self.temperatures)) < len(self.temperatures):
            raise ValueError(f"temperatures must differ, got {list(self.temperatures)}")
        if self.timestep is not None:
            _check_size("timestep", self.timestep, may_vanish=False)
        check_seed(self.seed, "seed")
        if not (self.rattled or self.strained or self.temperatures):
            raise ValueError("rattled, strained and temperatures are all empty: nothing to sample")


def _check_size(name: str, value: float, *, may_vanish: bool = True) -> None:
    if not (0 <= value < math.inf) or not (value or may_vanish):
        kind = "at least 0" if may_vanish else "greater than 0"
        raise ValueError(f"{name} must be a number {kind}, got {value!r}")


def _too_few(name: str, count: int) -> str:
    return (
        f"{name} must be at least {_FEWEST_PATHS}, for training, validation and test, got {count}"
    )


def sample_structures(
    given: Sequence[Atoms], teacher: PotentialEvaluator, plan: SamplingPlan, folder: Path
) -> list[Atoms]:
    """Draw structures around the given ones.

    Every trajectory, all displaced, and all strained structures have a file each in ``folder``; a
    second call continues after the last complete one and gives the same structures, since each has
    random numbers of its own.

    Args:
        given: structures to start from; charge and spin in ``info`` are kept.
        teacher: the potential of molecular dynamics, in eV and angstrom.
        plan: numbers and sizes.
        folder: where the files are kept; created if necessary.

    Returns:
        Structures without labels; ``info["sampled"]`` is the kind, and ``info["path"]`` the same
        text for structures of one trajectory, and different otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = [plain(atoms) for atoms in given]
    periodic = [atoms for atoms in starts if atoms.pbc.any()]
    jobs: list[tuple[str, Callable[[], list[Atoms]]]] = []
    if plan.rattled:
        jobs.append(("rattled", lambda: _displaced("rattled", starts, plan)))
    if plan.strained and periodic:
        jobs.append(("strained", lambda: _displaced("strained", periodic, plan)))
    for kelvin in plan.temperatures:
        for number in range(plan.trajectories):
            name = f"md_{kelvin:g}K_{number}"
            jobs.append((name, _trajectory_job(name, starts, teacher, plan, kelvin, number)))
    done = [name for name, _ in jobs if (folder / f"{name}.xyz").is_file()]
    if done:
        _LOG.info("continuing: %d of %d parts of the sampling are done", len(done), len(jobs))
    found = []
    with progress_bar("Sampling", len(jobs)) as advance:
        for name, job in jobs:
            path = folder / f"{name}.xyz"
            if not path.is_file():
                write_frames(path, job())
            found += read_frames(path)
            advance(1)
    return found


def _displaced(kind: str, starts: Sequence[Atoms], plan: SamplingPlan) -> list[Atoms]:
    is_strained = kind == "strained"
    count = plan.strained if is_strained else plan.rattled
    found = []
    for number in range(count):
        generator = np.random.default_rng([plan.seed, int(is_strained), number])
        for _ in range(_ATTEMPTS):
            atoms = starts[number % len(starts)].copy()
            size = plan.rattle * generator.uniform(0.2, 1.0)
            if is_strained:
                strain = _in_periodic_directions(atoms, random_strain(generator, plan.strain))
                atoms, size = strained(atoms, strain), size / 2
            atoms.positions += size * generator.standard_normal(atoms.positions.shape)
            if not is_too_close(atoms, plan.closest):
                found.append(_named(atoms, kind, f"{kind}_{number}"))
                break
    if len(found) < count:
        _LOG.warning(
            "%s: %d of %d structures were given up: their atoms were closer than closest=%g allows",
            kind, count - len(found), count, plan.closest,
        )  # fmt: skip
    return found


def _in_periodic_directions(atoms: Atoms, strain: np.ndarray) -> np.ndarray:
    """The part of a strain that acts within the span of the periodic lattice vectors."""
    vectors = np.asarray(atoms.cell)[atoms.pbc]
    span = np.linalg.pinv(vectors) @ vectors
    projected: np.ndarray = span @ strain @ span
    return projected


def _named(atoms: Atoms, kind: str, path: str) -> Atoms:
    atoms.info |= {KIND: kind, PATH: path}
    return atoms


def _trajectory_job(
    name: str, starts: Sequence[Atoms], teacher: PotentialEvaluator, plan: SamplingPlan,
    kelvin: float, number: int,
) -> Callable[[], list[Atoms]]:  # fmt: skip
    def job() -> list[Atoms]:
        atoms = starts[number % len(starts)]
        generator = np.random.default_rng([plan.seed, 2, round(1000 * kelvin), number])
        frames = list(_dynamics(name, atoms, teacher, plan, kelvin, generator))
        return [_named(frame, f"md {kelvin:g} K", name) for frame in frames]

    return job


def _dynamics(
    name: str, atoms: Atoms, teacher: PotentialEvaluator, plan: SamplingPlan, kelvin: float,
    generator: np.random.Generator,
) -> Iterator[Atoms]:  # fmt: skip
    """Structures of a trajectory, up to where atoms come too close."""
    from geozoo.engines.ase import GeozooCalculator

    step = plan.timestep
    if step is None:
        step = _STEP_FS_WITH_HYDROGEN if (atoms.numbers == 1).any() else _STEP_FS
    early = math.ceil(_EQUILIBRATION_FS / (plan.steps * step))
    path = CrystalPath(name, atoms, kelvin, early + plan.frames, plan.steps, step)
    calculator = GeozooCalculator(teacher.model, device=teacher.device)
    try:
        for index, frame in enumerate(trajectory(path, calculator, generator)):
            if is_too_close(frame, plan.closest):
                _LOG.warning(
                    "%s ends after %g fs: atoms are closer than closest=%g allows",
                    name, (index + 1) * plan.steps * step, plan.closest,
                )  # fmt: skip
                return
            if index >= early:
                yield plain(frame)
    except ValueError as error:  # energies or forces that are not finite, atoms that coincide
        _LOG.warning("%s ends early: %s", name, error)
