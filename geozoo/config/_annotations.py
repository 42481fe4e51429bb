"""Whether a YAML value matches the type annotation of a parameter."""

from __future__ import annotations

import collections.abc
import enum
import inspect
import os
import pathlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union

_SEQUENCES = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Iterable,
              collections.abc.Collection)  # fmt: skip
#: Placeholder for a value that already has an error of its own.
UNDECIDED = object()
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


@dataclass(frozen=True)
class Built:
    """Placeholder for the object that a nested ``_target_`` node will instantiate."""

    target: Callable[..., Any]
    is_partial: bool


def parameters_of(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a callable, including those that a class passes to its base by ``**``.

    The latter are never required: the class may pass them itself.
    """
    parameters = dict(inspect.signature(target).parameters)
    handed = _handed_to(target, parameters)
    if handed is None:
        return parameters
    base = {
        name: p if p.kind is p.VAR_KEYWORD else p.replace(default=None)
        for name, p in parameters_of(handed).items()
        if p.kind is not p.VAR_POSITIONAL
    }
    own = {name: p for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    return {**base, **own}


def parameter_types(target: Callable[..., Any]) -> dict[str, Any]:
    """The resolved annotations of a callable's parameters; Any if they cannot be resolved."""
    handed = _handed_to(target, dict(inspect.signature(target).parameters))
    if handed is not None:
        return {**parameter_types(handed), **_own_types(target.__init__)}
    return _own_types(target.__init__ if inspect.isclass(target) else target)


def _handed_to(target: Callable[..., Any], parameters: dict[str, inspect.Parameter]) -> type | None:
    """The base that a class passes its ``**`` arguments to; None without such arguments."""
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if not takes_any or not inspect.isclass(target) or target.__base__ is object:
        return None
    return target.__base__


def _own_types(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):
        raw = getattr(inspect.unwrap(function), "__annotations__", {})
        return {name: Any if isinstance(hint, str) else hint for name, hint in raw.items()}


def fits(value: Any, annotation: Any) -> bool:
    """Whether a value (plain YAML data, or `Built`) matches an annotation.

    An int matches ``float``, a string matches ``Path``, a list matches a tuple. Anything that the
    annotation cannot decide (type variables, tensor shapes) matches.
    """
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if value is UNDECIDED or annotation is Any or isinstance(annotation, (str, typing.TypeVar)):
        return True
    if origin is typing.Annotated:
        return fits(value, args[0])
    if origin in (Union, types.UnionType):
        return any(fits(value, option) for option in args)
    if origin is Literal:
        return any(value == option and type(value) is type(option) for option in args)
    if isinstance(value, Built):
        return _built_fits(value, origin or annotation)
    if origin is not None:
        return _container_fits(value, origin, args)
    return _plain_fits(value, annotation)


def describe(annotation: Any) -> str:
    """The annotation as text for an error message."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(describe(option) for option in args))
    if origin is Literal:
        return "one of " + ", ".join(repr(option) for option in args)
    if annotation in (None, type(None)):
        return "null"
    if inspect.isclass(origin or annotation):
        name = (origin or annotation).__name__
        inner = ", ".join("..." if arg is ... else describe(arg) for arg in args)
        return f"{name}[{inner}]" if inner else name
    return str(annotation).replace("typing.", "")


def _built_fits(value: Built, annotation: Any) -> bool:
    if value.is_partial:
        return not inspect.isclass(annotation) or annotation is collections.abc.Callable
    if inspect.isclass(annotation) and inspect.isclass(value.target):
        return issubclass(value.target, annotation)
    return True  # a function: its return type is known only after the call


def _container_fits(value: Any, origin: Any, args: tuple[Any, ...]) -> bool:
    if origin in _MAPPINGS:
        inner = args[1] if len(args) == 2 else Any
        return isinstance(value, Mapping) and all(fits(item, inner) for item in value.values())
    if origin in _SEQUENCES:
        if not isinstance(value, Sequence) or isinstance(value, str):
            return False
        if origin is tuple and args and args[-1] is not ...:
            return len(value) == len(args) and all(map(fits, value, args))
        return all(fits(item, args[0]) for item in value) if args else True
    return origin is not collections.abc.Callable and not isinstance(value, str | int | float)


def _plain_fits(value: Any, annotation: Any) -> bool:
    if annotation in (None, type(None)):
        return value is None
    if annotation is object or not inspect.isclass(annotation):
        return True
    if isinstance(value, bool) or annotation is bool:
        return isinstance(value, bool) and annotation is bool
    if annotation is float:
        return isinstance(value, (int, float))
    if annotation in _MAPPINGS or annotation in _SEQUENCES:
        return _container_fits(value, annotation, ())
    if issubclass(annotation, (pathlib.PurePath, os.PathLike)):
        return isinstance(value, str)
    if issubclass(annotation, enum.Enum):
        return isinstance(value, str) and value in annotation.__members__
    return isinstance(value, annotation)
