"""The top level of the config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RunOptions:
    """What the top level of a config may hold; the check compares it with these annotations.

    Attributes:
        model: node of the network.
        dataset: node of the data module.
        task: node of the task; it receives model, data specification, optimizer and schedule.
        optimizer: partial node, called with parameter groups.
        schedule: partial node, called with the optimizer and the number of epochs.
        trainer: node of `geozoo.runs.Trainer`.
        logger: nodes of Lightning loggers by name.
        seed: seed of weights, shuffle order and rotations.
        runs: folder of all run folders.
        run_dir: folder of this run; None: named by model, data set, time and seed.
        ema_decay: decay of averaged weights per step; None: no averaging.
        early_stopping_patience: validations without improvement before the end; None: never.
        test: whether the best checkpoint is tested at the end.
        init_from: trained model, run folder or checkpoint whose weights a new run begins from.
        freeze: names of parameters that stay as they are, with ``*``.
        adapter_rank: rank of trained updates of linear maps, everything else stays; None: none.
        adapter_layers: names of the linear maps that get one, with ``*``.
        adapter_trained: names of parameters that are trained beside the updates, with ``*``.
    """

    model: Any
    dataset: Any
    task: Any
    optimizer: Any
    schedule: Any
    trainer: Any
    logger: Mapping[str, Any]
    seed: int = 0
    runs: str | Path = "runs"
    run_dir: str | Path | None = None
    ema_decay: float | None = None
    early_stopping_patience: int | None = None
    test: bool = True
    init_from: str | Path | None = None
    freeze: Sequence[str] = ()
    adapter_rank: int | None = None
    adapter_layers: Sequence[str] = ("*",)
    adapter_trained: Sequence[str] = ()


#: Parameters that the program passes itself.
PROVIDED: Mapping[str, tuple[str, ...]] = {
    "task": ("model", "spec", "optimizer", "schedule"),
    "optimizer": ("params",),
    "schedule": ("optimizer", "num_epochs"),
    "trainer": ("logger", "callbacks", "default_root_dir", "enable_checkpointing"),
}
