"""A model class under test, with its arguments and the sizes that a dataset would set."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from geozoo.contracts import Fitted
from geozoo.testing._run import call

#: Values of the arguments that a dataset would set, by family.
SIZES: Mapping[str, Mapping[str, Any]] = {
    "geometric": {
        "in_channels": 2, "in_vectors": 1, "out_channels": 2, "out_vectors": 1, "dim": 3,
        "lattice": None, "level": "graph",
    },
    "forecasting": {
        "num_nodes": 5, "in_channels": 2, "input_steps": 12, "horizon": 3, "steps_per_day": 24,
    },
}  # fmt: skip


class Subject:
    """A class with its arguments."""

    def __init__(self, kind: type[nn.Module], arguments: Mapping[str, Any], family: str) -> None:
        self.kind, self.arguments, self.family = kind, dict(arguments), family
        self.values = {**SIZES[family], **arguments}

    def build(self, seed: int = 0, **changes: Any) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = self.kind(**{**self.arguments, **changes}).double().eval()
        if isinstance(model, Fitted):
            _fit(model, self)
        return model

    @property
    def levels(self) -> list[str]:
        has_level = "level" in inspect.signature(self.kind).parameters
        return ["node", "graph"] if has_level else []


def check_names(kind: type[nn.Module], arguments: Mapping[str, Any]) -> None:
    parameters = inspect.signature(kind).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return
    if unknown := [name for name in arguments if name not in parameters]:
        raise ValueError(
            f"{kind.__name__} has no argument {', '.join(unknown)}; it has {', '.join(parameters)}"
        )


def sizes_for(kind: type[nn.Module], family: str) -> dict[str, Any]:
    """What a dataset would set, as far as the class accepts it."""
    known: dict[str, Any] = dict(SIZES[family])
    if family == "forecasting":
        graph = torch.rand(5, 5, generator=torch.Generator().manual_seed(1)).double()
        names = ("road_adjacency", "spatial_adjacency", "semantic_adjacency")
        known |= dict.fromkeys(names, 0.2 * (graph + graph.T))
    return {k: v for k, v in known.items() if k in inspect.signature(kind).parameters}


def _fit(model: Any, subject: Subject) -> None:
    generator = torch.Generator().manual_seed(0)
    if subject.family == "geometric":
        x = torch.randn(40, subject.values["in_channels"], generator=generator).double()
        model.fit(torch.randn(40, 2, generator=generator), x=x, batch=torch.arange(40))
        return
    values = torch.randn(200, subject.values["num_nodes"], generator=generator).double()
    model.fit(values, observed=torch.ones_like(values, dtype=torch.bool), time=clock(200, [0])[0])


def clock(steps: int, starts: list[int]) -> Tensor:
    """Slot of the day and day of the week of ``steps`` hours from each start."""
    rows = [torch.arange(start, start + steps) for start in starts]
    return torch.stack([torch.stack([row % 24, row // 24 % 7], -1) for row in rows])


def unmodified(model: nn.Module, given: Mapping[str, Any]) -> None:
    before = {key: value.clone() for key, value in given.items() if torch.is_tensor(value)}
    call(model, given)
    if changed := [key for key, value in before.items() if not torch.equal(given[key], value)]:
        raise AssertionError(f"forward changes its inputs {', '.join(changed)}")
