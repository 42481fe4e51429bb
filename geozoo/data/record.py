"""Data records: the provenance that must agree for results to be comparable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, Self

#: Node features of molecules, see `geozoo.data.QM9`.
Features = Literal["pyg", "chemistry", "elements"]
#: Edges of molecules, see `geozoo.data.QM9`.
Edges = Literal["complete", "bonds"]
#: Key prefix of the number of samples of a split in a stored record.
_SIZE = "num_"


class _Part:
    """A group of entries that only some datasets have."""

    @classmethod
    def pop_from(cls, values: dict[str, Any]) -> Self | None:
        """Remove the entries of this group from a stored record; None if it has none of them."""
        names = [each.name for each in fields(cls)]  # type: ignore[arg-type]
        found = {name: values.pop(name) for name in names if name in values}
        return cls(**found) if found else None


@dataclass(frozen=True, kw_only=True)
class MoleculeInputs(_Part):
    """How the inputs of molecules were computed.

    Attributes:
        features: the columns of ``x``, see `geozoo.data.QM9`; None if there is no choice.
        edges: ``"complete"`` or ``"bonds"``; None if there is no choice.
        bonds: method of bond perception with its version, such as ``"rdkit 2025.9.1"``.
    """

    features: Features | None = None
    edges: Edges | None = None
    bonds: str | None = None


@dataclass(frozen=True, kw_only=True)
class StructureFiles(_Part):
    """The structure files that were read.

    Attributes:
        files: file name of each split; several test files are ``test[0]``, ``test[1]``, ...
        file_hashes: hash of each file, in the same way.
        species: element symbols, one per column of ``x``.
        energy_unit_of_file: unit of the energies in the files.
        length_unit_of_file: unit of the positions in the files.
        energy_reference: origin of the atomic reference energies, see `geozoo.data.AtomEnergies`.
        total_charge: total charges that occur, in elementary charges, if every structure has one.
        spin: spins that occur, if every structure has one.
        label_keys: key of each target in the files; None in records of earlier versions.
        periodic_structures: number of structures with a cell; None without any.
        structures_without_forces: their number; None if all have forces.
        structures_with_stress: their number; None without any.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    file_hashes: Mapping[str, str] = field(default_factory=dict)
    species: list[str] = field(default_factory=list)
    energy_unit_of_file: str = ""
    length_unit_of_file: str = "angstrom"
    energy_reference: str = ""
    total_charge: list[float] | None = None
    spin: list[float] | None = None
    label_keys: Mapping[str, str] | None = None
    periodic_structures: int | None = None
    structures_without_forces: int | None = None
    structures_with_stress: int | None = None


