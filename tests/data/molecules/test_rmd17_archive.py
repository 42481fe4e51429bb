"""The compressed archive of rMD17."""

from __future__ import annotations

import bz2
import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from rmd17_samples import ethanol, make_arrays, write_unpacked

from geozoo.data import RemoteFile
from geozoo.data.molecules._rmd17_files import unpack


def pack(folder: Path, path: Path) -> RemoteFile:
    """An archive with ``folder`` as its top-level folder ``rmd17``, and its `RemoteFile`."""
    with tarfile.open(path, "w:bz2") as archive:
        archive.add(folder, arcname="rmd17")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return RemoteFile(path.name, ("https://example.org/a",), size=len(content), sha256=digest)


def test_packed_archive_is_unpacked_once(tmp_path: Path) -> None:
    write_unpacked(tmp_path / "source", make_arrays())
    folder = tmp_path / "rmd17"
    folder.mkdir()
    file = pack(tmp_path / "source", folder / "rmd17.tar.bz2")
    module = ethanol(tmp_path)
    module.archive = file
    assert len(module.splits["test"]) == 100
    assert sorted(path.name for path in folder.iterdir()) == ["npz_data", "rmd17.tar.bz2", "splits"]
    (folder / "rmd17.tar.bz2").unlink()
    assert len(ethanol(tmp_path).splits["test"]) == 100


def test_archive_that_is_not_the_published_one_is_rejected(tmp_path: Path) -> None:
    write_unpacked(tmp_path / "source", make_arrays())
    folder = tmp_path / "rmd17"
    folder.mkdir()
    file = pack(tmp_path / "source", folder / "rmd17.tar.bz2")
    with pytest.raises(ValueError, match="is not the published file: its size is"):
        ethanol(tmp_path).prepare_data()
    module = ethanol(tmp_path)
    module.archive = replace(file, sha256="0" * 64)
    with pytest.raises(ValueError, match="is not the published file: its sha256"):
        module.prepare_data()
    assert not (folder / "npz_data").exists()


def test_archive_without_the_molecule_is_reported(tmp_path: Path) -> None:
    write_unpacked(tmp_path / "source", make_arrays(), "benzene")
    (tmp_path / "rmd17").mkdir()
    module = ethanol(tmp_path)
    module.archive = pack(tmp_path / "source", tmp_path / "rmd17" / "rmd17.tar.bz2")
    with pytest.raises(ValueError, match="does not contain rmd17/npz_data/rmd17_ethanol.npz"):
        module.prepare_data()


@pytest.mark.parametrize("name", ["../outside.txt", "rmd17/../../outside.txt"])
def test_archive_cannot_write_outside_its_folder(tmp_path: Path, name: str) -> None:
    packed = tmp_path / "evil.tar.bz2"
    with tarfile.open(packed, "w:bz2") as archive:
        member = tarfile.TarInfo(name)
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    with pytest.raises(ValueError, match="evil.tar.bz2 cannot be unpacked"):
        unpack(packed, tmp_path / "inner" / "rmd17")
    assert [path.name for path in tmp_path.rglob("*.txt")] == []


def test_link_out_of_the_archive_is_rejected(tmp_path: Path) -> None:
    packed = tmp_path / "evil.tar.bz2"
    with tarfile.open(packed, "w:bz2") as archive:
        member = tarfile.TarInfo("rmd17/npz_data")
        member.type, member.linkname = tarfile.SYMTYPE, "../../.."
        archive.addfile(member)
    with pytest.raises(ValueError, match="evil.tar.bz2 cannot be unpacked"):
        unpack(packed, tmp_path / "inner")


@pytest.mark.parametrize(
    "damage", [lambda c: c[: len(c) // 2], lambda c: b"no archive", bz2.compress]
)
def test_corrupt_archive_is_reported_and_leaves_nothing(tmp_path: Path, damage) -> None:
    write_unpacked(tmp_path / "source", make_arrays())
    packed = tmp_path / "rmd17.tar.bz2"
    pack(tmp_path / "source", packed)
    packed.write_bytes(damage(packed.read_bytes()))
    with pytest.raises(ValueError, match="rmd17.tar.bz2 cannot be unpacked"):
        unpack(packed, tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []
