"""``geozoo uncertainty``: files, publishing, predictions, calculators."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("ase")
from ase import Atoms
from ase.io import read, write
from energy_samples import Trained, frame, written
from trained_samples import dynamics

from geozoo.cli.main import main
from geozoo.data import structure_of
from geozoo.engines import PotentialEvaluator
from geozoo.engines.ase import GeozooCalculator
from geozoo.hub import Ensemble, ModelFileError, TrainedModel, load
from geozoo.hub.structures import predict_store, structure_store
from geozoo.hub.uncertainty import Work, extrapolations, give_force_std, potential_of
from geozoo.hub.uncertainty_files import UncertaintyFiles

Command = Callable[..., tuple[int, str, str]]
KINDS = ("OHH", "CHHHH")
pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tested run, with its uncertainty."""
    folder = tmp_path_factory.mktemp("uncertainty")
    file = written(folder / "mix.xyz", KINDS, 40)
    made = Trained(folder)("run", file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["geozoo", "uncertainty", str(made)])
        main()
    return made


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def called(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["geozoo", *map(str, arguments)])
        try:
            main()
        except SystemExit as error:
            return int(error.code or 0), *capsys.readouterr()
        return 0, *capsys.readouterr()

    return called


@pytest.fixture
def copied(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "copied"))


def files(run: Path) -> UncertaintyFiles:
    return UncertaintyFiles.of(run / "checkpoints" / "best.ckpt")


def stds(model: TrainedModel | Ensemble, kind: str = "OHH") -> dict[str, torch.Tensor]:
    atoms = frame(kind, np.random.default_rng(1))
    return predict_store(model, structure_store(model.spec, [structure_of(atoms, kind)]))


def test_a_run_predicts_standard_deviations(run: Path) -> None:
    model = load(run)
    assert isinstance(model, TrainedModel) and model.uncertainty is not None
    found = stds(model)
    assert 0 < found["energy_std"] < 1e6 and "force_std" not in found
    assert model.units["energy_std"] == "meV" and model.levels["energy_std"] == "graph"
    give_force_std(model)
    found = stds(model)
    assert found["force_std"].shape == (3, 3) and bool((found["force_std"] > 0).all())
    assert model.units["force_std"] == "meV/angstrom" and model.levels["force_std"] == "node"
    described = json.loads(files(run).description.read_text())
    assert described["training"]["validation_structures"] == described["energy"]["count"] == 4
    assert described["force"]["count"] > 30


def test_publishing_keeps_it(run: Path, tmp_path: Path, command: Command) -> None:
    code, _, said = command("publish", run, f"out={tmp_path / 'out'}")
    assert code == 0 and "with uncertainty" in said
    published, own = load(tmp_path / "out"), load(run)
    for name, value in stds(own).items():
        torch.testing.assert_close(stds(published)[name], value, rtol=0, atol=0)
    code, _, said = command("uncertainty", tmp_path / "out")
    assert code == 1 and "is a published model" in said


def test_corrupt_files_are_refused(copied: Path) -> None:
    matrix, description = files(copied).matrix, files(copied).description
    content = bytearray(matrix.read_bytes())
    content[-1] ^= 1
    matrix.write_bytes(content)
    with pytest.raises(ModelFileError, match="corrupt: sha256"):
        load(copied)
    matrix.unlink()
    with pytest.raises(ModelFileError, match="is missing"):
        load(copied)
    given = json.loads(description.read_text())
    description.write_text(json.dumps({**given, "energy": {"alpha": 1.0}}))
    with pytest.raises(ModelFileError, match="a calibration must have"):
        load(copied)
    description.write_text("{}")
    with pytest.raises(ModelFileError, match="must have format"):
        load(copied)


def test_that_of_other_weights_is_ignored_with_a_warning(copied: Path) -> None:
    description = files(copied).description
    given = json.loads(description.read_text())
    description.write_text(json.dumps({**given, "network": "0" * 64}))
    with pytest.warns(UserWarning, match="computed for other weights"):
        model = load(copied)
    assert isinstance(model, TrainedModel) and model.uncertainty is None


