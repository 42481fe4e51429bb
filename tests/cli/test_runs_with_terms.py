"""A potential with physical terms through all interfaces: one energy, and its derivatives."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from screens import exit_code

ase_io = pytest.importorskip("ase.io")
sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
from ase.build import molecule  # noqa: E402
from ase.calculators.singlepoint import SinglePointCalculator  # noqa: E402
from ase_samples import silicon, write  # noqa: E402

from geozoo.engines.ase import GeozooCalculator  # noqa: E402
from geozoo.hub import Ensemble, load  # noqa: E402
from geozoo.runs.errors import RunError  # noqa: E402
from geozoo.runs.evaluation import evaluation  # noqa: E402
from geozoo.runs.transfer import evaluation_elsewhere  # noqa: E402

pytestmark = pytest.mark.thorough
WORDS = (
    "model=painn", "dataset=extxyz", "dataset.path=a.xyz", "model.radius=3.5",
    "model.hidden_channels=8", "model.num_layers=1", "model.num_basis=4", "trainer.max_epochs=2",
    "trainer.accelerator=cpu", "optimizer.lr=0.01", "task.terms.zbl=true",
)  # fmt: skip
MORE = (
    "task.terms.d3=pbe", "task.terms.d3_cutoff=8", "task.terms.charges={Si: 0, H: 0.1}",
)  # fmt: skip


def frames() -> list:
    """Distorted and strongly compressed crystals, and molecules with short bonds."""
    found = [silicon(seed) for seed in range(8)]
    for atoms in found[:4]:
        results = atoms.calc.results
        atoms.set_cell(0.8 * atoms.cell, scale_atoms=True)
        atoms.calc = SinglePointCalculator(atoms, **results)
    for seed in range(4):
        atoms = molecule("Si2H6")
        rng = np.random.default_rng(seed)
        atoms.positions *= 0.8 + 0.02 * rng.random()
        atoms.calc = SinglePointCalculator(
            atoms, energy=-50.0 + rng.random(), forces=rng.normal(size=(8, 3))
        )
        found.append(atoms)
    return found


@pytest.fixture
def run(geozoo_train: Callable[..., int], tmp_path: Path) -> Path:
    write(tmp_path / "a.xyz", frames())
    assert geozoo_train(*WORDS, "run_dir=r") == 0
    return tmp_path / "r"


@pytest.fixture
def run_with_all(geozoo_train: Callable[..., int], tmp_path: Path) -> Path:
    for name in ("torch_dftd", "torchpme"):
        pytest.importorskip(name)
    write(tmp_path / "a.xyz", frames())
    assert geozoo_train(*WORDS, *MORE, "run_dir=r") == 0
    return tmp_path / "r"


def repulsion(model, atoms) -> float:
    """The repulsion of a structure in eV, from the task of a model."""
    from geozoo.data import structure_of
    from geozoo.hub.structures import structure_store

    store = structure_store(model.spec, [structure_of(atoms, "the structure")])
    return float(model.task.terms(store.gather([0])).energy[0]) * 1e-3


def test_checkpoint_and_published_model_predict_the_sum(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert exit_code(monkeypatch, 200, "publish", "r", "out=published") == 0
    model, published = load(run), load(tmp_path / "published")
    assert published.task.terms is not None
    assert set(published.task.state_dict()) == set(model.task.state_dict())
    for atoms in (frames()[0], frames()[-1]):
        assert repulsion(model, atoms) > 1.0
        results = []
        for each in (model, published):
            atoms.calc = GeozooCalculator(each)
            results.append((atoms.get_potential_energy(), atoms.get_forces()))
        np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-12)
        np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-12)
        # Without the terms, the energy is lower by the repulsion.
        model.task.terms, kept = None, model.task.terms
        atoms.calc = GeozooCalculator(model)
        without = atoms.get_potential_energy()
        model.task.terms = kept
        expected = without + repulsion(model, atoms)
        assert results[0][0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("fixture", ["run", "run_with_all"])
def test_all_interfaces_give_the_same_numbers(
    fixture: str,
    request: pytest.FixtureRequest,
    geozoo_train: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = request.getfixturevalue(fixture)
    assert geozoo_train("resume=r", "trainer.max_epochs=3") == 0
    assert exit_code(monkeypatch, 200, "predict", "checkpoint=r", "input=a.xyz", "out=p.npz") == 0
    arrays, model = np.load("p.npz"), load(run)
    calc = GeozooCalculator(model)
    twice = GeozooCalculator(Ensemble([model, load(run)]))
    ends = np.cumsum(arrays["num_nodes"])
    for number, atoms in enumerate(frames()):
        first = ends[number] - arrays["num_nodes"][number]
        for each in (calc, twice):
            atoms.calc = each
            energy = 1000 * atoms.get_potential_energy()
            np.testing.assert_allclose(energy, arrays["energy"][number], rtol=1e-6)
            forces = arrays["force"][first : ends[number]]
            np.testing.assert_allclose(1000 * atoms.get_forces(), forces, rtol=1e-3, atol=0.1)
            if atoms.pbc.all():
                stress = 1000 * atoms.get_stress(voigt=False)
                np.testing.assert_allclose(stress, arrays["stress"][number], rtol=1e-3, atol=0.1)
    assert len(model.task.terms.terms) == (1 if fixture == "run" else 3)
    tested = evaluation(str(run), [])
    batch = tested.datamodule.store.gather(tested.datamodule.splits["test"])
    error = (model.predict(batch)["energy"] - batch.energy).abs().mean()
    assert tested.tested.metrics["energy_mae"] == pytest.approx(float(error), rel=1e-6)


def test_md_close_to_contact_is_repelled(run: Path) -> None:
    """Atoms pushed together feel at least the repulsion of the nuclei."""
    atoms = molecule("Si2H6")
    atoms.calc = GeozooCalculator(load(run), dtype="float64")
    line = atoms.positions[1] - atoms.positions[0]
    atoms.positions[1] = atoms.positions[0] + 0.15 * line
    assert atoms.get_potential_energy() > 100
    step = 1e-5
    found = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[1, 2] += sign * step
        moved.calc = atoms.calc
        found.append(moved.get_potential_energy())
    slope = (found[0] - found[1]) / (2 * step)
    assert atoms.get_forces()[1, 2] == pytest.approx(-slope, rel=1e-5)


def test_terms_belong_to_the_trained_model(
    run: Path, geozoo_train: Callable[..., int], caplog: pytest.LogCaptureFixture
) -> None:
    for change in ("task.terms.zbl=false", "task.terms.d3=pbe"):
        with pytest.raises(RunError, match="task.terms cannot be changed here"):
            evaluation(str(run), [change])
        with pytest.raises(RunError, match="task.terms cannot be changed here"):
            evaluation_elsewhere(str(run), ["dataset=extxyz", "dataset.path=a.xyz", change])
    words = [word for word in WORDS if not word.startswith("task.")]
    assert geozoo_train(*words, "init_from=r", "run_dir=again") == 0
    assert "other physical terms (task.terms): zbl=True, here: none" in caplog.text


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "task.terms.d3=pbe",
            "task: terms.d3 needs the library torch_dftd, which is not installed",
        ),
        ("task.terms.charges={Si: 1}", "task: terms.charges must contain .* missing: H"),
        ("task.terms.charges={Si: 1, H: 0}", "dataset: terms.charges must add up to 0"),
        ("task.terms.zbk=true", "task.terms.zbk: unknown key .* did you mean zbl"),
        ("task.terms=true", "task.terms: expected a group of options"),
    ],
)
def test_terms_that_do_not_fit_end_before_training(
    word: str, message: str, geozoo_train: Callable[..., int], tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if "add up" in message:
        pytest.importorskip("torchpme")
    monkeypatch.setitem(sys.modules, "torch_dftd", None)
    write(tmp_path / "a.xyz", frames())
    words = [each for each in WORDS if not each.startswith("task.")]
    assert geozoo_train(*words, word, "run_dir=r") in (1, 2)
    text = " ".join("".join(capsys.readouterr()).split())
    assert re.search(message, text) and "Traceback" not in text
    assert not list((tmp_path / "r").rglob("*.ckpt"))
