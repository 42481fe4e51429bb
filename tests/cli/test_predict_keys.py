"""The keys of ``geozoo predict``: those on a table may be written as in training."""

from __future__ import annotations

import re

import pytest

from geozoo.cli._arguments import Predict
from geozoo.cli._grammar import read
from geozoo.runs.errors import RunError

FILES = ("checkpoint=c", "input=i.csv", "out=o.csv")
#: Every key of a table, as it is typed and as it is understood.
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


def _read(words):
    return read(Predict, words, "geozoo predict")


@pytest.mark.parametrize("name", TABLE)
def test_keys_of_a_table_may_have_the_prefix_of_training(name):
    text, value = TABLE[name]
    is_rule = name in ("missing", "zero_is_missing")
    place = f"dataset.{name}" if is_rule else f"dataset.form.{name}"
    for word in (f"{name}={text}", f"dataset.{name}={text}", f"{place}={text}"):
        assert _read([*FILES, word]).table == {name: value}
    twice = re.escape(f"given more than once: {name} and {place} are the same key")
    with pytest.raises(RunError, match=twice):
        _read([*FILES, f"{place}={text}", f"{name}={text}"])
    with pytest.raises(RunError, match=f"given more than once: dataset.{name}"):
        _read([*FILES, *[f"dataset.{name}={text}"] * 2])


@pytest.mark.parametrize(
    "name", ["dataset.path", "dataset.form.missing", "dataset.input", "dataset.ignore_cell"]
)
def test_other_keys_have_no_prefix(name):
    with pytest.raises(RunError, match=f"unknown key '{name}'"):
        _read([*FILES, f"{name}=true"])


@pytest.mark.parametrize(
    "text", ["""["Main St, north",b]""", """['Main St, north', 'b']""", '"Main St, north", b']
)
def test_names_with_commas_are_quoted(text):
    assert _read([*FILES, f"drop={text}"]).table["drop"] == [
        "Main St, north", "b",
    ]  # fmt: skip
