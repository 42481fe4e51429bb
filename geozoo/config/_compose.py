"""Composition of a config from overrides, in a program or a notebook."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from geozoo.config._entries import own_folder, own_problems
from geozoo.config._packages import PackageError
from geozoo.config._registering import register_entries
from geozoo.options import deprecation_message

if TYPE_CHECKING:
    from omegaconf import DictConfig

#: Name of the primary config in ``geozoo/configs``.
CONFIG_NAME = "train"
_NAMES = re.compile(r"[\w.-]+(,[\w.-]+)*")
_DELAYED = re.compile(r"\$\{oc\.decode:([\w.-]+)\}")


def compose(*overrides: str) -> DictConfig:
    """The config that ``geozoo-train`` would run with these overrides.

    Options with deprecated names are moved into their groups; a `FutureWarning` lists them.

    Args:
        overrides: ``group=name`` and ``key=value`` in Hydra's grammar.

    >>> compose("dataset=rmd17", "recipe=none").dataset.molecule
    'aspirin'
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module

    from geozoo.config._grouping import regroup
    from geozoo.config._origins import Origins

    check_own(overrides)
    register_entries()
    with initialize_config_module("geozoo.configs", version_base="1.3"):
        cfg = hydra_compose(CONFIG_NAME, [*_search_path(), *forced_overrides(overrides)])
    given = [each for each in overrides if "." in each.partition("=")[0]]  # no choices of entries
    if moved := regroup(cfg, rank=Origins([], given).rank):
        warnings.warn(deprecation_message(moved), FutureWarning, stacklevel=2)
    return cfg


def _search_path() -> list[str]:
    """The override that makes Hydra search the user's folder of configs, if there is one."""
    folder = own_folder()
    return [] if folder is None else [f"hydra.searchpath=['file://{folder}']"]


def check_own(overrides: Sequence[str]) -> None:
    """Reject chosen models and datasets that an installed package registers and that are unusable.

    Args:
        overrides: the command line.

    Raises:
        PackageError: For the first of them; the message names the package.
    """
    for override in overrides:
        key, _, value = override.partition("=")
        for name in value.split(","):
            if problems := own_problems(key, name.strip()):
                raise PackageError(problems[0])


def forced_overrides(overrides: Sequence[str]) -> list[str]:
    """The overrides in the form that Hydra receives.

    Nested keys get the prefix ``++``, so that Hydra accepts any key: the check of the composed
    config then reports unknown keys against the signatures, and every argument of a class may be
    set, whether or not the YAML file lists it. The name of a recipe becomes an interpolation, which
    Hydra resolves after the trainer is known, as the variant of the recipe depends on it.

    >>> forced_overrides(["recipe=ponita-nbody", "model.num_layers=3", "seed=1"])
    ['recipe=${oc.decode:ponita-nbody}', '++model.num_layers=3', 'seed=1']
    """
    return [_forced(override) for override in overrides]


def plain_override(override: str) -> str:
    """The inverse of `forced_overrides` for one override.

    >>> [plain_override(each) for each in forced_overrides(["recipe=none", "model.num_layers=3"])]
    ['recipe=none', 'model.num_layers=3']
    """
    return _DELAYED.sub(r"\1", override.lstrip("+"))


def _forced(override: str) -> str:
    key, equals, value = override.partition("=")
    if key == "recipe" and _NAMES.fullmatch(value):
        return "recipe=" + ",".join(f"${{oc.decode:{name}}}" for name in value.split(","))
    is_nested = equals and "." in key and not override.startswith(("-", "+", "~", "hydra"))
    return f"++{override}" if is_nested else override
