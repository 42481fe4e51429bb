"""What a data set says of a model's constructor is enough to build every model of the zoo."""

from __future__ import annotations

import pytest
import torch
from omegaconf import OmegaConf
from test_model_contract import ENTRIES, is_geometric, read

from geozoo.config import ConfigError
from geozoo.contracts import Fitted
from geozoo.data import ForecastSpec, GeometricSpec
from geozoo.runs.build import complete_model

FORECASTERS = [name for name in ENTRIES if not is_geometric(name)]
#: Graphs are tensors of the data, not part of its description.
GRAPHS = ("road_adjacency", "spatial_adjacency", "semantic_adjacency")


@pytest.mark.parametrize("name", [name for name in ENTRIES if is_geometric(name)])
def test_a_geometric_model_is_built_from_the_description_alone(name: str) -> None:
    spec = GeometricSpec(level="graph", dim=3, in_channels=4, out_channels=2)
    kind, _ = read(name)
    arguments = spec.model_arguments(kind)
    assert arguments["in_channels"] == 4
    model = kind(**arguments)
    pos, x, batch = torch.randn(5, 3), torch.randn(5, 4), torch.tensor([0, 0, 0, 1, 1])
    if isinstance(model, Fitted):
        model.fit(torch.randn(2, 2), x=x, batch=batch)
    assert model(pos, x, batch).scalar.shape == (2, 2)


@pytest.mark.parametrize("name", FORECASTERS)
def test_a_forecaster_is_built_from_the_description_and_its_graphs(name: str) -> None:
    spec = ForecastSpec(
        num_nodes=3, in_channels=1, input_steps=12, horizon=12, interval=5, target="flow"
    )
    kind, config = read(name)
    graphs = {key: torch.rand(3, 3) for key in GRAPHS if key in config}
    arguments = spec.model_arguments(kind)
    assert set(arguments) <= {
        "num_nodes", "in_channels", "input_steps", "horizon", "steps_per_day"
    }  # fmt: skip
    assert kind(**arguments, **graphs) is not None


def test_outputs_that_a_model_lacks_are_refused() -> None:
    spec = GeometricSpec(level="node", dim=3, in_channels=1, out_vectors=1)
    with pytest.raises(
        ValueError, match=r"^SchNet has no vector outputs, but the dataset requires"
    ):
        spec.model_arguments(read("schnet")[0])


def test_a_class_that_passes_its_arguments_on_is_given_all() -> None:
    spec = GeometricSpec(level="node", dim=3, in_channels=1, out_vectors=1)

    def make(**options: object) -> object:
        return options

    assert spec.model_arguments(make) == spec.model_arguments()


def test_a_config_without_the_outputs_of_the_data_is_refused() -> None:
    node = OmegaConf.create({"_target_": "my.SchNet", "dim": "???", "out_channels": "???"})
    wanted = {"dim": 3, "out_channels": 1, "out_vectors": 0}
    assert complete_model(node, wanted).out_channels == 1
    message = r"^model: my\.SchNet has no vector outputs, but the dataset requires 2 .*out_vectors"
    with pytest.raises(ConfigError, match=message):
        complete_model(node, {**wanted, "out_vectors": 2})
    free = OmegaConf.create({"width": 3})
    assert complete_model(free, {**wanted, "out_vectors": 2}).width == 3
