"""The keys of a config that are paths: those whose parameter is annotated as one."""

from __future__ import annotations

import os
import pathlib
import pkgutil
import typing
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from geozoo.config._annotations import parameter_types
from geozoo.options import option_groups


def path_values(cfg: DictConfig, *, root: Callable[..., Any] | None = None) -> dict[str, str]:
    """The values of all path keys of a config; keys without a value are left out.

    The paths of a list have the keys ``key[0]``, ``key[1]``, ...

    Args:
        cfg: the composed config.
        root: callable whose parameters are the top-level keys; None: the top level has no paths.

    >>> node = {"_target_": "geozoo.data.LabelledImages", "path": "images.npz", "loader": None}
    >>> path_values(OmegaConf.create({"dataset": node}))
    {'dataset.path': 'images.npz'}
    """
    found: dict[str, str] = {}
    _collect(cfg, "", root, found)
    return found


def _collect(
    node: DictConfig, path: str, target: Callable[..., Any] | None, found: dict[str, str]
) -> None:
    hints = {} if target is None else parameter_types(target)
    groups = option_groups(target)
    for key in node:
        if OmegaConf.is_missing(node, key):
            continue
        value, name = node[key], str(key)
        full = f"{path}.{name}" if path else name
        if isinstance(value, DictConfig):
            _collect(value, full, _target(value) or groups.get(name), found)
        elif _is_path(hints.get(name)):
            several = isinstance(value, ListConfig)
            given = {f"{full}[{i}]": each for i, each in enumerate(value)} if several else {}
            found |= {k: v for k, v in (given or {full: value}).items() if isinstance(v, str)}


def _target(node: DictConfig) -> Callable[..., Any] | None:
    name = node.get("_target_")
    try:
        target: Callable[..., Any] | None = None if name is None else pkgutil.resolve_name(name)
    except (ImportError, ValueError, AttributeError):
        return None  # reported by the check of the config
    return target


def _is_path(annotation: Any) -> bool:
    """Whether a path is among the types of an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, pathlib.PurePath | os.PathLike):
        return True
    return any(_is_path(option) for option in typing.get_args(annotation))
