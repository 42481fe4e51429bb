"""Large sets of structures are parsed once."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from geozoo.data import ExtXYZ, LoaderOptions
from geozoo.data.molecules import _ase_frames, _frame_store

ase = pytest.importorskip("ase")
from ase_samples import silicon, structure, waters, write  # noqa: E402

LOADER = LoaderOptions(batch_size=4)


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_frame_store, "_LARGE", 0)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were parsed since the last look."""
    found: list[str] = []

    def read(files, options):
        found.extend(path.name for path in files.values())
        return real(files, options)

    real = _frame_store.read_frames
    monkeypatch.setattr(_frame_store, "read_frames", read)
    return found


def frames() -> list:
    alone = ase.Atoms("Si", info={"config_type": "IsolatedAtom", "energy": -100.0})
    made = [silicon(seed) for seed in range(10)]
    del made[3].calc.results["forces"], made[4].calc.results["stress"]
    made[5].info |= {"config_weight": 2.0, "charge": 0, "mood": 1}
    return [alone, *made]


def test_the_second_run_does_not_parse(
    tmp_path: Path, parsed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "a.xyz", frames())
    tests = [write(tmp_path / "b.xyz", [silicon(30)]), write(tmp_path / "c.xyz", [silicon(31)])]
    caplog.set_level(logging.INFO)
    data = []
    for expected in (["a.xyz", "b.xyz", "c.xyz"], []):
        parsed.clear()
        caplog.clear()
        data.append(ExtXYZ(path=path, test_path=tests, loader=LOADER))
        _ = data[-1].data
        assert parsed == expected
        read = "elements, positions, cell, energy, forces, stress, config_weight"
        assert f"a.xyz: read: {read}; not read: charge, mood" in caplog.text
        assert "1 of 12 structures have no forces" in caplog.text
        (prepared,) = (tmp_path / "data" / "extxyz").iterdir()
        assert f"reading the structures from {prepared}" in caplog.text
        assert (f"parsing the structures once, into {prepared}" in caplog.text) == bool(expected)
    first, second = data
    assert first.spec == second.spec
    assert first.spec.record.structures.energy_reference == "isolated atoms"
    assert first.test_parts.keys() == second.test_parts.keys() == {"b.xyz", "c.xyz"}
    for level, fields in first.store.fields.items():
        assert fields.keys() == second.store.fields[level].keys()
        for name, value in fields.items():
            torch.testing.assert_close(second.store.fields[level][name], value, rtol=0, atol=0)
            assert second.store.fields[level][name].dtype == value.dtype


def test_it_is_equal_to_the_parsed_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.xyz", [*waters(), *frames()[1:]])
    prepared = ExtXYZ(path=path, loader=LOADER)
    _ = prepared.data
    monkeypatch.setattr(_frame_store, "_LARGE", 10**9)
    plain = ExtXYZ(path=path, loader=LOADER)
    assert plain.spec == prepared.spec
    for level, fields in plain.store.fields.items():
        for name, value in fields.items():
            torch.testing.assert_close(prepared.store.fields[level][name], value, rtol=0, atol=0)


def test_changed_files_and_options_are_parsed_again(tmp_path: Path, parsed: list[str]) -> None:
    path = write(tmp_path / "a.xyz", waters())
    _ = ExtXYZ(path=path, loader=LOADER).data
    parsed.clear()
    _ = ExtXYZ(path=path, loader=LOADER, split_seed=3, species=["O", "H"]).data
    assert parsed == []
    data = ExtXYZ(path=path, loader=LOADER, energy_unit="meV")
    assert data.store.graph["energy"][0] > -100
    assert parsed == ["a.xyz"]
    other = structure(seed=1000)
    write(path, [other, *waters()[1:]])
    data = ExtXYZ(path=path, loader=LOADER)
    energy = data.store.graph["energy"][0].item()
    assert energy == pytest.approx(1e3 * other.get_potential_energy(), rel=1e-8)
    assert parsed == ["a.xyz", "a.xyz"]


def test_a_corrupt_prepared_file_is_replaced(tmp_path: Path, parsed: list[str]) -> None:
    path = write(tmp_path / "a.xyz", waters())
    expected = ExtXYZ(path=path, loader=LOADER).store.graph["energy"]
    (prepared,) = (tmp_path / "data" / "extxyz").iterdir()
    prepared.write_bytes(prepared.read_bytes()[:-50])
    parsed.clear()
    data = ExtXYZ(path=path, loader=LOADER)
    torch.testing.assert_close(data.store.graph["energy"], expected)
    assert parsed == ["a.xyz"]


def test_without_a_writable_folder_each_run_parses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GEOZOO_DATA", str(tmp_path / "file"))
    data = ExtXYZ(path=write(tmp_path / "a.xyz", waters()), loader=LOADER)
    assert len(data.store) == 10
    assert "cannot write to" in caplog.text
    assert "parsed again by every run" in caplog.text


def test_small_files_are_not_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_frame_store, "_LARGE", 10**9)
    _ = ExtXYZ(path=write(tmp_path / "a.xyz", waters()), loader=LOADER).data
    assert not (tmp_path / "data").exists()


def test_a_long_file_shows_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(_ase_frames, "_LONG", 0)
    path = write(tmp_path / "a.xyz", [silicon(n, repeat=3) for n in range(20)])
    steps: list[int] = []
    assert len(list(_ase_frames.read_atoms(path, steps.append))) == 20
    assert len(steps) > 5
    assert sum(steps) == path.stat().st_size
    _ = ExtXYZ(path=path, loader=LOADER).data
    assert "Reading a.xyz" in capsys.readouterr().err
