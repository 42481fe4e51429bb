"""All interfaces agree on energies: predict, calculator, export, ensemble, evaluate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read, write
from energy_samples import FREE, MIX, WORDS, Trained, frame, written

from geozoo.data import structure_of
from geozoo.engines.ase import GeozooCalculator
from geozoo.hub import Ensemble, load
from geozoo.hub.exporting import export_program
from geozoo.hub.structures import predict_store, structure_store
from geozoo.runs.trained import trained_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("energies"))


@pytest.fixture(scope="module")
def mixed(trained) -> Path:
    file = written(trained.folder / "mix.xyz", MIX, 40)
    return trained("mixed", file, "test=false")


@pytest.mark.thorough
def test_all_interfaces_give_the_same_energy(mixed: Path) -> None:
    model = trained_model(str(mixed))
    atoms = frame("OHH", np.random.default_rng(1))
    true = 1e3 * atoms.get_potential_energy()
    store = structure_store(model.spec, [structure_of(atoms, "atoms")])
    direct = model.predict(store.gather(torch.tensor([0])))["energy"].item()
    assert direct == pytest.approx(true, abs=3e4)  # a bad network, but no free atoms are missing
    assert predict_store(model, store)["energy"].item() == direct
    calculated = GeozooCalculator(model).get_potential_energy(atoms)
    assert calculated == pytest.approx(1e-3 * direct, rel=1e-12)
    program = export_program(model).module()
    numbers, pos = torch.from_numpy(atoms.numbers), torch.from_numpy(atoms.positions).float()
    energy, _ = program(numbers, pos, torch.triu_indices(3, 3, 1))
    assert energy.item() == pytest.approx(direct, abs=1.0)


@pytest.mark.thorough
def test_ensemble_energy_is_mean_of_members(trained, mixed: Path) -> None:
    file = trained.folder / "mix.xyz"
    given = "dataset.atom_energies={H: -20, C: -1000, O: -2050}"
    other = trained("other", file, "dataset.split_seed=1", "seed=1", "test=false", given)
    members = [trained_model(str(run)) for run in (mixed, other)]
    rng = np.random.default_rng(2)
    structures = [structure_of(frame(kind, rng), kind) for kind in MIX]
    store = structure_store(members[0].spec, structures)
    each = torch.stack([predict_store(member, store)["energy"] for member in members])
    both = predict_store(Ensemble(members), store)
    torch.testing.assert_close(both["energy"], each.mean(0), rtol=1e-14, atol=0)
    torch.testing.assert_close(both["energy_std"], each.std(0), rtol=1e-10, atol=0)


def beside(file: Path) -> Path:
    return file.with_name(f"test_{file.name}")


def evaluated(run: Path, file: Path, *words: str) -> dict[str, float]:
    from geozoo.runs.transfer import evaluation_elsewhere

    files = (f"dataset.path={file}", f"dataset.test_path={beside(file)}")
    return evaluation_elsewhere(str(run), ["dataset=extxyz", *files, *words]).tested.metrics


@pytest.mark.thorough
def test_evaluate_uses_training_reference_energies(trained, mixed: Path, tmp_path: Path) -> None:
    model = trained_model(str(mixed))
    errors = {}
    cases = (("plain", MIX, 0.0), ("higher", MIX, 1.0), ("one", ("OHH",), 0.0))
    for name, kinds, per_atom in cases:
        file = written(tmp_path / f"{name}.xyz", kinds, 20, per_atom=per_atom)
        test = written(beside(file), kinds, 12, 3, per_atom=per_atom)
        frames = read(test, ":", format="extxyz")
        store = structure_store(model.spec, [structure_of(each, "frame") for each in frames])
        true = torch.tensor([1e3 * each.get_potential_energy() for each in frames])
        right = (predict_store(model, store)["energy"] - true).abs().mean().item()
        errors[name] = evaluated(mixed, file)["energy_mae"]
        assert errors[name] == pytest.approx(right, rel=1e-3), name
        # how the other frames of the file are cut into parts is of no concern
        assert evaluated(mixed, file, "dataset.split_seed=5")["energy_mae"] == pytest.approx(
            errors[name], rel=1e-9
        )
    assert abs(errors["higher"] - errors["plain"]) > 100  # an eV an atom is not fitted away


@pytest.mark.thorough
def test_single_composition_potential_accepts_only_multiples(trained) -> None:
    file = written(trained.folder / "water.xyz", ("OHH",), 20)
    model = trained_model(str(trained("water", file, "test=false")))
    water = structure_of(frame("OHH", np.random.default_rng(5)), "water")
    far = structure_of(frame("OHH", np.random.default_rng(6)), "water")
    one = [predict_store(model, structure_store(model.spec, [each])) for each in (water, far)]
    pair = type(water)(
        np.concatenate([water.numbers, far.numbers]),
        np.concatenate([water.pos, far.pos + 100.0]),
    )
    two = predict_store(model, structure_store(model.spec, [pair]))["energy"].item()
    assert two == pytest.approx(sum(each["energy"].item() for each in one), abs=2e4)
    assert two == pytest.approx(2 * (FREE["O"] + 2 * FREE["H"]) * 1e3, abs=2e4)
    for wrong in ("O", "OH", "OHHH"):
        other = structure_of(frame(wrong, np.random.default_rng(7)), wrong)
        with pytest.raises(ValueError, match="do not determine the energies of these"):
            predict_store(model, structure_store(model.spec, [other]))
    calculator = GeozooCalculator(model, any_composition=True)
    assert np.isfinite(calculator.get_forces(frame("OH", np.random.default_rng(8)))).all()
    assert not model.task.any_composition


@pytest.mark.thorough
def test_exported_program_returns_nan_for_undetermined_energies(trained) -> None:
    file = trained.folder / "water.xyz"
    model = trained_model(str(trained("water", file, "test=false")))
    program = export_program(model).module()
    pairs = torch.triu_indices(3, 3, 1)
    pos = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    for numbers, has_energy, has_force in (([8, 1, 1], 1, 1), ([8, 8, 1], 0, 1), ([8, 1, 6], 0, 0)):
        energy, force = program(torch.tensor(numbers), pos, pairs)
        assert bool(energy.isfinite()) == has_energy
        assert bool(force.isfinite().all()) == has_force


def test_shipped_model_rejects_unknown_compositions() -> None:
    model = load("ponita-rmd17_ethanol")
    ethanol = Atoms("C2OH6", 1.5 * np.random.default_rng(0).normal(size=(9, 3)))
    store = structure_store(model.spec, [structure_of(ethanol, "ethanol")])
    assert predict_store(model, store)["energy"].item() == pytest.approx(-4209626, abs=1e5)
    for other in ("OH2", "O", "C4O2H12", "CO2H6"):
        atoms = Atoms(other, 3.0 * np.random.default_rng(1).normal(size=(len(Atoms(other)), 3)))
        with pytest.raises(ValueError, match="do not determine"):
            predict_store(model, structure_store(model.spec, [structure_of(atoms, other)]))


@pytest.mark.thorough
def test_isolated_atoms_in_file_are_reference_energies(trained, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [frame(MIX[i % 4], rng) for i in range(20)]
    for symbol, energy in FREE.items():
        atom = Atoms(symbol)
        atom.info["config_type"] = "IsolatedAtom"
        atom.calc = SinglePointCalculator(atom, energy=energy, forces=np.zeros((1, 3)))
        frames.append(atom)
    write(tmp_path / "with_atoms.xyz", frames, format="extxyz")
    run = trained("isolated", tmp_path / "with_atoms.xyz", "test=false")
    model = trained_model(str(run))
    assert model.spec.record.structures.energy_reference == "isolated atoms"
    assert model.spec.record.sizes["train"] == 16
    assert model.spec.statistics["atom_energy_O"] == pytest.approx(1e3 * FREE["O"])
    # given energies of atoms hold for every composition
    other = structure_of(frame("OOHCC", rng), "other")
    predict_store(model, structure_store(model.spec, [other]))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dataset.atom_energies={H: -13.6, C: -1030}"], "(H, C, O); missing: O"),
        (["dataset.energy_reference=given"], "energy_reference=given requires atom_energies"),
        (["dataset.energy_reference=isolated"], "requires single-atom frames with config_type"),
        (
            ["dataset.energy_reference=none", "dataset.atom_energies={H: 1}"],
            "cannot be combined with",
        ),
    ],
)
def test_invalid_reference_energies_raise(words, message, trained, tmp_path, capsys) -> None:
    from geozoo.cli._launch import launch

    file = written(tmp_path / "mix.xyz", MIX, 20)
    with pytest.raises(SystemExit):
        launch([*WORDS, f"dataset.path={file}", f"run_dir={tmp_path / 'run'}", *words])
    captured = capsys.readouterr()
    assert message in " ".join((captured.out + captured.err).split())


@pytest.mark.thorough
def test_undetermined_test_energies_raise_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from geozoo.cli._launch import launch

    file = written(tmp_path / "train.xyz", ("OHH", "CHHHH"), 20)
    test = written(tmp_path / "test.xyz", ("OHH", "CHHHO"), 6)
    words = [*WORDS, f"dataset.path={file}", f"dataset.test_path={test}"]
    with pytest.raises(SystemExit):
        launch([*words, f"run_dir={tmp_path / 'refused'}"])
    captured = capsys.readouterr()
    said = " ".join((captured.out + captured.err).split())
    assert "the test split contains" in said and "do not determine" in said
    given = "dataset.atom_energies={H: -13.6, C: -1030, O: -2040}"
    launch([*words, given, f"run_dir={tmp_path / 'given'}"])
    assert (tmp_path / "given" / "result.csv").is_file()


def test_weights_of_earlier_versions_predict_same_energies(mixed: Path, tmp_path: Path) -> None:
    from geozoo.hub.publishing import write_model
    from geozoo.tasks.potential import LATER_BUFFERS

    model = trained_model(str(mixed))
    found = model.description
    state = {k: v for k, v in model.task.state_dict().items() if k not in LATER_BUFFERS}
    write_model(
        tmp_path / "old", name="old", model=found.model,
        task={k: v for k, v in found.task.items() if k != "any_composition"},
        data=found.data, state=state,
    )  # fmt: skip
    structures = [structure_of(frame("OHH", np.random.default_rng(3)), "water")]
    store = structure_store(model.spec, structures)
    old = predict_store(load(tmp_path / "old"), store)["energy"]
    torch.testing.assert_close(old, predict_store(model, store)["energy"], rtol=1e-14, atol=0)


@pytest.mark.thorough
def test_fine_tuning_keeps_element_columns(trained, tmp_path: Path) -> None:
    """Fine-tune a model with columns for atomic numbers up to 8 on H, C and O, and vice versa."""
    from geozoo.cli._launch import launch

    file = written(tmp_path / "ethanol.xyz", ("CCOHHHHHH",), 20)
    words = ("init_from=ponita-rmd17_ethanol", "trainer.max_epochs=1", "trainer.accelerator=cpu")
    data = ("model=ponita", "dataset=extxyz", f"dataset.path={file}", "recipe=ponita-rmd17")
    quick = ("trainer=quick", "test=false", "trainer.limit_train_batches=1")
    run = tmp_path / "tuned"
    launch([*data, *quick, *words, f"run_dir={run}"])
    tuned = trained_model(str(run))
    assert tuned.spec.elements == load("ponita-rmd17_ethanol").spec.elements
    launch([f"resume={run}", "trainer.max_epochs=2"])
    assert trained_model(str(run)).spec.elements == tuned.spec.elements


def test_evaluating_on_another_file_keeps_element_columns(mixed: Path, tmp_path: Path) -> None:
    from geozoo.runs.errors import RunError
    from geozoo.runs.evaluation import evaluation

    file = written(tmp_path / "fewer.xyz", ("OHH",), 20)
    model = trained_model(str(mixed))
    frames = read(file, ":", format="extxyz")
    store = structure_store(model.spec, [structure_of(each, "frame") for each in frames])
    true = torch.tensor([1e3 * each.get_potential_energy() for each in frames])
    error = (predict_store(model, store)["energy"] - true).abs()
    outcome = evaluation(str(mixed), [f"dataset.path={file}"])
    index = outcome.datamodule.splits["test"]
    assert outcome.tested.metrics["energy_mae"] == pytest.approx(
        error[index].mean().item(), rel=1e-3
    )
    frames[0].symbols[0] = "N"
    write(tmp_path / "new.xyz", frames, format="extxyz")
    with pytest.raises(RunError, match=r"species must contain .*missing: \['N'\]"):
        evaluation(str(mixed), [f"dataset.path={tmp_path / 'new.xyz'}"])


@pytest.mark.thorough
def test_constant_shift_rejects_multiples_of_composition(trained) -> None:
    """Without atomic energies, two molecules would have two shifts, which is undetermined."""
    file = written(trained.folder / "two.xyz", ("OHH", "CHHHH"), 40)
    model = trained_model(str(trained("none", file, "test=false", "dataset.energy_reference=none")))
    rng = np.random.default_rng(4)
    known = structure_of(frame("OHH", rng), "water")
    predict_store(model, structure_store(model.spec, [known]))
    for other in ("OHHOHH", "O", "CHHHHCHHHH"):
        structure = structure_of(frame(other, rng), other)
        with pytest.raises(ValueError, match="do not determine"):
            predict_store(model, structure_store(model.spec, [structure]))
