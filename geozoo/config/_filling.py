"""Completion of a model's config with the values that the dataset defines."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from geozoo.config._check import ConfigError


def fill_missing(
    node: DictConfig, values: Mapping[str, Any], *, left: Collection[str] = (), name: str = "model"
) -> DictConfig:
    """Replace each ``???`` of a node and its groups by the value of its key.

    Args:
        node: the node, which is not modified.
        values: values that the dataset defines (``DataSpec.model_arguments()``).
        left: keys that stay ``???``, because they stand for tensors instead of plain values.
        name: name of the node in messages.

    Raises:
        ConfigError: If ``values`` lacks a key; the message lists all of them.

    >>> node = OmegaConf.create({"dim": "???", "width": 8})
    >>> OmegaConf.to_container(fill_missing(node, {"dim": 3, "level": "node"}))
    {'dim': 3, 'width': 8}
    """
    # A copy as a root node: keys are relative to it, and interpolations are resolved.
    filled = OmegaConf.create(OmegaConf.to_container(node, resolve=True))
    assert isinstance(filled, DictConfig)
    missing = sorted(OmegaConf.missing_keys(filled) - set(left))
    unknown = [f"{name}.{key}" for key in missing if _last(key) not in values]
    if unknown:
        known = ", ".join(sorted([*values, *left]))
        verb = "is" if len(unknown) == 1 else "are"
        raise ConfigError(
            f"{', '.join(unknown)} {verb} not set and the dataset does not define a value; it "
            f"defines {known}. Set a value, for example {unknown[0]}=..."
        )
    for key in missing:
        OmegaConf.update(filled, key, values[_last(key)])
    return filled


def _last(key: str) -> str:
    """The name of a key without its groups."""
    return key.rpartition(".")[2]
