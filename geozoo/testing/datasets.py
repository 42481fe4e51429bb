"""All checks of a dataset class, for datasets outside of the zoo."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from geozoo.testing.findings import Check, Finding, Skipped, findings

_PARTS = ("train", "val", "test")


def check_dataset(build: Callable[[], Any], *, skip: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Check that a class can be used as a dataset of the zoo, and yield the verdicts.

    The data are prepared and read twice. Splits, fields, specification and record are compared
    with each other.

    Args:
        build: creates the `geozoo.data.GraphDataModule`, before it reads its data.
        skip: names of checks to skip.
    """
    try:
        data = build()
        data.prepare_data()
        data.setup()
        data = _prepared(data)
    except Exception as error:  # of the class itself
        yield Finding("it can be built and read", "fails", f"{type(error).__name__}: {error}")
        return
    yield Finding("it can be built and read", "holds")
    yield from findings(_checks(data, build), skip=skip)


def _prepared(data: Any) -> Any:
    for name in ("splits", "spec", "store"):
        getattr(data, name)
    return data


def _checks(data: Any, build: Callable[[], Any]) -> Iterator[Check]:
    yield "splits are disjoint, and none is empty", lambda: _splits(data)
    if data.spec.family == "geometric":
        yield "fields have the shapes of the specification", lambda: _fields(data)
        yield "vector fields exist and have the dimension of space", lambda: _vectors(data)
    else:
        yield "windows have the shapes of the specification", lambda: _windows(data)
    yield "values are finite", lambda: _finite(data)
    yield "graphs are independent of the batch", lambda: _independent(data)
    yield "loaders give every sample of a split once", lambda: _loaders(data)
    yield "the training order is shuffled and repeatable", lambda: _order(data)
    yield "reading it twice gives the same data", lambda: _repeatable(data, build())
    yield "the specification can be stored as plain data", lambda: _stored(data)
    yield "statistics are finite numbers", lambda: _statistics(data)
    yield "the record names the dataset and its split", lambda: _record(data)


def _splits(data: Any) -> None:
    seen: set[int] = set()
    for part in _PARTS:
        index = data.splits[part].tolist()
        if not index:
            raise AssertionError(f"the {part} split is empty")
        if seen & set(index) or len(set(index)) < len(index):
            raise AssertionError(f"samples of the {part} split occur twice, or in another split")
        seen |= set(index)


def _first(data: Any, count: int = 8) -> Any:
    return data.store.gather(data.splits["train"][:count])


def _fields(data: Any) -> None:
    batch, spec = _first(data), data.spec
    nodes, graphs = len(batch.batch), batch.num_graphs
    _expect(batch, "pos", (nodes, spec.dim))
    if spec.node_channels:
        _expect(batch, "x", (nodes, spec.node_channels))
    if spec.in_vectors:
        _expect(batch, "vec", (nodes, spec.in_vectors, spec.dim))
    for name in spec.graph_inputs:
        _expect(batch, name, (graphs,))
    rows = nodes if spec.level == "node" else graphs
    target = batch.get(spec.target)
    if target is None:
        raise AssertionError(f"spec.target is {spec.target!r}, but there is no such field")
    if len(target) != rows:
        what = f"{spec.level}s" if target.ndim else "values"
        raise AssertionError(
            f"target {spec.target!r} must have a row per {spec.level} ({rows} {what}), got shape "
            f"{tuple(target.shape)}"
        )


def _expect(batch: Any, name: str, shape: tuple[int, ...]) -> None:
    value = getattr(batch, name, None)
    found = None if value is None else tuple(value.shape)
    if found != shape:
        raise AssertionError(f"field {name!r} must have shape {shape}, got {found or 'no field'}")


