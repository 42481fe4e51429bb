"""The published implementation's float64 energies, forces and stresses are reproduced."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.parity_mace import deviations, model_of
from geozoo.models import MACE, load_mace_weights
from geozoo.ops import textbook

# Written by `python benchmarks/mace_reference.py FILE tiny tiny_later`.
with np.load(Path(__file__).parent / "mace_reference.npz", allow_pickle=False) as FILE:
    ARRAYS = {key: FILE[key] for key in FILE.files}
NAMES = [key.removesuffix(".options") for key in ARRAYS if key.endswith(".options")]

COUPLINGS = "products.0.symmetric_contractions.contractions.0.U_matrix_2"


def weights(name: str = "tiny") -> dict[str, torch.Tensor]:
    prefix = f"{name}.w."
    return {
        key.removeprefix(prefix): torch.as_tensor(value)
        for key, value in ARRAYS.items() if key.startswith(prefix)
    }  # fmt: skip


def built(given: dict[str, torch.Tensor], **changed: object) -> MACE:
    options = json.loads(str(ARRAYS["tiny.options"]))
    return model_of(options | changed, given)[0]


def test_outputs_are_those_of_the_published_implementation():
    assert NAMES == ["tiny", "tiny_later"]
    for name in NAMES:
        with textbook():  # without compilation
            worst = deviations(ARRAYS, name)
        assert set(worst) == {"energy", "node_energy", "forces", "stress"}
        assert max(worst.values()) < 1e-13, (name, worst)


def test_constants_are_those_of_free_atoms_plus_the_shift():
    given = weights()
    model = built(given)
    constants = load_mace_weights(model, given)
    expected = given["atomic_energies_fn.atomic_energies"] + given["scale_shift.shift"]
    torch.testing.assert_close(constants, expected.flatten())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda w: w.pop("readouts.1.linear_2.weight"), "readouts.1.linear_2.weight is missing"),
        (lambda w: w.update(more=torch.ones(2)), "no place for more"),
        (lambda w: w["radial_embedding.bessel_fn.bessel_weights"].mul_(1.1), "must be k pi"),
        (
            lambda w: w[COUPLINGS][0, 1].add_(1),
            "not spanned",
        ),
        (
            lambda w: w.update({"readouts.0.linear.weight": torch.ones(6)}),
            "readouts.0.linear.weight must have 1 [*] 3 [*] 1 entries",
        ),
    ],
)  # fmt: skip
def test_weights_of_another_model_are_refused(spoil, message):
    given = {key: value.clone() for key, value in weights().items()}
    spoil(given)
    with pytest.raises(ValueError, match=message):
        built(given)


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="must have .* entries"):
        built(weights(), channels=4)
    with pytest.raises(ValueError, match="must be k pi / radius"):
        built(weights(), radius=4.0)
    with pytest.raises(ValueError, match="out_channels=1"):
        load_mace_weights(MACE(3, 2), weights())
