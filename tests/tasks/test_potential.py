"""Forces: their values, their precision, and every stage of Lightning."""

from typing import Any

import pytest
import torch
from lightning import Trainer
from tiny_graphs import Output, TinyModel, tiny_data

from geozoo.data import GeometricSpec
from geozoo.tasks import Potential


def _task(**options: Any) -> Potential:
    torch.manual_seed(0)
    spec = tiny_data("potential").spec
    return Potential(TinyModel(**spec.model_arguments()), spec, **options)


def _trainer(**options: Any) -> Trainer:
    return Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, **options,
    )  # fmt: skip


def test_forces_are_the_negative_gradient_of_the_energy() -> None:
    task, batch = _task().double(), tiny_data("potential").calibration_batch()
    batch = batch.replace(pos=batch.pos.double(), x=batch.x.double())
    force = task.predict(batch)["force"]
    step = 1e-5
    for node, axis in ((0, 0), (5, 2), (11, 1)):
        energies = []
        for sign in (1, -1):
            moved = batch.pos.clone()
            moved[node, axis] += sign * step
            # With the shift of 1e7, the difference would lose digits.
            scaled = task.scaled_derivatives(batch.replace(pos=moved), create_graph=False).energy
            energies.append(scaled.sum().detach() * task.energy_scale)
        slope = (energies[0] - energies[1]) / (2 * step)
        torch.testing.assert_close(force[node, axis], -slope, atol=1e-6, rtol=1e-6)


class Blind(torch.nn.Module):
    """A constant energy per graph, learned or fixed, that does not depend on the positions."""

    def __init__(self, learned: bool) -> None:
        super().__init__()
        self.level = torch.nn.Parameter(torch.zeros(1), requires_grad=learned)

    def forward(self, batch: torch.Tensor, **_: Any) -> Output:
        count = int(batch.max()) + 1
        return Output(self.level.expand(count, 1), None)


@pytest.mark.parametrize("learned", [True, False])
def test_energies_independent_of_positions_raise(learned: bool) -> None:
    task = Potential(Blind(learned), tiny_data("potential").spec)
    with pytest.raises(ValueError, match=r"^model must predict energies .*, got Blind"):
        task.predict(tiny_data("potential").calibration_batch())


def test_energies_keep_digits_that_float32_would_lose() -> None:
    energy = _task().predict(tiny_data("potential").calibration_batch())["energy"]
    assert energy.dtype == torch.float64
    assert (energy - energy.float().double()).abs().max() > 1e-3


def test_loss_has_the_published_form() -> None:
    task, batch = _task(), tiny_data("potential").calibration_batch()
    scale, shift = task.energy_scale, task.energy_shift
    predicted = task.predict(batch)
    energy = ((predicted["energy"] - batch.energy) / scale).square().mean()
    force = ((predicted["force"] - batch.forces).double() / scale).square().mean()
    assert shift.abs() > 1e6
    expected = energy / 500 + force
    torch.testing.assert_close(task.loss(batch)["loss"].double(), expected, atol=1e-5, rtol=1e-4)


def test_force_loss_has_second_order_gradients() -> None:
    task, batch = _task(energy_weight=0.0), tiny_data("potential").calibration_batch()
    task.loss(batch)["loss"].backward()
    assert task.model.first.weight.grad.abs().max() > 0


@pytest.mark.parametrize("batch_size", [3, 10])
def test_the_validation_loss_is_the_loss_of_the_whole_split(batch_size: int) -> None:
    task, data = _task(energy_weight=0.3), tiny_data("potential", batch_size=batch_size)
    trainer = _trainer(inference_mode=False)
    (values,) = trainer.validate(task, datamodule=data, verbose=False)
    whole = task.loss(data.store.gather(data.splits["val"]))["loss"]
    assert values["val/loss"] == pytest.approx(float(whole.detach()), rel=1e-4)
    assert task.monitor == "val/loss"


@pytest.mark.parametrize("stage", ["validate", "test"])
def test_forces_in_validation_and_test(stage: str) -> None:
    task, trainer = _task(), _trainer(inference_mode=False)
    (values,) = getattr(trainer, stage)(task, datamodule=tiny_data("potential"), verbose=False)
    part = "val" if stage == "validate" else "test"
    assert 0 < values[f"{part}/force_mae"] < 1e3
    assert 0 < values[f"{part}/energy_mae"] < 1e6


def test_predict_returns_detached_tensors_in_physical_units() -> None:
    task, data = _task(), tiny_data("potential")
    predictions = _trainer(inference_mode=False).predict(task, datamodule=data)
    values = {name: torch.cat([part[name] for part in predictions]) for name in predictions[0]}
    assert {type(value) for value in values.values()} == {torch.Tensor}
    assert values["energy"].shape == (10,)
    assert values["force"].shape == (40, 3)
    assert values["energy"].mean() == pytest.approx(-1.0e7, rel=1e-3)


def test_metrics_do_not_depend_on_the_batch_size() -> None:
    values = []
    for batch_size in (1, 3, 10):
        data = tiny_data("potential", batch_size=batch_size)
        trainer = _trainer(inference_mode=False)
        values.append(trainer.test(_task(test_rotations=2), datamodule=data, verbose=False)[0])
    for other in values[1:]:
        assert other == pytest.approx(values[0], rel=1e-6)


def test_inference_mode_raises_with_the_remedy() -> None:
    with pytest.raises(RuntimeError, match="inference_mode=False"):
        _trainer().validate(_task(), datamodule=tiny_data("potential"), verbose=False)


def test_half_precision_statistics_raise() -> None:
    with pytest.raises(RuntimeError, match="bf16-mixed"):
        _task().bfloat16().predict(tiny_data("potential").calibration_batch())


def test_double_precision_trains() -> None:
    trainer = _trainer(inference_mode=False, precision="64-true", max_epochs=1)
    task = _task()
    trainer.fit(task, datamodule=tiny_data("potential"))
    assert task.model.first.weight.dtype == torch.float64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"out_channels": 2}, "one scalar output"),
        ({"level": "node"}, "level"),
        ({"statistics": {"energy_shift": 0.0}}, "energy_scale"),
    ],
)
def test_data_without_energies_raise(changes: dict[str, Any], message: str) -> None:
    spec = tiny_data("potential").spec
    with pytest.raises(ValueError, match=message):
        Potential(TinyModel(1, 1), GeometricSpec.from_dict({**spec.to_dict(), **changes}))


@pytest.mark.parametrize("weight", [-1.0, float("nan"), 1e300])
@pytest.mark.parametrize("name", ["energy_weight", "force_weight"])
def test_weights_without_a_finite_loss_raise(name: str, weight: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be in 0..1e\\+15, got"):
        _task(**{name: weight})
