"""Several runs of one command as jobs that a launcher starts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tiny_configs import TINY

from geozoo.results.rows import read_results

SWEEP = ("-m", *TINY, "trainer.max_epochs=1")


@pytest.mark.thorough
def test_a_cluster_is_a_matter_of_one_word(geozoo_train, capsys):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    words = ("hydra/launcher=submitit_slurm", "hydra.launcher.gpus_per_node=2")
    assert geozoo_train(*TINY, *words, "--cfg", "hydra") == 0
    said = capsys.readouterr().out
    assert "SlurmLauncher" in said and "gpus_per_node: 2" in said


@pytest.mark.thorough
def test_runs_as_processes_of_a_launcher(geozoo_train, tmp_path, monkeypatch):
    """The same path as on a cluster: pickled, composed and run in another process."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    tests = Path(__file__).resolve().parents[1]
    monkeypatch.setenv("PYTHONPATH", ":".join([str(tests), *filter(None, sys.path)]))
    words = ("hydra/launcher=submitit_local", "hydra.launcher.timeout_min=3", "seed=3,4")
    assert geozoo_train(*SWEEP, *words, "runs=jobs") == 0
    runs = list((tmp_path / "jobs" / "tiny-tiny").iterdir())  # named by the second they began in
    assert {folder.name[-5:] for folder in runs} == {"seed3", "seed4"}
    for folder in runs:
        assert read_results(folder / "result.csv") and (folder / "report.html").is_file()
