"""Messages about command-line keys, shared by all commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from geozoo.config._nearest import nearest


def repeated_keys(keys: Iterable[str]) -> list[str]:
    """The keys that occur more than once, in the order of their first occurrence.

    >>> repeated_keys(["seed", "model", "seed"])
    ['seed']
    """
    keys = list(keys)
    return [key for key in dict.fromkeys(keys) if keys.count(key) > 1]


def repeated_message(keys: Iterable[str]) -> str | None:
    """The message for keys that are given more than once; None if there are none.

    >>> repeated_message(["seed", "model", "seed"])
    'given more than once: seed'
    """
    repeated = repeated_keys(keys)
    return f"given more than once: {', '.join(repeated)}" if repeated else None


def unknown_message(key: str, known: Sequence[str], *, meant: str | None = None) -> str:
    """The message for a key that does not exist.

    Args:
        key: the given key.
        known: the valid keys.
        meant: a suggestion if no valid key is similar.

    >>> unknown_message("inptu", ["input", "out"])
    "unknown key 'inptu'. Did you mean input? Known: input, out."
    """
    near = nearest(key, known) or meant
    hint = f" Did you mean {near}?" if near else ""
    return f"unknown key {key!r}.{hint} Known: {', '.join(known)}."


def no_key_message(argument: str) -> str:
    """The message for an argument that is not of the form ``key=value``."""
    return f"expected key=value, got {argument!r}"


def first_lines(error: BaseException) -> str:
    r"""The first line of an error of Hydra or OmegaConf, and of its cause.

    >>> first_lines(ValueError("cannot override x\nSee https://..."))
    'cannot override x'
    """
    errors = [error] if error.__cause__ is None else [error, error.__cause__]
    lines = [str(each).strip().partition("\n")[0].rstrip(".") for each in errors]
    return ": ".join(dict.fromkeys(filter(None, lines)))
