"""All checks of a model class, for models outside of the zoo."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from geozoo.contracts import family_of
from geozoo.testing._forecasters import forecaster_checks
from geozoo.testing._learning import train
from geozoo.testing._run import call
from geozoo.testing._subject import Subject, check_names, sizes_for, unmodified
from geozoo.testing.batching import assert_batch_independent
from geozoo.testing.contract import assert_contract
from geozoo.testing.equivariance import assert_equivariant
from geozoo.testing.findings import Check, Finding, Skipped, findings
from geozoo.testing.gradients import assert_finite_derivatives
from geozoo.testing.permutation import assert_permutation_equivariant
from geozoo.testing.precision import assert_dtype_kept
from geozoo.testing.saving import assert_survives_saving


def check_model(
    kind: type[nn.Module], arguments: Mapping[str, Any], *, skip: tuple[str, ...] = ()
) -> Iterator[Finding]:
    """Check that a class can be used as a model of the zoo, and yield the verdicts.

    The model is built with small sizes in place of those that a dataset sets, in float64, and run
    on random graphs or windows. Geometric models are checked at each level that they support.

    Args:
        kind: the class.
        arguments: its constructor arguments; those that a dataset would set have defaults here.
        skip: names of checks to skip.

    Raises:
        ValueError: If an argument is not one of the class.
    """
    check_names(kind, arguments)
    try:
        family = family_of(kind)
    except (AttributeError, TypeError) as error:
        yield Finding("its forward has the signature of a family", "fails", str(error))
        return
    try:
        subject = Subject(kind, {**sizes_for(kind, family), **arguments}, family)
        subject.build()
    except Exception as error:  # of the class itself
        yield Finding("it can be built", "fails", f"{type(error).__name__}: {error}")
        return
    yield Finding("it can be built", "holds")
    make = _geometric if family == "geometric" else forecaster_checks
    yield from findings(make(subject), skip=skip)


def _graphs(subject: Subject, sizes: list[int]) -> dict[str, Any]:
    values, dim = subject.values, subject.values["dim"]
    generator = torch.Generator().manual_seed(0)
    batch = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    vec = draw(len(batch), values["in_vectors"], dim) if values["in_vectors"] else None
    return {
        "pos": draw(len(batch), dim), "x": draw(len(batch), values["in_channels"]),
        "vec": vec, "batch": batch, "num_graphs": len(sizes),
    }  # fmt: skip


def _geometric(subject: Subject) -> Iterator[Check]:
    yield "its signature and optional methods follow the contract", lambda: _contract(subject)
    for level in subject.levels or [_level_of(subject)]:
        changes = {"level": level} if subject.levels else {}
        yield from _at_level(subject, level, changes)
    yield "its derivatives are finite", lambda: _finite(subject)
    yield "it learns: its training loss falls", lambda: _learns(subject)


def _contract(subject: Subject) -> None:
    assert_contract(subject.build())


def _level_of(subject: Subject) -> str:
    """The level of a model without that argument, from the rows of its outputs."""
    try:
        outputs = call(subject.build(), _graphs(subject, [3, 2]))
    except Exception:
        return "graph"  # the checks report it
    return "node" if all(len(value) == 5 for value in outputs.values()) else "graph"


def _at_level(subject: Subject, level: str, changes: Mapping[str, Any]) -> Iterator[Check]:
    def model() -> nn.Module:
        return subject.build(**changes)

    def given() -> dict[str, Any]:  # anew for each check: a faulty model may modify its inputs
        return _graphs(subject, [4, 3, 1])

    batch = given()["batch"]
    nodes = ("scalar", "vector") if level == "node" else ()
    end = f" (level={level})"
    yield f"outputs have the right shapes{end}", lambda: _shapes(subject, model(), level)
    yield f"it is equivariant under rotations{end}", lambda: assert_equivariant(model(), given())
    yield (
        f"the order of nodes does not matter{end}",
        lambda: assert_permutation_equivariant(model(), given(), batch=batch, node_outputs=nodes),
    )
    yield (
        f"graphs of a batch are independent{end}",
        lambda: assert_batch_independent(model(), _graphs(subject, [3, 2, 1]), level=level),
    )
    yield f"it keeps float32 and float64{end}", lambda: assert_dtype_kept(model(), given())
    yield (
        f"saved weights give the same outputs{end}",
        lambda: assert_survives_saving(model(), lambda: subject.build(seed=1, **changes), given()),
    )
    yield f"inputs are not modified{end}", lambda: unmodified(model(), given())


def _shapes(subject: Subject, model: nn.Module, level: str) -> None:
    given, values = _graphs(subject, [3, 2]), subject.values
    with torch.no_grad():
        outputs = model(**given)
    fields = getattr(outputs, "_fields", None)
    if fields != ("scalar", "vector"):
        raise AssertionError(
            "forward must return a named tuple with the fields scalar and vector, got "
            f"{fields or type(outputs).__name__}"
        )
    rows = 5 if level == "node" else 2
    accepted = inspect.signature(subject.kind).parameters
    for name, argument, tail in (
        ("scalar", "out_channels", ()), ("vector", "out_vectors", (values["dim"],)),
    ):  # fmt: skip
        value, count = getattr(outputs, name), values[argument] if argument in accepted else 0
        shape = None if value is None else tuple(value.shape)
        if argument not in accepted and value is not None and value.shape[0] == rows:
            continue  # a model with its own number of outputs
        if shape != ((rows, count, *tail) if count else None):
            wanted = (rows, count, *tail) if count else "None"
            raise AssertionError(f"{name} must be {wanted} for {argument}={count}, got {shape}")


def _finite(subject: Subject) -> None:
    model = subject.build()
    if not list(model.parameters()):
        raise Skipped("it has no parameters")
    if getattr(model, "sees_positions", True) is False:
        raise Skipped("it does not use positions")
    assert_finite_derivatives(model, _graphs(subject, [4, 3]))


def _learns(subject: Subject) -> None:
    """Train on eight graphs with random targets; also checks that every parameter has gradients."""
    model, given = subject.build().train(), _graphs(subject, [4] * 8)
    train(model, lambda: list(call(model, given).values()))
