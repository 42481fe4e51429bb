"""Options in groups: given as instances, as mappings, or by the names that they had before."""

from __future__ import annotations

import inspect
import typing
from dataclasses import dataclass
from typing import Any

import pytest

from geozoo.data import TrafficCSV
from geozoo.models import GramODE, Ponita, PonitaKernel, StgODE
from geozoo.nn import MultiODEBlock
from geozoo.options import former_names, grouped, in_groups, option_groups


@dataclass(frozen=True)
class Solver:
    """A group."""

    method: str = "euler"
    steps: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")


class Flow:
    """A class with a group."""

    @grouped("solver")
    def __init__(self, size: int, *, solver: Solver = Solver(method="rk4")) -> None:  # noqa: B008
        self.size, self.solver = size, solver


class NamedFlow(Flow):
    """It hands its arguments on."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(**options)
        self.name = name


class OwnFlow(Flow):
    """It does not."""

    def __init__(self) -> None:
        super().__init__(1)


def test_a_group_is_an_instance_or_a_mapping() -> None:
    assert Flow(2).solver == Solver("rk4")
    assert Flow(2, solver=Solver(steps=3)).solver == Solver(steps=3)
    assert Flow(2, solver={"steps": 3}).solver == Solver(steps=3)
    assert Flow(2, solver={}).solver == Solver()


def test_former_names_are_taken_with_one_warning_that_names_the_new_ones() -> None:
    message = (
        r"^Flow: steps, method are now solver\.steps, solver\.method; the former names are "
        r"accepted in this release only$"
    )
    with pytest.warns(FutureWarning, match=message) as seen:
        flow = Flow(2, steps=3, method="dopri5")
    assert flow.solver == Solver("dopri5", 3)
    assert len(seen) == 1 and seen[0].filename == __file__
    with pytest.warns(FutureWarning, match="^NamedFlow: steps is now solver.steps; the former"):
        assert NamedFlow("a", size=2, steps=3, solver={"method": "rk4"}).solver == Solver("rk4", 3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"steps": 2, "solver": {"steps": 3}}, ValueError, "steps is the former name of solver.st"),
        ({"steps": 2, "solver": Solver()}, ValueError, "and solver is given as well; leave out st"),
        ({"solver": {"stpes": 3}}, ValueError, "solver has no option 'stpes'; did you mean steps?"),
        ({"solver": {"x": 3}}, ValueError, "solver has no option 'x'; it has method, steps"),
        (
            {"solver": "rk4"},
            TypeError,
            "solver must be a Solver or a mapping of method, steps, got",
        ),
        ({"solver": None}, TypeError, "solver must be a Solver or a mapping of method, steps, got"),
        ({"solver": {"steps": 0}}, ValueError, "steps must be at least 1, got 0"),
        ({"stpes": 3}, TypeError, "unexpected keyword argument 'stpes'"),
    ],
)
def test_what_is_no_option_is_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message.replace("?", r"\?")):
        Flow(2, **options)


def test_groups_are_those_of_the_constructor_that_takes_them() -> None:
    assert option_groups(Flow) == option_groups(NamedFlow) == {"solver": Solver}
    assert option_groups(OwnFlow) == option_groups(dict) == option_groups(len) == {}
    assert former_names(Flow) == {"method": "solver", "steps": "solver"}
    assert list(inspect.signature(Flow).parameters) == ["size", "solver"]


def test_arguments_of_earlier_versions_are_put_into_groups_without_a_warning() -> None:
    given = in_groups(Flow, {"size": 2, "steps": 3, "solver": {"method": "rk4"}})
    assert given == {"size": 2, "solver": {"method": "rk4", "steps": 3}}
    with pytest.raises(ValueError, match="steps is the former name of solver"):
        in_groups(Flow, {"steps": 3, "solver": {"steps": 4}})


@pytest.mark.parametrize("kind", [Ponita, GramODE, StgODE, MultiODEBlock, TrafficCSV])
def test_every_option_has_one_place(kind: type) -> None:
    groups = option_groups(kind)
    names = [*inspect.signature(kind).parameters]
    for group in groups.values():
        names += inspect.signature(group).parameters
        assert typing.get_type_hints(group)
    assert len(names) == len(set(names))


def test_a_network_is_the_same_by_either_name() -> None:
    small = {"hidden_channels": 4, "num_layers": 1}
    kernel = PonitaKernel(basis_channels=4, degree=1, condition_channels=2)
    grouped_one = Ponita(1, 1, **small, kernel=kernel, orientations={"num_orientations": 6})
    with pytest.warns(FutureWarning, match="Ponita: "):
        flat = Ponita(
            1, 1, **small, basis_channels=4, degree=1, condition_channels=2, num_orientations=6
        )
    shapes = {name: value.shape for name, value in flat.state_dict().items()}
    assert shapes == {name: value.shape for name, value in grouped_one.state_dict().items()}
    assert flat.condition_channels == grouped_one.condition_channels == 2
