"""The words of ``geozoo predict``: those on a table may be written as in training."""

from __future__ import annotations

import re

import pytest

from geozoo.cli._predicting import PredictOptions
from geozoo.runs.errors import RunError

FILES = ("checkpoint=c", "input=i.csv", "output=o.csv")
#: Every word on a table, as it is typed and as it is understood.
TABLE = {
    "missing": ("[-9999,-1]", [-9999.0, -1.0]),
    "zero_is_missing": ("true", True),
    "separator": (";", ";"),
    "decimal": (",", ","),
    "time_column": ("when", "when"),
    "clock_column": ("clock", "clock"),
    "time_format": ("%d/%m/%Y", "%d/%m/%Y"),
    "time_zone": ("Europe/Berlin", "Europe/Berlin"),
    "drop": ("[a,b]", ["a", "b"]),
    "sensor_column": ("id", "id"),
    "value_column": ("flow", "flow"),
}


@pytest.mark.parametrize("name", TABLE)
def test_words_on_a_table_may_have_the_prefix_of_training(name):
    text, value = TABLE[name]
    is_rule = name in ("missing", "zero_is_missing")
    place = f"dataset.{name}" if is_rule else f"dataset.form.{name}"
    for word in (f"{name}={text}", f"dataset.{name}={text}", f"{place}={text}"):
        assert PredictOptions.from_words([*FILES, word]).table == {name: value}
    twice = re.escape(f"given more than once: {place} and {name} are one word")
    with pytest.raises(RunError, match=twice):
        PredictOptions.from_words([*FILES, f"{place}={text}", f"{name}={text}"])
    with pytest.raises(RunError, match=f"given more than once: dataset.{name}"):
        PredictOptions.from_words([*FILES, *[f"dataset.{name}={text}"] * 2])


@pytest.mark.parametrize(
    "name", ["dataset.path", "dataset.form.missing", "dataset.input", "dataset.ignore_cell"]
)
def test_other_words_have_no_prefix(name):
    with pytest.raises(RunError, match=f"unknown: {name}"):
        PredictOptions.from_words([*FILES, f"{name}=true"])


@pytest.mark.parametrize(
    "text", ["""["Main St, north",b]""", """['Main St, north', 'b']""", '"Main St, north", b']
)
def test_names_with_commas_are_quoted(text):
    assert PredictOptions.from_words([*FILES, f"drop={text}"]).table["drop"] == [
        "Main St, north", "b",
    ]  # fmt: skip
