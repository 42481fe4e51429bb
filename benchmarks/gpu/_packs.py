"""How each dataset becomes a pack: from the shared data to official files to a small archive."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.gpu._coded_files import SUFFIX, encode_file
from benchmarks.gpu._qm9_pack import QM9_SUFFIX, encode_qm9
from benchmarks.gpu.unpack import MANIFEST

#: Version of the pack format; a new version rebuilds all packs.
VERSION = "1"
#: Molecules of rMD17 that are copied.
MOLECULES = ("aspirin", "ethanol")
#: Frames of an N-body trajectory that a task reads; the others become NaN.
_FRAMES = (20, 30, 40)
#: xz options: no alignment, since encoded data are single bytes.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 3, "lp": 0, "pb": 0}]


class Recipe(NamedTuple):
    """The sources of a pack.

    Attributes:
        layout: name of the dataset in ``shared/tools/official_layouts.py``.
        sources: folder of the shared data from which it is built.
        stage: copies what geozoo reads from the layout's folder into a data folder.
    """

    layout: str
    sources: str
    stage: Callable[[Path, Path], None]


def stage_nbody(layout: Path, data: Path) -> None:
    """The arrays that are read, with values only in the frames that are needed."""
    (data / "nbody").mkdir(parents=True)
    for path in sorted(layout.glob("*.npy")):
        if path.name.startswith(("loc_", "vel_")):
            whole = np.load(path, allow_pickle=False)
            kept = np.full_like(whole, np.nan)
            kept[:, _FRAMES] = whole[:, _FRAMES]
            np.save(data / "nbody" / path.name, kept)
        elif path.name.startswith("charges_"):
            shutil.copyfile(path, data / "nbody" / path.name)


def stage_rmd17(layout: Path, data: Path) -> None:
    """The arrays of some molecules, uncompressed, and the split."""
    (data / "rmd17" / "npz_data").mkdir(parents=True)
    for molecule in MOLECULES:
        name = f"npz_data/rmd17_{molecule}.npz"
        with np.load(layout / name, allow_pickle=False) as arrays:
            np.savez(data / "rmd17" / name, **{key: arrays[key] for key in arrays.files})
    shutil.copytree(layout / "splits", data / "rmd17" / "splits")


def stage_qm9(layout: Path, data: Path) -> None:
    """Only the prepared file, with bonds from distances."""
    from geozoo.data.molecules._qm9_store import prepare_store, prepared_path

    archive, excluded = (layout / name for name in ("dsgdb9nsd.xyz.tar.bz2", "uncharacterized.txt"))
    prepare_store(data / "qm9", archive, excluded, "distance")
    # Its folder must hold no archive: then nobody compares sizes, and nothing is parsed.
    assert prepared_path(data / "qm9", "distance").is_file()


def stage_mnist(layout: Path, data: Path) -> None:
    """The images, unpacked since xz compresses them better than gzip does."""
    import gzip

    (data / "mnist").mkdir(parents=True)
    for path in sorted(layout.glob("*.gz")):
        (data / "mnist" / path.stem).write_bytes(gzip.decompress(path.read_bytes()))


def _stage_all(folder: str) -> Callable[[Path, Path], None]:
    def stage(layout: Path, data: Path) -> None:
        """All files of the layout except the note of the tool that wrote them."""
        shutil.copytree(layout, data / folder, ignore=shutil.ignore_patterns("README.txt"))

    return stage


#: In the order in which they are included while space allows.
RECIPES: dict[str, Recipe] = {
    "nbody": Recipe("nbody", "data/nbody", stage_nbody),
    "rmd17": Recipe("rmd17", "data/molecules/rmd17", stage_rmd17),
    "los_loop": Recipe("los_loop", "data/traffic/los_loop", _stage_all("los_loop")),
    "pems_bay_67": Recipe("pems_bay", "data/traffic/pems_bay_subset", _stage_all("pems_bay")),
    "qm9": Recipe("qm9", "data/molecules/qm9", stage_qm9),
    "mnist_superpixels_slic": Recipe("mnist", "data/mnist", stage_mnist),
}


def missing(name: str, shared: Path) -> Path | None:
    """Shared data that a pack lacks, if any."""
    needed = (shared / "tools" / "official_layouts.py", shared / RECIPES[name].sources)
    return next((path for path in needed if not path.exists()), None)


def source_key(name: str, shared: Path) -> str:
    """Sixteen digits that change with the content of the sources or the pack format."""
    digest = hashlib.sha256(f"{VERSION} {MOLECULES} {_FRAMES} {_FILTERS}".encode())
    for path in sorted((shared / RECIPES[name].sources).rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def make_pack(name: str, shared: Path, pack: Path) -> None:
    """Write the official files of a dataset to a temporary folder and pack what geozoo reads."""
    recipe = RECIPES[name]
    tool = shared / "tools" / "official_layouts.py"
    with tempfile.TemporaryDirectory(prefix="geozoo-pack-") as work:
        layouts, data = Path(work) / "layouts", Path(work) / "data"
        subprocess.run(
            [sys.executable, str(tool), "--out", str(layouts), recipe.layout],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        recipe.stage(layouts / recipe.layout, data)
        write_pack(data, pack)


def write_pack(data: Path, pack: Path) -> None:
    """Pack all files below a folder: encoded where that helps, with their checksums, by xz."""
    paths = sorted(path for path in data.rglob("*") if path.is_file())
    names = {path: path.relative_to(data).as_posix() for path in paths}
    sums = {names[path]: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    pack.parent.mkdir(parents=True, exist_ok=True)
    partial = pack.with_name(f".{pack.name}")
    with (
        lzma.open(partial, "wb", filters=_FILTERS) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        _add(archive, MANIFEST, json.dumps(sums).encode())
        for path, name in names.items():
            _add(archive, *_coded(path, name))
    partial.replace(pack)


def _coded(path: Path, name: str) -> tuple[str, bytes]:
    """Name and content of the archive member for a file."""
    if path.name == "prepared_distance.safetensors":
        return name + QM9_SUFFIX, encode_qm9(path, *qm9_constants())
    coded = encode_file(path)
    return (name, path.read_bytes()) if coded is None else (name + SUFFIX, coded)


def qm9_constants() -> tuple[list[float], Mapping[int, list[float]]]:
    """The conversion factors that geozoo applies to QM9, and its isolated-atom energies."""
    from geozoo.data.molecules._qm9_files import FREE_ATOMS
    from geozoo.data.molecules._qm9_store import _ENERGIES, COLUMNS
    from geozoo.data.molecules.units import energy_factor

    hartree = energy_factor("hartree") / energy_factor("eV")
    factors = [hartree if each.removesuffix("_atom") in _ENERGIES else 1.0 for each in COLUMNS]
    return factors, {z: list(energies) for z, energies in FREE_ATOMS.items()}


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, io.BytesIO(content))
