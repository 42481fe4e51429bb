"""Adapters of the comparison: textbook forms, unchanged start, sizes, gradients of shared parts."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from benchmarks._adapters import (
    KINDS,
    SIZE,
    TIMES,
    BlockUpdate,
    Factors,
    KroneckerUpdate,
    Pool,
    ShardUpdate,
    adder,
)
from benchmarks.adapters import adapter_parameters

RANK = 16
WIDE, DEEP = torch.Size((64, 96)), torch.Size((32, 64))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Linear(96, 64), nn.GELU(), nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 5)
    return nn.Sequential(*layers).double()


def adapted(kind: str) -> tuple[nn.Sequential, dict[str, nn.Parameter]]:
    """A network with adapters, and their parameters."""
    model = network()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    assert adder(kind)(model, RANK) == ["0", "2", "4"]
    return model, {name: p for name, p in model.named_parameters() if p.requires_grad}


def disturb(parameters: dict[str, nn.Parameter]) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in parameters.values():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(0.05 * noise)


def inputs() -> torch.Tensor:
    return torch.randn(7, 96, generator=torch.Generator().manual_seed(2)).double()


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_adapter_does_not_change_the_output(kind: str) -> None:
    assert torch.equal(adapted(kind)[0](inputs()), network()(inputs()))


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_are_of_equal_size(kind: str) -> None:
    model, parameters = adapted(kind)
    pairs = sum(sum(shape) for shape in (WIDE, DEEP)) * RANK
    expected = {
        "low_rank": pairs,
        "bone": (64 + 32) * SIZE,
        "mos": pairs,
        "compacter": pairs + TIMES**3,
    }
    last = (32 + 5) * 5  # too small for blocks: low rank, at most the smaller dimension
    count = sum(p.numel() for p in parameters.values())
    assert count == expected[kind] + last
    assert adapter_parameters(model.state_dict()) == count


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_adapter(kind: str) -> None:
    model, parameters = adapted(kind)
    disturb(parameters)
    model(inputs()).square().sum().backward()
    for name, parameter in parameters.items():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).all(), name


@pytest.mark.parametrize(("kind", "shared"), [("mos", "pool"), ("compacter", "factors")])
def test_layers_share_one_module(kind: str, shared: str) -> None:
    model, _ = adapted(kind)
    first, second = (getattr(model[k].parametrizations.weight[0], shared) for k in (0, 2))
    assert first is second


def test_the_update_is_a_sum_of_kronecker_products() -> None:
    torch.manual_seed(0)
    update = KroneckerUpdate(WIDE, 3, Factors()).double()
    nn.init.normal_(update.up)
    weight = torch.randn(WIDE).double()
    change = sum(
        torch.kron(left, up @ down)
        for left, up, down in zip(update.factors.left, update.up, update.down, strict=True)
    )
    torch.testing.assert_close(update(weight) - weight, change)


def test_each_block_is_transformed_by_that_of_its_row() -> None:
    torch.manual_seed(0)
    update = BlockUpdate(WIDE).double()
    nn.init.normal_(update.block)
    weight = torch.randn(WIDE).double()
    updated = update(weight)
    for i, block in enumerate(update.block):
        rows = slice(i * SIZE, (i + 1) * SIZE)
        for k in range(3):
            columns = slice(k * SIZE, (k + 1) * SIZE)
            old = weight[rows, columns]
            torch.testing.assert_close(updated[rows, columns], old + block @ old + block)


def test_factors_are_put_together_from_shards() -> None:
    torch.manual_seed(0)
    pool = Pool(8, 6).double()
    nn.init.normal_(pool.up)
    down, up = torch.randint(8, (2 * 3,)), torch.randint(6, (2 * 2,))
    update = ShardUpdate(2, pool, down, up)
    weight = torch.randn(WIDE).double()
    change = torch.zeros(WIDE).double()
    for r in range(2):
        right = torch.cat([pool.down[down[3 * r + j]] for j in range(3)])
        left = torch.cat([pool.up[up[2 * r + j]] for j in range(2)])
        change += torch.outer(left, right)
    torch.testing.assert_close(update(weight) - weight, change)


def test_every_shard_is_used_equally_often() -> None:
    model, _ = adapted("mos")
    updates = [model[k].parametrizations.weight[0] for k in (0, 2)]
    for factor in ("down", "up"):
        used = torch.cat([getattr(update, factor) for update in updates]).bincount()
        assert (used == TIMES).all() and len(used) == len(getattr(updates[0].pool, factor))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind must be one of low_rank, bone, mos, compacter, got"):
        adder("lora")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.adapters", "--kinds", "lora"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode and "invalid choice: 'lora'" in done.stderr
