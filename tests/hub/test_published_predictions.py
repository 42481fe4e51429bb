"""Every published model returns what it returned when its outputs were stored."""

from __future__ import annotations

import numpy as np
import pytest
from published_samples import STORED, outputs_of

import geozoo
from geozoo.hub import TrainedModel, shipped_models
from geozoo.hub.description import FILE_NAME, Description

#: Models whose weights are those of this repository; for those of other packages, the results of
#: these packages are compared in `test_sevennet`.
OWN = [
    name
    for name, folder in shipped_models().items()
    if Description.read(folder / FILE_NAME).weights.package is None
]


@pytest.mark.parametrize("name", OWN)
def test_a_published_model_returns_what_it_did(name: str) -> None:
    path = STORED / f"{name}.npz"
    assert path.is_file(), f"write it: python tests/hub/published_samples.py {name}"
    with np.load(path) as stored:
        arrays = dict(stored)
    inputs = {key: value for key, value in arrays.items() if not key.startswith("output_")}
    model = geozoo.load(name)
    assert isinstance(model, TrainedModel)
    found = outputs_of(model, inputs)
    assert set(found) == arrays.keys() - inputs.keys()
    for key, value in found.items():
        wanted = arrays[key]
        size = np.abs(wanted).max()
        np.testing.assert_allclose(value, wanted, rtol=2e-4, atol=2e-5 * size, err_msg=key)
        assert np.abs(wanted).max() > 1e-3  # outputs of zero would show nothing


def test_only_published_models_have_outputs() -> None:
    assert sorted(path.stem for path in STORED.iterdir()) == sorted(OWN)
