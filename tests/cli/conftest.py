"""Runs of the command lines on a data set and a model that take no time."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_configs import DATASET, MODEL, TINY, unless_given


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
    # Whatever state the working tree is in.
    monkeypatch.setattr("geozoo.machine.provenance.commit", lambda: "0123456789ab")

    def run(*words: str) -> int:
        from geozoo.cli.train import main

        is_resumed = any(word.startswith("resume=") for word in words)
        own = [] if is_resumed else ["--config-dir", str(configs)]
        monkeypatch.setattr(sys, "argv", ["geozoo-train", *own, *unless_given(words)])
        try:
            main()
        except SystemExit as error:
            return int(error.code or 0)
        return 0

    return run


@pytest.fixture(scope="session")
def kept_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for copies of finished runs."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def run_once(
    geozoo_train: Callable[..., int], tmp_path: Path, kept_runs: Path
) -> Callable[..., Path]:
    """Run the same words in several tests but once; each gets a folder of its own.

    A copy says of itself what the run would have said: its texts name the folder where it lies.
    """

    def run(name: str, *words: str) -> Path:
        folder, kept = tmp_path / name, kept_runs / hashlib.sha256(repr(words).encode()).hexdigest()
        if not kept.is_dir():
            assert geozoo_train(*words, f"run_dir={name}") == 0
            shutil.copytree(folder, kept)
            (kept / "from").write_text(str(tmp_path))
            return folder
        shutil.copytree(kept, folder)
        former = (folder / "from").read_text()
        (folder / "from").unlink()
        for path in folder.rglob("*"):
            if path.suffix in (".yaml", ".json", ".csv", ".txt", ".html"):
                path.write_text(path.read_text().replace(former, str(tmp_path)))
        return folder

    return run


@pytest.fixture
def tiny_run(run_once: Callable[..., Path]) -> Path:
    """The folder of a finished run."""
    return run_once("done", *TINY)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty but for what the runs of `killed_pairs` read."""
    from killed_pairs import write_files

    (tmp_path / "data").mkdir()
    write_files(tmp_path)
    monkeypatch.setenv("GEOZOO_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GEOZOO_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path
