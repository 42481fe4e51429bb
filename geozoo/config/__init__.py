"""Entries of the zoo, and the composition and validation of their configs."""

from typing import TYPE_CHECKING

from geozoo.config._compose import (
    CONFIG_NAME,
    check_own,
    compose,
    forced_overrides,
    plain_override,
)
from geozoo.config._entries import (
    Entry,
    Recipe,
    all_entries,
    configs_folder,
    entries,
    group_names,
    own_entries,
    own_problems,
    recipes,
    standard_task,
    trainer_variants,
    use_own_folder,
    zoo_folder,
)
from geozoo.config._nearest import did_you_mean, nearest
from geozoo.config._packages import PackageError, packages_of, registered_targets
from geozoo.config._registering import register_entries

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
    "PackageError",
    "Recipe",
    "all_entries",
    "check",
    "check_own",
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
    "own_entries",
    "own_problems",
    "packages_of",
    "path_values",
    "places_of_key",
    "plain_override",
    "recipes",
    "register_entries",
    "registered_targets",
    "regroup",
    "short_name",
    "standard_task",
    "trainer_variants",
    "use_own_folder",
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
