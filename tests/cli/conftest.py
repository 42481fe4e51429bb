"""Runs of the command lines on a data set and a model that take no time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_configs import DATASET, MODEL, TINY


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """A user's own folder of configs, with ``model=tiny`` and ``dataset=tiny``, ``tiny_energy``."""
    folder = tmp_path / "my_configs"
    for group in ("model", "dataset", "recipe"):
        (folder / group).mkdir(parents=True)
    (folder / "model" / "tiny.yaml").write_text(MODEL)
    dynamics = DATASET.format(task="dynamics", kind="dynamics")
    (folder / "dataset" / "tiny.yaml").write_text(dynamics)
    potential = DATASET.format(task="potential", kind="potential")
    (folder / "dataset" / "tiny_energy.yaml").write_text(potential)
    return folder


@pytest.fixture
def geozoo_train(
    configs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Run ``geozoo-train`` in this process, in an empty folder; gives the exit code."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> int:
        from geozoo.cli.train import main

        is_resumed = any(word.startswith("resume=") for word in words)
        own = [] if is_resumed else ["--config-dir", str(configs)]
        monkeypatch.setattr(sys, "argv", ["geozoo-train", *own, *words])
        try:
            main()
        except SystemExit as error:
            return int(error.code or 0)
        return 0

    return run


@pytest.fixture
def tiny_run(geozoo_train: Callable[..., int], tmp_path: Path) -> Path:
    """The folder of a finished run."""
    assert geozoo_train(*TINY, "run_dir=done") == 0
    return tmp_path / "done"
