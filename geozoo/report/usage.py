"""How to go on with a run: the commands and Python that use its model."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from geozoo.hub.rebuilding import own_modules
from geozoo.tasks import GraphTask


@dataclass(frozen=True)
class RunUsage:
    """How to go on with a run.

    Attributes:
        takes: what the model takes, in a sentence.
        commands: command lines, each with what it does.
        python: a few lines of Python.
    """

    takes: str
    commands: Sequence[tuple[str, str]]
    python: str


def usage(task: GraphTask, run: str, *, is_tested: bool = True) -> RunUsage:
    """What to do with the model of a run.

    Args:
        task: the task that was trained.
        run: its folder, as it is typed.
        is_tested: whether its numbers are there; a model is not published before.
    """
    word = shlex.quote(run)
    use = task.usage(word)
    commands = [
        (use.command, use.purpose),
        (f"geozoo evaluate {word}", "test it again, or with dataset=... on other data")
        if is_tested
        else (f"geozoo evaluate {word} save=true", "test it, which publish needs"),
        (f"geozoo publish {word}", "weights and description in a folder to hand on"),
    ]
    config = (task.record or {}).get("config") or {}
    own = own_modules(config) if {"model", "task"} <= config.keys() else []
    trust = f", trusted={own}" if own else ""
    head = f"import geozoo\n\nmodel = geozoo.load({run!r}{trust})\n"
    return RunUsage(use.takes, commands, head + use.python)
