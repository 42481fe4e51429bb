"""Options with the flat names of earlier versions, moved into their groups."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from typing import Any, cast

from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict

from geozoo.config._check import ConfigError
from geozoo.options import former_names

Rank = Callable[[str], int]


def regroup(cfg: DictConfig, *, rank: Rank | None = None) -> dict[str, str]:
    """Move options of every ``_target_`` node into the groups of its class, in place.

    A key of the command line takes precedence over one of a file, and one of a later file over one
    of an earlier file, whichever of the two names is used. If the order of the files is unknown,
    the former name takes precedence, since the groups are in the entry's own file.

    Args:
        cfg: the config.
        rank: precedence of a key (`Origins.rank`), negative if unknown; None: unknown for all
            keys.

    Returns:
        The current name of every option that was given by its former name, by former name.

    Raises:
        ConfigError: If one file, or the command line, sets an option by both names.

    >>> node = {"_target_": "geozoo.models.StgODE", "solver": "rk4", "integrator": {"rtol": 0.1}}
    >>> cfg = OmegaConf.create({"model": node})
    >>> regroup(cfg), cfg.model.integrator
    ({'model.solver': 'model.integrator.solver'}, {'rtol': 0.1, 'solver': 'rk4'})
    """
    moved: dict[str, str] = {}
    errors: list[str] = []
    _walk(cfg, "", rank or (lambda key: -1), moved, errors)
    if errors:
        raise ConfigError("\n".join(errors))
    return moved


def short_name(key: str, cfg: DictConfig) -> str:
    """The name of an option without its group, as used in the records of results.

    Names in records do not change with the groups, so that runs keep their ids.

    Args:
        key: ``model.kernel.degree``, or any other key.
        cfg: the config of the run.

    >>> cfg = OmegaConf.create({"model": {"_target_": "geozoo.models.StgODE"}})
    >>> short_name("model.integrator.rtol", cfg), short_name("trainer.max_epochs", cfg)
    ('model.rtol', 'trainer.max_epochs')
    """
    path, _, rest = key.partition(".")
    group, _, option = rest.partition(".")
    node = OmegaConf.select(cfg, path) if path and option else None
    owners = former_names(_target(node)) if isinstance(node, DictConfig) else {}
    return f"{path}.{option}" if owners.get(option) == group else key


def _walk(
    node: DictConfig | ListConfig, path: str, rank: Rank, moved: dict[str, str], errors: list[str]
) -> None:
    if isinstance(node, DictConfig):
        _move(node, path, rank, moved, errors)
    for key in list(node) if isinstance(node, DictConfig) else range(len(node)):
        child = node._get_node(key)
        if isinstance(child, DictConfig | ListConfig) and not (
            child._is_none() or child._is_missing() or child._is_interpolation()
        ):
            _walk(child, _join(path, key), rank, moved, errors)


def _move(
    node: DictConfig, path: str, rank: Rank, moved: dict[str, str], errors: list[str]
) -> None:
    """Move the options of one node."""
    owners = former_names(_target(node))
    if not owners:
        return
    plain = cast(dict[Any, Any], OmegaConf.to_container(node, resolve=False))
    for key, value in plain.items():
        if key not in owners:
            continue
        group = owners[key]
        before, now = _join(path, key), _join(path, f"{group}.{key}")
        if plain.get(group) is not None and not isinstance(plain[group], dict):
            continue  # reported by the check of the config
        age, present = rank(before), rank(now)
        if age == present >= 0:
            errors.append(f"{before}: the former name of {now}, which is also given; leave it out")
        moved[before] = now
        with open_dict(node):
            del node[key]
            if node.get(group) is None:
                node[group] = {}
            if age >= present:
                node[group][key] = value


def _target(node: DictConfig) -> Callable[..., Any] | None:
    name = node.get("_target_")
    if not isinstance(name, str):
        return None
    try:
        found: Callable[..., Any] = pkgutil.resolve_name(name)
    except (ImportError, ValueError, AttributeError):
        return None  # reported by the check of the config
    return found


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)
