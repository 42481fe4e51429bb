"""Revised MD17: energies and forces of small molecules."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geozoo.checks import check_choice
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.loader import LoaderOptions
from geozoo.data.molecules._energies_forces import energy_force_spec
from geozoo.data.molecules._rmd17_files import (
    archive_file,
    every_100th,
    molecule_path,
    prepare,
    read_molecule,
    read_split_files,
)
from geozoo.data.molecules.units import KCAL_MOL_TO_MEV
from geozoo.data.record import DataRecord
from geozoo.data.splits import check_split, split_hash
from geozoo.data.store import GraphStore
from geozoo.files.folders import data_folder

#: Molecules of the archive, by the names of its files.
MOLECULES = (
    "aspirin",
    "azobenzene",
    "benzene",
    "ethanol",
    "malonaldehyde",
    "naphthalene",
    "paracetamol",
    "salicylic",
    "toluene",
    "uracil",
)
SPLITS = (*(f"official-0{number}" for number in range(1, 6)), "every-100")
_ALIASES = {"salicylic_acid": "salicylic", "salicylic acid": "salicylic"}
#: One entry per atomic number 0..8, so that index = Z up to oxygen.
_NUM_ELEMENTS = 9
_NUM_VALIDATION = 50
_MAX_TRAIN = 1000


class RMD17(GraphDataModule):
    """Trajectories of ten molecules with energies and forces at PBE/def2-SVP.

    Christensen and von Lilienfeld 2020 (arXiv 2007.09593), figshare article 12672038. Energies
    and forces are converted from kcal/mol by the exact factor (43.3641... meV). Graphs are
    complete, so a batch has no ``edge_index``.

    ========== ========== ======= ==========================================================
    field      shape      dtype   meaning
    ========== ========== ======= ==========================================================
    ``pos``    ``[N, 3]`` float32 position in angstrom, relative to the mean of the frame
    ``x``      ``[N, 9]`` float32 one-hot of the atomic number (index = Z)
    ``z``      ``[N]``    int64   atomic number
    ``energy`` ``[G]``    float64 total energy in meV
    ``forces`` ``[N, 3]`` float32 forces in meV/angstrom
    ``frame``  ``[G]``    int64   index of the frame in the archive's file
    ========== ========== ======= ==========================================================

    Positions are centred before conversion to float32, because some molecules drift up to 200
    angstrom from the origin.

    Args:
        loader: batch sizes, shuffling and device placement.
        molecule: one of :data:`MOLECULES`.
        split: ``"official-01"`` to ``"official-05"``: the index lists of the archive. The 1000
            training rows of split ``k`` are permuted by
            ``numpy.random.default_rng(k).permutation(1000)``, and the last 50 are held out for
            validation; the test set has 1000 rows. ``"every-100"``: every 100th frame of the
            file, of which every 20th is for validation; all other frames are the test set. The
            two kinds are not comparable.
        num_train: number of training rows, taken from the start of the permuted training split,
            for data-efficiency curves; None: all. The other splits are unchanged.
        root: folder of all datasets, see :func:`geozoo.data.data_folder`; the files are in its
            subfolder ``rmd17``, unpacked (``npz_data``, ``splits``) or as ``rmd17.tar.bz2``.
        download: whether a missing archive may be downloaded (1.07 GB).
        mirrors: further URLs of the archive, tried before the published ones.

    Raises:
        ValueError: If the molecule or split is unknown, or ``num_train`` is below 1; on loading,
            if ``num_train`` exceeds the training split.
    """

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        molecule: str = "aspirin",
        split: str = "official-01",
        num_train: int | None = None,
        root: str | Path | None = None,
        download: bool = True,
        mirrors: Sequence[str] = (),
    ) -> None:
        super().__init__(loader)
        name = _ALIASES.get(molecule, molecule)
        check_choice("molecule", name, MOLECULES)
        check_choice("split", split, SPLITS)
        if num_train is not None and num_train < 1:
            raise ValueError(f"num_train must be at least 1, got {num_train}")
        self.molecule, self.split, self.download = name, split, download
        self.num_train = num_train
        self.folder = data_folder("rmd17", root)
        self.archive = archive_file(tuple(mirrors))

    def prepare_data(self) -> None:
        """Download and unpack the archive, unless the molecule's file exists."""
        prepare(self.folder, self.molecule, self.archive, download=self.download)

    def load(self) -> LoadedData:
        """Read the frames of the split; statistics come from the training split."""
        path = molecule_path(self.folder, self.molecule)
        arrays = read_molecule(path)
        num_frames = len(arrays["energies"])
        rows = self._rows(num_frames, path)
        if self.num_train is not None:
            rows["train"] = self._first(rows["train"], self.num_train)
        rows = self.limited(rows)
        check_split(rows, num_frames)
        if len(rows["train"]) > _MAX_TRAIN:
            warnings.warn(
                f"training on {len(rows['train'])} frames of {self.molecule}; the authors of rMD17 "
                f"advise against more than {_MAX_TRAIN}, since frames are correlated",
                stacklevel=2,
            )
        store, splits = _make_store(arrays, rows, path)
        record = DataRecord(
            dataset="rmd17",
            molecule=self.molecule,
            split=self.split,
            split_hash=split_hash(_frame_numbers(rows, arrays)),
            sizes={part: len(index) for part, index in rows.items()},
        )
        spec = energy_force_spec(
            store, splits["train"], elements=tuple(range(_NUM_ELEMENTS)), record=record
        )
        return LoadedData(store, splits, spec)

    def _first(self, train: Tensor, num_train: int) -> Tensor:
        if num_train > len(train):
            raise ValueError(
                f"num_train must be at most {len(train)}, the number of training rows of "
                f"{self.split}; got {num_train}"
            )
        return train[:num_train]

    def _rows(self, num_frames: int, path: Path) -> dict[str, Tensor]:
        if self.split == "every-100":
            return every_100th(num_frames, path)
        number = int(self.split[-2:])
        train, test = read_split_files(self.folder, number, self.archive)
        if len(train) <= _NUM_VALIDATION:
            raise ValueError(
                f"the index list of {self.split} in {self.folder / 'splits'} must have more than "
                f"{_NUM_VALIDATION} training rows, since {_NUM_VALIDATION} are held out for "
                f"validation; got {len(train)}"
            )
        order = torch.from_numpy(np.random.default_rng(number).permutation(len(train)))
        train = train[order]
        return {"train": train[:-_NUM_VALIDATION], "val": train[-_NUM_VALIDATION:], "test": test}


