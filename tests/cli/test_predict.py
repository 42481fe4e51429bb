"""``geozoo predict``: files in, files out, and one clear line for what does not fit."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from screens import exit_code
from tiny_traffic import tiny_traffic

from geozoo.data import DataRecord, StructureFiles
from geozoo.hub import load, write_model

sys.path.insert(0, str(Path(__file__).parents[1] / "hub"))
from trained_samples import SIZES, dynamics, forecaster, molecule, potential

ase_io = pytest.importorskip("ase.io")


def written(model, folder, **node):
    """A model in a folder."""
    kind = type(model.task).__name__
    description = {
        "model": {"_target_": f"geozoo.models.{type(model.model).__name__}", **node},
        "task": {"_target_": f"geozoo.tasks.{kind}"},
        "data": model.spec.to_dict(),
    }
    write_model(folder, name="tiny", state=model.task.state_dict(), **description)
    return folder


def table(path):
    """The rows of a csv file."""
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture
def energies(tmp_path):
    model = potential()
    return written(model, tmp_path / "potential", **model.spec.model_arguments() | SIZES)


@pytest.fixture
def geozoo(monkeypatch, capsys):
    """Run ``geozoo predict``; gives exit code and what was said."""

    def run(*words):
        code = exit_code(monkeypatch, 200, "predict", *words)
        return code, " ".join("".join(capsys.readouterr()).split())

    return run


@pytest.fixture
def frames(tmp_path):
    """Three structures."""
    import ase

    numbers, pos = molecule()
    found = [ase.Atoms(numbers, pos * scale) for scale in (1.0, 1.02, 0.98)]
    ase_io.write(tmp_path / "in.xyz", found)
    return tmp_path / "in.xyz"


def test_structures_come_back_with_energies_and_forces(energies, frames, tmp_path, geozoo):
    out = tmp_path / "out.extxyz"
    code, said = geozoo(f"checkpoint={energies}", f"input={frames}", f"out={out}")
    assert code == 0 and "3 graphs" in said and str(out) in said
    found = ase_io.read(out, index=":")
    model = load(energies)
    from geozoo.data import read_structures
    from geozoo.hub.structures import predict_store, structure_store

    expected = predict_store(model, structure_store(model.spec, read_structures(frames)))
    for number, atoms in enumerate(found):
        assert atoms.get_potential_energy() == pytest.approx(1e-3 * expected["energy"][number])
        rows = expected["force"][4 * number : 4 * number + 4].numpy()
        np.testing.assert_allclose(atoms.get_forces(), 1e-3 * rows, atol=1e-6)


def test_tables_and_arrays(energies, frames, tmp_path, geozoo):
    words = f"checkpoint={energies}", f"input={frames}"
    assert geozoo(*words, f"out={tmp_path / 'o.csv'}")[0] == 0
    assert geozoo(*words, f"out={tmp_path / 'o.npz'}")[0] == 0
    rows = table(tmp_path / "o.csv")
    with np.load(tmp_path / "o.npz") as arrays:
        assert arrays["force"].shape == (12, 3) and arrays["num_nodes"].tolist() == [4, 4, 4]
        assert "energy: meV" in arrays["units"].tolist()
        assert [float(row["energy [meV]"]) for row in rows] == arrays["energy"].tolist()


def test_molecules_of_an_sdf_file(energies, tmp_path, geozoo):
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import AllChem

    writer = chem.SDWriter(str(tmp_path / "in.sdf"))
    for smiles in ("CO", "C=O"):
        mol = chem.AddHs(chem.MolFromSmiles(smiles))
        AllChem.EmbedMolecule(mol, randomSeed=0)
        writer.write(mol)
    writer.close()
    words = f"checkpoint={energies}", f"input={tmp_path / 'in.sdf'}"
    assert geozoo(*words, f"out={tmp_path / 'o.npz'}")[0] == 0
    with np.load(tmp_path / "o.npz") as arrays:
        assert arrays["num_nodes"].tolist() == [6, 4]


def test_molecules_that_break_the_rules_of_valence_are_read(energies, tmp_path, geozoo):
    """As `geozoo sample` writes them: what is drawn need not be a valid molecule."""
    pytest.importorskip("rdkit")
    import torch

    from geozoo.report.molecules import write_molecules
    from geozoo.tasks import SampledMolecules

    ring = torch.linspace(0, 5.2, 6)
    ring = torch.stack([ring.cos(), ring.sin(), torch.zeros(6)], 1)
    chain = torch.tensor([[0.0, 0, 0], [0, 0, 1.1], [0, 1.1, 0]])
    pos = torch.cat([torch.zeros(1, 3), ring, chain])  # a carbon among six hydrogens, and CO of 3
    z = torch.tensor([6, 1, 1, 1, 1, 1, 1, 8, 6, 6])
    write_molecules(SampledMolecules(pos, z, torch.tensor([7, 3])), tmp_path / "in.sdf")
    words = f"checkpoint={energies}", f"input={tmp_path / 'in.sdf'}"
    code, said = geozoo(*words, f"out={tmp_path / 'o.npz'}")
    assert code == 0, said
    with np.load(tmp_path / "o.npz") as arrays:
        assert arrays["num_nodes"].tolist() == [7, 3]


@pytest.mark.parametrize("symbols", [["H", "O"], ["H", "O", "CH2O"], ["O"]])
def test_atoms_on_their_own(energies, tmp_path, geozoo, symbols):
    """As many graphs as nodes: levels are known, not guessed from numbers."""
    import ase

    frames = [ase.Atoms(name) for name in symbols]
    for atoms in frames:
        atoms.positions = 1.2 * np.arange(3 * len(atoms)).reshape(-1, 3)
    ase_io.write(tmp_path / "atoms.xyz", frames, format="extxyz")
    words = f"checkpoint={energies}", f"input={tmp_path / 'atoms.xyz'}"
    for ending in ("xyz", "extxyz", "npz", "csv"):
        code, said = geozoo(*words, f"out={tmp_path / f'o.{ending}'}")
        assert code == 0, said
    rows = table(tmp_path / "o.csv")
    assert list(rows[0]) == ["graph", "energy [meV]"] and len(rows) == len(frames)
    with np.load(tmp_path / "o.npz") as arrays:
        assert arrays["energy"].shape == (len(frames),)
        assert arrays["force"].shape == (sum(map(len, frames)), 3)
        assert not arrays["force"][:1].any()  # one atom feels no force
    for number, atoms in enumerate(ase_io.read(tmp_path / "o.xyz", index=":")):
        assert atoms.get_chemical_formula() == frames[number].get_chemical_formula()
        assert 1e3 * atoms.get_potential_energy() == pytest.approx(
            float(rows[number]["energy [meV]"]), rel=1e-6
        )
        if len(atoms) == 1:
            np.testing.assert_array_equal(atoms.get_forces(), np.zeros((1, 3)))


def test_positions_of_single_particles_stay_rows_of_nodes(tmp_path, geozoo):
    model = dynamics()
    folder = written(model, tmp_path / "d", **model.spec.model_arguments() | SIZES)
    random = np.random.default_rng(0)
    np.savez(
        tmp_path / "in.npz", pos=random.normal(size=(3, 1, 3)), x=np.ones((3, 1, 1)),
        vec=random.normal(size=(3, 1, 1, 3)),
    )  # fmt: skip
    words = f"checkpoint={folder}", f"input={tmp_path / 'in.npz'}"
    assert geozoo(*words, f"out={tmp_path / 'o.csv'}")[0] == 0
    assert [row["graph"] for row in table(tmp_path / "o.csv")] == ["0", "1", "2"]


@pytest.mark.parametrize("name", ["water@300K", "water@3", "a@b@c", "water@:2"])
def test_names_with_an_at_sign(energies, frames, tmp_path, geozoo, name):
    """ASE takes what follows for an index unless it is told not to."""
    source = frames.rename(tmp_path / f"{name}.xyz")
    out = tmp_path / f"out_{name}.xyz"
    code, said = geozoo(f"checkpoint={energies}", f"input={source}", f"out={out}")
    assert code == 0 and "3 graphs" in said, said
    found = ase_io.read(out, index=":", do_not_split_by_at_sign=True)
    assert len(found) == 3 and not list(tmp_path.glob("out_water.xyz"))


def test_several_models_give_mean_and_spread(energies, frames, tmp_path, geozoo):
    words = f"checkpoint={energies},{energies}", f"input={frames}"
    code, said = geozoo(*words, f"out={tmp_path / 'o.extxyz'}")
    assert code == 0 and "Ensemble of 2" in said
    atoms = ase_io.read(tmp_path / "o.extxyz", index=0)
    assert atoms.info["energy_std_meV"] == 0.0
    assert atoms.arrays["force_std_meV/angstrom"].shape == (4, 3)


def test_systems_of_particles(tmp_path, geozoo):
    model = dynamics()
    folder = written(model, tmp_path / "d", **model.spec.model_arguments() | SIZES)
    random = np.random.default_rng(0)
    np.savez(
        tmp_path / "in.npz", pos=random.normal(size=(2, 5, 3)), x=np.ones((2, 5, 1)),
        vec=random.normal(size=(2, 5, 1, 3)),
    )  # fmt: skip
    words = f"checkpoint={folder}", f"input={tmp_path / 'in.npz'}"
    assert geozoo(*words, f"out={tmp_path / 'o.csv'}")[0] == 0
    rows = table(tmp_path / "o.csv")
    assert [row["graph"] for row in rows] == ["0"] * 5 + ["1"] * 5
    assert "position_2 [length]" in rows[0]
    code, said = geozoo(*words, f"out={tmp_path / 'o.xyz'}")
    assert code == 1 and "needs structures as input" in said


def test_the_next_steps_of_a_table_of_readings(tmp_path, geozoo):
    model = forecaster()
    given = {k: v for k, v in model.spec.model_arguments().items() if k != "adjacency"}
    folder = written(model, tmp_path / "f", **given, hidden_channels=8)
    series = tiny_traffic().series
    lines = ["time," + ",".join(series.sensor_ids)]
    for moment, row, seen in zip(
        series.times[-6:], series.values[-6:, :, 0], series.observed[-6:], strict=True
    ):
        cells = [f"{v:.9g}" if s else "" for v, s in zip(row, seen, strict=True)]
        lines.append(",".join([str(moment), *cells]))
    (tmp_path / "in.csv").write_text("\n".join(lines))
    out = tmp_path / "out.csv"
    code, said = geozoo(f"checkpoint={folder}", f"input={tmp_path / 'in.csv'}", f"out={out}")
    assert code == 0 and "3 steps of 60 min after 2024-01-08T23:00:00" in said
    rows = table(out)
    assert [row["time"] for row in rows] == [f"2024-01-09T0{hour}:00:00" for hour in range(3)]
    from geozoo.hub.forecasts import forecast

    expected = forecast(model, series).values
    found = np.array([[float(row[name]) for name in series.sensor_ids] for row in rows])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    code, said = geozoo(
        f"checkpoint={folder}", f"input={tmp_path / 'in.csv'}", f"out={tmp_path / 'o.npz'}"
    )
    assert code == 1 and "of a forecaster must be .csv files" in said


def test_what_does_not_fit_is_said_in_a_line(energies, frames, tmp_path, geozoo):
    given = {"checkpoint": energies, "input": frames, "out": tmp_path / "o.npz"}
    for change, code, message in (
        ({"out": tmp_path / "o.txt"}, 1, "out must end with one of"),
        ({"out": tmp_path / "no" / "o.npz"}, 1, f"out: there is no folder {tmp_path / 'no'}"),
        ({"out": tmp_path / "no" / "o.txt"}, 1, "out must end with one of"),
        ({"out": Path("/proc/1/o.npz")}, 1, "out: /proc/1/o.npz cannot be written"),
        ({"input": tmp_path / "no.xyz"}, 1, "input: there is no file"),
        ({"checkpoint": "ponita-nothing"}, 1, "there is no trained model 'ponita-nothing'"),
        ({"zero_is_missing": "yes"}, 2, "zero_is_missing must be true or false"),
        ({"missing": "x"}, 2, "missing must be a number, got 'x'"),
        ({"batch": 3}, 2, "unknown key 'batch'. "),
        ({"input": ""}, 2, "missing: input="),
    ):
        found, said = geozoo(*(f"{key}={value}" for key, value in (given | change).items()))
        assert found == code and message in said, said
        assert "Traceback" not in said


@pytest.fixture
def trained_on(tmp_path):
    """A forecaster that says how the table of its training was read; gives its folder."""

    def make(**reading):
        model = forecaster()
        spec = model.spec
        object.__setattr__(spec, "record", spec.record.with_reading(reading))
        given = {k: v for k, v in spec.model_arguments().items() if k != "adjacency"}
        folder = tmp_path / f"model_{len(list(tmp_path.glob('model_*')))}"
        return written(model, folder, **given, hidden_channels=8)

    return make


def readings(path, *, separator=",", form="%Y-%m-%d %H:%M", hours=12, step=1, change=str):
    """A table for the tiny forecaster, whose third sensor is silent in the last three rows."""
    import datetime

    lines = [separator.join(["time", *"abcde"])]
    for row in range(0, hours, step):
        moment = datetime.datetime(2024, 6, 3) + datetime.timedelta(hours=row)
        cells = [f"{30 + row + sensor / 8}" for sensor in range(5)]
        if row >= hours - 3:
            cells[2] = "missing"
        lines.append(separator.join([moment.strftime(form), *cells]))
    path.write_text(change("\n".join(lines)))
    return path


def test_what_stood_for_a_missing_reading_in_training_does_so_again(trained_on, tmp_path, geozoo):
    def predicted(number, *words, **reading):
        source = readings(tmp_path / "in.csv", change=lambda text: text.replace("missing", number))
        out = tmp_path / "out.csv"
        names = f"checkpoint={trained_on(**reading)}", f"input={source}", f"out={out}"
        code, said = geozoo(*names, *words)
        assert code == 0, said
        return out.read_text(), said

    expected, said = predicted("", zero_is_missing=False, missing=[])
    assert "no value counts as missing, as in training" in said
    found, said = predicted("0", zero_is_missing=True, missing=[])
    assert found == expected and "0 counts as missing, as in training" in said
    found, said = predicted("-9999", zero_is_missing=True, missing=[-9999, -1])
    assert found == expected and "0 and -9999 and -1 count as missing" in said
    assert predicted("0", "zero_is_missing=true")[0] == expected
    found, said = predicted("0", "zero_is_missing=false", zero_is_missing=True)
    assert found != expected and "no value counts as missing, as given" in said
    found, said = predicted("-9999", "missing=[-9999]", zero_is_missing=False)
    assert found == expected
    found, said = predicted("-9999")
    assert found != expected and "this model does not record the rule used in training" in said
    assert "the value -9999 (3 times) lies far outside all other values" in said


def test_tables_of_other_forms(trained_on, tmp_path, geozoo):
    out = tmp_path / "out.csv"

    def predicted(folder, source, *words):
        code, said = geozoo(f"checkpoint={folder}", f"input={source}", f"out={out}", *words)
        assert code == 0, said
        return out.read_text()

    def empty(text):
        return text.replace("missing", "")

    expected = predicted(trained_on(), readings(tmp_path / "in.csv", change=empty))
    other = readings(tmp_path / "other.csv", separator=";", form="%d/%m/%Y %H:%M", change=empty)
    other.write_text(other.read_text().replace(".", ","))
    assert predicted(trained_on(day_first=True), other) == expected
    folder = trained_on(time_format="%d/%m/%Y %H:%M", drop=["weather"], separator=";")
    assert predicted(folder, other) == expected
    assert predicted(folder, readings(tmp_path / "in.csv", change=empty)) == expected
    assert predicted(trained_on(), other, "time_format=%d/%m/%Y %H:%M") == expected
    code, said = geozoo(f"checkpoint={trained_on()}", f"input={other}", f"out={out}")
    assert code == 1 and "day and month is ambiguous" in said


def test_other_steps_and_clocks_are_named(trained_on, tmp_path, geozoo):
    def refused(folder, **options):
        source = readings(tmp_path / "in.csv", change=lambda t: t.replace("missing", ""), **options)
        code, said = geozoo(
            f"checkpoint={folder}", f"input={source}", f"out={tmp_path / 'out.csv'}"
        )
        assert code == 1, said
        return said

    said = refused(trained_on(), hours=40, step=2)
    assert "the rows are 120 minutes apart" in said and "the interval is 60 minutes" in said
    said = refused(trained_on(utc_offsets=["+07:00"]), form="%Y-%m-%dT%H:%M:00+00:00")
    assert "in.csv: the UTC offset must be +07:00, as in training, got +00:00" in said


def test_a_key_is_given_once(energies, frames, tmp_path, geozoo):
    words = f"checkpoint={energies}", f"input={frames}", f"out={tmp_path / 'o.npz'}"
    code, said = geozoo(*words, f"input={tmp_path / 'other.xyz'}", "zero_is_missing=true", words[0])
    assert code == 2 and "given more than once: checkpoint, input" in said
    assert not (tmp_path / "o.npz").exists()


def test_any_file_that_ase_reads(energies, frames, tmp_path, geozoo):
    ase_io.write(tmp_path / "in.json", ase_io.read(frames, index=":"))
    words, energy = (f"checkpoint={energies}", f"out={tmp_path / 'o.npz'}"), []
    for source in (frames, tmp_path / "in.json"):
        assert "3 graphs" in geozoo(*words, f"input={source}")[1]
        with np.load(tmp_path / "o.npz") as arrays:
            energy.append(arrays["energy"])
    np.testing.assert_allclose(energy[0], energy[1], rtol=1e-9)


def test_lengths_are_in_the_unit_of_the_training(tmp_path, geozoo):
    from ase import Atoms

    numbers, pos = molecule()
    bohr = 0.529177210544
    ase_io.write(tmp_path / "angstrom.xyz", Atoms(numbers, pos), format="extxyz")
    ase_io.write(tmp_path / "bohr.xyz", Atoms(numbers, pos / bohr), format="extxyz")
    forces = {}
    for unit in ("angstrom", "bohr"):
        model = potential()
        structures = StructureFiles(length_unit_of_file=unit)
        object.__setattr__(model.spec, "record", DataRecord(structures=structures))
        folder = written(model, tmp_path / f"in_{unit}", **model.spec.model_arguments() | SIZES)
        out = tmp_path / f"{unit}_out.xyz"
        code, said = geozoo(f"checkpoint={folder}", f"input={tmp_path / unit}.xyz", f"out={out}")
        assert code == 0, said
        assert ("positions are read in bohr, as in the training files" in said) == (unit == "bohr")
        found = ase_io.read(out)
        np.testing.assert_allclose(found.positions, pos, atol=1e-6)
        forces[unit] = found.get_forces()
        given = (f"input={tmp_path / 'bohr.xyz'}", "length_unit=bohr", f"out={out}")
        code, said = geozoo(f"checkpoint={folder}", *given)
        assert code == 0 and "positions are read in bohr, as given" in said
        np.testing.assert_allclose(ase_io.read(out).get_forces(), forces[unit], atol=1e-4)
    np.testing.assert_allclose(forces["bohr"], forces["angstrom"], atol=1e-4)
    given = (f"input={tmp_path / 'bohr.xyz'}", "length_unit=inch", f"out={tmp_path / 'x.xyz'}")
    assert "inch" in geozoo(f"checkpoint={folder}", *given)[1]
