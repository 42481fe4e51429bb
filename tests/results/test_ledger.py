"""The ledger of recorded runs, published numbers, and reproduction checks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from result_samples import ROW

from geozoo.results import benchmark_table
from geozoo.results.benchmark_table import benchmark_tables
from geozoo.results.ledger import Run, find_run, read_ledger, select_runs
from geozoo.results.published import STATUS, Published, all_published
from geozoo.results.reproduction import commands_of, compare, tolerance_of


def test_ids_are_unique_and_lead_to_their_run():
    runs = read_ledger()
    assert len({run.id for run in runs}) == len(runs) > 0
    for run in runs:
        assert find_run(run.id) == run
        assert len({row.metric for row in run.results}) == len(run.results)


def test_an_id_stays_when_a_number_changes():
    run = Run("ponita", (ROW,))
    assert Run("ponita", (replace(ROW, value=9.0, date="2030-01-01"),)).id == run.id
    for change in ({"recipe": "x"}, {"seeds": "1"}, {"split": "y"}, {"variant": "ethanol"}):
        assert Run("ponita", (replace(ROW, **change),)).id != run.id


@pytest.mark.parametrize("name", ["", "zzz"])
def test_an_id_must_name_one_run(name):
    with pytest.raises(ValueError, match="geozoo results"):
        find_run(name)


def test_all_words_must_occur():
    runs = select_runs(["ponita", "NBODY"])
    assert runs and all(run.model == "ponita" and run.first.dataset == "nbody" for run in runs)
    assert select_runs(["ponita", "los_loop"]) == []
    assert select_runs([]) == read_ledger()


def test_every_published_number_has_a_source():
    rows = all_published()
    assert {row.status for row in rows} <= set(STATUS)
    assert len(rows) > 400
    keys = [(r.method, r.dataset, r.variant, r.split, r.metric, r.ref) for r in rows]
    assert len(set(keys)) == len(keys)


@pytest.fixture
def numbers(monkeypatch):
    """Two published methods, one of them in another unit, and one recorded run."""
    paper = Published("A", "d", "v", "official", "x_mae", "meV", 3.0, 0.5, "a paper", "paper")
    published = [paper, replace(paper, method="B", value=1.0, std=None, status="reprint")]
    row = replace(ROW, dataset="d", variant="v", metric="x_mae", value=2.0)
    runs = [Run("ponita", (row, replace(row, metric="x_rmse"), replace(row, metric="eV_mae")))]
    monkeypatch.setattr(benchmark_table, "all_published", lambda: published)
    monkeypatch.setattr(benchmark_table, "read_ledger", lambda: runs)
    return published, runs


def test_a_table_has_methods_and_runs_with_the_best_first(numbers):
    (table,) = benchmark_tables("d")
    assert table.title == "d v" and dict(table.units) == {"x_mae": "meV"}
    assert [line.name for line in table.lines] == ["B", "ponita (rmd17)", "A"]
    assert [bool(line.run) for line in table.lines] == [False, True, False]
    assert table.lines[2].deviations == {"x_mae": 0.5}


def test_a_number_in_another_unit_is_not_shown(numbers, monkeypatch):
    _, (run,) = numbers
    other = Run("ponita", (replace(run.first, unit="eV"),))
    monkeypatch.setattr(benchmark_table, "read_ledger", lambda: [other])
    (table,) = benchmark_tables("d")
    assert table.lines[-1].values == {}


def test_more_is_better_for_some(numbers, monkeypatch):
    published, _ = numbers
    rising = [replace(row, metric="molecule_stability") for row in published]
    monkeypatch.setattr(benchmark_table, "all_published", lambda: rising)
    monkeypatch.setattr(benchmark_table, "read_ledger", list)
    (table,) = benchmark_tables("d")
    assert [line.name for line in table.lines] == ["A", "B"]


def test_a_run_alone_shows_what_says_most(numbers, monkeypatch):
    monkeypatch.setattr(benchmark_table, "all_published", list)
    (table,) = benchmark_tables("d", ["v"])
    assert list(table.units) == ["x_mae", "eV_mae"]


def test_unknown_names_are_answered_with_the_known_ones(numbers):
    with pytest.raises(ValueError, match="available: d"):
        benchmark_tables("nothing")
    with pytest.raises(ValueError, match="variant 'w' of d; available: v"):
        benchmark_tables("d", ["w"])


@pytest.mark.parametrize("name", ["rmd17", "nbody", "qm9", "qm9_generation", "mnist", "pems"])
def test_the_tables_of_the_papers_are_there(name):
    tables = benchmark_tables(name)
    assert any(not line.run for table in tables for line in table.lines)


@pytest.mark.parametrize(
    ("change", "tolerance"),
    [
        ({}, 0.2), ({"std": 0.05}, 0.15), ({"wall_time_s": 0.0}, 2e-3),
        ({"tolerance": 0.3, "std": 0.05}, 0.6),
    ],
)  # fmt: skip
def test_how_far_a_repetition_may_be_off(change, tolerance):
    assert tolerance_of(replace(ROW, **change)) == pytest.approx(tolerance)


def test_a_repetition_passes_or_fails_by_metric():
    run = Run("ponita", (ROW, replace(ROW, metric="b")))
    found = [replace(ROW, value=2.19), replace(ROW, metric="b", value=2.21)]
    assert [each.agrees for each in compare(run, found)] == [True, False]
    with pytest.raises(ValueError, match="the new run lacks the metrics b"):
        compare(run, found[:1])


def test_commands_are_those_of_the_record_with_one_seed():
    command = "geozoo-train -m model=a seed=0,1 trainer=quick; geozoo-evaluate '<run>' task.x=5"
    run = Run("a", (replace(ROW, command=command, seeds="0 1"),))
    assert commands_of(run, 1) == [
        ["geozoo-train", "model=a", "trainer=quick", "seed=1"],
        ["geozoo-evaluate", "<run>", "task.x=5"],
    ]


def test_an_older_potential_chooses_its_checkpoint_as_it_did():
    row = replace(ROW, command="geozoo-train model=a", metric="energy_mae", date="2026-11-01")
    for date, metrics, words in (
        ("2026-11-01", ("energy_mae", "force_mae"), ["task.monitor=val/energy_mae"]),
        ("2026-11-28", ("energy_mae", "force_mae"), []),
        ("2026-11-01", ("energy_mae",), []),
    ):
        run = Run("a", tuple(replace(row, metric=metric, date=date) for metric in metrics))
        assert commands_of(run, 0) == [["geozoo-train", "model=a", *words, "seed=0"]]


@pytest.mark.parametrize("run", read_ledger(), ids=lambda run: run.id)
def test_every_record_can_be_run_again(run):
    for seed in run.first.seeds.split():
        (train, *tests) = commands_of(run, int(seed))
        assert train[0] == "geozoo-train" and any(word.startswith("model=") for word in train)
        assert all(test[:2] == ["geozoo-evaluate", "<run>"] for test in tests)