def _frame_numbers(
    rows: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray]
) -> dict[str, Tensor]:
    """Frame indices of the original MD17 trajectory, which are the same in every copy."""
    if "old_indices" not in arrays:
        return dict(rows)
    numbers = torch.from_numpy(arrays["old_indices"].astype(np.int64))
    return {part: numbers[index] for part, index in rows.items()}


def _make_store(
    arrays: Mapping[str, np.ndarray], rows: Mapping[str, Tensor], path: Path
) -> tuple[GraphStore, dict[str, Tensor]]:
    """A store of the frames in the splits, and the indices of the splits in the store."""
    charges = torch.from_numpy(arrays["nuclear_charges"].astype(np.int64))
    if int(charges.min()) < 1 or int(charges.max()) >= _NUM_ELEMENTS:
        raise ValueError(f"{path}: nuclear_charges must be in 1..8, got {charges.tolist()}")
    frame = torch.cat(list(rows.values()))
    chosen = {key: arrays[key][frame.numpy()] for key in ("coords", "energies", "forces")}
    for key, values in chosen.items():
        if not np.isfinite(values).all():
            raise ValueError(
                f"{path}: {key} contains NaN or infinite values in a frame of the split"
            )
    pos = chosen["coords"] - chosen["coords"].mean(1, keepdims=True)
    z = charges.repeat(len(frame))
    node = {
        "pos": torch.from_numpy(pos.astype(np.float32)).reshape(-1, 3),
        "x": torch.nn.functional.one_hot(z, _NUM_ELEMENTS).to(torch.float32),
        "z": z,
        "forces": torch.from_numpy((chosen["forces"] * KCAL_MOL_TO_MEV).astype(np.float32)),
    }
    node["forces"] = node["forces"].reshape(-1, 3)
    graph = {"energy": torch.from_numpy(chosen["energies"] * KCAL_MOL_TO_MEV), "frame": frame}
    store = GraphStore(torch.full((len(frame),), len(charges)), node=node, graph=graph)
    ends = np.cumsum([len(index) for index in rows.values()]).tolist()
    splits = {
        part: torch.arange(end - len(index), end)
        for (part, index), end in zip(rows.items(), ends, strict=True)
    }
    return store, splits
