"""Constructors with grouped options, and the deprecated ungrouped names of these options."""

from __future__ import annotations

import functools
import typing
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from inspect import Parameter, signature
from typing import Any, ParamSpec

P = ParamSpec("P")
#: Attribute of a decorated constructor that holds the names of its groups.
_MARK = "_option_groups"


def grouped(*names: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Decorate a constructor that takes groups of options.

    Each group is a parameter annotated with a frozen dataclass, which validates its values. It may
    be given as an instance, or as a mapping of some of its fields. A field may also be given under
    its deprecated ungrouped name: a `FutureWarning` then reports the new name.

    Args:
        names: the parameters that are groups, all of them keyword-only.

    Raises:
        TypeError: In the constructor, if a group is neither an instance nor a mapping.
        ValueError: In the constructor, if a field is unknown, or given both in its group and under
            its ungrouped name.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Solver:
    ...     name: str = "euler"
    ...     steps: int = 1
    >>> class Flow:
    ...     @grouped("solver")
    ...     def __init__(self, *, solver: Solver = Solver()) -> None:
    ...         self.solver = solver
    >>> Flow(solver={"steps": 3}).solver
    Solver(name='euler', steps=3)
    """

    def decorate(init: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(init)
        def constructor(self: Any, /, *args: Any, **given: Any) -> None:
            groups = _kinds(init, names)
            arguments, moved = _sorted(groups, given)
            if moved:
                message = f"{type(self).__name__}: {deprecation_message(moved)}"
                warnings.warn(message, FutureWarning, stacklevel=2)
            for name in groups.keys() & arguments.keys():
                arguments[name] = _made(groups[name], arguments[name], name)
            init(self, *args, **arguments)

        setattr(constructor, _MARK, names)
        return typing.cast(Callable[P, None], constructor)

    return decorate


def option_groups(target: Callable[..., Any] | None) -> dict[str, type]:
    """Return the option groups of a class's constructor and their dataclasses; often empty.

    Args:
        target: the class. Groups of a base class are included if the constructor forwards its
            keyword arguments. Anything but a class has no groups.
    """
    for kind in getattr(target, "__mro__", ()):
        init = kind.__dict__.get("__init__")
        if init is None:
            continue
        if hasattr(init, _MARK):
            return _kinds(init, getattr(init, _MARK))
        try:
            parameters = signature(init).parameters.values()
        except (TypeError, ValueError):
            return {}
        if not any(p.kind is Parameter.VAR_KEYWORD for p in parameters):
            return {}
    return {}


def former_names(target: Callable[..., Any] | None) -> dict[str, str]:
    """Return the deprecated ungrouped names of a class's options, with their groups."""
    return _owners(option_groups(target))


def in_groups(target: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a class with all options in their groups.

    Without deprecation warnings: used to read files of earlier versions.

    Args:
        target: the class.
        given: its arguments.

    Raises:
        ValueError: If an option is given both in its group and under its ungrouped name.
    """
    return _sorted(option_groups(target), given)[0]


def deprecation_message(moved: Mapping[str, str]) -> str:
    """Return a one-line deprecation message for options given under former names.

    Args:
        moved: former name -> current name.

    >>> deprecation_message({"degree": "kernel.degree"})
    'degree is now kernel.degree; the former name is accepted in this release only'
    """
    verb, names = ("is", "name is") if len(moved) == 1 else ("are", "names are")
    return (
        f"{', '.join(moved)} {verb} now {', '.join(moved.values())}; the former {names} accepted "
        "in this release only"
    )


def _kinds(init: Callable[..., Any], names: tuple[str, ...]) -> dict[str, type]:
    hints = typing.get_type_hints(init)
    kinds: dict[str, type] = {}
    for name in names:
        options = typing.get_args(hints[name]) or (hints[name],)
        kinds[name] = next(
            each for each in options if isinstance(each, type) and is_dataclass(each)
        )
    return kinds


def _owners(groups: Mapping[str, type]) -> dict[str, str]:
    return {field.name: name for name, kind in groups.items() for field in fields(kind)}


def _sorted(
    groups: Mapping[str, type], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the arguments with all options in groups, and the former names with the new ones."""
    owners = {key: name for key, name in _owners(groups).items() if key not in groups}
    moved = {key: f"{owners[key]}.{key}" for key in given if key in owners}
    arguments = {key: value for key, value in given.items() if key not in moved}
    for key in moved:
        group = arguments.get(owners[key], {})
        if not isinstance(group, Mapping) or key in group:
            raise ValueError(
                f"{key} is the former name of {moved[key]}, and {owners[key]} is given as well; "
                f"leave out {key}"
            )
    for key in moved:
        arguments[owners[key]] = {**arguments.get(owners[key], {}), key: given[key]}
    return arguments, moved


def _made(kind: type, value: Any, name: str) -> Any:
    """Return the group given as an instance or a mapping."""
    if isinstance(value, kind):
        return value
    known = [field.name for field in fields(kind)]
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{name} must be a {kind.__name__} or a mapping of {', '.join(known)}, got {value!r}"
        )
    for key in value:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            meant = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(known)}"
            raise ValueError(f"{name} has no option {key!r}{meant}")
    return kind(**value)
