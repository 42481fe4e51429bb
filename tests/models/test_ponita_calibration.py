"""Calibration of the whole model: once, on the features that each layer then saw."""

import pytest
import torch
from ponita_cases import REPRESENTATIONS, batch_of, build


def record(model, monkeypatch):
    """Keep the arguments with which every convolution is calibrated."""
    seen = []
    for block in model.blocks:
        original = block.conv.calibrate

        def recording(x, *, _original=original, _conv=block.conv, **neighborhood):
            seen.append((_conv, x.clone(), neighborhood))
            return _original(x, **neighborhood)

        monkeypatch.setattr(block.conv, "calibrate", recording)
    return seen


@pytest.mark.parametrize("depthwise", [True, False])
@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_every_convolution_keeps_the_spread_it_saw(representation, depthwise, monkeypatch):
    model = build(representation, depthwise=depthwise)
    seen = record(model, monkeypatch)
    model.calibrate(**batch_of([4, 3], model=model))
    assert [conv for conv, *_ in seen] == [block.conv for block in model.blocks]
    with torch.no_grad():
        for conv, x, neighborhood in seen:
            out = conv(x, **neighborhood) - conv.bias
            assert float(out.std() / x.std()) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_output_is_the_uncalibrated_one_and_the_next_differs(representation):
    model = build(representation)
    inputs = batch_of([4, 3], model=model)
    before = model(**inputs)
    returned = model.calibrate(**inputs)
    after = model(**inputs)
    for part, value, changed in zip(before, returned, after, strict=True):
        if part is not None:
            assert not value.requires_grad
            torch.testing.assert_close(value, part, rtol=1e-12, atol=1e-12)
            assert (changed - part).abs().max() > 1e-6


def test_features_of_zero_leave_finite_weights():
    model = build(in_vectors=0, out_vectors=0)
    first = model.blocks[0].conv.kernel.weight.clone()
    inputs = batch_of([4, 3], model=model)
    model.calibrate(**inputs | {"x": torch.zeros_like(inputs["x"])})
    assert torch.equal(model.blocks[0].conv.kernel.weight, first)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    assert torch.isfinite(model(**inputs).scalar).all()


def test_calibrating_twice_is_refused_also_after_reloading():
    model = build()
    assert not model.calibrated
    inputs = batch_of([4, 3], model=model)
    model.calibrate(**inputs)
    assert model.state_dict()["calibrated"].item() is True
    reloaded = build(seed=1)
    reloaded.load_state_dict(model.state_dict())
    for calibrated in (model, reloaded):
        with pytest.raises(RuntimeError, match="already calibrated"):
            calibrated.calibrate(**inputs)


def test_forward_changes_nothing():
    model = build()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.train()(**batch_of([4, 3], model=model))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
