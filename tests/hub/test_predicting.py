"""Predictions for structures, arrays and series; the calculator for ASE."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tiny_graphs import tiny_data
from tiny_traffic import tiny_traffic
from trained_samples import dynamics, forecaster, molecule, potential, trained

from geozoo.data import Structure
from geozoo.hub.arrays import read_arrays
from geozoo.hub.batch_size import BatchSize
from geozoo.hub.forecasts import forecast
from geozoo.hub.structures import predict_store, structure_store

ase = pytest.importorskip("ase")


def molecules(count: int) -> list[Structure]:
    """Perturbed formaldehyde, some without one hydrogen."""
    numbers, pos = molecule()
    random = np.random.default_rng(0)
    kept = [len(numbers) - k % 2 for k in range(count)]
    return [Structure(numbers[:k], pos[:k] + 0.05 * random.normal(size=(k, 3))) for k in kept]


def test_batched_predictions_equal_individual_ones():
    model, structures = potential(), molecules(30)
    together = predict_store(model, structure_store(model.spec, structures))
    ends = np.cumsum([len(s.numbers) for s in structures])
    for number in (0, 1, 13, 29):
        alone = predict_store(model, structure_store(model.spec, [structures[number]]))
        torch.testing.assert_close(together["energy"][number], alone["energy"][0])
        rows = slice(ends[number] - len(structures[number].numbers), ends[number])
        torch.testing.assert_close(together["force"][rows], alone["force"], rtol=1e-4, atol=1e-2)


def test_atomic_reference_energies_are_added_back():
    plain, structures = potential(), molecules(4)
    known = {"atom_energy_H": -13000.0, "atom_energy_C": -1.0e6, "atom_energy_O": -2.0e6}
    model = potential(**known)
    found = predict_store(model, structure_store(model.spec, structures))["energy"]
    bare = predict_store(plain, structure_store(plain.spec, structures))["energy"]
    atoms = [-3.0e6 - 13000.0 * (len(s.numbers) - 2) for s in structures]
    torch.testing.assert_close(found, bare + torch.tensor(atoms, dtype=torch.float64))


def test_unknown_element_raises():
    model = potential()
    with pytest.raises(ValueError, match=r"must occur in .* \[1, 6, 8\] .* got \[7\]"):
        structure_store(model.spec, [Structure(np.array([7]), np.zeros((1, 3)))])


def test_structures_raise_for_model_with_other_inputs():
    with pytest.raises(ValueError, match=r"provide arrays \(\.npz\) instead"):
        structure_store(dynamics().spec, molecules(1))


def test_batch_size_halves_on_out_of_memory_without_losing_graphs(monkeypatch):
    model, structures = potential(), molecules(40)
    store = structure_store(model.spec, structures)
    expected = predict_store(model, store)
    predict, seen = model.predict, []

    def scarce(batch):
        if batch.num_graphs > 3:
            raise torch.OutOfMemoryError("too much")
        seen.append(batch.num_graphs)
        return predict(batch)

    monkeypatch.setattr(model, "predict", scarce)
    done = []
    found = predict_store(model, store, progress=done.append)
    assert sum(seen) == sum(done) == 40 and max(seen) <= 3
    torch.testing.assert_close(found["energy"], expected["energy"])


def test_single_graph_out_of_memory_raises():
    size = BatchSize(torch.device("cpu"))
    with pytest.raises(MemoryError, match="a single graph does not fit"):
        for _ in range(10):
            with size.watched():
                raise MemoryError("no")


def test_batch_size_grows_up_to_maximum():
    size = BatchSize(torch.device("cpu"))
    first = size.value
    for _ in range(3):
        with size.watched() as watched:
            pass
    assert size.value == 8 * first and not watched.failed


class TestCalculator:
    """Energies and forces in ASE."""

    def atoms(self):
        return ase.Atoms(*molecule())

    def calculator(self, **options):
        from geozoo.engines.ase import GeozooCalculator

        return GeozooCalculator(potential(), **options)

    def test_units_match_ase(self):
        atoms, model = self.atoms(), potential()
        atoms.calc = self.calculator()
        found = predict_store(model, structure_store(model.spec, [Structure(*molecule())]))
        assert atoms.get_potential_energy() == pytest.approx(1e-3 * float(found["energy"]))
        np.testing.assert_allclose(atoms.get_forces(), 1e-3 * found["force"].numpy(), atol=1e-6)

    def test_forces_are_finite_differences_of_the_energy(self):
        from ase.calculators.fd import calculate_numerical_forces

        atoms = self.atoms()
        atoms.calc = self.calculator(dtype="float64")
        numerical = calculate_numerical_forces(atoms, eps=1e-4)
        np.testing.assert_allclose(atoms.get_forces(), numerical, atol=1e-6)

    def test_dynamics_conserves_energy(self):
        from ase import units
        from ase.md.verlet import VelocityVerlet

        atoms = self.atoms()
        atoms.calc = self.calculator(dtype="float64")
        speed = np.sqrt(100 * units.kB / atoms.get_masses())[:, None]
        atoms.set_velocities(speed * np.random.default_rng(0).normal(size=(len(atoms), 3)))
        start, kinetic = atoms.get_total_energy(), atoms.get_kinetic_energy()
        steps = VelocityVerlet(atoms, timestep=0.1 * units.fs)
        furthest = 0.0
        for _ in range(20):
            steps.run(5)
            furthest = max(furthest, abs(atoms.get_total_energy() - start))
        exchanged = abs(atoms.get_kinetic_energy() - kinetic)
        assert furthest < 1e-2 * exchanged

    def test_free_energy_is_consistent_with_forces(self):
        from ase.calculators.fd import calculate_numerical_forces

        atoms = self.atoms()
        atoms.calc = self.calculator(dtype="float64")
        energy = atoms.get_potential_energy()
        assert atoms.get_potential_energy(force_consistent=True) == energy
        assert atoms.calc.results["free_energy"] == energy
        found = calculate_numerical_forces(atoms, eps=1e-4)
        np.testing.assert_allclose(found, atoms.get_forces(), rtol=1e-4, atol=1e-5)

    def test_precision_defaults_to_training_precision(self):
        from geozoo.engines.ase import GeozooCalculator

        assert self.calculator().evaluator.dtype == torch.float32
        double = potential().cast(torch.float64)
        assert GeozooCalculator(double).evaluator.dtype == torch.float64
        assert GeozooCalculator(double, dtype="float32").evaluator.dtype == torch.float32
        assert double.dtype == torch.float64  # the calculator has its own copy

    def test_stress_raises(self):
        from ase.calculators.calculator import PropertyNotImplementedError

        atoms = self.atoms()
        atoms.calc = self.calculator()
        with pytest.raises(PropertyNotImplementedError, match="stress"):
            atoms.get_stress()

    def test_periodic_structure_needs_a_cutoff(self):
        atoms = self.atoms()
        atoms.set_cell(np.eye(3) * 10)
        atoms.pbc = True
        atoms.calc = self.calculator()
        with pytest.raises(ValueError, match="radius must be set for periodic structures"):
            atoms.get_potential_energy()

    def test_other_models_and_unknown_precisions_raise(self):
        from geozoo.engines.ase import GeozooCalculator

        with pytest.raises(ValueError, match="must be a potential .* predicts position"):
            GeozooCalculator(dynamics())
        with pytest.raises(ValueError, match='dtype must be "float32" or "float64"'):
            self.calculator(dtype="half")


class TestArrays:
    """Inputs from ``.npz`` files."""

    def given(self, **changes):
        random = np.random.default_rng(0)
        arrays = {
            "pos": random.normal(size=(3, 4, 3)), "x": random.normal(size=(3, 4, 1)),
            "vec": random.normal(size=(3, 4, 1, 3)),
        }  # fmt: skip
        return arrays | changes

    def read(self, folder, arrays):
        np.savez(folder / "a.npz", **arrays)
        return read_arrays(folder / "a.npz", dynamics().spec)

    def test_flat_and_stacked_arrays_give_same_graphs(self, tmp_path):
        arrays = self.given()
        stacked = self.read(tmp_path, arrays)
        flat = {name: value.reshape(12, *value.shape[2:]) for name, value in arrays.items()}
        flat = self.read(tmp_path, flat | {"num_nodes": np.array([4, 4, 4])})
        model = dynamics()
        for one, two in zip(
            predict_store(model, stacked).values(), predict_store(model, flat).values(), strict=True
        ):
            torch.testing.assert_close(one, two)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"x": np.zeros((3, 4, 2))}, r"x must be numeric with shape \[..., 1\]"),
            ({"x": np.full((3, 4, 1), "a")}, "x.npy: it holds <U1, expected real numbers"),
            ({"vec": np.zeros((3, 3, 1, 3))}, "vec must have 12 nodes, got 9"),
            ({"pos": np.zeros((12, 3))}, "num_nodes"),
            ({"num_nodes": np.array([4.0])}, "non-negative integers"),
            ({"num_nodes": np.array([-1, 13])}, "non-negative integers"),
            ({"pos": np.full((3, 4, 3), np.nan)}, "NaN"),
            ({"pos": np.full((3, 4, 3), 1e40)}, "'pos' contains NaN or infinite"),
            ({"pos": np.array([{}])}, "not an npz file"),
        ],
    )
    def test_invalid_arrays_raise(self, changes, message, tmp_path):
        with pytest.raises(ValueError, match=message):
            self.read(tmp_path, self.given(**changes))

    def test_missing_arrays_raise(self, tmp_path):
        arrays = self.given()
        del arrays["vec"]
        with pytest.raises(ValueError, match=r"lacks vec; this model requires pos \[\.\.\., 3\]"):
            self.read(tmp_path, arrays)

    def test_other_file_format_raises(self, tmp_path):
        (tmp_path / "a.npz").write_bytes(b"PK no archive")
        with pytest.raises(ValueError, match=r"not an npz file"):
            read_arrays(tmp_path / "a.npz", dynamics().spec)


class TestForecasts:
    """Forecasts of the steps after a series."""

    def test_forecast_uses_last_window(self):
        model, data = forecaster(), tiny_traffic()
        series = data.series
        found = forecast(model, series.part(slice(0, len(series.times) - 3)))
        batch = data.store.gather([len(data.store) - 1])
        batch = batch.replace(part=torch.zeros_like(batch.part))
        expected = model.predict(batch)["flow"][0]
        torch.testing.assert_close(torch.from_numpy(found.values), expected)
        assert found.times.tolist() == series.times[-3:].tolist()

    def test_quantiles_are_keyed_by_level(self):
        from geozoo.models import Stid
        from geozoo.tasks import QuantileForecasting

        spec = tiny_traffic().spec
        arguments = QuantileForecasting.model_arguments(spec, {"quantiles": (0.2, 0.5, 0.9)})
        wanted = ("num_nodes", "in_channels", "input_steps", "horizon", "steps_per_day")
        network = Stid(**{name: arguments[name] for name in wanted}, hidden_channels=8)
        model = trained(QuantileForecasting(network, spec, quantiles=(0.2, 0.5, 0.9)))
        found = forecast(model, tiny_traffic().series)
        assert list(found.quantiles) == [0.2, 0.5, 0.9]
        np.testing.assert_array_equal(found.quantiles[0.5], found.values)
        assert (found.quantiles[0.2] <= found.values).all()
        assert model.units["flow_quantiles"] == "vehicles/h"

    def test_sensors_are_matched_by_name(self):
        model, series = forecaster(), tiny_traffic().series
        order = [3, 0, 4, 1, 2]
        mixed = dataclasses.replace(
            series, values=series.values[:, order], observed=series.observed[:, order],
            sensor_ids=tuple(series.sensor_ids[k] for k in order), adjacency=None,
        )  # fmt: skip
        found, expected = forecast(model, mixed), forecast(model, series)
        assert found.sensor_ids == expected.sensor_ids == series.sensor_ids
        np.testing.assert_allclose(found.values, expected.values)

    def test_absent_steps_count_as_unobserved(self):
        model, series = forecaster(), tiny_traffic().series
        gone = np.isin(np.arange(192), [188, 189])
        absent = dataclasses.replace(
            series, values=series.values[~gone], observed=series.observed[~gone],
            times=series.times[~gone],
        )  # fmt: skip
        unobserved = dataclasses.replace(
            series, values=series.values * ~gone[:, None, None],
            observed=series.observed & ~gone[:, None],
        )  # fmt: skip
        found, expected = forecast(model, absent), forecast(model, unobserved)
        np.testing.assert_array_equal(found.values, expected.values)
        record = model.spec.record.with_reading({"absent_rows": "closed"})
        object.__setattr__(model.spec, "record", record)
        closed = dataclasses.replace(
            absent, times=series.times[2:], values=absent.values, observed=absent.observed
        )
        same_clock = forecast(model, closed)
        assert not np.array_equal(forecast(model, absent).values, found.values)
        np.testing.assert_array_equal(forecast(model, absent).values[-1], same_clock.values[-1])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda s: dataclasses.replace(s, sensor_ids=tuple("abcdx")), "lacks sensors: e"),
            (lambda s: s.part(slice(0, 5)), "at least 6 steps, the model's lookback window, got 5"),
            (
                lambda s: dataclasses.replace(
                    s, interval=30, times=s.times[0] + (s.times - s.times[0]) // 2
                ),
                "steps of 60 minutes, as in training, got 30 minutes",
            ),
            (
                lambda s: dataclasses.replace(
                    s,
                    observed=s.observed & (np.arange(192) < 186)[:, None],
                    values=s.values * (np.arange(192) < 186)[:, None, None].astype(np.float32),
                ),
                r"the last 6 steps, from 2024-01-08T18:00:00\) contains no reading",
            ),
            (
                lambda s: dataclasses.replace(
                    s, values=np.repeat(s.values, 2, 2), features=("flow", "b"), units=("1", "1")
                ),
                "1 features per sensor, as in training, got 2",
            ),
        ],
    )
    def test_incompatible_series_raises(self, change, message):
        with pytest.raises(ValueError, match=message):
            forecast(forecaster(), change(tiny_traffic().series))


def test_specs_record_elements_of_columns():
    assert tiny_data("potential").spec.elements == ()
