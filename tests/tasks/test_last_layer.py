"""Uncertainties from the last layers: features, posterior and calibration."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from geozoo import models
from geozoo.data import GeometricSpec, GraphBatch, GraphStore
from geozoo.models import PaiNN
from geozoo.options import in_groups
from geozoo.tasks import LastLayerPosterior, Potential
from geozoo.tasks._last_layer import FeaturePass, check_linear
from geozoo.tasks._posterior import Calibration, fit_scale

SCALES = {"force_scale_1": 2.0, "force_scale_8": 10.0}
SMALL = {
    "hidden_channels": 8, "num_layers": 2, "num_basis": 4, "radius": 4.0, "degree": 1,
    "tensor_channels": 2, "basis_channels": 4, "num_orientations": 4, "correlation": 2,
}  # fmt: skip
NETWORKS = (
    "Allegro", "CGENN", "EGNN", "MACE", "NequIP", "PaiNN", "Platonic", "Ponita", "Rapidash",
    "SEGNN", "SchNet", "TensorNet",
)  # fmt: skip
#: For posteriors whose scale and prior do not matter.
ANY = Calibration(alpha=2.0, zeta=0.3, count=1, coverage_68=0.7, coverage_95=0.9, largest=1.0)


def spec() -> GeometricSpec:
    return GeometricSpec(
        level="graph", dim=3, in_channels=2, out_channels=1, target="energy", elements=(1, 8),
        vector_fields=("pos", "forces"), units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={"energy_shift": -70.0, "energy_scale": 5.0, **SCALES},
    )  # fmt: skip


def batch() -> GraphBatch:
    """Two molecules, of 3 and 4 atoms."""
    generator = torch.Generator().manual_seed(1)
    x = torch.eye(2, dtype=torch.float64)[torch.tensor([1, 0, 0, 1, 1, 0, 1])]
    random = torch.randn(2, 7, 3, generator=generator, dtype=torch.float64)
    store = GraphStore(
        torch.tensor([3, 4]), node={"pos": 1.3 * random[0], "forces": random[1], "x": x},
        graph={"energy": torch.tensor([-60.0, -80.0], dtype=torch.float64)},
    )  # fmt: skip
    return store.gather(torch.arange(2))


def potential(name: str | type = "PaiNN", **options: Any) -> Potential:
    torch.manual_seed(0)
    kind = getattr(models, name) if isinstance(name, str) else name
    sizes = Potential.model_arguments(spec(), options)
    names = set(kind.__init__.__wrapped__.__code__.co_varnames) if hasattr(
        kind.__init__, "__wrapped__"
    ) else set(kind.__init__.__code__.co_varnames)  # fmt: skip
    small = {key: value for key, value in SMALL.items() if key in names}
    given = {key: value for key, value in sizes.items() if key in names}
    task = Potential(kind(**in_groups(kind, {**given, **small})), spec(), **options)
    return task.double().eval().requires_grad_(False)


def posterior(size: int) -> LastLayerPosterior:
    root = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return LastLayerPosterior(root @ root.T, energy=ANY, force=ANY)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_linear_in_the_weights_that_it_declares(name: str) -> None:
    if name in ("Allegro", "MACE", "NequIP", "SEGNN"):
        pytest.importorskip("e3nn")
    task, data = potential(name), batch()
    check_linear(task, data)
    features, plain = FeaturePass(task, data), task.predict(data)
    weights = torch.cat([each.detach().flatten() for each in features.weights])
    found = features.of_forces(torch.eye(len(weights), dtype=torch.float64))
    # Forces are linear without a constant, unlike energies.
    forces = torch.stack(list(found), -1) @ weights * task.energy_scale
    torch.testing.assert_close(forces, plain["force"], rtol=1e-9, atol=1e-9)


def test_every_geometric_network_is_tested() -> None:
    from geozoo.contracts import LinearlyRead

    kinds = [getattr(models, name) for name in models.__all__]
    declared = {each.__name__ for each in kinds if hasattr(each, "last_weights")}
    assert declared == set(NETWORKS)
    assert isinstance(potential().model, LinearlyRead)


@pytest.mark.parametrize("options", [{}, {"scale_by": "species"}], ids=str)
def test_features_are_sums_of_the_inputs_of_the_last_layer(options: dict[str, Any]) -> None:
    task, data = potential(**options), batch()
    kept: list[Tensor] = []
    task.model.readout[-1].register_forward_hook(lambda _, given, out: kept.append(given[0]))
    found = FeaturePass(task, data).of_energies()
    rows = torch.cat([kept[0], torch.ones(7, 1, dtype=torch.float64)], 1)
    if options:
        rows = rows * torch.tensor([2.0, 10.0]).double()[data.x.argmax(1), None] / 5.0
    expected = torch.stack([each.sum(0) for each in rows.split([3, 4])])
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_variance_is_that_of_bayesian_linear_regression() -> None:
    """Textbook: prior N(0, s^2) of the weights, noise N(0, n^2), N observations."""
    generator = torch.Generator().manual_seed(0)
    observed = torch.randn(30, 5, generator=generator, dtype=torch.float64)
    asked = torch.randn(4, 5, generator=generator, dtype=torch.float64)
    noise, prior = 0.3, 2.0
    kernel = prior**2 * observed @ observed.T + noise**2 * torch.eye(30).double()
    cross = prior**2 * asked @ observed.T
    gaussian = prior**2 * asked @ asked.T - cross @ torch.linalg.solve(kernel, cross.T)
    known = Calibration(noise, noise / prior, 30, 0.68, 0.95, 1.0)
    root = LastLayerPosterior(observed.T @ observed, energy=known).root("energy")
    torch.testing.assert_close(
        (asked @ root).square().sum(1), gaussian.diag(), rtol=1e-10, atol=1e-14
    )


def test_energies_and_forces_of_one_pass_equal_the_plain_prediction() -> None:
    task, data = potential(), batch()
    plain = task.predict(data)
    size = len(FeaturePass(task, data).of_energies()[0])
    found = task.predict_with_std(data, posterior(size), forces=True)
    assert found.keys() == {*plain, "energy_std", "force_std"}
    for name, value in plain.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0)
    assert "force_std" not in task.predict_with_std(data, posterior(size))


def test_stds_are_those_of_an_explicit_jacobian() -> None:
    task, data = potential(), batch()
    own = dict(task.model.named_parameters())
    names = ("readout.2.weight", "readout.2.bias")
    weights = torch.cat([own[name].flatten() for name in names])
    sizes = [own[name].numel() for name in names]

    def predicted(flat: Tensor) -> tuple[Tensor, Tensor]:
        parts = zip(names, flat.split(sizes), strict=True)
        given = {name: part.reshape(own[name].shape) for name, part in parts}
        pos = data.pos.clone().requires_grad_()
        inputs = {**task.inputs(data), "pos": pos}
        out = torch.func.functional_call(task.model, given, kwargs=inputs)
        energy = task.energy_scale * out.scalar[:, 0]
        (gradient,) = torch.autograd.grad(energy.sum(), pos, create_graph=True)
        return energy, -gradient.flatten()

    energies, forces = torch.autograd.functional.jacobian(predicted, weights)
    given = posterior(len(weights))
    covariance = 4.0 * torch.linalg.inv(given.curvature + 0.09 * torch.eye(len(weights)).double())
    found = task.predict_with_std(data, given, forces=True)
    for name, rows in (("energy", energies), ("force", forces)):
        std = (rows @ covariance @ rows.T).diag().sqrt()
        torch.testing.assert_close(found[f"{name}_std"].flatten(), std, rtol=1e-8, atol=1e-10)


def test_force_features_are_finite_differences_of_energy_features() -> None:
    task, data, step = potential(), batch(), 1e-5
    size = len(FeaturePass(task, data).of_energies()[0])
    found = torch.stack(list(FeaturePass(task, data).of_forces(torch.eye(size).double())), -1)
    for atom, axis in ((0, 1), (5, 2)):
        graph, ends = int(data.batch[atom]), []
        for sign in (1, -1):
            pos = data.pos.clone()
            pos[atom, axis] += sign * step
            ends.append(FeaturePass(task, data.replace(pos=pos)).of_energies()[graph])
        slope = -(ends[0] - ends[1]) / (2 * step)
        torch.testing.assert_close(found[atom, axis], slope, rtol=1e-6, atol=1e-8)


class Wrong(PaiNN):
    last_weights: ClassVar[tuple[str, ...]] = ("readout.0.*",)


class Misspelt(PaiNN):
    last_weights: ClassVar[tuple[str, ...]] = ("head.*",)


class Silent(torch.nn.Module):
    pass


def test_networks_without_a_linear_end_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"energies of Wrong must be linear.*readout\.0\.weight"):
        check_linear(potential(Wrong), batch())
    with pytest.raises(ValueError, match="last_weights of Misspelt must match"):
        FeaturePass(potential(Misspelt), batch())
    from geozoo.contracts import last_weight_names

    with pytest.raises(ValueError, match="got Silent, which does not"):
        last_weight_names(Silent())


def test_scale_and_prior_are_those_of_the_largest_likelihood() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(20000, 3, generator=generator, dtype=torch.float64)
    values = torch.tensor([100.0, 1.0, 0.01], dtype=torch.float64)
    std = 0.7 * (rows.square() @ (1 / (values + 0.1))).sqrt()
    errors = std * torch.randn(20000, generator=generator, dtype=torch.float64)
    found = fit_scale(rows, values, errors)
    assert found.alpha == pytest.approx(0.7, rel=0.05)
    assert found.zeta**2 == pytest.approx(0.1, rel=0.5)  # the grid has steps of a factor of 1.8
    torch.testing.assert_close(found.std, std, rtol=0.1, atol=0)
    # Components that vanish by symmetry have no error and no variance.
    still = torch.cat([rows, torch.zeros(1, 3).double()]), torch.cat([errors, torch.zeros(1)])
    again = fit_scale(still[0], values, still[1])
    assert again.alpha == pytest.approx(found.alpha) and again.std[-1] == 0


@pytest.mark.parametrize("errors", [torch.ones(1), torch.zeros(5)], ids=("one", "zeros"))
def test_errors_without_a_scale_are_refused(errors: Tensor) -> None:
    with pytest.raises(ValueError, match="at least two validation targets"):
        fit_scale(torch.ones(len(errors), 2).double(), torch.ones(2).double(), errors.double())


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (torch.ones(2, 3), "square"),
        (torch.full((2, 2), torch.nan), "finite"),
        (torch.zeros(2, 2), "not zero"),
        (torch.tensor([[1.0, 2.0], [0.0, 1.0]]), "symmetric"),
    ],
)
def test_wrong_curvatures_are_refused(matrix: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LastLayerPosterior(matrix)


def test_quantities_that_are_not_calibrated_are_refused() -> None:
    with pytest.raises(ValueError, match="uncertainty of the force is not calibrated"):
        LastLayerPosterior(torch.eye(2), energy=ANY).root("force")
