"""Quantile forecasts: ordering, pinball loss and coverage."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_traffic import tiny_traffic

from geozoo.metrics import ForecastErrors, QuantileErrors, pinball
from geozoo.models import Stid
from geozoo.tasks import QuantileForecasting

LEVELS = (0.1, 0.25, 0.5, 0.9)


def task(levels=LEVELS, **options):
    torch.manual_seed(0)
    data = tiny_traffic()
    arguments = QuantileForecasting.model_arguments(data.spec, {"quantiles": levels})
    wanted = ("num_nodes", "in_channels", "input_steps", "horizon", "steps_per_day")
    model = Stid(**{name: arguments[name] for name in wanted}, hidden_channels=8)
    return QuantileForecasting(model, data.spec, quantiles=levels, **options), data


def test_quantiles_never_cross():
    each, data = task()
    with torch.no_grad():
        for parameter in each.model.parameters():
            parameter.mul_(5.0)
    found = each.eval().predict(data.store.gather([0, 7, 30]))
    quantiles = found["flow_quantiles"]
    assert quantiles.shape == (3, 4, 3, 5)
    assert (quantiles.diff(dim=1) >= 0).all()
    torch.testing.assert_close(found["flow"], quantiles[:, 2])


def test_the_pinball_loss_is_minimal_at_the_quantile():
    random = np.random.default_rng(0)
    truth = torch.from_numpy(random.gamma(2.0, size=20_000))[:, None, None]
    for level in (0.1, 0.5, 0.8):
        best = float(np.quantile(truth.numpy(), level))
        losses = [
            pinball(torch.full((len(truth), 1, 1, 1), best + step), truth, [level]).mean()
            for step in (-0.1, 0.0, 0.1)
        ]
        assert losses[1] < losses[0] and losses[1] < losses[2]


@pytest.mark.parametrize("scale", ["physical", "scaled"])
def test_training_lowers_the_loss_and_reaches_the_coverage(scale):
    each, data = task((0.1, 0.5, 0.9), loss_scale=scale)
    optimizer = torch.optim.Adam(each.parameters(), lr=1e-2)
    batch = data.store.gather(data.splits["train"])
    first = float(each.loss(batch)["loss"].detach())
    for _ in range(150):
        optimizer.zero_grad()
        loss = each.loss(batch)["loss"]
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.5 * first
    errors = each.eval().test_errors
    errors.update(each.predict(batch), each.targets(batch))
    assert 65 < float(errors.compute()["flow_coverage_80"]) < 95


def test_coverage_width_and_pinball_loss_match_hand_computed_values():
    nan = float("nan")
    truth = torch.tensor([[[1.0, nan], [5.0, 2.0]]])
    quantiles = torch.tensor([[[[0.0, 0.0]] * 2, [[1.0, 1.0]] * 2, [[3.0, 3.0]] * 2]])
    errors = QuantileErrors(ForecastErrors("flow", 2, {}), (0.1, 0.5, 0.9), mask="observed")
    errors.update({"flow": quantiles[:, 1], "flow_quantiles": quantiles}, {"flow": truth})
    found = {name: float(value) for name, value in errors.compute().items()}
    assert found["flow_coverage_80"] == pytest.approx(100 * 2 / 3)
    assert found["flow_width"] == 3.0
    by_hand = [
        (0.1 * 1 + 0.0 + 0.1 * 2) / 3, (0.1 * 5 + 0.5 * 4 + 0.9 * 2) / 3,
        (0.1 * 2 + 0.5 * 1 + 0.1 * 1) / 3,
    ]  # fmt: skip
    assert found["flow_pinball"] == pytest.approx(np.mean(by_hand))
    assert found["flow_mae"] == pytest.approx((0 + 4 + 1) / 3)
    errors.reset()
    assert "flow_width" not in errors.compute()


@pytest.mark.parametrize("levels", [(0.5,), (0.1, 0.9), (0.9, 0.5), (0.0, 0.5), (0.5, 1.0), ()])
def test_invalid_levels_raise(levels):
    with pytest.raises(ValueError, match="quantiles must be at least two increasing levels"):
        task(levels)


def test_a_model_with_another_number_of_outputs_raises():
    each, data = task()
    each.model = Stid(5, 1, 6, 3, 24, hidden_channels=8)
    with pytest.raises(
        ValueError, match="must have horizon=12 outputs for 3 steps of 4 quantiles, got 3"
    ):
        each.predict(data.store.gather([0]))


def test_a_fitted_model_raises():
    from geozoo.models import HistoricalAverage

    spec = tiny_traffic().spec
    with pytest.raises(ValueError, match="got the fitted model HistoricalAverage"):
        QuantileForecasting(HistoricalAverage(5, 24, 3), spec)


def test_units_of_the_metrics():
    units = task()[0].metric_units()
    assert units["flow_coverage_80"] == "%" and units["flow_width"] == "vehicles/h"
