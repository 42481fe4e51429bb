"""Labels of a teacher for a file: right, complete, continued, and nothing bad in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ase")
import ase.io
from ase import Atoms
from tiny_teachers import silicon, teacher, water

from geozoo.data import ExtXYZ, LoaderOptions, structure_of
from geozoo.engines import Evaluation, PotentialEvaluator
from geozoo.hub import Ensemble
from geozoo.tasks._shares import graphs_of
from geozoo.teaching import label_file


@pytest.fixture
def potential() -> PotentialEvaluator:
    return PotentialEvaluator(teacher())


def many() -> list[Atoms]:
    return [silicon(seed) if seed % 2 else water(seed) for seed in range(7)]


def read(path: Path) -> list[Atoms]:
    """The structures of a file."""
    return list(ase.io.iread(path))


def source(folder: Path, frames: list[Atoms] | None = None) -> Path:
    path = folder / "frames.xyz"
    ase.io.write(path, many() if frames is None else frames)
    return path


def test_labels_are_those_of_the_teacher(potential: PotentialEvaluator, tmp_path: Path) -> None:
    out = tmp_path / "out.xyz"
    summary = label_file(source(tmp_path), out, potential, chunk=3)
    frames = read(out)
    assert len(frames) == summary.frames == 7 and summary.with_stress == 3
    for atoms, given in zip(frames, read(tmp_path / "frames.xyz"), strict=True):
        found = potential.evaluate_many([structure_of(given, "frame")])[0]
        np.testing.assert_array_equal(atoms.positions, given.positions)
        assert atoms.get_potential_energy() == pytest.approx(found.energy, abs=1e-6)
        np.testing.assert_allclose(atoms.get_forces(), found.forces, atol=1e-6)
        assert ("stress" in atoms.calc.results) == given.pbc.all()
        if found.stress is not None:
            np.testing.assert_allclose(atoms.get_stress(voigt=False), found.stress, atol=1e-8)
    largest = max(np.linalg.norm(atoms.get_forces(), axis=1).max() for atoms in frames)
    assert summary.largest_force == pytest.approx(largest, abs=1e-6)
    assert summary.elements == {"H": 4, "O": 4, "Si": 3}
    per_atom = [atoms.get_potential_energy() / len(atoms) for atoms in frames]
    assert (summary.lowest, summary.mean) == pytest.approx((min(per_atom), np.mean(per_atom)))


def test_the_data_set_reads_keys_and_units_by_itself(
    potential: PotentialEvaluator, tmp_path: Path
) -> None:
    given = [silicon(seed) for seed in range(10)]
    for atoms in given:  # labels of another program, which must not compete with the new ones
        atoms.info |= {"REF_energy": 7.0, "virial": np.eye(3), "config_type": "bulk"}
        atoms.arrays["REF_forces"] = np.ones((2, 3))
    label_file(source(tmp_path, given), tmp_path / "out.xyz", potential)
    data = ExtXYZ(path=tmp_path / "out.xyz", loader=LoaderOptions(batch_size=2, eval_batch_size=2))
    store = graphs_of(data.load().store)
    found = potential.evaluate_many([structure_of(atoms, "frame") for atoms in given])
    expected = {
        "energy": np.array([each.energy for each in found]),
        "forces": np.concatenate([each.forces for each in found]),
        "stress": np.stack([each.stress for each in found if each.stress is not None]),
    }
    for name, values in expected.items():
        held = store.node if name == "forces" else store.graph
        np.testing.assert_allclose(held[name].numpy(), 1e3 * values, atol=2e-3)
    assert read(tmp_path / "out.xyz")[0].info["config_type"] == "bulk"


def test_charge_spin_and_weight_stay(potential: PotentialEvaluator, tmp_path: Path) -> None:
    atoms = water()
    atoms.info |= {"charge": 0, "spin": 1, "config_weight": 2.0}
    label_file(source(tmp_path, [atoms]), tmp_path / "out.xyz", potential)
    info = read(tmp_path / "out.xyz")[0].info
    assert (info["charge"], info["spin"], info["config_weight"]) == (0, 1, 2.0)


def test_an_ensemble_also_gives_its_spread(tmp_path: Path) -> None:
    both = PotentialEvaluator(Ensemble([teacher(0), teacher(1)]))
    label_file(source(tmp_path), tmp_path / "out.xyz", both)
    (first, *_) = read(tmp_path / "out.xyz")
    assert first.info["energy_std"] > 0 and first.arrays["forces_std"].shape == (3, 3)


def interrupted(
    monkeypatch: pytest.MonkeyPatch, potential: PotentialEvaluator, after: int
) -> Callable[[], None]:
    """Let the evaluator fail after some calls; gives the function that repairs it."""
    calls, whole = [0], PotentialEvaluator.evaluate_many

    def failing(self: PotentialEvaluator, structures: Any) -> list[Evaluation]:
        calls[0] += 1
        if calls[0] > after:
            raise KeyboardInterrupt
        return whole(self, structures)

    monkeypatch.setattr(PotentialEvaluator, "evaluate_many", failing)
    return lambda: monkeypatch.setattr(PotentialEvaluator, "evaluate_many", whole)


def test_a_second_call_continues(
    potential: PotentialEvaluator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    frames, once, twice = source(tmp_path), tmp_path / "once.xyz", tmp_path / "twice.xyz"
    whole = label_file(frames, once, potential, chunk=2)
    repair = interrupted(monkeypatch, potential, after=2)
    with pytest.raises(KeyboardInterrupt):
        label_file(frames, twice, potential, chunk=2)
    repair()
    with twice.open("ab") as file:  # as a kill in the middle of a write would leave it
        file.write(b"3\nhalf a fra")
    with caplog.at_level("INFO"):
        assert label_file(frames, twice, potential, chunk=2) == whole
    assert "4 of 7 structures are done" in caplog.text
    assert twice.read_bytes() == once.read_bytes()
    assert label_file(frames, twice, potential, chunk=2) == whole


@pytest.mark.parametrize("what", ["input", "teacher", "output", "shorter"])
def test_what_changed_is_refused(what: str, potential: PotentialEvaluator, tmp_path: Path) -> None:
    frames, out = source(tmp_path), tmp_path / "out.xyz"
    label_file(frames, out, potential)
    match = {
        "input": "the input file has changed", "teacher": "the teacher is now",
        "output": "was changed after", "shorter": "is shorter than",
    }[what]  # fmt: skip
    if what == "input":
        source(tmp_path, many()[:3])
    elif what == "teacher":
        potential = PotentialEvaluator(teacher(1))
    elif what == "output":
        out.write_bytes(out.read_bytes().replace(b"H ", b"O "))
    else:
        out.write_bytes(out.read_bytes()[:100])
    before = out.read_bytes()
    with pytest.raises(ValueError, match=match):
        label_file(frames, out, potential)
    assert out.read_bytes() == before


def test_a_file_of_someone_else_is_not_touched(
    potential: PotentialEvaluator, tmp_path: Path
) -> None:
    (tmp_path / "out.xyz").write_text("mine")
    with pytest.raises(ValueError, match="was not written by this command"):
        label_file(source(tmp_path), tmp_path / "out.xyz", potential)
    assert (tmp_path / "out.xyz").read_text() == "mine"


def bad_frames() -> list[Atoms]:
    near = water()
    near.positions[1] = near.positions[0]
    return [water(), Atoms("C"), silicon(), near]


def test_bad_structures_are_named_before_any_work(
    potential: PotentialEvaluator, tmp_path: Path
) -> None:
    frames, out = source(tmp_path, bad_frames()), tmp_path / "out.xyz"
    with pytest.raises(ValueError, match=r"2 of 4 .*frame 1: .*\(C\); frame 3: .* apart") as said:
        label_file(frames, out, potential)
    assert "skip_bad=true" in str(said.value) and not out.exists()


def test_bad_structures_can_be_skipped(
    potential: PotentialEvaluator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames, out = source(tmp_path, bad_frames()), tmp_path / "out.xyz"
    summary = label_file(frames, out, potential, skip_bad=True, chunk=1)
    assert [len(atoms) for atoms in read(out)] == [3, 2]
    assert sorted(summary.bad) == ["1", "3"] and "frame 1 is skipped" in caplog.text


def test_a_structure_that_fails_in_the_network_is_named(
    potential: PotentialEvaluator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = PotentialEvaluator.evaluate_many

    def failing(self: PotentialEvaluator, structures: Any) -> list[Evaluation]:
        if any(len(each.numbers) == 2 for each in structures):
            raise ValueError("the energy is not finite")
        return whole(self, structures)

    monkeypatch.setattr(PotentialEvaluator, "evaluate_many", failing)
    frames, out = source(tmp_path), tmp_path / "out.xyz"
    with pytest.raises(ValueError, match="frame 1: the energy is not finite"):
        label_file(frames, out, potential)
    summary = label_file(frames, out, potential, skip_bad=True)
    assert (summary.frames, sorted(summary.bad)) == (4, ["1", "3", "5"])


def test_a_charge_that_is_no_input_is_told_by_the_number_of_the_frame(
    potential: PotentialEvaluator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [water(seed) for seed in range(4)]
    frames[3].info["charge"] = 1
    with caplog.at_level("WARNING", "geozoo"):
        label_file(source(tmp_path, frames), tmp_path / "out.xyz", potential, chunk=2)
    told = [record.getMessage() for record in caplog.records if "charge" in record.getMessage()]
    assert len(told) == 1 and told[0].startswith("input: frame 3 has a total charge of 1"), told
