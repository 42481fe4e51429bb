"""Packs of data for the GPU machine, on small folders made here."""

import io
import json
import lzma
import tarfile

import numpy as np
import pytest
import torch

from benchmarks.gpu import collect
from benchmarks.gpu._coded_files import decode_file, encode_file
from benchmarks.gpu._coding import decode, encode
from benchmarks.gpu._packs import missing, stage_nbody, stage_rmd17, write_pack
from benchmarks.gpu._qm9_pack import QM9_SUFFIX
from benchmarks.gpu._wheels import needs
from benchmarks.gpu.superpixels import parallel_graphs
from benchmarks.gpu.unpack import MANIFEST, PackError, main, unpack
from geozoo.data.images.superpixels import SlicOptions, slic_graphs
from geozoo.data.molecules._qm9_bonds import find_bonds
from geozoo.data.molecules._qm9_files import PROPERTIES, Molecule
from geozoo.data.molecules._qm9_store import make_store


def write_tar(path, members):
    with lzma.open(path, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [
        np.round(np.random.default_rng(0).normal(size=(50, 3)), 4),
        np.random.default_rng(1).normal(size=(40, 7)) * 1e3,
        np.random.default_rng(2).normal(size=(40, 7)).astype(np.float32),
        np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, 1e300, 0.1] * 10),
        np.append(np.full(9999, 0.5), [np.nan, -0.0, np.inf, -1e300]),
        np.array([-(2**63), 2**63 - 1, 0, -1]),
        np.arange(12, dtype=np.int16).reshape(3, 4) - 6,
        np.zeros((0, 3)),
    ],
    ids=["decimals", "bits", "float32", "special", "nearly", "int64", "int16", "empty"],
)
def test_coding_keeps_every_bit(values):
    spec, data = encode(values)
    back = decode(json.loads(json.dumps(spec)), data)
    assert back.dtype == values.dtype and back.shape == values.shape
    assert back.tobytes() == values.tobytes()


def test_decimals_are_coded_as_whole_numbers():
    values = np.round(np.random.default_rng(0).uniform(-5, 5, 1000), 3)
    spec, data = encode(values)
    assert spec["digits"] == 3 and spec["parts"][0]["size"] == 2
    with pytest.raises(ValueError, match="bytes are needed"):
        decode(spec, data[:-1])


def test_a_folder_survives_its_pack(tmp_path):
    random, data = np.random.default_rng(0), tmp_path / "data"
    (data / "set" / "deep").mkdir(parents=True)
    frames = np.full((30, 9, 3, 5), np.nan)
    frames[:, [2, 4]] = random.normal(size=(30, 2, 3, 5)).astype(np.float32)
    np.save(data / "set" / "frames.npy", frames)
    np.save(data / "set" / "fortran.npy", np.asfortranarray(random.normal(size=(40, 30))))
    arrays = {"coords": np.round(random.normal(size=(99, 4, 3)), 8), "z": np.arange(4)}
    np.savez(data / "set" / "deep" / "stored.npz", **arrays)
    np.savez_compressed(data / "set" / "deep" / "packed.npz", **arrays)
    (data / "set" / "words.csv").write_text("1,2\n" * 100)
    (data / "set" / "nothing").touch()
    write_pack(data, tmp_path / "packs" / "set.tar.xz")
    assert main([str(tmp_path / "packs"), str(tmp_path / "back")]) == 0
    assert contents(tmp_path / "back") == contents(data)
    with tarfile.open(tmp_path / "packs" / "set.tar.xz") as archive:
        names = archive.getnames()
    assert "set/frames.npy.coded" in names and "set/deep/stored.npz.coded" in names
    assert "set/deep/packed.npz" in names


def test_arrays_of_an_h5_file_are_coded(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "speeds.h5"
    with h5py.File(path, "w") as file:
        file["speed"] = np.round(np.random.default_rng(0).uniform(0, 70, (200, 9)), 1)
        file["chunked"] = h5py.Empty("f")
        file.create_dataset("packed", data=np.arange(90), compression="gzip")
    coded = encode_file(path)
    assert len(coded) < 0.6 * path.stat().st_size
    assert decode_file(coded) == path.read_bytes()


def molecules(count):
    random = np.random.default_rng(0)
    for number in range(1, count + 1):
        z = np.array([6, 8, 1, 1, 1][: random.integers(3, 6)], dtype=np.uint8)
        pos = np.round(random.normal(size=(len(z), 3)), 8)
        # Of three digits, where QM9 has two of one property: its bits must be kept as well.
        values = np.round(random.normal(size=len(PROPERTIES)) * 50, 3)
        fields = {"number": number, "z": z, "pos": pos, "properties": values, "smiles": ""}
        yield Molecule(**fields)


def test_qm9_is_coded_by_its_decimals_and_restored_bit_for_bit(tmp_path):
    made = list(molecules(300))
    bonds, _, _ = find_bonds(made, "distance", lambda amount: None)
    store = make_store(made, bonds)
    path = tmp_path / "data" / "qm9" / "prepared_distance.safetensors"
    store.save(path, metadata={"version": "1", "archive_bytes": "7"})
    write_pack(tmp_path / "data", tmp_path / "qm9.tar.xz")
    unpack(tmp_path / "qm9.tar.xz", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tmp_path / "data")
    with tarfile.open(tmp_path / "qm9.tar.xz") as archive:
        assert f"qm9/{path.name}{QM9_SUFFIX}" in archive.getnames()
    assert (tmp_path / "qm9.tar.xz").stat().st_size < 0.4 * path.stat().st_size
    back = type(store).load(tmp_path / "back" / "qm9" / path.name)
    assert torch.equal(back.edge_index, store.edge_index)


@pytest.mark.parametrize("name", ["../outside", "set/../../outside"])
def test_a_member_that_leaves_the_folder_is_refused(tmp_path, name, capsys):
    pack = tmp_path / "packs" / "bad.tar.xz"
    pack.parent.mkdir()
    write_tar(pack, {name: b"x", MANIFEST: b"{}"})
    with pytest.raises(PackError, match=r"bad\.tar\.xz cannot be unpacked.*outside"):
        unpack(pack, tmp_path / "back")
    assert main([str(pack.parent), str(tmp_path / "back")]) == 1
    assert "bad.tar.xz" in capsys.readouterr().err
    assert not (tmp_path / "outside").exists() and not contents(tmp_path / "back")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"a": b"x", MANIFEST: b'{"a": "00"}'}, "not what was packed"),
        ({"a": b"x", MANIFEST: b'{"../a": "00"}'}, "points outside"),
        ({"a": b"x"}, MANIFEST),
        ({"a.coded": b"x" * 20, MANIFEST: b'{"a": "00"}'}, "cannot be unpacked"),
    ],
)
def test_a_corrupt_pack_is_named(tmp_path, members, reason):
    write_tar(tmp_path / "bad.tar.xz", members)
    with pytest.raises(PackError, match=reason):
        unpack(tmp_path / "bad.tar.xz", tmp_path / "back")


