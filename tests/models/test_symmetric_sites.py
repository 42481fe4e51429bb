"""Forces in perfect crystals, which vanish by symmetry, in float32."""

import pytest
import torch
from test_periodic import NETWORKS, derivatives, made

CUBE = torch.tensor([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
DIAMOND = torch.tensor([[0.0, 0.0, 0.0], [0.25, 0.25, 0.25]]), [0, 0], 4.2
ROCK_SALT = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]), [0, 1], 4.4
# A grid of six orientations lacks the threefold axes of diamond's sites, so only others are exact.
EXACT = [name for name in NETWORKS if "bundle" not in name]


def largest_force(model, pos, kinds, length):
    x = torch.eye(2)[kinds]
    return float(derivatives(model, pos * length, x, CUBE * length).force.abs().max())


@pytest.mark.parametrize(("crystal", "names"), [(DIAMOND, EXACT), (ROCK_SALT, list(NETWORKS))])
def test_atoms_on_symmetric_sites_feel_no_forces(crystal, names):
    pos, kinds, length = crystal
    displacement = 0.02 * torch.randn(pos.shape, generator=torch.Generator().manual_seed(0))
    ratios = {}
    for name in names:
        model = made(name).float()
        perfect = largest_force(model, pos + 0.137, kinds, length)
        ratios[name] = perfect / largest_force(model, pos + displacement, kinds, length)
    assert {name: ratio for name, ratio in ratios.items() if ratio > 1e-3} == {}
