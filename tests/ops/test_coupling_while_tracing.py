"""Coupling coefficients that are first needed while a network is traced."""

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from geozoo.ops.steerable import coupling, paths


def test_coefficients_first_needed_while_tracing_have_values(monkeypatch):
    monkeypatch.setattr(paths, "_COUPLINGS", {})
    trace = make_fx(
        lambda x: x * coupling((1, 1, 2)).square().sum().to(x),
        tracing_mode="symbolic", _allow_non_fake_inputs=True,
    )  # fmt: skip
    torch.testing.assert_close(trace(torch.ones(3))(torch.ones(3)), torch.ones(3))
    assert type(coupling((1, 1, 2))) is torch.Tensor
    assert abs(float(coupling((1, 1, 2)).square().sum()) - 1) < 1e-12
