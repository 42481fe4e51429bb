"""Captured steps equal ordinary training steps: one by one on a CPU, as CUDA graphs on a GPU."""

import copy

import pytest
import torch
from tiny_graphs import TinyModel, tiny_data
from torch.optim.swa_utils import get_ema_multi_avg_fn

from geozoo.data import GraphStore
from geozoo.models import Ponita, Rapidash
from geozoo.options import in_groups
from geozoo.tasks import Dynamics, Generation, Potential
from geozoo.tasks.captured import CapturedSteps, WeightAverage
from geozoo.tasks.parameter_groups import parameter_groups

SIZES = {
    "hidden_channels": 8, "basis_channels": 8, "num_layers": 2, "num_orientations": 6,
}  # fmt: skip
TASKS = {"dynamics": Dynamics, "potential": Potential}
NEEDS_GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
DEVICES = ["cpu", pytest.param("cuda", marks=NEEDS_GPU)]


def made(kind="dynamics", device="cpu", rate=1e-2, **options):
    """A task with its optimizer, and the data on the device."""
    torch.manual_seed(0)
    data = tiny_data(kind)
    task = TASKS[kind](
        Ponita(**in_groups(Ponita, data.spec.model_arguments() | SIZES | options)), data.spec
    )
    # Adam amplifies rounding: in float64 the summation order makes no difference.
    task = task.double().to(device).train()
    data.store.node = {name: value.double() for name, value in data.store.node.items()}
    optimizer = torch.optim.AdamW(parameter_groups(task.model), lr=rate, weight_decay=1e-2)
    return task, optimizer, data.store.to(device)


def batches(number=7, last=2):
    """Indices into the store of a few batches, the last one smaller."""
    generator = torch.Generator().manual_seed(1)
    sizes = [5] * number + [last]
    return [torch.randperm(20, generator=generator)[:size] for size in sizes]


def by_hand(task, optimizer, store, table, clipping, average=None):
    """The textbook training loop; returns the mean loss over the graphs."""
    total, count = 0.0, 0
    for index in batches():
        optimizer.zero_grad()
        loss = task.loss(task.turned(store.gather(index), table))["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.model.parameters(), clipping)
        optimizer.step()
        if average is not None:
            with torch.no_grad():
                average(task.model)
        total, count = total + float(loss.detach()) * len(index), count + len(index)
    return total / count


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", TASKS)
def test_steps_equal_those_of_the_textbook_loop(kind, device):
    task, optimizer, store = made(kind, device)
    other, plain, _ = made(kind, device)
    table = task.rotation_table(3)
    mean = by_hand(other, plain, store, table.to(device), 0.5)
    steps = CapturedSteps(task, optimizer, store, steps_per_graph=3, clipping=0.5)
    steps.record(batches(), table)
    steps.run(batches(), table)
    for one, its in zip(task.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, its, rtol=1e-7, atol=1e-9)
    found = float(steps.take_totals()["loss"]) / sum(map(len, batches()))
    assert found == pytest.approx(mean, rel=1e-9)
    assert float(steps.take_totals()["loss"]) == 0


@pytest.mark.parametrize("device", DEVICES)
def test_capture_changes_no_weight_and_no_state(device):
    task, optimizer, store = made(device=device)
    before = copy.deepcopy(task.state_dict())
    steps = CapturedSteps(task, optimizer, store, steps_per_graph=4)
    steps.record(batches(), task.rotation_table(0))
    for name, value in task.state_dict().items():
        assert torch.equal(value, before[name]), name
    for state in optimizer.state.values():
        assert all(not bool(value.any()) for value in state.values())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_new_learning_rate_reaches_the_captured_steps():
    task, optimizer, store = made(device="cuda", rate=0.0)
    before = copy.deepcopy(task.state_dict())
    steps = CapturedSteps(task, optimizer, store, steps_per_graph=4)
    steps.run(batches())
    assert all(torch.equal(v, before[k]) for k, v in task.state_dict().items())
    for group in optimizer.param_groups:
        group["lr"].fill_(1e-2)
    steps.run(batches())
    assert any(not torch.equal(v, before[k]) for k, v in task.state_dict().items())


@pytest.mark.parametrize("device", DEVICES)
def test_the_average_equals_that_of_pytorch(device):
    task, optimizer, store = made(device=device)
    other, plain, _ = made(device=device)
    table = task.rotation_table(0)
    theirs = torch.optim.swa_utils.AveragedModel(
        other.model, multi_avg_fn=get_ema_multi_avg_fn(0.7)
    )
    by_hand(other, plain, store, table.to(device), 1e9, theirs.update_parameters)
    average = WeightAverage(list(task.model.parameters()), 0.7)
    steps = CapturedSteps(task, optimizer, store, steps_per_graph=3, clipping=1e9, average=average)
    steps.run(batches(), table)
    for mine, its in zip(average.values, theirs.module.parameters(), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-7, atol=1e-9)
    kept = [p.detach().clone() for p in task.model.parameters()]
    with average.applied():
        assert torch.equal(next(task.model.parameters()), average.values[0])
    assert all(torch.equal(a, b) for a, b in zip(task.model.parameters(), kept, strict=True))


def test_neighbour_lists_of_complete_graphs_are_cached(monkeypatch):
    task, optimizer, store = made()
    asked = []
    find = Ponita.neighbors

    def counted(self, *args, **given):
        asked.append(1)
        return find(self, *args, **given)

    monkeypatch.setattr(Ponita, "neighbors", counted)
    CapturedSteps(task, optimizer, store, steps_per_graph=3).run(batches())
    assert len(asked) == 2  # two batch sizes
    assert "neighbors" not in vars(task.model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"radius": 2.0}, r"model\.radius must be null .* got 2\.0"),
        ({"optimizer": torch.optim.SGD}, "optimizer must be Adam or AdamW .* got SGD"),
        ({"steps": 0}, "steps_per_graph must be at least 1, got 0"),
        ({"ragged": True}, "graphs of the same size, got graphs with 4 to 5 nodes"),
        ({"noise": True}, "task .* draws noise on the CPU"),
        ({"layers": [1, 1]}, "model: Rapidash chooses points or edges by their positions"),
    ],
)
def test_steps_that_cannot_be_captured_raise(change, message, monkeypatch):
    task, optimizer, store = made(radius=change.get("radius"))
    if "optimizer" in change:
        optimizer = change["optimizer"](task.parameters(), lr=0.1)
    if "ragged" in change:
        store = GraphStore(torch.tensor([4, 5]), node={"pos": torch.zeros(9, 3)})
    if "layers" in change:
        task.model = Rapidash(1, 0, in_vectors=1, out_vectors=1, scales=change)
    if "noise" in change:
        monkeypatch.setattr(Dynamics, "draws_on_cpu", True)
    with pytest.raises(ValueError, match=message):
        CapturedSteps(task, optimizer, store, steps_per_graph=change.get("steps", 3))


def test_tasks_with_noise_declare_draws_on_cpu():
    assert Generation.draws_on_cpu
    assert not Dynamics.draws_on_cpu


def test_a_model_without_neighbour_lists_is_trained():
    torch.manual_seed(0)
    data = tiny_data()
    task = Dynamics(TinyModel(1, 0, in_vectors=1, out_vectors=1, level="node"), data.spec)
    optimizer = torch.optim.Adam(task.parameters(), lr=1e-2)
    before = copy.deepcopy(task.state_dict())
    CapturedSteps(task, optimizer, data.store, steps_per_graph=2).run(batches())
    assert any(not torch.equal(v, before[k]) for k, v in task.state_dict().items())
