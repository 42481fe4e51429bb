"""Every key of a composed config with values of every kind, in a process of its own."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from own_process import result_of
from tiny_configs import last_of_each

#: Wrong types and extreme values, in Hydra's grammar.
VALUES = (
    "null", "true", "word", "[]", "{a:1}", "-1", "0", "0.5", "1e300", "nan", "1099511627776",
)  # fmt: skip
#: Words that say where things are, or how long it takes.
_LEFT_ALONE = (
    "_target_", "_partial_", "run_dir", "runs", "root", "path", "max_epochs", "devices",
    "num_nodes", "accelerator", "save_dir", "name",
)  # fmt: skip
_PATIENCE_S, _MEMORY = 60, 6 << 30


class Tally(NamedTuple):
    """What became of the values of some keys."""

    keys: int
    trained: int
    refused: int
    problems: list[str]


def keys_of(words: list[str], node: str) -> list[str]:
    """The keys below a node of a composed config that hold a value; "": those outside all nodes."""
    from omegaconf import DictConfig, OmegaConf

    from geozoo.config import compose

    def leaves(config: DictConfig, path: str) -> Iterator[str]:
        for key in config:
            full = f"{path}.{key}"
            if OmegaConf.is_missing(config, key) or str(key) in _LEFT_ALONE:
                continue
            value = config[key]
            if isinstance(value, DictConfig) and len(value):
                yield from leaves(value, full)
            else:
                yield full

    config = compose(*words)
    if not node:
        return [
            str(key) for key in config
            if str(key) not in _LEFT_ALONE and not isinstance(config[key], DictConfig)
        ]  # fmt: skip
    return list(leaves(OmegaConf.select(config, node), node))


def fuzz(words: list[str], keys: list[str], folder: Path) -> Tally:
    """Train two steps with each value of each key, a process for each key.

    Raises:
        AssertionError: when a process dies.
    """
    tallies = [
        result_of(_fuzz, words, key, str(folder), dict(os.environ), told=folder / "now.txt")
        for key in keys
    ]
    return Tally(
        len(keys), sum(t.trained for t in tallies), sum(t.refused for t in tallies),
        [problem for t in tallies for problem in t.problems],
    )  # fmt: skip


def _fuzz(words: list[str], key: str, folder: str, environment: dict[str, str]) -> Tally:
    os.environ.update(environment)
    os.chdir(folder)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    signal.signal(signal.SIGALRM, _too_long)
    trained, refused, problems = 0, 0, []
    for value in VALUES:
        Path("now.txt").write_text(f"{key}={value}")
        code, said = _attempt(last_of_each([*words, f"{key}={value}", "run_dir=fuzzed"]))
        shutil.rmtree("fuzzed", ignore_errors=True)
        if code == 0:
            trained += 1
        elif code in (1, 2) and _names(said, key) and "Traceback" not in said:
            refused += 1
        else:
            problems.append(f"{key}={value}: exit {code}: {said[-700:]}")
    return Tally(1, trained, refused, problems)


def _names(said: str, key: str) -> bool:
    """Whether a message says which key it is about, or names what a value of it has led to."""
    return key.rpartition(".")[2] in said or "out of memory" in said or "no number" in said


def _attempt(words: list[str]) -> tuple[Any, str]:
    from geozoo.cli.train import main

    sys.argv = ["geozoo-train", *words]
    out = io.StringIO()
    signal.alarm(_PATIENCE_S)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            main()
        return 0, out.getvalue()
    except SystemExit as error:
        return error.code or 0, out.getvalue()
    except BaseException:
        return "traceback", traceback.format_exc(limit=-4)
    finally:
        signal.alarm(0)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"longer than {_PATIENCE_S} s at {time.ctime()}")
