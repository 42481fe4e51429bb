"""``geozoo``: from run folders to the results of a model."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from result_samples import ROW
from tiny_configs import TINY

from geozoo.zoo.results import Published, read_results
from geozoo.zoo.tables import BEGIN, END

Train = Callable[..., int]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A zoo with the model ``tiny`` alone; gives the model's folder."""
    folder = tmp_path / "zoo" / "models" / "tiny"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("# Node behind model=tiny: a model for tests.\n{}\n")
    (folder / "README.md").write_text(f"# Tiny\n\n{BEGIN}\n{END}\n")
    head = ",".join(Published.__dataclass_fields__)
    row = "tiny,dynamics,in order,position_mse,length^2,0.5,a paper"
    (folder / "published.csv").write_text(f"{head}\n{row}\n")
    return folder


@pytest.fixture
def three_runs(geozoo_train: Train, tmp_path: Path) -> list[Path]:
    """Runs of three seeds."""
    folders = [tmp_path / f"run{seed}" for seed in range(3)]
    for seed, folder in enumerate(folders):
        words = (f"seed={seed}", f"run_dir={folder}", "trainer.max_epochs=2")
        assert geozoo_train(*TINY, *words) == 0
    return folders


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, home: Path) -> Callable[..., None]:
    """Run ``geozoo`` on the zoo of `home`."""
    from geozoo.cli import _listing, main
    from geozoo.zoo import _entries

    def run(*words: object) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(_entries, "zoo_folder", lambda: home.parents[1])
            patch.setattr(_listing, "zoo_folder", lambda: home.parents[1])
            patch.setattr(sys, "argv", ["geozoo", *map(str, words)])
            main.main()

    return run


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
        assert [line.split(",")[0] for line in lines] == ["0", "1"]


def test_the_card_follows_the_rows(
    three_runs: list[Path], home: Path, command: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    command("record", three_runs[0])
    command("cards")
    assert "README.md" in capsys.readouterr().out
    assert "| dynamics | position_mse | length^2 |" in (home / "README.md").read_text()
    command("cards")
    assert "all cards are current" in capsys.readouterr().out


def test_long_curves_are_thinned_and_keep_the_last_epoch(home: Path, tmp_path: Path) -> None:
    from geozoo.cli._folder import RunFolder
    from geozoo.cli._recording import _write_curve

    lines = [f"{epoch},{epoch},0.5,0.1" for epoch in range(1001)]
    (tmp_path / "metrics.csv").write_text("epoch,step,train/loss,val/a\n" + "\n".join(lines))
    name = _write_curve(RunFolder(tmp_path), ROW, home)
    kept = (home / name).read_text().splitlines()
    assert 100 < len(kept) <= 201
    assert kept[-1].startswith("1000,")


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
    assert message in " ".join(capsys.readouterr().out.split())
    assert not (home / "results.csv").exists()


def test_list_shows_entries_and_recipes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from geozoo.cli.main import main

    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "argv", ["geozoo", "list"])
    main()
    said = capsys.readouterr().out
    for word in ("ponita", "nbody", "rmd17", "ponita-nbody_quick"):
        assert word in said
