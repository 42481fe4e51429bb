"""Trained models given by a name of the zoo, a folder or a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from geozoo.data import DataSpec
from geozoo.hub import Ensemble, ModelFileError, TrainedModel, load
from geozoo.hub.description import FILE_NAME, Description
from geozoo.hub.index import find_model
from geozoo.hub.loading import run_model
from geozoo.runs.checkpoints import find_checkpoint, listed, members, refuse_ensemble
from geozoo.runs.errors import RunError
from geozoo.runs.folder import RunFolder

_MISSING = ("zero_is_missing", "missing")


def trained_models(given: str, *, dtype: torch.dtype | None = None) -> TrainedModel | Ensemble:
    """The given model, or the ensemble of several; see `trained_model`.

    Args:
        given: one model, or several separated by commas (an existing path is one model, even with
            commas); a folder of several runs or published models, as ``ensemble=`` creates it, is
            the ensemble of all of them.
        dtype: see `geozoo.load`.

    Raises:
        RunError: If a model does not exist, or the models cannot form an ensemble.
    """
    models = [trained_model(each, dtype=dtype) for each in _each(given)]
    try:
        return models[0] if len(models) == 1 else Ensemble(models)
    except ValueError as error:
        raise RunError(str(error)) from error


def _each(given: str) -> list[str]:
    """The given models, one by one."""
    found: list[str] = []
    for each in listed(given):
        found += [str(member) for member in members(each)] or [each]
    return found


def model_files(given: str) -> list[Path]:
    """The files of trained models, which must not be overwritten by outputs.

    Args:
        given: see `trained_models`; a model that does not exist has no files.
    """
    found: list[Path] = []
    for model in _each(given):
        path = Path(model).expanduser().absolute()
        if path.is_file() and path.name != FILE_NAME:
            found.append(path)
            path = path.parent.parent  # of checkpoints/best.ckpt
        if RunFolder(path).config.is_file():
            found += RunFolder(path).files
            continue
        # Loading reports invalid models.
        with suppress(FileNotFoundError, ModelFileError):
            description = find_model(model) / FILE_NAME
            weights = Description.read(description).weights.file
            found += [description, description.parent / weights]
    return found


def trained_model(given: str, *, dtype: torch.dtype | None = None) -> TrainedModel:
    """The given model, on the GPU if there is one.

    Args:
        given: name in the zoo's index, folder of a published model, run folder or checkpoint file.
        dtype: see `geozoo.load`.

    Raises:
        RunError: If the model does not exist, is corrupt or not of geozoo, or there are several.
    """
    refuse_ensemble(given)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    path = Path(given).expanduser()
    is_published = (path / FILE_NAME).is_file() or path.name == FILE_NAME
    try:
        if not is_published and (RunFolder(path).best.is_file() or path.is_file()):
            # The user's own run, whose own classes are trusted.
            own = run_model(find_checkpoint(given), trusted=None)
            return (own if dtype is None else own.cast(dtype)).to(device)
        loaded = load(given, device=device, dtype=dtype)
        assert isinstance(loaded, TrainedModel)  # an ensemble was refused
        return loaded
    except (FileNotFoundError, ModelFileError) as error:
        raise RunError(str(error)) from error


def lay_out_elements(cfg: DictConfig, source: TrainedModel) -> None:
    """Use the columns of a trained model if ``dataset.species`` or ``dataset.inputs`` is null.

    They become part of the config, so that a resumed run has the same columns.
    """
    lay_out_columns(cfg, source.spec)


def missing_rule(source: TrainedModel) -> dict[str, Any]:
    """How missing readings were marked in the training of a forecaster; empty if unknown.

    Keys are ``zero_is_missing`` and ``missing``, as in a dataset of time series.
    """
    reading = source.spec.record.reading
    return {key: reading[key] for key in _MISSING if key in reading}


def lay_out_readings(cfg: DictConfig, source: TrainedModel, overrides: Sequence[str]) -> None:
    """Use the markers of missing readings of a trained model, unless they are overridden.

    They become part of the config, so that a resumed run uses them as well.

    Args:
        cfg: config whose data may have such keys.
        source: the trained model.
        overrides: overrides of the command line.
    """
    given = {each.partition("=")[0].lstrip("+") for each in overrides}
    for key, value in missing_rule(source).items():
        if key in cfg.dataset and f"dataset.{key}" not in given:
            cfg.dataset[key] = value


def reading_differences(source: TrainedModel, spec: DataSpec) -> str | None:
    """How the markers of missing readings differ from those of training; None if equal."""
    here = spec.record.reading
    apart = [
        f"{key} is {here.get(key)} here and was {value} in the training of {source.name}"
        for key, value in missing_rule(source).items()
        if (here.get(key) or False) != (value or False)
    ]
    return f"missing readings: {'; '.join(apart)}" if apart else None


def lay_out_columns(cfg: DictConfig, spec: DataSpec) -> None:
    """As `lay_out_elements`, from the spec of the trained model."""
    elements, inputs = getattr(spec, "elements", ()), getattr(spec, "graph_inputs", ())
    if inputs and "inputs" in cfg.dataset and cfg.dataset.inputs is None:
        cfg.dataset.inputs = list(inputs)
    properties = spec.record.properties
    is_open = "kind" in cfg.dataset and cfg.dataset.kind is None
    if properties is not None and is_open and not properties.vector_targets:
        cfg.dataset.kind = properties.target_kind
    classes = spec.statistics.get("classes")
    if classes and "classes" in cfg.dataset and cfg.dataset.classes is None:
        cfg.dataset.classes = list(classes)
    if elements and "species" in cfg.dataset and cfg.dataset.species is None:
        from ase.data import chemical_symbols

        cfg.dataset.species = [chemical_symbols[number] for number in elements]
