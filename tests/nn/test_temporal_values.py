"""Convolutions along time against loops over steps and taps, and how their weights start."""

import importlib

import pytest
import torch
from layer_cases import random, seeded
from torch.nn import functional

import geozoo.nn as layers
from geozoo.ops import textbook


def written_out(module: layers.TemporalConv, x: torch.Tensor, kernel_size: int) -> torch.Tensor:
    hidden = x
    for depth, level in enumerate(module.levels):
        steps = []
        for t in range(x.shape[2]):
            total = level.bias.expand(*x.shape[:2], -1)
            for k in range(kernel_size):
                before = t - (kernel_size - 1 - k) * 2**depth
                if before >= 0:
                    total = total + hidden[:, :, before] @ level.weight[k].T
            steps.append(total.clamp_min(0))
        hidden = torch.stack(steps, 2)
    rest = x if module.residual is None else module.residual(x)
    return functional.relu(hidden + rest)


@pytest.mark.parametrize("as_written", [True, False])
@pytest.mark.parametrize("kernel_size", [1, 2, 3])
@pytest.mark.parametrize("channels", [(3, 5, 2), (3, 5, 4), (6,)])
def test_temporal_convolution_is_its_equation(channels, kernel_size, as_written):
    options = {"kernel_size": kernel_size, "dropout": 0.0}
    module = seeded(lambda: layers.TemporalConv(4, channels, **options))
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    assert module.out_channels == channels[-1]
    x = random(2, 3, 9, 4)
    with textbook(when=as_written):
        torch.testing.assert_close(module(x), written_out(module, x, kernel_size))


def test_a_temporal_convolution_of_equal_width_can_be_left_out():
    left_out = layers.TemporalConv(4, (3, 4), skip_when_equal_width=True).double()
    x = random(2, 3, 5, 4)
    assert not list(left_out.parameters()) and torch.equal(left_out(x), x.clamp_min(0))
    for channels, skip in (((4, 3), True), ((3, 4), False)):
        assert list(layers.TemporalConv(4, channels, skip_when_equal_width=skip).parameters())


def test_temporal_convolution_starts_small():
    torch.manual_seed(0)
    module = layers.TemporalConv(100, (200, 300), kernel_size=3)
    assert module.dropout.p == 0.2
    for level, width in zip(module.levels, (100, 200), strict=True):
        assert 0.0099 < level.weight.std() < 0.0101
        assert abs(level.weight.mean()) < 1e-4
        bound = (3 * width) ** -0.5
        assert 0.95 * bound < level.bias.max() <= bound
        assert -bound <= level.bias.min() < -0.95 * bound
    assert 0.0098 < module.residual.weight.std() < 0.0102


def test_dropout_is_behind_every_level():
    torch.manual_seed(0)
    module = layers.TemporalConv(4, (8, 8), dropout=0.9).double()
    module.residual.weight.data.zero_()
    module.residual.bias.data.zero_()
    for level in module.levels:
        level.weight.data.zero_()
        level.bias.data.fill_(1.0)
    out = module(torch.zeros(4, 25, 25, 4).double())
    torch.testing.assert_close(out.unique(), torch.tensor([0.0, 10.0]).double())
    assert 0.08 < (out > 0).double().mean() < 0.12


@pytest.mark.parametrize("block", [1, 10**6])
def test_dropout_in_blocks_is_that_of_the_equations(block, monkeypatch):
    monkeypatch.setattr(
        importlib.import_module("geozoo.nn.temporal._causal_levels"), "BLOCK_BYTES", block
    )
    conv = layers.TemporalConv(3, (4, 2, 5), dropout=0.4, kernel_size=3).double().train()
    x = torch.randn(2, 3, 6, 3, dtype=torch.float64, requires_grad=True)
    found = []
    for when in (False, True):
        torch.manual_seed(5)
        with textbook(when=when):
            value = conv(x)
            first = torch.autograd.grad(value.sin().sum(), [x, *conv.parameters()])
        found.append((value, *first))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)
