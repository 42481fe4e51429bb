"""Test of a trained model on any compatible dataset of the zoo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from hydra.errors import HydraException
from lightning import seed_everything
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from geozoo.config import ConfigError, check, compose
from geozoo.config._pairs import misfit
from geozoo.config.arguments import wrong_argument
from geozoo.config.keys import first_lines
from geozoo.config.options import PROVIDED
from geozoo.data import DataRecord
from geozoo.data.molecules._electronic_states import check_states, states_of_record
from geozoo.hub import TrainedModel, rebuild_task
from geozoo.hub.rebuilding import own_modules
from geozoo.runs.arguments import key_values
from geozoo.runs.build import build_datamodule, check_trainer
from geozoo.runs.errors import RunError, user_errors_named
from geozoo.runs.outcome import RunOutcome
from geozoo.runs.overrides import apply_overrides
from geozoo.runs.paths import make_absolute
from geozoo.runs.testing import test_trainer, tested
from geozoo.runs.trained import lay_out_elements, missing_rule, trained_model
from geozoo.runs.training import loaded_spec
from geozoo.tasks import GraphTask

#: Fields of a record that select variant and split, if the dataset has such arguments.
_CHOOSING = ("variant", "molecule", "target", "split")
#: Keys of a dataset that define the inputs, see `geozoo.data.GeometricSpec.inputs`.
_INPUTS = ("features", "edges", "bonds")


def evaluation_elsewhere(
    model: str, changes: Sequence[str], *, is_terminal: bool = False
) -> RunOutcome:
    """Test a model on a dataset, with the model and its training statistics unchanged.

    Args:
        model: trained model of the zoo, run folder or checkpoint.
        changes: ``dataset=name`` (default: the training dataset; markers of missing readings are
            those of training unless overridden), ``protocol=name`` of a forecast, and
            ``key=value`` below ``dataset``, ``task`` or ``trainer``.
        is_terminal: whether a progress bar can be drawn.

    Raises:
        RunError: If the model does not exist, or cannot read the data.
        ConfigError: If a key is unknown.
    """
    source = trained_model(model)
    cfg = _config(source, changes)
    seed_everything(cfg.seed, workers=True, verbose=False)
    lay_out_elements(cfg, source)
    datamodule = build_datamodule(cfg)
    spec = loaded_spec(datamodule)
    if unlike := source.spec.differences(spec):
        raise RunError(f"{source.name} cannot read this data: {'; '.join(unlike)}")
    _check_states(source, spec.record)
    task = _task(source, cfg, spec.record)
    datamodule.serve(task.model)
    result = tested(
        test_trainer(cfg, is_terminal=is_terminal), task, datamodule, checkpoint=source.name,
        note=_overlap(source.spec.record, spec.record),
    )  # fmt: skip
    return RunOutcome(folder=None, cfg=cfg, task=task, datamodule=datamodule, tested=result)


def _check_states(source: TrainedModel, tested: DataRecord) -> None:
    """Reject molecules of a charge or spin that the model was not trained on, if both are known.

    The task checks those that are inputs.
    """
    with user_errors_named(f"{source.name} cannot read this data"):
        check_states(
            states_of_record(tested), source.spec.record, "kind of structure",
            inputs=getattr(source.spec, "graph_inputs", ()),
        )  # fmt: skip


def _overlap(trained: DataRecord, tested: DataRecord) -> str:
    """A warning if another split of the same dataset may test on training samples."""
    files = [set(record.files.file_hashes.values()) for record in (trained, tested)]
    if all(files) and not files[0] & files[1]:
        return ""
    same = (trained.dataset, trained.problem) == (tested.dataset, tested.problem)
    if same and trained.split_hash != tested.split_hash:
        return "another split of the training dataset: its test set may contain training samples"
    return ""


def _config(source: TrainedModel, changes: Sequence[str]) -> DictConfig:
    """The config of dataset and trainer, and of the model's task with overrides."""
    given = {key: f"{key}={value}" for key, value in key_values(changes).items()}
    overrides = [c for c in changes if not c.startswith(("dataset=", "protocol=", "task."))]
    for override in overrides:
        if not override.startswith(("dataset.", "trainer.")):
            raise RunError(
                f"{override!r} cannot be given here: the model is fixed; dataset, protocol and "
                "keys of dataset, task and trainer may change"
            )
    if "protocol" in given:
        overrides.append(f"dataset.protocol.name={given['protocol'].partition('=')[2]}")
    if "dataset" in given:
        overrides += [given["dataset"], *_missing_readings(source, given)]
    else:
        overrides += _own_data(source, given)
    cfg = _composed(overrides)
    cfg.task = OmegaConf.create(dict(source.description.task))
    apply_overrides(
        cfg, [word for word in changes if word.startswith("task.")], allowed=("task.",),
        reason="the model is fixed",
    )  # fmt: skip
    check(OmegaConf.masked_copy(cfg, ["dataset", "task", "trainer"]), provided=PROVIDED)
    make_absolute(cfg)
    check_trainer(cfg)
    name = given["dataset"].partition("=")[2] if "dataset" in given else ""
    network = OmegaConf.create(dict(source.description.model))
    if reason := misfit(network, cfg.dataset, cfg.task, names=(source.name, name)):
        raise RunError(f"{reason}. {source.name} cannot read this data")
    return cfg


def _missing_readings(source: TrainedModel, given: Mapping[str, str]) -> list[str]:
    """The markers of missing readings in training, if the dataset has such keys."""
    known = _composed([given["dataset"]]).dataset
    return [
        f"dataset.{key}={value}"
        for key, value in missing_rule(source).items()
        if value and key in known and f"dataset.{key}" not in given
    ]


def _composed(overrides: Sequence[str]) -> DictConfig:
    """The config of some overrides, without a recipe.

    Raises:
        ConfigError: If an entry does not exist, or an override is invalid.
    """
    if fault := wrong_argument(overrides):
        raise ConfigError(fault)
    try:
        return compose("recipe=none", *overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(first_lines(error)) from error


def _own_data(source: TrainedModel, given: Mapping[str, str]) -> list[str]:
    """The overrides that select the training dataset."""
    record = source.spec.record
    name = record.dataset
    if not name:
        raise RunError(f"{source.name} does not state its training dataset; set dataset=...")
    known = _composed([f"dataset={name}"]).dataset
    values = {key: value for key in _CHOOSING if (value := getattr(record, key))}
    values |= {k: v for k, v in getattr(source.spec, "inputs", {}).items() if k in _INPUTS}
    chosen = {k: v for k, v in values.items() if k in known and f"dataset.{k}" not in given}
    overrides = [f"dataset.{key}={value}" for key, value in chosen.items()]
    return [f"dataset={name}", *overrides]


def _task(source: TrainedModel, cfg: DictConfig, record: DataRecord) -> GraphTask:
    """The task of the model, with the evaluation protocol of the new dataset."""
    node = cast(dict[str, Any], OmegaConf.to_container(cfg.task, resolve=True))
    nodes = {"model": source.description.model, "task": node}
    return rebuild_task(
        source.description.model, node, {**source.description.data, "protocol": record.to_dict()},
        source.task.state_dict(), trusted=own_modules(nodes),
    )  # fmt: skip
