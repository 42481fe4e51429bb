"""Entries of the zoo, and the composition and validation of their configs."""

from typing import TYPE_CHECKING

from geozoo.config._compose import CONFIG_NAME, compose, forced_overrides, plain_override
from geozoo.config._entries import (
    Entry,
    Recipe,
    configs_folder,
    entries,
    group_names,
    recipes,
    register_entries,
    standard_task,
    trainer_variants,
    zoo_folder,
)
from geozoo.config._nearest import did_you_mean, nearest

if TYPE_CHECKING:
    from geozoo.config._check import ConfigError, check, places_of_key
    from geozoo.config._filling import fill_missing
    from geozoo.config._grouping import regroup, short_name
    from geozoo.config._origins import Layer, Origins, hydra_origins
    from geozoo.config._pairs import check_pair
    from geozoo.config._paths import path_values

__all__ = [
    "CONFIG_NAME",
    "ConfigError",
    "Entry",
    "Layer",
    "Origins",
    "Recipe",
    "check",
    "check_pair",
    "compose",
    "configs_folder",
    "did_you_mean",
    "entries",
    "fill_missing",
    "forced_overrides",
    "group_names",
    "hydra_origins",
    "nearest",
    "path_values",
    "places_of_key",
    "plain_override",
    "recipes",
    "register_entries",
    "regroup",
    "short_name",
    "standard_task",
    "trainer_variants",
    "zoo_folder",
]

#: Names whose modules import omegaconf; imported on first access, so that ``--help`` stays fast.
_LAZY = {
    "ConfigError": "_check",
    "check": "_check",
    "check_pair": "_pairs",
    "places_of_key": "_check",
    "fill_missing": "_filling",
    "path_values": "_paths",
    "regroup": "_grouping",
    "short_name": "_grouping",
    "Layer": "_origins",
    "Origins": "_origins",
    "hydra_origins": "_origins",
}


def __getattr__(name: str) -> object:
    """Import a lazy name."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"geozoo.config.{_LAZY[name]}"), name)
