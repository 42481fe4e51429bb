"""Training steps do not synchronise with the device, so that work can be queued ahead."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from lightning import Trainer
from tiny_graphs import tiny_data
from tiny_traffic import tiny_gram_ode, tiny_traffic

from geozoo.models import Ponita
from geozoo.options import in_groups
from geozoo.tasks import Dynamics, Forecasting, Potential

SIZES = {
    "hidden_channels": 8, "basis_channels": 8, "num_layers": 2, "num_orientations": 6,
}  # fmt: skip
GEOMETRIC = {"dynamics": Dynamics, "potential": Potential}
#: A device without values, which refuses to be asked; and where there is one, a real one.
NEEDS_GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
DEVICES = ["meta", pytest.param("cuda", marks=NEEDS_GPU)]


def geometric(kind: str, **options: Any) -> tuple[Any, Any]:
    data = tiny_data(kind)
    model = Ponita(**in_groups(Ponita, data.spec.model_arguments() | SIZES | options))
    return GEOMETRIC[kind](model, data.spec), data


def traffic(**options: Any) -> tuple[Any, Any]:
    data = tiny_traffic()
    return Forecasting(tiny_gram_ode(data, **options), data.spec), data


CASES = {
    "dynamics": lambda: geometric("dynamics"),
    "dynamics, every edge": lambda: geometric("dynamics", backend="fused"),
    "dynamics, textbook": lambda: geometric("dynamics", backend="textbook"),
    "dynamics, recomputed": lambda: geometric("dynamics", recompute=True),
    "dynamics, frames": lambda: geometric(
        "dynamics", representation="frames", num_orientations=12, depthwise=False
    ),
    "dynamics, sorted": lambda: geometric("dynamics", backend="triton"),
    "potential": lambda: geometric("potential"),
    "potential, every edge": lambda: geometric("potential", backend="fused"),
    "potential, sorted": lambda: geometric("potential", backend="triton"),
    "potential, recomputed": lambda: geometric("potential", recompute=True),
    "traffic": lambda: traffic(),
    "traffic, recomputed": lambda: traffic(recompute=True),
    "traffic, general": lambda: traffic(backend="general"),
}  # fmt: skip


@contextmanager
def refused(device: str) -> Iterator[None]:
    """Turn every synchronisation with the device into an error."""
    if device == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        if device == "cuda":
            torch.cuda.set_sync_debug_mode("default")


def step(task: Any, batch: Any) -> None:
    task.loss(task.training_batch(batch, 0))["loss"].backward()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CASES)
def test_a_training_step_never_synchronises(name, device):
    task, data = CASES[name]()
    task, store = task.to(device).train(), data.store.to(device)
    index = torch.arange(3)
    if device == "cuda":
        step(task, store.gather(index))  # rotation tables are made once per epoch
    with refused(device):
        step(task, store.gather(index))
    assert all(p.grad is not None for p in task.parameters() if p.requires_grad)


def test_the_meta_device_detects_a_synchronisation():
    task, data = geometric("dynamics", radius=1.0)
    task, store = task.to("meta"), data.store.to("meta")
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        step(task, store.gather(torch.arange(3)))


def count_waits(num_batches: int) -> int:
    """Number of synchronisations in an epoch of the given number of batches."""
    data = tiny_data("dynamics", num_graphs=400)
    task = Dynamics(Ponita(**in_groups(Ponita, data.spec.model_arguments() | SIZES)), data.spec)
    trainer = Trainer(
        accelerator="gpu", devices=1, max_epochs=1, limit_train_batches=num_batches, logger=False,
        limit_val_batches=0, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            trainer.fit(task, datamodule=data)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in caught)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_synchronisations_per_epoch_do_not_grow_with_the_number_of_batches():
    count_waits(2)  # the first epoch loads kernels
    assert count_waits(4) == count_waits(20)
