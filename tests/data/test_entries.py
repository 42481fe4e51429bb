"""The entry folders of the datasets: cards, configs and file lists."""

from __future__ import annotations

import dataclasses
import inspect
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from geozoo.data import LoaderOptions

ENTRIES = Path(__file__).resolve().parents[2] / "datasets"
NAMES = sorted(path.name for path in ENTRIES.iterdir() if path.is_dir())


def config(name: str) -> dict:
    return yaml.safe_load((ENTRIES / name / "config.yaml").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_config_is_the_signature_of_its_class(name: str) -> None:
    values = config(name)
    module, _, attribute = values.pop("_target_").rpartition(".")
    standard = values.pop("defaults")
    parameters = inspect.signature(getattr(import_module(module), attribute)).parameters
    assert set(values) == set(parameters)
    assert [list(entry) for entry in standard] == [["/task@_global_.task"]]


@pytest.mark.parametrize("name", NAMES)
def test_config_repeats_the_defaults_of_its_class(name: str) -> None:
    values = config(name)
    module, _, attribute = values.pop("_target_").rpartition(".")
    parameters = inspect.signature(getattr(import_module(module), attribute)).parameters
    for key, parameter in parameters.items():
        default = parameter.default
        if dataclasses.is_dataclass(default):  # options in a group are a mapping in the config
            given = {
                name: tuple(v) if isinstance(v, list) else v for name, v in values[key].items()
            }
            assert given == dataclasses.asdict(default), key
        elif default not in (parameter.empty, None, ()):
            value = tuple(values[key]) if isinstance(default, tuple) else values[key]
            assert value == default, key


@pytest.mark.parametrize("name", NAMES)
def test_loader_of_the_config_is_complete(name: str) -> None:
    loader = config(name)["loader"]
    assert loader.pop("_target_") == "geozoo.data.LoaderOptions"
    assert set(loader) == set(inspect.signature(LoaderOptions).parameters)
    LoaderOptions(**loader)


@pytest.mark.parametrize("name", NAMES)
def test_card_names_what_a_user_needs(name: str) -> None:
    card = (ENTRIES / name / "README.md").read_text().lower()
    for word in ("origin", "licence", "citation", "## fields", "splits", "known"):
        assert word in card, word


def test_entries_hold_no_code() -> None:
    assert list(ENTRIES.rglob("*.py")) == []
