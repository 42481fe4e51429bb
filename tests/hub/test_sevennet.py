"""SevenNet's potentials: the values of sevenn are reproduced; clear errors without its files."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

import geozoo
from benchmarks.sevennet import deviations, ours, structures
from geozoo.engines.ase import GeozooCalculator
from geozoo.hub import ModelFileError, packaged
from geozoo.hub.description import Package
from geozoo.ops import textbook

# Written by `python -m benchmarks.sevennet --write FILE`, in eV and angstrom.
with np.load(Path(__file__).parent / "sevennet_reference.npz", allow_pickle=False) as FILE:
    ARRAYS = {key: FILE[key] for key in FILE.files}
HAS_WEIGHTS = importlib.util.find_spec("sevenn") is not None
needs_weights = pytest.mark.skipif(not HAS_WEIGHTS, reason="needs the extra universal")


@needs_weights
@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted({key.partition("/")[0] for key in ARRAYS}))
def test_values_are_those_of_sevenn(name):
    calculator = GeozooCalculator(name, dtype="float64")
    for label, atoms in structures().items():
        start = f"{name}/{label}/"
        wanted = {k.removeprefix(start): v for k, v in ARRAYS.items() if k.startswith(start)}
        with textbook():  # without compilation
            found = deviations(wanted, ours(calculator, atoms))
        assert {"energy", "forces"} <= found.keys()
        assert max(found.values()) < 1e-12, (label, found)


@needs_weights
def test_single_precision_is_the_default():
    model = geozoo.load("sevennet-0")
    assert model.dtype == torch.float32 and len(model.spec.elements) == 89
    assert geozoo.load("sevennet-0", dtype=torch.float64).dtype == torch.float64


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(packaged, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r'sevenn: pip install "geozoo\[universal\]"'):
        geozoo.load("sevennet-0")


def test_other_weights_are_refused(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_loader("sevenn", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(packaged, "find_spec", lambda name: spec)
    with pytest.raises(FileNotFoundError, match="the installed version of sevenn does not have"):
        geozoo.load("sevennet-0")
    folder = tmp_path / "pretrained_potentials" / "SevenNet_0__11Jul2024"
    folder.mkdir(parents=True)
    (folder / "checkpoint_sevennet_0.pth").write_bytes(b"0" * 10268648)
    with pytest.raises(ModelFileError, match="is corrupt: sha256"):
        geozoo.load("sevennet-0")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "os", "folder": "a"}, "weights.package.name must be one of sevenn, got 'os'"),
        ({"name": "sevenn", "folder": "../a"}, "must be a folder in the package"),
        ({"name": "sevenn"}, "must have name and folder"),
        ({"name": "sevenn", "folder": 1}, "must hold text"),
    ],
)
def test_invalid_packages_are_refused(given, message):
    with pytest.raises(ModelFileError, match=message):
        Package.of(given)
