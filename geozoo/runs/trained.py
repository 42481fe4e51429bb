"""A trained model by any word: a name of the zoo, a folder, a checkpoint."""

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
from geozoo.hub.runs import read_run
from geozoo.runs.checkpoints import find_checkpoint, listed, members, refuse_ensemble
from geozoo.runs.errors import RunError
from geozoo.runs.folder import RunFolder

_MISSING = ("zero_is_missing", "missing")


def trained_models(words: str) -> TrainedModel | Ensemble:
    """The model of a word, or the ensemble of several; see `trained_model`.

    Args:
        words: one or more with commas between (a path that exists is one, whatever its name); a
            folder of several runs or published models, as
            ``ensemble=`` leaves it, stands for all of them.

    Raises:
        RunError: when there is no such model, or they do not belong together.
    """
    models = [trained_model(word) for word in _each(words)]
    try:
        return models[0] if len(models) == 1 else Ensemble(models)
    except ValueError as error:
        raise RunError(str(error)) from error


def _each(words: str) -> list[str]:
    """The models that words stand for, one by one."""
    found: list[str] = []
    for each in listed(words):
        found += [str(member) for member in members(each)] or [each]
    return found


def model_files(words: str) -> list[Path]:
    """The files of trained models, which nothing that is made of them may overwrite.

    Args:
        words: see `trained_models`; what names no model has no files.
    """
    found: list[Path] = []
    for word in _each(words):
        path = Path(word).expanduser().absolute()
        if path.is_file() and path.name != FILE_NAME:
            found.append(path)
            path = path.parent.parent  # of checkpoints/best.ckpt
        if RunFolder(path).config.is_file():
            found += RunFolder(path).files
            continue
        # Loading says what is wrong with a model.
        with suppress(FileNotFoundError, ModelFileError):
            description = find_model(word) / FILE_NAME
            weights = Description.read(description).weights.file
            found += [description, description.parent / weights]
    return found


def trained_model(word: str) -> TrainedModel:
    """The model that a word of the command line names, on a GPU where there is one.

    Args:
        word: name in the zoo's index, folder of a published model, run folder or checkpoint file.

    Raises:
        RunError: when there is no such model, or it is damaged or foreign, or there are several.
    """
    refuse_ensemble(word)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    path = Path(word).expanduser()
    is_published = (path / FILE_NAME).is_file() or path.name == FILE_NAME
    try:
        if not is_published and (RunFolder(path).best.is_file() or path.is_file()):
            # The user's own run, whose own classes are trusted.
            return TrainedModel(*read_run(find_checkpoint(word), trusted=None)).to(device)
        loaded = load(word, device=device)
        assert isinstance(loaded, TrainedModel)  # an ensemble was refused
        return loaded
    except (FileNotFoundError, ModelFileError) as error:
        raise RunError(str(error)) from error


def lay_out_elements(cfg: DictConfig, source: TrainedModel) -> None:
    """Give data whose columns are free (``dataset.species=null``) those of a trained model.

    It becomes part of the config, so that a continuation has the same columns.
    """
    lay_out_columns(cfg, getattr(source.spec, "elements", ()))


def missing_rule(source: TrainedModel) -> dict[str, Any]:
    """What stood for a missing reading in the training of a forecaster; empty: it is not known.

    Keys are ``zero_is_missing`` and ``missing``, as a data set of series takes them.
    """
    reading = source.spec.record.reading
    return {key: reading[key] for key in _MISSING if key in reading}


def lay_out_readings(cfg: DictConfig, source: TrainedModel, words: Sequence[str]) -> None:
    """Let the numbers that stood for missing readings in a training do so again, unless given.

    They become part of the config, so that a continuation reads as well.

    Args:
        cfg: config whose data may have such keys.
        source: the trained model.
        words: overrides of the command line.
    """
    given = {word.partition("=")[0].lstrip("+") for word in words}
    for key, value in missing_rule(source).items():
        if key in cfg.dataset and f"dataset.{key}" not in given:
            cfg.dataset[key] = value


def reading_differences(source: TrainedModel, spec: DataSpec) -> str | None:
    """How missing readings of some data differ from those of a training; None: they do not."""
    here = spec.record.reading
    apart = [
        f"{key} is {here.get(key)} here and was {value} in the training of {source.name}"
        for key, value in missing_rule(source).items()
        if (here.get(key) or False) != (value or False)
    ]
    return f"missing readings: {'; '.join(apart)}" if apart else None


def lay_out_columns(cfg: DictConfig, elements: Sequence[int]) -> None:
    """As `lay_out_elements`, from the atomic number of each column."""
    if elements and "species" in cfg.dataset and cfg.dataset.species is None:
        from ase.data import chemical_symbols

        cfg.dataset.species = [chemical_symbols[number] for number in elements]
