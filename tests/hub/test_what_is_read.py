"""Prediction reports what it reads from a file and what it ignores, but never ignores a charge."""

from __future__ import annotations

import csv
import logging
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from trained_samples import dynamics, molecule, potential

from geozoo.data import (
    DataRecord,
    ExtXYZ,
    LoaderOptions,
    StructureFiles,
    read_npz,
    read_sensor_table,
    read_structures,
)
from geozoo.data.molecules._electronic_states import state_of
from geozoo.engines.ase import GeozooCalculator
from geozoo.hub.arrays import read_arrays
from geozoo.hub.structures import structure_store


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture):
    """Log lines on what was read since the last call."""
    caplog.set_level(logging.INFO, logger="geozoo")

    def lines() -> list[str]:
        found = [text for text in caplog.messages if ": read: " in text]
        caplog.clear()
        return found

    return lines


def atoms(seed: int = 0, **info: object) -> ase.Atoms:
    numbers, pos = molecule()
    made = ase.Atoms(numbers, pos + 0.01 * np.random.default_rng(seed).normal(size=pos.shape))
    made.calc = SinglePointCalculator(
        made, energy=-1.0, forces=np.ones((4, 3)), stress=np.zeros(6), dipole=np.ones(3)
    )
    made.info.update(info)
    return made


def written(path: Path, frames: list[ase.Atoms]) -> Path:
    ase.io.write(path, frames, format="extxyz")
    return path


def test_structure_files_report_what_is_read(said, tmp_path: Path) -> None:
    frame = atoms(REF_energy=-3.0, electric_field=[0.0, 0.0, 1.0], config_type="md")
    frame.arrays["partial"] = np.zeros(4)
    read_structures(written(tmp_path / "a.xyz", [frame, atoms()]))
    assert said() == [
        "a.xyz: read: elements, positions; not read: REF_energy, dipole, electric_field, energy, "
        "forces, partial, stress"
    ]
    ase.io.write(tmp_path / "b.traj", [frame])
    read_structures(tmp_path / "b.traj")
    assert "not read: REF_energy, dipole" in said()[0]


def test_training_logs_the_same_message(said, tmp_path: Path) -> None:
    frames = [atoms(seed, REF_energy=-3.0 - seed) for seed in range(10)]
    path = written(tmp_path / "a.xyz", frames)
    loader = LoaderOptions(batch_size=2)
    _ = ExtXYZ(path=path, loader=loader, labels={"energy_key": "REF_energy"}).spec
    assert said() == [
        "a.xyz: read: elements, positions, REF_energy, forces, dipole; not read: energy, stress"
    ]


