"""Entries of installed packages and of a folder of configs, good and bad."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from geozoo.config import (
    ConfigError,
    PackageError,
    all_entries,
    check_pair,
    compose,
    entries,
    group_names,
    own_entries,
    own_problems,
    packages_of,
    recipes,
    use_own_folder,
)
from geozoo.config.arguments import wrong_argument
from geozoo.contracts.families import DATA_ARGUMENTS
from geozoo.data import ForecastSpec, GeometricSpec

MODULE = '''
from dataclasses import dataclass

from torch import nn

from geozoo.data import GraphDataModule, LoaderOptions
from tiny_graphs import TinyData, TinyModel


class MyModel(TinyModel):
    """A model of mine.

    It is longer.
    """


class MyData(TinyData):
    """Data of mine."""

    standard_task = "dynamics"


class NoTask(TinyData):
    standard_task = "dynamic"


class Other:
    def forward(self, a):
        return a


def function():
    return MyModel
'''

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Write a package with entry points, as an installer does, and put it on the path."""
    count = 0

    def write(name: str, models: str = "", datasets: str = "") -> None:
        nonlocal count
        count += 1
        site = tmp_path / f"site{count}"
        (site / f"{name}-0.1.dist-info").mkdir(parents=True)
        (site / f"module_of_{name}.py").write_text(MODULE)
        info = site / f"{name}-0.1.dist-info"
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text(
            f"[geozoo.models]\n{models}\n[geozoo.datasets]\n{datasets}\n"
        )
        monkeypatch.syspath_prepend(str(site))

    yield write
    use_own_folder(None)


def test_a_package_adds_a_model_and_a_dataset(install: Install) -> None:
    install("goodone", "my_model = module_of_goodone:MyModel", "my_data=module_of_goodone:MyData")
    (model,), (data,) = own_entries("model"), own_entries("dataset")
    assert (model.name, model.summary, model.origin) == (
        "my_model", "A model of mine.", "goodone 0.1",
    )  # fmt: skip
    assert OmegaConf.create(model.text) == {
        "_target_": "module_of_goodone.MyModel", "width": 8,
        **dict.fromkeys(DATA_ARGUMENTS["geometric"], "???"),
    }  # fmt: skip
    assert data in all_entries("dataset") and data not in entries("dataset")
    assert "my_model" in group_names("model") and not own_problems("model")
    cfg = compose("model=my_model", "dataset=my_data", "dataset.loader.batch_size=5")
    assert cfg.model.width == 8 and cfg.dataset._target_ == "module_of_goodone.MyData"
    assert cfg.task._target_ == "geozoo.tasks.Dynamics" and cfg.dataset.loader.batch_size == 5
    assert packages_of([cfg.model._target_, "geozoo.models.EGNN"]) == {"goodone": "0.1"}


def test_own_data_have_the_recipes_of_their_task(install: Install) -> None:
    before = {recipe.name for recipe in recipes()}
    install("recipeone", datasets="my_energies = module_of_recipeone:MyData")
    new = {recipe.name for recipe in recipes()} - before
    assert all(name.partition("-")[2].startswith("my_energies") for name in new)


def test_names_are_suggested_and_pairs_checked(install: Install) -> None:
    install("pairone", "my_model = module_of_pairone:MyModel", "my_data=module_of_pairone:MyData")
    message = wrong_argument(["model=my_modle"])
    assert message is not None and "Did you mean my_model?" in message
    cfg = compose("model=my_model", "dataset=metr_la")
    with pytest.raises(ConfigError, match="model=my_model takes graphs with positions") as caught:
        check_pair(cfg.model, cfg.dataset, cfg.task, names=("my_model", "metr_la"))
    assert "my_data" in str(caught.value).partition("datasets that fit")[2]


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ("bad = no_such_module:MyModel", "cannot be imported: ModuleNotFoundError"),
        ("bad = module_of_badone:Missing", "cannot be imported: AttributeError"),
        ("bad = module_of_badone", "expected a class, my_package:MyClass"),
        ("bad = module_of_badone:function", "expected a class, got function"),
        ("bad = module_of_badone:Other", "Other is not a model"),
        ("bad = module_of_badone:MyData", "MyData is not a model"),
        ("egnn = module_of_badone:MyModel", "the zoo has a model of this name"),
        ("bad-name = module_of_badone:MyModel", "letters, digits and underscores"),
    ],
)
def test_bad_entry_points_name_their_package(install: Install, point: str, reason: str) -> None:
    install("badone", point)
    name = point.partition(" ")[0]
    (problem,) = own_problems("model")
    assert problem.startswith(f"package badone 0.1: entry point {name} = ") and reason in problem
    assert wrong_argument([f"model={name}"]) == problem
    with pytest.raises(PackageError, match="badone"):
        compose(f"model={name}")
    assert compose("model=ponita").model._target_ == "geozoo.models.Ponita"  # not affected


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ("bad = module_of_badset:MyModel", "MyModel must be a subclass of"),
        ("bad = module_of_badset:NoTask", "got 'dynamic'. Did you mean dynamics?"),
        ("nbody = module_of_badset:MyData", "the zoo has a dataset of this name"),
    ],
)
def test_bad_datasets_name_their_package(install: Install, point: str, reason: str) -> None:
    install("badset", datasets=point)
    (problem,) = own_problems("dataset")
    assert "package badset 0.1" in problem and reason in problem


def test_two_packages_with_one_name_are_both_named(install: Install) -> None:
    install("firstone", "twice = module_of_firstone:MyModel")
    install("secondone", "twice = module_of_secondone:MyModel")
    for problem in own_problems("model", "twice"):
        assert "firstone 0.1, secondone 0.1" in problem
    assert not own_entries("model")


def test_a_folder_of_configs_adds_and_replaces(install: Install, tmp_path: Path) -> None:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    for name in ("mine", "egnn"):
        text = f"# Node behind model={name}: my own.\n_target_: geozoo.models.EGNN\nradius: 2.0\n"
        (tmp_path / "conf" / "model" / f"{name}.yaml").write_text(text)
    use_own_folder(tmp_path / "conf")
    assert [entry.name for entry in own_entries("model")] == ["egnn", "mine"]
    assert [entry.name for entry in all_entries("model")].count("egnn") == 1
    assert compose("model=egnn", "recipe=none").model == compose("model=mine").model
    use_own_folder(None)
    assert compose("model=egnn", "recipe=none").model.radius is None
    assert "mine" not in group_names("model")


def test_a_comparison_of_all_models_has_those_of_packages(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    from geozoo.cli._comparing import _configs
    from geozoo.cli._sweep_arguments import Compare

    # Each config takes half a second; which models are composed is what counts here.
    monkeypatch.setattr("geozoo.cli._comparing.checked", lambda *words: {"model": words[0]})
    install("compared", "my_model = module_of_compared:MyModel")
    options = Compare(dataset="nbody", models=("all",), minutes=1.0)
    configs, errors = _configs(options, [])
    assert {"my_model", "egnn"} <= set(configs) and not errors


def test_the_arguments_that_data_set_are_those_of_the_specifications() -> None:
    graphs = GeometricSpec(level="graph", dim=3, out_channels=1)
    series = ForecastSpec(
        num_nodes=1, in_channels=1, input_steps=1, horizon=1, interval=5, target="flow"
    )
    for spec in (graphs, series):
        assert set(DATA_ARGUMENTS[spec.family]) == set(spec.model_arguments())
