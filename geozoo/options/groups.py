"""Constructors whose options stand in groups, and the single names that the options had before."""

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
#: Where a decorated constructor keeps the names of its groups.
_MARK = "_option_groups"


def grouped(*names: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Let a constructor take some of its parameters as groups of options.

    Each of these parameters is annotated with a frozen dataclass, which checks its values. It may
    be given as an instance, or as a mapping of some of its fields. A field may also be given by
    its name alone, as it was before there were groups: a `FutureWarning` then names the new place.

    Args:
        names: the parameters, all of them keyword-only.

    Raises:
        TypeError: of the constructor, for a group that is neither instance nor mapping.
        ValueError: of the constructor, for a field that the group does not have, or that is given
            both in its group and by its name alone.

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
                warnings.warn(f"{type(self).__name__}: {told(moved)}", FutureWarning, stacklevel=2)
            for name in groups.keys() & arguments.keys():
                arguments[name] = _made(groups[name], arguments[name], name)
            init(self, *args, **arguments)  # type: ignore[call-arg, arg-type]

        setattr(constructor, _MARK, names)
        return typing.cast(Callable[P, None], constructor)

    return decorate


def option_groups(target: Callable[..., Any] | None) -> dict[str, type]:
    """The groups of a class's constructor, each with its dataclass; none for most.

    Args:
        target: the class; those of a base count where the class hands its arguments on. Anything
            else has none.
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
    """The names that a class's options had alone, each with the group where it stands now."""
    return _owners(option_groups(target))


def in_groups(target: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a class, those that were given by a former name in their groups.

    Nothing is warned of: this is how files of earlier versions are read.

    Args:
        target: the class.
        given: its arguments.

    Raises:
        ValueError: for an option that is given both ways.
    """
    return _sorted(option_groups(target), given)[0]


def told(moved: Mapping[str, str]) -> str:
    """That options were given by former names, in a line.

    Args:
        moved: former and present name of each.

    >>> told({"degree": "kernel.degree"})
    'degree is now kernel.degree; the former name is accepted in this release only'
    """
    verb, names = ("is", "name is") if len(moved) == 1 else ("are", "names are")
    return (
        f"{', '.join(moved)} {verb} now {', '.join(moved.values())}; the former {names} accepted "
        "in this release only"
    )


def _kinds(init: Callable[..., Any], names: tuple[str, ...]) -> dict[str, type]:
    hints = typing.get_type_hints(init)
    kinds = {}
    for name in names:
        options = typing.get_args(hints[name]) or (hints[name],)
        kinds[name] = next(option for option in options if is_dataclass(option))
    return kinds


def _owners(groups: Mapping[str, type]) -> dict[str, str]:
    return {field.name: name for name, kind in groups.items() for field in fields(kind)}


def _sorted(
    groups: Mapping[str, type], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The arguments with every option in its group, and the former names with their new places."""
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
    """The group that a value stands for."""
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
