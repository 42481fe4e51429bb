"""Options that are given by the single names of earlier versions, moved into their groups."""

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

    A key of the command line wins over one of a file, and one of a later file over one of an
    earlier: whichever of the two names it has. Of files that nothing is known of, the former name
    wins, since the groups stand in the entry's own file.

    Args:
        cfg: the config.
        rank: how late a key was set (`Origins.rank`), below 0 where it is not known; None: of no
            key.

    Returns:
        The former name of every option that was found under it, and the present one.

    Raises:
        ConfigError: for an option that one place gives both ways.

    >>> node = {"_target_": "geozoo.models.StgODE", "solver": "rk4", "integrator": {"rtol": 0.1}}
    >>> cfg = OmegaConf.create({"model": node})
    >>> regroup(cfg), cfg.model.integrator
    ({'model.solver': 'model.integrator.solver'}, {'rtol': 0.1, 'solver': 'rk4'})
    """
    moved: dict[str, str] = {}
    faults: list[str] = []
    _walk(cfg, "", rank or (lambda key: -1), moved, faults)
    if faults:
        raise ConfigError("\n".join(faults))
    return moved


def short_name(key: str, cfg: DictConfig) -> str:
    """The name of an option without its group: what the record of results calls it.

    Names of the record do not change with the groups, so that runs keep their ids.

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
    node: DictConfig | ListConfig, path: str, rank: Rank, moved: dict[str, str], faults: list[str]
) -> None:
    if isinstance(node, DictConfig):
        _move(node, path, rank, moved, faults)
    for key in list(node) if isinstance(node, DictConfig) else range(len(node)):
        child = node._get_node(key)
        if isinstance(child, DictConfig | ListConfig) and not (
            child._is_none() or child._is_missing() or child._is_interpolation()
        ):
            _walk(child, _join(path, key), rank, moved, faults)


def _move(
    node: DictConfig, path: str, rank: Rank, moved: dict[str, str], faults: list[str]
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
            continue  # the check of the config says what is wrong with it
        age, present = rank(before), rank(now)
        if age == present >= 0:
            faults.append(f"{before}: the former name of {now}, which is given too; leave it out")
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
        return None  # the check of the config reports it
    return found


def _join(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)
