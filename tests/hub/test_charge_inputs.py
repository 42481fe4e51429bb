"""Total charge and spin as inputs of a network: the same energy from all interfaces."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.io import read, write
from charged_samples import KINDS, charged
from charged_samples import written as write_charged
from energy_samples import Trained, written

from geozoo.data import DataSpec, GeometricSpec, read_structures, structure_of
from geozoo.engines.ase import GeozooCalculator
from geozoo.hub import Ensemble, TrainedModel
from geozoo.hub.arrays import read_arrays
from geozoo.hub.exporting import export_program
from geozoo.hub.structures import predict_store, structure_store
from geozoo.runs.errors import RunError
from geozoo.runs.trained import trained_model

INPUTS = "dataset.inputs=[charge,spin]"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("charges"))


@pytest.fixture(scope="module")
def run(trained: Trained) -> Path:
    return trained("run", write_charged(trained.folder / "a.xyz"), INPUTS)


@pytest.fixture(scope="module")
def model(run: Path) -> TrainedModel:
    return trained_model(str(run))


def ion(charge: int, spin: int, seed: int = 5):
    return charged("OHH", charge, spin, np.random.default_rng(seed))


def energy(model, atoms) -> float:
    store = structure_store(model.spec, [structure_of(atoms, "the structure")])
    return predict_store(model, store)["energy"].item()


def test_spec_counts_inputs_beyond_the_elements(model: TrainedModel) -> None:
    spec = model.spec
    assert spec.graph_inputs == ("charge", "spin")
    assert (spec.in_channels, spec.node_channels, len(spec.elements)) == (5, 3, 3)
    assert spec.statistics["charge_range"] == [-1.0, 1.0]
    assert spec.statistics["spin_range"] == [1.0, 3.0]
    assert (spec.units["charge"], spec.units["spin"]) == ("e", "1")
    assert DataSpec.from_dict(spec.to_dict()) == spec
    plain = {key: value for key, value in spec.to_dict().items() if key != "graph_inputs"}
    earlier = DataSpec.from_dict({**plain, "in_channels": 3})
    assert isinstance(earlier, GeometricSpec) and earlier.graph_inputs == ()


def test_energy_depends_on_charge_and_spin(model: TrainedModel) -> None:
    found = {energy(model, ion(*state)) for state in ((0, 1), (0, 3), (1, 2), (-1, 2))}
    assert len(found) == 4 and np.ptp(list(found)) > 1.0  # meV
    without = ion(0, 1)
    without.info = {"total_charge": 0, "uhf": 0}
    assert energy(model, without) == energy(model, ion(0, 1))


def test_network_sees_the_values_in_the_last_columns(model: TrainedModel) -> None:
    structures = [structure_of(ion(*state), "ion") for state in ((1, 2), (0, 3))]
    batch = structure_store(model.spec, structures).gather([0, 1])
    assert batch.x.shape == (6, 3) and batch.charge.tolist() == [1.0, 0.0]
    x = model.task.inputs(batch)["x"]
    assert torch.equal(x[:, :3], batch.x)
    assert x[:, 3:].tolist() == 3 * [[1.0, 2.0]] + 3 * [[0.0, 3.0]]


def arrays_of(model: TrainedModel, frames: list, path: Path, **extra: object) -> Path:
    elements = np.array(model.spec.elements)
    np.savez(
        path, pos=np.concatenate([each.positions for each in frames]),
        x=np.concatenate([each.numbers[:, None] == elements for each in frames]).astype(float),
        num_nodes=np.array([len(each) for each in frames]), **extra,
    )  # fmt: skip
    return path


def predicted(model: str | Path, source: Path, target: Path, monkeypatch) -> np.ndarray:
    from geozoo.cli.main import main

    words = [f"checkpoint={model}", f"input={source}", f"out={target}"]
    monkeypatch.setattr(sys, "argv", ["geozoo", "predict", *words])
    main()
    return np.load(target)["energy"] if target.suffix == ".npz" else np.zeros(0)


def test_all_interfaces_give_the_same_energy(
    model: TrainedModel, run: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    frames = [ion(*state) for state in ((0, 1), (1, 2), (-1, 2))]
    direct = np.array([energy(model, each) for each in frames])
    write(tmp_path / "a.xyz", frames, format="extxyz")
    found = predicted(run, tmp_path / "a.xyz", tmp_path / "a.npz", monkeypatch)
    assert found == pytest.approx(direct, rel=1e-9)
    assert "a.xyz: read: elements, positions, charge, spin; not read" in capsys.readouterr().err
    given = {"charge": np.array([0, 1, -1]), "spin": np.array([1, 2, 2])}
    arrays = arrays_of(model, frames, tmp_path / "in.npz", **given)
    predicted(run, tmp_path / "a.xyz", tmp_path / "out.xyz", monkeypatch)
    again = read(tmp_path / "out.xyz", ":", format="extxyz")
    assert [(each.info["charge"], each.info["spin"]) for each in again] == [(0, 1), (1, 2), (-1, 2)]
    found = predicted(run, arrays, tmp_path / "b.npz", monkeypatch)
    assert found == pytest.approx(direct, rel=1e-9)
    assert "num_nodes, charge, spin\n" in capsys.readouterr().err
    calculator = GeozooCalculator(model)
    calculated = [1e3 * calculator.get_potential_energy(each) for each in frames]
    assert calculated == pytest.approx(direct, rel=1e-9)
    both = Ensemble([model, model])
    assert [energy(both, each) for each in frames] == pytest.approx(direct, rel=1e-9)


def test_sdf_files_state_every_charge_and_spin(model: TrainedModel, tmp_path: Path) -> None:
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import AllChem

    with chem.SDWriter(str(tmp_path / "a.sdf")) as writer:
        for name in ("O", "[OH3+]", "[CH3]"):
            made = chem.AddHs(chem.MolFromSmiles(name))
            AllChem.EmbedMolecule(made, randomSeed=0)
            writer.write(made)
    structures = read_structures(tmp_path / "a.sdf", inputs=model.spec.graph_inputs)
    store = structure_store(model.spec, structures)
    assert store.graph["charge"].tolist() == [0.0, 1.0, 0.0]
    assert store.graph["spin"].tolist() == [1.0, 1.0, 2.0]


def test_published_model_keeps_its_inputs(
    model: TrainedModel, run: Path, tmp_path: Path, monkeypatch
) -> None:
    from geozoo.cli.main import main
    from geozoo.hub import load

    words = ["publish", str(run), f"out={tmp_path / 'model'}"]
    monkeypatch.setattr(sys, "argv", ["geozoo", *words])
    main()
    published = load(tmp_path / "model")
    for state in ((0, 1), (1, 2)):
        assert energy(published, ion(*state)) == energy(model, ion(*state))
    usage = published.task.usage("model").takes
    assert usage.endswith("training set, each with its charge (-1 to 1) and spin (1 to 3).")


def test_calculator_notices_a_changed_charge(model: TrainedModel) -> None:
    atoms = ion(0, 1)
    atoms.calc = GeozooCalculator(model)
    neutral = atoms.get_potential_energy()
    forces = atoms.get_forces()
    atoms.info.update(charge=1, spin=2)
    assert 1e3 * atoms.get_potential_energy() == pytest.approx(energy(model, ion(1, 2)), rel=1e-9)
    assert not np.allclose(atoms.get_forces(), forces)
    atoms.info.update(charge=0, spin=1)
    assert atoms.get_potential_energy() == neutral
    del atoms.info["charge"]
    with pytest.raises(ValueError, match="structure 0 has no total charge, which is an input"):
        atoms.get_potential_energy()


@pytest.mark.thorough
def test_evaluate_uses_the_charges_of_the_test_set(
    model: TrainedModel, run: Path, tmp_path: Path
) -> None:
    from geozoo.runs.transfer import evaluation_elsewhere

    file = write_charged(tmp_path / "a.xyz", 32, 1)
    test = write_charged(tmp_path / "test.xyz", 16, 2)
    words = ["dataset=extxyz", f"dataset.path={file}"]
    frames = read(test, ":", format="extxyz")
    store = structure_store(model.spec, read_structures(test))
    true = np.array([1e3 * each.get_potential_energy() for each in frames])
    right = np.abs(predict_store(model, store)["energy"].numpy() - true).mean()
    outcome = evaluation_elsewhere(str(run), [*words, f"dataset.test_path={test}"])
    assert outcome.tested.metrics["energy_mae"] == pytest.approx(right, rel=1e-3)
    with (
        pytest.warns(UserWarning, match="Set dataset.inputs=.spin., or train"),
        pytest.raises(RunError, match="graph_inputs is charge, spin for the model and charge"),
    ):
        evaluation_elsewhere(str(run), [*words, "dataset.inputs=[charge]"])
    wide = write_charged(tmp_path / "wide.xyz", 4, 3, states=((2, 1),))
    with pytest.raises((RunError, ValueError), match="has a charge of 2, and"):
        evaluation_elsewhere(str(run), [*words, f"dataset.test_path={wide}"])


@pytest.mark.parametrize(
    ("info", "text"),
    [
        ({"charge": 2, "spin": 1}, "has a charge of 2; the training split has a charge of -1 to 1"),
        ({"charge": 0, "spin": 5}, "has a spin of 5; the training split has a spin of 1 to 3"),
        ({"charge": 0}, "has no spin, which is an input"),
        ({"charge": 0, "spin": 0}, "must be a multiplicity"),
        ({"charge": 1, "spin": 1}, "a multiplicity of 1 .spin. is impossible .* of 9 electrons"),
        ({"charge": 0, "total_charge": 1, "spin": 1}, "differ: charge=0, total_charge=1. Keep"),
    ],
)
def test_other_states_are_refused_by_name(model: TrainedModel, info: dict, text: str) -> None:
    atoms = ion(0, 1)
    atoms.info = info
    with pytest.raises(ValueError, match=f"structure 1.*{text}"):
        structures = [structure_of(each, "") for each in (ion(0, 1), atoms)]
        structure_store(model.spec, structures)
    with pytest.raises(ValueError, match=f"structure 0.*{text}"):
        GeozooCalculator(model).get_potential_energy(atoms)


def test_arrays_need_the_values(model: TrainedModel, tmp_path: Path) -> None:
    frames = [ion(0, 1), ion(1, 2)]
    for extra, text in (
        ({"charge": [0, 1]}, "graph 0 has no spin"),
        ({"charge": [0, 1, 0], "spin": [1, 2]}, r"charge must be 2 finite numbers"),
        ({"charge": [0, np.nan], "spin": [1, 2]}, r"charge must be 2 finite numbers"),
        ({"charge": [0, 1], "spin": [1, 1]}, "graph 1: a multiplicity of 1 .spin. is impossible"),
        ({"charge": [0, 3], "spin": [1, 2]}, "graph 1 has a charge of 3"),
    ):
        path = arrays_of(model, frames, tmp_path / "a.npz", **extra)
        with pytest.raises(ValueError, match=text):
            read_arrays(path, model.spec)


def test_batches_are_checked(model: TrainedModel) -> None:
    store = structure_store(model.spec, [structure_of(ion(0, 1), "")])
    store.graph["charge"] += 3
    with pytest.raises(ValueError, match="graph 0 has a charge of 3"):
        model.predict(store.gather([0]))
    del store.graph["charge"]
    with pytest.raises(ValueError, match="takes charge as input, but the batch has no field"):
        model.predict(store.gather([0]))


def test_export_is_refused(model: TrainedModel) -> None:
    with pytest.raises(ValueError, match="cannot be exported: it takes charge, spin as input"):
        export_program(model)


def test_ensemble_needs_the_same_inputs(model: TrainedModel) -> None:
    other = copy.deepcopy(model)
    other.task.spec = replace(other.task.spec, graph_inputs=("spin", "charge"))
    with pytest.raises(ValueError, match="differ in their graph inputs"):
        Ensemble([model, other])


@pytest.mark.thorough
def test_fine_tuning_takes_the_inputs_of_the_model(
    trained: Trained, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned = trained_model(
        str(trained("tuned", trained.folder / "a.xyz", f"init_from={run}", "test=false"))
    )
    assert tuned.spec.graph_inputs == ("charge", "spin")
    plain = written(trained.folder / "plain.xyz", ("OHH", "CHHHH"), 10)
    with pytest.raises(SystemExit):
        trained("tuned2", plain, f"init_from={run}")
    assert "plain.xyz, frame 0 has no total charge, which is an input" in capsys.readouterr().err


def test_columns_with_another_meaning_are_refused(
    trained: Trained, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(trained.folder / "five.xyz", KINDS, 10)
    words = ("dataset.species=[H,C,X,O]", "dataset.inputs=[]", f"init_from={run}")
    with pytest.raises(SystemExit):
        trained("five", file, *words)
    text = "column 3 of x is charge in run and atomic number 8 here"
    assert text in capsys.readouterr().err
