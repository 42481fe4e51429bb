"""The Python packages that a bare GPU machine lacks, as wheels."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

#: Packages to copy. No versions: two of one package stop the whole installation.
WHEELS = {
    "hydra-core": "1.3.8",
    "omegaconf": "2.3.1",
    "antlr4-python3-runtime": "4.9.3",
    "pooch": "1.9.0",
    "platformdirs": "4.14.8",
    "ase": "3.29.0",
    "vesin": "0.6.2",
}
#: PyPI has only source distributions of these.
_SOURCES = ("antlr4-python3-runtime",)
#: Dependencies of the above that the machine has.
ON_MACHINE = {"matplotlib", "numpy", "packaging", "pyyaml", "requests", "scipy"}
ON_MACHINE |= {"typing-extensions"}
_PYTHON = "3.12"
_PLATFORMS = (
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux1_x86_64",
)


def collect_wheels(folder: Path, say: Callable[[str], None]) -> None:
    """Download the missing wheels, and remove those of other versions.

    Raises:
        RuntimeError: if a wheel needs a package that is neither copied nor on the machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*.whl")):
        name, version = _identity(path)
        if WHEELS.get(name) != version:
            say(f"{path.name}: removed")
            path.unlink()
    there = {_identity(path)[0] for path in folder.glob("*.whl")}
    for name, version in WHEELS.items():
        if name not in there:
            say(f"{name} {version}: fetching")
            subprocess.run(_command(name, version, folder), check=True)
    lacking = {need for path in folder.glob("*.whl") for need in needs(path)}
    lacking -= ON_MACHINE | set(WHEELS)
    if lacking:
        raise RuntimeError(f"the wheels need {', '.join(sorted(lacking))}, which do not travel")
    say(f"{len(WHEELS)} wheels are there")


def needs(wheel: Path) -> Iterator[str]:
    """Packages that a wheel needs on the machine, without extras."""
    from packaging.requirements import Requirement

    with ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        header = HeaderParser().parsestr(archive.read(name).decode("utf-8"))
    environment = {"python_version": _PYTHON, "sys_platform": "linux", "extra": ""}
    for text in header.get_all("Requires-Dist", []):
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield _plain(requirement.name)


def _command(name: str, version: str, folder: Path) -> list[str]:
    pip, wanted = [sys.executable, "-m", "pip"], f"{name}=={version}"
    if name in _SOURCES:
        return [*pip, "wheel", "-q", "--no-deps", "-w", str(folder), wanted]
    platforms = [word for each in _PLATFORMS for word in ("--platform", each)]
    return [
        *pip, "download", "-q", "--no-deps", "--only-binary=:all:", "--python-version", _PYTHON,
        "--implementation", "cp", *platforms, "-d", str(folder), wanted,
    ]  # fmt: skip


def _identity(wheel: Path) -> tuple[str, str]:
    name, version, *_ = wheel.name.split("-")
    return _plain(name), version


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
