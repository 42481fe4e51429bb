"""The grammar of all commands: ``key=value``, parsed into a dataclass that also makes the help."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, field
from typing import Any, ClassVar, Literal, TypeVar, get_type_hints

from geozoo.cli._values import Limits, converted, is_flag, is_list, is_path
from geozoo.config.keys import no_key_message, repeated_message, unknown_message
from geozoo.config.needs import with_needs
from geozoo.runs.errors import UsageError

#: A key as it is typed; a path with ``=`` after a slash is not a key.
_KEY = re.compile(r"[+~]{0,2}[A-Za-z_][\w.@-]*=")

Place = Literal["key", "alone", "rest", "former", "others"]


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The arguments of a command: fields made by `key`, with the docstring as the help's heading.

    Attributes:
        given: the keys set on the command line; the others have their defaults.
    """

    examples: ClassVar[Sequence[str]] = ()
    given: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Key:
    """The metadata that `key` attaches to a field."""

    help: str
    limits: Limits
    also: Sequence[str]
    former: Sequence[str]
    place: Place


def key(
    help: str, *, default: Any = MISSING, least: float | None = None,
    most: float | Callable[[], float] | None = None, choices: Sequence[str] = (),
    also: Sequence[str] = (), former: Sequence[str] = (), place: Place = "key",
) -> Any:  # fmt: skip
    """A key of a command.

    Args:
        help: description for ``--help``.
        default: value if the key is not given; a key without a default is required.
        least: minimum of a number.
        most: maximum of a number, or a function that returns it where that needs an import.
        choices: the allowed values.
        also: further spellings of the key; for ``others`` the keys that it accepts beside those
            with a dot, ``*`` for all.
        former: deprecated spellings: keys, or options with their dashes.
        place: ``alone`` if the value may be positional, without its key; ``rest`` if any number of
            values may; ``former`` if it could in earlier versions; ``others`` for the field that
            collects all other ``key=value`` arguments unchanged.
    """
    spec = _Key(help, Limits(least, most, tuple(choices)), also, former, place)
    return field(default=default, metadata={"key": spec})


@dataclass(frozen=True)
class _Given:
    """One argument of a command line: spelling of its key (empty: positional), and value."""

    spelling: str
    text: str

    @property
    def is_element(self) -> bool:
        """Whether it may be one of several: a positional value, or a deprecated option."""
        return not self.spelling or self.spelling.startswith("-")


A = TypeVar("A", bound=Arguments)


def read(kind: type[A], arguments: Sequence[str], program: str) -> A:
    """Parse a command line.

    Deprecated spellings are accepted with a line on standard error that gives the new ones.

    Args:
        kind: class of the arguments of the command.
        arguments: the command line without the name of the command.
        program: name of the command, for that line.

    Raises:
        UsageError: If a key is unknown, missing or repeated, or a value is invalid.
    """
    keys = _keys(kind)
    given, others = _sorted(kind, arguments)
    _refuse_repeated(kind, given, [each.partition("=")[0].lstrip("+") for each in others])
    needed = [f.name for f in _fields(kind) if f.default is MISSING]
    if missing := [name for name in needed if name not in given or not given[name][0].text]:
        listed = "; ".join(f"{name}= ({keys[name].help})" for name in missing)
        raise UsageError(f"missing: {listed}")
    values: dict[str, Any] = {}
    for name, found in given.items():
        texts = [each.text for each in found]
        values[name] = converted(
            name, texts, _hints(kind)[name], keys[name].limits, is_whole=found[0].is_element
        )
    _warn(given, keys, program)
    values |= {name: tuple(others) for name, spec in keys.items() if spec.place == "others"}
    return kind(**values, given=frozenset(given))


def _fields(kind: type[Arguments]) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(kind) if "key" in f.metadata]


def _keys(kind: type[Arguments]) -> dict[str, _Key]:
    return {f.name: f.metadata["key"] for f in _fields(kind)}


def _hints(kind: type[Arguments]) -> dict[str, Any]:
    return get_type_hints(kind)


def _sorted(
    kind: type[Arguments], arguments: Sequence[str]
) -> tuple[dict[str, list[_Given]], list[str]]:
    """The arguments by field name, and those of other keys."""
    keys = _keys(kind)
    typed = {name: spec for name, spec in keys.items() if spec.place != "others"}
    names = {s: n for n, spec in typed.items() for s in (n, *spec.also, *spec.former)}
    groups = [group for spec in keys.values() if spec.place == "others" for group in spec.also]
    given: dict[str, list[_Given]] = defaultdict(list)
    others: list[str] = []
    alone: list[str] = []
    left = iter(arguments)
    for argument in left:
        is_option = argument.startswith("-")
        spelling, _, value = argument.partition("=")
        name = names.get(spelling)
        if not is_option and (not _KEY.match(argument) or (name is None and is_path(argument))):
            alone.append(argument)
        elif name is not None:
            is_bool = is_flag(_hints(kind)[name])
            text = _option_value(argument, left, is_flag=is_bool) if is_option else value
            given[name].append(_Given(spelling, text))
        elif groups and not is_option and ("." in spelling or {spelling, "*"} & set(groups)):
            others.append(argument)
        else:
            raise UsageError(unknown_message(spelling, [*typed, *groups]))
    _take_alone(alone, typed, given)
    return dict(given), others


