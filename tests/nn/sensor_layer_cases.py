"""Tiny factories for the layers on sensors and time; axis 0 of their inputs is the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layer_cases import BATCH, Case, random
from torch import Tensor, nn

import geozoo.nn as layers
from geozoo.ode import Integrator
from geozoo.options import in_groups

WINDOWS, NODES, STEPS, CHANNELS = len(BATCH), 4, 6, 4


def spread(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """Move weights off their start, which may be the corner of a clamp; no dropout."""

    def build() -> nn.Module:
        module = make().eval()
        for name, parameter in module.named_parameters():
            if name.endswith("diagonal"):
                nn.init.uniform_(parameter, 0.2, 0.8)
            elif parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.4)
        return module

    return build


def signal(seed: int = 0) -> Tensor:
    return random(WINDOWS, NODES, STEPS, CHANNELS, seed=seed)


def temporal(*size: int, **options: int) -> Case:
    inputs = {"h": signal()}
    return case(lambda: layers.TemporalAttention(*size, **options), inputs, "h", any_width=("h",))


def graph(*copies: int) -> Tensor:
    return 0.5 * random(*copies, NODES, NODES, seed=5)


def steps(size: int, *copies: int) -> dict[str, Tensor]:
    left, right = (random(*copies, size, size, seed=seed) for seed in (6, 7))
    return {"left": left, "right": right}


def case(make: Callable[[], nn.Module], inputs: dict[str, Any], *windows: str, **more: Any) -> Case:
    wrt = tuple(inputs)
    return Case(spread(make), inputs, wrt, node_inputs=windows or ("x",), **more)


def node_ode(groups: int, *, own: bool = False, times: int = 1, **options: Any) -> Case:
    copies = (groups,) if own else ()
    return case(
        lambda: layers.NodeODE(
            NODES, CHANNELS, groups=groups, times=range(times + 1), **options
        ),
        {"h": signal(), "graph": graph(*copies), **steps(STEPS // groups, *copies)},
        "h",
        node_outputs=tuple(str(place) for place in range(times)),
        compiles=not options,
        any_depth=("graph", "left", "right") if groups == 1 else (),
    )  # fmt: skip


def edge_ode(**options: Any) -> Case:
    inputs = {"signal": random(WINDOWS, NODES, 3), "graph": graph(), **steps(3)}
    compiles = "integrator" not in options
    return case(lambda: layers.EdgeODE(NODES, 2, **options), inputs, "signal", compiles=compiles)


def local_ode(**options: Any) -> Case:
    inputs = {"x": signal(), "graph": graph(), **steps(1)}
    attends = options.get("use_attention", True)
    return case(
        lambda: layers.LocalODE(NODES, CHANNELS, STEPS, heads=2, **options), inputs,
        twice=not attends,
    )  # fmt: skip


def block(**options: Any) -> layers.MultiODEBlock:
    return layers.MultiODEBlock(
        NODES, CHANNELS, STEPS, local_heads=2, **in_groups(layers.MultiODEBlock, options)
    )


def multi_ode(**options: Any) -> Case:
    attends = options.get("use_local_attention", True) and options.get("use_local", True)
    return case(lambda: block(**options), {"x": signal(), "adjacency": graph()}, twice=not attends)


def st_block() -> layers.SpatioTemporalBlock:
    ends = [layers.TemporalConv(width, (6, 4, CHANNELS)) for width in (3, CHANNELS)]
    return layers.SpatioTemporalBlock(ends[0], block(), ends[1])


def branches(*names: str) -> dict[str, Tensor]:
    return {name: signal(seed) for seed, name in enumerate(names)}


def aggregation(mode: str, *names: str) -> Case:
    return Case(lambda: layers.GatedAggregation(mode), branches(*names), names, node_inputs=names)


def tensor_ode(**options: Any) -> Case:
    inputs = {"x": signal(), "adjacency": graph()}
    compiles = "integrator" not in options
    return case(
        lambda: layers.TensorODE(NODES, CHANNELS, STEPS, **options), inputs, compiles=compiles
    )


def mask(**options: Any) -> Case:
    given = {"adjacency": graph()}
    return Case(lambda: layers.SpatialMask(NODES, **options), given, ("adjacency",), (), (), ())


def attention(*sizes: int, **options: Any) -> Case:
    return case(
        lambda: layers.SensorAttention(*sizes, **options),
        {"x": random(WINDOWS, NODES, sizes[0])},
        twice=not options.get("mix", True),
    )


SENSOR_CASES: dict[str, dict[str, Callable[[], Case]]] = {
    "TemporalConv": {
        "wider": lambda: case(lambda: layers.TemporalConv(CHANNELS, (6, 3, 5)), {"x": signal()}),
        "equal": lambda: case(
            lambda: layers.TemporalConv(CHANNELS, (5, CHANNELS)), {"x": signal()}
        ),
        "skipped": lambda: case(
            lambda: layers.TemporalConv(CHANNELS, (5, CHANNELS), skip_when_equal_width=True),
            {"x": signal()},
        ),
    },
    "TemporalAttention": {
        "whole": lambda: temporal(STEPS),
        "pieces": lambda: temporal(2),
        "copies": lambda: temporal(3, copies=2),
        "single": lambda: temporal(1, copies=6),
    },
    "SensorAttention": {
        "narrow_values": lambda: attention(3, 8, 4, 2),
        "wide_values": lambda: attention(3, 4, 8, 2),
        "unmixed": lambda: attention(3, 4, 4, 2, mix=False),
    },
    "SpatialMask": {
        "one": lambda: mask(),
        "copies": lambda: mask(copies=2),
        "product": lambda: mask(mode="product", std=0.5),
    },
    "LearnedGraph": {
        "one": lambda: Case(lambda: layers.LearnedGraph(NODES, 3), {}, (), (), (), ()),
    },
    "TensorODE": {
        "euler": lambda: tensor_ode(),
        "two_steps": lambda: tensor_ode(times=(0.0, 0.5, 1.0)),
        "rk4": lambda: tensor_ode(integrator=Integrator("rk4")),
    },
    "NodeODE": {
        "one": lambda: node_ode(1),
        "groups": lambda: node_ode(3, times=3),
        "own_weights": lambda: node_ode(3, own=True, times=2),
        "rk4": lambda: node_ode(1, integrator=Integrator("rk4")),
    },
    "EdgeODE": {
        "factorised": lambda: edge_ode(form="factorised"),
        "general": lambda: edge_ode(form="general"),
        "rk4": lambda: edge_ode(integrator=Integrator("rk4")),
    },
    "LocalODE": {
        "window": lambda: local_ode(),
        "step": lambda: local_ode(order="step"),
        "no_attention": lambda: local_ode(use_attention=False),
    },
    "MessageFilter": {
        name: lambda signed=signed: case(
            lambda: layers.MessageFilter(signed=signed),
            branches("state", "center"), "state", "center",
        )
        for name, signed in {"band": False, "signed": True}.items()
    },
    "GatedAggregation": {
        "all": lambda: aggregation("gated", "global_state", "local_state", "edge_state"),
        "two": lambda: aggregation("gated", "global_state", "edge_state"),
        "sum": lambda: aggregation("sum", "local_state", "edge_state"),
    },
    "ResidualUpdate": {
        name: lambda use_gate=use_gate: case(
            lambda: layers.ResidualUpdate(CHANNELS, use_gate=use_gate),
            branches("merged", "residual"), "merged", "residual",
        )
        for name, use_gate in {"gate": True, "plain": False}.items()
    },
    "MultiODEBlock": {
        "paper": lambda: multi_ode(),
        "no_attention": lambda: multi_ode(use_local_attention=False),
        "own_weights": lambda: multi_ode(use_shared_weights=False, use_local_attention=False),
        "edges": lambda: multi_ode(use_global=False, use_local=False, aggregation="sum"),
    },
    "SpatioTemporalBlock": {
        "plain": lambda: case(
            st_block, {"x": random(WINDOWS, NODES, STEPS, 3), "adjacency": graph()}, twice=False
        )
    },
}  # fmt: skip
