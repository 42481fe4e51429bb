"""Requirements on every task: losses, predictions, averaging and calibration."""

import pytest
import torch
from tiny_graphs import SkewedModel, TinyData, TinyModel, tiny_data

from geozoo.models import Ponita
from geozoo.options import in_groups
from geozoo.tasks import Dynamics, GraphTask, Potential, Regression

TASKS = {
    "dynamics": (Dynamics, "dynamics", {}),
    "potential": (Potential, "potential", {}),
    "regression": (Regression, "potential", {"target": "energy"}),
}


def make_task(
    name: str, *, model: type[TinyModel] = TinyModel, **options: object
) -> tuple[GraphTask, TinyData]:
    kind, data_kind, needed = TASKS[name]
    data = tiny_data(data_kind)
    torch.manual_seed(0)
    task = kind(model(**data.spec.model_arguments()), data.spec, **needed, **options)
    return task, data


@pytest.mark.parametrize("name", TASKS)
def test_predictions_have_the_shape_of_their_targets(name: str) -> None:
    task, data = make_task(name)
    batch = data.calibration_batch()
    predictions, targets = task.predict(batch), task.targets(batch)
    assert predictions.keys() == targets.keys()
    for quantity, value in predictions.items():
        assert value.shape == targets[quantity].shape
        assert not value.requires_grad


@pytest.mark.parametrize("name", TASKS)
def test_baselines_depend_on_the_training_split_only(name: str) -> None:
    task, data = make_task(name)
    batch = data.calibration_batch()
    baseline, targets = task.predict_baseline(batch), task.targets(batch)
    assert {key: value.shape for key, value in baseline.items()} == {
        key: value.shape for key, value in targets.items()
    }
    if name == "dynamics":
        assert torch.equal(baseline["position"], batch.pos)
    else:
        assert set(baseline["energy"].tolist()) == {data.spec.statistics["energy_shift"]}
        assert not baseline.get("force", torch.zeros(1)).any()


@pytest.mark.parametrize("name", TASKS)
def test_loss_trains_every_parameter(name: str) -> None:
    task, data = make_task(name)
    task.loss(data.calibration_batch())["loss"].backward()
    for parameter_name, parameter in task.model.named_parameters():
        if name == "potential" and parameter_name == "second.bias":
            continue  # a constant energy has no force, and its gradient may vanish
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, parameter_name


@pytest.mark.parametrize("name", TASKS)
def test_averaging_over_rotations_does_not_change_an_equivariant_model(name: str) -> None:
    task, data = make_task(name, test_rotations=5)
    batch = data.calibration_batch()
    once, averaged = task.predict(batch), task.predict_tested(batch)
    for quantity, value in once.items():
        torch.testing.assert_close(averaged[quantity], value, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", TASKS)
def test_averaging_changes_a_model_that_is_not_equivariant(name: str) -> None:
    task, data = make_task(name, model=SkewedModel, test_rotations=5)
    batch = data.calibration_batch()
    once, averaged = task.predict(batch), task.predict_tested(batch)
    assert any((averaged[key] - once[key]).abs().max() > 1e-3 for key in once)


@pytest.mark.parametrize("name", TASKS)
def test_calibration_happens_once(name: str) -> None:
    task, data = make_task(name)
    before = task.model.second.weight.clone()
    assert task.prepare(data)
    assert task.prepare(data) is None
    assert torch.equal(task.model.second.weight, 2 * before)


@pytest.mark.parametrize("name", TASKS)
def test_a_saved_task_predicts_the_same_numbers_in_the_same_units(name: str) -> None:
    task, data = make_task(name)
    other = make_task(name)[0]
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    for buffer_name, buffer in other.named_buffers():
        if buffer.is_floating_point():
            buffer.fill_(3.0), buffer_name
    other.load_state_dict(task.state_dict())
    batch = data.calibration_batch()
    for quantity, value in task.predict(batch).items():
        assert torch.equal(other.predict(batch)[quantity], value)


@pytest.mark.parametrize("name", TASKS)
def test_a_batch_is_not_changed(name: str) -> None:
    task, data = make_task(name, test_rotations=2)
    batch = data.calibration_batch()
    before = {field: batch.get(field).clone() for field in batch}
    task.loss(batch)
    task.predict_tested(batch)
    assert all(torch.equal(batch.get(field), value) for field, value in before.items())


def test_a_monitor_without_a_best_direction_raises() -> None:
    from geozoo.tasks._quantity import checked_monitor

    names = ["val/speed_mae", "val/speed_coverage_80", "val/validity"]
    assert checked_monitor(None, names) == "val/speed_mae"
    assert checked_monitor("val/validity", names) == "val/validity"
    with pytest.raises(ValueError, match="val/speed_coverage_80 has no best direction"):
        checked_monitor("val/speed_coverage_80", names)


def test_an_unknown_monitor_raises() -> None:
    with pytest.raises(ValueError, match="val/position_mse"):
        make_task("dynamics", monitor="val/energy_mae")


def test_a_negative_seed_raises() -> None:
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        make_task("dynamics", seed=-1)


def test_zero_test_rotations_raise() -> None:
    with pytest.raises(ValueError, match="test_rotations"):
        make_task("dynamics", test_rotations=0)


def test_dynamics_adds_the_displacement_to_the_position() -> None:
    task, data = make_task("dynamics")
    batch = data.calibration_batch()
    with torch.no_grad():
        expected = batch.pos + task(batch).vector[:, 0]
    assert torch.equal(task.predict(batch)["position"], expected)
    loss = task.loss(batch)["loss"]
    torch.testing.assert_close(loss, (expected - batch.y).square().mean())


def test_dynamics_needs_an_output_vector() -> None:
    spec = tiny_data("potential").spec
    with pytest.raises(ValueError, match="output vector"):
        Dynamics(TinyModel(1, 1), spec)


def test_regression_is_an_l1_loss_on_the_standardised_target() -> None:
    task, data = make_task("regression")
    batch = data.calibration_batch()
    shift, scale = (data.spec.statistics[f"energy_{name}"] for name in ("shift", "scale"))
    with torch.no_grad():
        scaled = task(batch).scalar[:, 0]
    expected = (scaled.double() - (batch.energy - shift) / scale).abs().mean()
    torch.testing.assert_close(task.loss(batch)["loss"].double(), expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(task.predict(batch)["energy"], scaled.double() * scale + shift)


def test_regression_needs_a_scalar_output() -> None:
    with pytest.raises(ValueError, match="scalar output"):
        Regression(TinyModel(1, 1), tiny_data("dynamics").spec)


@pytest.mark.parametrize("kind", ["dynamics", "potential"])
def test_training_under_half_precision_autocast(kind: str) -> None:
    losses = []
    for enabled in (False, True):
        torch.manual_seed(0)
        data = tiny_data(kind)
        sizes = {"hidden_channels": 16, "basis_channels": 16, "num_orientations": 8}
        model = Ponita(num_layers=2, **in_groups(Ponita, {**data.spec.model_arguments(), **sizes}))
        task = {"dynamics": Dynamics, "potential": Potential}[kind](model, data.spec)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            losses.append(task.loss(data.calibration_batch())["loss"])
        losses[-1].backward()
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
        assert all(p.grad.dtype == torch.float32 for p in model.parameters() if p.grad is not None)
    assert losses[1] != losses[0]
    torch.testing.assert_close(losses[1].float(), losses[0], rtol=0.05, atol=0.0)
