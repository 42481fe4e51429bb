"""Composing a config from the words of a command line, in a program or a notebook."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from geozoo.config._entries import register_entries
from geozoo.options import told

if TYPE_CHECKING:
    from omegaconf import DictConfig

#: Name of the primary config in ``geozoo/configs``.
CONFIG_NAME = "train"
_NAMES = re.compile(r"[\w.-]+(,[\w.-]+)*")
_DELAYED = re.compile(r"\$\{oc\.decode:([\w.-]+)\}")


def compose(*words: str) -> DictConfig:
    """The config that ``geozoo-train`` would run with these words.

    Options that are given by their former names stand in their groups; a `FutureWarning` names
    them.

    Args:
        words: ``group=name`` and ``key=value`` in Hydra's grammar.

    >>> compose("dataset=rmd17", "recipe=none").dataset.molecule
    'aspirin'
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module

    from geozoo.config._grouping import regroup
    from geozoo.config._origins import Origins

    register_entries()
    with initialize_config_module("geozoo.configs", version_base="1.3"):
        cfg = hydra_compose(CONFIG_NAME, forced_words(words))
    given = [word for word in words if "." in word.partition("=")[0]]  # the others name entries
    if moved := regroup(cfg, rank=Origins([], given).rank):
        warnings.warn(told(moved), FutureWarning, stacklevel=2)
    return cfg


def forced_words(words: Sequence[str]) -> list[str]:
    """The words as Hydra shall read them.

    Keys below a group get ``++``, so that Hydra takes any key: the check of the composed config
    then says what is wrong with one it does not know, with the signature at hand, and every
    argument of a class may be given, whether YAML lists it or not. The name of a recipe becomes an
    interpolation, which Hydra resolves after it knows the trainer that the recipe's variant needs.

    >>> forced_words(["recipe=ponita-nbody", "model.num_layers=3", "seed=1"])
    ['recipe=${oc.decode:ponita-nbody}', '++model.num_layers=3', 'seed=1']
    """
    return [_forced(word) for word in words]


def plain_word(word: str) -> str:
    """A forced word as it was given.

    >>> [plain_word(word) for word in forced_words(["recipe=none", "model.num_layers=3"])]
    ['recipe=none', 'model.num_layers=3']
    """
    return _DELAYED.sub(r"\1", word.lstrip("+"))


def _forced(word: str) -> str:
    key, equals, value = word.partition("=")
    if key == "recipe" and _NAMES.fullmatch(value):
        return "recipe=" + ",".join(f"${{oc.decode:{name}}}" for name in value.split(","))
    is_nested = equals and "." in key and not word.startswith(("-", "+", "~", "hydra"))
    return f"++{word}" if is_nested else word