def test_what_geozoo_does_not_read_is_left_out(tmp_path):
    layout = tmp_path / "layout"
    (layout / "npz_data").mkdir(parents=True)
    (layout / "splits").mkdir()
    np.save(layout / "loc_test_x.npy", np.ones((4, 49, 3, 5)))
    np.save(layout / "edges_test_x.npy", np.ones((4, 5, 5)))
    for molecule in ("aspirin", "ethanol", "benzene"):
        np.savez_compressed(layout / "npz_data" / f"rmd17_{molecule}.npz", energies=np.ones(3))
    stage_nbody(layout, tmp_path / "data")
    stage_rmd17(layout, tmp_path / "data")
    kept = np.load(tmp_path / "data" / "nbody" / "loc_test_x.npy")
    assert np.flatnonzero(np.isfinite(kept).all((0, 2, 3))).tolist() == [20, 30, 40]
    names = {path.name for path in (tmp_path / "data").rglob("*") if path.is_file()}
    assert names == {"loc_test_x.npy", "rmd17_aspirin.npz", "rmd17_ethanol.npz"}
    assert "official_layouts.py" in str(missing("nbody", tmp_path))


def test_the_size_limit_is_enforced(tmp_path, monkeypatch, capsys):
    with pytest.raises(collect.TooLargeError, match=r"2\.0 MiB would travel.*tree 2\.0 MiB"):
        collect.check_size({"tree": 2 << 20, "data": 0}, limit=1 << 20)
    collect.check_size({"tree": 1 << 20}, limit=1 << 20)
    assert collect.choose(["a", "b", "c"], {"a": 3, "b": 5, "c": 2}, 6) == ["a", "c"]
    monkeypatch.setattr(collect, "LIMIT", 1)
    monkeypatch.setattr(collect, "tree_bytes", lambda root, out: 7)
    monkeypatch.setattr(collect, "write_commit", lambda out: None)
    monkeypatch.setenv("GEOZOO_SHARED", str(tmp_path / "absent"))
    arguments = ["--only", "data", "--out", str(tmp_path / "out"), "--cache", str(tmp_path)]
    assert collect.main(arguments) == 1
    captured = capsys.readouterr()
    assert "TooLargeError" in captured.err and "nbody: skipped" in captured.out
    pack = tmp_path / "out" / "data" / "nbody.tar.xz"
    pack.touch()
    collect.main([*arguments, "--data", "nbody"])
    assert "nbody: kept as it is" in capsys.readouterr().out and pack.is_file()


def test_packs_that_are_not_chosen_are_removed(tmp_path):
    packs = {name: tmp_path / f"{name}-key.tar.xz" for name in ("a", "b")}
    for name, path in packs.items():
        path.write_text(name)
    collect.place_packs(packs, ["a", "b"], tmp_path / "data")
    collect.place_packs(packs, ["b"], tmp_path / "data")
    assert contents(tmp_path / "data") == {"b.tar.xz": b"b"}


def test_needs_of_a_wheel_are_those_without_extras(tmp_path):
    import zipfile

    text = "Name: x\nRequires-Dist: PyYAML>=5\nRequires-Dist: tqdm; extra == 'bar'\n"
    text += "Requires-Dist: old; python_version < '3.9'\n"
    with zipfile.ZipFile(tmp_path / "x-1-py3-none-any.whl", "w") as archive:
        archive.writestr("x-1.dist-info/METADATA", text)
    assert list(needs(tmp_path / "x-1-py3-none-any.whl")) == ["pyyaml"]


@pytest.mark.slow
def test_superpixels_are_the_same_in_any_number_of_processes(monkeypatch):
    pytest.importorskip("skimage")
    monkeypatch.setattr("benchmarks.gpu.superpixels.BLOCK", 3)
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    options, done = SlicOptions(20, 0.25, 4), []
    whole, parts = slic_graphs(images, options), parallel_graphs(images, options, done.append)
    assert torch.equal(whole.edge_index, parts.edge_index)
    assert torch.equal(whole.num_nodes, parts.num_nodes)
    assert torch.equal(whole.node["pos"], parts.node["pos"])
    assert torch.equal(whole.node["x"], parts.node["x"])
    assert done == [3, 2]
