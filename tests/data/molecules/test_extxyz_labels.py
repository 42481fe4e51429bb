"""Targets of structures: keys, stresses and virials, missing forces, weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geozoo.data import ExtXYZ, LabelKeys, LoaderOptions

ase = pytest.importorskip("ase")
ase_io = pytest.importorskip("ase.io")
from ase_samples import AMMONIA, WATER, silicon, structure, waters, write  # noqa: E402

LOADER = LoaderOptions(batch_size=4)
STRESS = np.array([[1.0, 0.3, 0.2], [0.3, 2.0, 0.1], [0.2, 0.1, -3.0]]) * 0.01
VOIGT = STRESS[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
VOLUME = 4.0 * 5 * 6


def read(path: Path, **options: object) -> ExtXYZ:
    module = ExtXYZ(**{"path": path, "loader": LOADER, **options})
    module.setup()
    return module


def text(values: object) -> str:
    return '"' + " ".join(f"{value:.10g}" for value in np.ravel(values)) + '"'


def file_of(path: Path, *entries: str, columns: str = "", pbc: str = "T T T") -> Path:
    """Ten frames of two atoms in a box of 4 x 5 x 6 angstrom; one header for all."""
    rows = " 1 2 3" if columns else ""
    head = f'Lattice="4 0 0 0 5 0 0 0 6" pbc="{pbc}" Properties=species:S:1:pos:R:3{columns}'
    frames = [
        f"2\n{head} {' '.join(entries).replace('ENERGY', str(-1.0 - 0.1 * n))}\n"
        f"H 0 0 0{rows}\nH 0 0 {0.7 + 0.01 * n}{rows}\n"
        for n in range(10)
    ]
    path.write_text("".join(frames))
    return path


@pytest.mark.parametrize(
    ("entry", "taken"),
    [
        (f"stress={text(STRESS)}", "stress"),
        (f"REF_stress={text(STRESS)}", "REF_stress"),
        (f"REF_stress={text(VOIGT)}", "REF_stress"),
        (f"virial={text(-VOLUME * STRESS)}", "virial"),
        (f"virials={text(-VOLUME * STRESS)}", "virials"),
        (f"virials={text(-VOLUME * VOIGT)}", "virials"),
        (f"REF_virials={text(-VOLUME * STRESS)}", "REF_virials"),
        (f"dft_virial={text(-VOLUME * STRESS)}", "dft_virial"),
        (f"virial={text(-VOLUME * STRESS)} stress={text(STRESS)}", "stress"),
    ],
)
def test_every_spelling_of_a_stress(tmp_path: Path, entry: str, taken: str) -> None:
    module = read(file_of(tmp_path / "a.xyz", "energy=ENERGY", entry))
    expected = torch.from_numpy(1e3 * STRESS).expand(10, 3, 3)
    torch.testing.assert_close(module.store.graph["stress"], expected)
    assert module.store.graph["has_stress"].all()
    assert module.spec.units["stress"] == "meV/angstrom^3"
    assert module.spec.record.structures.label_keys["stress"] == taken
    assert module.spec.record.structures.structures_with_stress == 10


def test_given_keys_of_stress_and_virial(tmp_path: Path) -> None:
    entries = (f"mine={text(STRESS)}", f"other={text(-2 * VOLUME * STRESS)}", "energy=ENERGY")
    path = file_of(tmp_path / "a.xyz", *entries)
    stress = read(path, labels={"stress_key": "mine"}).store.graph["stress"]
    twice = read(path, labels={"virial_key": "other"}).store.graph["stress"]
    torch.testing.assert_close(twice, 2 * stress)
    assert "stress" not in read(path).store.graph
    with pytest.raises(ValueError, match="no structure has stress with virial_key='v'"):
        read(path, labels={"virial_key": "v"})
    with pytest.raises(ValueError, match="stress_key and virial_key cannot both be given"):
        LabelKeys(stress_key="a", virial_key="b")
    with pytest.raises(ValueError, match="energy_key must be the name of an entry, got ''"):
        LabelKeys(energy_key="")


def test_stress_of_ase_is_read_in_its_order_and_unit(tmp_path: Path) -> None:
    frames = [silicon(seed) for seed in range(10)]
    ase_io.write(tmp_path / "a.traj", frames)
    store = read(tmp_path / "a.traj", energy_unit="meV").store
    full = np.stack([atoms.get_stress(voigt=False) for atoms in frames])
    np.testing.assert_allclose(store.graph["stress"], full)
    assert store.graph["stress"].dtype == torch.float64


SKEW = STRESS + np.array([[0, 0.1, 0], [0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("entry", "pbc", "message"),
    [
        (f"stress={text(SKEW)}", "T T T", "frame 0: stress must be symmetric"),
        (f"virials={text(SKEW)}", "T T T", "frame 0: virials must be symmetric"),
        (f"stress={text(VOIGT)}", "T T T", "a.xyz: frame 0: .*stress.*9-long"),
        (f"REF_stress={text(VOIGT[:4])}", "T T T", "REF_stress must have 9 or 6 numbers, got .*4"),
        (f"stress={text(STRESS)}", "T T F", r"\(stress\), but is not periodic in three directions"),
        (f"stress={text(STRESS)}", "F F F", "but is not periodic, so it has no volume.*=none"),
        (f"stress={text(np.full(9, np.nan))}", "T T T", "stress contains NaN or infinite"),
        (f"REF_stress={text(STRESS)} stress={text(-STRESS)}", "T T T", "stress and REF_stress are"),
        (
            f"virial={text(STRESS)} stress={text(STRESS)}",
            "T T T",
            "stress and virial are both stre",
        ),
        ("REF_stress=None", "T T T", "REF_stress must be numeric, got 'None'"),
    ],
)
def test_a_wrong_stress_is_reported(tmp_path: Path, entry: str, pbc: str, message: str) -> None:
    path = file_of(tmp_path / "a.xyz", "energy=ENERGY", entry, pbc=pbc)
    with pytest.raises(ValueError, match=message):
        read(path)
    if "9-long" not in message:
        assert "stress" not in read(path, labels={"stress_key": "none"}).store.graph


def test_a_void_stress_of_a_molecule_is_ignored(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.xyz", "energy=ENERGY", f"stress={text(np.zeros(9))}", pbc="F F F")
    assert "stress" not in read(path).store.graph


def test_a_stress_of_exactly_zero_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [silicon(seed, **({"stress": np.zeros(6)} if seed < 3 else {})) for seed in range(10)]
    assert read(write(tmp_path / "a.xyz", frames)).store.graph["has_stress"].all()
    assert "3 structures have a stress of exactly zero" in caplog.text


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (("energy",), "frame 0: energy must be numeric, got True"),
        (("energy=ENERGY", "config_weight"), "frame 0: config_weight must be numeric, got True"),
        (("energy=low",), "frame 0: energy must be numeric, got 'low'"),
        (('energy="1 2"',), r"frame 0: energy must be one number, got shape \(2,\)"),
    ],
)
def test_entries_without_a_number_are_reported(
    tmp_path: Path, entries: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(file_of(tmp_path / "a.xyz", *entries))


def test_forces_without_an_energy_are_reported(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.xyz", columns=":REF_forces:R:3")
    with pytest.raises(ValueError, match="REF_forces; forces without an energy cannot be used"):
        read(path)


def test_compressed_files(tmp_path: Path) -> None:
    import gzip

    path = write(tmp_path / "a.xyz", [silicon(seed) for seed in range(10)])
    packed = tmp_path / "b.xyz.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    plain, same = read(path).store, read(packed).store
    torch.testing.assert_close(same.graph["stress"], plain.graph["stress"], rtol=0, atol=0)


def test_structures_without_a_stress(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = [silicon(seed, **({"stress": None} if seed < 3 else {})) for seed in range(10)]
    module = read(write(tmp_path / "a.xyz", [*frames, *waters(4)]))
    known = module.store.graph["has_stress"]
    assert known.tolist() == [False] * 3 + [True] * 7 + [False] * 4
    assert not module.store.graph["stress"][~known].any()
    assert "has_forces" not in module.store.graph
    assert "7 of 14 structures have no stress" in caplog.text


@pytest.mark.parametrize("prefix", ["REF_", "dft_"])
def test_keys_are_found(tmp_path: Path, prefix: str, caplog: pytest.LogCaptureFixture) -> None:
    alone = ase.Atoms("H")
    alone.info |= {"config_type": "IsolatedAtom", f"{prefix}energy": -13.0}
    frames, plain = [alone], [silicon(seed) for seed in range(10)]
    for atoms in plain:
        other = atoms.copy()
        other.symbols = "H2"
        other.info[f"{prefix}energy"] = atoms.get_potential_energy()
        other.info[f"{prefix}stress"] = atoms.get_stress(voigt=False)
        other.arrays[f"{prefix}forces"] = atoms.get_forces()
        frames.append(other)
    with caplog.at_level("INFO"):
        found = read(write(tmp_path / "a.xyz", frames))
    expected = read(write(tmp_path / "b.xyz", plain)).store
    for name, value in expected.graph.items():
        torch.testing.assert_close(found.store.graph[name], value, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.store.node["forces"], expected.node["forces"])
    keys = {name: f"{prefix}{name}" for name in ("energy", "forces", "stress")}
    assert found.spec.record.structures.label_keys == keys
    listed = ", ".join(f"{name} from {key}" for name, key in keys.items())
    assert f"targets of all files: {listed}" in caplog.text
    assert found.spec.record.structures.energy_reference == "isolated atoms"
    assert found.spec.statistics["atom_energy_H"] == -13000.0


def test_a_column_called_force_is_found(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.xyz", "energy=ENERGY", columns=":force:R:3")
    assert read(path).store.node["forces"][1].tolist() == [1e3, 2e3, 3e3]


def test_a_free_energy_alone_is_no_energy(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.xyz", "free_energy=ENERGY")
    with pytest.raises(
        ValueError, match=r"no energy as 'energy', .*; available: free_energy\. Set"
    ):
        read(path)
    assert read(path, labels={"energy_key": "free_energy"}).store.graph["energy"][0] == -1000


def test_entries_that_differ_are_reported(tmp_path: Path) -> None:
    frames = waters()
    for atoms in frames:
        atoms.info["REF_energy"] = atoms.get_potential_energy() + 1e-6  # printed with less digits
        atoms.arrays["REF_forces"] = atoms.get_forces()
    assert read(write(tmp_path / "same.xyz", frames)).spec.record.structures.label_keys == {
        "energy": "energy", "forces": "forces",
    }  # fmt: skip
    frames[4].arrays["REF_forces"][1, 1] += 0.01
    path = write(tmp_path / "a.xyz", frames)
    message = "frame 4: forces and REF_forces are both forces and differ .by up to 0.01"
    with pytest.raises(ValueError, match=message):
        read(path)
    assert read(path, labels={"forces_key": "REF_forces"}).store
    frames[2].info["REF_energy"] += 0.5
    with pytest.raises(ValueError, match="frame 2: energy and REF_energy.*0.5.*Set energy_key to"):
        read(write(tmp_path / "b.xyz", frames))


def test_all_files_use_the_same_keys(tmp_path: Path) -> None:
    train, other = waters(), waters(3)
    for atoms in other:
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        del atoms.calc.results["energy"]
    test = write(tmp_path / "test.xyz", other)
    with pytest.raises(ValueError, match=r"test.xyz, frame 0 has energy as 'REF_energy', but earl"):
        read(write(tmp_path / "train.xyz", train), test_path=test)


def test_structures_without_forces(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = [structure(seed=n, **({"forces": None} if n % 5 == 0 else {})) for n in range(20)]
    module = read(write(tmp_path / "a.xyz", frames))
    store = module.store
    known = store.graph["has_forces"]
    assert known.tolist() == [n % 5 != 0 for n in range(20)]
    assert not store.gather([0, 5]).forces.any()
    assert "4 of 20 structures have no forces" in caplog.text
    assert module.spec.record.structures.structures_without_forces == 4
    train = store.gather(module.splits["train"])
    with_forces = train.forces[train.has_forces[train.batch]].double()
    scale = with_forces.square().mean().sqrt().item()
    assert module.spec.statistics["energy_scale"] == pytest.approx(scale)


def test_a_test_file_without_forces(tmp_path: Path) -> None:
    other = write(tmp_path / "b.xyz", [structure(seed=50 + n, forces=None) for n in range(3)])
    module = read(write(tmp_path / "a.xyz", waters()), test_path=other)
    assert not module.store.graph["has_forces"][module.splits["test"]].any()
    assert module.store.graph["has_forces"][module.splits["train"]].all()


def energies_only(number: int = 20) -> list:
    rng = np.random.default_rng(0)
    table = {"H": -13.6, "O": -2041.0, "N": -1485.0}
    kinds = [WATER, AMMONIA] * (number // 2)
    return [
        structure(
            kind, seed=n, forces=None,
            energy=sum(table[s] for s in kind[0]) + 0.05 * len(kind[0]) * rng.normal(),
        )
        for n, kind in enumerate(kinds)
    ]  # fmt: skip


def test_a_set_without_any_forces(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "a.xyz", energies_only())
    module = read(path)
    assert not module.store.graph["has_forces"].any()
    assert not module.store.node["forces"].any()
    assert "20 of 20 structures have no forces" in caplog.text
    # The spread of the energies per atom that reference energies do not explain, not of all.
    assert 20 < module.spec.statistics["energy_scale"] < 100
    given = {"H": -13.6, "O": -2041.0, "N": -1485.0}
    module = read(path, atom_energies=given)
    assert 20 < module.spec.statistics["energy_scale"] < 100
    raw = read(path, energy_reference="none").spec.statistics
    batch = module.store.gather(module.splits["train"])
    per_atom = (batch.energy - batch.energy.mean()) / torch.bincount(batch.batch)
    assert raw["energy_scale"] == pytest.approx(per_atom.square().mean().sqrt().item())


def test_energies_that_do_not_vary_give_no_scale(tmp_path: Path) -> None:
    frames = [structure(seed=n, forces=None, energy=-14.0) for n in range(10)]
    with pytest.raises(ValueError, match="no forces, and their energies per atom do not vary"):
        read(write(tmp_path / "a.xyz", frames))
    with pytest.raises(ValueError, match="no forces, and their energies per atom do not vary"):
        frames = [structure(seed=n, forces=None) for n in range(10)]  # one left for training
        read(write(tmp_path / "b.xyz", frames), fractions=dict(train=1, val=4, test=5))


def test_weights(tmp_path: Path) -> None:
    frames = waters()
    frames[3].info["config_weight"] = 2.5
    store = read(write(tmp_path / "a.xyz", frames)).store
    assert store.graph["weight"].tolist() == [1, 1, 1, 2.5, 1, 1, 1, 1, 1, 1]
    assert store.graph["weight"].dtype == torch.float32
    for wrong in (0.0, -1.0, np.inf, "high", [1.0, 2.0]):
        frames[3].info["config_weight"] = wrong
        ase_io.write(tmp_path / "b.traj", frames)
        with pytest.raises(ValueError, match="frame 3: config_weight must be"):
            read(tmp_path / "b.traj")
