"""Completing a model's config with what only the data can know."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from geozoo.config._check import ConfigError


def fill_missing(
    node: DictConfig, values: Mapping[str, Any], *, left: Collection[str] = (), name: str = "model"
) -> DictConfig:
    """Replace each ``???`` of a node and its groups by the value of its key, and nothing else.

    Args:
        node: the node, which stays as it is.
        values: what the data says (``DataSpec.model_arguments()``).
        left: keys that stay ``???``, because what they stand for is no plain value: tensors.
        name: the node's name in messages.

    Raises:
        ConfigError: with the list of the keys that ``values`` does not have.

    >>> node = OmegaConf.create({"dim": "???", "width": 8})
    >>> OmegaConf.to_container(fill_missing(node, {"dim": 3, "level": "node"}))
    {'dim': 3, 'width': 8}
    """
    # A node of its own: keys are told from its top, and interpolations stand for their values.
    filled = OmegaConf.create(OmegaConf.to_container(node, resolve=True))
    assert isinstance(filled, DictConfig)
    missing = sorted(OmegaConf.missing_keys(filled) - set(left))
    unknown = [f"{name}.{key}" for key in missing if _last(key) not in values]
    if unknown:
        known = ", ".join(sorted([*values, *left]))
        raise ConfigError(
            f"the data set cannot tell {', '.join(unknown)}; it knows {known}. "
            f"Give a value, for example {unknown[0]}=..."
        )
    for key in missing:
        OmegaConf.update(filled, key, values[_last(key)])
    return filled


def _last(key: str) -> str:
    """The name of a key without the groups that it stands in."""
    return key.rpartition(".")[2]
