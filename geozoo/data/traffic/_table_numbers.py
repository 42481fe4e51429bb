"""Parsing readings from table cells: decimal points, decimal commas, empty cells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_EMPTY = frozenset(("", "nan", "na", "n/a", "#n/a", "<na>", "null", "none"))
_COMMA = re.compile(r"[+-]?\d+,\d+")
_PERHAPS_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


def read_numbers(
    path: Path, cells: list[list[str]], lines: Sequence[int], ids: list[str], decimal: str | None
) -> np.ndarray:
    """The readings of a table, float64 ``[S, N]``; NaN where a cell is empty.

    Args:
        path: the table, for messages.
        cells: the cells of every row.
        lines: line number of every row.
        ids: name of every column.
        decimal: decimal mark; None: detected from the cells.

    Raises:
        ValueError: If a cell is not a number; the message gives line and sensor.
    """
    comma = decimal == "," or (decimal is None and _has_comma(path, cells, lines))
    found = np.empty((len(cells), len(ids)))
    for number, row in enumerate(cells):
        texts = [cell.replace(",", ".") for cell in row] if comma else row
        try:
            found[number] = [
                float(text) if text and text[-1].isdigit() else _perhaps_empty(text)
                for text in texts
            ]
        except ValueError:
            _raise_for_cell(path, lines[number], row, ids, comma=comma)
            raise
        if comma and any("." in cell for cell in row):
            _raise_for_cell(path, lines[number], row, ids, comma=comma)
    return found


def _perhaps_empty(text: str) -> float:
    return np.nan if text.lower() in _EMPTY else float(text)


def _has_comma(path: Path, cells: list[list[str]], lines: Sequence[int]) -> bool:
    """Whether the decimal mark is a comma."""
    found = [(n, cell) for n, row in enumerate(cells) for cell in row if "," in cell]
    if not found or not all(_COMMA.fullmatch(cell) for _, cell in found):
        return False
    if all(_PERHAPS_THOUSANDS.fullmatch(cell) for _, cell in found):
        number, cell = found[0]
        raise ValueError(
            f"{path}, line {lines[number]}: the comma in {cell!r} may be a decimal mark or a "
            "thousands separator; set dataset.form.decimal=',' for the former, or remove the commas"
        )
    return True


def _raise_for_cell(path: Path, line: int, row: list[str], ids: list[str], *, comma: bool) -> None:
    """Raise an error for the first cell of a row that is not a number."""
    for sensor, cell in zip(ids, row, strict=True):
        plain = cell.replace(",", ".") if comma and "." not in cell else cell
        bad = comma and "." in cell
        if not bad and cell.lower() not in _EMPTY:
            try:
                float(plain)
            except ValueError:
                bad = True
        if bad and comma and re.fullmatch(r"[\d.,+-]+", cell):
            raise ValueError(
                f"{path}, line {line}, sensor {sensor}: {cell!r} is not a number with a decimal "
                "comma, unlike other cells; use one decimal mark and no thousands separators"
            )
        if bad:
            fits = _COMMA.fullmatch(cell)
            hint = "dataset.form.decimal=','" if fits else f"dataset.form.drop=[{sensor}]"
            raise ValueError(
                f"{path}, line {line}, sensor {sensor}: {cell!r} is not a number; {hint} "
                + ("reads decimal commas" if "," in hint else "ignores the column")
            )