def test_arrays_report_what_is_read(said, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(
        tmp_path / "a.npz", pos=random.normal(size=(2, 3, 3)), x=np.ones((2, 3, 1)),
        vec=random.normal(size=(2, 3, 1, 3)), energy=np.zeros(2),
    )  # fmt: skip
    read_arrays(tmp_path / "a.npz", dynamics().spec)
    assert said() == ["a.npz: read: pos, x, vec; not read: energy"]
    read_npz(tmp_path / "a.npz", ["pos"])
    assert said() == ["a.npz: read: pos; not read: energy, vec, x"]


def test_tables_report_what_is_read(said, tmp_path: Path) -> None:
    rows = [["id", "time", "weather", "a", "b"]]
    rows += [[n, f"2024-01-01 0{n}:00", "dry", 1.5 + n, 2.5 * n] for n in range(6)]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    from geozoo.data import TableForm

    form = TableForm(time_column="time", drop=("weather", "id"))
    read_sensor_table(tmp_path / "a.csv", form=form)
    assert said() == ["a.csv: read: times, 2 sensors; not read: id, weather"]


def test_hdf5_tables_report_what_is_read(said, tmp_path: Path) -> None:
    pandas, h5py = pytest.importorskip("pandas"), pytest.importorskip("h5py")
    pytest.importorskip("tables")
    from geozoo.files.pandas_hdf import read_fixed_frame

    times = pandas.date_range("2024-01-01", periods=4, freq="5min")
    frame = pandas.DataFrame(np.ones((4, 2)), index=times, columns=["a", "b"])
    frame.to_hdf(tmp_path / "a.h5", key="speed")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["weather"] = np.zeros(4)
    read_fixed_frame(tmp_path / "a.h5")
    assert said() == ["a.h5: read: speed; not read: weather"]


def test_sdf_files_report_what_is_read(said, tmp_path: Path) -> None:
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import AllChem

    made = chem.AddHs(chem.MolFromSmiles("C[NH3+]"))
    AllChem.EmbedMolecule(made, randomSeed=0)
    made.SetProp("logP", "1.5")
    with chem.SDWriter(str(tmp_path / "a.sdf")) as writer:
        writer.write(made)
    (structure,) = read_structures(tmp_path / "a.sdf")
    assert said() == ["a.sdf: read: elements, positions, bonds; not read: charge, logP"]
    assert structure.state.charge == 1


@pytest.mark.parametrize(
    ("change", "charge", "spin"),
    [
        (lambda a: a.info.update(charge=-1), -1, None),
        (lambda a: a.info.update(Total_Charge=2.0, multiplicity=3), 2, 3),
        (lambda a: a.info.update(REF_charge=1, spin=0), 1, 0),
        (lambda a: a.info.update(uhf=1), None, 2),
        (lambda a: a.info.update(spin="Triplet"), None, 3),
        (lambda a: a.set_initial_charges([0.5, 0.5, 0, 0]), 1, None),
        (lambda a: a.set_initial_charges([0.3, -0.3, 0, 0]), None, None),
        (lambda a: a.set_initial_magnetic_moments([1.0, 1.0, 0, 0]), None, 3),
        (lambda a: a.info.update(charge="unknown"), None, None),
    ],
)
def test_charge_and_spin_keys(change, charge, spin) -> None:
    frame = atoms()
    change(frame)
    state = state_of(frame)
    assert (state.charge, state.spin) == (charge, spin)


def test_unsupported_charge_warns_or_raises(tmp_path: Path) -> None:
    model = potential()
    ion = read_structures(written(tmp_path / "a.xyz", [atoms(), atoms(charge=1, spin=2)]))
    with pytest.warns(UserWarning) as found:
        structure_store(model.spec, ion)
    texts = [str(each.message) for each in found]
    assert texts[0].startswith("structure 1 has a total charge of 1 (charge), which the model does")
    assert texts[1].startswith("structure 1 has a spin of 2 (spin), which the model does not take")
    known = StructureFiles(total_charge=[0.0], spin=[1.0])
    spec = replace(model.spec, record=DataRecord(structures=known))
    with pytest.raises(ValueError, match="trained only on a total charge of 0"):
        structure_store(spec, ion)
    cation = replace(model.spec, record=DataRecord(structures=StructureFiles(total_charge=[1.0])))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        closed = read_structures(
            written(tmp_path / "b.xyz", [atoms(charge=0, spin=0), atoms(charge=0.0, spin=1)])
        )
        structure_store(model.spec, closed)
        structure_store(spec, closed)
        structure_store(cation, [ion[1]._replace(state=ion[1].state._replace(spin=None))])
    with pytest.raises(
        ValueError, match="structure 0 has a total charge of 0 .charge., and 1 more"
    ):
        structure_store(cation, closed)
    with pytest.warns(UserWarning, match="do not specify their total charge; the training"):
        structure_store(cation, read_structures(written(tmp_path / "c.xyz", [atoms()])))


def test_calculator_and_arrays_check_charges(tmp_path: Path) -> None:
    frame = atoms(charge=1)
    frame.calc = GeozooCalculator(potential())
    with pytest.warns(UserWarning, match="total charge of 1"):
        frame.get_potential_energy()
    numbers, pos = molecule()
    x = np.eye(4)[[(6, 1, 8, 0).index(z) for z in numbers]]
    np.savez(tmp_path / "a.npz", pos=pos[None], x=x[None], charge=np.array([-1]))
    with pytest.warns(UserWarning, match="graph 0 has a total charge of -1"):
        read_arrays(tmp_path / "a.npz", potential().spec)


def test_training_records_charges_and_warns_if_mixed(tmp_path: Path) -> None:
    loader = LoaderOptions(batch_size=2)

    def spec(name: str, charges: list[int | None]):
        frames = [
            atoms(seed, **({} if charge is None else {"charge": charge}))
            for seed, charge in enumerate(charges)
        ]
        return ExtXYZ(path=written(tmp_path / f"{name}.xyz", frames), loader=loader).spec

    assert spec("ions", 10 * [1]).record.structures.total_charge == [1.0]
    assert spec("neutral", 10 * [0]).record.structures.total_charge == [0.0]
    with pytest.warns(UserWarning, match="have a total charge of 0, 1; without it as"):
        assert spec("both", 5 * [0, 1]).record.structures.total_charge == [0.0, 1.0]
    with pytest.warns(UserWarning, match="have a total charge of 1, none"):
        assert spec("some", 5 * [1, None]).record.structures.total_charge is None


def test_predict_reports_on_stderr(tmp_path, monkeypatch, capsys) -> None:
    from geozoo.cli.main import main

    frames = [ase.Atoms("C2OH6", 1.5 * np.random.default_rng(0).normal(size=(9, 3)))]
    frames[0].info["dipole"] = 1.0
    source = written(tmp_path / "in.xyz", frames)
    words = ["checkpoint=ponita-rmd17_ethanol", f"input={source}", f"out={tmp_path / 'o.npz'}"]
    monkeypatch.setattr(sys, "argv", ["geozoo", "predict", *words])
    main()
    captured = capsys.readouterr()
    assert "in.xyz: read: elements, positions; not read: dipole\n" in captured.err
    assert "not read" not in captured.out


def test_unread_arrays_are_not_checked(said, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = {
        "pos": random.normal(size=(2, 3, 3)), "x": np.ones((2, 3, 1)),
        "vec": random.normal(size=(2, 3, 1, 3)), "names": np.array(["a", "b"]),
    }  # fmt: skip
    np.savez(tmp_path / "a.npz", **arrays)
    assert len(read_arrays(tmp_path / "a.npz", dynamics().spec)) == 2
    assert said() == ["a.npz: read: pos, x, vec; not read: names"]


def test_evaluate_checks_charges(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from geozoo.runs.errors import RunError
    from geozoo.runs.transfer import _check_states

    def record(**known: object) -> DataRecord:
        return DataRecord(structures=StructureFiles(**known))

    def source(**known: object) -> SimpleNamespace:
        return SimpleNamespace(name="m", spec=SimpleNamespace(record=record(**known)))

    with pytest.raises(RunError, match="m cannot read this data: kind of structure 1 has a total"):
        _check_states(source(total_charge=[0.0]), record(total_charge=[0.0, 1.0], spin=[1.0]))
    with pytest.warns(UserWarning, match="total charge of 1 .from the training files."):
        _check_states(source(), record(total_charge=[1.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _check_states(source(total_charge=[1.0], spin=[2.0]), record(total_charge=[1], spin=[2]))
        _check_states(source(), DataRecord())
