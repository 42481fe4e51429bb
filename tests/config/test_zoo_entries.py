"""The entries of the zoo, and every config that can be composed from them."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from geozoo.config import (
    ConfigError,
    Entry,
    Recipe,
    check,
    compose,
    configs_folder,
    entries,
    group_names,
    recipes,
    trainer_variants,
    zoo_folder,
)
from geozoo.config._entries import standard_task
from geozoo.config.options import PROVIDED, RunOptions
from geozoo.options import option_groups

MODELS = [entry.name for entry in entries("model")]
DATASETS = [entry.name for entry in entries("dataset")]
#: Values that only a user can give.
NEEDED = {
    "molecules": ["dataset.path=mine.csv", "dataset.targets=[gap]"],
    "extxyz": ["dataset.path=frames.xyz"],
    "traffic_csv": ["dataset.path=flows.csv"],
    "labelled_images": ["dataset.path=images.npz"],
    "graphs": ["dataset.path=graphs.npz"],
    "point_clouds": ["dataset.path=clouds"],
    "trajectories": ["dataset.path=walks", "dataset.horizon=10"],
}


def takes_series(model: str) -> bool:
    """Whether a model is of the forecasting family: it is called with a clock."""
    target = yaml.safe_load((zoo_folder() / "models" / model / "config.yaml").read_text())
    return "time" in inspect.signature(pkgutil.resolve_name(target["_target_"]).forward).parameters


def is_series(dataset: Entry) -> bool:
    return standard_task(dataset) == "forecasting"


#: Every model with every data set of its family.
PAIRS = [
    (model, dataset.name)
    for model in MODELS
    for dataset in entries("dataset")
    if takes_series(model) == is_series(dataset)
]


def composed(*words: str) -> DictConfig:
    return compose(*words, "run_dir=somewhere")


def assert_sound(cfg: DictConfig) -> None:
    check(cfg, root=RunOptions, provided=PROVIDED, open_nodes=("model",))


def test_the_zoo_has_entries() -> None:
    assert "ponita" in MODELS
    assert {"nbody", "rmd17", "extxyz"} <= set(DATASETS)


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_entries_have_a_summary_and_no_python(kind: str) -> None:
    for entry in entries(kind):
        assert 10 < len(entry.summary) < 100
        assert not entry.summary.startswith("Node behind")
        assert not list(entry.folder.rglob("*.py"))


def test_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        entries("optimizer")


@pytest.mark.thorough
@pytest.mark.parametrize(("model", "dataset"), PAIRS)
def test_every_pair_composes_and_is_sound(model: str, dataset: str) -> None:
    words = [f"model={model}", f"dataset={dataset}", *NEEDED.get(dataset, [])]
    assert_sound(composed(*words))


@pytest.mark.thorough
@pytest.mark.parametrize("variant", trainer_variants())
@pytest.mark.parametrize(("model", "dataset"), dict(PAIRS).items())
def test_every_model_composes_with_every_trainer(model: str, dataset: str, variant: str) -> None:
    words = [f"model={model}", f"dataset={dataset}", f"trainer={variant}", *NEEDED.get(dataset, [])]
    assert_sound(composed(*words))
    assert_sound(composed(*words, "recipe=none"))


def files(found: list[Recipe]) -> list[Recipe]:
    """One recipe for each file: those that serve many data sets are tested with one of them."""
    return list({recipe.path: recipe for recipe in found}.values())


@pytest.mark.parametrize("recipe", files(recipes()), ids=lambda recipe: recipe.name)
def test_every_recipe_composes_and_is_sound(recipe: object) -> None:
    dataset = max((n for n in DATASETS if recipe.variant.startswith(n)), key=len)
    words = [f"model={recipe.model}", f"dataset={dataset}", *NEEDED.get(dataset, [])]
    assert_sound(composed(*words, f"recipe={recipe.name}"))


@pytest.mark.parametrize("group", ["task", "optimizer", "schedule", "logger"])
def test_every_word_of_a_group_composes_and_is_sound(group: str) -> None:
    for name in group_names(group):
        if name == "wandb":
            pytest.importorskip("wandb")
        assert_sound(composed(f"{group}={name}", "recipe=none"))


def test_precedence_is_entry_recipe_variant_command_line() -> None:
    assert composed("recipe=none").model.orientations.num_orientations == 20
    assert composed().model.orientations.num_orientations == 16
    assert composed().trainer.max_epochs == 10000
    assert composed("trainer=quick").trainer.max_epochs < 100
    assert composed("trainer=quick").model.orientations.num_orientations == 6
    assert composed("trainer=quick", "trainer.max_epochs=3").trainer.max_epochs == 3


def test_recipe_none_is_without_the_variant_too() -> None:
    quick = OmegaConf.load(configs_folder() / "trainer" / "quick.yaml")
    cfg = composed("recipe=none", "trainer=quick")
    assert cfg.trainer.max_epochs == quick.max_epochs
    assert cfg.schedule.warmup_start == 0.0


def test_quick_is_quick_for_pairs_without_a_quick_recipe() -> None:
    names = {recipe.name for recipe in recipes()}
    assert "ponita-extxyz_quick" not in names
    assert composed("dataset=extxyz").trainer.max_epochs == 1000
    assert composed("dataset=extxyz", "trainer=quick").trainer.max_epochs == 20


@pytest.mark.parametrize("model", ["allegro", "mace", "nequip", "painn", "ponita", "tensornet"])
def test_a_recipe_of_a_group_serves_its_datasets(model: str) -> None:
    paths = {recipe.variant: recipe.path for recipe in recipes() if recipe.model == model}
    for dataset in ("copper_emt", "silicon_sevennet", "salt_sevennet"):
        assert paths[dataset].name == "crystals.yaml"
        cfg = composed(f"model={model}", f"dataset={dataset}")
        assert_sound(cfg)
        assert cfg.model.radius == 5.0
        assert cfg.task.energy_per_atom is True
        assert cfg.trainer.max_epochs <= 40
    assert paths.get("rmd17", Path("rmd17.yaml")).name == "rmd17.yaml"


@pytest.mark.parametrize(
    ("dataset", "key", "value"),
    [
        ("nbody", "trainer.max_epochs", 10000), ("nbody", "schedule.warmup_epochs", 10),
        ("nbody", "optimizer.lr", 1e-3), ("nbody", "optimizer.weight_decay", 1e-10),
        ("nbody", "model.orientations.num_orientations", 16),
        ("nbody", "model.blocks.layer_scale", 1e-6),
        ("nbody", "ema_decay", None), ("nbody", "trainer.check_val_every_n_epoch", 5),
        ("nbody", "dataset.loader.batch_size", 100), ("nbody", "task.test_rotations", 1),
        ("rmd17", "trainer.max_epochs", 5000), ("rmd17", "schedule.warmup_epochs", 100),
        ("rmd17", "optimizer.lr", 5e-4), ("rmd17", "optimizer.weight_decay", 1e-16),
        ("rmd17", "model.orientations.num_orientations", 20),
        ("rmd17", "model.blocks.layer_scale", None),
        ("rmd17", "ema_decay", 0.99), ("rmd17", "task.test_rotations", 5),
        ("rmd17", "dataset.loader.batch_size", 5), ("rmd17", "task.energy_weight", 1 / 500),
    ],
)  # fmt: skip
def test_default_recipes_are_the_published_settings(dataset: str, key: str, value: object) -> None:
    cfg = composed(f"dataset={dataset}")
    assert OmegaConf.select(cfg, key) == value
    shared = {
        "trainer.gradient_clip_val": 0.5, "model.hidden_channels": 128, "task.augment": True,
        "model.kernel.basis_channels": 256, "model.kernel.degree": 3, "model.num_layers": 5,
        "model.blocks.widening": 4,
        "model.blocks.multiple_readouts": True, "optimizer._target_": "torch.optim.Adam",
        "schedule._target_": "geozoo.tasks.cosine_warmup", "schedule.warmup_start": 0.0,
    }  # fmt: skip
    assert {name: OmegaConf.select(cfg, name) for name in shared} == shared


@pytest.mark.parametrize(
    "entry",
    ["models/ponita", "models/gram_ode", "models/stgode", "models/nequip", "models/allegro"],
)
def test_the_config_of_a_model_lists_every_argument_and_its_default(entry: str) -> None:
    node = yaml.safe_load((zoo_folder() / entry / "config.yaml").read_text())
    kind = pkgutil.resolve_name(node.pop("_target_"))
    assert set(node) == set(inspect.signature(kind).parameters)
    for name, group in option_groups(kind).items():
        assert node[name] == asdict(group())


def test_a_fault_in_an_entry_names_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = composed("trainer.max_epochs=many")
    with pytest.raises(ConfigError, match=r"trainer\.max_epochs: expected int or null"):
        assert_sound(cfg)


@pytest.mark.parametrize("path", sorted(zoo_folder().glob("models/*/**/*.yaml")), ids=str)
def test_numbers_are_numbers_for_plain_yaml_readers_too(path: Path) -> None:
    """``5e-4`` is a string for YAML 1.1; ``5.0e-4`` is a number."""

    def leaves(node: object) -> Iterator[object]:
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        for value in inner:
            yield value
            yield from leaves(value)

    for value in leaves(yaml.safe_load(path.read_text())):
        assert not (isinstance(value, str) and value[:1].isdigit()), value
