"""Networks cut out of a PONITA, against every equation with the leading weights written out."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from geozoo.contracts import Resizable
from geozoo.geometry import orientation_invariants, r3s2_invariants, sphere_grid
from geozoo.models import Ponita


def network(**options):
    torch.manual_seed(0)
    given = {"in_vectors": 1, "out_vectors": 1, "hidden_channels": 8, "num_layers": 4}
    given |= {"orientations": {"num_orientations": 6}, "kernel": {"basis_channels": 10}}
    model = Ponita(2, 1, **{**given, **options}).double()
    for weight in model.parameters():  # no bias and no norm is trivial
        weight.data += 0.1 * torch.randn_like(weight)
    return model


def inputs():
    generator = torch.Generator().manual_seed(1)
    pos, x = (torch.randn(5, n, generator=generator).double() for n in (3, 2))
    vec = torch.randn(5, 1, 3, generator=generator).double()
    return {"pos": pos, "x": x, "batch": torch.tensor([0, 0, 0, 1, 1]), "vec": vec}


def leading(model, given, grid, layers, width):
    """Scalars and vectors of the nodes from leading weights of a whole network, pair by pair."""
    pos, x, vec, batch = (given[name] for name in ("pos", "x", "vec", "batch"))
    rep, c = model.representation, width

    def basis(layer, invariants):
        hidden = layer.features(invariants) @ layer.linear_1.weight[:c].T + layer.linear_1.bias[:c]
        return functional.gelu(
            functional.gelu(hidden) @ layer.linear_2.weight[:, :c].T + layer.linear_2.bias
        )

    fiber = basis(rep.fiber_basis, orientation_invariants(grid.unsqueeze(1), grid, "published"))
    along = torch.einsum("nvd,od->nov", vec, grid)
    lifted = torch.cat([x.unsqueeze(1).expand(-1, len(grid), -1), along], -1)
    f, total = lifted @ model.embedding.weight[:c].T, 0.0
    for block, readout in list(zip(model.blocks, model.readouts, strict=True))[:layers]:
        rows = []
        for i in range(len(pos)):
            row = torch.zeros_like(f[0])
            for j in range(len(pos)):
                if batch[i] == batch[j]:
                    invariants = r3s2_invariants((pos[j] - pos[i]).expand(len(grid), 3), grid)
                    kernel = basis(rep.basis, invariants) @ block.conv.kernel.weight[:c].T
                    row = row + kernel * f[j]
            rows.append(row)
        y = torch.stack(rows)
        weight = block.conv.fiber_kernel.weight
        if block.conv.groups == 1:
            matrix = (fiber @ weight.T).unflatten(-1, (8, 8))[..., :c, :c]
            z = torch.einsum("nod,opcd->npc", y, matrix) / len(grid)
        else:
            z = torch.einsum("noc,opc->npc", y, fiber @ weight[:c].T) / len(grid)
        z = z + block.conv.bias[:c]
        z = functional.layer_norm(z, (c,), block.norm.weight[:c], block.norm.bias[:c])
        first, second = block.linear_1, block.linear_2
        z = functional.gelu(z @ first.weight[: 4 * c, :c].T + first.bias[: 4 * c])
        f = f + z @ second.weight[:c, : 4 * c].T + second.bias[:c]
        total = total + f @ readout.weight[:, :c].T + readout.bias
    total = total / layers
    return total[..., :1].mean(1), torch.einsum("no,od->nd", total[..., 1], grid) / len(grid)


@pytest.mark.parametrize("depthwise", [True, False])
@pytest.mark.parametrize("backend", ["auto", "fused", "textbook"])
def test_leading_weights_give_the_sums_written_out(depthwise, backend):
    kernel = {"basis_channels": 10, "depthwise": depthwise, "backend": backend}
    model, given = network(level="node", kernel=kernel), inputs()
    part = model.resized(orientations=8, num_layers=2, width=0.5)
    found = part(**given)
    scalar, vector = leading(model, given, sphere_grid(8).double(), layers=2, width=4)
    torch.testing.assert_close(found.scalar, scalar, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(found.vector[:, 0], vector, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"representation": "bundle_full"}, {"representation": "edges"},
        {"representation": "position", "in_vectors": 0, "out_vectors": 0},
        {"representation": "frames", "orientations": {"num_orientations": 12}},
    ],
)  # fmt: skip
def test_the_whole_network_is_a_part_of_itself(options):
    model, given = network(**options), inputs()
    if not model.in_vectors:
        given["vec"] = None
    part = model.resized(num_layers=4, width=1.0)
    assert isinstance(model, Resizable) and part is not model
    for name, value in model.state_dict().items():
        assert torch.equal(part.state_dict()[name], value), name
    assert torch.equal(part(**given).scalar, model(**given).scalar)
    part.embedding.weight.data.zero_()  # its own memory
    assert model.embedding.weight.abs().sum() > 0


def test_a_part_of_a_part_and_a_grid_of_ones_own():
    model, given = network(), inputs()
    direct = model.resized(orientations=12, num_layers=2, width=0.5)
    steps = model.resized(width=0.5).resized(orientations=12).resized(num_layers=2)
    assert torch.equal(direct(**given).scalar, steps(**given).scalar)
    assert direct.size_arguments == {
        "hidden_channels": 4, "num_layers": 2, "orientations": {"num_orientations": 12},
    }  # fmt: skip
    grid = sphere_grid(12).double()
    assert torch.equal(model.resized(orientations=grid)(**given).scalar,
                       model.resized(orientations=12)(**given).scalar)  # fmt: skip
    with pytest.raises(ValueError, match="grid of its own"):
        model.resized(orientations=grid).resized(orientations=6)


def test_gradients_reach_the_leading_weights_only():
    model, given = network(blocks={"recompute": True}), inputs()
    part = model.resized(orientations=8, num_layers=2, width=0.5)
    shared = model.shared_parameters(part)
    assert shared.keys() == dict(part.named_parameters()).keys()
    part(**given).scalar.sum().backward()
    loss = sum((shared[n] * w.grad).sum() for n, w in part.named_parameters())
    loss.backward()
    got = model.blocks[0].linear_2.weight.grad
    assert torch.equal(got[:4, :16], part.blocks[0].linear_2.weight.grad)
    assert not got[4:].any() and not got[:, 16:].any()
    assert model.blocks[2].linear_1.weight.grad is None


@pytest.mark.parametrize(
    ("options", "size", "message"),
    [
        ({}, {"num_layers": 5}, "num_layers must be at most 4"),
        ({}, {"num_layers": 0}, "num_layers must be"),
        ({}, {"width": 1.5}, r"width must be a fraction in \(0, 1\], got 1.5"),
        ({}, {"width": 0.3}, "width must give a whole number of the 8 channels, got 0.3"),
        ({}, {"orientations": 7}, "even number"),
        ({}, {"orientations": 0}, "orientations must be"),
        ({"representation": "frames", "orientations": {"num_orientations": 12}},
         {"orientations": 24}, 'got "frames", whose points are not a grid'),
        ({"blocks": {"multiple_readouts": False}}, {"num_layers": 2}, "a single readout"),
    ],
)  # fmt: skip
def test_sizes_that_a_network_does_not_have(options, size, message):
    with pytest.raises(ValueError, match=message):
        network(**options).resized(**size)


def test_a_network_with_other_weights_is_refused():
    model = network()
    model.embedding = torch.nn.Linear(3, 8, bias=True).double()
    del model.embedding.weight
    with pytest.raises(ValueError, match=r"lacks 'embedding.weight'"):
        model.resized(width=0.5)
