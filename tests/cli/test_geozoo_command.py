"""``geozoo``: from run folders to the results of a model."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from result_samples import ROW
from screens import exit_code
from tiny_configs import TINY

from geozoo.results.cards import BEGIN, END
from geozoo.results.published import Published
from geozoo.results.rows import read_results

Train = Callable[..., int]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A zoo with the model ``tiny`` alone; gives the model's folder."""
    folder = tmp_path / "zoo" / "models" / "tiny"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("# Node behind model=tiny: a model for tests.\n{}\n")
    (folder / "README.md").write_text(f"# Tiny\n\n{BEGIN}\n{END}\n")
    head = ",".join(Published.__dataclass_fields__)
    row = "Tiny,tiny,dynamics,in order,position_mse,length^2,0.5,,a paper,paper"
    (folder / "published.csv").write_text(f"{head}\n{row}\n")
    return folder


@pytest.fixture
def three_runs(run_once: Callable[..., Path]) -> list[Path]:
    """Runs of three seeds."""
    words = (*TINY, "trainer.max_epochs=2")
    return [run_once(f"run{seed}", *words, f"seed={seed}") for seed in range(3)]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, home: Path) -> Callable[..., None]:
    """Run ``geozoo`` on the zoo of `home`."""
    from geozoo.cli import main
    from geozoo.config import _entries
    from geozoo.report import listing as _listing

    def run(*words: object) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(_entries, "zoo_folder", lambda: home.parents[1])
            patch.setattr(_listing, "zoo_folder", lambda: home.parents[1])
            patch.setattr(sys, "argv", ["geozoo", *map(str, words)])
            main.main()

    return run


@pytest.mark.thorough
def test_runs_become_a_row_per_metric_with_mean_and_curve(
    three_runs: list[Path], home: Path, command: Callable[..., None]
) -> None:
    command("record", *three_runs)
    rows = {row.metric: row for row in read_results(home / "results.csv")}
    assert set(rows) == {"position_mse", "position_mae"}
    row = rows["position_mse"]
    single = [read_results(run / "result.csv")[0].value for run in three_runs]
    assert row.value == pytest.approx(sum(single) / 3)
    assert row.std > 0 and row.seeds == "0 1 2"
    assert (row.paper_value, row.paper_ref) == (0.5, "a paper")
    assert rows["position_mae"].paper_value is None
    curves = [home / name for name in row.curve.split()]
    assert len(curves) == 3
    for curve in curves:
        head, *lines = curve.read_text().splitlines()
        assert head == "epoch,train/loss,val/position_mae,val/position_mse"
        assert [line.split(",")[0] for line in lines] == ["1", "2"]


