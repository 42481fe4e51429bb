"""Overrides of the config of an earlier run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from geozoo.config import Origins, check, regroup
from geozoo.config.keys import first_lines, no_key_message
from geozoo.config.options import PROVIDED, RunOptions
from geozoo.options import deprecation_message
from geozoo.runs.arguments import key_values
from geozoo.runs.build import check_trainer
from geozoo.runs.errors import RunError
from geozoo.runs.paths import make_absolute

_LOG = logging.getLogger(__name__)
#: Messages that were logged before.
_LOGGED: set[str] = set()


def regroup_and_log(cfg: DictConfig, origins: Origins) -> None:
    """Move options with former names into their groups, in place, and log that once.

    Args:
        cfg: the config.
        origins: the precedence of each key.

    Raises:
        ConfigError: If an option is given by both names.
    """
    moved = regroup(cfg, rank=origins.rank)
    # The runs of a sweep have the same overrides.
    message = deprecation_message(moved)
    if moved and message not in _LOGGED:
        _LOGGED.add(message)
        _LOG.warning(message)


def change_config(
    cfg: DictConfig,
    overrides: Sequence[str],
    *,
    allowed: tuple[str, ...],
    reason: str,
    origin: Path,
) -> None:
    """Apply overrides to the config of a run, in place, and check the whole config.

    Args:
        cfg: the config.
        overrides: see `apply_overrides`.
        allowed: see `apply_overrides`.
        reason: see `apply_overrides`.
        origin: the file that the config comes from, for messages.

    Raises:
        RunError: See `apply_overrides`.
        ConfigError: If an override does not match a signature.
    """
    apply_overrides(cfg, overrides, allowed=allowed, reason=reason)
    make_absolute(cfg)
    check(
        cfg, root=RunOptions, provided=PROVIDED, open_nodes=("model",),
        origin=lambda key: str(origin),
    )  # fmt: skip
    check_trainer(cfg)


def apply_overrides(
    cfg: DictConfig, overrides: Sequence[str], *, allowed: tuple[str, ...], reason: str
) -> None:
    """Set keys of a config, in place.

    Args:
        cfg: the config.
        overrides: ``key=value`` in Hydra's grammar.
        allowed: prefixes of the keys that may change, such as ``"trainer."``.
        reason: why other keys may not change, for the message.

    Raises:
        RunError: If an override is not of the form ``key=value``, its key may not change, a key is
            given more than once, or the physical terms of a potential change.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException, OverrideParseException

    key_values([each.lstrip("+") for each in overrides])
    terms = _terms(cfg)
    parser = OverridesParser.create()
    for given in overrides:
        if not given.lstrip("+").startswith(allowed) or "=" not in given:
            groups = " and ".join(name.rstrip(".") for name in allowed)
            raise RunError(
                f"{given!r} cannot be given here: {reason}; only keys of {groups} may change"
            )
        try:
            override = parser.parse_override(given)
        except OverrideParseException as error:
            raise RunError(f"{no_key_message(given)}: {first_lines(error)}") from error
        try:
            OmegaConf.update(cfg, override.key_or_group, override.value(), force_add=True)
        except (HydraException, OmegaConfBaseException) as error:
            raise RunError(f"{given!r} does not fit the config: {first_lines(error)}") from error
    regroup_and_log(cfg, Origins([], overrides))
    if _terms(cfg) != terms:
        raise RunError(
            f"task.terms cannot be changed here: the physical terms are part of the trained model; "
            f"it has {terms or 'none'}, got {_terms(cfg)}"
        )


def _terms(cfg: DictConfig) -> Any:
    """The physical terms of a potential, as plain data; None for other tasks and earlier runs."""
    node = OmegaConf.select(cfg, "task.terms")
    return OmegaConf.to_container(node) if isinstance(node, DictConfig) else node
