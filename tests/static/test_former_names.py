"""Import paths of earlier versions: what runs and models hold, and what programs import."""

import importlib
import warnings

import pytest


def test_the_trainer_that_earlier_runs_name():
    from geozoo.cli.trainer import Trainer
    from geozoo.runs import Trainer as CurrentTrainer

    assert Trainer is CurrentTrainer


@pytest.mark.parametrize(
    ("former", "current"),
    [
        ("geozoo.geometry.bond_orders", "geozoo.data.bond_orders"),
        (
            "geozoo.geometry.distances_from_coordinates",
            "geozoo.data.distances_from_coordinates",
        ),
        ("geozoo.geometry.semantic_adjacency", "geozoo.data.semantic_adjacency"),
        ("geozoo.nn.LowRankUpdate", "geozoo.tasks.LowRankUpdate"),
        ("geozoo.zoo.compose", "geozoo.config.compose"),
        ("geozoo.zoo.ConfigError", "geozoo.config.ConfigError"),
    ],
)
def test_former_names_warn_and_lead_on(former, current):
    (package, name), (now, _) = former.rsplit(".", 1), current.rsplit(".", 1)
    with pytest.warns(DeprecationWarning, match=now):
        found = getattr(importlib.import_module(package), name)
    assert found is getattr(importlib.import_module(now), name)


def test_names_that_never_were_raise():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for package in ("geometry", "nn", "zoo", "runs"):
            with pytest.raises(AttributeError, match="no_such_name"):
                importlib.import_module(f"geozoo.{package}").no_such_name  # noqa: B018
