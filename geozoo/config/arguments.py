"""Checks of the arguments of ``geozoo train`` before Hydra reads them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import which

from geozoo.config import compose, did_you_mean, group_names, nearest, own_problems
from geozoo.config.keys import no_key_message, repeated_message, unknown_message

GROUPS = ("model", "dataset", "task", "optimizer", "schedule", "trainer", "logger", "recipe")
#: Programs of SLURM that submit and start jobs.
_SLURM_PROGRAMS = ("sbatch", "srun")


#: Options of Hydra that are followed by their value.
_WITH_VALUE = frozenset(
    ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--cfg", "-c",
     "--package", "-p", "--experimental-rerun")
)  # fmt: skip
#: Mutually exclusive modes of Hydra; ``--info`` may be followed by a value.
_MODES = {
    "--info": "-i", "--run": "-r", "--multirun": "-m", "--cfg": "-c", "--shell-completion": "-sc",
}  # fmt: skip
_ALONE = frozenset(("--hydra-help", "--version", "--resolve"))
_OPTIONS = _WITH_VALUE | _MODES.keys() | set(_MODES.values()) | _ALONE


def wrong_argument(arguments: Sequence[str]) -> str | None:
    """The error message for the first invalid or repeated argument.

    Hydra itself would silently use the last of several equal keys, and reports unknown names
    without a suggestion.

    Args:
        arguments: the command line without the program name.

    Returns:
        The message, or None if all arguments are valid.
    """
    config_dir = config_dir_of(arguments)
    options, rest = _parted(arguments)
    is_ensemble = any(each.startswith("ensemble=") for each in rest)
    given = [each for each in options if each.startswith("-")]
    if error := _wrong_option(given, is_ensemble=is_ensemble):
        return error
    for argument in rest:
        key, equals, value = argument.partition("=")
        if not equals and not key.startswith("~"):
            return (
                f"{no_key_message(argument)}; geozoo train --help lists models, datasets and keys"
            )
        if key == "hydra/launcher" and (error := _lacking_launcher(argument, value, arguments)):
            return error
        if argument.startswith(("+", "~", "hydra/")) or "." in key or "@" in key:
            continue
        if key in GROUPS:
            error = _unknown_entry(key, value, config_dir)
        else:
            error = _unknown_key(key)
        if error:
            return error
    return repeated_message(a.partition("=")[0].lstrip("+") for a in rest if not a.startswith("~"))


def _wrong_option(given: Sequence[str], *, is_ensemble: bool) -> str | None:
    """The error message for invalid options of Hydra."""
    names = [each.partition("=")[0] if each.startswith("--") else each for each in given]
    for name in names:
        if name not in _OPTIONS:
            hint = did_you_mean(name, _OPTIONS)
            return f"unknown option {name!r}.{hint} Arguments are key=value."
    modes = [long for long, short in _MODES.items() if {long, short} & set(names)]
    if is_ensemble and "--multirun" not in modes:
        modes.insert(0, "ensemble")
    if len(modes) > 1:
        return f"only one of {', '.join(modes)} can be given"
    if "--resolve" in names and "--cfg" not in modes:
        return "--resolve needs --cfg"
    return None


def options_first(arguments: Sequence[str]) -> list[str]:
    """The arguments with Hydra's options before all ``key=value``, as argparse requires.

    >>> options_first(["model=egnn", "-m", "seed=0,1", "--cfg", "job"])
    ['-m', '--cfg', 'job', 'model=egnn', 'seed=0,1']
    """
    options, rest = _parted(arguments)
    return options + rest


def _parted(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hydra's options with their values, and the other arguments."""
    options: list[str] = []
    rest: list[str] = []
    before = ""
    for argument in arguments:
        is_value = before in _WITH_VALUE or (before in ("--info", "-i") and "=" not in argument)
        (options if is_value or argument.startswith("-") else rest).append(argument)
        before = "" if is_value else argument
    return options, rest


def _lacking_launcher(given: str, launcher: str, arguments: Sequence[str]) -> str | None:
    """What a launcher lacks; SLURM is needed to start jobs, not to show a config."""
    if launcher.startswith("submitit") and not _has_submitit():
        return f'{given} needs a launcher that is not installed: pip install "geozoo[slurm]"'
    is_sweep = any(
        each in ("-m", "--multirun") or each.startswith("ensemble=") for each in arguments
    )
    absent = [name for name in _SLURM_PROGRAMS if which(name) is None and is_sweep]
    if launcher == "submitit_slurm" and absent:
        return (
            f"{given} needs SLURM, but {' and '.join(absent)} cannot be found. Start it on a node "
            "of the cluster, or use hydra/launcher=submitit_local to run the jobs on this machine"
        )
    return None


def _has_submitit() -> bool:
    try:
        return find_spec("hydra_plugins.hydra_submitit_launcher") is not None
    except ModuleNotFoundError:  # no Hydra plugin is installed
        return False


def _unknown_entry(group: str, value: str, config_dir: Path | None) -> str | None:
    known = group_names(group)
    if config_dir is not None:
        own = [path.stem for path in sorted((config_dir / group).glob("*.yaml"))]
        known += [name for name in own if name not in known]
    if "(" in value or "[" in value or "$" in value:
        return None  # a sweep, list or interpolation of Hydra
    for name in (part.strip() for part in value.split(",")):
        if name not in known and name not in ("null", ""):
            hint = did_you_mean(name, known)
            return f"unknown {group} {name!r}.{hint} Known: {', '.join(known)}."
        if problems := own_problems(group, name):
            return problems[0]
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


def config_dir_of(arguments: Sequence[str]) -> Path | None:
    """The value of ``--config-dir``; None if it is not given."""
    for i, argument in enumerate(arguments):
        if argument.startswith(("--config-dir=", "-cd=")):
            return Path(argument.partition("=")[2])
        if argument in ("--config-dir", "-cd") and i + 1 < len(arguments):
            return Path(arguments[i + 1])
    return None