@dataclass(frozen=True, kw_only=True)
class PropertyFiles(_Part):
    """How properties of molecules were read from files; among the entries `DataRecord.other`.

    Attributes:
        target_kind: kind of the targets, see `geozoo.data.Molecules`; of the first, if there are
            numbers and vectors.
        vector_targets: the targets that are vectors, if others are numbers; otherwise None.
        baselines: column with the value of a cheaper method, by target; None without.
        smiles: name of the column of SMILES, if it was given.
        conformers: how positions were generated from SMILES; None if the files have them.
        conformer_seed: their seed.
        failed: number of molecules that were left out; None without.
    """

    target_kind: Literal["scalar", "vector", "atoms", "classes", "labels"] = "scalar"
    vector_targets: list[str] | None = None
    baselines: Mapping[str, str] | None = None
    smiles: str | None = None
    conformers: str | None = None
    conformer_seed: int | None = None
    failed: int | None = None

    def kind_of(self, target: str) -> Literal["scalar", "vector", "atoms", "classes", "labels"]:
        """The kind of a target, by its field."""
        return "vector" if target in (self.vector_targets or ()) else self.target_kind

    def entries(self) -> dict[str, Any]:
        """The values that are known, for `DataRecord.other`."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class SeriesRecord(_Part):
    """The sensor series and the forecast protocol.

    Attributes:
        rules: the protocol, from `geozoo.data.ForecastProtocol.to_dict`.
        graphs: kinds of the ``spatial`` and the ``semantic`` graph.
        steps: length of the series.
        first: time of the first step, ISO 8601.
        sensors: sensor names, in column order.
        notes: what was changed on reading.
        reading: how a table was read, see `geozoo.data.TableForm`; empty for other files.
    """

    rules: Mapping[str, Any] = field(default_factory=dict)
    graphs: Mapping[str, str] = field(default_factory=dict)
    steps: int | None = None
    first: str | None = None
    sensors: list[str] | None = None
    notes: list[str] = field(default_factory=list)
    reading: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """Which data were used, how they were split, and how they were read.

    Two results are comparable if their records agree. A record is plain data, stored with every run
    and model as a flat mapping (`to_dict`) whose layout is stable across versions.

    Attributes:
        dataset: name of the dataset; empty if unknown.
        variant: the chosen problem, for datasets with several variants.
        molecule: the chosen problem, for datasets with one per molecule.
        target: the chosen problem, for datasets with one per target.
        source: origin of the data, such as ``"official"`` or a file name.
        split: how the split was made.
        split_hash: hash of the samples in each split.
        data_hash: hash of the values.
        source_hash: hash of the source file.
        sizes: number of samples in each split.
        inputs: how inputs of molecules were computed; None for other data.
        structures: the structure files; None for other data.
        series: sensor series and forecast protocol; None for other data.
        other: further entries, of external datasets or of other versions.

    >>> DataRecord(dataset="rmd17", molecule="ethanol", sizes={"train": 950}).to_dict()
    {'dataset': 'rmd17', 'molecule': 'ethanol', 'num_train': 950}
    """

    dataset: str = ""
    variant: str | None = None
    molecule: str | None = None
    target: str | None = None
    source: str | None = None
    split: str = ""
    split_hash: str | None = None
    data_hash: str | None = None
    source_hash: str | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)
    inputs: MoleculeInputs | None = None
    structures: StructureFiles | None = None
    series: SeriesRecord | None = None
    other: Mapping[str, Any] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """The chosen variant, molecule or target; empty if there is only one."""
        return str(self.variant or self.molecule or self.target or "")

    @property
    def split_label(self) -> str:
        """Source, name and hash of the split in one line, for tables of results."""
        parts = [str(text) for text in (self.source, self.split) if text]
        return ", ".join(parts) + (f" ({self.split_hash[:12]})" if self.split_hash else "")

    @property
    def files(self) -> StructureFiles:
        """`structures`, with the defaults of its fields for other data."""
        return self.structures or StructureFiles()

    @property
    def properties(self) -> PropertyFiles | None:
        """How properties of molecules were read; None for other data."""
        return PropertyFiles.pop_from(dict(self.other))

    @property
    def reading(self) -> Mapping[str, Any]:
        """`SeriesRecord.reading`; empty for other data."""
        return self.series.reading if self.series else {}

    @property
    def sensors(self) -> list[str] | None:
        """`SeriesRecord.sensors`; None for other data."""
        return self.series.sensors if self.series else None

    @property
    def rules(self) -> Mapping[str, Any]:
        """`SeriesRecord.rules`.

        Raises:
            ValueError: If the data are not a sensor series.
        """
        if self.series is None or not self.series.rules:
            raise ValueError(
                "the record of the dataset has no forecast protocol (DataRecord.series.rules); "
                "create one with geozoo.data.forecast_protocol"
            )
        return self.series.rules

    def with_reading(self, reading: Mapping[str, Any]) -> Self:
        """A copy of the record with another `SeriesRecord.reading`."""
        return replace(self, series=replace(self.series or SeriesRecord(), reading=reading))

    def changed_since(self, before: DataRecord) -> str:
        """Describe the first hash that differs from an earlier record; empty if none does.

        Hashes that one of the records lacks, such as records of earlier versions, are ignored.

        >>> now = DataRecord(structures=StructureFiles(file_hashes={"train": "1b"}))
        >>> now.changed_since(DataRecord(structures=StructureFiles(file_hashes={"train": "0a"})))
        'the train file has the hash 1b, previously 0a'
        """
        here = self.files.file_hashes
        found = [
            f"the {part} file {self.files.files.get(part, '')}".rstrip()
            + f" has the hash {here[part]}, previously {digest}"
            for part, digest in before.files.file_hashes.items()
            if here.get(part, digest) != digest
        ]
        if found:
            return "; ".join(found)
        for what, new, old in (
            (f"the file {self.source or ''} has", self.source_hash, before.source_hash),
            ("the values of the data have", self.data_hash, before.data_hash),
            ("the splits have", self.split_hash, before.split_hash),
        ):
            if None not in (new, old) and new != old:
                return f"{what} the hash {new}, previously {old}"
        return ""

    def to_dict(self) -> dict[str, Any]:
        """The flat mapping of plain values that is stored, without empty entries."""
        values = asdict(self)
        sizes = {f"{_SIZE}{part}": size for part, size in values.pop("sizes").items()}
        groups = [values.pop(name) or {} for name in _GROUPS]
        other = values.pop("other")
        flat = values | {key: value for group in groups for key, value in group.items()}
        return (
            {key: value for key, value in flat.items() if value not in (None, "")} | other | sizes
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`, for records of every version."""
        rest = dict(values)
        sizes = {
            key.removeprefix(_SIZE): rest.pop(key)
            for key in list(rest)
            if key.startswith(_SIZE) and isinstance(rest[key], int)
        }
        groups = {name: group.pop_from(rest) for name, group in _GROUPS.items()}
        plain = {each.name for each in fields(cls)} - {*_GROUPS, "sizes", "other"}
        known = {name: rest.pop(name) for name in plain if name in rest}
        return cls(**known, **groups, sizes=sizes, other=rest)  # type: ignore[arg-type]


_GROUPS: dict[str, type[_Part]] = {
    "inputs": MoleculeInputs, "structures": StructureFiles, "series": SeriesRecord,
}  # fmt: skip
