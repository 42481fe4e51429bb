"""Concurrent preparation of the same data, and read-only folders."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from mnist_samples import write_mnist
from own_process import CONTEXT, lose_right_to_write, result_of
from qm9_samples import write_qm9
from rmd17_samples import ethanol, make_arrays, write_unpacked

from geozoo.data import RemoteFile

LOADER = {"batch_size": 4}


def nbody(root: Path) -> Any:
    from geozoo.data import LoaderOptions, NBody

    return NBody(loader=LoaderOptions(**LOADER), root=root, num_train=50, source="generate")


def qm9(root: Path) -> Any:
    from geozoo.data import QM9, LoaderOptions

    return QM9(loader=LoaderOptions(**LOADER), root=root, split="random", bonds="distance")


def digits(root: Path) -> Any:
    from geozoo.data import LoaderOptions, MNISTSlic
    from geozoo.data.images import _mnist_files

    _mnist_files._check_content = lambda *given: None  # made digits
    return MNISTSlic(loader=LoaderOptions(**LOADER), root=root)


def molecule(root: Path) -> Any:
    from geozoo.data.molecules import _rmd17_files

    packed = root / "rmd17" / "rmd17.tar.bz2"
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    urls = ("https://example.org/none",)
    archive = RemoteFile(packed.name, urls, size=packed.stat().st_size, sha256=digest)
    _rmd17_files.prepare(root / "rmd17", "ethanol", archive, download=False)
    return ethanol(root)


def raw_qm9(root: Path) -> None:
    write_qm9(root)


def raw_digits(root: Path) -> None:
    write_mnist(root / "mnist")


def raw_archive(root: Path) -> None:
    import tarfile

    write_unpacked(root / "source", make_arrays())
    (root / "rmd17").mkdir()
    with tarfile.open(root / "rmd17" / "rmd17.tar.bz2", "w:bz2") as archive:
        archive.add(root / "source", arcname="rmd17")


#: A data set and the raw files that it is made from.
SETS = {
    "nbody": (nbody, lambda root: None), "qm9": (qm9, raw_qm9), "digits": (digits, raw_digits),
    "rmd17": (molecule, raw_archive),
}  # fmt: skip


def content(name: str, root: str, start: float = 0.0) -> str:
    """Prepare a dataset at a given time and print a hash of its content."""
    time.sleep(max(start - time.time(), 0.0))
    data = SETS[name][0](Path(root))
    data.prepare_data()
    loaded = data.load()
    batch = loaded.store.gather(torch.arange(len(loaded.store)))
    digest = hashlib.sha256()
    for key in batch:
        digest.update(key.encode() + batch.get(key).contiguous().numpy().tobytes())
    return digest.hexdigest()


def content_of(name: str, root: Path) -> str:
    """The same in a separate process, with checks of published content disabled."""
    return result_of(content, name, str(root), told=root / "nothing is told")


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


@pytest.mark.thorough
@pytest.mark.parametrize("name", SETS)
def test_two_processes_prepare_the_same_data(name: str, tmp_path: Path) -> None:
    for folder in ("alone", "shared"):
        (tmp_path / folder).mkdir()
        SETS[name][1](tmp_path / folder)
    alone = content_of(name, tmp_path / "alone")
    with ProcessPoolExecutor(3, mp_context=CONTEXT) as pool:
        start = time.time() + 1.0  # the processes are up, and meet
        made = [pool.submit(content, name, str(tmp_path / "shared"), start) for _ in range(3)]
        assert [each.result() for each in made] == [alone] * 3
    assert files(tmp_path / "shared") == files(tmp_path / "alone")


def attempt_to_prepare(name: str, root: str) -> str:
    """The error message for a read-only folder."""
    lose_right_to_write()
    try:
        content(name, root)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "it is read"


@pytest.mark.thorough
@pytest.mark.parametrize("name", SETS)
def test_a_folder_that_cannot_be_written_to_is_reported(name: str, tmp_path: Path) -> None:
    SETS[name][1](tmp_path)
    folders = [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]
    before = files(tmp_path)
    for folder in folders:
        folder.chmod(0o555)
    try:
        said = result_of(attempt_to_prepare, name, str(tmp_path), told=tmp_path / "x")
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert said.startswith("PermissionError")
    assert str(tmp_path) in said
    assert files(tmp_path) == before


@pytest.mark.thorough
@pytest.mark.parametrize("name", SETS)
def test_prepared_data_need_no_right_to_write(name: str, tmp_path: Path) -> None:
    SETS[name][1](tmp_path)
    made = content_of(name, tmp_path)
    folders = [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert result_of(content_read_only, name, str(tmp_path), told=tmp_path / "x") == made
    finally:
        for folder in folders:
            folder.chmod(0o755)


def content_read_only(name: str, root: str) -> str:
    lose_right_to_write()
    return content(name, root)
