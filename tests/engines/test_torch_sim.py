"""Potentials in torch-sim: batches equal single systems, energy is conserved, errors are clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trained_samples import potential as without_cutoff
from trained_samples import trained

pytest.importorskip("torch_sim")
pytest.importorskip("ase")
import torch_sim as ts
from ase import Atoms, units
from ase.build import bulk, molecule
from torch_sim.integrators.md import MDState
from torch_sim.models.interface import validate_model_outputs

import geozoo
from geozoo.data import GeometricSpec
from geozoo.engines.torch_sim import GeozooModel
from geozoo.hub import Ensemble, TrainedModel
from geozoo.models import SchNet
from geozoo.tasks import Potential, Terms

ELEMENTS = (1, 6, 8, 12, 14, 26)
KELVIN, FEMTOSECOND = units.kB, 1e-3  # torch-sim's runners take kelvin and picoseconds


def potential(
    seed: int = 0, radius: float = 3.5, repulsion: bool = False, **given: Any
) -> TrainedModel:
    torch.manual_seed(seed)
    spec = GeometricSpec(
        level="graph", dim=3, in_channels=len(ELEMENTS) + len(given.get("graph_inputs", ())),
        out_channels=1, elements=ELEMENTS, target="energy",
        units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={"energy_shift": 0.0, "energy_scale": 1e5}, **given,
    )  # fmt: skip
    sizes = {"hidden_channels": 8, "num_layers": 2, "num_basis": 6}
    # Smooth also for perfect crystals, which the validation uses; norms of vectors are not there.
    model = SchNet(spec.in_channels, 1, radius=radius, level="node", **sizes)
    terms = Terms(zbl=repulsion)
    return trained(Potential(model, spec, any_composition=True, terms=terms))


def engine(model: Any = None, **options: Any) -> GeozooModel:
    options = {"dtype": torch.float64, **options}
    return GeozooModel(potential() if model is None else model, **options)


def rattled(atoms: Atoms, seed: int, size: float = 0.05) -> Atoms:
    rng = np.random.default_rng(seed)
    if atoms.pbc.any():
        strain = np.eye(3) + 0.03 * rng.normal(size=(3, 3))  # not symmetric: rows are no columns
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    atoms.positions += size * rng.normal(size=atoms.positions.shape)
    return atoms


def molecules(count: int = 4) -> list[Atoms]:
    names = ("CH3CH2OH", "H2O", "CH4", "C6H6", "CO2")
    return [rattled(molecule(names[n % len(names)]), n) for n in range(count)]


def crystals(count: int = 3) -> list[Atoms]:
    sizes = ((1, 1, 1), (2, 1, 1), (1, 2, 2))
    return [rattled(bulk("Si", a=4.9) * sizes[n % 3], n) for n in range(count)]


def state_of(frames: list[Atoms], **options: Any) -> Any:
    return ts.io.atoms_to_state(frames, torch.device("cpu"), torch.float64, **options)


def with_momenta(frames: list[Atoms], kelvin: float = 300.0) -> list[Any]:
    """States of single systems that move."""
    found = []
    for number, atoms in enumerate(frames):
        state, generator = state_of([atoms]), torch.Generator().manual_seed(number)
        noise = torch.randn(state.positions.shape, generator=generator, dtype=torch.float64)
        momenta = noise * (state.masses * KELVIN * kelvin).sqrt()[:, None]
        known = {"energy": torch.zeros(1).double(), "forces": torch.zeros_like(momenta)}
        found.append(MDState.from_state(state, momenta=momenta - momenta.mean(0), **known))
    return found


def assert_same(together: Any, alone: list[Any], names: tuple[str, ...], atol: float) -> None:
    for one, many in zip(alone, together.split(), strict=True):
        for name in names:
            torch.testing.assert_close(getattr(many, name), getattr(one, name), rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_validation_of_torch_sim_passes(dtype: torch.dtype) -> None:
    model = engine(dtype=dtype)
    validate_model_outputs(model, torch.device("cpu"), dtype)
    assert (model.dtype, model.device.type, model.compute_stress) == (dtype, "cpu", True)
    assert model.memory_scales_with == "n_atoms_x_density"
    assert engine(without_cutoff()).memory_scales_with == "n_atoms"


@pytest.mark.parametrize("frames", [molecules(), crystals()], ids=["molecules", "crystals"])
def test_outputs_are_those_of_the_calculator(frames: list[Atoms]) -> None:
    pair = Ensemble([potential(0), potential(1)])
    found = engine(pair)(state_of(frames))
    start = 0
    for graph, atoms in enumerate(frames):
        atoms.calc = geozoo.calculator(pair, dtype="float64")
        rows = slice(start, start + len(atoms))
        start += len(atoms)
        np.testing.assert_allclose(found["energy"][graph], atoms.get_potential_energy(), rtol=1e-12)
        np.testing.assert_allclose(found["forces"][rows], atoms.get_forces(), atol=1e-12)
        np.testing.assert_allclose(found["energies"][rows], atoms.get_potential_energies())
        for name in ("energy_std", "forces_std"):
            given = found[name][graph if name == "energy_std" else rows]
            np.testing.assert_allclose(given, atoms.calc.results[name], atol=1e-12)
        if atoms.pbc.all():
            stress = atoms.get_stress(voigt=False)
            assert abs(stress - np.diag(np.diag(stress))).max() > 1e-5
            np.testing.assert_allclose(found["stress"][graph], stress, atol=1e-13)


def test_batched_dynamics_equal_single_ones_and_conserve_energy() -> None:
    for frames in (molecules(), crystals()):
        model, alone = engine(), with_momenta(frames)
        options = {
            "integrator": ts.Integrator.nve, "n_steps": 20, "temperature": 300.0,
            "timestep": 0.5 * FEMTOSECOND,
        }  # fmt: skip
        start = ts.concatenate_states(alone)
        before = ts.integrate(start.clone(), model, **{**options, "n_steps": 1})
        together = ts.integrate(start.clone(), model, **options)
        singles = [ts.integrate(state.clone(), engine(), **options) for state in alone]
        assert_same(together, singles, ("positions", "momenta", "energy", "forces"), 1e-10)
        total = [
            state.energy
            + ts.calc_kinetic_energy(
                masses=state.masses, momenta=state.momenta, system_idx=state.system_idx
            )
            for state in (before, together)
        ]
        change = (together.energy - before.energy).abs().max()
        assert (total[1] - total[0]).abs().max() < 1e-3 * change and change > 1e-3
        assert model.evaluator.neighbors is not None
        assert model.evaluator.neighbors.searches < 6  # two runs of 21 evaluations


def test_batched_constant_pressure_equals_single_ones() -> None:
    options = {
        "integrator": ts.Integrator.npt_nose_hoover_isotropic, "n_steps": 10,
        "temperature": 300.0, "timestep": 1 * FEMTOSECOND, "external_pressure": 0.0,
    }  # fmt: skip
    alone = with_momenta(crystals())
    together = ts.integrate(ts.concatenate_states(alone), engine(), **options)
    singles = [ts.integrate(state.clone(), engine(), **options) for state in alone]
    assert_same(together, singles, ("positions", "momenta", "energy", "cell", "stress"), 1e-10)
    assert (together.cell - ts.concatenate_states(alone).cell).abs().max() > 1e-5


@pytest.mark.parametrize("optimizer", ["fire", "gradient_descent"])
def test_batched_relaxation_of_cells_equals_single_ones(optimizer: str) -> None:
    options = {
        "optimizer": ts.Optimizer(optimizer), "max_steps": 10, "steps_between_swaps": 10,
        "convergence_fn": ts.generate_force_convergence_fn(1e-9),
        "init_kwargs": {"cell_filter": ts.CellFilter.frechet},
    }  # fmt: skip
    frames, model = crystals(), engine()
    before = model(state_of(frames))["energy"]
    with pytest.warns(UserWarning, match="maximum number of steps"):
        together = ts.optimize(state_of(frames), model, **options)
        singles = [ts.optimize(state_of([atoms]), engine(), **options) for atoms in frames]
    assert_same(together, singles, ("positions", "energy", "cell"), 1e-9)
    assert (together.energy < before).all()


@pytest.mark.thorough
def test_relaxation_with_systems_that_finish_early() -> None:
    frames, model = molecules(5), potential(repulsion=True)
    options = {
        "optimizer": ts.Optimizer.fire, "max_steps": 300,
        "convergence_fn": ts.generate_force_convergence_fn(0.1, include_cell_forces=False),
    }  # fmt: skip
    singles = [ts.optimize(state_of([atoms]), engine(model), **options) for atoms in frames]
    together = ts.optimize(state_of(frames), engine(model), **options)
    assert_same(together, singles, ("positions", "energy"), 1e-6)
    batcher = ts.InFlightAutoBatcher(
        engine(model), memory_scales_with="n_atoms", max_memory_scaler=14
    )
    again = ts.optimize(state_of(frames), engine(model), autobatcher=batcher, **options)
    # torch-sim's FIRE takes another path for systems that join a running batch.
    assert (ts.system_wise_max_force(again) < 0.1).all()
    torch.testing.assert_close(again.energy, engine(model, skin=0.0)(again)["energy"])
    assert again.atomic_numbers.tolist() == state_of(frames).atomic_numbers.tolist()


def test_molecules_have_no_stress() -> None:
    model, slab = engine(), crystals(1)[0]
    found = model(state_of(molecules()))
    assert "stress" not in found and found.get("stress") is None
    slab.pbc = [True, True, False]
    for frame in (molecules()[0], slab):
        with pytest.raises(ValueError, match="periodic in three directions, since slabs, wires"):
            ts.optimize(
                state_of([frame]), model, optimizer=ts.Optimizer.fire,
                init_kwargs={"cell_filter": ts.CellFilter.frechet},
            )  # fmt: skip


def test_single_points_of_molecules_do_without_stress() -> None:
    model, frames = engine(), molecules(2)
    with pytest.raises(ValueError, match=r"unless model.compute_stress=False"):
        ts.static(frames, model)
    model.compute_stress = False
    for found, atoms in zip(ts.static(frames, model), frames, strict=True):
        atoms.calc = geozoo.calculator(potential(), dtype="float64")
        assert float(found["potential_energy"]) == pytest.approx(atoms.get_potential_energy())
        np.testing.assert_allclose(found["forces"], atoms.get_forces(), atol=1e-10)
    with pytest.raises(NotImplementedError, match="tiny has no cutoff, so it predicts no stress"):
        engine(without_cutoff()).compute_stress = True


def test_bad_systems_are_refused_by_name() -> None:
    model = engine()
    with pytest.raises(ValueError, match=r"must occur in the training data.*got \[7\] \(N\)"):
        model(state_of([molecule("NH3")]))
    with pytest.raises(ValueError, match="radius must be set for periodic structures"):
        engine(without_cutoff(), any_composition=True)(state_of([bulk("C")]))
    with pytest.raises(ValueError, match=r"atoms 0 and 1 of structure 1 are 0.05 angstrom apart"):
        model(state_of([molecule("H2O"), Atoms("H2", [[0, 0, 0], [0, 0, 0.05]])]))
    with pytest.raises(ValueError, match="largest_force must be positive or None, got 0"):
        engine(largest_force=0)
    with pytest.raises(ValueError, match="largest_distance must be positive or None, got -1"):
        engine(largest_distance=-1)
    with pytest.raises(ValueError, match='dtype must be "float32" or "float64"'):
        engine(dtype=torch.float16)
    tight = engine(largest_force=1e-6)
    with pytest.raises(ValueError, match=r"on atom \d of system \d is .* largest_force=1e-06"):
        tight(state_of(molecules()))


def test_charge_and_spin_are_extras_of_the_state() -> None:
    given = {"graph_inputs": ("charge", "spin")}
    model = engine(potential(**given))
    frames = [molecule("H2O"), molecule("H2O")]
    for atoms, charge in zip(frames, (0, 1), strict=True):
        atoms.info = {"charge": charge, "spin": 1 + charge}
        atoms.calc = geozoo.calculator(potential(**given), dtype="float64")
    with pytest.raises(ValueError, match=r'no charge and no spin.*\{"charge": "charge", "spin"'):
        model(state_of(frames))
    state = state_of(frames, system_extras_map={"charge": "charge", "spin": "spin"})
    wanted = [atoms.get_potential_energy() for atoms in frames]
    assert abs(wanted[0] - wanted[1]) > 1e-6
    np.testing.assert_allclose(model(state)["energy"], wanted, rtol=1e-12)
    moved = ts.integrate(
        state, model, integrator=ts.Integrator.nve, n_steps=1, temperature=1.0, timestep=1e-9
    )
    np.testing.assert_allclose(moved.energy, wanted, rtol=1e-6)  # integrators keep the extras


def test_a_simulation_that_explodes_stops_and_keeps_what_was_good(tmp_path: Path) -> None:
    model, frames = engine(), molecules(2)
    files = [tmp_path / f"{number}.h5" for number in range(2)]
    reporter = ts.TrajectoryReporter(files, state_frequency=1)
    with pytest.raises(ValueError, match="the system has flown apart") as stopped, reporter:
        ts.integrate(
            state_of(frames), model, integrator=ts.Integrator.nve, n_steps=1000,
            temperature=3e7, timestep=20 * FEMTOSECOND, trajectory_reporter=reporter,
        )  # fmt: skip
    assert "model.last_state is the last state" in stopped.value.__notes__[0]
    assert model.last_state is not None
    assert model.last_state.positions.isfinite().all()
    for file, atoms in zip(files, frames, strict=True):
        with ts.TorchSimTrajectory(file) as trajectory:
            last = trajectory.get_atoms(frame=-1)
        assert len(last) == len(atoms) and np.isfinite(last.positions).all()


def test_a_position_that_is_no_number_is_named_with_its_system() -> None:
    model, state = engine(), state_of(molecules(2))
    model(state)
    before = state.positions.clone()
    state.positions[10, 1] = torch.nan
    with pytest.raises(ValueError, match=r"pos must be finite.*nan.* for atom 1 of structure 1"):
        model(state)
    assert model.last_state is not None and torch.equal(model.last_state.positions, before)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["sevennet-0"])
def test_a_universal_potential_passes_the_validation(name: str) -> None:
    pytest.importorskip("sevenn", exc_type=ImportError)
    validate_model_outputs(GeozooModel(name), torch.device("cpu"), torch.float32)
