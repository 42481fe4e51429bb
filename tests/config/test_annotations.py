import collections.abc
import enum
from pathlib import Path
from typing import Any, Literal, Optional, Union

import pytest
from torch import Tensor

from geozoo.config._annotations import UNDECIDED, Built, describe, fits, parameter_types


class _Colour(enum.Enum):
    RED = 1


class _Base:
    pass


class _Derived(_Base):
    pass


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (3, int), (3, float), (3.5, float), (True, bool), ("a", str), (None, None),
        (3, Any), ("a", Literal["a", "b"]), (None, int | None), (None, Optional[int]),  # noqa: UP007, UP045
        (2.0, Union[int, float]), ("x", str | Path), ("x", Path), ("x", str | Tensor),  # noqa: UP007
        ([1, 2], list[int]), ([0.9, 0.999], tuple[float, float]), ([1, 2, 3], tuple[int, ...]),
        ([], list[str]), ({"a": 1}, dict[str, int]), ({"a": 1}, collections.abc.Mapping[str, Any]),
        ({"a": 1}, dict), ([1], collections.abc.Sequence), ("RED", _Colour), (UNDECIDED, int),
        (Built(_Derived, False), _Base), (Built(_Base, False), _Base | None), (3, "unresolved"),
        (Built(len, True), collections.abc.Callable[..., int]), (Built(_Base, True), Any),
    ],
)  # fmt: skip
def test_values_that_fit(value: object, annotation: object) -> None:
    assert fits(value, annotation)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        ("3", int), (3.0, int), (True, int), (True, float), (1, bool), (3, str), (3, None),
        ("c", Literal["a", "b"]), (1, Literal[True]), (True, Literal[1]), ("", int | None),
        ("a", Union[int, float]), (3, Path), (["a"], list[int]), ("ab", list[str]),  # noqa: UP007
        ([0.9], tuple[float, float]), (["a"], tuple[int, ...]), ({"a": "b"}, dict[str, int]),
        ([1], dict[str, int]), ("BLUE", _Colour), (3, _Base), ([1.0], Tensor), (None, int),
        (Built(_Base, False), _Derived), (Built(_Base, False), int), (Built(_Base, True), _Base),
        ("f", collections.abc.Callable[..., int]),
    ],
)  # fmt: skip
def test_values_that_do_not_fit(value: object, annotation: object) -> None:
    assert not fits(value, annotation)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "int"), (int | None, "int or null"), (Literal["a", 2], "one of 'a', 2"),
        (list[int], "list[int]"), (tuple[float, ...], "tuple[float, ...]"), (Path, "Path"),
        (Union[int, float, None], "int or float or null"), (Any, "Any"),  # noqa: UP007
    ],
)  # fmt: skip
def test_annotations_in_words(annotation: object, words: str) -> None:
    assert describe(annotation) == words


def test_annotations_that_cannot_be_resolved_decide_nothing() -> None:
    def function(known: int, unknown: "Missing") -> None:  # noqa: F821
        del known, unknown

    assert fits("anything", parameter_types(function)["unknown"])


def test_annotations_of_a_class_are_those_of_its_constructor() -> None:
    class Thing:
        def __init__(self, size: int) -> None:
            self.size = size

    assert parameter_types(Thing)["size"] is int
