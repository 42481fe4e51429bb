"""The targets of a set of graphs: their level, and whether they are numbers, vectors or classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from geozoo.data.properties._target_fields import TargetFields
from geozoo.data.properties._target_kinds import Kind, Targets, check_mixture, field_names
from geozoo.data.properties._target_options import report_kinds, report_units
from geozoo.data.spec import Level
from geozoo.data.store import GraphStore

#: Fields that are inputs.
INPUTS = ("pos", "x", "z", "vec")
_TAKEN = {"batch", "ptr", "index", "class", "loss", "weight", "device", "frame", "cell", "pbc"}


@dataclass(frozen=True)
class _Column:
    """A target: a column of a field.

    Attributes:
        values: ``[R]``, or ``[R, dim]`` for a vector.
        kind: what it is.
        reason: why, for the log.
        field: the field that it is taken from.
    """

    values: Tensor
    kind: Kind
    reason: str
    field: str


def graph_targets(
    store: GraphStore, names: Sequence[str], *, columns: Sequence[int] | None = None,
    kinds: Mapping[str, Kind] | None = None, classes: Sequence[str] | None = None,
    units: Mapping[str, str] | None = None,
) -> TargetFields:  # fmt: skip
    """The targets of some graphs; the log states their kinds.

    Args:
        store: the graphs.
        names: fields of graphs or of nodes.
        columns: columns of fields with several; None: all.
        kinds: kind by field; without: whole numbers are classes (labels, for several columns of 0
            and 1), ``dim`` numbers in a row are a vector, and others are numbers.
        classes: names of the classes in the order of their indices; None: the indices.
        units: unit by field.

    Raises:
        ValueError: If there is no such field, targets are not all of graphs or all of nodes, or
            their kinds do not go together, or values are not of their kind.
    """
    level = _level_of(store, names)
    fields = store.node if level == "node" else store.graph
    dim = store.node["pos"].shape[1]
    found: dict[str, _Column] = {}
    for name in names:
        found |= _columns_of(name, fields[name], dim, columns, (kinds or {}).get(name))
    check_mixture({name: each.kind for name, each in found.items()})
    order = sorted(found, key=lambda name: found[name].kind == "vector")
    of_kinds = {name: found[name].kind for name in order}
    if "labels" in of_kinds.values() and level == "node":
        raise ValueError(f"targets: labels are learned of graphs, {names[0]} holds them of nodes")
    named = [] if of_kinds[order[0]] != "classes" else _classes(order[0], found, classes)
    if classes is not None and not named:
        raise ValueError(f"classes: the targets are no classes, but {of_kinds[order[0]]}")
    values = {name: found[name].values.double().numpy() for name in order}
    report_kinds(of_kinds, {name: found[name].reason for name in order}, level)
    given = {name: unit for name, c in found.items() if (unit := (units or {}).get(c.field))}
    if of_kinds[order[0]] in ("classes", "labels"):
        if given:
            raise ValueError(f"units: classes and labels have no unit, got {dict(units or {})}")
    else:
        report_units(order, given)
    by_field = field_names(order, _TAKEN)
    return TargetFields(
        Targets(of_kinds, values, named, level), by_field, {},
        {by_field[name]: given.get(name, "1") for name in order},
    )  # fmt: skip


def _level_of(store: GraphStore, names: Sequence[str]) -> Level:
    fields = {**store.node, **store.graph}
    known = ", ".join(key for key in fields if key not in INPUTS)
    for name in names:
        if name not in fields or name in INPUTS:
            kind = "is a field of edges" if name in store.edge else "is not a field to predict"
            raise ValueError(
                f"targets: {name!r} {kind}; fields per node or graph: {known or 'none'}. Set "
                "dataset.targets=..."
            )
    of_nodes = [name for name in names if name in store.node]
    if of_nodes and len(of_nodes) < len(names):
        rest = ", ".join(name for name in names if name not in of_nodes)
        raise ValueError(
            f"targets must all be of graphs or all of nodes; {', '.join(of_nodes)} have a row per "
            f"node, {rest} a row per graph. Train one model for each"
        )
    return "node" if of_nodes else "graph"


def _columns_of(
    name: str, values: Tensor, dim: int, columns: Sequence[int] | None, given: Kind | None
) -> dict[str, _Column]:
    """The targets in a field, by name; ``<name>_<column>`` for one of several."""
    if given == "atoms":
        raise ValueError(f"kind: {name!r} cannot be of kind atoms; use scalar, for nodes as well")
    wide = values[:, None] if values.ndim == 1 else values
    is_vector = given == "vector" or (
        given is None and values.is_floating_point() and values.ndim > 1 and wide.shape[-1] == dim
    )
    if is_vector and (values.ndim not in (2, 3) or wide.shape[-1] != dim):
        raise ValueError(
            f"targets: vectors must have shape [rows, {dim}] or [rows, V, {dim}], {name!r} has "
            f"{list(values.shape)}"
        )
    wide = wide[:, None] if is_vector and wide.ndim == 2 else wide
    if wide.ndim > 2 + is_vector:
        raise ValueError(
            f"targets: {name!r} must have one or several numbers per row, got shape "
            f"{list(values.shape)}; tensors are not supported"
        )
    width = wide.shape[1]
    chosen = range(width) if columns is None or width == 1 else columns
    if wrong := [each for each in chosen if not 0 <= each < width]:
        raise ValueError(f"columns must be in 0..{width - 1} for {name!r}, got {wrong[0]}")
    kind, reason = _kind_of(wide, given, is_vector=is_vector)
    if kind in ("classes", "labels"):
        _check_whole(name, wide, kind)
    return {
        name if width == 1 else f"{name}_{each}": _Column(wide[:, each], kind, reason, name)
        for each in chosen
    }


def _kind_of(wide: Tensor, given: Kind | None, *, is_vector: bool) -> tuple[Kind, str]:
    if given is not None:
        return given, "dataset.kind"
    if is_vector:
        return "vector", f"shape {list(wide.squeeze(1).shape)}; dataset.kind=scalar for numbers"
    if wide.is_floating_point():
        return "scalar", "values are numbers"
    is_label = wide.shape[1] > 1 and bool(((wide == 0) | (wide == 1)).all())
    why = "several columns of 0 and 1" if is_label else "values are whole numbers"
    return "labels" if is_label else "classes", f"{why}; dataset.kind=scalar for numbers"


def _check_whole(name: str, values: Tensor, kind: Kind) -> None:
    if bool((values != values.round() if values.is_floating_point() else values < 0).any()) or (
        kind == "labels" and bool(((values != 0) & (values != 1)).any())
    ):
        what = "0 and 1" if kind == "labels" else "indices from 0"
        raise ValueError(
            f"targets: {name!r} must hold {what} for {kind}, got values from "
            f"{float(values.min()):g} to {float(values.max()):g}; dataset.kind=scalar for numbers"
        )


def _classes(name: str, found: Mapping[str, _Column], classes: Sequence[str] | None) -> list[str]:
    """The names of the classes of a target."""
    labels = found[name].values.long()
    present = len(torch.unique(labels))
    lowest, number = (int(labels.min()), int(labels.max()) + 1) if len(labels) else (0, 0)
    if lowest < 0:
        raise ValueError(f"targets: classes of {name!r} start at 0, got {lowest}")
    if classes is not None:
        if number > len(classes) or len(classes) < 2 or len(set(classes)) < len(classes):
            raise ValueError(
                f"classes must be different names of all {number} classes of {name!r}, got "
                f"{list(classes)}"
            )
        return list(classes)
    absent = number - present
    if number < 2 or absent > number // 2:
        raise ValueError(
            f"targets: {name!r} has {number} classes, {absent} of which do not occur; are these "
            "numbers? Then set dataset.kind=scalar. To name classes, set dataset.classes"
        )
    return [str(each) for each in range(number)]
