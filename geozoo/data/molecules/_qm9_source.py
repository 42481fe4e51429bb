"""Where QM9 comes from, for every data set made of it."""

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
    """The original files of QM9 and the prepared file made of them.

    Args:
        root: folder of all data sets; the files lie in its subfolder ``qm9``.
        bonds: ``"rdkit"``, ``"distance"`` or ``"auto"``.
        download: whether missing files may be downloaded.
        mirrors: further addresses of the archive, tried first.

    Raises:
        ValueError: for another word.
        ImportError: when rdkit is asked for and not installed.
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
        """The file that is made once from the archive."""
        return prepared_path(self.folder, self.bonds)

    def prepare(self) -> None:
        """Make the prepared file, from files that are downloaded if need be."""
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
                _LOG.warning("%s is not the published file byte for byte; it is read anyhow", path)
        prepare_store(self.folder, archive, self.folder / _EXCLUDED, self.bonds)

    def read(self) -> tuple[GraphStore, Mapping[str, str]]:
        """The prepared store, mapped, and what it says of itself.

        Raises:
            FileNotFoundError: when it is missing.
        """
        header = prepared_header(self.prepared)
        if header is None:
            raise FileNotFoundError(f"{self.prepared} is missing: call prepare_data()")
        return GraphStore.load(self.prepared), header

    def splits(self, name: SplitName, count: int, *, seed: int) -> dict[str, Tensor]:
        """The parts of a named split, or of a random one by a seed.

        Raises:
            ValueError: when a named split is cut from fewer molecules than it was made for.
        """
        if name == "random":
            return random_split(count, _FRACTIONS, seed=seed)
        if count != NUM_CHARACTERISED:
            raise ValueError(
                f"split={name} cuts {NUM_CHARACTERISED} molecules; the archive in {self.folder} "
                f"has {count}. Use the complete archive, or split=random"
            )
        fixed = {"dimenet": 42, "edm": 0}[name]
        order = torch.from_numpy(np.random.RandomState(fixed).permutation(count))
        sizes = _SIZES[name]
        return dict(zip(sizes, order.split(list(sizes.values())), strict=True))


def split_name(name: SplitName, seed: int) -> str:
    """How a protocol names a split."""
    return f"random, seed {seed}" if name == "random" else name
