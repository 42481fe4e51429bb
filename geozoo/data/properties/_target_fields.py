"""Fields and statistics of targets of molecules."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
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
from geozoo.data.properties._target_kinds import Targets
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
        is_class = self.targets.kind == "classes"
        fields: dict[str, Tensor] = {}
        for name, value in self.values.items():
            known = ~value.isnan()
            fields[name] = value.nan_to_num().to(torch.int64 if is_class else torch.float64)
            if not bool(known.all()):
                fields[KNOWN + name] = known.all(1) if known.ndim == 2 else known
        level = "node" if self.targets.kind == "atoms" else "graph"
        extra = {BASELINE + name: torch.from_numpy(array) for name, array in self.baselines.items()}
        added = {level: {**fields, **extra}}
        return store.with_fields(**added)


def statistics_of(
    fields: TargetFields, store: GraphStore, train: Tensor, elements: Sequence[int],
    references: References,
) -> dict[str, Any]:  # fmt: skip
    """Shift, scale and references per element of each target, from the training split.

    Args:
        fields: the targets.
        store: the molecules, with element columns ``x``.
        train: indices of the training split.
        elements: atomic number of each column of ``x``.
        references: whether to subtract a part that depends on the composition.
    """
    kind, found = fields.targets.kind, dict[str, Any]()
    if kind == "classes":
        return {"classes": list(fields.targets.classes)}
    if kind == "atoms" and references == "auto":
        references = "atoms"  # the mean of each element is the least that a network must improve on
    owner = torch.repeat_interleave(torch.arange(len(store)), store.num_nodes)
    rows = torch.isin(owner, train).nonzero()[:, 0] if kind == "atoms" else train
    counts = store.node["x"].double() if kind == "atoms" else compositions_of(store)
    for name, whole in fields.values.items():
        value = whole[rows]
        if name in fields.baselines:
            value = value - torch.from_numpy(fields.baselines[name])[rows]
        if kind == "vector":
            part = _of_vectors(value[~value.isnan().any(1)], name)
        else:
            known = ~value.isnan()
            part = composition_part(
                value[known], counts[rows][known], name=name, is_extensive=references,
                has_constant=kind == "scalar",
            )  # fmt: skip
        _report(part, name, elements, fields)
        found[f"{name}_shift"], found[f"{name}_scale"] = part.shift, part.scale
        if part.references is not None:
            found[f"{name}_references"] = part.references
            _warn_of_compositions(counts, rows, store, kind, name)
    return found


def _of_vectors(values: Tensor, name: str) -> CompositionPart:
    if not len(values) or not bool(values.any()):
        raise ValueError(f"targets: {name} is 0 or missing in all molecules of the training split")
    scale = float(values.square().mean().sqrt())
    return CompositionPart(0.0, scale, None, float("nan"))


def _report(
    part: CompositionPart, name: str, elements: Sequence[int], fields: TargetFields
) -> None:
    unit = fields.units.get(name, "1")
    what = f"{name} minus {BASELINE}{name}" if name in fields.baselines else name
    if fields.targets.kind == "vector":
        _LOG.info(
            "%s: root mean square component %.6g %s; the baseline is 0", what, part.scale, unit
        )
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
    kind, names = fields.targets.kind, tuple(fields.names.values())
    is_vector = kind == "vector"
    vectors = [n for name in names for n in (name, BASELINE + name) if is_vector]
    values: dict[str, Tensor] = {name: store.graph[name][train] for name in inputs}
    there = {**store.node, **store.graph}
    units = {"pos": "angstrom", "x": "1", "z": "1", "frame": "1", **fields.units}
    units |= {KNOWN + name: "1" for name in names if KNOWN + name in there}
    units |= {BASELINE + n: fields.units[n] for n in names if BASELINE + n in there}
    units |= {"cell": "angstrom", "pbc": "1"} if "cell" in there else {}
    units |= {n: u for n, u in (("charge", "e"), ("spin", "1")) if n in inputs}
    statistics = statistics_of(fields, store, train, elements, references)
    return GeometricSpec(
        level="node" if kind == "atoms" else "graph",
        dim=3,
        in_channels=len(elements) + len(inputs),
        out_channels={"classes": len(fields.targets.classes), "vector": 0}.get(kind, len(names)),
        out_vectors=len(names) if is_vector else 0,
        vector_fields=("pos", *(name for name in (*vectors, "cell") if name in there)),
        target=names[0],
        elements=with_train_elements(elements, store, train),
        units=units,
        statistics={"targets": list(names), **statistics, **range_statistics(values, inputs)},
        record=record,
        graph_inputs=inputs,
    )


def with_train_elements(
    elements: Sequence[int], store: GraphStore, train: Tensor
) -> tuple[int, ...]:
    """Atomic numbers of the columns; 0 for elements that the training split lacks."""
    seen = store.gather(train).x.any(0).tolist()
    return tuple(z if there else 0 for z, there in zip(elements, seen, strict=True))
