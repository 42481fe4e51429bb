"""Checks that are run one by one, each with a verdict and a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["holds", "fails", "skipped"]


@dataclass(frozen=True)
class Finding:
    """The verdict of one check.

    Attributes:
        name: what was checked.
        verdict: whether it holds.
        reason: why it fails or was skipped; empty if it holds.
    """

    name: str
    verdict: Verdict
    reason: str = ""


class Skipped(Exception):
    """A check does not apply; the message gives the reason."""


Check = tuple[str, Callable[[], None]]


def findings(checks: Iterable[Check], *, skip: Iterable[str] = ()) -> Iterator[Finding]:
    """Run checks and yield their verdicts as they are known.

    A check fails if it raises any exception other than `Skipped`: the class under test may raise
    anything.

    Args:
        checks: names and functions.
        skip: names of the checks to skip.

    >>> [each.verdict for each in findings([("one is one", lambda: None)])]
    ['holds']
    """
    left_out = set(skip)
    for name, check in checks:
        if name in left_out:
            yield Finding(name, "skipped", "as requested")
            continue
        try:
            check()
        except Skipped as reason:
            yield Finding(name, "skipped", str(reason))
        except AssertionError as error:
            yield Finding(name, "fails", str(error))
        except Exception as error:
            yield Finding(name, "fails", f"{type(error).__name__}: {error}")
        else:
            yield Finding(name, "holds")
