"""Text tables in which no number, id, name or path is ever truncated."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.text import Text

#: How a column shrinks on a narrow screen. ``exact``: never; ``text``: wrapped between words;
#: ``caption``: wrapped, or moved above its rows before any other layout is tried.
Kind = Literal["exact", "text", "caption"]
_GAP, _INDENT = 2, 2
#: Text columns narrower than this are hard to read: another layout is better.
_LEAST_TEXT = 30
#: Without a screen, text is padded up to this width, so that a long cell widens only its row.
_PADDED = 32
_EMPTY = "-"


@dataclass(frozen=True)
class Column:
    """A column of a `Sheet`.

    Attributes:
        name: its heading.
        kind: how it shrinks.
        is_shared: whether a value is left out on a screen if the row above has the same value and
            the same first cell.
    """

    name: str
    kind: Kind = "exact"
    is_shared: bool = False


class Sheet:
    """A table that is laid out for the available width.

    On a narrow screen, text columns are wrapped first; then captions are moved above their rows;
    then every row becomes a list of names and values. Without a screen (a pipe, a file, a log)
    every row is one complete line.

    Args:
        columns: the columns; a string is the name of an ``exact`` column.
        title: title above the table.
        has_head: whether to show the column names.
    """

    def __init__(self, *columns: str | Column, title: str = "", has_head: bool = True) -> None:
        self.columns = [Column(c) if isinstance(c, str) else c for c in columns]
        self.title, self.has_head = title, has_head
        self.rows: list[tuple[str, ...]] = []
        self._styles: list[str] = []

    def add(self, *cells: str, style: str = "") -> None:
        """Add a row.

        Args:
            cells: one cell per column.
            style: style of rich, such as ``"bold"``.

        Raises:
            ValueError: If the number of cells does not match the columns.
        """
        if len(cells) != len(self.columns):
            raise ValueError(f"a row must have {len(self.columns)} cells, got {len(cells)}")
        self.rows.append(tuple(cells))
        self._styles.append(style)

    def lines(self, width: int | None) -> list[Text]:
        """The lines to print, without further wrapping.

        Args:
            width: width of the screen in characters; None: there is no screen.
        """
        titled = [Text(self.title, style="bold")] if self.title else []
        if width is None:
            return [*titled, *self._plain()]
        everything = range(len(self.columns))
        widths = self._widths(everything, width)
        if widths is not None:
            return [*titled, *self._grid(everything, widths)]
        captions = [i for i in everything if self.columns[i].kind == "caption"]
        rest = [i for i in everything if i not in captions]
        widths = self._widths(rest, width - _INDENT) if captions and rest else None
        if widths is not None:
            return [*titled, *self._captioned(captions, rest, widths, width)]
        return [*titled, *self._records(width)]

    def _plain(self) -> Iterator[Text]:
        rows = [[cell or _EMPTY for cell in row] for row in self.rows]
        if self.has_head:
            rows.insert(0, [column.name for column in self.columns])
        widths = [
            max(map(cell_len, cells)) if column.kind == "exact" else _PADDED
            for column, cells in zip(self.columns, zip(*rows, strict=True), strict=True)
        ]
        for row in rows:
            yield Text(_joined(row, widths))

    def _widths(self, chosen: Sequence[int], width: int) -> list[int] | None:
        """Widths of some columns side by side; None if they do not fit."""
        wanted, least = [], []
        for i in chosen:
            head = self.columns[i].name if self.has_head else ""
            cells = [row[i] for row in self.rows]
            widest = max(map(cell_len, [*cells, _longest_word(head)]), default=0)
            word = max(map(cell_len, map(_longest_word, [*cells, head])), default=0)
            is_exact = self.columns[i].kind == "exact"
            wanted.append(widest)
            least.append(widest if is_exact else max(word, min(widest, _LEAST_TEXT)))
        space = width - _GAP * (len(wanted) - 1)
        if sum(least) > space:
            return None
        return _shared_out(least, wanted, space)

    def _grid(self, chosen: Sequence[int], widths: Sequence[int], indent: int = 0) -> list[Text]:
        lines = self._head(chosen, widths, indent)
        for number, row in enumerate(self._without_repetitions()):
            lines += self._row(chosen, row, widths, indent, self._styles[number])
        return lines

    def _head(self, chosen: Sequence[int], widths: Sequence[int], indent: int) -> list[Text]:
        if not self.has_head:
            return []
        names = [_folded(self.columns[i].name, w) for i, w in zip(chosen, widths, strict=True)]
        lines = self._side_by_side(names, widths, indent, "bold")
        return [*lines, Text(" " * indent + "─" * (sum(widths) + _GAP * (len(widths) - 1)), "dim")]

    def _row(
        self, chosen: Sequence[int], row: Sequence[str], widths: Sequence[int], indent: int,
        style: str,
    ) -> list[Text]:  # fmt: skip
        is_exact = [self.columns[i].kind == "exact" for i in chosen]
        folded = [
            [row[i]] if exact else _folded(row[i], width)
            for i, exact, width in zip(chosen, is_exact, widths, strict=True)
        ]
        return self._side_by_side(folded, widths, indent, style)

    @staticmethod
    def _side_by_side(
        folded: Sequence[Sequence[str]], widths: Sequence[int], indent: int, style: str
    ) -> list[Text]:
        height = max(map(len, folded))
        padded = [[*lines, *[""] * (height - len(lines))] for lines in folded]
        rows = zip(*padded, strict=True)
        return [Text(" " * indent + _joined(row, widths), style=style) for row in rows]

    def _captioned(
        self, captions: Sequence[int], rest: Sequence[int], widths: Sequence[int], width: int
    ) -> list[Text]:
        names = "; ".join(self.columns[i].name for i in captions)
        lines = [Text(line, "bold") for line in _folded(names, width)]
        lines += self._head(rest, widths, _INDENT)
        before: list[str] = []
        for row, style in zip(self.rows, self._styles, strict=True):
            caption = [row[i] for i in captions if row[i]]
            if caption != before:
                lines += [Text(line, style=style) for line in _folded("; ".join(caption), width)]
                before = caption
            lines += self._row(rest, row, widths, _INDENT, style)
        return lines

    def _records(self, width: int) -> list[Text]:
        """One line per value, with the name of its column."""
        if not self.has_head:
            return self._indented(width)
        names = max(cell_len(column.name) for column in self.columns)
        lines: list[Text] = []
        for row, style in zip(self._without_repetitions(), self._styles, strict=True):
            lines += [Text()] if lines else []
            for column, cell in zip(self.columns, row, strict=True):
                if not cell:
                    continue
                is_beside = names + _GAP + cell_len(_longest_word(cell)) <= width
                is_beside &= column.kind != "exact" or names + _GAP + cell_len(cell) <= width
                if is_beside:
                    available = width - names - _GAP if column.kind != "exact" else cell_len(cell)
                    first, *more = _folded(cell, available)
                    lines.append(Text(f"{column.name:{names + _GAP}}{first}", style=style))
                    lines += [Text(" " * (names + _GAP) + line, style=style) for line in more]
                    continue
                lines.append(Text(column.name, style=style))
                is_exact = column.kind == "exact"
                below = [cell] if is_exact else _folded(cell, width - _INDENT)
                lines += [Text(" " * _INDENT + line, style=style) for line in below]
        return lines

    def _indented(self, width: int) -> list[Text]:
        lines: list[Text] = []
        for (first, *others), style in zip(self.rows, self._styles, strict=True):
            lines.append(Text(first, style=style))
            for cell in filter(None, others):
                below = _folded(cell, width - 2 * _INDENT)
                lines += [Text(" " * 2 * _INDENT + line, style=style) for line in below]
        return lines

    def _without_repetitions(self) -> Iterator[list[str]]:
        before: tuple[str, ...] = ()
        for row in self.rows:
            is_same = bool(before) and row[0] == before[0]
            yield [
                "" if is_same and column.is_shared and cell == former else cell
                for column, cell, former in zip(self.columns, row, before or row, strict=True)
            ]
            before = row


def facts(*rows: tuple[str, str]) -> Sheet:
    """A table of names and descriptions, without a heading."""
    sheet = Sheet("", Column("", "text"), has_head=False)
    for row in rows:
        sheet.add(*row)
    return sheet


def _longest_word(text: str) -> str:
    return max(text.split(), key=cell_len, default="")


def _folded(text: str, width: int) -> list[str]:
    """The text wrapped between words; a single long word may exceed the width."""
    return textwrap.wrap(
        text, max(width, 1), break_long_words=False, break_on_hyphens=False
    ) or [""]  # fmt: skip


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [c + " " * (w - cell_len(c)) for c, w in zip(cells, widths, strict=True)]
    return (" " * _GAP).join(padded).rstrip()


def _shared_out(least: Sequence[int], wanted: Sequence[int], space: int) -> list[int]:
    """Widths between the minimum and the wanted ones; spare space goes to the narrowest first."""
    widths, left = list(least), space - sum(least)
    while left > 0:
        open_ones = [i for i, width in enumerate(widths) if width < wanted[i]]
        if not open_ones:
            break
        widths[min(open_ones, key=lambda i: widths[i])] += 1
        left -= 1
    return widths
