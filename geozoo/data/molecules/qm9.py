"""QM9: quantum-chemical properties of small organic molecules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from torch import Tensor

from geozoo.checks import check_choice, check_seed
from geozoo.data.datamodule import GraphDataModule, LoadedData
from geozoo.data.loader import LoaderOptions
from geozoo.data.molecules._qm9_bonds import BondSource
from geozoo.data.molecules._qm9_files import ELEMENTS
from geozoo.data.molecules._qm9_inputs import Edges, Features, edges_of, node_features
from geozoo.data.molecules._qm9_source import QM9Source, SplitName, split_name
from geozoo.data.molecules._qm9_store import COLUMNS
from geozoo.data.molecules.units import energy_factor
from geozoo.data.record import DataRecord, MoleculeInputs
from geozoo.data.scalers import mean_and_std
from geozoo.data.spec import GeometricSpec
from geozoo.data.splits import split_hash
from geozoo.data.store import GraphStore

#: Unit of every target in a batch and in every table.
QM9_TARGETS: Mapping[str, str] = {
    **dict.fromkeys(("a", "b", "c"), "GHz"),
    "mu": "D", "alpha": "bohr^3", "r2": "bohr^2", "cv": "cal/(mol K)",
    **dict.fromkeys(("homo", "lumo", "gap", "zpve", "u0", "u", "h", "g"), "meV"),
    **dict.fromkeys(("u0_atom", "u_atom", "h_atom", "g_atom"), "meV"),
}  # fmt: skip


class QM9(GraphDataModule):
    """130831 molecules of up to nine C, N, O and F atoms with hydrogens, at B3LYP/6-31G(2df,p).

    Ramakrishnan et al. 2014 (Scientific Data 1, 140022), without the 3054 molecules that failed
    the authors' geometry consistency check. The prepared file stores energies in eV; batches
    contain meV.

    ============ ========== ======= ========================================================
    field        shape      dtype   meaning
    ============ ========== ======= ========================================================
    ``pos``      ``[N, 3]`` float32 position in angstrom, relative to the mean position
    ``x``        ``[N, F]`` float32 see ``features``
    ``z``        ``[N]``    int64   atomic number
    ``<target>`` ``[G]``    float64 the property, in its unit from ``QM9_TARGETS``
    ``number``   ``[G]``    int64   index of the molecule in QM9, from 1
    ============ ========== ======= ========================================================

    Args:
        loader: batch sizes, shuffling and device placement.
        target: one of ``QM9_TARGETS``; ``u0_atom``, ``u_atom``, ``h_atom`` and ``g_atom`` are
            atomisation energies: the energy minus those of the isolated atoms.
        split: ``"dimenet"``: the first 110000, next 10000 and last 10831 of
            ``numpy.random.RandomState(42).permutation(130831)``. ``"edm"``: the first 100000, next
            17748 and last 13083 of ``RandomState(0).permutation(130831)``. ``"random"``: 80, 10 and
            10 per cent by ``split_seed``, for any number of molecules. Results on different splits
            are not comparable.
        split_seed: seed of ``split="random"``.
        features: ``"pyg"``: the 11 columns of PyTorch Geometric's dataset: one-hot of H C N O F,
            atomic number, aromatic, sp, sp2, sp3 (always zero there, since it does not compute
            them) and the number of bonded hydrogens. ``"chemistry"``: the same, with these four
            columns computed by RDKit. ``"elements"``: the one-hot only.
        edges: ``"complete"``: complete graphs, without ``edge_index`` in the batch; ``"bonds"``:
            ``edge_index`` holds both directions of each covalent bond.
        bonds: method of bond perception: ``"rdkit"``, ``"distance"`` (by
            `geozoo.data.molecules.bond_orders`), or ``"auto"``: RDKit if it is installed.
        root: folder of all datasets, see :func:`geozoo.data.data_folder`; the files are in its
            subfolder ``qm9``.
        download: whether missing files may be downloaded (87 MB).
        mirrors: further URLs of the archive, tried before the published ones.

    Raises:
        ValueError: If the target, split or another option is unknown, or the seed is negative.
        ImportError: If RDKit is requested but not installed.
    """

    def __init__(
        self,
        *,
        loader: LoaderOptions,
        target: str = "alpha",
        split: SplitName = "dimenet",
        split_seed: int = 0,
        features: Features = "pyg",
        edges: Edges = "complete",
        bonds: BondSource = "auto",
        root: str | Path | None = None,
        download: bool = True,
        mirrors: Sequence[str] = (),
    ) -> None:
        super().__init__(loader)
        check_choice("target", target, tuple(QM9_TARGETS))
        check_choice("split", split, get_args(SplitName))
        check_choice("features", features, get_args(Features))
        check_choice("edges", edges, get_args(Edges))
        self.source = QM9Source(root, bonds=bonds, download=download, mirrors=mirrors)
        if features == "chemistry" and self.source.bonds != "rdkit":
            raise ValueError("features=chemistry requires bonds=rdkit, with RDKit installed")
        self.target, self.split = target, split
        self.split_seed = check_seed(split_seed, "split_seed")
        self.features, self.edges = features, edges

    def prepare_data(self) -> None:
        """Create the prepared file, downloading the original files if necessary."""
        self.source.prepare()

    def load(self) -> LoadedData:
        """Memory-map the prepared file and select the fields; statistics use the training split."""
        whole, header = self.source.read()
        values = whole.graph["properties"][:, COLUMNS.index(self.target)].contiguous()
        unit = QM9_TARGETS[self.target]
        if unit == "meV":
            values = values * energy_factor("eV")
        node = {
            "pos": whole.node["pos"],
            "x": node_features(whole, self.features),
            "z": whole.node["z"].long(),
        }
        graph = {self.target: values, "number": whole.graph["number"]}
        store = GraphStore(whole.num_nodes, node, graph, **edges_of(whole, self.edges))
        splits = self.limited(self.source.splits(self.split, len(store), seed=self.split_seed))
        shift, scale = mean_and_std(values[splits["train"]])
        spec = GeometricSpec(
            level="graph",
            dim=3,
            in_channels=store.node["x"].shape[1],
            out_channels=1,
            vector_fields=("pos",),
            target=self.target,
            elements=tuple(ELEMENTS.values()) if self.features == "elements" else (),
            units={"pos": "angstrom", "x": "1", "z": "1", self.target: unit, "number": "1"},
            statistics={f"{self.target}_shift": shift, f"{self.target}_scale": scale},
            record=self._record(splits, header, graph["number"]),
        )
        return LoadedData(store, splits, spec)

    def _record(
        self, splits: Mapping[str, Tensor], header: Mapping[str, str], numbers: Tensor
    ) -> DataRecord:
        """The record; splits are hashed by QM9 indices, which are the same in every copy."""
        parts = {part: numbers[index] for part, index in splits.items()}
        return DataRecord(
            dataset="qm9",
            target=self.target,
            split=split_name(self.split, self.split_seed),
            split_hash=split_hash(parts),
            data_hash=header["data_hash"],
            inputs=MoleculeInputs(features=self.features, edges=self.edges, bonds=header["bonds"]),
            sizes={part: len(index) for part, index in splits.items()},
        )
