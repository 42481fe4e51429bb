"""Total charge and spin of structure files as inputs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from geozoo.data import ExtXYZ, LoaderOptions
from geozoo.models import Composition
from geozoo.tasks import Regression

pytest.importorskip("ase")
from ase_samples import AMMONIA, WATER, silicon, structure, write  # noqa: E402

LOADER = LoaderOptions(batch_size=4)


def ions(number: int = 20) -> list:
    """Neutral molecules and cations in turn, in a doublet if charged."""
    frames = []
    for seed in range(number):
        atoms = structure((WATER, AMMONIA)[seed // 2 % 2], seed=seed)
        atoms.info.update(charge=seed % 2, multiplicity=1 + seed % 2)
        frames.append(atoms)
    return frames


def read(path: Path, frames: list, **options: object) -> ExtXYZ:
    module = ExtXYZ(**{"path": write(path, frames), "loader": LOADER, **options})
    module.setup()
    return module


def test_values_are_fields_and_statistics_stay(tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO, logger="geozoo")
    both = read(tmp_path / "a.xyz", ions(), inputs=["spin", "charge"])
    assert "a.xyz: read: elements, positions, energy, forces, charge, multiplicity" in caplog.text
    store, spec = both.store, both.spec
    assert spec.graph_inputs == ("charge", "spin") and spec.in_channels == 5
    assert store.graph["charge"].tolist() == 10 * [0.0, 1.0]
    assert store.graph["spin"].tolist() == 10 * [1.0, 2.0]
    assert store.node["x"].shape[1] == len(spec.elements) == 3
    with pytest.warns(UserWarning, match="Set dataset.inputs="):
        plain = read(tmp_path / "a.xyz", ions())
    assert "charge" not in plain.store.graph and plain.spec.graph_inputs == ()
    assert spec.record == plain.spec.record
    extra = {"charge_range": [0.0, 1.0], "spin_range": [1.0, 2.0]}
    assert spec.statistics == {**plain.spec.statistics, **extra}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"charge": None},
            "a.xyz, frame 3 has no total charge, .*; available: energy, forces, mul",
        ),
        ({"charge": "cation"}, "a.xyz, frame 3 has no total charge, .*; available: charge, energy"),
        ({"net_charge": 0}, "frame 3: the entries for the total charge differ: charge=1, net_cha"),
        (
            {"multiplicity": 1},
            "frame 3: a multiplicity of 1 .multiplicity. is impossible .* of 9 e",
        ),
        ({"multiplicity": 0}, "frame 3: the spin must be a multiplicity .* got 0"),
        ({"multiplicity": None}, "frame 3 has no spin, which is an input of the model"),
    ],
)
def test_every_frame_needs_the_values(tmp_path: Path, change: dict, text: str) -> None:
    frames = ions()
    frames[3] = frames[1].copy()
    frames[3].positions += 0.1
    frames[3].calc = structure(seed=3).calc
    for key, value in change.items():
        frames[3].info.pop(key, None)
        frames[3].info |= {} if value is None else {key: value}
    with pytest.raises(ValueError, match=text):
        read(tmp_path / "a.xyz", frames, inputs=["charge", "spin"])


def test_crystals_may_have_any_number_of_electrons(tmp_path: Path) -> None:
    frames = [silicon(seed) for seed in range(10)]
    for seed, atoms in enumerate(frames):
        atoms.info.update(charge=seed % 3, spin=1 + seed % 2)
    data = read(tmp_path / "a.xyz", frames, inputs=["charge", "spin"])
    assert data.store.graph["spin"].tolist() == 5 * [1.0, 2.0]


def test_option_is_checked(tmp_path: Path) -> None:
    for wrong in (["dipole"], ["charge", "charge"], "spins"):
        with pytest.raises(ValueError, match="inputs must be a list of names out of"):
            ExtXYZ(path=tmp_path / "a.xyz", loader=LOADER, inputs=wrong)


def test_constant_input_warns(tmp_path: Path) -> None:
    frames = [atoms for atoms in ions(40) if not atoms.info["charge"]]
    with pytest.warns(UserWarning, match="all training structures have the same charge, 0"):
        read(tmp_path / "a.xyz", frames, inputs=["charge"])


def test_splits_beyond_the_training_range_are_refused(tmp_path: Path) -> None:
    far = ions(4)
    far[2].info.update(charge=2)
    test = write(tmp_path / "test.xyz", far)
    data = read(tmp_path / "a.xyz", ions(), inputs=["charge", "spin"], test_path=test)
    task = Regression(Composition(5, 1), data.spec)
    with pytest.raises(ValueError, match="structure of the test split 2 has a charge of 2; the tr"):
        task.prepare(data)


def test_fitted_models_take_the_inputs(tmp_path: Path) -> None:
    frames = ions(40)
    for atoms in frames:  # 3 eV per atom and elementary charge: linear in the summed inputs
        del atoms.info["multiplicity"]
        atoms.calc.results["energy"] = -10.0 + 3.0 * len(atoms) * atoms.info["charge"]
    data = read(tmp_path / "a.xyz", frames, inputs=["charge"], energy_reference="none")
    task = Regression(Composition(4, 1), data.spec)
    task.prepare(data)
    task.eval()
    batch = data.store.gather(range(40))
    error = task.predict(batch)["energy"] - batch.energy
    assert float(error.abs().max()) < 0.1  # meV