def _vectors(data: Any) -> None:
    batch, spec = _first(data), data.spec
    if "pos" not in spec.vector_fields:
        raise AssertionError("spec.vector_fields must contain 'pos', which rotates with the input")
    if spec.in_vectors and "vec" not in spec.vector_fields:
        raise AssertionError("spec.vector_fields must contain 'vec', which rotates with the input")
    for names, tail in (
        (spec.vector_fields, (spec.dim,)), (spec.tensor_fields, (spec.dim, spec.dim)),
    ):  # fmt: skip
        for name in names:
            value = batch.get(name)
            if value is None or tuple(value.shape[-len(tail) :]) != tail:
                found = "no field" if value is None else f"shape {tuple(value.shape)}"
                raise AssertionError(f"field {name!r} must end with axes {tail}, got {found}")


def _windows(data: Any) -> None:
    batch, spec = _first(data, 2), data.spec
    _expect(batch, "x", (2, spec.input_steps, spec.num_nodes, spec.in_channels))
    _expect(batch, "y", (2, spec.horizon, spec.num_nodes))


def _tensors(batch: Any) -> dict[str, Tensor]:
    """The fields of a batch."""
    names = list(batch) if hasattr(batch, "__iter__") else list(vars(batch))
    return {
        name: value for name in names
        if isinstance(value := getattr(batch, name, None), Tensor)
    }  # fmt: skip


def _finite(data: Any) -> None:
    for part in _PARTS:
        for name, value in _tensors(data.store.gather(data.splits[part][:64])).items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise AssertionError(
                    f"field {name!r} of the {part} split has NaN or infinite values"
                )


def _independent(data: Any) -> None:
    if data.spec.family != "geometric":
        raise Skipped("windows overlap")
    index = data.splits["train"][:3]
    together = data.store.gather(index)
    for position in range(len(index)):
        alone = data.store.gather(index[position : position + 1])
        mine = together.batch == position
        if not torch.equal(together.pos[mine], alone.pos):
            raise AssertionError(f"positions of graph {int(index[position])} depend on its batch")


def _loaders(data: Any) -> None:
    loaders = {
        "train": data.train_dataloader, "val": data.val_dataloader, "test": data.test_dataloader,
    }  # fmt: skip
    for part, make in loaders.items():
        found = torch.cat([batch.index.cpu() for batch in make()])
        if sorted(found.tolist()) != sorted(data.splits[part].tolist()):
            raise AssertionError(
                f"the {part} loader gives {len(found)} samples, the split has "
                f"{len(data.splits[part])}"
            )


def _order(data: Any) -> None:
    first, again = (
        torch.cat([batch.index.cpu() for batch in data.train_dataloader()]) for _ in range(2)
    )
    if not torch.equal(first, again):
        raise AssertionError("two loaders of the same seed give different orders")
    if len(first) > 10 and torch.equal(first, first.sort().values):
        raise AssertionError("the training split is not shuffled")


def _repeatable(data: Any, other: Any) -> None:
    other.prepare_data()
    other.setup()
    for part in _PARTS:
        if not torch.equal(data.splits[part], other.splits[part]):
            raise AssertionError(f"the {part} split differs when the data are read again")
        index = data.splits[part][:64]
        own, theirs = (_tensors(each.store.gather(index)) for each in (data, other))
        for name, value in own.items():
            if not torch.equal(value, theirs[name]):
                raise AssertionError(f"field {name!r} differs when the data are read again")
    if data.spec.to_dict() != other.spec.to_dict():
        raise AssertionError("the specification differs when the data are read again")


def _stored(data: Any) -> None:
    import json

    plain = data.spec.to_dict()
    again = type(data.spec).from_dict(json.loads(json.dumps(plain)))
    if again.to_dict() != plain:
        raise AssertionError("the specification changes when it is stored and read")


def _statistics(data: Any) -> None:
    for name, value in data.spec.statistics.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise AssertionError(f"statistic {name!r} is {value}")
        if name.endswith("_scale") and isinstance(value, (int, float)) and value <= 0:
            raise AssertionError(f"statistic {name!r} must be positive, got {value}")


def _record(data: Any) -> None:
    record = data.spec.record
    if not record.dataset:
        raise AssertionError("spec.record.dataset is empty: name it as dataset=<name> does")
    if not record.split:
        raise AssertionError("spec.record.split is empty: say how the data were split")
