"""Optional libraries of physical terms."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def library(name: str, term: str) -> ModuleType:
    """Import a library of the extra ``physics``.

    Args:
        name: the module.
        term: what needs it, for the message.

    Raises:
        ModuleNotFoundError: If it is not installed; the message says how to install it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ModuleNotFoundError(
            f'{term} needs the library {name}, which is not installed: pip install '
            '"geozoo[physics]"', name=name,
        ) from error  # fmt: skip
