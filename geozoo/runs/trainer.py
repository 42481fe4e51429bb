"""Lightning's Trainer with options for compiled and captured training steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import lightning
import torch
from lightning.pytorch.strategies import Strategy

from geozoo.runs.checkpoint_files import AtomicCheckpoints
from geozoo.runs.checkpoints import read_checkpoint
from geozoo.runs.errors import RunError

if TYPE_CHECKING:
    from geozoo.runs.captured_fit import CapturedFit

#: Modes of torch.compile; "reduce-overhead" replays a step as one graph on a GPU (CUDA graphs).
CompileMode = Literal["default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"]


#: Minimum values of options that Lightning does not check; null means no limit.
_LEAST = {
    "captured_steps": 1, "check_val_every_n_epoch": 1, "accumulate_grad_batches": 1,
    "gradient_clip_val": 0, "log_every_n_steps": 0,
}  # fmt: skip


def _check_numbers(options: Mapping[str, Any]) -> None:
    for name, least in _LEAST.items():
        value = options.get(name)
        if value is not None and not value >= least:
            raise ValueError(f"{name} must be at least {least} or null, got {value!r}")
    epochs = options.get("max_epochs")
    if epochs is not None and epochs != -1 and epochs < 1:
        raise ValueError(f"max_epochs must be at least 1, or -1 for no end, got {epochs!r}")


def refuse_captured(checkpoint: str | Path | None) -> None:
    """Reject a checkpoint of captured steps, which lacks the state of Lightning's loop.

    Raises:
        RunError: If the checkpoint was written by captured steps.
    """
    if checkpoint is not None and read_checkpoint(Path(checkpoint)).is_captured:
        raise RunError(
            f"{checkpoint} was written by captured steps: resume it with trainer.captured_steps"
        )


class Trainer(lightning.Trainer):
    """Trains a task, optionally with a compiled training step.

    Args:
        compile: compile the training step (`geozoo.tasks.GraphTask.compile_training`). The first
            steps then take minutes; if compilation fails, training continues without it. Or a mode
            of ``torch.compile``: ``"reduce-overhead"`` replays steps of the same shape as CUDA
            graphs, for small batches with a high launch overhead.
        matmul_precision: precision of float32 matrix products: ``"highest"``; ``"high"`` allows
            TF32 on a GPU, ``"medium"`` bfloat16 if supported. It applies to the whole process.
        captured_steps: number of whole steps (batch, loss, gradients, clipping, optimizer) to
            capture as one CUDA graph and replay: for small batches and graphs of equal size, whose
            steps cost less than Lightning's loop. Training is the same up to rounding; checkpoints
            are written at validations. Without a GPU the steps run one by one. None: off.
        options: every argument of ``lightning.Trainer``.

    Raises:
        ValueError: If ``compile`` is not one of these values, or a number that Lightning does not
            check is out of range.
    """

    def __init__(
        self,
        *,
        compile: bool | CompileMode = False,  # noqa: A002
        matmul_precision: Literal["highest", "high", "medium"] = "highest",
        captured_steps: int | None = None,
        **options: Any,
    ) -> None:
        _check_numbers({"captured_steps": captured_steps, **options})
        if not isinstance(compile, bool) and compile not in get_args(CompileMode):
            known = ", ".join(f'"{mode}"' for mode in get_args(CompileMode))
            raise ValueError(f"compile must be true, false or one of {known}, got {compile!r}")
        self.captured_steps = captured_steps
        self._captured: CapturedFit | None = None
        super().__init__(**options)
        if type(self.strategy).save_checkpoint is Strategy.save_checkpoint:
            self.strategy.checkpoint_io = (
                AtomicCheckpoints()
            )  # FSDP and others write their own format
        self.compile = compile
        torch.set_float32_matmul_precision(matmul_precision)

    def fit(self, model: Any, *args: Any, **options: Any) -> None:
        """Lightning's ``fit``, with a compiled model or captured steps if requested."""
        if self.compile:
            model.compile_training(**{} if self.compile is True else {"mode": self.compile})
        if self.captured_steps is None:
            refuse_captured(options.get("ckpt_path"))
            super().fit(model, *args, **options)
            return
        from geozoo.runs.captured_fit import CapturedFit

        self._captured = CapturedFit(self, model, options["datamodule"], self.captured_steps)
        self._captured.run(options.get("ckpt_path"))

    @property
    def current_epoch(self) -> int:
        """Number of completed epochs, in either loop."""
        return super().current_epoch if self._captured is None else self._captured.epoch

    @property
    def global_step(self) -> int:
        """Number of completed steps, in either loop."""
        return super().global_step if self._captured is None else self._captured.step
