"""Continuing a run from its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from geozoo.config import check, regroup
from geozoo.config.options import PROVIDED, RunOptions
from geozoo.data import DataRecord
from geozoo.hub.checkpoints import Checkpoint
from geozoo.runs.arguments import key_values
from geozoo.runs.build import check_trainer
from geozoo.runs.checkpoint_files import AtomicCheckpoints
from geozoo.runs.checkpoints import refuse_ensemble
from geozoo.runs.errors import RunError
from geozoo.runs.folder import RunFolder
from geozoo.runs.overrides import apply_overrides
from geozoo.runs.paths import make_absolute, replaced

#: Where models of the zoo have it; the first is a former name of the others.
_RECOMPUTE = ("model.recompute", "model.blocks.recompute", "model.branches.recompute")
#: What may differ in the continuation; anything else would make it another experiment.
_FREE = ("trainer.", "logger.", *_RECOMPUTE, "dataset.loader.eval_batch_size")


def folder_to_resume(words: Sequence[str]) -> RunFolder | None:
    """The run folder that ``resume=<folder>`` names, or None without such a word.

    Raises:
        RunError: when it is no run folder or has no checkpoint, or several are named.
    """
    named = [word.partition("=")[2] for word in words if word.startswith("resume=")]
    if not named:
        return None
    key_values([word for word in words if word.startswith("resume=")])
    refuse_ensemble(named[-1])
    # Lightning compares real paths: under another name the folder would have lost its best.
    folder = RunFolder(Path(named[-1]).expanduser().resolve())
    folder.read_config()
    if not folder.last.is_file():
        raise RunError(
            f"{folder.path} has no checkpoints/last.ckpt: no epoch was finished, so there is "
            "nothing to continue. Start the run anew"
        )
    return folder


def stored_config(config: Mapping[str, Any], folder: Path) -> DictConfig:
    """The config of a run's record, with the run folder where it is now.

    That is the config of the run with the changes of earlier continuations.
    """
    cfg = OmegaConf.create(dict(config))
    plain = replaced(OmegaConf.to_container(cfg), str(cfg.run_dir), str(folder))
    moved = OmegaConf.create(plain)  # loggers name the folder too
    regroup(moved)  # a run of an earlier version
    return moved


def resumed_config(cfg: DictConfig, folder: RunFolder, words: Sequence[str]) -> DictConfig:
    """A stored config with the few changes that a continuation allows.

    Args:
        cfg: the stored config, which is changed.
        folder: the run folder.
        words: the command line.

    Raises:
        RunError: for a word that would make it another experiment.
        ConfigError: for a change that does not fit a signature.
    """
    changes = [word for word in words if not word.startswith("resume=")]
    reason = "a continuation keeps the config of its run"
    apply_overrides(cfg, changes, allowed=_FREE, reason=reason)
    make_absolute(cfg)
    check(
        cfg,
        root=RunOptions,
        provided=PROVIDED,
        open_nodes=("model",),
        origin=lambda key: str(folder.config),
    )
    check_trainer(cfg)
    return cfg


@dataclass(frozen=True)
class EarlierRun:
    """What a continuation needs to know of the run so far.

    Attributes:
        data: record of the data that it was trained on.
        epochs: epochs done.
    """

    data: DataRecord
    epochs: int

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> EarlierRun:
        """Take it from the last checkpoint, without the weights."""
        return cls(checkpoint.spec.record, checkpoint.content["epoch"] + 1)


def relocate(folder: RunFolder, checkpoint: Checkpoint) -> None:
    """Rewrite the paths in the last checkpoint if the run folder was moved.

    Lightning forgets the best validation when a checkpoint names another folder.

    Args:
        folder: the run folder, where it is now.
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
