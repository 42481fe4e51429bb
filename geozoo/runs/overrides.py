"""Overrides of the config of an earlier run."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from geozoo.config import Origins, regroup
from geozoo.config.keys import first_lines, no_key_message
from geozoo.options import deprecation_message
from geozoo.runs.arguments import key_values
from geozoo.runs.errors import RunError

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
    if moved and deprecation_message(moved) not in _LOGGED:
        _LOGGED.add(deprecation_message(moved))
        _LOG.warning(deprecation_message(moved))


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
        RunError: If an override is not of the form ``key=value``, its key may not change, or a key
            is given more than once.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException, OverrideParseException

    key_values([each.lstrip("+") for each in overrides])
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