@pytest.mark.thorough
def test_the_card_follows_the_rows(
    three_runs: list[Path], home: Path, command: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    command("record", three_runs[0])
    assert "README.md" in capsys.readouterr().out
    assert "| dynamics | position_mse | length^2 |" in (home / "README.md").read_text()
    command("cards")
    assert "all cards are up to date" in capsys.readouterr().err


def test_long_curves_are_thinned_and_keep_the_last_epoch(home: Path, tmp_path: Path) -> None:
    from geozoo.runs.folder import RunFolder
    from geozoo.runs.recording import _write_curve

    lines = [f"{epoch},{epoch},0.5,0.1" for epoch in range(1001)]
    (tmp_path / "metrics.csv").write_text("epoch,step,train/loss,val/a\n" + "\n".join(lines))
    name = _write_curve(RunFolder(tmp_path), ROW, home)
    kept = (home / name).read_text().splitlines()
    assert 100 < len(kept) <= 201
    assert kept[-1].startswith("1001,")


def test_a_run_with_many_changes_has_a_curve_too(home: Path, tmp_path: Path) -> None:
    from geozoo.runs.folder import RunFolder
    from geozoo.runs.recording import _write_curve

    (tmp_path / "metrics.csv").write_text("epoch,step,train/loss,val/a\n0,0,0.5,0.1\n")
    rows = [replace(ROW, recipe=f"x, {'model.words=1, ' * 30}y={end}") for end in (1, 2)]
    names = {_write_curve(RunFolder(tmp_path), row, home) for row in rows}
    assert len(names) == 2 and all((home / name).is_file() for name in names)


def test_no_folder_of_the_machine_is_recorded() -> None:
    from geozoo.runs.recording import public

    row = replace(
        ROW,
        recipe="schnet-extxyz without recipe, trainer.enable_progress_bar=false, "
        "dataset.path=/home/me/secret project/f.xyz, seed=a/b",
        command="geozoo-train model=schnet 'dataset.path=/home/me/secret project/f.xyz' "
        "dataset.val_path=~/me/v.xyz init_from=/home/me/runs/first run_dir=/home/me/x "
        "'dataset.files=[/home/me/a.csv,C:\\me\\b.csv]' optimizer.lr=1e-3; "
        "geozoo-train resume=/home/me/x; geozoo-evaluate '<run>' trainer.accelerator=cpu",
    )
    found = public(row)
    assert found.recipe == "schnet-extxyz without recipe, dataset.path=f.xyz, seed=a/b"
    assert found.command == (
        "geozoo-train model=schnet dataset.path=f.xyz dataset.val_path=v.xyz init_from=first "
        "'dataset.files=[a.csv,b.csv]' optimizer.lr=1e-3; "
        "geozoo-evaluate '<run>' trainer.accelerator=cpu"
    )


@pytest.mark.parametrize("word", ["record", "cards"])
def test_an_installed_package_records_nothing(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from geozoo.cli import main
    from geozoo.runs import recording as _recording

    installed = tmp_path / "lib" / "site-packages" / "geozoo" / "_zoo"
    monkeypatch.setattr(_recording, "zoo_folder", lambda: installed)
    monkeypatch.setattr(sys, "argv", ["geozoo", word, *(["run"] if word == "record" else [])])
    with pytest.raises(SystemExit):
        main.main()
    said = " ".join("".join(capsys.readouterr()).split())
    assert "results are recorded in a checkout of geozoo" in said and "Traceback" not in said


@pytest.mark.thorough
@pytest.mark.parametrize("case", ["unfinished", "same seed", "other settings"])
def test_runs_that_cannot_be_recorded(
    case: str, three_runs: list[Path], home: Path, geozoo_train: Train, tmp_path: Path,
    command: Callable[..., None], capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    runs, message = [three_runs[0]], "different seeds"
    if case == "unfinished":
        (three_runs[0] / "result.csv").unlink()
        message = "not finished"
    elif case == "same seed":
        runs = [three_runs[0], three_runs[0]]
    else:
        words = ("seed=4", "run_dir=other", "model.width=4", "trainer.max_epochs=1")
        assert geozoo_train(*TINY, *words) == 0
        runs, message = [three_runs[0], tmp_path / "other"], "same recipe"
    with pytest.raises(SystemExit):
        command("record", *runs)
    assert message in " ".join("".join(capsys.readouterr()).split())
    assert not (home / "results.csv").exists()


@pytest.mark.parametrize("commit", ["0123456789ab-dirty", ""])
def test_a_run_of_code_without_a_commit_is_recorded_only_by_force(
    commit: str, three_runs: list[Path], home: Path, command: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    result = three_runs[0] / "result.csv"
    result.write_text(result.read_text().replace("0123456789ab", commit))
    with pytest.raises(SystemExit):
        command("record", *three_runs)
    said = " ".join("".join(capsys.readouterr()).split())
    assert f"run0 is a run of uncommitted code (commit '{commit}')" in said
    assert not (home / "results.csv").exists()
    command("record", "force=true", three_runs[0])
    assert {row.commit for row in read_results(home / "results.csv")} == {commit}


def test_what_was_recorded_is_told(
    three_runs: list[Path], home: Path, command: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    command("record", three_runs[0])
    written, said = capsys.readouterr()
    rows = read_results(home / "results.csv")
    files = (home / "results.csv", home / rows[0].curve, Path("models/tiny/README.md"))
    assert written == "".join(f"{path}\n" for path in files)
    for row in rows:
        assert f"on tiny dynamics, seeds 0: {row.metric} {row.value:.5g} {row.unit}" in said


def run_geozoo(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run ``geozoo`` in this process; gives the exit code."""
    return exit_code(monkeypatch, 200, *words)


def test_results_are_listed_by_words(monkeypatch, capsys):
    assert run_geozoo(monkeypatch, "results", "ponita", "nbody") == 0
    said = capsys.readouterr().out
    assert "position_mse" in said and "rmd17" not in said
    assert run_geozoo(monkeypatch, "results", "nothing") == 1
    assert "no recorded run" in capsys.readouterr().err


@pytest.mark.parametrize("style", ["terminal", "markdown", "csv", "latex"])
def test_tables_in_every_format(style, monkeypatch, capsys):
    assert run_geozoo(monkeypatch, "table", "rmd17", "aspirin", f"format={style}") == 0
    said = capsys.readouterr().out
    assert "NequIP" in said and "8.2" in said and "ethanol" not in said
    if style == "csv":
        rows = list(csv.DictReader(said.splitlines()))
        row = next(r for r in rows if r["method"] == "MACE" and r["metric"] == "force_mae")
        assert (row["value"], row["unit"], row["run"]) == ("6.6", "meV/angstrom", "")
    if style == "latex":
        assert "energy\\_mae [meV]" in said and said.count("toprule") == 1


def test_tables_as_a_picture(tmp_path, monkeypatch, capsys):
    assert run_geozoo(monkeypatch, "table", "nbody", f"picture={tmp_path / 't.png'}") == 0
    assert (tmp_path / "t.png").stat().st_size > 10_000
    assert run_geozoo(monkeypatch, "table", "nbody", f"picture={tmp_path / 't.xyz'}") == 2
    assert "xyz" in capsys.readouterr().err


@pytest.fixture
def recorded(
    three_runs: list[Path], command: Callable[..., None], home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:  # fmt: skip
    """The three runs as the only record."""
    from geozoo.config import Entry

    command("record", *three_runs)
    tiny = Entry("model", "tiny", home, "a model for tests")
    monkeypatch.setattr("geozoo.results.ledger.entries", lambda kind: [tiny])
    return home


@pytest.mark.thorough
def test_a_record_is_made_again_and_compared(
    recorded, command, geozoo_train, tmp_path, monkeypatch, capsys
):
    from geozoo.cli import _reproducing

    calls = []

    def call(words, console):
        calls.append(words)
        own = [word for word in words[1:] if not word.startswith(("--config-dir", "my_configs"))]
        own = [word for word in own if not word.startswith("/")]
        assert geozoo_train(*own) == 0

    monkeypatch.setattr(_reproducing, "_call", call)
    assert run_geozoo(monkeypatch, "results") == 0
    name = capsys.readouterr().out.splitlines()[1].split()[0]
    words = ("reproduce", name, f"runs={tmp_path / 'again'}")
    assert run_geozoo(monkeypatch, *words, "dry_run=true") == 0
    said = capsys.readouterr().out
    assert not calls and "seed=2" in said and "tolerance" in said
    assert run_geozoo(monkeypatch, *words) == 0
    assert "reproduced" in capsys.readouterr().out and len(calls) == 3
    # Finished runs are not repeated; a number that does not fit is a failure.
    results = recorded / "results.csv"
    text = results.read_text()
    value = read_results(results)[0].value
    results.write_text(text.replace(str(value), str(2 * value)))
    assert run_geozoo(monkeypatch, *words) == 1
    said, about = capsys.readouterr()
    assert "NOT reproduced" in said and "FAIL" in said and "already finished" in about
    assert len(calls) == 3


@pytest.mark.thorough
def test_a_continued_run_is_recorded_and_made_again_with_its_continuations(
    geozoo_train, command, home, tmp_path, monkeypatch, capsys
):
    from geozoo.cli import _reproducing
    from geozoo.config import Entry

    assert geozoo_train(*TINY, "trainer.max_epochs=2", "run_dir=run") == 0
    assert geozoo_train("resume=run", "trainer.max_epochs=3") == 0
    assert geozoo_train("resume=run", "trainer.max_epochs=4") == 0
    assert geozoo_train("resume=run") == 0
    command("record", "run")
    row = read_results(home / "results.csv")[0]
    assert row.command.endswith(
        "; geozoo-train 'resume=<run>' trainer.max_epochs=3"
        "; geozoo-train 'resume=<run>' trainer.max_epochs=4"
    )
    assert str(tmp_path) not in row.command.partition(";")[2]
    monkeypatch.setattr(
        "geozoo.results.ledger.entries", lambda kind: [Entry("model", "tiny", home, "for tests")]
    )
    calls = []

    def call(words, console):
        calls.append(words)
        own = [word for word in words[1:] if not word.startswith(("--config-dir", "my_configs"))]
        assert geozoo_train(*own) == 0

    monkeypatch.setattr(_reproducing, "_call", call)
    capsys.readouterr()
    assert run_geozoo(monkeypatch, "results") == 0
    name = capsys.readouterr().out.splitlines()[1].split()[0]
    again = ("reproduce", name, f"runs={tmp_path / 'again'}")
    assert run_geozoo(monkeypatch, *again) == 0
    changes = [["trainer.max_epochs=3"], ["trainer.max_epochs=4"]]
    assert [words[2:] for words in calls[1:]] == changes
    assert run_geozoo(monkeypatch, *again) == 0 and len(calls) == 3
    found = read_results(next((tmp_path / "again").iterdir()) / "result.csv")
    assert row.value == {each.metric: each.value for each in found}[row.metric]


@pytest.mark.thorough
def test_a_test_of_a_part_is_marked_and_not_recorded(
    geozoo_train, command, home, tmp_path, monkeypatch, capsys
):
    assert geozoo_train(*TINY, "trainer.limit_test_batches=2", "run_dir=cut") == 0
    assert "PARTIAL TEST SET: 2 of 3 batches" in " ".join("".join(capsys.readouterr()).split())
    (row, _) = read_results(tmp_path / "cut" / "result.csv")
    assert row.checkpoint.endswith(", tested on 2 of 3 batches")
    assert "2 of 3 batches" in (tmp_path / "cut" / "report.html").read_text()
    with pytest.raises(SystemExit):
        command("record", "cut")
    said = " ".join("".join(capsys.readouterr()).split())
    assert "cut was tested on only 2 of 3 batches (trainer.limit_test_batches)" in said
    from geozoo.cli.main import run_command

    run_command("evaluate", ["cut", "trainer.limit_test_batches=1.0", "save=true"])
    (row, _) = read_results(tmp_path / "cut" / "result.csv")
    assert "tested on" not in row.checkpoint
    command("record", "cut")
    assert (home / "results.csv").is_file()


def test_an_interrupted_repetition_is_resumed(recorded, tmp_path, monkeypatch):
    from geozoo.cli import _reproducing
    from geozoo.results.ledger import read_ledger

    (run,) = read_ledger()
    calls = []
    monkeypatch.setattr(_reproducing, "_call", lambda words, console: calls.append(words))
    begun = tmp_path / "again" / f"reproduce-{run.id}_seed0" / "checkpoints"
    begun.mkdir(parents=True)
    (begun / "last.ckpt").touch()
    assert run_geozoo(monkeypatch, "reproduce", run.id, f"runs={tmp_path / 'again'}") == 1
    assert calls[0] == ["train", f"resume={begun.parent}"]
    assert calls[1][0] == "train" and "seed=1" in calls[1]


def test_a_run_is_published_and_loads(tiny_run, tmp_path, monkeypatch, capsys):
    import geozoo

    assert run_geozoo(monkeypatch, "publish", tiny_run, f"out={tmp_path / 'out'}") == 0
    written, said = capsys.readouterr()
    assert written == f"{tmp_path / 'out'}\n"
    assert "position [length]" in said and "trusted=['tiny_graphs']" in said
    model = geozoo.load(tmp_path / "out", trusted=["tiny_graphs"])
    assert model.name == "tiny-tiny_dynamics"
    metrics = {row.metric: row.value for row in read_results(tiny_run / "result.csv")}
    described = model.description
    assert {name: m["value"] for name, m in described.metrics.items()} == metrics
    assert "run_dir" not in described.training["command"]
    assert run_geozoo(monkeypatch, "publish", tiny_run, f"out={tmp_path / 'out'}") == 1
    assert "is not empty" in capsys.readouterr().err


def test_an_untested_run_is_not_published(tiny_run, tmp_path, monkeypatch, capsys):
    (tiny_run / "result.csv").unlink()
    assert run_geozoo(monkeypatch, "publish", tiny_run, f"out={tmp_path / 'out'}") == 1
    assert "save=true" in " ".join("".join(capsys.readouterr()).split())
    assert run_geozoo(monkeypatch, "publish", tmp_path / "nowhere") == 1
    assert "there is no checkpoint" in capsys.readouterr().err
