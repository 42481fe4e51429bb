"""Fields and statistics of targets of graphs and nodes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geozoo.data._graph_inputs import range_statistics
from geozoo.data.molecules._element_columns import symbols
from geozoo.data.molecules.atom_energies import compositions_of
from geozoo.data.properties._composition_part import (
    CompositionPart,
    References,
    composition_part,
    described,
    outside_span,
)
from geozoo.data.properties._shares_of_classes import class_names, label_shares
from geozoo.data.properties._target_kinds import Kind, Targets
from geozoo.data.record import DataRecord
from geozoo.data.spec import GeometricSpec
from geozoo.data.store import GraphStore

_LOG = logging.getLogger(__name__)
#: Prefix of the fields with the values of a cheaper method.
BASELINE = "baseline_"
#: Prefix of the fields that tell which values are known.
KNOWN = "has_"


@dataclass(frozen=True)
class TargetFields:
    """Targets under their names in batches.

    Attributes:
        targets: kind and values.
        names: field of each column.
        baselines: values of a cheaper method, by field of the target; the network learns the
            difference.
        units: unit of each field.
    """

    targets: Targets
    names: Mapping[str, str]
    baselines: Mapping[str, np.ndarray]
    units: Mapping[str, str]

    @property
    def values(self) -> dict[str, Tensor]:
        """The targets by field, NaN where missing."""
        found = self.targets.values.items()
        return {self.names[column]: torch.from_numpy(array) for column, array in found}

    def add_to(self, store: GraphStore) -> GraphStore:
        """The store with all fields; missing values are 0, and ``has_<target>`` tells which."""
        is_class = self.targets.kind == "classes"  # the only target, see `check_mixture`
        fields: dict[str, Tensor] = {}
        for name, value in self.values.items():
            known = ~value.isnan()
            fields[name] = value.nan_to_num().to(torch.int64 if is_class else torch.float64)
            if not bool(known.all()):
                fields[KNOWN + name] = known.all(1) if known.ndim == 2 else known
        extra = {BASELINE + name: torch.from_numpy(array) for name, array in self.baselines.items()}
        added = {self.targets.level: {**fields, **extra}}
        return store.with_fields(**added)

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each field."""
        return {self.names[column]: kind for column, kind in self.targets.kinds.items()}

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields in the order of the outputs of a network."""
        return tuple(self.kinds)


def statistics_of(
    fields: TargetFields, store: GraphStore, train: Tensor, elements: Sequence[int],
    references: References,
) -> dict[str, Any]:  # fmt: skip
    """Shift, scale and references per element of each target, from the training split.

    The statistics ``targets`` are the fields in the order of the outputs of a network; ``classes``
    are names of classes, and ``labels`` tells that the targets are labels.

    Args:
        fields: the targets.
        store: the graphs; with elements, with their columns ``x``.
        train: indices of the training split.
        elements: atomic number of each column of ``x``; empty: nothing depends on a composition.
        references: whether to subtract a part that depends on the composition.
    """
    found = dict[str, Any](targets=list(fields.fields))
    rows, counts = _rows_and_counts(fields, store, train, elements)
    if fields.targets.kind == "classes":
        return {**found, "classes": class_names(fields, rows)}
    if fields.targets.kind == "labels":
        return {**found, "labels": label_shares(fields.values, rows)}
    values = fields.values
    for name, kind in fields.kinds.items():
        value = values[name][rows]
        if name in fields.baselines:
            value = value - torch.from_numpy(fields.baselines[name])[rows]
        if kind == "vector":
            part = _of_vectors(value[~value.isnan().any(1)], name)
        else:
            known = ~value.isnan()
            part = composition_part(
                value[known], counts[rows][known], name=name,
                # The mean of each element is the least that a network must improve on.
                is_extensive="atoms" if kind == "atoms" and references == "auto" else references,
                has_constant=kind == "scalar",
            )  # fmt: skip
        _report(part, name, elements, fields)
        found[f"{name}_shift"], found[f"{name}_scale"] = part.shift, part.scale
        if part.references is not None:
            found[f"{name}_references"] = part.references
            _warn_of_compositions(counts, rows, store, kind, name)
    return found


def _rows_and_counts(
    fields: TargetFields, store: GraphStore, train: Tensor, elements: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Rows of the training split, and the composition of all rows ``[R, C]``."""
    if fields.targets.level == "graph":
        return train, compositions_of(store) if elements else torch.zeros(len(store), 0).double()
    owner = torch.repeat_interleave(torch.arange(len(store)), store.num_nodes)
    counts = store.node["x"].double() if elements else torch.zeros(len(owner), 0).double()
    return torch.isin(owner, train).nonzero()[:, 0], counts


