"""Objects from a checked config."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning import Callback, Trainer
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from torch import nn

from geozoo.config import ConfigError, fill_missing
from geozoo.data import DataSpec, GraphDataModule
from geozoo.data.spec import check_outputs
from geozoo.runs.callbacks import make_callbacks
from geozoo.runs.folder import RunFolder
from geozoo.tasks import GraphTask

_LOG = logging.getLogger(__name__)


def build_datamodule(cfg: DictConfig) -> GraphDataModule:
    """The data module, before it reads its data."""
    with _errors_of_node("dataset"):
        return instantiate(cfg.dataset, _convert_="all")


def complete_model(
    node: DictConfig, sizes: Mapping[str, Any], *, left: Collection[str] = ()
) -> DictConfig:
    """The config of a model, completed with the values that the dataset defines.

    Args:
        node: the config of the model.
        sizes: values that the dataset defines (`geozoo.data.DataSpec.model_arguments`).
        left: keys that stay ``???``, for tensors of the dataset.

    Raises:
        ConfigError: If a ``???`` has no value, or the model lacks an output that the dataset
            requires. Vectors of the dataset that the model does not take are logged as a warning.
    """
    with _errors_of_node("model"):
        # As a set: the operator `in` of a node is false for keys that are ``???``.
        check_outputs(str(node.get("_target_", "")), set(node), sizes)
    if (vectors := sizes.get("in_vectors")) and "in_vectors" not in set(node):
        _LOG.warning(
            "%s takes no vectors: %d of each node, such as a velocity or normal, are not used",
            str(node.get("_target_", "")).rpartition(".")[2], vectors,
        )  # fmt: skip
    return fill_missing(node, sizes, left=left)


def build_task(cfg: DictConfig, datamodule: GraphDataModule) -> GraphTask:
    """The task around a new model.

    Args:
        cfg: the config; keys of its model that are ``???`` are tensors of the dataset.
        datamodule: the data module, which is adapted to the model.
    """
    with _errors_of_node("model"):
        model = _build_model(cfg.model, datamodule)
    datamodule.serve(model)
    return _build_task(cfg, model, datamodule.spec)


def _build_task(cfg: DictConfig, model: nn.Module, spec: DataSpec) -> GraphTask:
    with _errors_of_node("task"):
        task = instantiate(cfg.task, _partial_=True, _convert_="all")(
            model=model,
            spec=spec,
            optimizer=instantiate(cfg.optimizer, _convert_="all"),
            schedule=instantiate(cfg.schedule, _convert_="all"),
        )
    return task


def check_optimizer(cfg: DictConfig) -> None:
    """Build optimizer and schedule for a dummy parameter, to report invalid values before training.

    Raises:
        ConfigError: If one of them rejects a value.
    """
    parameter = nn.Parameter(torch.zeros(2, 2))
    epochs = cfg.trainer.get("max_epochs")
    with _errors_of_node("optimizer"):
        optimizer = instantiate(cfg.optimizer, _convert_="all")([{"params": [parameter]}])
    with _errors_of_node("schedule"):
        make = instantiate(cfg.schedule, _convert_="all")
        if make is not None:
            make(optimizer, num_epochs=-1 if epochs is None else epochs)


def check_trainer(cfg: DictConfig) -> None:
    """Build a trainer, to report invalid values before the data are read.

    Raises:
        ConfigError: If a value is invalid, or a device or strategy is not available.
    """
    with _errors_of_node("trainer"):
        _make_trainer(cfg)(logger=False, enable_checkpointing=False, enable_progress_bar=False)


def _make_trainer(cfg: DictConfig) -> Callable[..., Trainer]:
    """The trainer class of a config, without loggers and callbacks."""
    # The timer of the run also enforces max_time: Lightning accepts only one timer.
    others = [str(key) for key in cfg.trainer if key != "max_time"]
    return instantiate(OmegaConf.masked_copy(cfg.trainer, others), _convert_="all", _partial_=True)


def _build_model(node: DictConfig, datamodule: GraphDataModule) -> nn.Module:
    wanted = [str(key) for key in node if OmegaConf.is_missing(node, key)]
    tensors = datamodule.model_tensors()
    plain = OmegaConf.masked_copy(node, [str(key) for key in node if key not in wanted])
    return instantiate(plain, _partial_=True, _convert_="all")(
        **{key: tensors[key]() for key in wanted}
    )


def build_trainer(
    cfg: DictConfig, folder: RunFolder, *, monitor: str, is_terminal: bool,
    further: Sequence[Callback] = (),
) -> Trainer:  # fmt: skip
    """The Lightning Trainer with loggers and callbacks.

    Args:
        cfg: the config.
        folder: the run folder.
        monitor: the metric that selects the best checkpoint.
        is_terminal: whether a progress bar can be drawn.
        further: callbacks of the caller.
    """
    options: dict[str, Any] = {"default_root_dir": str(folder.path)}
    with _errors_of_node("trainer"):
        return _make_trainer(cfg)(
            logger=_loggers(cfg),
            callbacks=make_callbacks(
                cfg, folder, monitor=monitor, is_terminal=is_terminal, further=further
            ),
            enable_progress_bar=is_terminal,
            **options,
        )


@contextmanager
def _errors_of_node(node: str) -> Iterator[None]:
    """Report the config node whose values a constructor rejects."""
    try:
        yield
    except (
        ValueError,
        TypeError,
        ImportError,
        InstantiationException,
        MisconfigurationException,
    ) as error:
        # Hydra wraps the error of a constructor; other errors say more than their cause.
        cause = error.__cause__ if isinstance(error, InstantiationException) else None
        raise ConfigError(f"{node}: {cause or error}") from error


def _loggers(cfg: DictConfig) -> list[Logger]:
    loggers = list(instantiate(cfg.logger, _convert_="all").values())
    if not any(isinstance(logger, CSVLogger) for logger in loggers):
        loggers.append(CSVLogger(cfg.run_dir, name="csv"))
    return loggers
