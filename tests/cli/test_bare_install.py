"""The commands where the package is installed without any extra."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from geozoo import __version__
from geozoo.cli._extras import EXTRAS

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: Modules that are called otherwise than their distribution.
_MODULES = {
    "torch-pme": "torchpme","pillow": "PIL",
    "hydra-core": "hydra", "scikit-image": "skimage", "hydra-submitit-launcher": "hydra_plugins",
}  # fmt: skip
_BLOCKED = """
import sys
allowed = set({allowed!r}) | set(sys.stdlib_module_names) | {{"geozoo"}}
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
from geozoo.cli.{program} import main
main()
"""


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def _installed_without_extras() -> list[str]:
    """The top-level modules of the core dependencies and of what these need."""
    todo, closed = [_name(each) for each in PROJECT["dependencies"]], set()
    while todo:
        name = todo.pop()
        if name in closed:
            continue
        closed.add(name)
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        todo += [_name(each) for each in needed if "extra ==" not in each]
    found = metadata.packages_distributions().items()
    return [module for module, owners in found if closed & {_name(owner) for owner in owners}]


def _run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    code = _BLOCKED.format(allowed=_installed_without_extras(), program=program)
    return subprocess.run(
        [sys.executable, "-c", code, *words], text=True, capture_output=True, timeout=240, cwd=ROOT
    )


@pytest.mark.parametrize(
    ("words", "text"), [(["--help"], "reproduce"), (["--version"], f"geozoo {__version__}")]
)
def test_help_and_version_need_no_extra(words: list[str], text: str) -> None:
    done = _run("main", *words)
    assert done.returncode == 0, done.stderr
    assert text in done.stdout


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("main", ["list"]),
        ("main", ["results"]),
        ("main", ["table", "nbody"]),
        ("main", ["cards"]),
        ("main", ["record", "run"]),
        ("main", ["reproduce", "9bb205"]),
        ("main", ["predict", "checkpoint=a", "input=b", "out=c.npz"]),
        ("main", ["publish", "run"]),
        ("main", ["export", "a", "out=b.pt2"]),
        ("main", ["train", "--help"]),
        ("main", ["train", "model=ponita"]),
        ("main", ["evaluate", "run"]),
        ("main", ["sample", "checkpoint=a"]),
        ("train", []),
        ("evaluate", ["run"]),
        ("sample", ["checkpoint=a"]),
    ],
)
def test_every_other_command_names_the_extra_in_one_line(program: str, words: list[str]) -> None:
    done = _run(program, *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.endswith('which is not installed: pip install "geozoo[train]"')


@pytest.mark.parametrize("command", ["evaluate", "sample", "predict", "publish", "export"])
def test_help_of_commands_with_arguments_of_their_own(command: str) -> None:
    done = _run("main", command, "--help")
    assert done.returncode == 0 and "usage" in done.stdout


def test_the_extras_are_those_of_the_project() -> None:
    for extra, modules in EXTRAS.items():
        wanted = [_name(each) for each in PROJECT["optional-dependencies"][extra]]
        assert {_MODULES.get(name, name.replace("-", "_")) for name in wanted} <= set(modules)
