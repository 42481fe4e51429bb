"""The 'true' precisions of Lightning: metrics stay in float64."""

import pytest
import torch
from lightning import Trainer
from tiny_graphs import TinyModel, tiny_data
from tiny_traffic import tiny_gram_ode, tiny_traffic
from torch import nn

from geozoo.models import (
    EGNN,
    HistoricalAverage,
    LastValue,
    PerSensorLinear,
    Ponita,
    SeasonalNaive,
    Stid,
    VectorAutoregression,
)
from geozoo.options import in_groups
from geozoo.tasks import Dynamics, Forecasting, Potential, QuantileForecasting, Regression

DTYPES = {"64-true": torch.float64, "bf16-true": torch.bfloat16, "16-true": torch.float16}
FORECASTERS = {
    "per_sensor_linear": lambda data: PerSensorLinear(1, 6, 3),
    "stid": lambda data: Stid(5, 1, 6, 3, steps_per_day=24, hidden_channels=8),
    "gram_ode": tiny_gram_ode,
    "vector_autoregression": lambda data: VectorAutoregression(5, 3),
    "historical_average": lambda data: HistoricalAverage(5, 24, 3),
    "seasonal_naive": lambda data: SeasonalNaive(24),
    "last_value": lambda data: LastValue(3),
}


def make_trainer(precision, **options):
    return Trainer(
        precision=precision, max_epochs=1, limit_train_batches=4, accelerator="cpu", logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        inference_mode=False, **options,
    )  # fmt: skip


def outcome(task, data, precision):
    """Test metrics after a short training run in the given precision."""
    trainer = make_trainer(precision)
    if hasattr(data, "serve"):
        data.serve(task.model)
    task.prepare(data)
    if task.is_trained:
        trainer.fit(task, datamodule=data)
    trainer.validate(task, datamodule=data, verbose=False)
    return trainer.test(task, datamodule=data, verbose=False)[0]


def make_forecasting(name, **options):
    data = tiny_traffic()
    torch.manual_seed(0)
    return Forecasting(FORECASTERS[name](data), data.spec, **options), data


@pytest.mark.thorough
@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("name", FORECASTERS)
def test_forecasters_train_and_test(name, precision):
    expected = outcome(*make_forecasting(name), "32-true")
    task, data = make_forecasting(name)
    found = outcome(task, data, precision)
    tolerance = {"64-true": 1e-4, "bf16-true": 0.02, "16-true": 0.1}[precision]
    assert found == pytest.approx(expected, rel=tolerance)
    # The baseline does not use the model: it is exact in every precision.
    assert found["test/baseline_flow_mae"] == pytest.approx(
        expected["test/baseline_flow_mae"], rel=1e-6
    )
    for parameter in task.model.parameters():
        assert parameter.dtype == DTYPES[precision]
    assert task.shift.dtype == task.test_errors.sums.absolute.dtype == torch.float64
    assert task.shift.tolist() == data.spec.statistics["shift"]


@pytest.mark.parametrize("precision", DTYPES)
def test_quantiles_train_and_test(precision):
    data = tiny_traffic()
    torch.manual_seed(0)
    task = QuantileForecasting(PerSensorLinear(1, 6, 9), data.spec)
    found = outcome(task, data, precision)
    assert 0 <= found["test/flow_coverage_80"] <= 100


@pytest.mark.parametrize("precision", DTYPES)
def test_the_error_of_a_test_is_that_of_its_predictions(precision):
    task, data = make_forecasting("stid")
    found = outcome(task, data, precision)
    batch = data.store.gather(data.splits["test"])
    error = (task.eval().predict(batch)["flow"].double() - batch.y.double()).abs()
    assert found["test/flow_mae"] == pytest.approx(error[batch.y_observed].mean().item(), rel=1e-5)


GEOMETRIC = {
    "tiny": TinyModel,
    "egnn": lambda lattice, **given: EGNN(**given, hidden_channels=8, num_layers=1),
    "ponita": lambda **given: Ponita(
        hidden_channels=8,
        num_layers=1,
        **in_groups(Ponita, {**given, "basis_channels": 8, "num_orientations": 4}),
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("kind", [Dynamics, Regression])
@pytest.mark.parametrize("name", GEOMETRIC)
def test_geometric_tasks_train_and_test(name, kind, precision):
    found = {}
    for each in ("32-true", precision):
        data = tiny_data("dynamics" if kind is Dynamics else "potential")
        torch.manual_seed(0)
        task = kind(GEOMETRIC[name](**data.spec.model_arguments()), data.spec)
        found[each] = outcome(task, data, each)
    tolerance = 1e-4 if precision == "64-true" else 0.25
    assert found[precision] == pytest.approx(found["32-true"], rel=tolerance)
    assert all(p.dtype == DTYPES[precision] for p in task.model.parameters())


def test_a_potential_trains_in_double_precision_but_not_in_half_precision():
    data = tiny_data("potential")
    task = Potential(TinyModel(**data.spec.model_arguments()), data.spec)
    assert outcome(task, data, "64-true")["test/energy_mae"] > 0
    with pytest.raises(RuntimeError, match="trainer.precision=bf16-mixed"):
        outcome(task, data, "bf16-true")


def test_a_training_loss_is_not_averaged_in_half_precision():
    """In bfloat16 a sum over many windows stops growing."""
    task, data = make_forecasting("per_sensor_linear", optimizer=lambda g: torch.optim.SGD(g, 0.0))
    trainer = make_trainer("bf16-true")
    trainer.fit(task, datamodule=data)
    losses = [task.loss(batch)["loss"].item() for batch in list(data.train_dataloader())[:4]]
    assert trainer.callback_metrics["train/loss"].dtype == torch.float32
    assert float(trainer.callback_metrics["train/loss"]) == pytest.approx(sum(losses) / 4, rel=1e-4)


@pytest.mark.parametrize(
    "change", [nn.Module.bfloat16, lambda t: t.to(torch.float16), nn.Module.double]
)
def test_metrics_stay_in_float64_when_the_task_is_converted(change):
    task, data = make_forecasting("stid")
    change(task)
    task.val_errors.update({"flow": torch.ones(1, 3, 5)}, {"flow": torch.full((1, 3, 5), 1.001)})
    assert task.val_errors.compute()["flow_mae"].dtype == torch.float64
    assert task.val_errors.compute()["flow_mae"].item() == pytest.approx(0.001, rel=1e-3)
