"""Physical terms of a potential: added to predictions, subtracted from what the network learns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from periodic_data import MixedData

from geozoo.data import GeometricSpec, GraphDataModule, LoadedData
from geozoo.data.molecules.atom_energies import fit_atom_energies
from geozoo.models import PaiNN
from geozoo.tasks import Potential, Terms

ELEMENTS = (14, 1)


class Compressed(MixedData):
    """The mixed data with elements; crystals and molecules with overlapping atoms."""

    def __init__(self, statistics: dict[str, float] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.statistics = statistics

    def load(self) -> LoadedData:
        data = super().load()
        spec = replace(data.spec, elements=ELEMENTS)
        if self.statistics is not None:
            spec = replace(spec, statistics=self.statistics)
        return replace(data, spec=spec)


def task(data: GraphDataModule, terms: Any = None, **options: Any) -> Potential:
    torch.manual_seed(0)
    model = PaiNN(2, 1, hidden_channels=8, num_layers=1, num_basis=4, radius=2.5).double()
    terms = Terms(zbl=True) if terms is None else terms
    options = {"augment": False, "any_composition": True, "terms": terms, **options}
    assert isinstance(data.spec, GeometricSpec)
    return Potential(model, data.spec, **options)


def test_nothing_is_added_by_default() -> None:
    assert Potential(PaiNN(2, 1), Compressed().spec).terms is None
    assert task(Compressed(), {"zbl": False}).terms is None


def test_the_prediction_is_the_network_plus_the_terms() -> None:
    data = Compressed()
    both, alone, batch = task(data), task(data, Terms()), data.calibration_batch(6)
    terms, predicted, network = both.terms(batch), both.predict(batch), alone.predict(batch)
    assert terms.energy.abs().max() > 1e3 and terms.virial.abs().max() > 1e3
    torch.testing.assert_close(predicted["energy"], network["energy"] + terms.energy)
    torch.testing.assert_close(predicted["force"], network["force"] + terms.force)
    volume = batch.cell.det().abs()[:, None, None]
    with_volume = batch.pbc.all(1)
    expected = network["stress"] - terms.virial / volume
    torch.testing.assert_close(predicted["stress"][with_volume], expected[with_volume])
    assert predicted["stress"][~with_volume].isnan().all()
    per_atom = predicted["energy"] / batch.ptr.diff()
    torch.testing.assert_close(predicted["energy_per_atom"], per_atom)


def test_forces_and_stress_are_derivatives_of_the_sum() -> None:
    data, step = Compressed(), 1e-5
    both, batch = task(data), data.calibration_batch(6)
    predicted = both.predict(batch)
    node = int(both.terms(batch).force.abs().amax(1).argmax())
    for axis in range(3):
        change = torch.zeros_like(batch.pos)
        change[node, axis] = step
        up, down = (both.predict(batch.replace(pos=batch.pos + s * change)) for s in (1, -1))
        slope = (up["energy"] - down["energy"]).sum() / (2 * step)
        torch.testing.assert_close(predicted["force"][node, axis], -slope, atol=1e-3, rtol=1e-6)
    graph = int((both.terms(batch).virial.abs().amax((1, 2)) * batch.pbc.all(1)).argmax())
    volume = batch.cell[graph].det().abs()
    for row, column in ((0, 0), (1, 2)):
        found = []
        for sign in (1, -1):
            strain = torch.zeros(3, 3).double()
            strain[row, column] += sign * step / 2
            strain[column, row] += sign * step / 2
            bent = batch.replace(
                pos=batch.pos + batch.pos @ strain, cell=batch.cell + batch.cell @ strain
            )
            found.append(both.predict(bent)["energy"][graph])
        slope = (found[0] - found[1]) / (2 * step) / volume
        expected = predicted["stress"][graph, row, column]
        torch.testing.assert_close(expected, slope, atol=1e-3, rtol=1e-6)


def test_the_loss_compares_the_sum_with_the_labels() -> None:
    data = Compressed(with_masks=False, with_cells=False)
    both, batch = task(data), data.calibration_batch(6)
    predicted, scale = both.predict(batch), both.energy_scale
    energy = ((predicted["energy"] - batch.energy) / scale).square().mean()
    force = ((predicted["force"] - batch.forces) / scale).square().mean()
    torch.testing.assert_close(both.loss(batch)["loss"], energy / 500 + force)


def test_validation_and_training_losses_agree_with_masks_and_stress() -> None:
    data = Compressed(batch_size=24)
    both = task(data)
    both.prepare(data)
    batch = data.calibration_batch()
    both.train()
    loss = both.loss(batch)["loss"].detach()
    both.eval()
    both.validation_step(batch, 0)
    torch.testing.assert_close(both.validation_loss({}), loss, rtol=1e-6, atol=0)


def test_stored_terms_equal_computed_ones_and_rotate() -> None:
    data, fresh = Compressed(), Compressed()
    both = task(data, augment=True)
    both.extend_data(data)
    stored, computed = data.calibration_batch(6), fresh.calibration_batch(6)
    assert both.terms.known(stored) is not None and both.terms.known(computed) is None
    losses = []
    for batch in (stored, computed):
        rotated = both.training_batch(batch, 0)
        assert not torch.equal(rotated.pos, batch.pos)
        losses.append(both.loss(rotated)["loss"].detach())
    torch.testing.assert_close(*losses)


def test_other_terms_do_not_use_the_stored_ones() -> None:
    data = Compressed()
    both = task(data)
    both.extend_data(data)
    other = replace(Terms(zbl=True)).build(data.spec)
    assert other.known(data.calibration_batch()) is not None
    other = type(other)(list(other.terms), ELEMENTS, "other")
    assert other.known(data.calibration_batch()) is None


def prepared(statistics: dict[str, float], reference: str | None = None) -> tuple[Any, ...]:
    data = Compressed(statistics, with_masks=False, with_cells=False)
    spec = data.spec
    if reference is not None:
        files = replace(spec.record.files, energy_reference=reference)
        record = replace(spec.record, structures=files)
        data._data = replace(data.data, spec=replace(spec, record=record))
    both = task(data)
    batch = data.store.gather(data.splits["train"])
    terms = both.terms(batch)
    both.prepare(data)
    counts = torch.zeros(batch.num_graphs, 2).double().index_add(0, batch.batch, batch.x)
    return both, batch, terms, counts


def test_the_mean_energy_is_that_of_the_remainder() -> None:
    base = {"energy_scale": 7.0}
    mean = float(Compressed().calibration_batch().energy.mean())
    both, batch, terms, _ = prepared({**base, "energy_shift": mean + 5.0})
    expected = mean + 5.0 - terms.energy.mean()
    torch.testing.assert_close(both.energy_shift, expected)
    rest = batch.forces - terms.force
    torch.testing.assert_close(both.energy_scale, rest.square().mean().sqrt())


def test_fitted_energies_are_those_of_the_remainder() -> None:
    data = Compressed(with_masks=False, with_cells=False)
    batch = data.store.gather(data.splits["train"])
    counts = torch.zeros(batch.num_graphs, 2).double().index_add(0, batch.batch, batch.x)
    silicon, hydrogen = fit_atom_energies(counts, batch.energy).tolist()
    both, batch, terms, counts = prepared(
        {
            "energy_shift": 0.0, "energy_scale": 7.0, "atom_energy_Si": silicon,
            "atom_energy_H": hydrogen, "energy_shift_per_atom": 0.0,
        },
        "fitted",
    )  # fmt: skip
    expected = fit_atom_energies(counts, batch.energy - terms.energy)
    torch.testing.assert_close(both.atom_energies, expected)
    assert float(both.energy_shift) == 0.0


def test_given_energies_stay_up_to_the_shift_per_atom() -> None:
    both, _, terms, counts = prepared(
        {
            "energy_shift": 0.0, "energy_scale": 7.0, "atom_energy_Si": -20.0,
            "atom_energy_H": -40.0, "energy_shift_per_atom": 3.0,
        },
        "given",
    )  # fmt: skip
    atoms = counts.sum(1)
    per_atom = 3.0 - (atoms * terms.energy).sum() / atoms.square().sum()
    expected = torch.tensor([-20.0, -40.0]).double() + per_atom
    torch.testing.assert_close(both.atom_energies, expected)


def test_the_baseline_contains_the_terms() -> None:
    data = Compressed()
    both, batch = task(data), data.calibration_batch(6)
    terms, baseline = both.terms(batch), both.predict_baseline(batch)
    torch.testing.assert_close(baseline["energy"], both.offset(batch) + terms.energy)
    torch.testing.assert_close(baseline["force"], terms.force)


def test_data_without_elements_or_in_other_units_are_refused() -> None:
    spec = Compressed().spec
    with pytest.raises(ValueError, match="terms need atoms .* got 0 elements"):
        Potential(PaiNN(2, 1), replace(spec, elements=()), terms={"zbl": True})
    units = {**spec.units, "energy": "eV"}
    with pytest.raises(ValueError, match="terms need the field 'energy' in meV, .* have eV"):
        Potential(PaiNN(2, 1), replace(spec, units=units), terms={"zbl": True})
    for wrong, message in (
        ({"zlb": True}, "terms has no option 'zlb'; did you mean zbl"),
        ({"zbl": "false"}, "terms.zbl must be true or false, got 'false'"),
        ({"d3_cutoff": 0.0}, "terms.d3_cutoff must be a positive distance, got 0.0"),
    ):
        with pytest.raises(ValueError, match=message):
            Potential(PaiNN(2, 1), spec, terms=wrong)


def test_elements_without_a_number_are_refused() -> None:
    data = Compressed()
    terms = Terms(zbl=True).build(replace(data.spec, elements=(14, 0)))
    with pytest.raises(ValueError, match="terms need the element of every atom"):
        terms(data.calibration_batch(6))
