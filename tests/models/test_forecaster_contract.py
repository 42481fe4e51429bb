"""The contract for the forecaster of every folder of the zoo, found by listing."""

import inspect

import pytest
import torch
from test_model_contract import ENTRIES, is_geometric, read

from geozoo import testing
from geozoo.contracts import Fitted, Lagged

NODES, STEPS, HORIZON, DAY = 5, 12, 3, 24
DATA = {
    "num_nodes": NODES, "in_channels": 2, "input_steps": STEPS, "horizon": HORIZON,
    "steps_per_day": DAY,
}  # fmt: skip
TINY = {"hidden_channels": 8, "local_heads": 2, "num_branches": 1, "dropout": 0.0}
FORECASTERS = [name for name in ENTRIES if not is_geometric(name)]


def graph(seed):
    values = torch.rand(NODES, NODES, generator=torch.Generator().manual_seed(seed)).double()
    return 0.2 * (values + values.T)


def build(name, seed=0, **options):
    """The entry's model as configured, but for sizes and what the data set says."""
    kind, config = read(name)
    graphs = {"spatial_adjacency": graph(1), "semantic_adjacency": graph(2)}
    graphs["road_adjacency"] = graph(3)
    given = {**TINY, **DATA, **graphs, **options}
    for node in (config, *(value for value in config.values() if isinstance(value, dict))):
        node |= {key: value for key, value in given.items() if key in node}
    left = [key for key, value in config.items() if isinstance(value, str) and value == "???"]
    assert not left, f"models/{name}/config.yaml: nothing here fills {left}"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind(**config).double().eval()
    if isinstance(model, Fitted):
        random = torch.Generator().manual_seed(seed)
        values = torch.randn(200, NODES, generator=random).double()
        seen = torch.ones(200, NODES, dtype=torch.bool)
        model.fit(values, observed=seen, time=clock(200, 0)[0])
    return model


def clock(steps, *starts):
    rows = [torch.arange(start, start + steps) for start in starts]
    return torch.stack([torch.stack([row % DAY, row // DAY % 7], -1) for row in rows])


def inputs(model, count=3):
    random = torch.Generator().manual_seed(0)
    given = {
        "x": torch.randn(count, STEPS, NODES, 2, generator=random).double(),
        "time": clock(STEPS + HORIZON, *range(0, 7 * count, 7)),
    }
    if isinstance(model, Lagged):
        shape = (count, len(model.lags), HORIZON, NODES)
        given["lagged"] = torch.randn(shape, generator=random).double()
        given["lagged_observed"] = torch.rand(shape, generator=random) > 0.3
    return given


@pytest.mark.parametrize("name", FORECASTERS)
class TestForecaster:
    def test_signature_is_that_of_the_family(self, name):
        parameters = inspect.signature(read(name)[0].forward).parameters
        assert testing.assert_contract(build(name)) == "forecasting"
        assert list(parameters)[1] == "x"
        assert set(parameters) <= {"self", "x", "time", "lagged", "lagged_observed"}
        assert parameters["time"].kind is inspect.Parameter.KEYWORD_ONLY

    def test_forecast_has_the_shape_of_the_truth(self, name):
        model = build(name)
        forecast = model(**inputs(model))
        assert forecast.shape == (3, HORIZON, NODES)
        assert torch.isfinite(forecast).all()

    def test_windows_do_not_meet(self, name):
        model = build(name)
        testing.assert_windows_independent(model, inputs(model))

    def test_dtype_is_kept(self, name):
        if name == "vector_autoregression":
            pytest.skip("regresses in float64 whatever it is given")
        model = build(name)
        testing.assert_dtype_kept(model, inputs(model))

    def test_saved_models_predict_the_same(self, name):
        model = build(name)
        testing.assert_survives_saving(model, lambda: build(name, seed=1), inputs(model))

    def test_inputs_are_left_as_they_are(self, name):
        model = build(name)
        given = inputs(model)
        before = {key: value.clone() for key, value in given.items()}
        model(**given)
        assert all(torch.equal(given[key], value) for key, value in before.items())

    def test_every_parameter_is_trained(self, name):
        model = build(name).train()
        if not list(model.parameters()):
            return
        model(**inputs(model)).square().sum().backward()
        for key, parameter in model.named_parameters():
            assert parameter.grad is not None, key
            assert torch.isfinite(parameter.grad).all(), key
