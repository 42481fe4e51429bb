"""Environments of the other libraries, with the versions of ``pins.toml``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

PINS = Path(__file__).with_name("pins.toml")
#: Prints the installed version of every package given as an argument, as JSON.
_VERSIONS = """
import json, sys
from importlib import metadata
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def default_folder() -> Path:
    """Where environments are made unless a folder is given."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "geozoo" / "peers"


def installs(name: str) -> list[list[str]]:
    """Arguments of each call of ``pip install``, in order.

    Raises:
        KeyError: If ``pins.toml`` has no such environment.
    """
    with PINS.open("rb") as file:
        found: list[list[str]] = tomllib.load(file)[name]["install"]
    return found


def pinned(name: str) -> dict[str, str]:
    """Versions of the packages of an environment."""
    words = [word for call in installs(name) for word in call if not word.startswith("-")]
    return dict(word.split("==") for word in words)


def environment(name: str, folder: Path) -> Path:
    """The interpreter of an environment, which is made or brought to the pinned versions if needed.

    Args:
        name: its name in ``pins.toml``.
        folder: the folder of all environments.

    Raises:
        RuntimeError: If pip fails, or versions differ afterwards.
    """
    python = folder / name / "bin" / "python"
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(folder / name)])
    if differing(name, python):
        for call in installs(name):
            print(f"{name}: pip install {' '.join(call)}", file=sys.stderr, flush=True)
            _run([str(python), "-m", "pip", "install", "--quiet", *call])
    wrong = differing(name, python)
    if wrong:
        raise RuntimeError(f"environment {folder / name} must have {wrong}, see {PINS.name}")
    return python


def differing(name: str, python: Path) -> dict[str, str]:
    """Pinned versions that an environment does not have."""
    wanted = pinned(name)
    found = json.loads(_run([str(python), "-c", _VERSIONS, *wanted]))
    return {
        package: version for package, version in wanted.items() if found.get(package) != version
    }


def _run(command: list[str]) -> str:
    settings = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=settings)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout
