"""Options of NequIP: symmetry, isolated atoms, contradictions."""

from __future__ import annotations

import pytest
import torch

from geozoo.models import NequIP, NequIPOptions
from geozoo.ops import textbook

SMALL = {"hidden_channels": 4, "num_layers": 3, "degree": 1, "radius": 3.0}


def energy(model: NequIP, pos: torch.Tensor) -> torch.Tensor:
    x = torch.eye(4).double()[: len(pos)]
    with textbook():
        return model(pos, x, torch.zeros(len(pos), dtype=torch.long)).scalar.detach()


def made(**options: object) -> NequIP:
    torch.manual_seed(0)
    return NequIP(4, 1, options=options, **SMALL).double()


def test_mirror_images_are_distinguished_without_parity_only() -> None:
    pos = torch.randn(4, 3, generator=torch.Generator().manual_seed(1)).double()
    rotation = torch.linalg.qr(torch.randn(3, 3).double())[0]
    rotation = rotation * rotation.det()
    for options, differs in (
        ({}, False), ({"irreps": "4x0e+4x1o"}, False), ({"parity": False}, True),
    ):  # fmt: skip
        model = made(**options)
        one, turned, mirrored = (energy(model, each) for each in (pos, pos @ rotation.T, -pos))
        torch.testing.assert_close(turned, one)
        assert (float((mirrored - one).abs()) > 1e-10) == differs


def test_atoms_without_neighbours_have_no_energy_without_a_first_self_connection() -> None:
    alone = torch.zeros(1, 3).double()
    for kind in ("inputs", "embedding"):
        options = {"self_connection": kind, "first_self_connection": False}
        assert float(energy(made(**options), alone)) == 0
    assert abs(float(energy(made(), alone))) > 1e-3
    shifted = made(first_self_connection=False, element_scaling=True)
    with torch.no_grad():
        shifted.scaling.shift[0] = 3.0
    assert float(energy(shifted, alone)) == 3.0


def test_scaling_begins_without_effect() -> None:
    pos = torch.randn(4, 3).double()
    torch.testing.assert_close(energy(made(element_scaling=True), pos), energy(made(), pos))


def test_features_are_those_of_the_options() -> None:
    model = made(irreps="5x0e+2x1o", embedding_channels=3)
    assert [str(gate.irreps_out) for gate in model.gates] == ["5x0e+2x1o"] * 2 + ["5x0e"]
    assert str(model.embedding.irreps_out) == "3x0e"
    assert str(made(parity=False).gates[0].irreps_out) == "4x0e+4x1e"
    depth = made(radial_layers=3, radial_bias=False).convolutions[0].radial
    assert len(depth) == 7 and all(getattr(part, "bias", None) is None for part in depth)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"self_connection": "embedding"},
        {"self_connection": "linear", "parity": False, "gate": "silu", "scalar_bias": True,
         "irreps": "4x1e+5x0e"},
        {"first_self_connection": False, "irreps": "3x0o+4x0e+2x1o"},
    ],
    ids=["default", "embedding", "sevennet", "order"],
)  # fmt: skip
def test_layers_on_blocks_give_energies_and_derivatives_of_those_of_e3nn(
    options: dict[str, object],
) -> None:
    model = made(**options)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    pos = torch.randn(4, 3).double().requires_grad_()
    x, batch = torch.eye(4).double(), torch.zeros(4, dtype=torch.long)

    def derivatives() -> list[torch.Tensor]:
        value = model(pos, x, batch).scalar.sum()
        (force,) = torch.autograd.grad(value, pos, create_graph=True)
        leaves = [pos, *(each for each in model.parameters() if each.numel())]
        second = torch.autograd.grad(
            force.square().sum(), leaves, allow_unused=True, materialize_grads=True
        )
        return [value, force, *second]

    with textbook():
        expected = derivatives()
    for one, other in zip(derivatives(), expected, strict=True):
        # e3nn keeps its coupling coefficients in the default precision, float32.
        size = float(other.detach().abs().max()) if other.numel() else 0.0
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6 * (1e-3 + size))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gate": "relu"}, "gate must be one of sigmoid, silu; got 'relu'"),
        ({"self_connection": "none"}, "self_connection must be one of inputs, embedding, linear"),
        ({"window_place": "x"}, "window_place must be one of weights, basis"),
        ({"window_place": "basis"}, '^window_place "basis" needs radial_bias=False'),
        ({"window_start": 3.0}, "^start must be from 0 to below radius=3.0"),
        ({"window_power": 1}, "power must be at least 2"),
        ({"radial_layers": 0}, "radial_layers must be at least 1"),
        ({"embedding_channels": 0}, "embedding_channels must be at least 1"),
        ({"denominator": 0.0}, "denominator must be positive or None, got 0.0"),
        ({"irreps": "4x0q"}, "irreps must be in e3nn notation, .* got '4x0q'"),
        ({"irreps": "4x1o"}, "irreps must list 0e, and each irrep once, got '4x1o'"),
        ({"irreps": "4x0e+2x0e"}, "irreps must list 0e, and each irrep once"),
        ({"irreps": "4x0e+2x1o", "parity": False}, "irreps must be even without parity"),
    ],
)
def test_invalid_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(**options)


def test_irreps_without_those_of_the_outputs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"options\.irreps must have .* outputs, 1o among them"):
        NequIP(1, 1, out_vectors=1, options=NequIPOptions(irreps="4x0e+2x1e"), **SMALL)