def near_and_far(run: Path) -> tuple[Atoms, Atoms]:
    """Two structures; only the second is less certain than the validation split of the run."""
    model = load(run)
    assert isinstance(model, TrainedModel)
    frames = [frame("OHH", np.random.default_rng(2)) for _ in range(4)]
    for atoms, factor in zip(frames, (0.3, 0.7, 1.5, 3.0), strict=True):
        atoms.positions *= factor
    store = structure_store(model.spec, [structure_of(atoms, "atoms") for atoms in frames])
    per_atom = predict_store(model, store)["energy_std"] / 3
    near, far = int(per_atom.argmin()), int(per_atom.argmax())
    given = json.loads(files(run).description.read_text())
    given["energy"]["largest"] = float(per_atom[[near, far]].mean())
    files(run).description.write_text(json.dumps(given))
    return frames[near], frames[far]


def test_structures_beyond_validation_are_reported(
    copied: Path, tmp_path: Path, command: Command
) -> None:
    write(tmp_path / "in.xyz", near_and_far(copied), format="extxyz")
    words = (f"input={tmp_path / 'in.xyz'}", f"out={tmp_path / 'out.extxyz'}", "forces_std=true")
    code, _, said = command("predict", copied, *words)
    assert code == 0 and "1 of 2 structures (1)" in said and "extrapolation" in said
    first, second = read(tmp_path / "out.extxyz", index=":")
    assert second.info["energy_std_meV"] > first.info["energy_std_meV"] > 0
    assert first.arrays["force_std_meV/angstrom"].shape == (3, 3)


def test_calculators_report_it_and_warn_once(copied: Path) -> None:
    near, far = near_and_far(copied)
    calculator = GeozooCalculator(copied, forces_std=True)
    near.calc = far.calc = calculator
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        near.get_forces()
    results = calculator.results
    assert results["energy_std"] > 0 and results["forces_std"].shape == (3, 3)
    with pytest.warns(UserWarning, match="this structure: the predicted standard deviation"):
        far.get_forces()
    near.get_forces()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        far.get_forces()


def test_evaluate_prints_the_coverage(run: Path, command: Command) -> None:
    code, shown, _ = command("evaluate", run)
    assert code == 0 and "predicted uncertainty of the test split" in shown


def test_ensembles_give_the_spread_of_their_members(run: Path) -> None:
    model = load(run)
    assert isinstance(model, TrainedModel)
    both = Ensemble([model, model])
    assert set(both.units) == set(stds(both)) and not stds(both)["energy_std"].any()
    assert extrapolations(both, stds(both), torch.tensor([3])) == []


def test_what_has_no_uncertainty_is_refused_by_name(
    run: Path, copied: Path, tmp_path: Path, command: Command
) -> None:
    with pytest.raises(ValueError, match="uncertainties are those of potentials"):
        potential_of(dynamics())
    for path in (files(copied).description, files(copied).matrix):
        path.unlink()
    with pytest.raises(ValueError, match="forces_std needs the uncertainty of the forces"):
        PotentialEvaluator(copied, forces_std=True)
    task = potential_of(load(run))  # type: ignore[arg-type]
    store = structure_store(task.spec, [structure_of(frame("OHH", np.random.default_rng(0)), "a")])
    with pytest.raises(ValueError, match="two validation structures, got 1 and 0"):
        Work.of(store, {"train": torch.tensor([0]), "val": torch.tensor([], dtype=int)}, task)
    code, _, said = command("uncertainty", tmp_path / "nowhere")
    assert code == 1 and "nowhere" in said


def test_data_that_have_changed_are_refused(copied: Path, command: Command) -> None:
    file = copied.parent / "other.xyz"
    written(file, KINDS, 40, seed=5)
    text = (copied / "config.yaml").read_text()
    own = next(Path(line.split(": ")[1]) for line in text.splitlines() if "  path: " in line)
    kept = own.read_bytes()
    try:
        own.write_bytes(file.read_bytes())
        code, _, said = command("uncertainty", copied)
        assert code == 1 and "the data differ from those of the training" in said
    finally:
        own.write_bytes(kept)
