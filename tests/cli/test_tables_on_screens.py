"""No number, id, name or path of a table is cut or folded, on whatever screen."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from screens import are_whole, printed

from geozoo.config import entries, recipes
from geozoo.hub import shipped_models
from geozoo.report.ledger_table import main_metrics
from geozoo.report.sheet import Column, Sheet, facts
from geozoo.results.benchmark_table import benchmark_tables
from geozoo.results.ledger import read_ledger, select_runs
from geozoo.results.rows import shown_number
from geozoo.results.table_text import cells_of, head

WIDTHS = (40, 80, 120, None)


@pytest.mark.parametrize("width", WIDTHS)
def test_recorded_runs(width: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = read_ledger()
    lines = printed(monkeypatch, width, "results")
    rows = [row for run in runs for row in main_metrics(run)]
    numbers = [shown_number(row.value, row.std) for row in rows]
    numbers += [f"{row.baseline:.4g}" for row in rows if row.baseline is not None]
    metrics = [f"{row.metric} [{row.unit}]" if row.unit else row.metric for row in rows]
    words = [word for run in runs for word in run.label.split()]
    assert len(runs) > 50
    assert not are_whole([run.id for run in runs] + numbers + metrics + words, lines)
    if width is None:
        assert len(lines) == 1 + len(rows)
        for run, line in zip([r for r in runs for _ in main_metrics(r)], lines[1:], strict=True):
            assert line.startswith(run.id) and line.endswith(run.label)
        assert not set("│┃─━┏") & set("".join(lines))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("data", ["rmd17", "los_loop", "nbody"])
def test_benchmark_tables(data: str, width: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, width, "table", data)
    tables = benchmark_tables(data)
    cells = [cells_of(table, line) for table in tables for line in table.lines]
    numbers = [number for row in cells for number in row[1:-2]]
    words = [word for row in cells for cell in row for word in cell.split()]
    names = [word for table in tables for name in head(table) for word in name.split()]
    assert not are_whole(numbers + words + names, lines)
    if width is None:
        titled = [line for line in lines if line]
        assert len(titled) == sum(len(table.lines) + 2 for table in tables)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("section", ["models", "datasets", "trained", "recipes"])
def test_sections_of_the_list(
    section: str, width: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {
        "models": [entry.name for entry in entries("model")],
        "datasets": [entry.name for entry in entries("dataset")],
        "trained": list(shipped_models()),
        "recipes": [recipe.name for recipe in recipes()],
    }[section]
    lines = printed(monkeypatch, width, "list", section)
    assert not are_whole(names, lines)
    if width is not None and section != "recipes":
        longest = max(len(word) for line in lines for word in line.split())
        assert max(map(len, lines[1:])) <= max(width, longest + 4)


def test_rows_of_one_run_are_not_repeated_on_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = select_runs(["9bb205"])
    assert len(main_metrics(run)) == 2
    for width in (40, 80, 240):
        lines = printed(monkeypatch, width, "results", run.id)
        assert sum(run.id in line for line in lines) == 1


def test_a_real_terminal_of_forty_columns() -> None:
    leader, follower = pty.openpty()
    root = Path(__file__).resolve().parents[2]
    done = subprocess.Popen(
        [sys.executable, "-m", "geozoo.cli.main", "results", "9bb205"], stdout=follower,
        stderr=subprocess.DEVNULL, text=False,
        env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "40", "TERM": "xterm"},
    )  # fmt: skip
    os.close(follower)
    said = b""
    try:
        while part := os.read(leader, 4096):
            said += part
    except OSError:  # how a terminal that nobody writes to ends
        pass
    assert done.wait(60) == 0
    lines = said.decode().splitlines()
    (run,) = select_runs(["9bb205"])
    row = run.metric("position_mse")
    assert any(shown_number(row.value, row.std) in line for line in lines)
    assert any("position_mse [length^2]" in line for line in lines)


def _sheet() -> Sheet:
    sheet = Sheet("path", "value", Column("what", "text"), Column("about", "caption"))
    sheet.add("/a/folder with  two blanks/run", "1.5 ± 0.1", "some words that may be folded", "x")
    sheet.add("/b", "22", "", "y")
    return sheet


@pytest.mark.parametrize("width", [1, 20, 45, 60, 100, None])
def test_a_path_keeps_its_blanks_at_every_width(width: int | None) -> None:
    lines = [str(line) for line in _sheet().lines(width)]
    assert not are_whole(["/a/folder with  two blanks/run", "1.5 ± 0.1", "22"], lines)


def test_text_gives_way_first_then_the_layout() -> None:
    sheet = Sheet("path", Column("what", "text"), Column("about", "caption"))
    text = "some words that may be folded where the screen is narrow"
    sheet.add("/a/b", text, "a caption")
    assert [str(line) for line in sheet.lines(80)][2] == f"/a/b  {text}  a caption"
    assert [str(line) for line in sheet.lines(60)][2:] == [
        "/a/b  some words that may be folded where the      a caption",
        "      screen is narrow",
    ]
    assert [str(line) for line in sheet.lines(38)] == [
        "about", "  path  what", "  " + "─" * 36, "a caption",
        "  /a/b  some words that may be folded", "        where the screen is narrow",
    ]  # fmt: skip
    records = [str(line) for line in _sheet().lines(42)]
    assert records[:2] == ["path   /a/folder with  two blanks/run", "value  1.5 ± 0.1"]


def test_facts_without_a_head() -> None:
    sheet = facts(("name", "a text of some length"), ("longer name", "short"))
    assert [str(line) for line in sheet.lines(None)] == [
        "name         a text of some length", "longer name  short",
    ]  # fmt: skip
    assert [str(line) for line in sheet.lines(20)] == [
        "name", "    a text of some", "    length", "longer name", "    short",
    ]  # fmt: skip


def test_a_row_has_a_cell_for_every_column() -> None:
    with pytest.raises(ValueError, match="must have 2 cells, got 1"):
        Sheet("a", "b").add("1")
