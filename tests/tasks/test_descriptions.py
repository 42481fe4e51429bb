"""Metadata of tasks: figures of a test and usage instructions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_graphs import TinyModel, tiny_data
from tiny_traffic import tiny_traffic

from geozoo.data import DataSpec, GeometricSpec, GraphDataModule, GraphStore
from geozoo.diffusion import KarrasDiffusion
from geozoo.figures import split_panels
from geozoo.models import LastValue
from geozoo.tasks import (
    Classification,
    Dynamics,
    Forecasting,
    Generation,
    GraphTask,
    Potential,
    SampledMolecules,
)


@dataclass
class Run:
    """A test without a training run."""

    datamodule: GraphDataModule | None = None
    is_tested: bool = True

    def curves(self) -> dict[str, tuple[list[int], list[float]]]:
        return {}


def collected(task: GraphTask, data: GraphDataModule) -> GraphTask:
    batch = data.store.gather(data.splits["test"])
    task.collect_test(task.predict_tested(batch), task.targets(batch), batch)
    return task


def classification() -> tuple[Classification, GraphStore]:
    spec = GeometricSpec(
        level="graph", dim=3, in_channels=1, out_channels=2, target="y", vector_fields=("pos",),
        statistics={"classes": ["cat", "dog"]},
    )  # fmt: skip
    node = {"pos": torch.randn(12, 3), "x": torch.ones(12, 1)}
    store = GraphStore(torch.full((3,), 4), node, {"y": torch.tensor([0, 1, 0])})
    task = Classification(TinyModel(**spec.model_arguments()), spec)
    task.test_step(store.gather(torch.arange(3)), 0)
    return task, store


def test_class_names_label_the_confusion_matrix_and_the_graphs(tmp_path: Path) -> None:
    task, store = classification()
    confusion, worst = task.figures(Run(type("Data", (), {"store": store})))
    assert (confusion.name, worst.name) == ("confusion", "worst")
    confusion.draw(tmp_path / "confusion.png")
    worst.draw(tmp_path / "worst.png")
    assert [t for t, _ in split_panels(tmp_path / "confusion.png")] == ["% of each target class"]
    titles = [title for title, _ in split_panels(tmp_path / "worst.png")]
    assert len(titles) == 3
    assert {title.split("target ")[1][:3] for title in titles} == {"cat", "dog"}


def test_a_confusion_matrix_needs_a_test() -> None:
    task, store = classification()
    run = Run(type("Data", (), {"store": store}), is_tested=False)
    assert "confusion" not in [figure.name for figure in task.figures(run)]


def test_forecasts_have_figures_by_horizon_by_sensor_and_on_a_map(tmp_path: Path) -> None:
    data = tiny_traffic()
    task = collected(Forecasting(LastValue(horizon=3), data.spec), data)
    names = [figure.name for figure in task.figures(Run(data))]
    assert names == ["parity", "errors", "horizon", "forecast", "worst"]
    data.series.__dict__["coordinates"] = np.stack([np.linspace(30, 31, 5), np.zeros(5)], 1)
    figures = {figure.name: figure for figure in task.figures(Run(data))}
    assert list(figures) == [*names[:-1], "error_map", "worst"]
    for name in ("error_map", "worst"):
        figures[name].draw(tmp_path / f"{name}.png")
    titles = [title for title, _ in split_panels(tmp_path / "worst.png")]
    assert all(title.startswith("window ") and ", sensor " in title for title in titles)


@pytest.mark.thorough
def test_positions_are_drawn_as_points_and_forces_as_arrows(tmp_path: Path) -> None:
    seen = []
    for kind, make in (("dynamics", Dynamics), ("potential", Potential)):
        data = tiny_data(kind)
        task = collected(make(TinyModel(**data.spec.model_arguments()), data.spec), data)
        (vector,) = [q for q in task.quantities if q.is_vector]
        seen.append((vector.name, vector.is_position))
        *_, worst = task.figures(Run(data))
        worst.draw(tmp_path / f"{kind}.png")
        assert len(split_panels(tmp_path / f"{kind}.png")) == 6
    assert seen == [("position", True), ("force", False)]


def generation() -> Generation:
    spec = GeometricSpec(
        level="node", dim=3, in_channels=3, out_channels=2, out_vectors=1,
        statistics={"sizes": [0, 1], "elements": [1, 6]},
    )  # fmt: skip
    process = KarrasDiffusion(num_steps=3, number_scale=None)
    model = TinyModel(**spec.model_arguments())
    return Generation(model, spec, process=process, test_samples=0)


def test_sampled_molecules_are_a_figure() -> None:
    task = generation()
    assert task.figures(Run()) == []
    task.samples = SampledMolecules(torch.zeros(1, 3), torch.tensor([6]), torch.tensor([1]))
    assert [figure.name for figure in task.figures(Run())] == ["samples"]


def test_generation_is_used_by_sampling_and_forms_no_ensemble() -> None:
    task = generation()
    use = task.usage("my/run")
    assert use.command == "geozoo sample checkpoint=my/run n=100 out=molecules.sdf"
    assert not task.forms_ensembles and Dynamics.forms_ensembles


@pytest.mark.parametrize(("elements", "is_atoms"), [((6,), True), ((), False)])
def test_a_potential_of_elements_takes_structures_and_has_a_calculator(
    elements: tuple[int, ...], is_atoms: bool
) -> None:
    spec = GeometricSpec.from_dict({**tiny_data("potential").spec.to_dict(), "elements": elements})
    task = Potential(TinyModel(**spec.model_arguments()), spec)
    use = task.usage("run")
    files = "input=frames.xyz out=predictions.extxyz" if is_atoms else "input=graphs.npz"
    assert files in use.command
    assert ("GeozooCalculator" in use.python) == is_atoms
    assert use.purpose == ("energies and forces" if is_atoms else "energy, force of each graph")


def test_a_forecaster_takes_readings() -> None:
    data = tiny_traffic()
    use = Forecasting(LastValue(horizon=3), data.spec).usage("run")
    assert use.command == "geozoo predict checkpoint=run input=readings.csv out=forecast.csv"
    assert "every 60 minutes" in use.takes and "its 5 sensors" in use.takes
    assert use.purpose == "the next 3 steps, with their times"


def test_tasks_on_data_of_a_new_family_must_define_their_usage() -> None:
    class OtherSpec(DataSpec):
        family = "meshes"

        def _sizes(self) -> dict[str, object]:
            return {}

    task = generation()
    task.spec = OtherSpec()
    with pytest.raises(TypeError, match=r"meshes data \(OtherSpec\).*must define usage"):
        super(Generation, task).usage("run")
