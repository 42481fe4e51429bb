"""The moving average of weights."""

import pytest
import torch
from lightning import LightningModule, Trainer

from geozoo.runs.averaging import WeightsAveraged

o3 = pytest.importorskip("e3nn.o3")


def product() -> torch.nn.Module:
    """A product of e3nn whose deep copies have more buffers than itself."""
    vectors, harmonics = o3.Irreps("8x1o"), o3.Irreps.spherical_harmonics(2)
    outputs, paths = [], []
    for j, (_, harmonic) in enumerate(harmonics):
        for kind in o3.Irrep("1o") * harmonic:
            if kind.l <= 2:
                paths.append((0, j, len(outputs), "uvu", True))
                outputs.append((8, kind))
    return o3.TensorProduct(
        vectors, harmonics, o3.Irreps(outputs), paths, shared_weights=False, internal_weights=False
    )


class Module(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.product, self.norm = product(), torch.nn.BatchNorm1d(5)


def test_copies_with_constants_of_their_own_are_averaged():
    module, callback = Module(), WeightsAveraged(0.5)
    callback.setup(Trainer(logger=False, enable_progress_bar=False), module, "fit")
    average = callback._average_model
    assert [name for name, _ in average.module.named_buffers()] == [
        name for name, _ in module.named_buffers()
    ]
    with torch.no_grad():
        average.update_parameters(module)
        before = module.norm.weight.clone()
        module.norm.weight += 1.0
        module.norm.running_mean += 3.0
        average.update_parameters(module)
    torch.testing.assert_close(average.module.norm.weight, before + 0.5)
    torch.testing.assert_close(average.module.norm.running_mean, torch.full((5,), 3.0))
    assert average.module.state_dict().keys() == module.state_dict().keys()
