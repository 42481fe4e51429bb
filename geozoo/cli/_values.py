"""Values of ``key=value`` arguments, converted to the type of their key."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from geozoo.config._nearest import did_you_mean
from geozoo.runs.errors import UsageError

_WHOLE = re.compile(r"[+-]?\d{1,20}", re.ASCII)
#: Spellings of None, for optional keys.
_NONE = ("", "null")


@dataclass(frozen=True)
class Limits:
    """The allowed values of a key.

    Attributes:
        least: minimum of a number; None: no limit.
        most: maximum of a number, or a function that returns it; None: no limit.
        choices: the allowed values; empty: any.
    """

    least: float | None = None
    most: float | Callable[[], float] | None = None
    choices: tuple[str, ...] = ()

    def text(self) -> str:
        """The limits of a number as text, with a leading space; empty without limits."""
        most = self.most() if callable(self.most) else self.most
        if self.least is not None and most is not None:
            return f" in {self.least}..{most}"
        if self.least is not None:
            return f" of at least {self.least}"
        return "" if most is None else f" of at most {most}"

    def hold(self, number: float) -> bool:
        """Whether a number is within them."""
        most = self.most() if callable(self.most) else self.most
        return (self.least is None or number >= self.least) and (most is None or number <= most)


def is_flag(hint: Any) -> bool:
    """Whether a type is that of a flag."""
    return hint is bool


def is_list(hint: Any) -> bool:
    """Whether a type is that of a list of values."""
    return get_origin(_bare(hint)) is tuple


def is_path(text: str) -> bool:
    """Whether a file or folder has this name, whatever its length."""
    return os.path.exists(os.path.expanduser(text))


def converted(
    name: str, texts: Sequence[str], hint: Any, limits: Limits, *, is_whole: bool = False
) -> Any:
    """The text of a key, converted to its type.

    Args:
        name: the key, for messages.
        texts: the given text; several for a list whose elements are separate arguments.
        hint: the type: bool, int, float, str, `Path`, or a variadic tuple of one of these; each
            may be optional.
        limits: the allowed values.
        is_whole: whether each text is one element of a list, including any commas.

    Raises:
        UsageError: If a text is not a value of the type, or is outside the limits.
    """
    if NoneType in get_args(hint) and len(texts) == 1 and texts[0] in _NONE:
        return None
    bare = _bare(hint)
    if get_origin(bare) is not tuple:
        return _single(name, texts[0], bare, limits)
    kind = get_args(bare)[0]
    parts = texts if is_whole else _split(texts[0])
    return tuple(_single(name, part, kind, limits) for part in parts)


def _bare(hint: Any) -> Any:
    """A type without ``None``."""
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    return kinds[0] if NoneType in get_args(hint) else hint


def _split(text: str) -> list[str]:
    """The elements of a comma-separated list, with or without brackets.

    A comma inside quotes is part of an element, and the path of an existing file is one element.

    >>> _split("[a,'b, c']"), _split("-9999"), _split("[]")
    (['a', 'b, c'], ['-9999'], [])
    """
    if is_path(text):
        return [text]
    inside = text.strip("[] ")
    quote = "'" if "'" in inside and '"' not in inside else '"'
    found = next(csv.reader([inside], quotechar=quote, skipinitialspace=True), [])
    return [each.strip() for each in found if each.strip()]


def _single(name: str, text: str, kind: Any, limits: Limits) -> Any:
    if not text:
        raise UsageError(f"{name} must not be empty")
    if limits.choices and text not in limits.choices:
        hint = did_you_mean(text, limits.choices)
        message = f"{name} must be one of {', '.join(limits.choices)}, got {text!r}"
        raise UsageError(f"{message}.{hint}" if hint else message)
    if kind is bool:
        if text not in ("true", "false"):
            raise UsageError(f"{name} must be true or false, got {text!r}")
        return text == "true"
    if kind is int:
        if not _WHOLE.fullmatch(text) or not limits.hold(int(text)):
            raise UsageError(f"{name} must be a whole number{limits.text()}, got {text!r}")
        return int(text)
    if kind is float:
        return _number(name, text, limits)
    return Path(text).expanduser().absolute() if kind is Path else text


def _number(name: str, text: str, limits: Limits) -> float:
    try:
        number = float(text)
    except ValueError:
        raise UsageError(f"{name} must be a number{limits.text()}, got {text!r}") from None
    if not limits.hold(number):
        raise UsageError(f"{name} must be a number{limits.text()}, got {text!r}")
    return number
