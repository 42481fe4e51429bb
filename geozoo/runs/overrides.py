"""Changes to the config of an earlier run."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from geozoo.config import Origins, regroup
from geozoo.config.keys import first_lines, no_key_message
from geozoo.options import told
from geozoo.runs.arguments import key_values
from geozoo.runs.errors import RunError

_LOG = logging.getLogger(__name__)
#: What was said already.
_TOLD: set[str] = set()


def regroup_told(cfg: DictConfig, origins: Origins) -> None:
    """Move options that have former names into their groups, in place, and say so once.

    Args:
        cfg: the config.
        origins: tells how late a key was set.

    Raises:
        ConfigError: for an option that is given by both names.
    """
    moved = regroup(cfg, rank=origins.rank)
    # Runs of a sweep have the same words.
    if moved and told(moved) not in _TOLD:
        _TOLD.add(told(moved))
        _LOG.warning(told(moved))


def apply_overrides(
    cfg: DictConfig, words: Sequence[str], *, allowed: tuple[str, ...], reason: str
) -> None:
    """Set keys of a config, in place.

    Args:
        cfg: the config.
        words: ``key=value`` in Hydra's grammar.
        allowed: beginnings of the keys that may change, such as ``"trainer."``.
        reason: why others may not.

    Raises:
        RunError: for a word that is no ``key=value`` or whose key may not change, or a key that is
            given more than once.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException, OverrideParseException

    key_values([word.lstrip("+") for word in words])
    parser = OverridesParser.create()
    for word in words:
        if not word.lstrip("+").startswith(allowed) or "=" not in word:
            groups = " and ".join(name.rstrip(".") for name in allowed)
            raise RunError(
                f"{word!r} cannot be given here: {reason}; only keys of {groups} may change"
            )
        try:
            override = parser.parse_override(word)
        except OverrideParseException as error:
            raise RunError(f"{no_key_message(word)}: {first_lines(error)}") from error
        try:
            OmegaConf.update(cfg, override.key_or_group, override.value(), force_add=True)
        except (HydraException, OmegaConfBaseException) as error:
            raise RunError(f"{word!r} does not fit the config: {first_lines(error)}") from error
    regroup_told(cfg, Origins([], words))
