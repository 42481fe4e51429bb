"""Models and datasets that other installed packages register as entry points."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any

from geozoo.config._generated import GeneratedConfigError, config_text

#: Groups of entry points, ``[project.entry-points."geozoo.models"]`` in a pyproject.toml.
GROUPS = {"model": "geozoo.models", "dataset": "geozoo.datasets"}


@dataclass(frozen=True)
class Declared:
    """An entry point, as far as the metadata of its package describes it.

    Attributes:
        kind: ``"model"`` or ``"dataset"``.
        name: name on the command line.
        value: module and class, ``my_package:MyModel``.
        package: name and version of the package, ``my-package 0.1``.
    """

    kind: str
    name: str
    value: str
    package: str

    @property
    def target(self) -> str:
        """The class as a ``_target_``: ``my_package.MyModel``."""
        return self.value.replace(":", ".")

    def __str__(self) -> str:
        """Package, entry point and group, for messages."""
        return (
            f"package {self.package}: entry point {self.name} = {self.value!r} of "
            + (GROUPS[self.kind])
        )


def declared(kind: str) -> tuple[Declared, ...]:
    """The entry points of all installed packages, sorted by name; nothing is imported.

    Args:
        kind: ``"model"`` or ``"dataset"``.
    """
    return _declared_on(kind, tuple(sys.path))


@functools.lru_cache(maxsize=32)
def _declared_on(kind: str, path: tuple[str, ...]) -> tuple[Declared, ...]:
    found = []
    for point in metadata.entry_points(group=GROUPS[kind]):
        package = "" if point.dist is None else f"{point.dist.name} {point.dist.version}"
        found.append(Declared(kind, point.name, point.value.replace(" ", ""), package))
    return tuple(sorted(found, key=lambda each: (each.name, each.package)))


def registered_targets() -> dict[str, str]:
    """The classes that installed packages register, and the package of each.

    >>> "geozoo.models.EGNN" in registered_targets()
    False
    """
    return {each.target: each.package for kind in GROUPS for each in declared(kind)}


def packages_of(targets: Iterable[str]) -> dict[str, str]:
    """Version of the package of each target that a package registers, by name of the package."""
    known = registered_targets()
    found = (known[target].rpartition(" ") for target in targets if target in known)
    return {name: version for name, _, version in found}


def package_text(each: Declared, *, zoo: Iterable[str], tasks: Iterable[str]) -> str:
    """The YAML of an entry point, made from the signature of its class.

    Args:
        each: the entry point.
        zoo: names of the zoo's own entries of this kind.
        tasks: names of all tasks.

    Raises:
        PackageError: If the name is taken, or the class cannot be used; the message names the
            package.
    """
    others = [other.package for other in declared(each.kind) if other.name == each.name]
    if each.name in zoo:
        raise PackageError(
            f"{each}: the zoo has a {each.kind} of this name; rename the entry point or uninstall "
            "the package"
        )
    if len(others) > 1:
        raise PackageError(
            f"{each}: the name is used by several packages ({', '.join(others)}); uninstall all "
            "except one of them"
        )
    if not each.name.isidentifier():
        raise PackageError(f"{each}: the name must consist of letters, digits and underscores")
    try:
        return config_text(each.kind, each.name, _resolved(each), each.target, tasks=tuple(tasks))
    except GeneratedConfigError as error:
        raise PackageError(f"{each}: {error}") from error


def _resolved(each: Declared) -> Any:
    module, colon, attribute = each.value.partition(":")
    if not colon or not attribute:
        raise PackageError(f"{each}: expected a class, my_package:MyClass; got only a module")
    try:
        found: Any = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:  # whatever the code of the package raises
        raise PackageError(f"{each} cannot be imported: {type(error).__name__}: {error}") from error
    return found


class PackageError(ValueError):
    """An entry point of an installed package cannot be used; the message names the package.

    Attributes:
        exit_code: exit code of a command that fails with this error.
    """

    exit_code = 2
