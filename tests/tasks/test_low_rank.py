"""Low-rank updates: initialisation, trainable parameters and merging."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from geozoo.models import Ponita
from geozoo.tasks.low_rank import LowRankUpdate, add_low_rank_updates, merge_low_rank_updates

CHOICES = ("fused", "textbook")


def network(backend: str = "fused") -> Ponita:
    torch.manual_seed(0)
    return (
        Ponita(
            in_channels=3,
            out_channels=1,
            hidden_channels=8,
            num_layers=2,
            orientations={"num_orientations": 4},
            kernel={"basis_channels": 8, "backend": backend},
        )
        .double()
        .eval()
    )


def inputs() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    pos, x = torch.randn(2, 5, 3, generator=generator).double()
    return pos, x, torch.zeros(5, dtype=torch.long)


def disturb(model: nn.Module) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".up"):
                parameter.normal_(std=0.3)


@pytest.mark.parametrize("backend", CHOICES)
def test_a_new_update_does_not_change_the_output(backend):
    plain, updated = network(backend), network(backend)
    add_low_rank_updates(updated, rank=2)
    assert torch.equal(updated(*inputs()).scalar, plain(*inputs()).scalar)


@pytest.mark.parametrize("backend", CHOICES)
def test_a_merged_network_equals_the_updated_one(backend):
    updated, merged = network(backend), network(backend)
    before = merged(*inputs()).scalar
    add_low_rank_updates(updated, rank=2, alpha=3.0)
    disturb(updated)
    merged.load_state_dict(merge_low_rank_updates(updated.state_dict()))
    torch.testing.assert_close(merged(*inputs()).scalar, updated(*inputs()).scalar)
    assert not torch.allclose(merged(*inputs()).scalar, before)


def test_every_kernel_sees_the_update_and_its_gradient():
    results = {}
    for backend in CHOICES:
        model = network(backend)
        torch.manual_seed(2)
        add_low_rank_updates(model, rank=2)
        disturb(model)
        ups = {k: p for k, p in model.named_parameters() if k.endswith((".up", ".down"))}
        loss = model(*inputs()).scalar.square().sum()
        results[backend] = dict(
            zip(ups, torch.autograd.grad(loss, list(ups.values())), strict=True)
        )
    for name, gradient in results["fused"].items():
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(gradient, results["textbook"][name], msg=name)


def test_the_update_is_the_product_of_its_factors():
    update = LowRankUpdate(3, 5, rank=2, alpha=6.0).double()
    torch.nn.init.normal_(update.up)
    weight = torch.randn(3, 5, dtype=torch.float64)
    change = update(weight) - weight
    torch.testing.assert_close(change, 3 * update.up @ update.down)
    assert torch.linalg.matrix_rank(change) == 2


def test_only_selected_layers_get_an_update_of_at_most_their_rank():
    model = network()
    names = add_low_rank_updates(model, rank=4, chosen=lambda name: name.startswith("readouts"))
    assert names == ["readouts.0", "readouts.1"]
    assert model.readouts[0].parametrizations.weight[0].up.shape == (1, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": 0}, "rank must be at least 1, got 0"),
        ({"rank": 1, "alpha": -1.0}, "alpha must be positive, got -1.0"),
        ({"rank": 1, "chosen": lambda name: False}, "no linear layer was selected"),
    ],
)
def test_invalid_arguments_raise(changes, message):
    with pytest.raises(ValueError, match=message):
        add_low_rank_updates(network(), **changes)


def test_updates_have_the_dtype_of_their_weights():
    model = network()
    add_low_rank_updates(model, rank=1)
    assert all(parameter.dtype == torch.float64 for parameter in model.parameters())


def test_a_second_update_raises():
    model = nn.Sequential(nn.Linear(2, 2))
    add_low_rank_updates(model, rank=1)
    with pytest.raises(ValueError, match="the weight of layer '0' is already parametrized"):
        add_low_rank_updates(model, rank=1)


@pytest.mark.parametrize(("rows", "columns", "rank"), [(8, 2, 2), (2, 8, 2), (8, 8, 5)])
def test_rank_and_scale_are_as_requested(rows, columns, rank):
    update = LowRankUpdate(rows, columns, rank=5)
    assert update.down.shape == (rank, columns) and update.up.shape == (rows, rank)
    assert update.scale == 1 and not update.up.any()
    assert 0 < update.down.abs().max() <= columns**-0.5  # the initial range of a linear layer
    assert LowRankUpdate(rows, columns, rank=5, alpha=0.5).scale == 0.5 / rank
    weight = torch.rand(rows, columns)
    update.up.data.normal_()
    torch.testing.assert_close(update(weight), weight + update.up @ update.down)


def test_an_update_is_initialised_like_a_linear_layer():
    torch.manual_seed(0)
    start = LowRankUpdate(200, 400, rank=100).down
    assert start.abs().max().item() == pytest.approx(400**-0.5, rel=1e-3)
    for alpha in (0.0, -1.0):
        with pytest.raises(ValueError, match="^alpha must be positive, got"):
            LowRankUpdate(2, 2, rank=1, alpha=alpha)
