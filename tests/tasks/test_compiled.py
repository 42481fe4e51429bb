"""Compiled training steps: equality, bounded recompilation and fallback."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_graphs import tiny_data
from tiny_traffic import tiny_gram_ode, tiny_traffic
from torch._dynamo.testing import CompileCounter

from geozoo.models import Ponita
from geozoo.options import in_groups
from geozoo.tasks import Dynamics, Forecasting, Potential, _compiled

SIZES = {
    "hidden_channels": 8, "basis_channels": 8, "num_layers": 2, "num_orientations": 6,
}  # fmt: skip


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def geometric(kind: str, task_type: type, **options: Any) -> Any:
    torch.manual_seed(0)
    spec = tiny_data(kind).spec
    model = Ponita(**in_groups(Ponita, spec.model_arguments() | SIZES | options))
    return task_type(model, spec, augment=False).double()


def species() -> Any:
    """A potential with one scale per species."""
    torch.manual_seed(0)
    spec = tiny_data("potential").spec
    scales = {**spec.statistics, "force_scale_6": 3.0}
    spec = replace(spec, elements=(6,), statistics=scales)
    sizes = Potential.model_arguments(spec, {"scale_by": "species"})
    model = Ponita(**in_groups(Ponita, sizes | SIZES))
    return Potential(model, spec, augment=False, scale_by="species").double()


def traffic() -> Any:
    torch.manual_seed(0)
    data = tiny_traffic()
    return Forecasting(tiny_gram_ode(data, dropout=0.0), data.spec).double()


CASES = {
    "pairs": lambda: (geometric("dynamics", Dynamics), tiny_data("dynamics")),
    "radius": lambda: (geometric("dynamics", Dynamics, radius=2.0), tiny_data("dynamics")),
    "edges": lambda: (geometric("dynamics", Dynamics, backend="fused"), tiny_data("dynamics")),
    "forces": lambda: (geometric("potential", Potential), tiny_data("potential")),
    "forces, radius": lambda: (
        geometric("potential", Potential, radius=2.0, backend="fused"), tiny_data("potential"),
    ),
    "species": lambda: (species(), tiny_data("potential")),
    "traffic": lambda: (traffic(), tiny_traffic()),
}  # fmt: skip


def gradients(task: Any, batch: Any) -> dict[str, torch.Tensor]:
    """Losses and parameter gradients."""
    task.train()
    task.zero_grad()
    parts = task.loss(batch)
    (3 * parts["loss"]).backward()
    found = {name: part.detach() for name, part in parts.items()}
    return found | {name: p.grad.clone() for name, p in task.named_parameters()}


@pytest.mark.thorough
@pytest.mark.parametrize("name", CASES)
def test_a_compiled_step_equals_the_uncompiled_one(name):
    task, data = CASES[name]()
    batch = data.calibration_batch()
    expected = gradients(task, batch)
    task.compile_training(backend="eager")
    for _ in range(2):
        found = gradients(task, batch)
        assert found.keys() == expected.keys()
        for key, value in found.items():
            torch.testing.assert_close(value, expected[key], rtol=1e-9, atol=1e-11)


def assert_plain(task: Any, batch: Any) -> None:
    """Check that a task, compiled or not, gives the losses and gradients of an uncompiled one."""
    found = gradients(task, batch)
    compiled = task._compiled_model, getattr(task, "_compiled_step", None)
    task._compiled_model = task._compiled_step = None
    expected = gradients(task, batch)
    task._compiled_model, task._compiled_step = compiled
    for key, value in found.items():
        torch.testing.assert_close(value, expected[key], rtol=1e-9, atol=1e-11)


def warnings_of(caplog: Any) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.thorough
def test_batches_of_many_sizes_need_few_compilations():
    task, data = geometric("dynamics", Dynamics), tiny_data("dynamics")
    counter = CompileCounter()
    task.compile_training(backend=counter)
    for count in (2, 3, 4, 5, 2, 5, 3):
        assert_plain(task, data.store.gather(torch.arange(count)))
    # One for the first size and one for all others.
    assert counter.frame_count <= 2


@pytest.mark.thorough
def test_steps_are_traced_for_a_bounded_number_of_shapes(caplog, monkeypatch):
    monkeypatch.setattr(_compiled, "SHAPE_LIMIT", 2)
    task, data = geometric("potential", Potential), tiny_data("potential")
    counter = CompileCounter()
    task.compile_training(backend=counter)
    for count in (2, 3, 4, 5, 2, 5, 3):
        assert_plain(task, data.store.gather(torch.arange(count)))
    assert counter.frame_count == 2
    (warning,) = warnings_of(caplog)
    assert "not compiled: batches have more than 2 shapes" in warning


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["pairs", "forces", "traffic"])
def test_a_compiler_failure_is_logged_once(name, caplog):
    task, data = CASES[name]()

    def broken(graph, inputs):
        raise RuntimeError("no compiler here")

    task.compile_training(backend=broken)
    for _ in range(3):
        assert_plain(task, data.calibration_batch())
    (warning,) = (text for text in warnings_of(caplog) if text.startswith("not compiled"))
    assert warning == "not compiled: RuntimeError: no compiler here; training continues"


def test_input_errors_are_not_treated_as_compiler_failures():
    task, data = CASES["pairs"]()
    task.compile_training(backend="eager")
    batch = data.calibration_batch()
    with pytest.raises(ValueError, match="x must have shape"):
        task.loss(batch.replace(x=batch.x[:, :0]))


@pytest.mark.parametrize("name", ["pairs", "forces"])
def test_validation_is_not_compiled(name):
    task, data = CASES[name]()
    counter = CompileCounter()
    task.compile_training(backend=counter)
    task.eval()
    task.predict(data.calibration_batch())
    assert counter.frame_count == 0
