"""Which extra of the package a command needs, from the config of what it names."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from geozoo.config._entries import entries

#: Beginnings of words that need an extra, whatever the model and the data.
_WORDS = {
    "hydra/launcher=submitit": "slurm",
    "logger=tensorboard": "log",
    "logger=wandb": "log",
}
#: Endings of files that are read or written by libraries of an extra.
_FILES = {
    ".sdf": "molecules", ".xyz": "molecules", ".extxyz": "molecules", ".traj": "molecules",
    ".onnx": "onnx",
}  # fmt: skip


def needed_extras(command: str) -> list[str]:
    """The extras beside ``train`` that a command line needs, by name.

    >>> needed_extras("geozoo-train model=gram_ode dataset=extxyz dataset.path=a.xyz")
    ['molecules', 'traffic']
    """
    found = set()
    by_word = {f"{e.kind}={e.name}": e.extra for k in ("model", "dataset") for e in entries(k)}
    for word in shlex.split(command, comments=True):
        found.add(by_word.get(word, ""))
        found |= {extra for start, extra in _WORDS.items() if word.startswith(start)}
        found |= {extra for ending, extra in _FILES.items() if word.endswith(ending)}
    return sorted(found - {""})


def needs(*extras: str) -> str:
    """What is said of extras beside an example or a name; nothing for none.

    >>> needs("traffic")
    'needs the extra traffic'
    """
    named = [extra for extra in extras if extra]
    if not named:
        return ""
    return f"needs the extra{'s' if len(named) > 1 else ''} {' and '.join(named)}"


def with_needs(lines: Sequence[str]) -> list[str]:
    """Examples for a shell, with a comment where one needs an extra; other lines stay.

    >>> with_needs(["examples:", "  geozoo predict input=a.xyz out=b.npz"])[1]
    '  geozoo predict input=a.xyz out=b.npz   # needs the extra molecules'
    """
    return [_with_needs(line) if line.startswith("  geozoo") else line for line in lines]


def _with_needs(line: str) -> str:
    said = needs(*needed_extras(line))
    if not said:
        return line
    return f"{line}; {said}" if "#" in line else f"{line}   # {said}"