def _option_value(option: str, left: Iterator[str], *, is_flag: bool) -> str:
    """The value of a deprecated option: after ``=``, or the next argument."""
    name, equals, text = option.partition("=")
    if equals:
        return text
    text = "true" if is_flag else next(left, "")
    if not text:
        raise UsageError(f"{name} needs a value")
    return text


def _take_alone(
    arguments: Sequence[str], keys: dict[str, _Key], given: dict[str, list[_Given]]
) -> None:
    """Assign positional values to the fields that accept them, in order."""
    left = list(arguments)
    for name, spec in keys.items():
        if not left or spec.place == "key":
            continue
        count = len(left) if spec.place == "rest" else 1
        given[name] += [_Given("", each) for each in left[:count]]
        left = left[count:]
    if left:
        raise UsageError(f"{no_key_message(left[0])}. Known: {', '.join(keys)}.")


def _refuse_repeated(
    kind: type[Arguments], given: dict[str, list[_Given]], others: Sequence[str]
) -> None:
    """Reject keys that are given more than once, in one spelling or in several."""
    spellings: list[str] = []
    for name, found in given.items():
        used = [each.spelling or repr(each.text) for each in found]
        are_elements = all(each.is_element for each in found) and is_list(_hints(kind)[name])
        spellings += dict.fromkeys(used) if are_elements else used
    if message := repeated_message([*spellings, *others]):
        raise UsageError(message)
    for name, found in given.items():
        used = sorted({each.spelling for each in found}, key=lambda spelling: spelling != name)
        if len(used) > 1:
            texts = [spelling or repr(_alone(found)) for spelling in used]
            raise UsageError(f"given more than once: {' and '.join(texts)} are the same key")


def _alone(found: Sequence[_Given]) -> str:
    """The first positional value."""
    return next(each.text for each in found if not each.spelling)


def _warn(given: dict[str, list[_Given]], keys: dict[str, _Key], program: str) -> None:
    """Print the new spellings of deprecated ones, all in one line."""
    replacements = []
    for name, found in given.items():
        spec = keys[name]
        old = [e for e in found if e.spelling in spec.former or _stood_alone(e, spec)]
        if old:
            value = ",".join(each.text for each in found)
            replacements.append(f"{name}={value} instead of {_former_spelling(old[0])}")
    if replacements:
        listed = "; ".join(replacements)
        sys.stderr.write(f"{program}: write {listed}, which the next release removes\n")


def _former_spelling(given: _Given) -> str:
    if not given.spelling:
        return given.text
    return given.spelling if given.is_element else f"{given.spelling}=..."


def _stood_alone(given: _Given, spec: _Key) -> bool:
    return spec.place == "former" and not given.spelling


def help_text(kind: type[Arguments], program: str) -> str:
    """The help of a command: usage, every key with its description and default, examples."""
    lines = [" ".join([f"usage: {program}", *_usage(kind)]), "", *_head(kind)]
    own = [each for each in _fields(kind) if not _takes_others(each)]
    width = max((len(each.name) for each in own), default=0)
    if own:
        lines += ["", "keys:", *(f"  {each.name.ljust(width)}  {_meaning(each)}" for each in own)]
    lines += [f"  {each.metadata['key'].help}" for each in _fields(kind) if _takes_others(each)]
    if kind.examples:
        lines += ["", "examples:", *with_needs([f"  {line}" for line in kind.examples])]
    return "\n".join(lines) + "\n"


def _takes_others(each: dataclasses.Field[Any]) -> bool:
    return each.metadata["key"].place == "others"


def _head(kind: type[Arguments]) -> list[str]:
    return [line.strip() for line in (kind.__doc__ or "").strip().splitlines()]


def _usage(kind: type[Arguments]) -> Iterator[str]:
    """The required and positional keys, then a placeholder for the others."""
    for each in _fields(kind):
        shown = {"alone": f"[{each.name}=]...", "rest": f"[{each.name}=]... ..."}
        place = each.metadata["key"].place
        if each.default is MISSING:
            yield shown.get(place, f"{each.name}=...")
        elif place in shown:
            yield f"[{shown[place]}]"
    if any(each.metadata["key"].place in ("key", "others") for each in _fields(kind)):
        yield "[key=value ...]"


def _meaning(each: dataclasses.Field[Any]) -> str:
    """Description and default of a key."""
    spec, default = each.metadata["key"], each.default
    text = spec.help + (f": {', '.join(spec.limits.choices)}" if spec.limits.choices else "")
    if default is MISSING:
        return f"{text} (required)"
    if default is None or default == ():
        return text
    return f"{text} (default: {str(default).lower() if isinstance(default, bool) else default})"
