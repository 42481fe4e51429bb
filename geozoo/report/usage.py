"""How to use the model of a run: commands and Python code."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from geozoo.hub.rebuilding import own_modules
from geozoo.tasks import GraphTask


@dataclass(frozen=True)
class RunUsage:
    """How to use the model of a run.

    Attributes:
        takes: the inputs of the model, in a sentence.
        commands: command lines, each with a description.
        python: a few lines of Python code.
    """

    takes: str
    commands: Sequence[tuple[str, str]]
    python: str


def usage(task: GraphTask, run: str, *, is_tested: bool = True) -> RunUsage:
    """Commands and Python code for the model of a run.

    Args:
        task: the trained task.
        run: path of the run folder.
        is_tested: whether the run has test metrics, which publishing needs.
    """
    quoted = shlex.quote(run)
    use = task.usage(quoted)
    commands = [
        (use.command, use.purpose),
        (f"geozoo evaluate {quoted}", "test again, or on other data with dataset=...")
        if is_tested
        else (f"geozoo evaluate {quoted} save=true", "run the test, which publish needs"),
        (f"geozoo publish {quoted}", "package weights and description to share the model"),
    ]
    config = (task.record or {}).get("config") or {}
    own = own_modules(config) if {"model", "task"} <= config.keys() else []
    trust = f", trusted={own}" if own else ""
    head = f"import geozoo\n\nmodel = geozoo.load({run!r}{trust})\n"
    return RunUsage(use.takes, commands, head + use.python)
