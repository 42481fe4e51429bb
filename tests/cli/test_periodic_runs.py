"""A potential of crystals, slabs and frames without some targets, through all interfaces."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from screens import exit_code

ase_io = pytest.importorskip("ase.io")
sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
from ase_samples import silicon, write  # noqa: E402

from geozoo.engines.ase import GeozooCalculator  # noqa: E402
from geozoo.hub import load  # noqa: E402
from geozoo.runs.errors import RunError  # noqa: E402
from geozoo.runs.evaluation import evaluation  # noqa: E402

WORDS = (
    "model=painn", "dataset=extxyz", "dataset.path=a.xyz", "dataset.energy_reference=none",
    "model.radius=3.5", "model.hidden_channels=8", "model.num_layers=1", "model.num_basis=4",
    "trainer.max_epochs=2", "trainer.accelerator=cpu", "optimizer.lr=0.01",
)  # fmt: skip


def frames() -> list:
    found = [silicon(seed) for seed in range(10)]
    found[1], found[2] = silicon(1, forces=None), silicon(2, stress=None)
    found[3] = silicon(3, pbc=[True, True, False], stress=None)
    found[4] = silicon(4, repeat=2)
    return found


@pytest.fixture
def run(geozoo_train: Callable[..., int], tmp_path: Path) -> Path:
    write(tmp_path / "a.xyz", frames())
    assert geozoo_train(*WORDS, "run_dir=r") == 0
    return tmp_path / "r"


def test_a_run_on_crystals_tests_and_predicts_the_same(run: Path) -> None:
    result = evaluation(str(run), []).tested.metrics
    assert result["energy_mae"] > 0
    # The single test frame has no forces and no stress.
    assert "force_mae" not in result and "force_mae" not in (run / "result.csv").read_text()
    with pytest.raises(RunError, match="model.radius=2.0' cannot be given here"):
        evaluation(str(run), ["model.radius=2.0"])


@pytest.mark.thorough
def test_all_interfaces_give_the_same_numbers(
    run: Path, geozoo_train: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert geozoo_train("resume=r", "trainer.max_epochs=3") == 0
    for words in (
        ("predict", "checkpoint=r", "input=a.xyz", "out=p.extxyz"),
        ("predict", "checkpoint=r", "input=a.xyz", "out=p.npz"),
        ("publish", "r", "out=published"),
    ):
        assert exit_code(monkeypatch, 200, *words) == 0
    calc = GeozooCalculator(load(tmp_path / "published"))
    written, arrays = ase_io.read("p.extxyz", ":"), np.load("p.npz")
    ends = np.cumsum(arrays["num_nodes"])
    for number, (atoms, given) in enumerate(zip(frames(), written, strict=True)):
        atoms.calc = calc
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        first = ends[number] - arrays["num_nodes"][number]
        assert given.get_potential_energy() == pytest.approx(energy, abs=1e-6)
        assert arrays["energy"][number] / 1e3 == pytest.approx(energy, abs=1e-6)
        np.testing.assert_allclose(given.get_forces(), forces, atol=1e-6)
        np.testing.assert_allclose(arrays["force"][first : ends[number]] / 1e3, forces, atol=1e-6)
        assert np.allclose(given.cell, atoms.cell) and (given.pbc == atoms.pbc).all()
        if atoms.pbc.all():
            stress = atoms.get_stress(voigt=False)
            np.testing.assert_allclose(given.get_stress(voigt=False), stress, atol=1e-6)
            np.testing.assert_allclose(arrays["stress"][number] / 1e3, stress, atol=1e-6)
        else:
            assert "stress" not in given.calc.results
            assert np.isnan(arrays["stress"][number]).all()


@pytest.mark.thorough
def test_arrays_with_cells_are_read(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crystals = [silicon(seed) for seed in range(3)]
    write(tmp_path / "b.xyz", crystals)
    inputs = {
        "pos": np.stack([atoms.positions for atoms in crystals]), "x": np.ones((3, 2, 1)),
        "cell": np.stack([atoms.cell.array for atoms in crystals]),
        "pbc": np.ones((3, 3), dtype=bool),
    }  # fmt: skip
    np.savez("b.npz", **inputs)
    for name in ("b.xyz", "b.npz"):
        assert exit_code(
            monkeypatch, 200, "predict", "checkpoint=r", f"input={name}", f"out={name}.npz"
        ) == 0  # fmt: skip
    one, other = np.load("b.xyz.npz"), np.load("b.npz.npz")
    for name in ("energy", "force", "stress"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5, atol=1e-3)
    np.savez("b.npz", **{name: value for name, value in inputs.items() if name != "pbc"})
    assert exit_code(monkeypatch, 200, "predict", "checkpoint=r", "input=b.npz", "out=c.npz") == 1
    np.savez("b.npz", **{**inputs, "pbc": np.ones(3, dtype=bool)})
    assert exit_code(monkeypatch, 200, "predict", "checkpoint=r", "input=b.npz", "out=c.npz") == 1
    assert not Path("c.npz").exists()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("model=egnn", "model.radius=null"), "radius must be set for periodic structures"),
        (("model.radius=3.5", "+trainer.captured_steps=4"), "captured steps"),
    ],
)
def test_options_that_do_not_fit_end_before_training(
    words: tuple[str, ...], message: str, geozoo_train: Callable[..., int], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    write(tmp_path / "a.xyz", frames())
    keys = {word.partition("=")[0] for word in words}
    given = [word for word in WORDS if not word.startswith("model.")]
    given = [word for word in given if word.partition("=")[0] not in keys]
    assert geozoo_train(*given, *words, "run_dir=r") == 1
    text = " ".join("".join(capsys.readouterr()).split())
    assert message in text and "Traceback" not in text
    assert not list((tmp_path / "r").rglob("*.ckpt"))
