"""The top level of the config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class RunOptions:
    """The top-level keys of a config and their types, against which it is checked.

    Attributes:
        model: node of the network.
        dataset: node of the data module.
        task: node of the task; it receives model, data specification, optimizer and schedule.
        optimizer: partial node, called with parameter groups.
        schedule: partial node, called with the optimizer and the number of epochs.
        trainer: node of `geozoo.runs.Trainer`.
        logger: nodes of Lightning loggers by name.
        seed: random seed of weights, shuffle order and rotations.
        runs: folder that holds all run folders.
        run_dir: folder of this run; None: named after model, dataset, time and seed.
        ema_decay: decay per step of the exponential moving average of the weights; None: none.
        ema_start: optimizer steps before the average begins; until then it is the weights.
        early_stopping_patience: validations without improvement before training stops; None:
            no early stopping.
        test: whether the best checkpoint is tested at the end.
        init_from: trained model, run folder or checkpoint that initialises the weights.
        init_energies: ``"fitted"``: a potential takes over the energy scale of ``init_from``, and
            energies of atoms are fitted to the training split; ``"data"``: shift and scale of the
            data; None: fitted if that potential is universal.
        freeze: names of parameters to freeze, with ``*``.
        adapter_rank: rank of low-rank adapters of linear layers, with all other weights frozen;
            None: no adapters.
        adapter_layers: names of the linear layers that get an adapter, with ``*``.
        adapter_trained: names of parameters that are trained besides the adapters, with ``*``.
        elastic: train the model so that it can be run at many sizes afterwards, see
            `geozoo.tasks.ElasticTraining`.
        elastic_orientations: numbers of orientations that are trained, besides that of the model;
            None: 6, 8, 12, 16, 20 and 32 as far as they are smaller.
        elastic_layers: numbers of layers that are trained; None: from 60 % of those of the model.
        elastic_widths: fractions of the channels that are trained.
        elastic_start: fraction of the epochs in which only the whole model is trained.
        elastic_samples: sizes per step besides the largest and the smallest.
        elastic_teacher: what smaller sizes learn from: ``data``, or the predictions of the
            ``largest``.
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
    ema_start: int = 0
    early_stopping_patience: int | None = None
    test: bool = True
    init_from: str | Path | None = None
    init_energies: Literal["fitted", "data"] | None = None
    freeze: Sequence[str] = ()
    adapter_rank: int | None = None
    adapter_layers: Sequence[str] = ("*",)
    adapter_trained: Sequence[str] = ()
    elastic: bool = False
    elastic_orientations: Sequence[int] | None = None
    elastic_layers: Sequence[int] | None = None
    elastic_widths: Sequence[float] = (0.5, 0.75, 1.0)
    elastic_start: float = 0.5
    elastic_samples: int = 2
    elastic_teacher: Literal["data", "largest"] = "data"


#: Parameters that the program passes itself.
PROVIDED: Mapping[str, tuple[str, ...]] = {
    "task": ("model", "spec", "optimizer", "schedule"),
    "optimizer": ("params",),
    "schedule": ("optimizer", "num_epochs"),
    "trainer": ("logger", "callbacks", "default_root_dir", "enable_checkpointing"),
}
