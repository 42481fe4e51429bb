"""Which extras of the package a command needs, from the configs of its entries."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from geozoo.config._entries import entries

#: Beginnings of arguments that need an extra, for any model and dataset.
_ARGUMENTS = {
    "hydra/launcher=submitit": "slurm",
    "logger=tensorboard": "log",
    "logger=wandb": "log",
    "task.terms.d3=": "physics",
    "teacher=sevennet": "universal",
}
#: Extensions of files that need a library of an extra.
_FILES = {
    ".sdf": "molecules", ".xyz": "molecules", ".extxyz": "molecules", ".traj": "molecules",
    ".onnx": "onnx", ".off": "clouds", ".ply": "clouds",
}  # fmt: skip


def needed_extras(command: str) -> list[str]:
    """The names of the extras besides ``train`` that a command line needs.

    >>> needed_extras("geozoo-train model=gram_ode dataset=extxyz dataset.path=a.xyz")
    ['molecules', 'traffic']
    """
    found = set()
    by_entry = {f"{e.kind}={e.name}": e.extra for k in ("model", "dataset") for e in entries(k)}
    for argument in shlex.split(command, comments=True):
        found.add(by_entry.get(argument, ""))
        found |= {extra for start, extra in _ARGUMENTS.items() if argument.startswith(start)}
        found |= {extra for ending, extra in _FILES.items() if argument.endswith(ending)}
    return sorted(found - {""})


def needs(*extras: str) -> str:
    """The note about extras next to an example or a name; empty without extras.

    >>> needs("traffic")
    'needs the extra traffic'
    """
    named = [extra for extra in extras if extra]
    if not named:
        return ""
    return f"needs the extra{'s' if len(named) > 1 else ''} {' and '.join(named)}"


def with_needs(lines: Sequence[str]) -> list[str]:
    """Shell examples, with a comment on those that need an extra; other lines are unchanged.

    >>> with_needs(["examples:", "  geozoo predict input=a.xyz out=b.npz"])[1]
    '  geozoo predict input=a.xyz out=b.npz   # needs the extra molecules'
    """
    return [_with_needs(line) if line.startswith("  geozoo") else line for line in lines]


def _with_needs(line: str) -> str:
    note = needs(*needed_extras(line))
    if not note:
        return line
    return f"{line}; {note}" if "#" in line else f"{line}   # {note}"
