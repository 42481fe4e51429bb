"""The arguments of a training before Hydra reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from geozoo.config import compose, group_names, nearest
from geozoo.config.keys import no_key_message, repeated_message, unknown_message

GROUPS = ("model", "dataset", "task", "optimizer", "schedule", "trainer", "logger", "recipe")
#: What submits a job and starts it.
_SLURM_PROGRAMS = ("sbatch", "srun")


#: Options of Hydra that are followed by their value.
_WITH_VALUE = frozenset(
    ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--cfg", "-c",
     "--package", "-p", "--experimental-rerun")
)  # fmt: skip
#: Options of Hydra that say what to do, of which one can be given; the first one may have a value.
_MODES = {
    "--info": "-i", "--run": "-r", "--multirun": "-m", "--cfg": "-c", "--shell-completion": "-sc",
}  # fmt: skip
_ALONE = frozenset(("--hydra-help", "--version", "--resolve"))
_OPTIONS = _WITH_VALUE | _MODES.keys() | set(_MODES.values()) | _ALONE


def wrong_argument(words: Sequence[str]) -> str | None:
    """What is wrong with the first argument that is no key, entry or option, or is repeated.

    Hydra would take the last of several equal keys, and say of others what is wrong but not what
    was meant.

    Args:
        words: the command line without the program's name.

    Returns:
        The message, or None if there is nothing to say.
    """
    config_dir = _config_dir(words)
    options, rest = _parted(words)
    is_ensemble = any(word.startswith("ensemble=") for word in rest)
    given = [word for word in options if word.startswith("-")]
    if fault := _wrong_option(given, is_ensemble=is_ensemble):
        return fault
    for word in rest:
        key, equals, value = word.partition("=")
        if not equals and not key.startswith("~"):
            return f"{no_key_message(word)}; geozoo train --help lists models, datasets and keys"
        if key == "hydra/launcher" and (fault := _lacking_launcher(word, value, words)):
            return fault
        if word.startswith(("+", "~", "hydra/")) or "." in key or "@" in key:
            continue
        if key in GROUPS:
            fault = _unknown_entry(key, value, config_dir)
        else:
            fault = _unknown_key(key)
        if fault:
            return fault
    return repeated_message(w.partition("=")[0].lstrip("+") for w in rest if not w.startswith("~"))


def _wrong_option(given: Sequence[str], *, is_ensemble: bool) -> str | None:
    """What is wrong with options of Hydra."""
    names = [word.partition("=")[0] if word.startswith("--") else word for word in given]
    for name in names:
        if name not in _OPTIONS:
            near = nearest(name, _OPTIONS)
            meant = f" Did you mean {near}?" if near else ""
            return f"there is no option {name!r}.{meant} Arguments are key=value."
    modes = [long for long, short in _MODES.items() if {long, short} & set(names)]
    if is_ensemble and "--multirun" not in modes:
        modes.insert(0, "ensemble")
    if len(modes) > 1:
        return f"only one of {', '.join(modes)} can be given"
    if "--resolve" in names and "--cfg" not in modes:
        return "--resolve is for --cfg"
    return None


def options_first(words: Sequence[str]) -> list[str]:
    """The words with Hydra's options before all ``key=value``: argparse takes no mixture of them.

    >>> options_first(["model=egnn", "-m", "seed=0,1", "--cfg", "job"])
    ['-m', '--cfg', 'job', 'model=egnn', 'seed=0,1']
    """
    options, rest = _parted(words)
    return options + rest


def _parted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hydra's options with their values, and the other words."""
    options: list[str] = []
    rest: list[str] = []
    before = ""
    for word in words:
        is_value = before in _WITH_VALUE or (before in ("--info", "-i") and "=" not in word)
        (options if is_value or word.startswith("-") else rest).append(word)
        before = "" if is_value else word
    return options, rest


def _lacking_launcher(word: str, launcher: str, words: Sequence[str]) -> str | None:
    """What a launcher lacks; SLURM is needed where jobs are started, not to show a config."""
    if launcher.startswith("submitit") and not _has_submitit():
        return f'{word} needs a launcher that is not installed: pip install "geozoo[slurm]"'
    is_sweep = any(each in ("-m", "--multirun") or each.startswith("ensemble=") for each in words)
    absent = [name for name in _SLURM_PROGRAMS if which(name) is None and is_sweep]
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
    from geozoo.config._check import places_of_key
    from geozoo.config.options import RunOptions

    known = [*GROUPS, *(f.name for f in dataclasses.fields(RunOptions)), "ensemble", "resume"]
    if key in known:
        return None
    known = sorted(set(known))
    meant = None if nearest(key, known) else " or ".join(places_of_key(compose(), key))
    return unknown_message(key, known, meant=meant)


def _config_dir(words: Sequence[str]) -> Path | None:
    for place, word in enumerate(words):
        if word.startswith("--config-dir="):
            return Path(word.partition("=")[2])
        if word in ("--config-dir", "-cd") and place + 1 < len(words):
            return Path(words[place + 1])
    return None
