"""A small file of every supported format, and its reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from corruption import Format
from labelled_samples import write_sgdml, write_spice
from mnist_samples import write_mnist
from qm9_samples import write_qm9
from rmd17_samples import make_arrays, write_unpacked
from traffic_samples import five_minutes, write_frame, write_graph, write_lines

from geozoo.data import GraphStore, read_index_file, read_npy, read_npz, read_sensor_table
from geozoo.data.images import _mnist_files
from geozoo.data.molecules._ase_frames import read_atoms
from geozoo.data.molecules._qm9_files import check_free_atoms, read_archive, read_excluded
from geozoo.data.molecules._rmd17_files import read_molecule, unpack
from geozoo.data.traffic._dcrnn_files import find_dcrnn, read_dcrnn
from geozoo.data.traffic._pems_files import read_pems

_IDS = ("400001", "400017", "400030")


def _saved(name: str, write: Callable[[Path], object]) -> Callable[[Path], Path]:
    """Writes one file of this name."""

    def make(folder: Path) -> Path:
        write(folder / name)
        return folder / name

    return make


def _arrays(path: Path) -> None:
    np.savez_compressed(path, pos=np.random.default_rng(0).normal(size=(30, 3)), z=np.arange(30))


def _trajectory(path: Path) -> None:
    write_sgdml(path, count=4)


def _conformers(path: Path) -> None:
    pytest.importorskip("h5py")
    write_spice(path, count=3)


def _rmd17(folder: Path) -> Path:
    write_unpacked(folder, make_arrays(20))
    return folder / "npz_data" / "rmd17_ethanol.npz"


def _rmd17_archive(folder: Path) -> Path:
    import tarfile

    write_unpacked(folder / "source", make_arrays(20))
    with tarfile.open(folder / "rmd17.tar.bz2", "w:bz2") as archive:
        archive.add(folder / "source", arcname="rmd17")
    return folder / "rmd17.tar.bz2"


def _unpack(folder: Path) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as target:
        unpack(folder / "rmd17.tar.bz2", Path(target))
        assert not [path for path in Path(target).rglob(".*")]


def _qm9(name: str) -> Callable[[Path], Path]:
    return lambda folder: write_qm9(folder) / name


def _free_atoms(path: Path) -> None:
    from geozoo.data.molecules._qm9_files import ELEMENTS, FREE_ATOMS

    rows = [f"{s} 0.0 {' '.join(map(str, FREE_ATOMS[z]))}" for s, z in ELEMENTS.items()]
    write_lines(path, *rows)


def _idx(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write_mnist(folder, packed=name.endswith(".gz"))
        return folder / name

    return make


def _digits(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:  # made digits have no published checksum
        patch.setattr(_mnist_files, "_check_content", lambda *given: None)
        _mnist_files.read_mnist(folder, "train", download=False)


def _superpixels(folder: Path) -> Path:
    (folder / "raw").mkdir(exist_ok=True)
    part = (
        torch.rand(4, 75, 1), torch.arange(10).repeat(2, 4), torch.arange(0, 50, 10),
        torch.rand(4, 75, 2), torch.arange(4),
    )  # fmt: skip
    torch.save((part, part), folder / "raw" / "MNISTSuperpixels.pt")
    return folder / "raw" / "MNISTSuperpixels.pt"


def _check_superpixels(folder: Path) -> None:
    from geozoo.data.images._pyg_superpixels import _check

    _check(folder / "raw" / "MNISTSuperpixels.pt")


def _pems(path: Path) -> None:
    np.savez_compressed(path, data=np.random.default_rng(0).integers(0, 99, (40, 3, 3)))


def _read_pems(folder: Path) -> None:
    read_pems(
        folder / "PEMS03.npz", start="2018-09-01", edges=folder / "PEMS03.csv",
        sensor_ids=folder / "PEMS03.txt",
    )  # fmt: skip


def _pems_set(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        _pems(folder / "PEMS03.npz")
        write_lines(folder / "PEMS03.csv", "from,to,cost", "400001,400017,1.5", "400017,400030,2")
        write_lines(folder / "PEMS03.txt", *_IDS)
        return folder / name

    return make


def _dcrnn_set(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        values = np.random.default_rng(0).uniform(20, 70, (24, 3))
        columns = np.array([each.encode() for each in _IDS])
        write_frame(folder / "metr-la.h5", "df", values, five_minutes("2012-03-01", 24), columns)
        write_graph(folder / "adj_mx.pkl", _IDS, np.eye(3, dtype=np.float32))
        write_lines(folder / "distances_la_2012.csv", "from,to,cost", "400001,400017,1.5")
        places = [f"{i},{each},34.1,-118.2" for i, each in enumerate(_IDS)]
        write_lines(
            folder / "graph_sensor_locations.csv", "index,sensor_id,latitude,longitude", *places
        )
        return folder / name

    return make


def _read_dcrnn(folder: Path) -> None:
    paths = find_dcrnn(folder, "metr_la")
    read_dcrnn(
        paths.series, adjacency=paths.adjacency, distances=paths.distances,
        locations=paths.locations,
    )  # fmt: skip


def _table_set(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        rows = [f"2024-01-01T00:{5 * i:02d},{i}.5,2,3" for i in range(12)]
        write_lines(folder / "table.csv", "time,a,b,c", *rows)
        write_lines(folder / "weights.csv", "0,1,0", "1,0,0.5", "0,0.5,0")
        write_lines(folder / "roads.csv", "from,to,cost", "a,b,1.5", "b,c,2")
        write_lines(
            folder / "places.csv", "sensor_id,latitude,longitude", "a,1,2", "b,1,3", "c,1,4"
        )
        return folder / name

    return make


def _read_table(folder: Path) -> None:
    read_sensor_table(
        folder / "table.csv", adjacency=folder / "weights.csv", edges=folder / "roads.csv",
        coordinates=folder / "places.csv",
    )  # fmt: skip


def _frames(path: Path) -> None:
    from ase_samples import waters, write

    write(path, waters(3))


def _read_frames(folder: Path) -> None:
    from geozoo.data.molecules._frames import FrameOptions, read_frames

    read_frames({"train": folder / "frames.xyz"}, FrameOptions())


def _molecules(path: Path) -> None:
    from rdkit import Chem
    from rdkit.Chem import AllChem

    molecule = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    AllChem.EmbedMolecule(molecule, randomSeed=0)
    path.write_text(Chem.MolToMolBlock(molecule) + "$$$$\n")


def _read_molecules(folder: Path) -> None:
    from geozoo.data import read_structures

    read_structures(folder / "molecules.sdf")


def _store(path: Path) -> None:
    graphs = [{"pos": torch.rand(n, 3), "y": torch.rand(1)} for n in (3, 4, 0, 2)]
    GraphStore.from_graphs(graphs, node=["pos"], graph=["y"]).save(path, metadata={"made": "here"})


def _load_store(folder: Path) -> None:
    store = GraphStore.load(folder / "store.safetensors")
    store.gather(torch.arange(len(store)))


def _checkpoint(path: Path) -> None:
    state = {"model.a": torch.rand(4, 3), "model.b": torch.rand(2)}
    torch.save({"state_dict": state, "epoch": 1, "geozoo": {"config": {}, "data": {}}}, path)


def _read_checkpoint(folder: Path) -> None:
    from geozoo.runs.checkpoints import read_checkpoint
    from geozoo.runs.errors import RunError

    try:
        read_checkpoint(folder / "last.ckpt")
    except RunError as error:
        raise ValueError(str(error)) from error


def _model(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        import shutil

        from geozoo.hub import shipped_models

        source = shipped_models()["stid-los_loop"]
        for path in source.iterdir():
            shutil.copy(path, folder / path.name)
        return folder / name

    return make


def _load_model(folder: Path) -> None:
    from geozoo.hub import load

    load(folder)


def _run(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write_lines(folder / "config.yaml", "seed: 0", "model:", "  hidden_channels: 8")
        write_lines(folder / "run.json", '{"command": "geozoo-train", "choices": {"model": "a"}}')
        return folder / name

    return make


def _read_run(folder: Path) -> None:
    from geozoo.runs.errors import RunError
    from geozoo.runs.folder import RunFolder

    try:
        RunFolder(folder).read_config()
        RunFolder(folder).read_info()
    except RunError as error:
        raise ValueError(str(error)) from error


#: By name.
FORMATS: dict[str, Format] = {
    "npz": Format(_saved("a.npz", _arrays), lambda f: read_npz(f / "a.npz")),
    "npy": Format(
        _saved("a.npy", lambda p: np.save(p, np.arange(60.0).reshape(20, 3))),
        lambda f: read_npy(f / "a.npy"),
    ),
    "npy mapped": Format(
        _saved("a.npy", lambda p: np.save(p, np.arange(60.0).reshape(20, 3))),
        lambda f: float(read_npy(f / "a.npy", mmap=True).sum()),
    ),
    "rmd17 arrays": Format(_rmd17, lambda f: read_molecule(_rmd17_path(f))),
    "rmd17 archive": Format(_rmd17_archive, _unpack),
    "split": Format(
        _saved("index.csv", lambda p: write_lines(p, *map(str, range(20)))),
        lambda f: read_index_file(f / "index.csv"),
    ),
    "qm9 archive": Format(
        _qm9("dsgdb9nsd.xyz.tar.bz2"),
        lambda f: read_archive(f / "qm9" / "dsgdb9nsd.xyz.tar.bz2", frozenset()),
    ),
    "qm9 excluded": Format(
        _qm9("uncharacterized.txt"), lambda f: read_excluded(f / "qm9" / "uncharacterized.txt")
    ),
    "qm9 free atoms": Format(
        _saved("atomref.txt", _free_atoms), lambda f: check_free_atoms(f / "atomref.txt")
    ),
    "idx packed": Format(_idx("train-images-idx3-ubyte.gz"), _digits),
    "idx": Format(_idx("train-labels-idx1-ubyte"), _digits),
    "superpixels": Format(_superpixels, _check_superpixels),
    "pems readings": Format(_pems_set("PEMS03.npz"), _read_pems),
    "pems roads": Format(_pems_set("PEMS03.csv"), _read_pems),
    "pems stations": Format(_pems_set("PEMS03.txt"), _read_pems),
    "dcrnn readings": Format(_dcrnn_set("metr-la.h5"), _read_dcrnn),
    "dcrnn graph": Format(_dcrnn_set("adj_mx.pkl"), _read_dcrnn),
    "dcrnn roads": Format(_dcrnn_set("distances_la_2012.csv"), _read_dcrnn),
    "dcrnn places": Format(_dcrnn_set("graph_sensor_locations.csv"), _read_dcrnn),
    "table": Format(_table_set("table.csv"), _read_table),
    "table weights": Format(_table_set("weights.csv"), _read_table),
    "table roads": Format(_table_set("roads.csv"), _read_table),
    "table places": Format(_table_set("places.csv"), _read_table),
    "extxyz": Format(_saved("frames.xyz", _frames), _read_frames),
    "trajectory": Format(
        _saved("frames.npz", _trajectory), lambda f: list(read_atoms(f / "frames.npz"))
    ),
    "conformers": Format(
        _saved("frames.h5", _conformers), lambda f: list(read_atoms(f / "frames.h5"))
    ),
    "sdf": Format(_saved("molecules.sdf", _molecules), _read_molecules),
    "store": Format(_saved("store.safetensors", _store), _load_store),
    "checkpoint": Format(_saved("last.ckpt", _checkpoint), _read_checkpoint),
    "model description": Format(_model("model.json"), _load_model),
    "model weights": Format(_model("model.safetensors"), _load_model),
    "run config": Format(_run("config.yaml"), _read_run),
    "run info": Format(_run("run.json"), _read_run),
}


def _rmd17_path(folder: Path) -> Path:
    return folder / "npz_data" / "rmd17_ethanol.npz"
