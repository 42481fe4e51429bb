"""Ensembles: mean and standard deviation in every interface."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_traffic import tiny_traffic
from trained_samples import dynamics, forecaster, molecule, potential

from geozoo.data import Structure
from geozoo.hub import Ensemble, load, loading
from geozoo.hub.forecasts import forecast
from geozoo.hub.structures import predict_store, structure_store


def shaken(make, seed):
    """A model with random weights from a seed."""
    model = make()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return model


def test_mean_and_std_over_members():
    members = [shaken(potential, seed) for seed in range(3)]
    ensemble = Ensemble(members)
    store = structure_store(ensemble.spec, [Structure(*molecule())])
    found = predict_store(ensemble, store)
    alone = [predict_store(member, store) for member in members]
    for name in ("energy", "force"):
        stacked = torch.stack([each[name] for each in alone])
        torch.testing.assert_close(found[name], stacked.mean(0))
        torch.testing.assert_close(found[f"{name}_std"], stacked.std(0))
    assert ensemble.units["force_std"] == "meV/angstrom"
    assert "Ensemble of 3" in repr(ensemble)


def test_identical_members_have_zero_std():
    found = forecast(Ensemble([forecaster(), forecaster()]), tiny_traffic().series)
    alone = forecast(forecaster(), tiny_traffic().series)
    np.testing.assert_allclose(found.values, alone.values)
    assert found.spread.shape == alone.values.shape and not found.spread.any()
    assert alone.spread is None


def test_calculator_reports_std():
    ase = pytest.importorskip("ase")
    from geozoo.engines.ase import GeozooCalculator

    atoms = ase.Atoms(*molecule())
    atoms.calc = GeozooCalculator(Ensemble([shaken(potential, k) for k in range(2)]))
    atoms.get_forces()
    assert atoms.calc.results["energy_std"] > 0
    assert atoms.calc.results["forces_std"].shape == (4, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: [potential()], "at least 2"),
        (lambda: [potential(), dynamics()], "differ in their task"),
    ],
)
def test_incompatible_models_raise(make, message):
    with pytest.raises(ValueError, match=message):
        Ensemble(make())


def test_an_ensemble_in_a_list_counts_as_its_members(monkeypatch):
    members = [shaken(dynamics, seed) for seed in range(3)]
    known = {"two": Ensemble(members[:2]), "third": members[2]}
    inner = loading._load
    monkeypatch.setattr(
        loading, "_load",
        lambda given, *rest: known[given] if given in ("two", "third") else inner(given, *rest),
    )  # fmt: skip
    assert load(["two", "third"]).members == tuple(members)


def test_forecast_of_another_model_is_refused():
    with pytest.raises(ValueError, match="^model must be a forecaster, but .* on geometric data$"):
        forecast(potential(), tiny_traffic().series)
