"""Structures of crystals that were labelled by a potential, in files of known content."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from geozoo.checks import check_choice, check_seed
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.loader import LoaderOptions
from geozoo.data.molecules._element_columns import (
    elements_of,
    fitted_energies,
    symbols,
    with_columns,
)
from geozoo.data.molecules._energies_forces import energy_force_spec
from geozoo.data.molecules._frame_store import frames_of
from geozoo.data.molecules._frames import FrameOptions, Frames
from geozoo.data.molecules._structure_paths import StructurePaths, rows_of_files
from geozoo.data.molecules.copper_simulator import COPPER_VERSION, simulate_copper
from geozoo.data.molecules.crystal_frames import text_hash
from geozoo.data.record import DataRecord, StructureFiles
from geozoo.data.splits import split_hash
from geozoo.files.checksums import file_sha256
from geozoo.files.download import dataset_entry
from geozoo.files.folders import check_writable, data_folder

#: Datasets whose files are part of the package.
SHIPPED = ("salt_sevennet", "silicon_sevennet")
_PARTS = ("train", "val", "test")


class LabelledFrames(GraphDataModule):
    """Strained, displaced and defective crystals with energies, forces and stresses of a potential.

    The structures are part of the package, one compressed file per split. Structures of the same
    trajectory or strained cell belong to the same split. The fields are those of
    `geozoo.data.ExtXYZ`: ``pos``, ``x``, ``z``, ``energy``, ``forces``, ``frame``, ``cell``,
    ``pbc``, ``stress``, and ``has_stress``. Atomic reference energies are fitted to the training
    split, so that energies are size-extensive.

    Args:
        loader: batch sizes, shuffling and device placement.
        name: name of the dataset, one of `SHIPPED`.
        species: chemical symbols of the one-hot columns of ``x``, ``X`` for an empty column;
            ``None`` for the elements that occur. Fine-tuning and testing of a trained model use
            its columns automatically.

    Raises:
        ValueError: If the name is unknown; on loading, if a file is not the published one.
    """

    name: str  # Lightning's attribute of this name is optional

    def __init__(
        self, *, loader: LoaderOptions, name: str, species: Sequence[str] | None = None
    ) -> None:
        super().__init__(loader)
        check_choice("name", name, SHIPPED)
        self.name = name
        self.species = None if species is None else list(species)

    @property
    def files(self) -> dict[str, Path]:
        """The file of each split."""
        return {part: dataset_entry(self.name) / f"{part}.extxyz.xz" for part in _PARTS}

    def load(self) -> LoadedData:
        """Verify and read the files; statistics come from the training split."""
        self._verify()
        paths = StructurePaths(self.files)
        frames = frames_of(paths, FrameOptions())
        elements = elements_of(frames.store, self.species)
        store = with_columns(frames.store, elements)
        splits = self.limited(rows_of_files(frames.sizes))
        record = DataRecord(
            dataset=self.name,
            source=self._source(),
            split="by trajectory",
            split_hash=split_hash(splits),
            structures=self._structures(frames, symbols(elements)),
            sizes={part: len(index) for part, index in splits.items()},
        )
        spec = energy_force_spec(
            store, splits["train"], elements=elements, record=record,
            atoms=fitted_energies(store, splits["train"], elements),
        )  # fmt: skip
        return LoadedData(store, splits, spec)

    def _verify(self) -> None:
        for known in _listed(self.name, "shipped"):
            path = dataset_entry(self.name) / known["name"]
            if not path.is_file():
                raise FileNotFoundError(
                    f"{path.name} is missing in {path.parent}: it is part of geozoo; install it "
                    "again"
                )
            digest = file_sha256(path)
            if digest != known["sha256"]:
                raise ValueError(
                    f"{path} is not the published file: its sha256 is {digest}, expected "
                    f"{known['sha256']}. It is part of geozoo; install it again"
                )

    def _source(self) -> str:
        return str(_file_list(self.name)["labels"])

    def _structures(self, frames: Frames, species: list[str]) -> StructureFiles:
        return StructureFiles(
            files={part: path.name for part, path in self.files.items()},
            file_hashes={part: text_hash(path)[:12] for part, path in self.files.items()},
            species=species,
            energy_unit_of_file="eV",
            energy_reference="fitted",
            label_keys=dict(frames.keys),
            periodic_structures=frames.count("cell"),
            structures_with_stress=frames.count("stress"),
        )


class CopperEMT(LabelledFrames):
    """Copper with the effective-medium potential of ASE, simulated on first use.

    See `geozoo.data.molecules.copper_simulator.copper_paths` for the structures, and
    `LabelledFrames` for the fields; slabs have no stress.

    Args:
        loader: batch sizes, shuffling and device placement.
        seed: seed of structures, velocities and splits; the recorded dataset has seed 0.
        species: see `LabelledFrames`.
        root: folder of all datasets, see `geozoo.data.data_folder`; the files are in its subfolder
            ``copper_emt``.

    Raises:
        ValueError: If the seed is negative; on loading, if a file is corrupt.
    """

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        seed: int = 0,
        species: Sequence[str] | None = None,
        root: str | Path | None = None,
    ) -> None:
        GraphDataModule.__init__(self, loader)
        self.name = "copper_emt"
        self.seed = check_seed(seed)
        self.species = None if species is None else list(species)
        self.folder = data_folder(self.name, root)

    @property
    def files(self) -> dict[str, Path]:
        """The file of each split."""
        name = f"simulated_v{COPPER_VERSION}_seed{self.seed}"
        return {part: self.folder / f"{name}_{part}.extxyz.xz" for part in _PARTS}

    def prepare_data(self) -> None:
        """Simulate the structures, unless all files exist."""
        if not all(path.is_file() for path in self.files.values()):
            check_writable(self.folder)
            simulate_copper(self.files, seed=self.seed)

    def _verify(self) -> None:
        """Read all files, and compare those of the recorded seed with their known hashes."""
        hashes = {part: _checked_hash(path) for part, path in self.files.items()}
        known = {each["split"]: each["sha256"] for each in _listed(self.name, "simulated")
                 if each["seed"] == self.seed and each["version"] == COPPER_VERSION}  # fmt: skip
        other = [part for part, digest in known.items() if hashes[part] != digest]
        if other:
            import ase

            warnings.warn(
                f"the simulated structures in {self.folder} ({', '.join(other)}) differ from the "
                f"recorded ones (sha256 in datasets/{self.name}/files.yaml): this version of ASE "
                f"({ase.__version__}) or this machine computes other trajectories, or the files "
                "were changed. Results are not comparable with recorded ones to the last digit",
                stacklevel=3,
            )

    def _source(self) -> str:
        return f"simulated, seed {self.seed}, simulator v{COPPER_VERSION}"


def _checked_hash(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.name} is missing in {path.parent}: call prepare_data() to simulate it"
        )
    try:
        return text_hash(path)
    except Exception as error:  # lzma.LZMAError, EOFError
        raise ValueError(f"{path} is corrupt: {error}; delete it to simulate it again") from error


def _file_list(dataset: str) -> Mapping[str, Any]:
    values: Mapping[str, Any] = yaml.safe_load((dataset_entry(dataset) / "files.yaml").read_text())
    return values


def _listed(dataset: str, kind: str) -> list[Mapping[str, Any]]:
    return list(_file_list(dataset)[kind])
