"""The task that generates molecules."""

from __future__ import annotations

import pytest
import torch
from tiny_graphs import TinyModel

from geozoo.data import GeometricSpec, GraphBatch, GraphStore
from geozoo.diffusion import Diffusion, DiscreteDiffusion, KarrasDiffusion
from geozoo.tasks import Generation

pytest.importorskip("rdkit")
PROCESSES = {
    "karras": lambda: KarrasDiffusion(num_steps=3),
    "discrete": lambda: DiscreteDiffusion(5),
}


def make_store() -> GraphStore:
    generator = torch.Generator().manual_seed(0)
    sizes = torch.tensor([3, 5, 4, 3, 5, 5, 4, 3])
    count = int(sizes.sum())
    kind = torch.randint(0, 5, (count,), generator=generator)
    z = torch.tensor([1, 6, 7, 8, 9])[kind]
    x = torch.cat([torch.nn.functional.one_hot(kind, 5), z[:, None]], 1).float()
    return GraphStore(sizes, {"pos": torch.randn(count, 3, generator=generator), "x": x, "z": z})


def make_spec(**changes: object) -> GeometricSpec:
    values = {
        "level": "node", "dim": 3, "in_channels": 7, "out_channels": 6, "out_vectors": 1,
        "statistics": {"sizes": [0, 0, 0, 3, 2, 3], "elements": [1, 6, 7, 8, 9]},
    }  # fmt: skip
    return GeometricSpec(**{**values, **changes})


class NoisyModel(TinyModel):
    """A `TinyModel` for small molecules that is also conditioned on the noise level."""

    condition_channels = 1

    def forward(self, *args: object, condition: torch.Tensor, **inputs: object) -> object:
        """The output of `TinyModel`; the condition must have one row per graph."""
        assert condition.shape == (inputs["num_graphs"], 1)
        return super().forward(*args, **inputs)


def make_task(process: Diffusion, *, model: type = TinyModel, **options: object) -> Generation:
    torch.manual_seed(0)
    spec = make_spec()
    network = model(**spec.model_arguments())
    return Generation(network, spec, process=process, **options)


def batch_of(*positions: int) -> GraphBatch:
    return make_store().gather(list(positions))


@pytest.fixture(params=PROCESSES)
def process(request: pytest.FixtureRequest) -> Diffusion:
    return PROCESSES[request.param]()


@pytest.mark.parametrize("model", [TinyModel, NoisyModel])
def test_loss_trains_every_parameter(process: Diffusion, model: type) -> None:
    task = make_task(process, model=model)
    task.loss(batch_of(0, 1, 2))["loss"].backward()
    for name, parameter in task.model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_validation_does_not_depend_on_the_batch(process: Diffusion) -> None:
    task = make_task(process)
    together = task.predict(batch_of(0, 1, 2, 3))
    apart = [task.predict(batch_of(2, 3)), task.predict(batch_of(0, 1))]
    for name, values in together.items():
        expected = torch.cat([apart[1][name], apart[0][name]])
        torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-5)


def test_molecule_weights_of_the_mean(process: Diffusion) -> None:
    weights = make_task(process).targets(batch_of(0, 1))
    expected = [3.0, 5.0] if isinstance(process, KarrasDiffusion) else [1.0, 1.0]
    assert weights["loss"].tolist() == expected


def test_likelihood_exists_in_discrete_time_only(process: Diffusion) -> None:
    is_discrete = isinstance(process, DiscreteDiffusion)
    task = make_task(process)
    assert ("nll" in task.predict(batch_of(0, 1))) == is_discrete
    assert ("nll" in task.val_errors.names) == is_discrete


def test_inputs_are_the_arguments_of_the_model(process: Diffusion) -> None:
    task = make_task(process)
    batch = batch_of(0, 1)
    given = task.inputs(batch)
    assert given["x"].shape == (8, 7)
    assert given["pos"].shape == (8, 3)
    # the noise level follows the features and is the same for all atoms of a molecule
    assert len(given["x"][:3, -1].unique()) == 1


def test_samples_depend_on_the_seed_and_the_training_sizes(process: Diffusion) -> None:
    task = make_task(process, sample_batch=4)
    first, again, other = (task.sample(10, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.pos, again.pos) and torch.equal(first.z, again.z)
    assert first.pos.shape != other.pos.shape or not torch.equal(first.pos, other.pos)
    assert set(first.counts.tolist()) <= {3, 4, 5}
    assert set(first.z.tolist()) <= {1, 6, 7, 8, 9}
    assert len(list(first)) == len(first) == 10


def test_sizes_do_not_depend_on_the_sampling_batch(process: Diffusion) -> None:
    sizes = [
        make_task(process, sample_batch=size).sample(9, seed=3).counts.tolist() for size in (2, 9)
    ]
    assert sizes[0] == sizes[1]


def test_sampling_reports_progress_and_restores_the_training_mode(process: Diffusion) -> None:
    task = make_task(process, sample_batch=4)
    done: list[int] = []
    task.model.train()
    task.sample(10, progress=done.append)
    assert done == [4, 4, 2]
    assert task.model.training


@pytest.mark.parametrize("count", [0, -1, 1_000_001])
def test_number_of_samples_is_checked(process: Diffusion, count: int) -> None:
    with pytest.raises(ValueError, match=r"num_samples must be in 1\.\.1000000, got"):
        make_task(process).sample(count)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"statistics": {}}, "statistics sizes and elements, got level 'node'"),
        ({"out_vectors": 0}, "0 output vectors"),
        ({"out_channels": 5, "in_channels": 6}, "needs data with 6 features, got 5"),
    ],
)
def test_unsuitable_data_raise(changes: dict, message: str) -> None:
    spec = make_spec(**changes)
    with pytest.raises(ValueError, match=message):
        Generation(torch.nn.Linear(1, 1), spec, process=KarrasDiffusion())


@pytest.mark.parametrize("name", ["test_samples", "val_samples", "sample_every", "sample_batch"])
def test_negative_numbers_of_samples_raise(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least"):
        make_task(KarrasDiffusion(), **{name: -1})
