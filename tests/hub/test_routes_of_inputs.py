"""Inputs of the right shape that differ from training are converted or raise an error."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
import torch
from trained_samples import ELEMENTS, SIZES, molecule, potential, trained

from geozoo.data import DataRecord, GeometricSpec, Structure, StructureFiles
from geozoo.hub import Ensemble, TrainedModel, write_model
from geozoo.hub.arrays import read_arrays
from geozoo.hub.structures import predict_store, structure_store
from geozoo.models import Ponita
from geozoo.options import in_groups
from geozoo.tasks import Regression

sys.path.insert(0, str(Path(__file__).parents[1]))
from qm9_samples import qm9, write_qm9


def one_hot(numbers: np.ndarray) -> np.ndarray:
    return np.eye(4)[[ELEMENTS.index(z) for z in numbers]]


def with_record(model: TrainedModel, **known: object) -> TrainedModel:
    record = DataRecord(structures=StructureFiles(**known))
    model.task.spec = replace(model.spec, record=record)
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_arrays_far_from_origin_are_centred(dtype, tmp_path: Path) -> None:
    model = potential().cast(dtype)
    numbers, pos = molecule()
    near = predict_store(model, structure_store(model.spec, [Structure(numbers, pos)]))
    for shift in (0.0, 1000.0, -20000.0):
        np.savez(tmp_path / "a.npz", pos=pos[None] + shift, x=one_hot(numbers)[None])
        far = predict_store(model, read_arrays(tmp_path / "a.npz", model.spec, dtype=dtype))
        torch.testing.assert_close(far["energy"], near["energy"], rtol=0, atol=1e-2)
        torch.testing.assert_close(far["force"], near["force"], rtol=1e-4, atol=1e-2)


def test_rows_that_are_not_one_hot_raise(tmp_path: Path) -> None:
    numbers, pos = molecule()
    for wrong in (2.0 * one_hot(numbers), np.zeros((4, 4)), one_hot(numbers) + np.eye(4)):
        np.savez(tmp_path / "a.npz", pos=pos[None], x=wrong[None])
        with pytest.raises(ValueError, match="x must be the one-hot encoding of the element"):
            read_arrays(tmp_path / "a.npz", potential().spec)


def regression(spec: GeometricSpec) -> TrainedModel:
    torch.manual_seed(0)
    return trained(Regression(Ponita(**in_groups(Ponita, spec.model_arguments() | SIZES)), spec))


@pytest.fixture
def kinds(tmp_path: Path) -> dict[str, GeometricSpec]:
    """Specs with the same number of columns but different meanings of columns or edges."""
    pytest.importorskip("rdkit")
    write_qm9(tmp_path)
    choices = {
        "pyg": {}, "chemistry": {"features": "chemistry"}, "bonds": {"edges": "bonds"},
        "distance": {"edges": "bonds", "bonds": "distance"},
    }  # fmt: skip
    return {
        name: qm9(tmp_path, target="homo", **{"bonds": "rdkit", **words}).spec
        for name, words in choices.items()
    }


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("pyg", "chemistry", "features is pyg for the model and chemistry here"),
        ("pyg", "bonds", "has_edges is False for the model and True here"),
        ("bonds", "distance", "bonds is rdkit for the model and distance here"),
    ],
)
def test_inputs_of_same_shape_but_different_meaning_raise(first, second, message, kinds) -> None:
    assert kinds[first].in_channels == kinds[second].in_channels
    assert message in kinds[first].differences(kinds[second])
    assert not kinds[first].differences(kinds[first])
    with pytest.raises(ValueError, match="differ in their input construction"):
        Ensemble([regression(kinds[first]), regression(kinds[second])])


def test_evaluate_builds_training_inputs(kinds) -> None:
    from geozoo.runs.transfer import _own_data

    def words(name: str) -> list[str]:
        return _own_data(regression(kinds[name]), {})[1:]

    assert "dataset.features=chemistry" in words("chemistry")
    assert "dataset.bonds=rdkit" in words("chemistry")
    assert {"dataset.edges=bonds", "dataset.bonds=distance"} <= set(words("distance"))
    assert not any(word.startswith("dataset.bonds=") for word in words("pyg"))


@pytest.fixture
def predict(monkeypatch, capsys, tmp_path: Path):
    """Run ``geozoo predict`` on a structure; returns the exit code and the output."""
    from geozoo.cli.main import main

    def written(model: TrainedModel, name: str) -> Path:
        write_model(
            tmp_path / name, name="tiny", state=model.task.state_dict(), data=model.spec.to_dict(),
            model={"_target_": "geozoo.models.Ponita", **model.spec.model_arguments() | SIZES},
            task={"_target_": "geozoo.tasks.Potential"},
        )  # fmt: skip
        return tmp_path / name

    def run(models: dict[str, TrainedModel], source: Path, *words: str) -> tuple[int, str]:
        folders = [str(written(model, name)) for name, model in models.items()]
        given = [f"checkpoint={','.join(folders)}", f"input={source}"]
        given += [f"out={tmp_path / 'o.npz'}", *words]
        monkeypatch.setattr(sys, "argv", ["geozoo", "predict", *given])
        code = 0
        try:
            main()
        except SystemExit as error:
            code = int(error.code or 0)
        captured = capsys.readouterr()
        return code, " ".join((captured.out + captured.err).split())

    return run


def test_options_without_effect_raise(predict, tmp_path: Path) -> None:
    numbers, pos = molecule()
    np.savez(tmp_path / "a.npz", pos=pos[None], x=one_hot(numbers)[None])
    for word in ("length_unit=bohr", "ignore_cell=true", "zero_is_missing=true"):
        code, said = predict({word[:6]: potential()}, tmp_path / "a.npz", word)
        assert code == 1 and f"{word.partition('=')[0]} cannot be given for a.npz" in said
    ase.io.write(tmp_path / "a.xyz", ase.Atoms(numbers, pos), format="extxyz")
    code, said = predict({"b": potential()}, tmp_path / "a.xyz", "missing=[-9999]")
    assert code == 1 and "missing cannot be given for a.xyz" in said


def test_ensemble_units_must_agree_or_be_given(predict, tmp_path: Path) -> None:
    numbers, pos = molecule()
    ase.io.write(tmp_path / "a.xyz", ase.Atoms(numbers, pos), format="extxyz")
    models = {
        "a": with_record(potential(), length_unit_of_file="bohr"),
        "b": with_record(potential(), length_unit_of_file="angstrom"),
    }
    code, said = predict(models, tmp_path / "a.xyz")
    assert code == 1 and "positions in different units, angstrom and bohr: set length_unit" in said
    models = {f"{name}_again": model for name, model in models.items()}
    assert predict(models, tmp_path / "a.xyz", "length_unit=angstrom")[0] == 0
