"""QM9 for molecule generation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import torch

from geozoo.checks import check_choice, check_seed
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.loader import LoaderOptions
from geozoo.data.molecules._qm9_bonds import BondSource
from geozoo.data.molecules._qm9_files import ELEMENTS
from geozoo.data.molecules._qm9_inputs import node_features
from geozoo.data.molecules._qm9_source import QM9Source, SplitName, split_name
from geozoo.data.record import DataRecord, MoleculeInputs
from geozoo.data.spec import GeometricSpec
from geozoo.data.splits import split_hash
from geozoo.data.store import GraphStore

Number = Literal["formal_charge", "atomic_number", "none"]


class QM9Generation(GraphDataModule):
    """The molecules of `QM9` without properties: elements and positions.

    ============ ========== ======= ========================================================
    field        shape      dtype   meaning
    ============ ========== ======= ========================================================
    ``pos``      ``[N, 3]`` float32 position in angstrom, relative to the mean position
    ``x``        ``[N, F]`` float32 one-hot of H C N O F, followed by ``number``
    ``z``        ``[N]``    int64   atomic number
    ``qm9``      ``[G]``    int64   index of the molecule in QM9, from 1
    ============ ========== ======= ========================================================

    A denoising model takes ``F + 1`` features, the last one the noise level, and outputs ``F``
    scalars and one vector per atom.

    Args:
        loader: batch sizes, shuffling and device placement.
        split: as in `QM9`.
        split_seed: seed of ``split="random"``.
        number: what is generated besides the element: ``"formal_charge"`` (requires RDKit),
            ``"atomic_number"`` or ``"none"``.
        bonds: as in `QM9`; formal charges require bonds by RDKit.
        root: as in `QM9`.
        download: as in `QM9`.
        mirrors: as in `QM9`.

    Raises:
        ValueError: If an option is unknown, the seed is negative, or formal charges are requested
            without RDKit.
        ImportError: If RDKit is requested but not installed.
    """

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        split: SplitName = "dimenet",
        split_seed: int = 0,
        number: Number = "formal_charge",
        bonds: BondSource = "auto",
        root: str | Path | None = None,
        download: bool = True,
        mirrors: Sequence[str] = (),
    ) -> None:
        super().__init__(loader)
        check_choice("split", split, get_args(SplitName))
        check_choice("number", number, get_args(Number))
        self.source = QM9Source(root, bonds=bonds, download=download, mirrors=mirrors)
        if number == "formal_charge" and self.source.bonds != "rdkit":
            raise ValueError("number=formal_charge requires bonds=rdkit, with RDKit installed")
        self.split, self.number = split, number
        self.split_seed = check_seed(split_seed, "split_seed")

    def prepare_data(self) -> None:
        """Create the prepared file of QM9, downloading the original files if necessary."""
        self.source.prepare()

    def load(self) -> LoadedData:
        """Memory-map the prepared file; the histogram of sizes is that of the training split."""
        whole, header = self.source.read()
        x, z = node_features(whole, "elements"), whole.node["z"].long()
        further = {"formal_charge": whole.node["formal_charge"], "atomic_number": z}
        if self.number != "none":
            x = torch.cat([x, further[self.number].float()[:, None]], 1)
        ids = whole.graph["number"]
        store = GraphStore(
            whole.num_nodes, {"pos": whole.node["pos"], "x": x, "z": z}, {"qm9": ids}
        )
        splits = self.limited(self.source.splits(self.split, len(store), seed=self.split_seed))
        sizes = torch.bincount(whole.num_nodes[splits["train"]])
        record = DataRecord(
            dataset="qm9_generation",
            split=split_name(self.split, self.split_seed),
            split_hash=split_hash({part: ids[index] for part, index in splits.items()}),
            data_hash=header["data_hash"],
            inputs=MoleculeInputs(bonds=header["bonds"]),
            sizes={part: len(index) for part, index in splits.items()},
            other={"number": self.number},
        )
        spec = GeometricSpec(
            level="node",
            dim=3,
            in_channels=x.shape[1] + 1,
            out_channels=x.shape[1],
            out_vectors=1,
            vector_fields=("pos",),
            units={"pos": "angstrom", "x": "1", "z": "1", "qm9": "1"},
            statistics={"sizes": sizes.tolist(), "elements": list(ELEMENTS.values())},
            record=record,
        )
        return LoadedData(store, splits, spec)
