"""Source files and splits of QM9, shared by all datasets derived from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from geozoo.checks import check_choice
from geozoo.data.molecules._qm9_bonds import BondSource, resolve_bond_source
from geozoo.data.molecules._qm9_files import NUM_CHARACTERISED
from geozoo.data.molecules._qm9_store import prepare_store, prepared_header, prepared_path
from geozoo.data.splits import random_split
from geozoo.data.store import GraphStore
from geozoo.files.download import fetch, remote_files
from geozoo.files.folders import check_writable, data_folder

_LOG = logging.getLogger(__name__)
SplitName = Literal["dimenet", "edm", "random"]
_SIZES = {
    "dimenet": {"train": 110_000, "val": 10_000, "test": 10_831},
    "edm": {"train": 100_000, "val": 17_748, "test": 13_083},
}
_FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}
_ARCHIVE, _EXCLUDED = "dsgdb9nsd.xyz.tar.bz2", "uncharacterized.txt"


class QM9Source:
    """The original files of QM9 and the file prepared from them.

    Args:
        root: folder of all datasets; the files are in its subfolder ``qm9``.
        bonds: ``"rdkit"``, ``"distance"`` or ``"auto"``.
        download: whether missing files may be downloaded.
        mirrors: further URLs of the archive, tried first.

    Raises:
        ValueError: If ``bonds`` is unknown.
        ImportError: If RDKit is requested but not installed.
    """

    def __init__(
        self,
        root: str | Path | None,
        *,
        bonds: BondSource = "auto",
        download: bool = True,
        mirrors: Sequence[str] = (),
    ) -> None:
        check_choice("bonds", bonds, get_args(BondSource))
        self.bonds = resolve_bond_source(bonds)
        self.folder = data_folder("qm9", root)
        self.download, self.mirrors = download, tuple(mirrors)

    @property
    def prepared(self) -> Path:
        """The preprocessed file, created once from the archive."""
        return prepared_path(self.folder, self.bonds)

    def prepare(self) -> None:
        """Create the prepared file, downloading the original files if necessary."""
        archive = self.folder / _ARCHIVE
        header = prepared_header(self.prepared)
        if header and (
            not archive.is_file() or header["archive_bytes"] == str(archive.stat().st_size)
        ):
            return
        check_writable(self.folder)
        files = remote_files("qm9")
        source = files[_ARCHIVE]
        files[_ARCHIVE] = replace(source, urls=(*self.mirrors, *source.urls))
        for name in (_ARCHIVE, _EXCLUDED):
            path = self.folder / name
            if not path.is_file():
                fetch(files[name], self.folder, download=self.download)
            elif path.stat().st_size != files[name].size:
                _LOG.warning("%s differs in size from the published file; reading it anyway", path)
        prepare_store(self.folder, archive, self.folder / _EXCLUDED, self.bonds)

    def read(self) -> tuple[GraphStore, Mapping[str, str]]:
        """The memory-mapped prepared store and its metadata.

        Raises:
            FileNotFoundError: If the prepared file is missing.
        """
        header = prepared_header(self.prepared)
        if header is None:
            raise FileNotFoundError(f"{self.prepared} is missing: call prepare_data()")
        return GraphStore.load(self.prepared), header

    def splits(self, name: SplitName, count: int, *, seed: int) -> dict[str, Tensor]:
        """The indices of a named split, or of a seeded random split.

        Raises:
            ValueError: If the number of molecules is not the one that a named split requires.
        """
        if name == "random":
            return random_split(count, _FRACTIONS, seed=seed)
        if count != NUM_CHARACTERISED:
            raise ValueError(
                f"split={name} requires {NUM_CHARACTERISED} molecules, but the archive in "
                f"{self.folder} has {count}. Use the complete archive, or split=random"
            )
        fixed = {"dimenet": 42, "edm": 0}[name]
        order = torch.from_numpy(np.random.RandomState(fixed).permutation(count))
        sizes = _SIZES[name]
        return dict(zip(sizes, order.split(list(sizes.values())), strict=True))


def split_name(name: SplitName, seed: int) -> str:
    """Name of a split in data records."""
    return f"random, seed {seed}" if name == "random" else name
