"""Compositions for which a potential predicts energies, and errors for others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from energy_samples import MIX, WORDS, Trained, frame, written
from trained_samples import SIZES

from geozoo.data import GeometricSpec, GraphStore, structure_of
from geozoo.data.molecules.atom_energies import compositions_of, count_elements
from geozoo.hub import load
from geozoo.hub.exporting import export_program
from geozoo.hub.publishing import write_model
from geozoo.hub.structures import predict_store, structure_store
from geozoo.models import Ponita
from geozoo.options import in_groups
from geozoo.runs.trained import trained_model
from geozoo.tasks import Potential

#: Four compositions that do not lie in a plane: any other one is a sum of differences of these.
KINDS = ("OHH", "CHHHH", "COHH", "CCHHHO")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("compositions"))


@pytest.fixture(scope="module")
def without(trained: Trained) -> Path:
    """A potential for one more composition than elements, without atomic reference energies."""
    file = written(trained.folder / "four.xyz", KINDS, 80)
    return trained("none", file, "test=false", "dataset.energy_reference=none")


def energy(model, kind: str, seed: int = 0) -> float:
    structure = structure_of(frame(kind, np.random.default_rng(seed)), kind)
    return predict_store(model, structure_store(model.spec, [structure]))["energy"].item()


@pytest.mark.parametrize("other", ["OHHOHH", "O", "HH", "CCOHHHHHH", "OOHH"])
def test_mean_energy_applies_only_to_training_compositions(without, other) -> None:
    model = trained_model(str(without))
    assert {tuple(row) for row in model.spec.statistics["compositions"]} == {
        (2, 0, 1), (4, 1, 0), (2, 1, 1), (3, 2, 1)
    }  # fmt: skip
    for kind in KINDS:
        assert np.isfinite(energy(model, kind))
    with pytest.raises(
        ValueError, match="no energies of free atoms, and its mean energy is valid only"
    ):
        energy(model, other)


@pytest.mark.thorough
def test_all_interfaces_accept_the_same_compositions(without: Path, tmp_path: Path) -> None:
    model = trained_model(str(without))
    program = export_program(model).module()
    for kind, is_known in (("OHH", True), ("HOHHOH", False), ("CHHHH", True), ("O", False)):
        atoms = frame(kind, np.random.default_rng(1))
        if len(atoms) > 1:
            pairs = torch.triu_indices(len(atoms), len(atoms), 1)
            pos = torch.from_numpy(atoms.positions).float()
            found, _ = program(torch.from_numpy(atoms.numbers), pos, pairs)
            assert bool(found.isfinite()) == is_known, kind
    found = model.description
    write_model(
        tmp_path / "m", name="m", model=found.model, task=found.task, data=found.data,
        state=model.task.state_dict(),
    )  # fmt: skip
    published = load(tmp_path / "m")
    assert energy(published, "OHH") == energy(model, "OHH")
    with pytest.raises(ValueError, match="do not determine"):
        energy(published, "OHHOHH")


def test_size_extensive_network_predicts_for_all_compositions_of_its_elements() -> None:
    """The sum over atoms is size-extensive; there is no shift and no reference energy."""
    spec = GeometricSpec(
        level="graph", dim=3, in_channels=3, out_channels=1, elements=(1, 6, 8), target="energy",
        vector_fields=("pos", "forces"), units={"energy": "meV", "forces": "meV/angstrom"},
        statistics={"energy_shift": 0.0, "energy_scale": 2000.0},
    )  # fmt: skip
    task = Potential(Ponita(**in_groups(Ponita, spec.model_arguments() | SIZES)), spec)
    task._learn_compositions(torch.tensor([[2.0, 0.0, 1.0], [3.0, 0.0, 1.0]]).double())
    asked = torch.tensor([[4, 0, 2], [0, 0, 1], [7, 0, 0], [2, 1, 1]]).double()
    assert task.is_determined(asked).tolist() == [True, True, True, False]


@pytest.mark.thorough
@pytest.mark.parametrize("reference", ["none", "atoms", "given"])
def test_unknown_element_error_lists_known_elements(reference, trained, tmp_path, capsys) -> None:
    from geozoo.cli._launch import launch

    file = written(tmp_path / "train.xyz", MIX, 20)
    frames = [frame("OHH", np.random.default_rng(0)), frame("OHH", np.random.default_rng(1))]
    frames[1].symbols[0] = "N"
    from ase.io import write

    write(tmp_path / "test.xyz", frames, format="extxyz")
    words = [f"dataset.path={file}", f"dataset.test_path={tmp_path / 'test.xyz'}"]
    words += [f"dataset.energy_reference={reference}", f"run_dir={tmp_path / 'run'}"]
    if reference == "given":
        words.append("dataset.atom_energies={H: -13.6, C: -1030, N: -1500, O: -2040}")
    with pytest.warns(UserWarning, match="structures contain N"), pytest.raises(SystemExit):
        launch([*WORDS, *words])
    captured = capsys.readouterr()
    said = " ".join((captured.out + captured.err).split())
    assert (
        "the test split contains H2N: the training split does not contain N, only H, C, O" in said
    )
    assert "new element" not in said


def test_batch_and_store_compositions_agree() -> None:
    x = torch.eye(3)[torch.tensor([0, 0, 2, 1, 0, 0, 0, 0])]
    store = GraphStore(torch.tensor([3, 5]), node={"x": x, "pos": torch.zeros(8, 3)})
    batch = store.gather(torch.tensor([1, 0, 1]))
    found = count_elements(batch.x, batch.batch, 3)
    assert found.tolist() == [[4, 1, 0], [2, 0, 1], [4, 1, 0]]
    assert torch.equal(compositions_of(store)[[1, 0, 1]], found)


def test_evaluate_rejects_unknown_compositions_first(without: Path, tmp_path, capsys) -> None:
    from geozoo.cli.main import run_command

    file = written(tmp_path / "a.xyz", ("OHHOHH",), 20)
    with pytest.raises(SystemExit):
        run_command("evaluate", [str(without), "dataset=extxyz", f"dataset.path={file}"])
    captured = capsys.readouterr()
    said = " ".join((captured.out + captured.err).split())
    assert "dataset: the test split contains H4O2: the model has no energies of free atoms" in said
    assert "Traceback" not in said


def test_evaluate_on_another_file_keeps_the_split(without: Path, tmp_path: Path) -> None:
    from geozoo.runs.transfer import evaluation_elsewhere

    file = written(tmp_path / "a.xyz", ("OHH", "CHHHH"), 20, seed=5)
    outcome = evaluation_elsewhere(str(without), ["dataset=extxyz", f"dataset.path={file}"])
    assert outcome.tested.note == ""
