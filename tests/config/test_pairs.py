"""Every model with every data set: it composes, or is refused before data are touched."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf
from test_zoo_entries import NEEDED, PAIRS, composed

from geozoo.config import ConfigError, check_pair, configs_folder, entries
from geozoo.config._entries import standard_task
from geozoo.config._pairs import misfit

MODELS = {entry.name: OmegaConf.load(entry.config) for entry in entries("model")}
DATASETS = {entry.name: OmegaConf.load(entry.config) for entry in entries("dataset")}
TASKS = {
    entry.name: OmegaConf.load(configs_folder() / "task" / f"{standard_task(entry)}.yaml")
    for entry in entries("dataset")
}
#: Pairs of one family that cannot be: outputs, forces, dimension, fitting.
IMPOSSIBLE = {
    *(("composition", name) for name in DATASETS if name not in ("graphs", "molecules", "qm9")),
    ("schnet", "nbody"), ("schnet", "qm9_generation"), ("schnet", "trajectories"),
    *(
        (model, data)
        for model in ("allegro", "mace", "nequip", "segnn", "tensornet")
        for data in ("mnist_pixels", "mnist_superpixels", "mnist_superpixels_slic")
    ),
}  # fmt: skip


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("model", MODELS)
def test_a_pair_fits_exactly_where_family_and_task_do(model: str, dataset: str) -> None:
    fits = (model, dataset) in PAIRS and (model, dataset) not in IMPOSSIBLE
    names = (model, dataset)
    reason = misfit(MODELS[model], DATASETS[dataset], TASKS[dataset], names=names)
    assert (reason is None) == fits, reason
    assert fits or (f"model={model}" in reason and f"dataset={dataset}" in reason)


@pytest.mark.parametrize(
    ("model", "dataset", "words"),
    [
        (
            "stid", "nbody",
            ["model=stid forecasts time series; dataset=nbody holds graphs with positions.",
             "Models that fit dataset=nbody: allegro, cgenn, egnn, mace, nequip, painn, "
             "platonic, ponita, rapidash, segnn, tensornet;",
             "datasets that fit model=stid: los_loop, metr_la,"],
        ),
        ("ponita", "los_loop", ["model=ponita takes graphs with positions; dataset=los_loop"]),
        ("composition", "nbody", ["no vector", "fit model=composition: graphs, molecules, qm9"]),
        ("composition", "rmd17", ["does not use positions", "needs forces"]),
        ("segnn", "mnist_pixels", ["needs positions in 3 dimensions; dataset=mnist_pixels has 2"]),
    ],
)  # fmt: skip
def test_the_error_names_reason_and_alternatives(
    model: str, dataset: str, words: list[str]
) -> None:
    with pytest.raises(ConfigError) as told:
        check_pair(MODELS[model], DATASETS[dataset], TASKS[dataset], names=(model, dataset))
    for word in words:
        assert word in str(told.value)


def test_a_task_of_another_family_and_one_for_trained_models() -> None:
    cfg = composed("model=vector_autoregression", *NEEDED["traffic_csv"], "dataset=traffic_csv")
    task = OmegaConf.load(configs_folder() / "task" / "quantile_forecasting.yaml")
    names = ("vector_autoregression", "traffic_csv")
    assert "is fitted, not trained" in str(misfit(cfg.model, cfg.dataset, task, names=names))
    task = OmegaConf.load(configs_folder() / "task" / "regression.yaml")
    names = ("ponita", "traffic_csv")
    with pytest.raises(ConfigError, match="holds time series"):
        check_pair(MODELS["ponita"], DATASETS["traffic_csv"], task, names=names)


def test_data_sets_and_models_that_are_no_entries_are_not_judged() -> None:
    own = OmegaConf.create({"_target_": "torch.nn.Linear", "in_features": 3})
    assert misfit(own, own, TASKS["nbody"], names=("mine", "my_data")) is None
