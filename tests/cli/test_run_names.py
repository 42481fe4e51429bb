"""Run folders of any name are used by the commands that their summary prints."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from screens import exit_code
from tiny_configs import TINY

import geozoo
from geozoo.hub import Ensemble
from geozoo.runs.trained import trained_models


def _commands(folder: Path) -> list[list[str]]:
    """The words of the commands that the summary of a run ends with."""
    lines = (folder / "summary.txt").read_text().splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("  geozoo ")]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["my run", "lr=0.1", "run,comma", "-dash", "Läufe (1)", "~tilde"])
def test_a_run_folder_of_any_name_is_used(
    name: str, geozoo_train: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert geozoo_train(*TINY, "trainer.max_epochs=1", f"run_dir='{tmp_path / name}'") == 0
    pos = np.random.default_rng(0).normal(size=(2, 4, 3))
    np.savez("graphs.npz", pos=pos, x=np.ones((2, 4, 1)), vec=np.zeros((2, 4, 1, 3)))
    evaluate, predict, publish = _commands(tmp_path / name)
    for words in (evaluate, predict, [*publish, "out=out"]):
        assert exit_code(monkeypatch, 200, *words) == 0
    assert (tmp_path / "predictions.npz").is_file() and (tmp_path / "out" / "model.json").is_file()
    model = geozoo.load(tmp_path / name, trusted=["tiny_graphs"])
    assert model.units == {"position": "length"}
    assert geozoo_train(f"resume={tmp_path / name}", "trainer.max_epochs=2") == 0


@pytest.mark.slow
def test_commas_part_models_unless_they_belong_to_a_path(
    run_once: Callable[..., Path], tmp_path: Path
) -> None:
    words = (*TINY, "trainer.max_epochs=1")
    run_once("a", *words)
    run_once("b", *words).parent.joinpath("b").rename(tmp_path / "a,a")
    assert isinstance(trained_models("a,a"), geozoo.hub.TrainedModel)
    (tmp_path / "a,a").rename(tmp_path / "b")
    assert isinstance(trained_models("a,b"), Ensemble)
