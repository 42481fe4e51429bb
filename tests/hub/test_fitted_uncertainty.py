"""Uncertainties computed from a store of structures, without a training run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from trained_samples import dynamics, potential

from geozoo.data import GraphStore
from geozoo.hub import ModelFileError, TrainedModel
from geozoo.hub.uncertainty import Work, compare, fit_uncertainty, potential_of
from geozoo.hub.uncertainty_files import read_posterior, write_posterior
from geozoo.tasks import Potential
from geozoo.tasks._last_layer import FeaturePass

SPLITS = {"train": torch.arange(12), "val": torch.arange(12, 20)}


def store() -> GraphStore:
    """Molecules of three atoms with random labels, every second one without forces."""
    rng = np.random.default_rng(0)
    x = torch.eye(4).repeat(20, 1)[: 3 * 20]
    return GraphStore(
        torch.full((20,), 3),
        node={
            "pos": torch.from_numpy(rng.normal(size=(60, 3))).float(), "x": x,
            "forces": torch.from_numpy(rng.normal(size=(60, 3))).float(),
        },
        graph={
            "energy": -4e6 + 100 * torch.from_numpy(rng.normal(size=20)),
            "has_forces": torch.arange(20) % 2 == 0,
        },
    )  # fmt: skip


def fitted(**options: object) -> tuple[TrainedModel, Potential, Work]:
    model = potential(options)
    task = potential_of(model)
    work = Work.of(store(), SPLITS, task)
    model.uncertainty = fit_uncertainty(model, store(), work, batch_size=5)
    return model, task, work


def test_the_curvature_is_that_of_the_loss() -> None:
    model, task, work = fitted(energy_weight=0.3, force_weight=2.0)
    assert work.train_forces.tolist() != [] and set((work.train_forces % 2).tolist()) == {0}
    features = FeaturePass(task, store().gather(work.train))
    energies = features.of_energies()
    size = energies.shape[1]
    rows = torch.stack(list(features.of_forces(torch.eye(size).double())), -1)
    known = rows.unflatten(0, (12, 3))[::2].reshape(-1, size)
    expected = 0.3 * energies.T @ energies + 2.0 * 12 / len(known) * known.T @ known
    assert model.uncertainty is not None
    torch.testing.assert_close(model.uncertainty.curvature, expected, rtol=1e-4, atol=1e-6)


def test_without_forces_in_the_loss_only_energies_have_an_uncertainty() -> None:
    model, task, work = fitted(force_weight=0.0, energy_weight=1.0)
    assert not len(work.train_forces) and model.uncertainty is not None
    assert model.uncertainty.energy is not None and model.uncertainty.force is None
    assert set(compare(model.predict, task, store(), SPLITS["val"])) == {"energy"}


def test_errors_of_the_validation_split_have_the_stated_coverage() -> None:
    model, task, work = fitted()
    model.gives_force_std = True
    found = compare(model.predict, task, store(), work.val)
    assert model.uncertainty is not None
    for name, each in found.items():
        known = model.uncertainty.calibration(name)
        assert len(each.error) == known.count
        assert each.summary["coverage_68"] == pytest.approx(known.coverage_68)
        # The scale of the largest likelihood: errors in units of their std have mean square 1.
        assert (each.error / each.std).square().mean().item() == pytest.approx(1, rel=1e-3)


def test_files_give_the_same_uncertainty(tmp_path: Path) -> None:
    model, task, _ = fitted()
    assert read_posterior(tmp_path, task) is None
    assert model.uncertainty is not None
    files = write_posterior(tmp_path, model.uncertainty, model.model, {"structures": 12})
    again = read_posterior(tmp_path, task)
    assert again is not None and torch.equal(again.curvature, model.uncertainty.curvature)
    assert (again.energy, again.force) == (model.uncertainty.energy, model.uncertainty.force)
    with torch.no_grad():
        own = task.model.readouts[0].bias.clone()
        task.model.readouts[0].bias.add_(1.0)
    with pytest.warns(UserWarning, match="computed for other weights"):
        assert read_posterior(tmp_path, task) is None
    with torch.no_grad():
        task.model.readouts[0].bias.copy_(own)
    files.matrix.write_bytes(files.matrix.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelFileError, match="corrupt"):
        read_posterior(tmp_path, task)


def test_wrong_models_and_data_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="uncertainties are those of potentials"):
        potential_of(dynamics())
    task = potential_of(potential())
    with pytest.raises(ValueError, match="two validation structures, got 12 and 1"):
        Work.of(store(), {**SPLITS, "val": torch.tensor([12])}, task)
