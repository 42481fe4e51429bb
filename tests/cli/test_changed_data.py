"""Data that are put in the place of those that a run was trained on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase.io import read, write
from tiny_configs import TINY

from geozoo.runs.evaluation import evaluation

Train = Callable[..., int]
_SHORT = ("trainer.accelerator=cpu", "trainer.max_epochs=1", "run_dir=run")
#: The words of a run on each kind of file, and what is said of it once it has changed.
KINDS = {
    "frames.xyz": (
        ("model=schnet", "model.hidden_channels=8", "dataset=extxyz"),
        "the train file frames.xyz has the hash",
    ),
    "images.npz": (("model=tiny", "dataset=labelled_images"), "the file images.npz has the hash"),
    "readings.csv": (
        ("model=last_value", "dataset=traffic_csv"), "the values of the data have the hash",
    ),
}  # fmt: skip


def _write_readings(path: Path, seed: int) -> None:
    times = pd.date_range("2024-01-01", periods=288, freq="5min", name="time")
    values = np.random.default_rng(seed).normal(60, 5, (288, 2)).round(1)
    pd.DataFrame(values, times, ["a", "b"]).to_csv(path)


def _change(path: Path) -> None:
    """Other content of the same form."""
    if path.suffix == ".xyz":
        write(path, list(reversed(read(path, ":"))), format="extxyz")
    elif path.suffix == ".npz":
        arrays = dict(np.load(path))
        np.savez(path, **{**arrays, "test_images": 255 - arrays["test_images"]})
    else:
        _write_readings(path, 1)


@pytest.fixture(params=KINDS)
def trained(request, place: Path, geozoo_train: Train) -> tuple[Path, str]:
    """The file of a finished run, and what is said of it once it has changed."""
    name = request.param
    _write_readings(place / "readings.csv", 0)
    words, said = KINDS[name]
    assert geozoo_train(*words, f"dataset.path={name}", *_SHORT) == 0
    return place / name, said


@pytest.mark.thorough
def test_a_test_on_changed_data_says_so(
    trained: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from geozoo.cli.evaluate import main

    path, said = trained
    assert evaluation("run", []).tested.note == ""
    _change(path)
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["geozoo-evaluate", "run"])
    main()
    shown, told = capsys.readouterr()
    assert f"the data differ from those of the training: {said}" in " ".join(told.split())
    assert f"note the data differ from those of the training: {said}" in " ".join(shown.split())
    monkeypatch.setattr(sys, "argv", ["geozoo-evaluate", "save=true", "run"])
    before = Path("run/result.csv").read_text()
    with pytest.raises(SystemExit):
        main()
    assert "cannot be part of the record" in " ".join(capsys.readouterr().err.split())
    assert Path("run/result.csv").read_text() == before
    meant = evaluation("run", [f"dataset.path={path}"])
    assert meant.tested.note == ""
    assert evaluation("run", ["dataset.loader.eval_batch_size=3"]).tested.note != ""


@pytest.mark.thorough
def test_a_run_does_not_go_on_with_changed_data(
    trained: tuple[Path, str], geozoo_train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    path, said = trained
    former = path.read_bytes()
    _change(path)
    capsys.readouterr()
    assert geozoo_train("resume=run", "trainer.max_epochs=2") == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "dataset: the data differ from those that" in told and said in told
    path.write_bytes(former)
    assert geozoo_train("resume=run", "trainer.max_epochs=2") == 0


@pytest.mark.thorough
def test_runs_without_hashes_go_on(
    geozoo_train: Train, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tiny_graphs import TinyData

    assert geozoo_train(*TINY, "trainer.max_epochs=1", "run_dir=run") == 0
    load = TinyData.load

    def hashed(self: TinyData) -> object:
        loaded = load(self)
        object.__setattr__(loaded.spec.record, "data_hash", "1")
        return loaded

    monkeypatch.setattr(TinyData, "load", hashed)
    assert evaluation("run", []).tested.note == ""
    assert geozoo_train("resume=run", "trainer.max_epochs=2") == 0


@pytest.mark.thorough
def test_simulated_data_may_differ_in_their_last_bits(
    geozoo_train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On another machine they do; a run must be able to go on there."""
    from tiny_graphs import TinyData

    load, hashes = TinyData.load, iter("12223")

    def hashed(self: TinyData) -> object:
        loaded = load(self)
        object.__setattr__(loaded.spec.record, "data_hash", next(hashes))
        return loaded

    monkeypatch.setattr(TinyData, "load", hashed)
    assert geozoo_train(*TINY, "trainer.max_epochs=1", "run_dir=run") == 0
    capsys.readouterr()
    assert geozoo_train("resume=run", "trainer.max_epochs=2") == 0
    told = " ".join(capsys.readouterr().err.split())
    assert (
        "the data are not bitwise identical to those of the training: the values of the data"
        in told
    )
