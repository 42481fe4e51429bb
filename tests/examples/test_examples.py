"""The examples run from top to bottom, shortened, and say what they promise."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from importlib.machinery import SourceFileLoader
from pathlib import Path

import numpy as np
import pytest
import torch

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def said(name: str, *words: object) -> str:
    """What an example prints."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_every_example_is_run_here():
    text = Path(__file__).read_text()
    assert all(path.name in text for path in EXAMPLES.glob("*.py"))


def test_a_model_from_layers():
    assert "turns the vectors with it" in said("model_from_layers.py")


@pytest.mark.thorough
def test_a_layer_in_pyg_learns():
    errors = [float(e) for e in re.findall(r"error ([\d.]+) of", said("layer_in_pyg.py"))]
    assert errors[-1] < 0.2 * errors[0]


@pytest.mark.thorough
def test_a_potential_and_its_dynamics(tmp_path):
    pytest.importorskip("ase")
    words = "--folder", tmp_path, "--epochs", 2, "--picoseconds", 0.04
    out = said("potential_and_dynamics.py", *words)
    drift = float(re.search(r"stays within ([\d.]+) meV an atom", out)[1])
    assert drift < 0.1
    assert (tmp_path / "model" / "model.safetensors").is_file()


@pytest.mark.thorough
def test_a_forecast_of_an_own_table(tmp_path):
    out = said("forecast_own_table.py", "--folder", tmp_path, "--epochs", 1)
    assert "from 2024-01-14T18:00:00 to 2024-01-14T18:55:00" in out
    assert len((tmp_path / "next_hour.csv").read_text().splitlines()) == 13


@pytest.mark.thorough
def test_phonons_of_silicon():
    for library in ("phonopy", "sevenn"):
        pytest.importorskip(library)
    rows = re.findall(r"^(\w+) +((?: *-?[\d.]+)+) THz", said("phonons.py", "--repeat", 1), re.M)
    found = {name: [float(each) for each in row.split()] for name, row in rows}
    assert max(map(abs, found["Gamma"][:3])) < 0.05
    assert 14 < found["Gamma"][5] < 17


@pytest.mark.thorough
def test_a_solvated_molecule(tmp_path):
    pytest.importorskip("openmm")
    out = said("solvated_molecule.py", "--folder", tmp_path, "--steps", 20)
    assert "20 steps with the potential on 9 of" in out
    assert (tmp_path / "frames.dcd").stat().st_size > 9 * 12


@pytest.mark.thorough
def test_a_search_is_pruned_and_continued(tmp_path):
    pytest.importorskip("optuna")
    words = (
        "--folder", tmp_path, "--search", "optimizer.lr=1e-4..1e-1", "--search",
        "model.num_layers=1,2", "model=egnn", "dataset=chirality", "dataset.num_train=100",
        "trainer.max_epochs=2", "trainer.accelerator=cpu",
    )  # fmt: skip
    first = said("tune_with_optuna.py", "--trials", 2, *words)
    assert "2 trials" in first and "best: val/error = " in first
    assert "geozoo train model=egnn dataset=chirality" in first
    assert "3 trials" in said("tune_with_optuna.py", "--trials", 3, *words)
    assert sorted(path.name for path in tmp_path.glob("trial*")) == [
        "trial0000", "trial0001", "trial0002",
    ]  # fmt: skip


def test_channels_are_aligned_and_layers_fitted():
    """A network in another order of channels is recovered, and is its own least squares fit."""
    example = SourceFileLoader("merge_potentials", str(EXAMPLES / "merge_potentials.py"))
    merging = types.ModuleType(example.name)
    sys.modules[example.name] = merging  # dataclasses look it up
    example.exec_module(merging)
    torch.manual_seed(3)
    x = torch.eye(9)[[6, 8, 1, 1]]
    nothing = torch.zeros(6)
    sets = [merging.Frames(torch.randn(6, 4, 3), x, nothing, nothing) for _ in range(2)]
    model, other = merging.network(0, 8), merging.network(1, 8)
    shuffled, moved = merging.aligned(other, model, sets)
    assert moved > 8
    before, after = (merging.predict(each, sets[0]) for each in (model, shuffled))
    torch.testing.assert_close(before, after)
    recovered, _ = merging.aligned(model, shuffled, sets)
    for name, weight in recovered.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name]), name
    for start in (model, merging.averaged(model, other)):
        merged = merging.fitted([model, recovered], start, sets, ridge=1e-10, slopes=0.1)
        torch.testing.assert_close(
            merging.predict(merged, sets[1]), merging.predict(model, sets[1]), atol=1e-4, rtol=1e-3
        )


@pytest.mark.thorough
def test_merged_potentials(tmp_path):
    (tmp_path / "rmd17" / "npz_data").mkdir(parents=True)
    (tmp_path / "rmd17" / "splits").mkdir()
    random = np.random.default_rng(0)
    for molecule in ("uracil", "ethanol", "malonaldehyde"):
        np.savez(
            tmp_path / "rmd17" / "npz_data" / f"rmd17_{molecule}.npz",
            nuclear_charges=np.array([6, 8, 1, 1], dtype=np.uint8),
            coords=random.normal(size=(200, 4, 3)), energies=random.normal(size=200) - 97000.0,
            forces=random.normal(size=(200, 4, 3)), old_indices=np.arange(200),
        )  # fmt: skip
    for part, start in (("train", 0), ("test", 100)):
        rows = np.arange(start, start + 100)
        np.savetxt(tmp_path / "rmd17" / "splits" / f"index_{part}_01.csv", rows, fmt="%d")
    words = "--folder", tmp_path / "merged", "--data", tmp_path, "--channels", 8, "--frames", 5
    out = said("merge_potentials.py", *words, "--steps", 2, "--steps-start", 2, "--distil", 2)
    names = [line.split(" (")[0] for line in out.splitlines() if re.search(r"( +[\d.]+){4}$", line)]
    assert len(names) == 20 and names.count("least squares with derivatives") == 2
    assert "steps" not in said("merge_potentials.py", *words, "--distil", 2)  # weights are kept