def _of_vectors(values: Tensor, name: str) -> CompositionPart:
    if not len(values) or not bool(values.any()):
        raise ValueError(f"targets: {name} is 0 or missing everywhere in the training split")
    scale = float(values.square().mean().sqrt())
    return CompositionPart(0.0, scale, None, float("nan"))


def _report(
    part: CompositionPart, name: str, elements: Sequence[int], fields: TargetFields
) -> None:
    unit = fields.units.get(name, "1")
    what = f"{name} minus {BASELINE}{name}" if name in fields.baselines else name
    if fields.kinds[name] == "vector":
        _LOG.info(
            "%s: root mean square component %.6g %s; the baseline is 0", what, part.scale, unit
        )
    elif not elements:
        _LOG.info(
            "%s: mean %.6g %s, which is the baseline, and standard deviation %.6g %s",
            what, part.shift, unit, part.scale, unit,
        )  # fmt: skip
    else:
        _LOG.info(described(part, what, symbols(elements), unit))


def _warn_of_compositions(
    counts: Tensor, rows: Tensor, store: GraphStore, kind: str, name: str
) -> None:
    """Warn of molecules whose composition the training split does not determine."""
    if kind == "atoms":
        return  # elements that the training split lacks are reported elsewhere
    outside = outside_span(counts[rows], counts)
    if bool(outside.any()):
        warnings.warn(
            f"{int(outside.sum())} of {len(store)} molecules have a composition for which the "
            f"training split does not determine the references of {name}: their values are "
            "extrapolated",
            stacklevel=2,
        )


def property_spec(
    fields: TargetFields,
    store: GraphStore,
    train: Tensor,
    *,
    elements: Sequence[int],
    inputs: tuple[str, ...],
    record: DataRecord,
    references: References,
) -> GeometricSpec:
    """Specification of molecules with properties; statistics come from the training split.

    Args:
        fields: the targets.
        store: the molecules with all fields.
        train: indices of the training split.
        elements: atomic number of each column of ``x``.
        inputs: ``charge`` and ``spin`` if they are inputs.
        record: the data record.
        references: see `geozoo.data.Molecules`.
    """
    names = fields.fields
    values: dict[str, Tensor] = {name: store.graph[name][train] for name in inputs}
    there = {**store.node, **store.graph}
    units = {"pos": "angstrom", "x": "1", "z": "1", "frame": "1"}
    units |= target_units(fields, there)
    units |= {"cell": "angstrom", "pbc": "1"} if "cell" in there else {}
    units |= {n: u for n, u in (("charge", "e"), ("spin", "1")) if n in inputs}
    statistics = statistics_of(fields, store, train, elements, references)
    return GeometricSpec(
        level=fields.targets.level,
        dim=3,
        in_channels=len(elements) + len(inputs),
        out_channels=fields.targets.out_channels,
        out_vectors=len(fields.targets.vectors),
        vector_fields=(
            "pos",
            *vector_fields(fields, there),
            *(["cell"] if "cell" in there else []),
        ),
        target=names[0],
        elements=with_train_elements(elements, store, train),
        units=units,
        statistics={**statistics, **range_statistics(values, inputs)},
        record=record,
        graph_inputs=inputs,
    )


def target_units(fields: TargetFields, there: Collection[str]) -> dict[str, str]:
    """Units of the targets, and of the fields of known values and of a cheaper method."""
    units = {KNOWN + name: "1" for name in fields.fields if KNOWN + name in there}
    units |= {BASELINE + n: fields.units[n] for n in fields.fields if BASELINE + n in there}
    return {**fields.units, **units}


def vector_fields(fields: TargetFields, there: Collection[str]) -> list[str]:
    """The fields of targets that rotate with the positions."""
    vectors = [name for name, kind in fields.kinds.items() if kind == "vector"]
    return [each for name in vectors for each in (name, BASELINE + name) if each in there]


def with_train_elements(
    elements: Sequence[int], store: GraphStore, train: Tensor
) -> tuple[int, ...]:
    """Atomic numbers of the columns; 0 for elements that the training split lacks."""
    seen = store.gather(train).x.any(0).tolist()
    return tuple(z if there else 0 for z, there in zip(elements, seen, strict=True))
