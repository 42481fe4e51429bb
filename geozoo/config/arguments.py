"""The words of a command line before Hydra reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from geozoo.config import compose, group_names, nearest

GROUPS = ("model", "dataset", "task", "optimizer", "schedule", "trainer", "logger", "recipe")
#: What submits a job and starts it.
_SLURM_PROGRAMS = ("sbatch", "srun")


def unknown_word(words: Sequence[str]) -> str | None:
    """What is wrong with the first word that names no group, no entry and no key.

    Hydra would say so as well, for a recipe not at all, and without the word that was meant.

    Args:
        words: the command line without the program's name.

    Returns:
        The message, or None if there is nothing to say.
    """
    config_dir = _config_dir(words)
    for word in words:
        key, equals, value = word.partition("=")
        if key == "hydra/launcher" and (fault := _lacking_launcher(word, value, words)):
            return fault
        if word.startswith(("-", "+", "~", "hydra/")) or not equals or "." in key or "@" in key:
            continue
        if key in GROUPS:
            fault = _unknown_entry(key, value, config_dir)
        else:
            fault = _unknown_key(key)
        if fault:
            return fault
    return None


#: Options of Hydra that are followed by their value.
_WITH_VALUE = frozenset(
    ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--cfg", "-c",
     "--package", "-p")
)  # fmt: skip


def options_first(words: Sequence[str]) -> list[str]:
    """The words with Hydra's options before all ``key=value``: argparse takes no mixture of them.

    >>> options_first(["model=egnn", "-m", "seed=0,1", "--cfg", "job"])
    ['-m', '--cfg', 'job', 'model=egnn', 'seed=0,1']
    """
    options, rest = [], []
    follows = False
    for word in words:
        is_option = follows or word.startswith("-")
        (options if is_option else rest).append(word)
        follows = word in _WITH_VALUE
    return options + rest


def _lacking_launcher(word: str, launcher: str, words: Sequence[str]) -> str | None:
    """What a launcher lacks; SLURM is needed where jobs are started, not to show a config."""
    if launcher.startswith("submitit") and not _has_submitit():
        return f'{word} needs a launcher that is not installed: pip install "geozoo[slurm]"'
    is_sweep = any(each in ("-m", "--multirun") or each.startswith("ensemble=") for each in words)
    is_shown = any(each == "-c" or each.startswith(("--cfg", "--info")) for each in words)
    absent = [name for name in _SLURM_PROGRAMS if which(name) is None and is_sweep and not is_shown]
    if launcher == "submitit_slurm" and absent:
        return (
            f"{word} needs the programs of SLURM; {' and '.join(absent)} cannot be found. Start it "
            "on a node of the cluster; hydra/launcher=submitit_local runs the jobs here"
        )
    return None


def _has_submitit() -> bool:
    try:
        return find_spec("hydra_plugins.hydra_submitit_launcher") is not None
    except ModuleNotFoundError:  # no plugin of Hydra at all
        return False


def _unknown_entry(group: str, value: str, config_dir: Path | None) -> str | None:
    known = group_names(group)
    if config_dir is not None:
        known += [path.stem for path in (config_dir / group).glob("*.yaml")]
    if "(" in value or "[" in value or "$" in value:
        return None  # a function or a list of Hydra's grammar
    for name in (part.strip() for part in value.split(",")):
        if name not in known and name not in ("null", ""):
            near = nearest(name, known)
            meant = f" Did you mean {near}?" if near else ""
            return f"there is no {group} called {name!r}.{meant} Known: {', '.join(known)}."
    return None


def _unknown_key(key: str) -> str | None:
    from geozoo.config import places_of_key
    from geozoo.config.options import RunOptions

    known = [*GROUPS, *(f.name for f in dataclasses.fields(RunOptions)), "ensemble", "resume"]
    if key in known:
        return None
    near = nearest(key, known) or " or ".join(places_of_key(compose(), key))
    meant = f" Did you mean {near}?" if near else ""
    return f"there is no key {key!r} at the top.{meant} Known: {', '.join(sorted(set(known)))}."


def _config_dir(words: Sequence[str]) -> Path | None:
    for place, word in enumerate(words):
        if word.startswith("--config-dir="):
            return Path(word.partition("=")[2])
        if word in ("--config-dir", "-cd") and place + 1 < len(words):
            return Path(words[place + 1])
    return None
