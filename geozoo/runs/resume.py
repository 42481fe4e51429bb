"""Resuming a run from its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from geozoo.config import regroup
from geozoo.data import DataRecord
from geozoo.hub.checkpoints import Checkpoint
from geozoo.runs.arguments import key_values
from geozoo.runs.checkpoint_files import AtomicCheckpoints
from geozoo.runs.checkpoints import refuse_ensemble
from geozoo.runs.errors import RunError
from geozoo.runs.folder import RunFolder
from geozoo.runs.overrides import change_config
from geozoo.runs.paths import replaced

#: Keys of ``recompute`` in the models of the zoo; the first is a former name of the others.
_RECOMPUTE = ("model.recompute", "model.blocks.recompute", "model.branches.recompute")
#: Keys that may change when a run is resumed; any other would make it a different experiment.
_FREE = ("trainer.", "logger.", *_RECOMPUTE, "dataset.loader.eval_batch_size")


def folder_to_resume(arguments: Sequence[str]) -> RunFolder | None:
    """The run folder given by ``resume=<folder>``, or None without that argument.

    Raises:
        RunError: If it is not a run folder or has no checkpoint, or several are given.
    """
    named = [each.partition("=")[2] for each in arguments if each.startswith("resume=")]
    if not named:
        return None
    key_values([each for each in arguments if each.startswith("resume=")])
    refuse_ensemble(named[-1])
    # Lightning compares resolved paths: through a link it would forget the best checkpoint.
    folder = RunFolder(Path(named[-1]).expanduser().resolve())
    folder.read_config()
    if not folder.last.is_file():
        raise RunError(
            f"{folder.path} has no checkpoints/last.ckpt: no epoch was completed, so there is "
            "nothing to resume. Start a new run"
        )
    return folder


def stored_config(config: Mapping[str, Any], folder: Path) -> DictConfig:
    """The config in the record of a run, with the current path of the run folder.

    It includes the overrides of earlier continuations.
    """
    cfg = OmegaConf.create(dict(config))
    plain = replaced(OmegaConf.to_container(cfg), str(cfg.run_dir), str(folder))
    moved = OmegaConf.create(plain)  # loggers refer to the folder too
    regroup(moved)  # a run of an earlier version
    return moved


def resumed_config(cfg: DictConfig, folder: RunFolder, arguments: Sequence[str]) -> DictConfig:
    """A stored config with the overrides of a continuation.

    Args:
        cfg: the stored config, which is changed.
        folder: the run folder.
        arguments: the command line without the program name.

    Raises:
        RunError: If an override would make it a different experiment.
        ConfigError: If an override does not match a signature.
    """
    changes = [each for each in arguments if not each.startswith("resume=")]
    reason = "a resumed run keeps its config"
    change_config(cfg, changes, allowed=_FREE, reason=reason, origin=folder.config)
    return cfg


@dataclass(frozen=True)
class EarlierRun:
    """The state of a run that is resumed.

    Attributes:
        data: record of the training data.
        epochs: number of completed epochs.
    """

    data: DataRecord
    epochs: int

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> EarlierRun:
        """Read it from the last checkpoint, without the weights."""
        return cls(checkpoint.spec.record, checkpoint.content["epoch"] + 1)


def relocate(folder: RunFolder, checkpoint: Checkpoint) -> None:
    """Rewrite the paths in the last checkpoint if the run folder was moved.

    Lightning forgets the best validation when a checkpoint names another folder.

    Args:
        folder: the run folder at its current path.
        checkpoint: its last checkpoint.
    """
    content = dict(checkpoint.content)
    here, changed = str(folder.checkpoints), False
    for name, state in content.get("callbacks", {}).items():
        if not name.startswith("ModelCheckpoint") or state.get("dirpath") in (None, here):
            continue
        before, changed = state["dirpath"], True
        content["callbacks"][name] = replaced(state, before, here)
    if changed:
        AtomicCheckpoints().save_checkpoint(content, folder.last)
